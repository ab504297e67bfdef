package acceptance_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/apiclient"
)

func TestInvoice(t *testing.T) {
	show(t, map[string]func(*testing.T){
		"30_business_number":   invoiceNumber,
		"31_month":             invoiceMonth,
		"32_amount_used":       invoiceAmount,
		"33_once_a_month":      invoiceOnce,
		"33_a_year":            invoiceYear,
		"34_address":           invoiceAddress,
		"35_business_days":     invoiceDays,
		"35_refused_and_again": invoiceRefused,
		"35_carrier_down":      invoiceCarrierDown,
	})
}

// inDecember is when the houses of invoices open: their days are those of a real calendar.
var inDecember = time.Date(2026, 12, 9, 10, 0, 0, 0, seoul)

// taxInvoice is an invoice as the API shows it.
type taxInvoice struct {
	ID, Month, State string
	Revision         int
	Amends           string
	Supply           int64     `json:"supply_krw"`
	VAT              int64     `json:"vat_krw"`
	Total            int64     `json:"total_krw"`
	Free             int64     `json:"free_krw"`
	Messages         int64     `json:"messages"`
	NextAt           time.Time `json:"next_at"`
	Deadline         time.Time `json:"deadline"`
	IssuedAt         time.Time `json:"issued_at"`
	Code, Failure    string
	ApprovalNumber   string       `json:"approval_number"`
	WrittenOn        string       `json:"written_on"`
	Recipient        invoiceParty `json:"recipient"`
	Supplier         invoiceParty `json:"supplier"`
}

type invoiceParty struct{ Number, Name, Representative, Address, Type, Item, Email string }

// handed is an invoice as the carrier of the sandbox has it.
type handed struct {
	OrderID        string       `json:"order_id"`
	State          string       `json:"state"`
	WrittenOn      string       `json:"written_on"`
	Supply         int64        `json:"supply_krw"`
	Total          int64        `json:"total_krw"`
	Recipient      invoiceParty `json:"recipient"`
	ApprovalNumber string       `json:"approval_number"`
	AmendedBy      string       `json:"amended_by"`
}

func (h *house) carrier(number string) []handed {
	h.t.Helper()
	var list struct{ Items []handed }
	h.ask("/sandbox/tax/invoices?number="+number, &list)
	return list.Items
}

func (s *shop) invoices() []taxInvoice {
	s.house.t.Helper()
	var list struct{ Items []taxInvoice }
	s.house.get("/api/v1/wallets/"+s.wallet+"/invoices", &list)
	return list.Items
}

// invoiced waits until the newest invoice of the wallet is in a state.
func (s *shop) invoiced(state string) (i taxInvoice) {
	s.house.t.Helper()
	s.house.until("the newest invoice is "+state, func() (bool, any) {
		all := s.invoices()
		if len(all) == 0 {
			return false, all
		}
		i = all[0]
		return i.State == state, i
	})
	return i
}

// at moves the clock to a moment in Korea.
func (h *house) at(year int, month time.Month, day, hour, minute int) {
	h.t.Helper()
	h.tell("PUT", "/sandbox/clock", map[string]any{"now": time.Date(year, month, day, hour, minute, 0, 0, seoul)}, nil)
}

// businesses are numbers whose check digit is right.
var businesses = []string{"2208162517", "1248100998", "1018176291"}

// openBusiness makes a shop with paid cash and business data of its own.
func (h *house) openBusiness(number, email string, cash int64) *shop {
	h.t.Helper()
	s := h.openShop(0)
	h.do("PATCH", "/api/v1/wallets/"+s.wallet, map[string]any{
		"business_number": number, "invoice_email": email, "company": "한빛서점 주식회사", "address": "경기도 수원시 팔달구 정조로 825",
		"business_type": "도소매업", "business_item": "서적",
	}, nil)
	h.do("PUT", "/api/v1/wallets/"+s.wallet+"/representative", map[string]any{"name": "김하늘"}, nil)
	if cash > 0 {
		s.topUp(cash)
	}
	return s
}

