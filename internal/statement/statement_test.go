package statement

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/store"
	"github.com/malgil/malgil/internal/wallet"
)

var update = flag.Bool("update", false, "write the golden files anew")

// november is a month in which a shop tops up, sends, is charged and gets a refund. Its names try
// to be formulas.
func november() store.Statement {
	first := time.Date(2026, 11, 1, 0, 0, 0, 0, clock.Seoul).UTC()
	st := store.Statement{Month: first, Wallet: store.WalletView{
		Wallet: wallet.Wallet{ID: "wal_1"}, Name: `=HYPERLINK("https://evil.example")`, Kind: access.Business, BusinessNumber: "9998100015",
	}}
	moved := map[int]wallet.Flow{
		2:  {TopUps: 10_000, TopUpVAT: 1_000, GrantedFree: 400},
		24: {Messages: 800, UsedFree: 400, UsedPaid: 10_000, UsedAccrual: 1_600},
		25: {ChargesOpened: 1_600, ChargesPaid: 1_600, ChargeVAT: 160},
		30: {TopUps: 5_000, TopUpVAT: 500, RefundsOpened: 1_000, Refunded: 995, RefundVAT: 99, RefundsFailed: 5},
	}
	for i := range 30 {
		d := wallet.DaySummary{Start: first.Add(time.Duration(i) * 24 * time.Hour), Opening: st.Closing, Flow: moved[i+1]}
		d.Closing = d.Opening.Plus(d.Change())
		st.Days, st.Total, st.Closing = append(st.Days, d), st.Total.Plus(d.Flow), d.Closing
	}
	at := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	st.Lines = func(yield func(store.BroadcastLine, error) bool) {
		_ = yield(store.BroadcastLine{ID: "brd_1", Name: "겨울 재입고, \"마지막\"", BotID: "b", Bot: "한빛서점 도우미", Side: broadcast.Live, Messages: 500, Price: 15, Used: 7_500, Free: 400, First: at, Last: at.Add(time.Hour)}, nil) &&
			yield(store.BroadcastLine{ID: "brd_2", Name: "+82-2-0000", BotID: "b", Bot: "@한빛", Side: broadcast.Development, Messages: 300, Price: 15, Used: 4_500, First: at, Last: at}, nil)
	}
	return st
}

func written(t *testing.T, f Format, st store.Statement) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := Write(&out, f, st); err != nil {
		t.Fatalf("Write(%s) error = %v", f, err)
	}
	return out.Bytes()
}

func TestWrite_golden(t *testing.T) {
	for _, f := range []Format{CSV, JSON} {
		got := written(t, f, november())
		if f == JSON { // to be read by people
			var pretty bytes.Buffer
			if err := json.Indent(&pretty, got, "", "\t"); err != nil {
				t.Fatalf("the JSON does not hold together: %v", err)
			}
			got = pretty.Bytes()
		}
		golden := filepath.Join("testdata", "november."+string(f))
		if *update {
			if err := os.WriteFile(golden, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("Write(%s) = %s\nwant what %s holds (%v); -update writes it anew", f, got, golden, err)
		}
	}
}

// The text is what Excel needs to read Korean, and no name becomes a formula.
func TestWriteCSV(t *testing.T) {
	text := written(t, CSV, november())
	if !bytes.HasPrefix(text, []byte("\xef\xbb\xbf")) {
		t.Errorf("the text begins with %x, want the byte order mark of UTF-8", text[:3])
	}
	reader := csv.NewReader(bytes.NewReader(text[3:]))
	reader.FieldsPerRecord = -1
	rows, err := reader.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		for _, cell := range row {
			if strings.ContainsAny(cell[:min(1, len(cell))], "=+@\t\r") {
				t.Errorf("cell %q of %q would be read as a formula", cell, row)
			}
		}
	}
	last := rows[len(rows)-1]
	if want := []string{"brd_2", "'+82-2-0000", "'@한빛", "개발채널", "2026-11", "2026-11-24 12:00:00", "2026-11-24 12:00:00", "300", "15", "4500", "0"}; !slices.Equal(last, want) {
		t.Errorf("the last broadcast is %q, want %q", last, want)
	}
}

