package acceptance_test

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/apiclient"
)

// grant is cash that the platform gave, as the API shows it.
type grant struct {
	ID        string `json:"id"`
	State     string `json:"state"`
	Remaining int64  `json:"remaining_krw"`
	Expired   int64  `json:"expired_krw"`
}

// give gives the wallet free cash whose last day is so many days from today.
func (s *shop) give(amount int64, days int) (g grant) {
	s.house.t.Helper()
	last := s.house.now().In(seoul).AddDate(0, 0, days).Format(time.DateOnly)
	s.house.do("POST", "/api/v1/wallets/"+s.wallet+"/grants", map[string]any{"amount_krw": amount, "expires_on": last, "reason": "첫 이용 축하"}, &g,
		apiclient.IdempotencyKey(rand.Text()))
	return g
}

// use makes free cash count.
func (s *shop) use(g grant) {
	s.house.t.Helper()
	s.house.do("POST", "/api/v1/wallets/"+s.wallet+"/grants/"+g.ID+"/use", nil, nil, apiclient.IdempotencyKey(rand.Text()))
}

// grants lists the cash that the wallet was given, newest first.
func (s *shop) grants() []grant {
	s.house.t.Helper()
	var list struct{ Items []grant }
	s.house.get("/api/v1/wallets/"+s.wallet+"/grants", &list)
	return list.Items
}

// change changes the wallet.
func (s *shop) change(what map[string]any) {
	s.house.t.Helper()
	s.house.do("PATCH", "/api/v1/wallets/"+s.wallet, what, nil)
}

func TestCash(t *testing.T) {
	show(t, map[string]func(*testing.T){
		"free_before_paid_before_card": freeBeforePaidBeforeCard,
		"free_cash_vanishes":           freeCashVanishes,
		"stopped_and_started":          stoppedAndStarted,
		"daily_limit":                  dailyLimit,
	})
}

// One chunk is paid by free cash, by paid cash and by the card. Free cash that nobody used does
// not count.
func freeBeforePaidBeforeCard(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(1)
	unused, used := s.give(5_000, 30), s.give(400, 3)
	s.use(used)
	s.topUp(1_000)
	if b := s.see().Balance; b.Free != 400 || b.Paid != 1_000 {
		t.Fatalf("the wallet has %d free and %d paid, want 400 and 1000", b.Free, b.Paid)
	}
	s.deliver(100)
	if b := s.see().Balance; b.Free != 0 || b.Paid != 0 || b.Accrual != 100 {
		t.Errorf("after 1500 KRW the wallet has %d free, %d paid and owes %d; want 0, 0 and 100", b.Free, b.Paid, b.Accrual)
	}
	var captures []posting
	for _, p := range s.postings() {
		if p.Kind == "capture" {
			captures = append(captures, p)
		}
	}
	if len(captures) != 1 || captures[0].Free != -400 || captures[0].Paid != -1_000 || captures[0].Accrual != -100 || captures[0].Revenue != 1_500 {
		t.Errorf("captures %+v, want one of 400 free, 1000 paid and 100 accrued", captures)
	}
	if all := s.grants(); len(all) != 2 || all[0].ID != used.ID || all[0].State != "used_up" || all[1].ID != unused.ID || all[1].State != "waiting" {
		t.Errorf("grants %+v, want the one used up and the other waiting", all)
	}
	h.balance()
}

// Free cash is gone at 24:00 of its last day, whether the clock passes one midnight or five.
func freeCashVanishes(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(0)
	today, later := s.give(1_000, 0), s.give(2_000, 3)
	s.use(today)
	s.use(later)
	h.midnight()
	if b := s.see().Balance; b.Free != 2_000 || b.Spendable != 2_000 {
		t.Errorf("after the first midnight %d of free cash are left and %d can be spent, want 2000", b.Free, b.Spendable)
	}
	h.advance(5 * 24 * time.Hour)
	if b := s.see().Balance; b.Free != 0 {
		t.Errorf("after five more midnights %d of free cash are left, want 0", b.Free)
	}
	var vanished []int64
	for _, p := range s.postings() {
		if p.Kind == "grant_expired" {
			vanished = append(vanished, p.Promotion)
		}
	}
	if len(vanished) != 2 || vanished[0]+vanished[1] != 3_000 {
		t.Errorf("%v vanished, want 1000 and 2000 once each", vanished)
	}
	for _, g := range s.grants() {
		if g.State != "expired" || g.Remaining != 0 {
			t.Errorf("grant %+v, want it expired", g)
		}
	}
	s.waits(s.order(s.friends(1)...), "funds")
}

// A stop holds everything back and says why; a start lets it go on.
func stoppedAndStarted(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(0)
	s.topUp(3_000)
	s.change(map[string]any{"status": "stopped"})
	b := s.waits(s.order(s.friends(10)...), "stopped")
	if w := s.see().Balance; w.Held != 0 {
		t.Errorf("a stopped wallet holds %d, want 0", w.Held)
	}
	s.topUp(1_000)
	s.change(map[string]any{"status": "in_use"})
	if done := s.finish(b); done.Counts.Delivered != 10 {
		t.Errorf("the broadcast that waited delivered %d, want 10", done.Counts.Delivered)
	}
	h.balance()
}

// At the daily limit of its cards a wallet waits until 00:00 and goes on by itself.
func dailyLimit(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(1)
	s.change(map[string]any{"daily_limit_krw": 2_000})
	var quote struct {
		Wallet struct {
			Reason    string    `json:"reason"`
			PeopleNow int       `json:"people_now"`
			ResumesAt time.Time `json:"resumes_at"`
		} `json:"wallet"`
	}
	h.do("POST", "/api/v1/quote", map[string]any{"people": 200, "wallet": s.wallet}, &quote)
	if quote.Wallet.Reason != "DAILY_LIMIT_REACHED" || quote.Wallet.PeopleNow != 100 || quote.Wallet.ResumesAt.In(seoul).Format(time.TimeOnly) != "00:00:00" {
		t.Errorf("quote %+v, want 100 now and the rest at 00:00", quote.Wallet)
	}
	b := s.waits(s.order(s.friends(200)...), "daily_limit")
	if !b.Wait.Until.Equal(quote.Wallet.ResumesAt) {
		t.Errorf("the broadcast waits until %v, the quote said %v", b.Wait.Until, quote.Wallet.ResumesAt)
	}
	s.house.until("100 are delivered", func() (bool, any) {
		b = s.look(b)
		return b.Counts.Delivered == 100, b
	})
	h.midnight()
	if done := s.finish(b); done.Counts.Delivered != 200 {
		t.Errorf("after midnight %d of 200 are delivered", done.Counts.Delivered)
	}
}
