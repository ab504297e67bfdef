package intake

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"github.com/malgil/malgil/internal/store"
	"github.com/malgil/malgil/internal/wallet"
)

// seedPast is a wallet with a top-up, free cash that was started, and paid cash that was given.
func (h *house) seedPast() (path string) {
	h.t.Helper()
	_, id, _ := h.seed(3000)
	path = "/api/v1/wallets/" + id
	for kind, body := range map[string]map[string]any{
		"free": {"amount_krw": 400, "expires_on": "2026-12-31", "reason": "첫 이용 축하"},
		"paid": {"amount_krw": 50, "kind": "paid", "reason": "보상"},
	} {
		grant := h.do(call{method: "POST", path: path + "/grants", key: "grant-" + kind, body: body}).want(201)
		if kind == "free" {
			h.do(call{method: "POST", path: path + "/grants/" + grant["id"].(string) + "/use", key: "use"}).want(200)
		}
	}
	return path
}

func TestHistory(t *testing.T) {
	h := newHouse(t)
	path := h.seedPast()
	all := h.do(call{method: "GET", path: path + "/history"}).want(200)
	wantAt(t, "GET history", all, map[string]any{ // of one moment, so by kind and ref
		"items.0.kind": "topup", "items.0.posting": "topup", "items.0.amount_krw": 3000, "items.0.vat_krw": 300, "items.0.change.paid_krw": 3000,
		"items.0.change.free_krw": nil, "items.0.after.paid_krw": 3050, "items.0.after.free_krw": 400, "items.0.after.accrual_krw": 0,
		"items.1.kind": "topup", "items.1.posting": "paid_granted", "items.1.after.paid_krw": 50, "items.1.vat_krw": nil,
		"items.2.kind": "topup", "items.2.posting": "grant_started", "items.2.change.free_krw": 400, "items.2.after.free_krw": 400, "items.2.after.paid_krw": 0,
		"items.3": nil, "next_cursor": nil,
	})
	first := h.do(call{method: "GET", path: path + "/history?limit=2&from=2026-11-24&to=2026-11-24"}).want(200)
	second := h.do(call{method: "GET", path: path + "/history?limit=2&from=2026-11-24&to=2026-11-24&cursor=" + first["next_cursor"].(string)}).want(200)
	wantAt(t, "the second page", second, map[string]any{"items.0.posting": "grant_started", "items.0.after.free_krw": 400, "items.0.after.paid_krw": 0, "items.1": nil})
	wantAt(t, "top-ups", h.do(call{method: "GET", path: path + "/history?kind=topup"}).want(200), map[string]any{"items.2.posting": "grant_started", "items.0.after": nil})
	for _, empty := range []string{"kind=consumption", "to=2026-11-23", "from=2026-11-25", "kind=topup&to=2026-11-23"} {
		wantAt(t, empty, h.do(call{method: "GET", path: path + "/history?" + empty}).want(200), map[string]any{"items.0": nil})
	}
	for query, location := range map[string]string{
		"kind=deposit": "query.kind", "from=24.11.2026": "query.from", "to=2026-02-30": "query.to", "from=2026-11-24&to=2026-11-23": "query.to", "cursor=!": "query.cursor",
	} {
		h.do(call{method: "GET", path: path + "/history?" + query}).wantProblem(422, "INVALID", location)
	}
	h.do(call{method: "GET", path: path + "9/history"}).wantProblem(404, "NOT_FOUND", "")
}

// Balances are carried from page to page only where nothing can have come in before them.
func TestHistoryMark_known(t *testing.T) {
	balances := &wallet.Balances{Paid: 15}
	read := noon.UnixMilli()
	for name, tt := range map[string]struct {
		mark historyMark
		want *wallet.Balances
	}{
		"the first page":         {historyMark{}, nil},
		"a place just passed":    {historyMark{store.PostingMark{At: read}, balances, read}, nil},
		"a place nearly too old": {historyMark{store.PostingMark{At: read - lateBy.Milliseconds() + 1}, balances, read}, nil},
		"a place long ago":       {historyMark{store.PostingMark{At: read - lateBy.Milliseconds()}, balances, read}, balances},
		"a list of one kind":     {historyMark{store.PostingMark{At: 1}, nil, 0}, nil},
	} {
		if got := tt.mark.known(); got != tt.want {
			t.Errorf("%s: known() = %v, want %v", name, got, tt.want)
		}
	}
}

func TestDays(t *testing.T) {
	h := newHouse(t)
	path := h.seedPast()
	month := h.do(call{method: "GET", path: path + "/days"}).want(200)
	wantAt(t, "GET days", month, map[string]any{"from": "2026-10-25", "to": "2026-11-24", "items.0.day": "2026-10-25", "items.0.so_far": nil, "items.30.day": "2026-11-24", "items.31": nil})
	two := h.do(call{method: "GET", path: path + "/days?from=2026-11-23&to=2026-12-31"}).want(200)
	wantAt(t, "two days, and some to come", two, map[string]any{
		"to": "2026-11-24", "items.0.day": "2026-11-23", "items.0.closing.paid_krw": 0, "items.1.so_far": true, "items.2": nil,
		"items.1.opening.paid_krw": 0, "items.1.topped_up.supply_krw": 3000, "items.1.topped_up.vat_krw": 300, "items.1.granted.free_krw": 400, "items.1.granted.paid_krw": 50,
		"items.1.messages": 0, "items.1.consumed.all_krw": 0, "items.1.closing.free_krw": 400, "items.1.closing.paid_krw": 3050,
	})
	wantAt(t, "days to come", h.do(call{method: "GET", path: path + "/days?from=2027-01-01&to=2027-01-31"}).want(200), map[string]any{"items.0": nil})
	h.do(call{method: "GET", path: path + "/days?from=2025-11-23&to=2026-11-24"}).wantProblem(422, "INVALID", "query.from")
	h.do(call{method: "GET", path: path + "/days?from=2025-11-24&to=2026-11-24"}).want(200)
	h.do(call{method: "GET", path: path + "/days?to=yesterday"}).wantProblem(422, "INVALID", "query.to")
	h.do(call{method: "GET", path: path + "9/days"}).wantProblem(404, "NOT_FOUND", "")
}