func TestHarmless(t *testing.T) {
	for text, want := range map[string]string{"=1+1": "'=1+1", "+82": "'+82", "-1": "'-1", "@a": "'@a", "\t=1": "'\t=1", "\r=1": "'\r=1", "한빛": "한빛", "a=b": "a=b", "": "", "'": "'"} {
		if got := Harmless(text); got != want {
			t.Errorf("Harmless(%q) = %q, want %q", text, got, want)
		}
	}
}

// The JSON is the shape that the API describes.
func TestWriteJSON(t *testing.T) {
	decoder := json.NewDecoder(bytes.NewReader(written(t, JSON, november())))
	decoder.DisallowUnknownFields()
	var got Statement
	if err := decoder.Decode(&got); err != nil {
		t.Fatal(err)
	}
	if got.Month != "2026-11" || got.From != "2026-11-01" || got.To != "2026-11-30" || len(got.Days) != 30 || len(got.Broadcasts) != 2 {
		t.Errorf("%s from %s to %s has %d days and %d broadcasts", got.Month, got.From, got.To, len(got.Days), len(got.Broadcasts))
	}
	if got.Invoice != (Invoice{Supply: 11_600, VAT: 1_160, Total: 12_760}) || got.Totals.Consumed.All != 12_000 {
		t.Errorf("invoice %+v of a consumption %+v, want 11600 and 1160 without the 400 of free cash", got.Invoice, got.Totals.Consumed)
	}
}

// The workbook is opened again, as Excel would.
func TestWriteXLSX(t *testing.T) {
	st := november()
	text := written(t, XLSX, st)
	book, err := excelize.OpenReader(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := book.Close(); err != nil {
			t.Error(err)
		}
	}()
	if got := book.GetSheetList(); !slices.Equal(got, []string{"요약", "일별", "발송별"}) {
		t.Errorf("sheets %v", got)
	}
	month := map[string]string{}
	for _, row := range rowsOf(t, book, monthSheet) {
		if len(row) == 2 {
			month[row[0]] = row[1]
		}
	}
	for name, want := range map[string]string{
		"월렛": `=HYPERLINK("https://evil.example")`, "사업자등록번호": "999-81-00015", "기간": "2026-11-01 ~ 2026-11-30", "발송 건수": "800",
		"소진": "12,000", "세금계산서 공급가액 (무상캐시 제외)": "11,600", "세금계산서 부가세": "1,160", "자동결제 (공급가액)": "1,600", "환불 부가세": "99", "월말 유상캐시": "4,005",
	} {
		if month[name] != want {
			t.Errorf("%s is %q, want %q", name, month[name], want)
		}
	}
	if formula, err := book.GetCellFormula(monthSheet, "B2"); err != nil || formula != "" {
		t.Errorf("the name of the wallet is the formula %q, %v; want a text", formula, err)
	}
	days := rowsOf(t, book, daySheet)
	if len(days) != 32 || days[24][0] != "2026-11-24" || days[31][0] != "합계" {
		t.Fatalf("%d rows of days, want a header, 30 days and their sum", len(days))
	}
	used := slices.Index(days[0], consumption)
	if days[24][used] != "12,000" || days[31][used] != "12,000" || days[1][used] != "0" {
		t.Errorf("consumption of the 24th, the month, the 1st: %q, %q, %q; want 12,000 twice and 0", days[24][used], days[31][used], days[1][used])
	}
	if raw, err := book.GetCellValue(daySheet, "D25", excelize.Options{RawCellValue: true}); err != nil || raw == "" || strings.Contains(raw, ",") {
		t.Errorf("a cell of the 24th holds %q, %v; want a number", raw, err)
	}
	broadcasts := rowsOf(t, book, broadcastSheet)
	if len(broadcasts) != 3 || broadcasts[2][1] != "+82-2-0000" || broadcasts[1][9] != "7,500" {
		t.Errorf("broadcasts %q, want two with their names as they are", broadcasts)
	}
	for _, sheet := range []string{daySheet, broadcastSheet} {
		panes, err := book.GetPanes(sheet)
		if err != nil || !panes.Freeze || panes.YSplit != 1 {
			t.Errorf("%s has panes %+v, %v; want the header frozen", sheet, panes, err)
		}
	}
	if w, err := book.GetColWidth(broadcastSheet, "A"); err != nil || w < 30 {
		t.Errorf("the ids have a width of %v, %v; want that they fit", w, err)
	}
	wantCharts(t, text, "'일별'!$A$2:$A$31", "c:lineChart", "c:barChart")
}

