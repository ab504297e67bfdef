// Package ledgertest is a second opinion on the ledger of a wallet, for tests. It replays postings
// by what docs/ledger.md says of them, without the rules that made them, and tells what a wallet
// has to look like after them.
package ledgertest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/wallet"
)

// Ledger is the postings of one wallet up to a moment.
type Ledger struct {
	Legs wallet.Posting // sums of the legs so far; the rest of it is empty

	settlement wallet.Settlement
	gifts      map[string]*gift
	order      []*gift // as they are used
	refs       map[string]bool
	open       map[string]wallet.KRW // charges and refunds under way, by ref
	owed       []lot                 // oldest first
	accrued    map[time.Time]wallet.KRW
	last       time.Time
	tookBack   bool             // a provider gave back what nobody asked it to
	months     map[string]moved // what moved outside, by month in Korea such as "2026-11"
}

// gift is free cash as the ledger knows it.
type gift struct {
	wallet.Grant
	amount wallet.KRW
	start  bool
}

// lot is a part of what is owed.
type lot struct {
	at     time.Time
	amount wallet.KRW
}

// New returns the ledger of a wallet without postings.
func New(settlement wallet.Settlement) *Ledger {
	return &Ledger{
		settlement: settlement, gifts: map[string]*gift{}, refs: map[string]bool{}, open: map[string]wallet.KRW{},
		accrued: map[time.Time]wallet.KRW{}, months: map[string]moved{},
	}
}

// Gift tells the ledger of free cash that was given and waits for its use.
func (l *Ledger) Gift(id string, amount wallet.KRW, expires time.Time) {
	g := &gift{Grant: wallet.Grant{ID: id, ExpiresAt: expires}, amount: amount}
	l.gifts[id] = g
	l.order = append(l.order, g)
	slices.SortFunc(l.order, func(a, b *gift) int {
		return cmp.Or(a.ExpiresAt.Compare(b.ExpiresAt), cmp.Compare(a.ID, b.ID))
	})
}

// Remaining returns what is left of started free cash, by gift.
func (l *Ledger) Remaining() map[string]wallet.KRW {
	left := make(map[string]wallet.KRW)
	for id, g := range l.gifts {
		if g.start {
			left[id] = g.Remaining
		}
	}
	return left
}

// Add posts one more, in the order of time. It says what is wrong with it: legs that are not 0
// together or not what its kind says, a month that is rounded otherwise than its payments are or goes on,
// a cause that was posted before or has nothing to end, an account that it makes negative.
func (l *Ledger) Add(p wallet.Posting) error {
	if err := l.add(p); err != nil {
		return fmt.Errorf("%s %s %+v after %+v: %w", p.Kind, p.Ref, p, l.Legs, err)
	}
	return nil
}

func (l *Ledger) add(p wallet.Posting) error {
	key := string(p.Kind) + " " + p.Ref
	switch {
	case p.Sum() != 0:
		return fmt.Errorf("its legs sum to %d, want 0", p.Sum())
	case l.refs[key]:
		return errors.New("posted twice")
	case p.At.Before(l.last):
		return fmt.Errorf("posted before %v", l.last)
	}
	if want, known := l.expect(p); known && legs(want) != legs(p) {
		return fmt.Errorf("want legs %+v", want)
	}
	if err := l.ends(p); err != nil {
		return err
	}
	if err := l.useGifts(p); err != nil {
		return err
	}
	l.refs[key], l.last = true, p.At
	l.tookBack = l.tookBack || p.Kind == wallet.Correction && p.Clearing > 0
	l.owe(p)
	if p.Clearing != 0 {
		month := clock.Month(p.At)
		was := l.months[month]
		l.months[month] = moved{supply: was.supply - p.Clearing - p.VAT - p.Rounding, vat: was.vat + p.VAT}
	}
	s := &l.Legs
	s.Free, s.Paid, s.Refunding, s.Accrual, s.Charging = s.Free+p.Free, s.Paid+p.Paid, s.Refunding+p.Refunding, s.Accrual+p.Accrual, s.Charging+p.Charging
	s.Revenue, s.Clearing, s.VAT = s.Revenue+p.Revenue, s.Clearing+p.Clearing, s.VAT+p.VAT
	s.Rounding, s.Promotion = s.Rounding+p.Rounding, s.Promotion+p.Promotion
	switch {
	case min(s.Free, s.Paid, s.Refunding, -s.Accrual, -s.Charging) < 0:
		return errors.New("makes an account negative")
	case s.Clearing > 0 && !l.tookBack:
		return errors.New("more has gone out than came in")
	}
	return nil
}