// A wallet is opened under a number whose check digit is right, and its invoice is on that number.
func invoiceNumber(t *testing.T) {
	h := open(t, plan{at: inDecember})
	owner := h.account("owner")
	for _, wrong := range []string{"220-81-62518", "220-81-6251", "abc"} {
		err := h.api.Call(t.Context(), "POST", "/api/v1/wallets", map[string]any{
			"name": "한빛서점", "kind": "business", "business_number": wrong, "invoice_email": "tax@hanbit.example", "master": owner.id}, nil)
		refuses(t, err, http.StatusUnprocessableEntity, "business_number")
	}
	h.at(2026, 12, 10, 10, 0)
	s := h.openBusiness(businesses[0], "tax@hanbit.example", 5_000)
	s.deliver(100)
	h.at(2027, 1, 5, 10, 1)
	i := s.invoiced("issued")
	want := invoiceParty{Number: businesses[0], Name: "한빛서점 주식회사", Representative: "김하늘", Address: "경기도 수원시 팔달구 정조로 825", Type: "도소매업", Item: "서적", Email: "tax@hanbit.example"}
	if i.Recipient != want {
		t.Errorf("the invoice is to %+v, want %+v", i.Recipient, want)
	}
	if sent := h.carrier(businesses[0]); len(sent) != 1 || sent[0].Recipient != want || sent[0].ApprovalNumber != i.ApprovalNumber || i.ApprovalNumber == "" {
		t.Errorf("the carrier has %+v, want one to %+v under %s", sent, want, i.ApprovalNumber)
	}
	h.balance()
}

// What was captured before midnight of the 1st in Korea is in the invoice of one month, what after it in
// that of the next.
func invoiceMonth(t *testing.T) {
	h := open(t, plan{at: inDecember})
	h.at(2026, 12, 31, 23, 50)
	s := h.openBusiness(businesses[0], "tax@hanbit.example", 50_000)
	s.deliver(100)
	h.at(2027, 1, 1, 0, 0)
	s.deliver(30)
	h.at(2027, 1, 5, 10, 1)
	s.invoiced("issued")
	h.at(2027, 2, 2, 10, 1)
	s.invoiced("issued")
	all := s.invoices()
	if len(all) != 2 {
		t.Fatalf("%d invoices, want 2: %+v", len(all), all)
	}
	december, january := all[1], all[0]
	if december.Month != "2026-12" || december.Supply != 1_500 || december.WrittenOn != "2026-12-31" || december.Messages != 100 {
		t.Errorf("the invoice of December is %+v, want 1,500 KRW for 100 messages of 2026-12", december)
	}
	if january.Month != "2027-01" || january.Supply != 450 || january.WrittenOn != "2027-01-31" {
		t.Errorf("the invoice of January is %+v, want 450 KRW of 2027-01", january)
	}
	h.balance()
}

// An invoice tells of what was used without free cash, not of what was topped up; its VAT is rounded
// once. A month in which only free cash was used has none.
func invoiceAmount(t *testing.T) {
	h := open(t, plan{at: inDecember})
	h.at(2026, 12, 10, 10, 0)
	s, free := h.openBusiness(businesses[0], "tax@hanbit.example", 100_000), h.openBusiness(businesses[1], "free@hanbit.example", 0)
	s.use(s.give(500, 30))
	free.use(free.give(5_000, 30))
	s.deliver(101) // 1,515 KRW, 500 of them free
	free.deliver(50)
	var statement struct {
		Invoice struct {
			Supply int64 `json:"supply_krw"`
			Total  int64 `json:"total_krw"`
		}
	}
	h.at(2027, 1, 5, 10, 1)
	i := s.invoiced("issued")
	if i.Supply != 1_015 || i.VAT != 102 || i.Total != 1_117 || i.Free != 500 || i.Messages != 101 {
		t.Errorf("the invoice is %+v, want 1,015 + 102 = 1,117 KRW beside 500 of free cash for 101 messages", i)
	}
	h.get("/api/v1/wallets/"+s.wallet+"/statements/2026-12", &statement)
	if statement.Invoice.Supply != i.Supply || statement.Invoice.Total != i.Total {
		t.Errorf("the statement says %+v, the invoice %+v; want the same", statement.Invoice, i)
	}
	if none := free.invoices(); len(none) != 0 {
		t.Errorf("invoices on free cash = %+v, want none", none)
	}
	h.balance()
}