func rowsOf(t *testing.T, book *excelize.File, sheet string) [][]string {
	t.Helper()
	rows, err := book.GetRows(sheet)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// wantCharts looks into the file: each chart is of a kind, and along the days.
func wantCharts(t *testing.T, text []byte, along string, kinds ...string) {
	t.Helper()
	archive, err := zip.NewReader(bytes.NewReader(text), int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	for i, kind := range kinds {
		f, err := archive.Open(fmt.Sprintf("xl/charts/chart%d.xml", i+1))
		if err != nil {
			t.Fatal(err)
		}
		chart, err := io.ReadAll(f)
		if err != nil || !bytes.Contains(chart, []byte("<"+kind+">")) && !bytes.Contains(chart, []byte("<"+strings.TrimPrefix(kind, "c:")+">")) || !bytes.Contains(bytes.ReplaceAll(chart, []byte("&#39;"), []byte("'")), []byte(along)) {
			t.Errorf("chart %d is %s, %v; want a %s along %s", i+1, chart, err, kind, along)
		}
	}
}

// What is read goes wrong in the middle: every format says so.
func TestWrite_broken(t *testing.T) {
	broken := errors.New("the connection is gone")
	for _, f := range []Format{JSON, CSV, XLSX} {
		st := november()
		st.Lines = func(yield func(store.BroadcastLine, error) bool) {
			_ = yield(store.BroadcastLine{ID: "brd_1"}, nil) && yield(store.BroadcastLine{}, broken)
		}
		if err := Write(io.Discard, f, st); !errors.Is(err, broken) {
			t.Errorf("Write(%s) error = %v, want that of the line", f, err)
		}
	}
}

// many is a month with so many broadcasts; seen is called with every thousandth.
func many(n int, seen func()) store.Statement {
	st := november()
	st.Lines = func(yield func(store.BroadcastLine, error) bool) {
		for i := range n {
			if i%1_000 == 0 {
				seen()
			}
			if !yield(store.BroadcastLine{ID: broadcast.ID(fmt.Sprintf("brd_%026d", i)), Name: "재입고", Bot: "한빛서점 도우미", Side: broadcast.Live, Messages: 1, Price: 15, Used: 15}, nil) {
				return
			}
		}
	}
	return st
}

// peak is the most memory held, looked at now and then. What the collector would
// free is not held, so it runs first: how late it is depends on the machine.
type peak struct{ writes, bytes uint64 }

func (p *peak) look() {
	runtime.GC()
	var now runtime.MemStats
	runtime.ReadMemStats(&now)
	p.bytes = max(p.bytes, now.HeapAlloc)
}

func (p *peak) Write(b []byte) (int, error) {
	if p.writes++; p.writes%256 == 0 {
		p.look()
	}
	return len(b), nil
}

// However many broadcasts there are, they are never all in memory.
func TestWrite_memoryStaysFlat(t *testing.T) {
	if testing.Short() {
		t.Skip("writes large files")
	}
	for f, most := range map[Format]uint64{JSON: 8, CSV: 8, XLSX: 48} {
		for _, n := range []int{5_000, 50_000} {
			var p peak
			if err := Write(&p, f, many(n, p.look)); err != nil {
				t.Fatal(err)
			}
			t.Logf("%s of %d broadcasts: %d MiB at most", f, n, p.bytes>>20)
			if p.bytes > most<<20 {
				t.Errorf("Write(%s) of %d broadcasts holds %d MiB, want less than %d", f, n, p.bytes>>20, most)
			}
		}
	}
}

func TestWriteXLSX_tooLong(t *testing.T) {
	for n, want := range map[int]error{3: nil, 4: ErrTooLong} {
		if err := writeXLSX(io.Discard, many(n, func() {}), 3); !errors.Is(err, want) {
			t.Errorf("a workbook for 3 of %d broadcasts error = %v, want %v", n, err, want)
		}
	}
}
