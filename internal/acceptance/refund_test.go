package acceptance_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/apiclient"
)

func TestRefunds(t *testing.T) {
	show(t, map[string]func(*testing.T){
		"bank_transfer":           topUpByBank,
		"newest_first_by_its_way": refundByTheWayItWasPaid,
		"refused":                 refundRefused,
		"lost_answers":            refundLostAnswers,
	})
}

// bankCheckout is a top-up by bank transfer as the API shows it.
type bankCheckout struct {
	ID       string `json:"id"`
	State    string `json:"state"`
	Reason   string `json:"reason"`
	Total    int64  `json:"total_krw"`
	Transfer struct {
		Bank   string `json:"bank"`
		Number string `json:"number"`
		Holder string `json:"holder"`
	} `json:"transfer"`
	ExpiresAt time.Time `json:"expires_at"`
}

// refund is a refund as the API shows it.
type refund struct {
	ID    string       `json:"id"`
	State string       `json:"state"`
	Total int64        `json:"total_krw"`
	Lines []refundLine `json:"lines"`
}

type refundLine struct {
	TopUp  string `json:"topup"`
	Method string `json:"method"`
	Supply int64  `json:"supply_krw"`
	VAT    int64  `json:"vat_krw"`
	State  string `json:"state"`
}

func (s *shop) topUpByBank(supply int64) (c bankCheckout) {
	s.house.t.Helper()
	s.house.do("POST", "/api/v1/wallets/"+s.wallet+"/topups", map[string]any{"amount_krw": supply, "method": "bank"}, &c, apiclient.IdempotencyKey(rand.Text()))
	return c
}

// checkout waits until a top-up is in a state.
func (h *house) checkout(id, state string) (c bankCheckout) {
	h.t.Helper()
	h.until("checkout "+id+" is "+state, func() (bool, any) {
		h.get("/api/v1/checkouts/"+id, &c)
		return c.State == state, c
	})
	return c
}

// deposit transfers money to a one-time account and says why it went back, if it did.
func (h *house) deposit(c bankCheckout, amount int64) string {
	h.t.Helper()
	var told struct {
		Returned string `json:"returned"`
	}
	h.tell("POST", "/sandbox/bank/"+c.Transfer.Number+"/deposit", map[string]any{"amount": amount}, &told)
	return told.Returned
}

func (s *shop) refund(body map[string]any) (r refund) {
	s.house.t.Helper()
	s.house.do("POST", "/api/v1/wallets/"+s.wallet+"/refunds", body, &r, apiclient.IdempotencyKey(rand.Text()))
	return r
}

// refunded waits until a refund is in a state.
func (s *shop) refunded(r refund, state string) refund {
	s.house.t.Helper()
	s.house.until("refund "+r.ID+" is "+state, func() (bool, any) {
		s.house.get("/api/v1/wallets/"+s.wallet+"/refunds/"+r.ID, &r)
		return r.State == state, r
	})
	return r
}

func (s *shop) refundAccount() {
	s.house.t.Helper()
	s.house.do("PUT", "/api/v1/wallets/"+s.wallet+"/refund-account",
		map[string]any{"bank": "한빛은행", "number": "110-222-345678", "holder": "한빛서점"}, nil)
}

// told is what the lines of a refund say.
func (r refund) told() string {
	var lines []string
	for _, l := range r.Lines {
		lines = append(lines, fmt.Sprintf("%s %d+%d %s", l.Method, l.Supply, l.VAT, l.State))
	}
	return strings.Join(lines, ", ")
}

// refusedAs returns the code with which a call is refused.
func (h *house) refusedAs(method, path string, body any) string {
	h.t.Helper()
	err := h.api.Call(h.t.Context(), method, path, body, nil, apiclient.IdempotencyKey(rand.Text()))
	var p *apiclient.Problem
	if !errors.As(err, &p) {
		h.t.Fatalf("%s %s error = %v, want a refusal", method, path, err)
	}
	return p.Code
}

