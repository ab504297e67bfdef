package store

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/wallet"
)

// topUpBy tops a wallet up by card or bank and returns the checkout.
func (m *market) topUpBy(method billing.Method, walletID string, supply wallet.KRW) billing.Checkout {
	m.t.Helper()
	m.pass(time.Second) // which is the newest is told by time
	if method == billing.ByBank {
		c := m.transfer(walletID, supply, fmt.Sprint("bank ", m.clock().UnixMilli()))
		m.deposit(c, supply+wallet.VAT(supply))
		m.pass(2 * time.Minute)
		m.run()
		return m.paid(c)
	}
	c, err := m.StartTopUp(m.t.Context(), billing.TopUpOrder{AccountID: "acc_" + walletID, WalletID: walletID, Supply: supply})
	if err != nil {
		m.t.Fatal(err)
	}
	m.pay(c, "saebyeok")
	return m.paid(c)
}

func (m *market) paid(c billing.Checkout) billing.Checkout {
	m.t.Helper()
	if c = m.checkout(c); c.State != billing.CheckoutDone {
		m.t.Fatalf("top-up %s = %s %s, want done", c.ID, c.State, c.Reason)
	}
	return c
}

// refundAccount sets the refund account of a wallet of 한빛서점.
func (m *market) refundAccount(walletID string) {
	m.t.Helper()
	if _, err := m.SetRefundAccount(m.t.Context(), walletID, billing.OneTimeAccount{Bank: "한빛은행", Number: "110-222-345678", Holder: "한빛서점"}); err != nil {
		m.t.Fatal(err)
	}
}

func (m *market) refund(walletID string, supply wallet.KRW, key string) (billing.Refund, error) {
	refund, next, err := m.OpenRefund(m.t.Context(), billing.RefundOrder{WalletID: walletID, Supply: supply,
		Request: billing.Request{Scope: "tok", Key: key, BodyHash: []byte(fmt.Sprint(supply))}})
	if err == nil {
		for _, f := range next {
			m.attempt(f.Row)
		}
	}
	return refund, err
}

// refunded waits for the end of a refund: as often as needed, time passes.
func (m *market) refunded(r billing.Refund) billing.Refund {
	m.t.Helper()
	pause := 30 * time.Second
	for range 40 {
		r, err := m.Refund(m.t.Context(), r.WalletID, r.ID)
		if err != nil {
			m.t.Fatal(err)
		}
		if r.State != billing.RefundOpen {
			return r
		}
		m.pass(pause)
		m.run()
		pause = min(2*pause, time.Hour)
	}
	m.t.Fatalf("refund %s does not end: attempts %q", r.ID, m.attempts(r.WalletID))
	return r
}

func lines(r billing.Refund) []string {
	all := make([]string, len(r.Lines))
	for i, l := range r.Lines {
		all[i] = strings.TrimSpace(fmt.Sprintf("%s %d+%d %s %s", l.Method, l.Supply, l.VAT, l.State, l.Reason))
	}
	return all
}

