package acceptance_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"
)

func TestBooks(t *testing.T) {
	show(t, map[string]func(*testing.T){
		"statement_of_a_month":      statementOfAMonth,
		"days_and_history_add_up":   daysAndHistoryAddUp,
		"statement_of_another_shop": statementOfAnotherShop,
	})
}

// amounts are balances, or a change of them.
type amounts struct {
	Free      int64 `json:"free_krw"`
	Paid      int64 `json:"paid_krw"`
	Refunding int64 `json:"refunding_krw"`
	Accrual   int64 `json:"accrual_krw"`
	Charging  int64 `json:"charging_krw"`
}

// flow is what moved in some time.
type flow struct {
	Messages int64 `json:"messages"`
	Consumed struct {
		Free    int64 `json:"free_krw"`
		Paid    int64 `json:"paid_krw"`
		Accrual int64 `json:"accrual_krw"`
		All     int64 `json:"all_krw"`
	} `json:"consumed"`
	ToppedUp struct {
		Supply int64 `json:"supply_krw"`
		VAT    int64 `json:"vat_krw"`
		Owed   int64 `json:"owed_krw"`
	} `json:"topped_up"`
	Granted struct {
		Free int64 `json:"free_krw"`
		Paid int64 `json:"paid_krw"`
		Owed int64 `json:"owed_krw"`
	} `json:"granted"`
	Expired int64 `json:"expired_krw"`
	Charges struct {
		Opened int64 `json:"opened_krw"`
		Paid   int64 `json:"paid_krw"`
		VAT    int64 `json:"vat_krw"`
		Failed int64 `json:"failed_krw"`
	} `json:"charges"`
	Refunds struct {
		Opened   int64 `json:"opened_krw"`
		Returned int64 `json:"returned_krw"`
		VAT      int64 `json:"vat_krw"`
		Failed   int64 `json:"failed_krw"`
	} `json:"refunds"`
}

// after is what an opening becomes by a flow.
func (f flow) after(b amounts) amounts {
	return amounts{
		Free:      b.Free + f.Granted.Free - f.Consumed.Free - f.Expired,
		Paid:      b.Paid + f.ToppedUp.Supply - f.ToppedUp.Owed + f.Granted.Paid - f.Granted.Owed - f.Consumed.Paid - f.Refunds.Opened + f.Refunds.Failed,
		Refunding: b.Refunding + f.Refunds.Opened - f.Refunds.Returned - f.Refunds.Failed,
		Accrual:   b.Accrual + f.Consumed.Accrual - f.ToppedUp.Owed - f.Granted.Owed - f.Charges.Opened + f.Charges.Failed,
		Charging:  b.Charging + f.Charges.Opened - f.Charges.Paid - f.Charges.Failed,
	}
}

type day struct {
	Day     string  `json:"day"`
	SoFar   bool    `json:"so_far"`
	Opening amounts `json:"opening"`
	flow
	Closing amounts `json:"closing"`
}

type statement struct {
	Month   string  `json:"month"`
	From    string  `json:"from"`
	To      string  `json:"to"`
	Opening amounts `json:"opening"`
	Totals  flow    `json:"totals"`
	Invoice struct {
		Supply int64 `json:"supply_krw"`
		VAT    int64 `json:"vat_krw"`
	} `json:"invoice"`
	Closing    amounts `json:"closing"`
	Days       []day   `json:"days"`
	Broadcasts []struct {
		ID       string `json:"id"`
		Channel  string `json:"channel"`
		Messages int64  `json:"messages"`
		Price    int64  `json:"price_krw"`
		Supply   int64  `json:"supply_krw"`
	} `json:"broadcasts"`
}

func (s *shop) statement(month string) (st statement) {
	s.house.t.Helper()
	s.house.get("/api/v1/wallets/"+s.wallet+"/statements/"+month, &st)
	return st
}

// balances is the balance of the wallet as days and statements have it.
func (s *shop) balances() amounts {
	s.house.t.Helper()
	b := s.see().Balance
	return amounts{Free: b.Free, Paid: b.Paid, Refunding: b.Refunding, Accrual: b.Accrual, Charging: b.Charging}
}

// tenth moves the clock to the morning of the 10th of the next month, so that no end of a month is near,
// and returns the month.
func (h *house) tenth() (month string) {
	h.t.Helper()
	y, m, _ := h.now().In(seoul).Date()
	tenth := time.Date(y, m+1, 10, 10, 0, 0, 0, seoul)
	h.tell("PUT", "/sandbox/clock", map[string]any{"now": tenth}, nil)
	return tenth.Format("2006-01")
}