// Two schedulers and their workers close a month once and issue one invoice for each wallet.
func invoiceOnce(t *testing.T) {
	if !realParts {
		t.Skip("two processes share a database and a queue: real parts only")
	}
	h := open(t, plan{twice: true, at: inDecember})
	h.at(2026, 12, 10, 10, 0)
	var shops []*shop
	for n := range 6 {
		s := h.openBusiness(businesses[0], fmt.Sprintf("tax-%d@hanbit.example", n), 5_000)
		s.deliver(10 * (n + 1))
		shops = append(shops, s)
	}
	h.at(2027, 1, 5, 10, 0)
	for n, s := range shops {
		if i := s.invoiced("issued"); i.Supply != int64(150*(n+1)) || len(s.invoices()) != 1 {
			t.Errorf("wallet %d has %d invoices, the newest over %d KRW; want one over %d", n, len(s.invoices()), i.Supply, 150*(n+1))
		}
		s.posted()
		h.mails(account{email: fmt.Sprintf("tax-%d@hanbit.example", n)}, "세금계산서 발행", 1)
	}
	if sent := h.carrier(businesses[0]); len(sent) != len(shops) {
		t.Errorf("the carrier has %d invoices, want %d", len(sent), len(shops))
	}
	h.balance()
}

// A year of a wallet with cash and one with a card: each month has its invoice on the second business
// day, over what was used, and everybody gets the mails that belong to it, none twice.
func invoiceYear(t *testing.T) {
	h := open(t, plan{at: inDecember})
	h.at(2027, 1, 4, 9, 30)
	s, carded := h.openBusiness(businesses[0], "tax@hanbit.example", 500_000), h.openShop(1)
	h.do("PATCH", "/api/v1/wallets/"+carded.wallet, map[string]any{"business_number": businesses[1], "invoice_email": "cards@hanbit.example"}, nil)
	// By hand, from the calendar of Korea: the second business day of the month after. In 2027 Monday, the
	// 3rd of May, stands in for Labour Day, and the 5th is Childrens' Day.
	issuedOn := []string{"2027-02-02", "2027-03-03", "2027-04-02", "2027-05-06", "2027-06-02", "2027-07-02", "2027-08-03", "2027-09-02", "2027-10-05",
		"2027-11-02", "2027-12-02", "2028-01-04"}
	var used int64
	for n, day := range issuedOn {
		people := 7 + 13*n
		s.deliver(people)
		carded.deliver(people + 1)
		used += int64(15 * people)
		issued, err := time.ParseInLocation(time.DateOnly, day, seoul)
		if err != nil {
			t.Fatal(err)
		}
		h.tell("PUT", "/sandbox/clock", map[string]any{"now": issued.Add(9*time.Hour + 59*time.Minute)}, nil)
		if i := s.invoices()[0]; i.State != "waiting" {
			t.Errorf("at 09:59 of %s the invoice is %+v, want it waiting", day, i)
		}
		h.tell("PUT", "/sandbox/clock", map[string]any{"now": issued.Add(10 * time.Hour)}, nil)
		if i := s.invoiced("issued"); i.Supply != int64(15*people) || i.IssuedAt.In(seoul).Format(time.DateOnly) != day {
			t.Errorf("month %d is invoiced over %d KRW at %s, want %d on %s", n+1, i.Supply, i.IssuedAt, 15*people, day)
		}
		if i := carded.invoiced("issued"); i.Supply != int64(15*(people+1)) {
			t.Errorf("month %d of the card is invoiced over %d KRW, want %d", n+1, i.Supply, 15*(people+1))
		}
		s.posted()
		carded.posted()
	}
	all := s.invoices()
	var told int64
	for _, i := range all {
		told += i.Supply
	}
	if len(all) != 12 || told != used {
		t.Errorf("%d invoices over %d KRW, want 12 over %d", len(all), told, used)
	}
	if sent := h.carrier(businesses[0]); len(sent) != 12 {
		t.Errorf("the carrier has %d invoices, want 12", len(sent))
	}
	for _, want := range []struct {
		to       account
		subjects map[string]int
	}{
		{s.master, map[string]int{"캐시 충전": 1, "세금계산서 발행": 12, "": 13 + 2}}, // and two channels that were connected
		{account{email: "tax@hanbit.example"}, map[string]int{"": 12}},
		{carded.master, map[string]int{"자동결제 완료": 12, "세금계산서 발행": 12, "": 24 + 2}},
		{account{email: "cards@hanbit.example"}, map[string]int{"": 12}},
	} {
		for subject, times := range want.subjects {
			h.mails(want.to, subject, times)
		}
	}
	h.balance()
}