// A one-time account takes exactly its amount, once, until its deadline.
func topUpByBank(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(0)
	c := s.topUpByBank(100_000)
	if c.State != "ready" || c.Total != 110_000 || c.Transfer.Number == "" || c.Transfer.Holder != "(주)카카오" || c.ExpiresAt.Before(h.now().Add(7*24*time.Hour-time.Hour)) {
		t.Fatalf("top-up by bank = %+v, want 110000 KRW to an account of (주)카카오 within a week", c)
	}
	if why := h.deposit(c, 100_000); why != "amount" {
		t.Errorf("100000 KRW instead of 110000 go back as %q, want amount", why)
	}
	h.advance(2 * time.Minute)
	h.checkout(c.ID, "ready")
	if why := h.deposit(c, 110_000); why != "" {
		t.Errorf("110000 KRW go back as %q, want them kept", why)
	}
	if why := h.deposit(c, 110_000); why != "again" {
		t.Errorf("the second 110000 KRW go back as %q, want again", why)
	}
	h.advance(2 * time.Minute)
	h.checkout(c.ID, "done")
	if b := s.see().Balance; b.Paid != 100_000 {
		t.Errorf("paid cash = %d, want 100000", b.Paid)
	}
	for _, l := range h.mails(s.master, "캐시 충전", 1) {
		h.mentions(l, "110,000원", "무통장입금 모래은행")
	}

	late := s.topUpByBank(5_000)
	h.advance(7*24*time.Hour + time.Minute)
	if why := h.deposit(late, 5_500); why != "late" {
		t.Errorf("a late deposit goes back as %q, want late", why)
	}
	if c := h.checkout(late.ID, "cancelled"); c.Reason != "expired" {
		t.Errorf("checkout after its deadline = %s, want expired", c.Reason)
	}
	if b := h.truth().Bank; b.Returned != 100_000+110_000+5_500 || b.Accounts != 2 {
		t.Errorf("the bank returned %d of %d accounts, want 215500 of 2", b.Returned, b.Accounts)
	}
	h.balance()
}

// The newest top-up goes back first, a card's payment by a cancel, a transfer by a transfer.
func refundByTheWayItWasPaid(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(0)
	s.topUp(10_000)
	h.advance(time.Second)
	c := s.topUpByBank(20_000)
	h.deposit(c, 22_000)
	h.advance(2 * time.Minute)
	h.checkout(c.ID, "done")
	s.refundAccount()
	s.deliver(100) // 1,500 KRW used: of what came in first
	h.until("nothing is held", func() (bool, any) { b := s.see().Balance; return b.Held == 0, b })
	if b := s.see().Balance; b.Refundable != 28_500 {
		t.Errorf("refundable = %d, want 28500", b.Refundable)
	}
	var quoted refund
	h.do("POST", "/api/v1/wallets/"+s.wallet+"/refunds/quote", map[string]any{"amount_krw": 21_005}, &quoted)
	if got := quoted.told(); got != "bank 20000+2000 open, card 1005+101 open" {
		t.Errorf("quote = %s, want the transfer, then a part of the card's payment", got)
	}
	r := s.refunded(s.refund(map[string]any{"amount_krw": 21_005}), "done")
	if got := r.told(); got != "bank 20000+2000 done, card 1005+101 done" {
		t.Errorf("refund = %s, want what was quoted, done", got)
	}
	if b := s.see().Balance; b.Paid != 7_495 || b.Refunding != 0 {
		t.Errorf("after the refund the wallet has %d, %d on their way, want 7495, 0", b.Paid, b.Refunding)
	}
	if b := h.truth(); b.Bank.Sent != 22_000 || b.KakaoPay.Cancelled != 1_106 {
		t.Errorf("the bank sent %d, the gateway gave %d back, want 22000, 1106", b.Bank.Sent, b.KakaoPay.Cancelled)
	}
	rest := s.refunded(s.refund(map[string]any{}), "done")
	if got := rest.told(); got != "card 7495+749 done" {
		t.Errorf("the rest = %s, want card 7495+749: with the first 101, the VAT of 8500", got)
	}
	h.balance()
}

