package recipient

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
)

// workbook writes a workbook into memory.
func workbook(t *testing.T, fill func(f *excelize.File, put func(cell string, value any))) *bytes.Reader {
	t.Helper()
	f := excelize.NewFile()
	fill(f, func(cell string, value any) {
		if err := f.SetCellValue("Sheet1", cell, value); err != nil {
			t.Fatal(err)
		}
	})
	var file bytes.Buffer
	if err := f.Write(&file); err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(file.Bytes())
}

func TestXLSX(t *testing.T) {
	file := workbook(t, func(f *excelize.File, put func(string, any)) {
		style := func(format string) int {
			id, err := f.NewStyle(&excelize.Style{CustomNumFmt: &format})
			if err != nil {
				t.Fatal(err)
			}
			return id
		}
		// Row 1 is empty.
		for i, name := range []string{"수신자유형", "수신자ID", "가입일", "점수", "식"} {
			put(fmt.Sprintf("%c2", 'A'+i), name)
		}
		put("A3", "appUserId")
		put("B3", 10_000_000_000) // not 1E+10
		put("C3", time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC))
		put("D3", 12.5)
		if err := f.SetCellFormula("Sheet1", "E3", "=1+1"); err != nil { // a formula whose result nobody has worked out
			t.Fatal(err)
		}
		// Row 4 is empty, row 5 looks empty.
		put("B5", "  ")
		put("A6", "botUserKey")
		put("B6", "0012")
		put("D6", true)
		put("A7", "appUserId")
		put("B7", 12)
		if err := f.SetCellStyle("Sheet1", "B7", "B7", style("00000000")); err != nil {
			t.Fatal(err)
		}
		put("A8", "appUserId") // no id
		put("A9", "appUserId")
		put("B9", 1.2345678901234567e+19)
		put("A10", "appUserId")
		put("B10", "#N/A")
		put("A11", "appUserId")
		put("B11", 999_999_999_999_999)
		put("F11", "x") // beyond the header
		put("B12", "u12")
		put("A13", "appUserId")
		put("B13", 999_999_999_999_999)
	})
	got, bad := readAll(t, file, XLSX, Options{})
	want := []broadcast.Recipient{
		one("appUserId", "10000000000", map[string]string{"가입일": got[0].Properties["가입일"], "점수": "12.5"}),
		one("botUserKey", "0012", map[string]string{"점수": "TRUE"}),
		one("appUserId", "00000012", nil),
		one("appUserId", "999999999999999", nil),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if date := got[0].Properties["가입일"]; !strings.HasPrefix(date, "2026-11-24") {
		t.Errorf("a date is %q, want it as it is shown, 2026-11-24", date)
	}
	wantBad := []broadcast.BadRow{
		{Line: 8, Column: "id", Reason: "is empty"},
		{Line: 9, Column: "id", Reason: "is a number of more digits than a spreadsheet keeps; make the column text, and enter the ids again"},
		{Line: 10, Column: "id", Reason: "is the error #N/A"},
		{Line: 11, Reason: "has a cell in column 6, the first row names 5"},
		{Line: 12, Column: "type", Reason: "must be botUserKey, plusfriendUserKey, appUserId or botGroupKey"},
	}
	if diff := cmp.Diff(wantBad, bad); diff != "" {
		t.Errorf("bad rows (-want +got):\n%s", diff)
	}
}

// Of a formula what the workbook remembers is taken, and never worked out.
func TestXLSX_formula(t *testing.T) {
	file := workbook(t, func(f *excelize.File, put func(string, any)) {
		put("A1", "id")
		put("A2", "u1") // the result, as Excel saves it
		if err := f.SetCellFormula("Sheet1", "A2", `="u"&"2"`); err != nil {
			t.Fatal(err)
		}
	})
	got, bad := readAll(t, file, XLSX, Options{})
	if len(got) == 1 && got[0].ID == "u2" || len(got)+len(bad) != 1 {
		t.Errorf("rows %v, bad %v, want u1 or an empty id, not u2", got, bad)
	}
}

func TestXLSX_refuses(t *testing.T) {
	tests := map[string]struct {
		file io.Reader
		want string
	}{
		"an empty file":  {strings.NewReader(""), "must be a workbook that can be read"},
		"CSV":            {strings.NewReader("id\nu1\n"), "must be a workbook that can be read"},
		"an old xls":     {strings.NewReader("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + strings.Repeat("\x00", 512)), "must be a workbook that can be read"},
		"an empty sheet": {workbook(t, func(*excelize.File, func(string, any)) {}), "the file is empty"},
		"no id":          {workbook(t, func(_ *excelize.File, put func(string, any)) { put("B3", "이름") }), "line 3 has no column id"},
	}
	for name, tt := range tests {
		if _, err := Open(tt.file, XLSX, Options{}); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Open of %s error = %v, want Invalid with %q", name, err, tt.want)
		}
	}
}

// people is a workbook of so many people.
func people(t testing.TB, n int) io.Reader {
	t.Helper()
	f := excelize.NewFile()
	defer f.Close()
	w, err := f.NewStreamWriter("Sheet1")
	if err != nil {
		t.Fatal(err)
	}
	for i := range n + 1 {
		row := []any{"botUserKey", fmt.Sprintf("user-%08d", i), "gold"}
		if i == 0 {
			row = []any{"type", "id", "grade"}
		}
		if err := w.SetRow(fmt.Sprintf("A%d", i+1), row); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := f.Write(&file); err != nil {
		t.Fatal(err)
	}
	return &file
}

// What a workbook had in temporary files is gone afterwards, also when it was refused.
func TestXLSX_leavesNothing(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	for range 2 {
		if got, _ := readAll(t, people(t, 40_000), XLSX, Options{}); len(got) != 40_000 {
			t.Errorf("%d rows, want 40000", len(got))
		}
	}
	if _, err := Open(strings.NewReader("PK"), XLSX, Options{}); err == nil {
		t.Error("Open of no workbook error = nil")
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) != 0 {
		t.Errorf("left in the temporary folder: %v, %v", left, err)
	}
}