// The invoice arrives at an address of its own with the document attached, under an address that was
// changed within the month.
func invoiceAddress(t *testing.T) {
	h := open(t, plan{at: inDecember})
	h.at(2026, 12, 10, 10, 0)
	s := h.openBusiness(businesses[0], "old@hanbit.example", 5_000)
	s.deliver(100)
	books := account{email: "books@hanbit.example"}
	h.do("PATCH", "/api/v1/wallets/"+s.wallet, map[string]any{"invoice_email": books.email}, nil)
	h.at(2027, 1, 5, 10, 1)
	i := s.invoiced("issued")
	letters := h.mails(books, "세금계산서 발행", 1)
	h.mails(account{email: "old@hanbit.example"}, "세금계산서", 0)
	if len(letters) == 1 {
		h.mentions(letters[0], "1,650원", "한빛서점 주식회사", books.email)
	}
	document := h.attached(books, "세금계산서 발행", "세금계산서-2026-12.pdf")
	if want := h.document("/api/v1/wallets/" + s.wallet + "/invoices/" + i.ID + "/document"); document != len(want) || !bytes.HasPrefix(want, []byte("%PDF-")) {
		t.Errorf("the attached document has %d bytes; the API's has %d and begins %.8q", document, len(want), want)
	}
	if page := h.document("/api/v1/wallets/" + s.wallet + "/invoices/" + i.ID + "/document?format=html"); !bytes.Contains(page, []byte("220-81-62517")) {
		t.Errorf("the page of the invoice does not show its number: %.300s", page)
	}
	again := func() {
		h.do("POST", "/api/v1/wallets/"+s.wallet+"/invoices/"+i.ID+"/send", nil, nil, apiclient.IdempotencyKey(rand.Text()))
		s.posted()
	}
	again()
	again()
	h.mails(books, "세금계산서 발행", 3)
	h.mails(s.master, "세금계산서 발행", 1)
	h.balance()
}

// December 2026 is issued on the second business day of January 2027 and not before: the 1st is a
// holiday and a Friday, so that is Tuesday, the 5th.
func invoiceDays(t *testing.T) {
	h := open(t, plan{at: inDecember})
	h.at(2026, 12, 10, 10, 0)
	s := h.openBusiness(businesses[0], "tax@hanbit.example", 5_000)
	s.deliver(100)
	h.at(2027, 1, 1, 0, 9)
	if early := s.invoices(); len(early) != 0 {
		t.Errorf("before 00:10 of the 1st there is %+v, want nothing", early)
	}
	h.at(2027, 1, 1, 0, 10)
	i := s.invoiced("waiting")
	if want := time.Date(2027, 1, 5, 10, 0, 0, 0, seoul); !i.NextAt.Equal(want) {
		t.Errorf("it is issued at %s, want %s", i.NextAt, want)
	}
	if want := time.Date(2027, 1, 12, 0, 0, 0, 0, seoul); !i.Deadline.Equal(want) {
		t.Errorf("it is late from %s on, want %s: the 10th is a Sunday", i.Deadline, want)
	}
	h.at(2027, 1, 5, 9, 59)
	if sent := h.carrier(businesses[0]); len(sent) != 0 {
		t.Errorf("before 10:00 of the 5th the carrier has %+v, want nothing", sent)
	}
	h.at(2027, 1, 5, 10, 0)
	s.invoiced("issued")
	h.balance()
}