// The newest top-up goes back first, each by the way it was paid, VAT and all; what is aside
// cannot be spent meanwhile; one mail tells of it.
func TestRefund(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		m := newMarket(t, s)
		owing(t, s, "w", 0)
		m.topUpBy(billing.ByCard, "w", 10_000)
		m.topUpBy(billing.ByBank, "w", 20_000)
		m.topUpBy(billing.ByCard, "w", 5_000)
		if _, err := m.refund("w", 8_000, "no account"); fault.CodeOf(err) != "REFUND_ACCOUNT_MISSING" {
			t.Errorf("OpenRefund() without a refund account error = %v, want REFUND_ACCOUNT_MISSING", err)
		}
		m.refundAccount("w")
		planned, err := m.QuoteRefund(t.Context(), "w", 26_005)
		if err != nil {
			t.Fatal(err)
		}
		want(t, "planned lines", lines(planned), "card 5000+500 open", "bank 20000+2000 open", "card 1005+101 open")
		if got := wantWallet(t, s, "w"); got.Paid != 35_000 {
			t.Fatalf("a quote took %d aside", 35_000-got.Paid)
		}
		opened, next, err := m.OpenRefund(t.Context(), billing.RefundOrder{WalletID: "w", Supply: 26_005,
			Request: billing.Request{Scope: "tok", Key: "k", BodyHash: []byte("x")}})
		if err != nil || len(next) != 3 {
			t.Fatalf("OpenRefund() = %d attempts, %v, want 3", len(next), err)
		}
		if got := wantWallet(t, s, "w"); got.Paid != 8_995 || got.Refunding != 26_005 || got.Spendable(m.clock()) != 8_995 {
			t.Errorf("wallet = %d paid, %d refunding, %d spendable, want 8995, 26005, 8995", got.Paid, got.Refunding, got.Spendable(m.clock()))
		}
		if _, err := m.refund("w", 10, "another"); fault.CodeOf(err) != "REFUND_OPEN" {
			t.Errorf("OpenRefund() beside another error = %v, want REFUND_OPEN", err)
		}
		for _, f := range next {
			m.attempt(f.Row)
			again, err := m.RunAttempt(t.Context(), f.Row.ID, f.Row.Epoch)
			if err != nil || again.Outcome != billing.Skipped {
				t.Errorf("RunAttempt() again = %s, %v, want skipped", again.Outcome, err)
			}
		}
		refund := m.refunded(opened)
		want(t, "lines", lines(refund), "card 5000+500 done", "bank 20000+2000 done", "card 1005+101 done")
		if refund.State != billing.RefundDone || refund.Supply != 26_005 || refund.VAT != 2_601 || refund.To.Number != "********5678" {
			t.Errorf("refund = %s %d+%d to %s, want done 26005+2601 to ********5678", refund.State, refund.Supply, refund.VAT, refund.To.Number)
		}
		again, _, err := m.OpenRefund(t.Context(), billing.RefundOrder{WalletID: "w", Supply: 26_005,
			Request: billing.Request{Scope: "tok", Key: "k", BodyHash: []byte("x")}})
		if err != nil || again.ID != refund.ID {
			t.Errorf("OpenRefund() repeated = %s, %v, want %s", again.ID, err, refund.ID)
		}
		truth := m.sand.Truth()
		if truth.KakaoPay.CancelledKRW != 5_500+1_106 || truth.Bank.SentKRW != 22_000 || truth.Bank.Transfers != 1 {
			t.Errorf("gateway gave %d back, bank sent %d, want 6606 and 22000", truth.KakaoPay.CancelledKRW, truth.Bank.SentKRW)
		}
		want(t, "mails about the refund", texts(t, s, `SELECT receiver FROM mail WHERE mail_case = 'refund_done'`), "acc_w@hanbit.example")
		m.agrees("w")

		rest, err := m.refund("w", 0, "the rest") // everything that is left, of a payment that went back in part
		if err != nil {
			t.Fatal(err)
		}
		want(t, "lines of the rest", lines(m.refunded(rest)), "card 8995+899 done")
		if got := m.sand.Truth(); got.KakaoPay.PaidKRW != got.KakaoPay.CancelledKRW || got.Bank.PaidKRW != got.Bank.SentKRW {
			t.Errorf("all went back: %+v and %+v, want as much out as in", got.KakaoPay, got.Bank)
		}
		books, err := s.Books(t.Context(), "w")
		if err != nil || books.VAT+books.Rounding != 0 || books.Clearing != 0 {
			t.Errorf("books = VAT %d, rounding %d, clearing %d, %v, want them to end at 0", books.VAT, books.Rounding, books.Clearing, err)
		}
		if _, err := m.refund("w", 0, "nothing left"); fault.CodeOf(err) != "NOTHING_TO_REFUND" {
			t.Errorf("OpenRefund() of nothing error = %v, want NOTHING_TO_REFUND", err)
		}
		m.agrees("w")
	})
}