// What a statement says was sent is what arrived at Kakao, and what it says was paid is what the
// gateway took: in JSON, in CSV and in the workbook.
func statementOfAMonth(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(1)
	month := h.tenth()
	s.topUp(1_000)
	s.use(s.give(300, 20))
	sent := []broadcast{s.deliver(100), s.finish(s.orderOn("development", s.friends(10)...))}
	friends := s.friends(2)
	sent = append(sent, s.finish(s.order(friends[0], "stranger-1", friends[1])))
	h.midnight()
	c := s.charged(1, "paid")
	outside := h.truth()

	st := s.statement(month)
	if st.Month != month || st.From != month+"-01" || st.To != month+"-11" || len(st.Days) != 11 {
		t.Errorf("the statement of %s goes from %s to %s in %d days, want to the 11th", st.Month, st.From, st.To, len(st.Days))
	}
	if st.Totals.Messages != outside.Kakao.Messages || st.Totals.Consumed.All != 15*outside.Kakao.Messages || outside.Kakao.Messages != 112 {
		t.Errorf("the statement has %d messages for %d KRW, %d arrived", st.Totals.Messages, st.Totals.Consumed.All, outside.Kakao.Messages)
	}
	f := st.Totals
	if got := f.ToppedUp.Supply + f.ToppedUp.VAT + f.Charges.Paid + f.Charges.VAT; got != outside.KakaoPay.Paid || f.Charges.Paid != c.Supply || c.Supply != 380 {
		t.Errorf("the statement says that %d KRW came in, %d of supply by a charge; the gateway took %d, the charge is %+v", got, f.Charges.Paid, outside.KakaoPay.Paid, c)
	}
	if f.Consumed.Free != 300 || f.Consumed.Paid != 1_000 || st.Invoice.Supply != 1_380 || st.Invoice.VAT != 138 {
		t.Errorf("consumption %+v and invoice %+v, want 300 of free cash and 1380 with 138 of VAT", f.Consumed, st.Invoice)
	}
	if st.Closing != s.balances() || f.after(st.Opening) != st.Closing || st.Opening != (amounts{}) {
		t.Errorf("the statement goes from %+v to %+v, want what moved and the wallet's %+v", st.Opening, st.Closing, s.balances())
	}
	var want, got [][]string // id, messages, price, supply
	for _, b := range sent {
		want = append(want, []string{b.ID, fmt.Sprint(b.Counts.Delivered), "15", fmt.Sprint(b.Captured)})
	}
	for _, b := range st.Broadcasts {
		got = append(got, []string{b.ID, fmt.Sprint(b.Messages), fmt.Sprint(b.Price), fmt.Sprint(b.Supply)})
	}
	if diff := cmp.Diff(want, got); diff != "" || st.Broadcasts[1].Channel != "development" {
		t.Errorf("broadcasts of the statement (-sent +stated):\n%s", diff)
	}
	if diff := cmp.Diff(want, s.workbook(month)); diff != "" {
		t.Errorf("broadcasts of the workbook (-sent +stated):\n%s", diff)
	}
	var text strings.Builder
	h.get("/api/v1/wallets/"+s.wallet+"/statements/"+month+"?format=csv", &text)
	for _, b := range sent {
		if line := fmt.Sprintf(",%d,15,%d,", b.Counts.Delivered, b.Captured); !strings.Contains(text.String(), b.ID) || !strings.Contains(text.String(), line) {
			t.Errorf("the CSV lacks %s with %q", b.ID, line)
		}
	}

	// What is sent in the next month is in the next statement.
	next := h.tenth()
	s.topUp(1_000)
	b := s.deliver(7)
	after := s.statement(next)
	if len(after.Broadcasts) != 1 || after.Broadcasts[0].ID != b.ID || after.Totals.Messages != 7 || after.Opening != st.Closing {
		t.Errorf("the next month opens with %+v and has %+v, want %+v and the 7 messages of %s", after.Opening, after.Broadcasts, st.Closing, b.ID)
	}
	ended := s.statement(month)
	if diff := cmp.Diff(st.Broadcasts, ended.Broadcasts); diff != "" || ended.Totals != st.Totals || ended.Closing != after.Opening {
		t.Errorf("a month that is over has changed from %+v to %+v\n%s", st.Totals, ended.Totals, diff)
	}
	h.balance()
}

// workbook reads broadcasts off the statement as a workbook: id, messages, price, supply.
func (s *shop) workbook(month string) (rows [][]string) {
	s.house.t.Helper()
	var text bytes.Buffer
	s.house.get("/api/v1/wallets/"+s.wallet+"/statements/"+month+"?format=xlsx", &text)
	book, err := excelize.OpenReader(&text)
	if err != nil {
		s.house.t.Fatal(err)
	}
	defer func() { _ = book.Close() }()
	all, err := book.GetRows("발송별", excelize.Options{RawCellValue: true})
	if err != nil || len(all) == 0 {
		s.house.t.Fatalf("the workbook lists %d rows of broadcasts: %v", len(all), err)
	}
	for _, row := range all[1:] {
		rows = append(rows, []string{row[0], row[7], row[8], row[9]})
	}
	return rows
}