// An invoice to a business that was closed is handed over once more on the third business day; then its
// people are told, and it waits for them. Under another number it is issued.
func invoiceRefused(t *testing.T) {
	h := open(t, plan{at: inDecember})
	h.at(2026, 12, 10, 10, 0)
	s := h.openBusiness(businesses[0], "tax@hanbit.example", 5_000)
	s.deliver(100)
	h.tell("PUT", "/sandbox/tax/businesses/"+businesses[0], map[string]any{"state": "closed"}, nil)
	h.at(2027, 1, 5, 10, 0)
	h.until("it is refused once", func() (bool, any) { sent := h.carrier(businesses[0]); return len(sent) == 1, sent })
	i := s.invoiced("waiting")
	h.mails(s.master, "발행 실패", 0)
	h.at(2027, 1, 6, 10, 0)
	i = s.invoiced("failed")
	if i.Code != "CLOSED_BUSINESS" || i.Failure == "" {
		t.Errorf("the invoice failed for %q %q, want CLOSED_BUSINESS with words", i.Code, i.Failure)
	}
	for _, to := range []account{s.master, {email: "tax@hanbit.example"}} {
		if letters := h.mails(to, "발행 실패", 1); len(letters) == 1 {
			h.mentions(letters[0], "폐업", "2027년 1월 11일")
		}
	}
	var unissued struct{ Items []taxInvoice }
	if h.get("/api/v1/invoices", &unissued); len(unissued.Items) != 1 || unissued.Items[0].ID != i.ID {
		t.Errorf("invoices that are not issued = %+v, want %s", unissued.Items, i.ID)
	}
	h.until("operators see that it failed", func() (bool, any) {
		n := h.metric("malgil_invoices", `state="failed"`)
		return n == 1, n
	})
	if left, want := h.metric("malgil_invoice_deadline_seconds"), float64(5*24+14)*3600; left > want || left < want-3600 {
		t.Errorf("malgil_invoice_deadline_seconds = %v, want up to %v: it is 10:00 of the 6th, and late from the 12th on", left, want)
	}
	s.posted()

	reissue := func() error {
		return h.api.Call(t.Context(), "POST", "/api/v1/wallets/"+s.wallet+"/invoices/"+i.ID+"/reissue", nil, nil, apiclient.IdempotencyKey(rand.Text()))
	}
	if err := reissue(); err != nil {
		t.Fatalf("reissue: %v", err)
	}
	s.invoiced("failed") // it is still closed, and told of at once
	h.mails(s.master, "발행 실패", 2)
	h.do("PATCH", "/api/v1/wallets/"+s.wallet, map[string]any{"business_number": businesses[1]}, nil)
	if err := reissue(); err != nil {
		t.Fatalf("reissue: %v", err)
	}
	i = s.invoiced("issued")
	if i.Recipient.Number != businesses[1] || i.Revision != 1 {
		t.Errorf("the invoice is of %s in revision %d, want of %s in 1", i.Recipient.Number, i.Revision, businesses[1])
	}
	refuses(t, reissue(), http.StatusConflict, "amend it instead")

	amend := func(reason string) (to taxInvoice, err error) {
		err = h.api.Call(t.Context(), "POST", "/api/v1/wallets/"+s.wallet+"/invoices/"+i.ID+"/amend", map[string]any{"reason": reason}, &to, apiclient.IdempotencyKey(rand.Text()))
		return to, err
	}
	_, err := amend("상호 정정")
	refuses(t, err, http.StatusUnprocessableEntity, "nothing that stands on the invoice has changed")
	h.do("PATCH", "/api/v1/wallets/"+s.wallet, map[string]any{"business_number": businesses[2], "company": "한빛책방"}, nil)
	amended, err := amend("사업자등록번호 정정")
	if err != nil {
		t.Fatalf("amend: %v", err)
	}
	now := s.invoiced("issued")
	if now.ID != amended.ID || now.Revision != 2 || now.Amends != i.ID || now.Total != i.Total || now.Recipient.Name != "한빛책방" {
		t.Errorf("the amended invoice is %+v, want revision 2 of %s over %d to 한빛책방", now, i.ID, i.Total)
	}
	if old := h.carrier(businesses[1]); len(old) != 1 || old[0].AmendedBy != now.ApprovalNumber {
		t.Errorf("the carrier has %+v, want one amended by %s", old, now.ApprovalNumber)
	}
	_, err = amend("또 정정")
	refuses(t, err, http.StatusConflict, "a later revision")
	if letters := h.mails(s.master, "수정세금계산서 발행", 1); len(letters) == 1 {
		h.mentions(letters[0], "사업자등록번호 정정", "101-81-76291")
	}
	h.balance()
}