func TestRefund_refused(t *testing.T) {
	tests := map[string]struct {
		change string // of the wallet
		supply wallet.KRW
		code   string // empty: it is not refused
	}{
		"more than there is":    {"", 10_001, "REFUND_TOO_MUCH"},
		"while it owes":         {`accrual_krw = 1`, 100, "REFUND_WHILE_OWING"},
		"while a card is asked": {`charging_krw = 1`, 100, "REFUND_WHILE_OWING"},
		"while money is held":   {`held_krw = 15`, 100, "REFUND_WHILE_HELD"},
		"of a stopped wallet":   {`status = 'stopped'`, 100, ""},
		"of a suspended wallet": {`status = 'suspended'`, 100, ""},
		"of all there is":       {"", 0, ""},
		"of all, and no wallet": {"none", 0, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := newMarket(t, openTest(t, sqliteAddress(t)))
			owing(t, m.s, "w", 0)
			m.topUpBy(billing.ByCard, "w", 10_000)
			id := "w"
			switch {
			case tt.change == "none":
				id = "nobody"
			case tt.change != "":
				exec(t, m.s, `UPDATE wallet SET `+tt.change+` WHERE id = 'w'`)
			}
			_, err := m.refund(id, tt.supply, "k")
			if id == "nobody" {
				if fault.KindOf(err) != fault.NotFound {
					t.Errorf("OpenRefund(%s) error = %v, want NotFound", id, err)
				}
				return
			}
			if fault.CodeOf(err) != tt.code || (err == nil) != (tt.code == "") {
				t.Errorf("OpenRefund(%d) error = %v, want %q", tt.supply, err, tt.code)
			}
			if tt.code != "" && m.sand.Truth().KakaoPay.CancelledKRW != 0 {
				t.Error("a refused refund gave money back")
			}
		})
	}
}

// Whatever becomes of an answer, money goes back at most once and the books are the gateway's and
// the bank's.
func TestRefund_faults(t *testing.T) {
	targets := map[billing.Method][]string{
		billing.ByCard: {"kakaopay.cancel", "kakaopay.order"},
		billing.ByBank: {"bank.transfer", "bank.transfer_lookup"},
	}
	for method, calls := range targets {
		for _, target := range calls {
			for _, kind := range []string{"error_before", "error_after", "cut_before", "cut_after", "garbage", "throttle", "unauthorized", "stall", "stall_before"} {
				t.Run(target+" "+kind, func(t *testing.T) {
					m := newMarket(t, openTest(t, sqliteAddress(t)))
					owing(t, m.s, "w", 0)
					m.refundAccount("w")
					m.topUpBy(method, "w", 10_000)
					m.impatient()
					m.fault(target, kind)
					if strings.HasSuffix(target, "lookup") { // so that there is something to look up
						m.fault("bank.transfer", "cut_after")
					}
					opened, err := m.refund("w", 4_000, "k")
					if err != nil {
						t.Fatal(err)
					}
					r := m.refunded(opened)
					if r.State != billing.RefundDone {
						t.Errorf("refund = %s %q, want done", r.State, lines(r))
					}
					truth := m.sand.Truth()
					if out := truth.KakaoPay.CancelledKRW + truth.Bank.SentKRW; out != 4_400 {
						t.Errorf("%d went back, want 4400", out)
					}
					m.agrees("w")
				})
			}
		}
	}
}

// What certainly does not go back is paid cash again, and the rest goes.
func TestRefund_partly(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		m := newMarket(t, s)
		owing(t, s, "w", 0)
		m.refundAccount("w")
		m.topUpBy(billing.ByBank, "w", 10_000)
		m.topUpBy(billing.ByCard, "w", 3_000)
		m.admin("PUT", "/sandbox/bank/110222345678/holder", `{"holder":"박노을"}`)
		opened, err := m.refund("w", 0, "k")
		if err != nil {
			t.Fatal(err)
		}
		r := m.refunded(opened)
		want(t, "lines", lines(r), "card 3000+300 done", "bank 10000+1000 failed declined")
		if r.State != billing.RefundPartly {
			t.Errorf("refund = %s, want partly", r.State)
		}
		if got := wantWallet(t, s, "w"); got.Paid != 10_000 || got.Refunding != 0 {
			t.Errorf("wallet = %d paid, %d refunding, want 10000, 0", got.Paid, got.Refunding)
		}
		m.agrees("w")

		m.admin("PUT", "/sandbox/bank/110222345678/holder", `{"holder":"한빛서점"}`)
		opened, err = m.refund("w", 0, "again")
		if err != nil {
			t.Fatal(err)
		}
		want(t, "lines of the second", lines(m.refunded(opened)), "bank 10000+1000 done")
		m.agrees("w")
	})
}