// Money that is owed or held, or going back already, is not refunded; nor to somebody else.
func refundRefused(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(1)
	path := "/api/v1/wallets/" + s.wallet
	if code := h.refusedAs("POST", path+"/refunds", map[string]any{}); code != "NOTHING_TO_REFUND" {
		t.Errorf("refund of an empty wallet is refused as %s, want NOTHING_TO_REFUND", code)
	}
	s.topUp(1_500)
	if code := h.refusedAs("POST", path+"/refunds", map[string]any{"amount_krw": 1_501}); code != "REFUND_TOO_MUCH" {
		t.Errorf("refund of one won more is refused as %s, want REFUND_TOO_MUCH", code)
	}
	h.tell("PUT", "/sandbox/results", map[string]any{"delay_seconds": 3600}, nil)
	b := s.order(s.friends(10)...)
	h.until("money is held", func() (bool, any) { b := s.see().Balance; return b.Held == 150, b })
	if code := h.refusedAs("POST", path+"/refunds", map[string]any{"amount_krw": 100}); code != "REFUND_WHILE_HELD" {
		t.Errorf("refund beside a hold is refused as %s, want REFUND_WHILE_HELD", code)
	}
	h.tell("PUT", "/sandbox/results", map[string]any{"delay_seconds": 0}, nil)
	h.advance(time.Hour + time.Minute)
	s.finish(b)
	s.deliver(100) // 1,350 KRW of cash, the rest on the card
	if code := h.refusedAs("POST", path+"/refunds", map[string]any{}); code != "REFUND_WHILE_OWING" {
		t.Errorf("refund while it owes is refused as %s, want REFUND_WHILE_OWING", code)
	}
	account := map[string]any{"bank": "한빛은행", "number": "110222345678", "holder": "박노을"}
	if code := h.refusedAs("PUT", path+"/refund-account", account); code != "REFUND_ACCOUNT_HOLDER" {
		t.Errorf("a refund account of somebody else is refused as %s, want REFUND_ACCOUNT_HOLDER", code)
	}
	var mine struct {
		ID string `json:"id"`
	}
	h.do("POST", "/api/v1/wallets", map[string]any{"name": "개인", "kind": "personal", "master": s.master.id}, &mine)
	if code := h.refusedAs("POST", "/api/v1/wallets/"+mine.ID+"/topups", map[string]any{"amount_krw": 1_000, "method": "bank"}); code != "BUSINESS_WALLET_ONLY" {
		t.Errorf("a transfer for a personal wallet is refused as %s, want BUSINESS_WALLET_ONLY", code)
	}
}

// The answers of both cancels and transfers get lost; money goes back once.
func refundLostAnswers(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(0)
	h.fault("bank.issue", "cut_after", nil)
	c := s.topUpByBank(20_000)
	h.advance(10 * time.Second)
	h.until("the account is there", func() (bool, any) {
		h.get("/api/v1/checkouts/"+c.ID, &c)
		return c.Transfer.Number != "", c
	})
	h.deposit(c, 22_000)
	h.advance(2 * time.Minute)
	h.checkout(c.ID, "done")
	s.topUp(10_000)
	s.refundAccount()
	h.fault("bank.transfer", "cut_after", nil)
	h.fault("kakaopay.cancel", "error_after", nil)
	r := s.refund(map[string]any{"amount_krw": 25_000})
	h.until("both are in doubt", func() (bool, any) {
		f := h.faultHits()
		return f["bank.transfer"] == 1 && f["kakaopay.cancel"] == 1, f
	})
	h.until("refund "+r.ID+" is done", func() (bool, any) {
		h.advance(10 * time.Second) // look-ups fall due
		h.get("/api/v1/wallets/"+s.wallet+"/refunds/"+r.ID, &r)
		return r.State == "done", r
	})
	if b := h.truth(); b.Bank.Sent != 16_500 || b.KakaoPay.Cancelled != 11_000 || b.Bank.Accounts != 1 {
		t.Errorf("%d accounts, the bank sent %d, the gateway gave %d back, want 1, 16500, 11000", b.Bank.Accounts, b.Bank.Sent, b.KakaoPay.Cancelled)
	}
	h.balance()
}

// faultHits tells how often faults hit, by target.
func (h *house) faultHits() map[string]int {
	h.t.Helper()
	var told struct {
		Faults map[string]int `json:"faults"`
	}
	h.ask("/sandbox/truth", &told)
	return told.Faults
}

// A refund is told once it is done, to everybody who hears of the wallet, with how it went back.
func refundMail(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(0)
	worker := h.account("worker")
	s.member(worker, "worker")
	s.topUp(100_000)
	s.refunded(s.refund(map[string]any{"amount_krw": 30_000}), "done")
	for _, to := range []account{s.master, worker} {
		for _, l := range h.mails(to, "환불 완료", 1) {
			h.mentions(l, "33,000원", "30,000원", "3,000원", "70,000원", "카카오페이 결제 취소")
		}
	}
	s.mailed()
	h.mails(s.master, "환불 완료", 1)
	h.balance()
}