// A carrier that is down delays an invoice; its answer that is lost never makes two.
func invoiceCarrierDown(t *testing.T) {
	h := open(t, plan{at: inDecember})
	h.at(2026, 12, 10, 10, 0)
	s := h.openBusiness(businesses[0], "tax@hanbit.example", 5_000)
	s.deliver(100)
	h.fault("tax.issue", "throttle", map[string]any{"count": 1})
	h.fault("tax.issue", "cut_after", map[string]any{"count": 1})
	h.fault("tax.lookup", "garbage", map[string]any{"count": 1})
	h.at(2027, 1, 5, 10, 0)
	var i taxInvoice
	h.until("the invoice is issued, as minutes go by", func() (bool, any) { // a worker comes to each try in its own time
		if i = s.invoices()[0]; i.State != "issued" {
			h.advance(time.Minute)
		}
		return i.State == "issued", i
	})
	if sent := h.carrier(businesses[0]); len(sent) != 1 || sent[0].ApprovalNumber != i.ApprovalNumber {
		t.Errorf("the carrier has %+v, want one invoice, %s", sent, i.ApprovalNumber)
	}
	s.posted()
	h.mails(s.master, "세금계산서 발행", 1)
	h.balance()
}

// Who works on the wallet and its bookkeeper hear of the invoice once each.
func invoiceMails(t *testing.T) {
	h := open(t, plan{at: inDecember})
	h.at(2026, 12, 10, 10, 0)
	s, closed := h.openBusiness(businesses[0], "tax@hanbit.example", 5_000), h.openBusiness(businesses[1], "closed@hanbit.example", 5_000)
	worker, plain := h.account("worker"), h.account("plain")
	s.member(worker, "worker")
	s.member(plain, "viewer")
	s.deliver(100)
	closed.deliver(100)
	h.tell("PUT", "/sandbox/tax/businesses/"+businesses[1], map[string]any{"state": "suspended"}, nil)
	h.at(2027, 1, 12, 10, 0)
	s.invoiced("issued")
	closed.invoiced("failed")
	s.posted()
	closed.posted()
	for _, to := range []account{s.master, worker, {email: "tax@hanbit.example"}} {
		h.mails(to, "세금계산서 발행", 1)
	}
	for _, to := range []account{closed.master, {email: "closed@hanbit.example"}} {
		h.mails(to, "세금계산서 발행 실패", 1)
	}
	h.mails(plain, "세금계산서", 0)
	h.balance()
}

// document downloads a file.
func (h *house) document(path string) []byte {
	h.t.Helper()
	request, err := http.NewRequestWithContext(h.t.Context(), "GET", h.url+path, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+h.token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		h.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		h.t.Fatalf("GET %s: %s %v %.200s", path, response.Status, err, body)
	}
	return body
}

// attached returns how many bytes a file has that the first letter to somebody about a subject carries.
func (h *house) attached(to account, subject, name string) int {
	h.t.Helper()
	var inbox struct {
		Items []struct {
			Attachments []struct {
				Name, Type string
				Bytes      int
			}
		}
	}
	h.ask(fmt.Sprintf("/sandbox/mails?to=%s&subject=%s&count=1&wait_seconds=20", url.QueryEscape(to.email), url.QueryEscape(subject)), &inbox)
	for _, l := range inbox.Items {
		for _, a := range l.Attachments {
			if a.Name == name && a.Type == "application/pdf" {
				return a.Bytes
			}
		}
	}
	h.t.Fatalf("no letter about %q to %s carries %s: %+v", subject, to.email, name, inbox.Items)
	return 0
}

// refuses fails the test unless a call was refused with a status and a code or words.
func refuses(t *testing.T, err error, status int, says string) {
	t.Helper()
	var p *apiclient.Problem
	if !errors.As(err, &p) || p.Status != status || !strings.Contains(p.Code+" "+err.Error(), says) {
		t.Errorf("the call answers %v, want a %d that says %q", err, status, says)
	}
}
