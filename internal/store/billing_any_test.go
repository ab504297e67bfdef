package store

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/wallet"
)

// provider is the truth of a card gateway whose clock is some seconds off.
type provider struct {
	mu       sync.Mutex
	b        *till
	skew     time.Duration
	answer   string // what the next calls do
	calls    int
	last     map[string]time.Time
	taken    wallet.KRW               // less what was given back
	orders   map[string]wallet.KRW    // taken by order id
	payments map[string]billing.Order // by tid
}

// newProvider makes the gateway of a till.
func newProvider(b *till) *provider {
	p := &provider{b: b, answer: "pays", last: map[string]time.Time{}, orders: map[string]wallet.KRW{}, payments: map[string]billing.Order{}}
	b.g.charge, b.g.statusIs, b.g.approve, b.g.order, b.g.cancel = p.charge, p.status, p.approve, p.order, p.cancel
	return p
}

func (p *provider) take(paid billing.Payment) {
	p.last[paid.SID] = p.b.clock().Add(p.skew).Truncate(time.Second)
	p.taken += paid.Total
	p.orders[paid.OrderID] += paid.Total
	p.payments[paid.TID] = billing.Order{Status: billing.OrderPaid, Payment: paid}
}

// does acts on a call as the mood is, and says what the caller hears of it.
func (p *provider) does(act func()) error {
	p.calls++
	answer := p.answer
	if answer == "pays, every other answer lost" {
		answer = []string{"pays", "pays, answer lost"}[p.calls%2]
	}
	switch answer {
	case "pays":
		act()
		return nil
	case "pays, answer lost":
		act()
		return failed(billing.MayHaveMoved, "")
	case "request lost":
		return failed(billing.MayHaveMoved, "")
	case "not sent":
		return failed(billing.NotSent, "")
	case "broken access":
		return failed(billing.BadConfig, "")
	case "refuses":
		return failed(billing.BadRequest, "")
	}
	return failed(billing.CardDeclined, "한도초과")
}

func (p *provider) charge(r billing.ChargeRequest) (billing.Payment, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return paidFor(r), p.does(func() { p.take(paidFor(r)) })
}

func (p *provider) approve(r billing.ApproveRequest) (billing.Payment, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if known, paid := p.payments[r.TID]; paid { // one tid pays once
		return known.Payment, failed(billing.MayHaveMoved, "approved before")
	}
	return approvedFor(r), p.does(func() { p.take(approvedFor(r)) })
}

func (p *provider) order(tid string) (billing.Order, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.answer == "silent" {
		return billing.Order{}, failed(billing.MayHaveMoved, "")
	}
	order, known := p.payments[tid]
	if !known {
		order = billing.Order{Status: billing.OrderOpen, Payment: billing.Payment{TID: tid}}
	}
	return order, nil
}

// cancel gives a payment back, and refuses when less is left than the caller thinks.
func (p *provider) cancel(r billing.CancelRequest) (wallet.KRW, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	order := p.payments[r.TID]
	if order.Payment.Total-order.Cancelled != r.Left || r.Amount > r.Left {
		return 0, failed(billing.BadRequest, "another amount is left")
	}
	return r.Amount, p.does(func() {
		p.taken -= r.Amount
		order.Cancelled += r.Amount
		order.Status = billing.OrderPartly
		p.payments[r.TID] = order
	})
}

func (p *provider) status(sid string) (billing.CardStatus, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch p.answer {
	case "silent":
		return billing.CardStatus{}, failed(billing.MayHaveMoved, "")
	case "dormant":
		return billing.CardStatus{Active: true, LastApprovedAt: p.last[sid]}, nil
	}
	return billing.CardStatus{Active: true, Available: true, LastApprovedAt: p.last[sid]}, nil
}