func legs(p wallet.Posting) [10]wallet.KRW {
	return [10]wallet.KRW{p.Free, p.Paid, p.Refunding, p.Accrual, p.Charging, p.Revenue, p.Clearing, p.VAT, p.Rounding, p.Promotion}
}

// expect returns what the legs of a posting have to be, given how much it is about. It reports false
// for a kind that it does not know.
func (l *Ledger) expect(p wallet.Posting) (want wallet.Posting, known bool) {
	s := l.Legs
	switch p.Kind {
	case wallet.Capture: // free, paid, accrual, in this order
		want.Revenue = p.Revenue
		want.Free = -min(p.Revenue, s.Free)
		want.Paid = -min(p.Revenue+want.Free, s.Paid)
		want.Accrual = -(p.Revenue + want.Free + want.Paid)
	case wallet.TopUp:
		supply := p.Accrual + p.Paid
		want.Accrual = min(supply, -s.Accrual)
		want.Paid = supply - want.Accrual
		want.VAT = wallet.VAT(supply)
		want.Clearing = -supply - want.VAT
	case wallet.PaidGranted:
		want.Accrual = min(-p.Promotion, -s.Accrual)
		want.Paid = -p.Promotion - want.Accrual
		want.Promotion = p.Promotion
	case wallet.GrantStarted:
		want.Free, want.Promotion = p.Free, -p.Free
	case wallet.GrantExpired:
		want.Free, want.Promotion = -p.Promotion, p.Promotion
	case wallet.ChargeOpened:
		want.Accrual, want.Charging = p.Accrual, -p.Accrual
	case wallet.ChargePaid:
		want.Charging, want.VAT = p.Charging, wallet.VAT(p.Charging)
		want.Clearing = -want.Charging - want.VAT
	case wallet.ChargeFailed:
		want.Charging, want.Accrual = p.Charging, -p.Charging
	case wallet.RefundOpened:
		want.Paid, want.Refunding = p.Paid, -p.Paid
	case wallet.Refund:
		want.Refunding, want.VAT = p.Refunding, wallet.VAT(p.Refunding)
		want.Rounding = p.Rounding
		want.Clearing = -(want.Refunding + want.VAT + want.Rounding)
	case wallet.RefundFailed:
		want.Refunding, want.Paid = p.Refunding, -p.Refunding
	case wallet.Correction:
		return l.expectCorrection(p), true
	case wallet.MonthRounded:
		want.Rounding = l.months[p.Ref].rounding()
		want.VAT = -want.Rounding
	default:
		return want, false
	}
	return want, true
}

// expectCorrection is expect for a correction: of use or of a payment, in one direction or the other.
func (l *Ledger) expectCorrection(p wallet.Posting) (want wallet.Posting) {
	s := l.Legs
	switch {
	case p.Revenue > 0: // as a capture
		p.Kind = wallet.Capture
		want, _ = l.expect(p)
	case p.Revenue < 0: // what was paid for pays what is owed, free cash is free cash again or gone
		cash := p.Accrual + p.Paid
		want.Accrual = min(cash, -s.Accrual)
		want.Paid = cash - want.Accrual
		want.Free, want.Promotion = p.Free, -p.Revenue-cash-p.Free
		want.Revenue = p.Revenue
	case p.Clearing < 0: // as a top-up, but that only the total is known
		want.VAT, want.Clearing = nearestEleventh(-p.Clearing), p.Clearing
		supply := -want.Clearing - want.VAT
		want.Accrual = min(supply, -s.Accrual)
		want.Paid = supply - want.Accrual
	default: // paid cash goes, what is not there is owed
		want.VAT, want.Clearing = -nearestEleventh(p.Clearing), p.Clearing
		supply := want.Clearing + want.VAT
		want.Paid = -min(supply, s.Paid)
		want.Accrual = -supply - want.Paid
	}
	return want
}

