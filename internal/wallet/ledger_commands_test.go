package wallet_test

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/wallet"
)

// cash reports whether paid cash comes in now.
func (l *life) cash() bool {
	return !l.postpaid || l.seldom(16)
}

// seldom is true once in so many times.
func (l *life) seldom(times int) bool { return rapid.IntRange(1, times).Draw(l.T, "seldom") == times }

func (l *life) topUp() bool {
	if !l.cash() {
		return false
	}
	supply := l.krw(700_000)
	if rapid.Bool().Draw(l.T, "small") {
		supply = l.krw(2_000)
	}
	l.pay(supply, l.ref("cko_"))
	return true
}

// pay takes money that arrived, whatever the wallet's state.
func (l *life) pay(supply wallet.KRW, ref string) {
	w, p := l.w.TopUp(supply, wallet.VAT(supply), ref, l.now)
	l.post(w, p)
	if p.Paid > 0 {
		l.sources = append(l.sources, &payment{Source: wallet.Source{Ref: ref, Credited: p.Paid}, total: p.Paid + wallet.VAT(p.Paid)})
	}
}

func (l *life) giveFree() bool {
	l.gifts = slices.DeleteFunc(l.gifts, func(g wallet.Gift) bool {
		return (g.Remaining == 0 || g.StartedAt.IsZero()) && !l.now.Before(g.ExpiresAt)
	})
	if len(l.gifts) > 12 {
		return false
	}
	amount := l.krw(50_000)
	end := clock.Midnight(l.now).AddDate(0, 0, rapid.IntRange(1, 5).Draw(l.T, "days"))
	g := wallet.Gift{ID: l.ref("grt_"), Kind: wallet.FreeCash, Amount: amount, Remaining: amount, CreatedAt: l.now, ExpiresAt: end}
	l.gifts = append(l.gifts, g)
	l.ledger.Gift(g.ID, amount, end)
	return true
}

func (l *life) useFree() bool {
	if len(l.gifts) == 0 || l.w.CheckTopUp() != nil {
		return false
	}
	g := &l.gifts[rapid.IntRange(0, len(l.gifts)-1).Draw(l.T, "gift")]
	may := g.StartedAt.IsZero() && l.now.Before(g.ExpiresAt)
	if err := g.CheckUse(l.now); (err == nil) != may {
		l.Fatalf("CheckUse() of %+v at %v = %v, want nil: %v", g, l.now, err, may)
	}
	if !may {
		return false
	}
	g.StartedAt = l.now
	l.post(l.w.StartGrant(g.Amount, g.ID, l.now))
	return true
}

// grants lists started free cash in the order of its use, as the store does.
func (l *life) grants() (all []wallet.Grant) {
	for _, g := range l.gifts {
		if g.Remaining > 0 && !g.StartedAt.IsZero() {
			all = append(all, wallet.Grant{ID: g.ID, Remaining: g.Remaining, ExpiresAt: g.ExpiresAt})
		}
	}
	slices.SortStableFunc(all, func(a, b wallet.Grant) int {
		if c := a.ExpiresAt.Compare(b.ExpiresAt); c != 0 {
			return c
		}
		return map[bool]int{true: -1, false: 1}[a.ID < b.ID]
	})
	return all
}

// expireFree takes back what is over. What is held stays, everything else is gone then.
func (l *life) expireFree() bool {
	vanished := false
	over := wallet.KRW(0)
	for _, g := range l.grants() {
		w, p, any := l.w.ExpireGrant(g, l.now)
		if any {
			l.post(w, p)
			vanished = true
			if w.Free < l.held {
				l.Fatalf("%s leaves %d of free cash under holds of %d", p.Ref, w.Free, l.held)
			}
		}
		if !l.now.Before(g.ExpiresAt) {
			over += g.Remaining - p.Promotion
		}
	}
	if over > 0 && l.w.Free > l.w.Held {
		l.Fatalf("%d of free cash that is over stayed, with %d free and %d held", over, l.w.Free, l.w.Held)
	}
	return vanished
}

func (l *life) givePaid() bool {
	if !l.cash() {
		return false
	}
	l.post(l.w.GivePaid(l.krw(50_000), l.ref("grt_"), l.now))
	return true
}

func (l *life) hold() bool {
	if l.w.Check() != nil || len(l.holds) > 30 {
		return false
	}
	h := hold{ref: l.ref("chunk-"), price: rapid.SampledFrom([]wallet.KRW{0, 1, 15, 1_000}).Draw(l.T, "price"), people: rapid.IntRange(1, 100).Draw(l.T, "people")}
	amount := h.price * wallet.KRW(h.people)
	s := l.ledger.Legs
	cash, byCap, byDay := s.Free+s.Paid-l.held, wallet.KRW(0), wallet.KRW(0)
	if l.w.HasCard {
		byCap = max(l.w.Limits.AccrualCap+s.Accrual+s.Charging, 0)
		if byDay = byCap; l.w.DailyLimit > 0 {
			byDay = max(min(byCap, l.w.DailyLimit-l.ledger.AccruedOn(l.now)), 0)
		}
	}
	var want error
	switch {
	case amount <= cash+byDay:
	case amount <= cash+byCap:
		want = wallet.ErrDailyLimit
	default:
		want = wallet.ErrInsufficientFunds
	}
	w, err := l.w.Hold(amount, l.now)
	if !errors.Is(err, want) {
		l.Fatalf("Hold(%d) of %+v error = %v, want %v", amount, l.w, err, want)
	}
	if err != nil {
		return false
	}
	l.w, l.held = w, l.held+amount
	l.holds = append(l.holds, h)
	return true
}

