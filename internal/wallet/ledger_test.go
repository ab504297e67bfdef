package wallet_test

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/wallet"
	"github.com/malgil/malgil/internal/wallet/ledgertest"
)

// life is a wallet to which everything happens that can happen to its money, and beside it what
// has to be true of it.
type life struct {
	*rapid.T
	now    time.Time
	w      wallet.Wallet
	ledger *ledgertest.Ledger
	refs   int
	done   map[string]int // by command
	todo   map[string]func() bool
	names  []string

	gifts   []wallet.Gift // free cash, in any state
	holds   []hold
	charge  part           // the open one
	failed  []part         // charges that no card paid, whose money may still come
	refund  []part         // lines of the open one
	sources []*payment     // top-ups, oldest first
	used    []wallet.Used  // of captures that may be corrected
	months  []wallet.Month // that are not closed, oldest first

	postpaid  bool       // seldom has cash
	delivered wallet.KRW // price of all that was delivered
	held      wallet.KRW
}

// hold is a chunk on its way.
type hold struct {
	ref    string
	price  wallet.KRW
	people int
}

// part is an amount of something that was begun and has to end.
type part struct {
	ref         string
	supply, vat wallet.KRW
	from        *payment // of a line of a refund
}

// payment is a top-up and what went back of it.
type payment struct {
	wallet.Source
	total, back wallet.KRW
}

func newLife(t *rapid.T, done map[string]int) *life {
	s := wallet.Settlement{Threshold: 500_000}
	if rapid.Bool().Draw(t, "monthly") {
		s.Policy = wallet.ThresholdOrMonthEnd
	}
	l := &life{
		T: t, done: done, now: noon, postpaid: rapid.Bool().Draw(t, "postpaid"), ledger: ledgertest.New(s),
		w: wallet.Wallet{
			Status: wallet.InUse, PaymentState: wallet.Active, HasCard: true, DailyLimit: 1_000_000,
			Limits: wallet.Limits{AccrualCap: 2_000_000}, Settlement: s,
		},
	}
	l.todo = l.commands()
	l.names = slices.Sorted(maps.Keys(l.todo))
	return l
}

func (l *life) ref(kind string) string {
	l.refs++
	return fmt.Sprint(kind, l.refs)
}

func (l *life) krw(most wallet.KRW) wallet.KRW {
	return wallet.KRW(rapid.Int64Range(1, int64(most)).Draw(l.T, "krw"))
}

// post replays a posting and takes the wallet that came with it.
func (l *life) post(w wallet.Wallet, p wallet.Posting) {
	if err := l.ledger.Add(p); err != nil {
		l.Fatal(err)
	}
	if start := clock.MonthStart(p.At); len(l.months) == 0 || l.months[len(l.months)-1].Start.Before(start) {
		l.months = append(l.months, wallet.Month{Start: start})
	}
	last := &l.months[len(l.months)-1]
	*last = last.Add(p)
	for _, use := range p.Grants {
		i := slices.IndexFunc(l.gifts, func(g wallet.Gift) bool { return g.ID == use.GrantID })
		l.gifts[i].Remaining -= use.Amount
	}
	if l.w.PaymentState == wallet.Unpaid && w.PaymentState != wallet.Unpaid && (w.Charging > 0 || l.ledger.Overdue(l.now) > 0) {
		l.Fatalf("the wallet %+v is paid again and owes %d that is overdue", w, l.ledger.Overdue(l.now))
	}
	l.w = w
}

// check is what holds after every step.
func (l *life) check() {
	if err := l.ledger.Check(l.w, l.now); err != nil {
		l.Fatal(err)
	}
	for _, g := range l.gifts {
		if left := l.ledger.Remaining()[g.ID]; !g.StartedAt.IsZero() && left != g.Remaining {
			l.Fatalf("gift %s has %d left, by the postings %d", g.ID, g.Remaining, left)
		}
	}
	if l.w.Held != l.held {
		l.Fatalf("%d are held, want %d for %d chunks", l.w.Held, l.held, len(l.holds))
	}
	if l.ledger.Legs.Revenue != l.delivered {
		l.Fatalf("%d were captured, want the price of what was delivered, %d", l.ledger.Legs.Revenue, l.delivered)
	}
	l.deletable()
}

// deletable checks that a wallet is given up only when nothing moves in it.
func (l *life) deletable() {
	if l.w.Status != wallet.Stopped {
		return
	}
	var brought wallet.KRW
	for _, s := range l.sources {
		brought += s.Credited - s.Refunded
	}
	_, err := l.w.Delete(wallet.Ties{Paid: brought})
	busy := min(l.w.Paid, brought)+l.w.Refunding+l.w.Accrual+l.w.Charging+l.held > 0
	if (err != nil) != busy {
		l.Fatalf("Delete() of %+v = %v, want a refusal: %v", l.w, err, busy)
	}
}

// commands are what may happen next; what leads far has a better chance.
func (l *life) commands() map[string]func() bool {
	return map[string]func() bool{
		"top up": l.topUp, "give free cash": l.giveFree, "use free cash": l.useFree, "use free cash 2": l.useFree,
		"expire free cash": l.expireFree, "give paid cash": l.givePaid,
		"hold": l.hold, "hold 2": l.hold, "hold 3": l.hold, "capture": l.capture, "capture 2": l.capture, "release": l.release,
		"open a charge": l.openCharge, "open a charge 2": l.openCharge, "pay a charge": l.payCharge, "pay a charge 2": l.payCharge,
		"fail a charge": l.failCharge, "halt a charge": l.haltCharge, "pay a charge late": l.payLate,
		"open a refund": l.openRefund, "pay a line": l.payLine, "pay a line 2": l.payLine, "fail a line": l.failLine,
		"status": l.status, "daily limit": l.limit, "card": l.card, "reconnect": l.reconnect,
		"correct use": l.correctUse, "give back": l.giveBack, "correct a payment": l.correctPayment,
		"wait": l.wait, "midnight": l.midnight, "close a month": l.closeMonth,
	}
}

// step does one thing that can be done now.
func (l *life) step() {
	name := rapid.SampledFrom(l.names).Draw(l.T, "command")
	for !l.todo[name]() {
		name = rapid.SampledFrom(l.names).Draw(l.T, "command")
	}
	l.done[name]++
}

// flagged sets a flag of rapid for the time of a test.
func flagged(t *testing.T, name, value string) {
	t.Helper()
	before := flag.Lookup(name).Value.String()
	if err := flag.Set(name, value); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = flag.Set(name, before) })
}

// Whatever happens to a wallet in whatever order, after every single step: legs sum to 0 and are what
// the book says of their kind, balances are the legs, nothing is negative, free cash goes by its end
// before paid cash before accrual, a hold ends once, what is captured is what was delivered, what is
// due is what no payment covers, and all postings replayed give the wallet again.
//
// It has no other goroutine to race with, so it runs beside the storms, on a plain binary.
func TestStorm_ledger(t *testing.T) {
	const lives, steps = 400, 500
	flagged(t, "rapid.checks", fmt.Sprint(lives))
	done := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		l := newLife(t, done)
		l.check()
		for range steps {
			l.step()
			l.check()
		}
	})
	if testing.Short() {
		return
	}
	sum := 0
	for _, n := range done {
		sum += n
	}
	if sum < 200_000 {
		t.Errorf("%d operations were done, want 200000", sum)
	}
	for name := range new(life).commands() {
		if done[name] < 100 {
			t.Errorf("%q was done %d times, want 100 and more", name, done[name])
		}
	}
}