func nearestEleventh(total wallet.KRW) (vat wallet.KRW) {
	for 11*(vat+1)-total <= total-11*vat {
		vat++
	}
	return vat
}

// ends checks that what ends was begun and is not ended beyond its amount.
func (l *Ledger) ends(p wallet.Posting) error {
	var ref string
	var amount wallet.KRW
	switch p.Kind {
	case wallet.MonthRounded:
		switch {
		case p.Rounding == 0:
			return errors.New("rounds nothing")
		case !monthEnded(p.Ref, p.At):
			return fmt.Errorf("is of no month that had ended at %v", p.At)
		}
		return nil
	case wallet.ChargeOpened:
		if len(l.openCharges()) > 0 {
			return fmt.Errorf("charges %v are open", l.openCharges())
		}
		l.open["charge "+p.Ref] = p.Accrual
		return nil
	case wallet.RefundOpened:
		l.open["refund "+p.Ref] = p.Refunding
		return nil
	case wallet.ChargePaid, wallet.ChargeFailed:
		ref, amount = "charge "+p.Ref, p.Charging
		if l.open[ref] != amount {
			return fmt.Errorf("%d of it were open", l.open[ref])
		}
	case wallet.Refund, wallet.RefundFailed:
		refund, _, _ := strings.Cut(p.Ref, "-")
		ref, amount = "refund "+refund, -p.Refunding
	default:
		return nil
	}
	if left := l.open[ref]; amount <= 0 || amount > left {
		return fmt.Errorf("%d of it were open", left)
	}
	l.open[ref] -= amount
	return nil
}

func (l *Ledger) openCharges() (open []string) {
	for ref, amount := range l.open {
		if amount > 0 && strings.HasPrefix(ref, "charge ") {
			open = append(open, ref)
		}
	}
	return open
}

// useGifts follows the free leg to the gifts: the one that ends first is used first.
func (l *Ledger) useGifts(p wallet.Posting) error {
	switch p.Kind {
	case wallet.GrantStarted:
		g := l.gifts[p.Ref]
		if g == nil || g.start || p.Free != g.amount || !p.At.Before(g.ExpiresAt) {
			return fmt.Errorf("started %+v", g)
		}
		g.start, g.Remaining = true, g.amount
	case wallet.GrantExpired:
		id, _, _ := strings.Cut(p.Ref, "/")
		g := l.gifts[id]
		if g == nil || -p.Free > g.Remaining || p.Free >= 0 || p.At.Before(g.ExpiresAt) {
			return fmt.Errorf("vanishes from %+v", g)
		}
		if g.Remaining += p.Free; p.Ref != fmt.Sprintf("%s/%d", id, g.Remaining) {
			return fmt.Errorf("leaves %d", g.Remaining)
		}
	case wallet.Correction:
		if p.Free < 0 {
			return l.takeGifts(p)
		}
		for _, use := range p.Grants { // is given back
			g := l.gifts[use.GrantID]
			if g.Remaining -= use.Amount; use.Amount >= 0 || g.Remaining > g.amount || !p.At.Before(g.ExpiresAt) {
				return fmt.Errorf("gives %d back to %+v", -use.Amount, g)
			}
		}
	case wallet.Capture:
		return l.takeGifts(p)
	default:
		if p.Free != 0 {
			return errors.New("moves free cash of no gift")
		}
	}
	return nil
}