// The days of a wallet follow from each other and from what happened, also when its cards failed, it was
// given cash and got a refund; its history tells the same one by one.
func daysAndHistoryAddUp(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(1)
	h.tenth()
	first := h.now().In(seoul).Format(time.DateOnly)
	s.deliver(20)
	s.behave("declined", s.cards...)
	h.midnight()
	s.charged(1, "failed")
	s.topUp(5_000) // pays what is owed first
	s.use(s.give(150, 0))
	h.do("POST", "/api/v1/wallets/"+s.wallet+"/reconnect", nil, nil)
	s.deliver(5)
	h.midnight() // the rest of the free cash vanishes
	s.refunded(s.refund(map[string]any{"amount_krw": 1_000}), "done")
	last := h.now().In(seoul).Format(time.DateOnly)

	var days struct{ Items []day }
	h.get("/api/v1/wallets/"+s.wallet+"/days?from="+first+"&to="+last, &days)
	if len(days.Items) != 3 || days.Items[0].Day != first || days.Items[2].Day != last || !days.Items[2].SoFar || days.Items[1].SoFar {
		t.Fatalf("days %+v, want three and the last one open", days.Items)
	}
	for i, d := range days.Items {
		if d.after(d.Opening) != d.Closing || i > 0 && d.Opening != days.Items[i-1].Closing {
			t.Errorf("%s goes from %+v by %+v to %+v, want what moved, and to begin where the day before ended", d.Day, d.Opening, d.flow, d.Closing)
		}
	}
	one, two, three := days.Items[0], days.Items[1], days.Items[2]
	if one.Messages != 20 || one.Consumed.Accrual != 300 || two.Charges.Failed != 300 || two.ToppedUp.Owed != 300 || two.Consumed.Free != 75 || three.Expired != 75 || three.Refunds.Returned != 1_000 || three.Refunds.VAT != 100 {
		t.Errorf("days %+v, want 20 messages owed; a charge that failed, paid by a top-up, and 75 of free cash used; 75 vanished and 1000 refunded", days.Items)
	}
	if three.Closing != s.balances() {
		t.Errorf("the days end with %+v, the wallet has %+v", three.Closing, s.balances())
	}

	history := s.history("")
	if history[0].After != s.balances() {
		t.Errorf("after the newest entry the wallet has %+v, now %+v", history[0].After, s.balances())
	}
	counts := map[string]int{}
	for i, entry := range history {
		counts[entry.Kind]++
		if i+1 < len(history) && history[i+1].After.plus(entry.Change) != entry.After {
			t.Errorf("%s %s changes %+v by %+v, and after it there is %+v", entry.Posting, entry.Ref, history[i+1].After, entry.Change, entry.After)
		}
	}
	for kind, n := range map[string]int{"topup": 2, "consumption": 2, "restitution": 0, "refund": 2, "charge": 2, "expiry": 1} {
		if of := s.history(kind); counts[kind] != n || len(of) != n || slices.ContainsFunc(of, func(e entry) bool { return e.Kind != kind }) {
			t.Errorf("the history has %d entries of %s, asked for alone %d; want %d", counts[kind], kind, len(of), n)
		}
	}
	h.balance()
}

// entry is an entry of a history.
type entry struct {
	Kind    string  `json:"kind"`
	Posting string  `json:"posting"`
	Ref     string  `json:"ref"`
	Change  amounts `json:"change"`
	After   amounts `json:"after"`
}

func (b amounts) plus(c amounts) amounts {
	return amounts{Free: b.Free + c.Free, Paid: b.Paid + c.Paid, Refunding: b.Refunding + c.Refunding, Accrual: b.Accrual + c.Accrual, Charging: b.Charging + c.Charging}
}

// history lists what happened to the wallet, all of it or one kind, newest first.
func (s *shop) history(kind string) []entry {
	s.house.t.Helper()
	var list struct{ Items []entry }
	path := "/api/v1/wallets/" + s.wallet + "/history"
	if kind != "" {
		path += "?kind=" + kind
	}
	s.house.get(path, &list)
	return list.Items
}

// The master of one shop sees the statement of his own, and of no other.
func statementOfAnotherShop(t *testing.T) {
	h := open(t, plan{})
	own, foreign := h.openShop(0), h.openShop(0)
	month := h.now().In(seoul).Format("2006-01")
	master := h.as(own.master)
	for _, path := range []string{"/statements/" + month, "/days", "/history"} {
		master.get("/api/v1/wallets/"+own.wallet+path, nil)
		if code := master.refusedAs("GET", "/api/v1/wallets/"+foreign.wallet+path, nil); code != "NOT_FOUND" {
			t.Errorf("GET %s of another's wallet is refused as %s, want NOT_FOUND", path, code)
		}
	}
}