func TestStatement(t *testing.T) {
	h := newHouse(t)
	path := h.seedPast() + "/statements/"
	got := h.do(call{method: "GET", path: path + "2026-11"})
	wantAt(t, "GET statement", got.want(200), map[string]any{
		"wallet.name": "한빛서점", "wallet.business_number": "9998100015", "month": "2026-11", "from": "2026-11-01", "to": "2026-11-24", "so_far": "2026-11-24T03:00:00Z",
		"opening.paid_krw": 0, "totals.topped_up.supply_krw": 3000, "invoice.supply_krw": 0, "closing.paid_krw": 3050, "closing.free_krw": 400,
		"days.0.day": "2026-11-01", "days.23.so_far": true, "days.24": nil, "broadcasts.0": nil,
	})
	if length := got.Header().Get("Content-Length"); length != strconv.Itoa(got.Body.Len()) || got.Header().Get("Content-Type") != "application/json" || got.Header().Get("Content-Disposition") != "" {
		t.Errorf("headers %v for %d bytes, want JSON of that length", got.Header(), got.Body.Len())
	}
	wantAt(t, "an earlier month", h.do(call{method: "GET", path: path + "2026-02"}).want(200), map[string]any{"to": "2026-02-28", "so_far": nil, "days.27.day": "2026-02-28", "days.28": nil})

	csv, xlsx := "text/csv; charset=utf-8", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	for name, tt := range map[string]struct{ query, accept, want string }{
		"by the query":           {"?format=csv", "", csv},
		"query before Accept":    {"?format=xlsx", "text/csv", xlsx},
		"by Accept":              {"", "text/csv", csv},
		"the first that we have": {"", "text/html, " + xlsx + ";q=0.9, */*;q=0.1", xlsx},
		"whatever":               {"", "*/*", "application/json"},
		"what we have not":       {"", "application/pdf", "application/json"},
	} {
		t.Run(name, func(t *testing.T) {
			got := h.on(t).do(call{method: "GET", path: path + "2026-11" + tt.query, header: map[string]string{"Accept": tt.accept}})
			if got.Code != http.StatusOK || got.Header().Get("Content-Type") != tt.want {
				t.Fatalf("GET statement = %d %s, want %s", got.Code, got.Header(), tt.want)
			}
			attached := got.Header().Get("Content-Disposition")
			switch tt.want {
			case csv:
				if !strings.HasPrefix(got.Body.String(), "\ufeff월렛 이용명세서\r\n월렛,한빛서점\r\n") || !strings.HasSuffix(attached, "-2026-11.csv") {
					t.Errorf("%s: %q, want the name of the wallet", attached, got.Body)
				}
			case xlsx:
				book, err := excelize.OpenReader(bytes.NewReader(got.Body.Bytes()))
				if err != nil || !strings.HasSuffix(attached, "-2026-11.xlsx") {
					t.Fatalf("%s is no workbook: %v", attached, err)
				}
				if name, err := book.GetCellValue("요약", "B2"); err != nil || name != "한빛서점" {
					t.Errorf("the workbook is about %q, %v", name, err)
				}
			}
		})
	}
	for month, location := range map[string]string{"2026-12": "path.month", "2026-13": "path.month", "1999-12": "path.month", "november": "path.month", "2026-11?format=pdf": "query.format"} {
		h.do(call{method: "GET", path: path + month}).wantProblem(422, "INVALID", location)
	}
	h.do(call{method: "GET", path: "/api/v1/wallets/wal_9/statements/2026-11"}).wantProblem(404, "NOT_FOUND", "")
}

// torn is a store whose connection breaks when most of a statement was read.
type torn struct{ Reader }

func (r torn) Statement(ctx context.Context, walletID string, month, now time.Time, write func(store.Statement) error) error {
	if err := r.Reader.Statement(ctx, walletID, month, now, write); err != nil {
		return err
	}
	return errors.New("read tcp: connection reset")
}

// A statement that cannot be read to its end is an error, not a part of one, and leaves no file.
func TestStatement_torn(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	h := newHouse(t, func(s *Services) { s.Read = torn{s.Read} })
	path := h.seedPast() + "/statements/2026-11?format="
	for range spoolsAtOnce + 1 { // each gives its place free
		for _, format := range []string{"json", "csv", "xlsx"} {
			h.do(call{method: "GET", path: path + format}).wantProblem(500, "INTERNAL", "")
		}
	}
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	for _, entry := range left {
		if strings.HasPrefix(entry.Name(), "malgil-statement") || strings.HasPrefix(entry.Name(), "excelize") {
			t.Errorf("%s was left behind", entry.Name())
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}