// take ends one hold.
func (l *life) take(delivered func(people int) int) bool {
	if len(l.holds) == 0 {
		return false
	}
	i := rapid.IntRange(0, len(l.holds)-1).Draw(l.T, "hold")
	h := l.holds[i]
	l.holds = slices.Delete(l.holds, i, i+1)
	amount := h.price * wallet.KRW(h.people)
	used := h.price * wallet.KRW(delivered(h.people))
	l.held -= amount
	l.delivered += used
	w, p := l.w.Capture(amount, used, l.grants(), h.ref, l.now)
	if used == 0 { // nothing to post
		l.w = w
		return true
	}
	l.post(w, p)
	l.used = append(l.used, wallet.Used{Free: -p.Free, Cash: -p.Paid - p.Accrual, Grants: p.Grants})
	return true
}

// correctUse pays for messages that nobody knew were delivered.
func (l *life) correctUse() bool {
	if !l.seldom(4) {
		return false
	}
	amount := l.krw(1_500)
	l.delivered += amount
	l.post(l.w.CorrectUse(amount, l.grants(), l.ref("capture/chunk/"), l.now))
	return true
}

// giveBack takes back what was captured for messages that were not delivered, once for a capture.
func (l *life) giveBack() bool {
	if len(l.used) == 0 || !l.seldom(2) {
		return false
	}
	used := l.used[len(l.used)-1]
	l.used = l.used[:len(l.used)-1]
	used.Grants = slices.DeleteFunc(slices.Clone(used.Grants), func(use wallet.GrantUse) bool { // those that are over
		return !slices.ContainsFunc(l.gifts, func(g wallet.Gift) bool { return g.ID == use.GrantID && l.now.Before(g.ExpiresAt) })
	})
	amount := l.krw(100_000)
	w, p := l.w.GiveBack(amount, used, l.ref("capture/chunk/"), l.now)
	if back := -p.Revenue; back != min(amount, used.Free+used.Cash) {
		l.Fatalf("GiveBack(%d) of %+v gave %d back", amount, used, back)
	}
	l.delivered += p.Revenue
	l.post(w, p)
	return true
}

// correctPayment posts what a gateway took or gave back and nobody knew of.
func (l *life) correctPayment() bool {
	if !l.cash() || !l.seldom(2) {
		return false
	}
	total := l.krw(50_000)
	if in := -l.ledger.Legs.Clearing; rapid.Bool().Draw(l.T, "out") {
		if total = -min(total, in); total >= 0 {
			return false
		}
	}
	l.post(l.w.CorrectPayment(total, l.ref("payment/att/"), l.now))
	return true
}

func (l *life) capture() bool {
	return l.take(func(people int) int { return rapid.IntRange(0, people).Draw(l.T, "delivered") })
}

func (l *life) release() bool { return l.take(func(int) int { return 0 }) }

func (l *life) openCharge() bool {
	due := l.w.Due(l.now)
	if due == 0 || l.charge.supply > 0 {
		return false
	}
	l.charge = part{ref: l.ref("chg_"), supply: min(due, rapid.SampledFrom([]wallet.KRW{1_500, 500_000}).Draw(l.T, "slice"))}
	l.post(l.w.OpenCharge(l.charge.supply, l.charge.ref, l.now))
	return true
}

func (l *life) payCharge() bool {
	if l.charge.supply == 0 {
		return false
	}
	l.post(l.w.PayCharge(l.charge.supply, wallet.VAT(l.charge.supply), l.charge.ref, l.now))
	l.charge = part{}
	return true
}

// failCharge is the end of a charge that no card paid: the wallet is unpaid, and what was queued
// is recalled.
func (l *life) failCharge() bool {
	if !l.haltCharge() {
		return false
	}
	l.w.PaymentState = wallet.Unpaid
	for len(l.holds) > 0 && rapid.Bool().Draw(l.T, "queued") {
		l.release()
	}
	return true
}

func (l *life) haltCharge() bool {
	if l.charge.supply == 0 {
		return false
	}
	l.failed = append(l.failed, l.charge)
	l.post(l.w.FailCharge(l.charge.supply, l.charge.ref, l.now))
	l.charge = part{}
	return true
}