// A gateway that refuses is believed when the payment agrees, and only then.
func TestRefund_refusedByTheGateway(t *testing.T) {
	m := newMarket(t, openTest(t, sqliteAddress(t)))
	owing(t, m.s, "w", 0)
	m.topUpBy(billing.ByCard, "w", 10_000)
	m.fault("kakaopay.cancel", "refuse")
	opened, err := m.refund("w", 1_000, "k")
	if err != nil {
		t.Fatal(err)
	}
	want(t, "lines", lines(m.refunded(opened)), "card 1000+100 failed refused")
	if got := wantWallet(t, m.s, "w"); got.Paid != 10_000 {
		t.Errorf("paid cash = %d, want 10000", got.Paid)
	}
	m.agrees("w")
}

// Money that somebody gave back at the gateway by hand is seen, and a person is asked.
func TestRefund_mismatch(t *testing.T) {
	m := newMarket(t, openTest(t, sqliteAddress(t)))
	owing(t, m.s, "w", 0)
	c := m.topUpBy(billing.ByCard, "w", 10_000)
	m.admin("POST", "/online/v1/payment/cancel", fmt.Sprintf(`{"cid":"TC0ONETIME","tid":%q,"cancel_amount":700,"cancel_tax_free_amount":0}`, c.TID))
	opened, err := m.refund("w", 1_000, "k")
	if err != nil {
		t.Fatal(err)
	}
	if r := m.refunded(opened); r.State != billing.RefundReview {
		t.Errorf("refund = %s %q, want review", r.State, lines(r))
	}
	if got := wantWallet(t, m.s, "w"); got.Refunding != 1_000 || got.Paid != 9_000 {
		t.Errorf("wallet = %d refunding, %d paid, want 1000 and 9000 while it is in review", got.Refunding, got.Paid)
	}
	if got := m.sand.Truth().KakaoPay.CancelledKRW; got != 700 {
		t.Errorf("%d went back, want the 700 of the other hand only", got)
	}
	if _, err := m.refund("w", 100, "beside"); fault.CodeOf(err) != "REFUND_OPEN" {
		t.Errorf("OpenRefund() beside one in review error = %v, want REFUND_OPEN", err)
	}
	asked := billing.Request{Scope: "tok_1", Key: "settle-1", BodyHash: []byte("kept")}
	settled, err := m.SettleRefund(t.Context(), "w", opened.ID, false, asked)
	if err != nil {
		t.Fatal(err)
	}
	want(t, "lines", lines(settled), "card 1000+100 failed settled")
	if again, err := m.SettleRefund(t.Context(), "w", opened.ID, false, asked); err != nil || again.State != settled.State {
		t.Errorf("SettleRefund() repeated with its key = %s, %v, want %s as it stands", again.State, err, settled.State)
	}
	asked.BodyHash = []byte("went back")
	if _, err := m.SettleRefund(t.Context(), "w", opened.ID, true, asked); fault.CodeOf(err) != "IDEMPOTENCY_KEY_REUSED" {
		t.Errorf("SettleRefund() of another finding with the key error = %v, want IDEMPOTENCY_KEY_REUSED", err)
	}
	if got := wantWallet(t, m.s, "w"); settled.State != billing.RefundFailed || got.Paid != 10_000 || got.Refunding != 0 {
		t.Errorf("settled %s with %d paid and %d refunding, want failed, 10000, 0", settled.State, got.Paid, got.Refunding)
	}
	if _, err := m.SettleRefund(t.Context(), "w", opened.ID, true, billing.Request{}); fault.KindOf(err) != fault.Conflict {
		t.Errorf("SettleRefund() again error = %v, want a Conflict", err)
	}
}