// Whatever a gateway does in whatever order: balances follow the legs, no charge is paid twice,
// an unpaid wallet owes something, and once the gateway answers, what it took is what came in.
func TestBilling_anyOrderOfAnswers(t *testing.T) {
	s := openTest(t, sqliteAddress(t))
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		w := fmt.Sprintf("w%d", n)
		owing(t, s, w, 0, w+"_c1", w+"_c2")
		b := newTill(t, s, func(c *billing.Settings) { c.Declines = 0 })
		b.pass(time.Duration(n) * 10 * 24 * time.Hour) // nothing of the runs before is due
		p := newProvider(b)
		p.skew = time.Duration(rapid.IntRange(-5, 5).Draw(rt, "skew")) * time.Second
		b.g.approve = nil // top-ups are paid in any mood
		topped := wallet.KRW(0)
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			switch rapid.SampledFrom([]string{"use", "use", "gateway", "gateway", "seconds", "hours", "day", "topup"}).Draw(rt, "step") {
			case "use":
				accrue(t, s, w, wallet.KRW(rapid.IntRange(1, 1_200_000).Draw(rt, "amount")), b.clock().Add(time.Duration(len(texts(t, s, `SELECT ref FROM posting WHERE wallet_id = $1`, w)))*time.Millisecond))
			case "gateway":
				p.answer = rapid.SampledFrom([]string{"pays", "pays, answer lost", "pays, every other answer lost", "request lost", "not sent", "broken access",
					"refuses", "declines", "silent", "dormant"}).Draw(rt, "answer")
			case "seconds":
				b.pass(time.Duration(rapid.IntRange(1, 90).Draw(rt, "seconds")) * time.Second)
			case "hours":
				b.pass(time.Duration(rapid.IntRange(1, 10).Draw(rt, "hours")) * time.Hour)
			case "day":
				b.pass(24 * time.Hour)
			case "topup":
				supply := wallet.KRW(rapid.IntRange(1000, 400_000).Draw(rt, "supply"))
				c, key := b.startTopUp(w, supply, fmt.Sprint(w, topped))
				b.back(c, key)
				topped += supply + wallet.VAT(supply)
			}
			b.run()
			if err := b.consistent(w, p); err != nil {
				rt.Fatal(err)
			}
		}
		p.answer = "pays"
		for range 40 {
			b.pass(time.Hour)
			b.run()
		}
		if err := b.consistent(w, p); err != nil {
			rt.Fatal(err)
		}
		books, err := s.Books(t.Context(), w)
		if err != nil {
			rt.Fatal(err)
		}
		if -books.Clearing != p.taken+topped {
			rt.Fatalf("%d came in, the provider took %d and %d by top-ups; attempts %q", -books.Clearing, p.taken, topped, b.attempts(w))
		}
	})
}

// consistent says what is wrong with a wallet, or nothing.
func (b *till) consistent(walletID string, p *provider) error {
	w, err := b.s.Wallet(b.t.Context(), walletID)
	if err != nil {
		return err
	}
	if err := booksAgree(b.s, w); err != nil {
		return err
	}
	for _, line := range texts(b.t, b.s, `SELECT c.id || ' ' || c.state || ' ' || a.id FROM charge c JOIN attempt a ON a.subject_id = c.id
		WHERE c.wallet_id = $1 ORDER BY a.id`, walletID) {
		part := strings.Fields(line)
		paid := p.orders[part[2]]
		for other, taken := range p.orders {
			same := texts(b.t, b.s, `SELECT id FROM attempt WHERE id = $1 AND subject_id = $2`, other, part[0])
			if other != part[2] && taken > 0 && paid > 0 && len(same) > 0 {
				return fmt.Errorf("charge %s was paid twice: %s and %s", part[0], part[2], other)
			}
		}
		if paid > 0 && (part[1] == "failed" || part[1] == "halted") {
			return fmt.Errorf("charge %s is %s, but %s paid it", part[0], part[1], part[2])
		}
	}
	if w.PaymentState == wallet.Unpaid && w.Accrual+w.Charging == 0 {
		return errors.New("the wallet is unpaid and owes nothing")
	}
	if err := b.Reconnect(b.t.Context(), walletID); err != nil && fault.KindOf(err) != fault.Conflict {
		return err
	}
	return nil
}