// payLate is the money of a card that had been given up.
func (l *life) payLate() bool {
	if len(l.failed) == 0 {
		return false
	}
	late := l.failed[0]
	l.failed = l.failed[1:]
	l.pay(late.supply, "att_"+late.ref)
	return true
}

func (l *life) openRefund() bool {
	refundable, err := l.w.Refundable()
	s := l.ledger.Legs
	if want := s.Accrual == 0 && s.Charging == 0 && s.Refunding == 0 && l.held == 0; (err == nil) != want || err == nil && refundable != s.Paid {
		l.Fatalf("Refundable() of %+v = %d, %v, want nothing owed, held or under way: %v", l.w, refundable, err, want)
	}
	if refundable == 0 {
		return false
	}
	var newest []wallet.Source
	for _, s := range slices.Backward(l.sources) {
		newest = append(newest, s.Source)
	}
	amount := l.krw(refundable)
	parts, missing := wallet.Allocate(amount, newest)
	if missing > 0 { // of paid cash that was given
		return false
	}
	ref := l.ref("rfd_")
	for n, p := range parts {
		i := slices.IndexFunc(l.sources, func(s *payment) bool { return s.Ref == p.Ref })
		l.refund = append(l.refund, part{fmt.Sprintf("%s-%03d", ref, n+1), p.Supply, p.VAT, l.sources[i]})
	}
	l.post(l.w.OpenRefund(amount, ref, l.now))
	return true
}

func (l *life) payLine() bool {
	if len(l.refund) == 0 {
		return false
	}
	line := l.refund[0]
	l.refund = l.refund[1:]
	l.post(l.w.PayRefund(line.supply, line.vat, line.ref, l.now))
	s := line.from
	s.Refunded += line.supply
	s.Returned += line.vat
	if s.back += line.supply + line.vat; s.back > s.total || s.Refunded == s.Credited && s.back != s.total {
		l.Fatalf("%d of %d went back for %+v", s.back, s.total, s.Source)
	}
	return true
}

func (l *life) failLine() bool {
	if len(l.refund) == 0 {
		return false
	}
	line := l.refund[len(l.refund)-1]
	l.refund = l.refund[:len(l.refund)-1]
	l.post(l.w.FailRefund(line.supply, line.ref, l.now))
	return true
}

func (l *life) status() bool {
	if !l.seldom(3) {
		return false
	}
	to := rapid.SampledFrom([]wallet.Status{wallet.InUse, wallet.InUse, wallet.InUse, wallet.Stopped, wallet.Suspended}).Draw(l.T, "status")
	platform := rapid.Bool().Draw(l.T, "platform")
	w, err := l.w.SetStatus(to, platform)
	may := platform || to == l.w.Status || to != wallet.Suspended && l.w.Status != wallet.Suspended
	if (err == nil) != may {
		l.Fatalf("SetStatus(%s, %v) of a wallet that is %s = %v, want nil: %v", to, platform, l.w.Status, err, may)
	}
	l.w = w
	return err == nil
}

func (l *life) limit() bool {
	if !l.seldom(8) {
		return false
	}
	l.w.DailyLimit = rapid.SampledFrom([]wallet.KRW{0, 1_000, 20_000, 300_000, 1_000_000, 1_000_000}).Draw(l.T, "limit")
	return true
}

func (l *life) card() bool {
	if !l.seldom(8) {
		return false
	}
	l.w.HasCard = rapid.IntRange(0, 3).Draw(l.T, "card") < 3
	return true
}

func (l *life) reconnect() bool {
	if l.w.PaymentState != wallet.AwaitingReconnect {
		return false
	}
	l.w.PaymentState = wallet.Active
	return true
}

func (l *life) wait() bool {
	if !l.seldom(2) {
		return false
	}
	l.now = l.now.Add(time.Duration(rapid.IntRange(1, 40*60_000).Draw(l.T, "milliseconds")) * time.Millisecond)
	return true
}

func (l *life) midnight() bool {
	l.now = clock.NextMidnight(l.now).AddDate(0, 0, rapid.SampledFrom([]int{0, 0, 0, 3, 40}).Draw(l.T, "days"))
	return true
}

// closeMonth closes the oldest month in which something moved, once it is over.
func (l *life) closeMonth() bool {
	if len(l.months) == 0 || !l.months[0].Start.Before(clock.MonthStart(l.now)) {
		return false
	}
	m := l.months[0]
	l.months = l.months[1:]
	l.w.ClosedTo = clock.MonthStart(l.now)
	before := l.w
	if p, some := l.w.RoundMonth(m, l.now); some {
		l.post(l.w, p)
	} else if supply, vat := l.ledger.Month(m.Start); vat != wallet.VAT(supply) {
		l.Fatalf("a month in which %d moved outside, with %d of VAT, is not rounded", supply, vat)
	}
	if l.w != before {
		l.Fatalf("closing a month makes %+v of %+v, want the same balances", l.w, before)
	}
	return true
}