// A person who says that the money went back ends a refund whose outcome nobody could find out.
func TestSettleRefund_wentBack(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		m := newMarket(t, s)
		owing(t, s, "w", 0)
		m.topUpBy(billing.ByCard, "w", 10_000)
		m.fault("kakaopay.cancel", "cut_after")
		opened, err := m.refund("w", 4_000, "k")
		if err != nil {
			t.Fatal(err)
		}
		m.admin("POST", "/sandbox/faults", `{"target":"kakaopay.order","fault":"refuse","count":-1}`)
		for range 30 {
			m.pass(time.Hour)
			m.run()
		}
		settled, err := m.SettleRefund(t.Context(), "w", opened.ID, true, billing.Request{})
		if err != nil {
			t.Fatal(err)
		}
		want(t, "lines", lines(settled), "card 4000+400 done settled")
		want(t, "attempts", m.attempts("w"), " done ", " done settled")
		m.agrees("w")
	})
}

func TestSetRefundAccount(t *testing.T) {
	tests := map[string]struct {
		account billing.OneTimeAccount
		kind    fault.Kind
		field   string
	}{
		"the business":              {billing.OneTimeAccount{Bank: "한빛은행", Number: "110-222-345678", Holder: "한빛서점"}, -1, ""},
		"with spaces":               {billing.OneTimeAccount{Bank: "한빛은행", Number: "110 222 345678", Holder: " 한빛 서점 "}, -1, ""},
		"its representative":        {billing.OneTimeAccount{Bank: "한빛은행", Number: "110222345678", Holder: "김하늘"}, -1, ""},
		"somebody else":             {billing.OneTimeAccount{Bank: "한빛은행", Number: "110222345678", Holder: "박노을"}, fault.Refused, "holder"},
		"another form of a company": {billing.OneTimeAccount{Bank: "한빛은행", Number: "110222345678", Holder: "주식회사 한빛서점"}, fault.Refused, "holder"},
		"no holder":                 {billing.OneTimeAccount{Bank: "한빛은행", Number: "110222345678"}, fault.Invalid, "holder"},
		"letters":                   {billing.OneTimeAccount{Bank: "한빛은행", Number: "11022234567a", Holder: "한빛서점"}, fault.Invalid, "number"},
		"too short":                 {billing.OneTimeAccount{Bank: "한빛은행", Number: "1102223", Holder: "한빛서점"}, fault.Invalid, "number"},
		"no bank":                   {billing.OneTimeAccount{Bank: " ", Number: "110222345678", Holder: "한빛서점"}, fault.Invalid, "bank"},
	}
	eachDatabase(t, func(t *testing.T, s *Store) {
		owing(t, s, "w", 0)
		owing(t, s, "mine", 0)
		exec(t, s, `UPDATE wallet SET kind = 'personal' WHERE id = 'mine'`)
		b := newTill(t, s, nil)
		if err := b.SetRepresentative(t.Context(), "w", "김하늘"); err != nil {
			t.Fatal(err)
		}
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				kept, err := b.SetRefundAccount(t.Context(), "w", tt.account)
				if tt.kind < 0 {
					if err != nil || kept.Number != "********5678" {
						t.Errorf("SetRefundAccount(%+v) = %+v, %v, want ********5678", tt.account, kept, err)
					}
					if shown, err := b.RefundAccount(t.Context(), "w"); err != nil || shown != kept {
						t.Errorf("RefundAccount() = %+v, %v, want %+v", shown, err, kept)
					}
					return
				}
				if fault.KindOf(err) != tt.kind || fieldOf(err) != tt.field {
					t.Errorf("SetRefundAccount(%+v) error = %v about %q, want %v about %q", tt.account, err, fieldOf(err), tt.kind, tt.field)
				}
			})
		}
		if _, err := b.SetRefundAccount(t.Context(), "mine", tests["the business"].account); fault.CodeOf(err) != "BUSINESS_WALLET_ONLY" {
			t.Errorf("SetRefundAccount(personal) error = %v, want BUSINESS_WALLET_ONLY", err)
		}
		if _, err := b.RefundAccount(t.Context(), "mine"); fault.KindOf(err) != fault.NotFound {
			t.Errorf("RefundAccount(none) error = %v, want NotFound", err)
		}
		if err := b.SetRepresentative(t.Context(), "nobody", "김하늘"); fault.KindOf(err) != fault.NotFound {
			t.Errorf("SetRepresentative(no wallet) error = %v, want NotFound", err)
		}
		if plain := texts(t, s, `SELECT wallet_id FROM refund_account WHERE CAST(number_sealed AS TEXT) LIKE '%110222345678%'`); len(plain) != 0 && s.dialect.embedded {
			t.Errorf("the account number of %q is not sealed", plain)
		}
	})
}