// takeGifts takes the free cash of a posting from the gifts, the one that ends first first.
func (l *Ledger) takeGifts(p wallet.Posting) error {
	var uses []wallet.GrantUse
	rest := -p.Free
	for _, g := range l.order {
		if take := min(rest, g.Remaining); take > 0 {
			uses = append(uses, wallet.GrantUse{GrantID: g.ID, Amount: take})
			g.Remaining -= take
			rest -= take
		}
	}
	if rest != 0 || p.Grants != nil && !slices.Equal(uses, p.Grants) {
		return fmt.Errorf("uses gifts %v, want %v, earliest end first", p.Grants, uses)
	}
	return nil
}

// owe follows the accrual: what is paid is the oldest part of it, and what a charge could not
// collect, or a payment took back, is older than everything.
func (l *Ledger) owe(p wallet.Posting) {
	switch {
	case p.Kind == wallet.ChargeFailed, p.Kind == wallet.Correction && p.Clearing > 0 && p.Accrual < 0:
		l.owed = slices.Insert(l.owed, 0, lot{amount: -p.Accrual})
	case p.Accrual < 0:
		l.owed = append(l.owed, lot{p.At, -p.Accrual})
		l.accrued[clock.Midnight(p.At)] -= p.Accrual
	}
	for paid := p.Accrual; paid > 0 && len(l.owed) > 0; {
		take := min(paid, l.owed[0].amount)
		paid -= take
		if l.owed[0].amount -= take; l.owed[0].amount == 0 {
			l.owed = l.owed[1:]
		}
	}
}

// Due returns what is to be charged at a time, without regard to turns in a spread run.
func (l *Ledger) Due(now time.Time) wallet.KRW {
	if -l.Legs.Accrual >= l.settlement.AtOnce() {
		return -l.Legs.Accrual
	}
	return l.Overdue(now)
}

// Overdue returns what was accrued before the last settlement moment.
func (l *Ledger) Overdue(now time.Time) (krw wallet.KRW) {
	moment := l.settlement.Moment(now)
	for _, part := range l.owed {
		if part.at.Before(moment) {
			krw += part.amount
		}
	}
	return krw
}

// AccruedOn returns what was added to the accrual on the day in Korea of a time.
func (l *Ledger) AccruedOn(now time.Time) wallet.KRW { return l.accrued[clock.Midnight(now)] }

// Check says where a wallet is not what its postings make of it.
func (l *Ledger) Check(w wallet.Wallet, now time.Time) error {
	s := l.Legs
	got := [5]wallet.KRW{w.Free, w.Paid, w.Refunding, w.Accrual, w.Charging}
	want := [5]wallet.KRW{s.Free, s.Paid, s.Refunding, -s.Accrual, -s.Charging}
	if got != want {
		return fmt.Errorf("free, paid, refunding, accrual, charging of the wallet are %v, of its postings %v", got, want)
	}
	if low := min(w.Free, w.Paid, w.Refunding, w.Accrual, w.Charging, w.Held, w.AccrualOld, w.Accrued); low < 0 || w.AccrualOld > w.Accrual {
		return fmt.Errorf("the wallet %+v has something negative, or more old accrual than accrual", w)
	}
	var left wallet.KRW
	for _, g := range l.order {
		left += g.Remaining
	}
	if left != w.Free {
		return fmt.Errorf("the gifts have %d left, the wallet %d of free cash", left, w.Free)
	}
	w.Settlement.Spread = 0
	if got, want := w.Due(now), l.Due(now); got != want {
		return fmt.Errorf("%d are due at %v by the wallet %+v, %d by its postings", got, now, w, want)
	}
	w.HasCard, w.DailyLimit = true, 1<<40
	if got, want := w.DailyLimit-w.DailyLeft(now), l.AccruedOn(now); got != want {
		return fmt.Errorf("the wallet accrued %d on the day of %v, its postings %d", got, now, want)
	}
	if w.PaymentState == wallet.Unpaid && w.Charging == 0 && l.Overdue(now) == 0 {
		return fmt.Errorf("the wallet is unpaid and owes nothing that is overdue")
	}
	return nil
}