func fieldOf(err error) string {
	var e *fault.Error
	if errors.As(err, &e) {
		return e.Field
	}
	return ""
}

// Of refunds that are asked for at once, one is opened; the same request opens one.
func TestRefund_atOnce(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		owing(t, s, "w", 0)
		b := newTill(t, s, nil)
		c, key := b.startTopUp("w", 10_000, "k")
		b.back(c, key)
		const callers = 8
		opened := make(chan string, callers)
		var wait sync.WaitGroup
		for i := range callers {
			wait.Go(func() {
				r, _, err := b.OpenRefund(t.Context(), billing.RefundOrder{WalletID: "w", Supply: 6_000,
					Request: billing.Request{Scope: "tok", Key: fmt.Sprint(i / 2), BodyHash: []byte("x")}})
				switch {
				case err == nil:
					opened <- r.ID
				case fault.CodeOf(err) != "REFUND_OPEN":
					t.Errorf("OpenRefund() error = %v, want REFUND_OPEN", err)
				}
			})
		}
		wait.Wait()
		close(opened)
		ids := map[string]int{}
		for id := range opened {
			ids[id]++
		}
		if len(ids) != 1 {
			t.Errorf("refunds opened = %v, want one", ids)
		}
		if got := wantWallet(t, s, "w"); got.Paid != 4_000 || got.Refunding != 6_000 {
			t.Errorf("wallet = %d paid, %d refunding, want 4000, 6000", got.Paid, got.Refunding)
		}
	})
}

// Money of a charge that came after it was given up is paid cash, and goes back by that payment.
func TestRefund_ofALateCharge(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		owing(t, s, "w", 1_000, "c1")
		b := newTill(t, s, nil)
		b.g.charge = func(billing.ChargeRequest) (billing.Payment, error) {
			return billing.Payment{}, failed(billing.CardDeclined, "한도초과")
		}
		b.run()
		c, key := b.startTopUp("w", 1_000, "k") // pays what is owed
		b.back(c, key)
		attempt := texts(t, s, `SELECT id FROM attempt WHERE wallet_id = 'w' AND kind = 'charge'`)[0]
		late, err := s.ChargePaid(t.Context(), billing.Report{ID: attempt, At: b.clock(), TID: "T-late"})
		if err != nil || late.Outcome != billing.Late {
			t.Fatalf("ChargePaid() of a declined attempt = %s, %v, want late", late.Outcome, err)
		}
		b.g.order = func(tid string) (billing.Order, error) {
			return billing.Order{Status: billing.OrderPaid, Payment: billing.Payment{TID: tid, Total: 1_100}}, nil
		}
		var asked billing.CancelRequest
		b.g.cancel = func(r billing.CancelRequest) (wallet.KRW, error) { asked = r; return r.Amount, nil }
		r, next, err := b.OpenRefund(t.Context(), billing.RefundOrder{WalletID: "w", Supply: 400})
		if err != nil || len(next) != 1 {
			t.Fatalf("OpenRefund() = %d attempts, %v, want one", len(next), err)
		}
		b.attempt(next[0].Row)
		want := billing.CancelRequest{Purpose: billing.Recurring, TID: "T-late", Amount: 440, VAT: 40, Left: 1_100}
		if asked != want {
			t.Errorf("Cancel(%+v), want %+v", asked, want)
		}
		if r, err = b.Refund(t.Context(), "w", r.ID); err != nil || r.State != billing.RefundDone || r.Lines[0].TopUp != attempt {
			t.Errorf("refund = %s of %s, %v, want done of the attempt %s", r.State, r.Lines[0].TopUp, err, attempt)
		}
		wantWallet(t, s, "w")
	})
}
