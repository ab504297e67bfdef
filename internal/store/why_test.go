package store

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/wallet"
)

// debt is a queue of what is owed, the second opinion on what pays for what.
type debt struct {
	legs []owedLeg
	paid map[string]map[string]wallet.KRW // by what was accrued, by what paid it
}

// pay pays the oldest first.
func (d *debt) pay(by string, amount wallet.KRW) {
	for i := range d.legs {
		take := min(amount, d.legs[i].amount)
		if take == 0 {
			continue
		}
		ref := d.legs[i].Ref
		if d.paid[ref] == nil {
			d.paid[ref] = map[string]wallet.KRW{}
		}
		d.paid[ref][by] += take
		d.legs[i].amount -= take
		amount -= take
	}
}

// told writes what paid for something, sorted.
func told(paid map[string]wallet.KRW) string {
	var lines []string
	for by, amount := range paid {
		lines = append(lines, fmt.Sprint(by, "=", amount))
	}
	slices.Sort(lines)
	return strings.Join(lines, " ")
}

// A random wallet that accrues, tops up and is charged, in vain too: every won is traced from the
// capture to what paid it and back, as a queue of debts has it.
func TestWhy_everyWon(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		r := rand.New(rand.NewPCG(9, 4))
		newWallet(t, s, "w", 0)
		now := t0
		refs := 0
		ref := func(kind string) string { refs++; return fmt.Sprintf("%s_%03d", kind, refs) }
		var captures, charges []string
		type event struct {
			by     string
			amount wallet.KRW // accrued below 0
			fails  bool
		}
		var events []event
		charge := func(fails bool) {
			w, err := s.Wallet(t.Context(), "w")
			if err != nil || w.Accrual == 0 {
				return
			}
			id, amount := ref("chg"), max(1, w.Accrual*wallet.KRW(1+r.IntN(4))/4)
			exec(t, s, `INSERT INTO charge (id, wallet_id, supply_krw, vat_krw, state, opened_at, closed_at) VALUES ($1, 'w', $2, 0, 'open', $3, 0)`, id, amount, millis(now))
			post1(t, s, "w", func(w wallet.Wallet) (wallet.Wallet, wallet.Posting) { return w.OpenCharge(amount, id, now) })
			events = append(events, event{id, amount, fails})
			if !fails {
				charges = append(charges, id)
			}
			state := billing.ChargePaid
			now = now.Add(time.Duration(r.IntN(3)) * time.Millisecond)
			post1(t, s, "w", func(w wallet.Wallet) (wallet.Wallet, wallet.Posting) {
				if fails {
					state = billing.ChargeFailed
					return w.FailCharge(amount, id, now)
				}
				return w.PayCharge(amount, wallet.VAT(amount), id, now)
			})
			exec(t, s, `UPDATE charge SET state = $2 WHERE id = $1`, id, state)
		}
		for range 120 {
			now = now.Add(time.Duration(r.IntN(3)) * time.Millisecond) // several of one millisecond
			switch r.IntN(8) {
			case 0:
				now = now.Add(time.Millisecond) // money that comes in the same millisecond pays what came in it first
				id, supply := ref("cko"), wallet.KRW(1_000+r.IntN(2_000))
				var owed wallet.KRW
				post1(t, s, "w", func(w wallet.Wallet) (wallet.Wallet, wallet.Posting) {
					after, p := w.TopUp(min(supply, max(w.Accrual, 1)), 0, id, now)
					owed = p.Accrual
					return after, p
				})
				events = append(events, event{id, owed, false})
				now = now.Add(time.Millisecond)
			case 1, 2:
				now = now.Add(time.Millisecond)
				charge(r.IntN(3) == 0)
				now = now.Add(time.Millisecond)
			default:
				id, amount := fmt.Sprintf("brd_%d-%06d", r.IntN(2), len(captures)+1), wallet.KRW(15*(1+r.IntN(100)))
				var accrued wallet.KRW
				post1(t, s, "w", func(w wallet.Wallet) (wallet.Wallet, wallet.Posting) {
					after, p := w.Capture(0, amount, nil, id, now)
					accrued = -p.Accrual
					return after, p
				})
				captures = append(captures, id)
				events = append(events, event{id, -accrued, false})
			}
		}
		opinion := debt{paid: map[string]map[string]wallet.KRW{}}
		// Captures of one millisecond are in the order of their refs.
		at := map[string]int64{}
		for _, line := range texts(t, s, `SELECT ref || ' ' || CAST(at AS TEXT) FROM posting WHERE kind = 'capture'`) {
			var ms int64
			var id string
			if _, err := fmt.Sscan(line, &id, &ms); err != nil {
				t.Fatal(err)
			}
			at[id] = ms
		}
		for i, e := range events {
			if e.amount < 0 {
				opinion.legs = append(opinion.legs, owedLeg{PostingMark: PostingMark{Ref: e.by}, amount: -e.amount})
				slices.SortStableFunc(opinion.legs, func(a, b owedLeg) int { return cmp.Or(cmp.Compare(at[a.Ref], at[b.Ref]), cmp.Compare(a.Ref, b.Ref)) })
			} else if !e.fails {
				opinion.pay(events[i].by, e.amount)
			}
		}
		for _, id := range captures {
			x, err := s.Explain(t.Context(), "w", "capture", id)
			if err != nil {
				t.Fatalf("Explain(%s) error = %v", id, err)
			}
			paid := map[string]wallet.KRW{}
			rest := -x.Posting.Accrual
			for _, p := range x.PaidBy {
				paid[p.Ref] += p.Amount
				rest -= p.Amount
			}
			if told(paid) != told(opinion.paid[id]) || rest != x.Unpaid {
				t.Errorf("%s is paid by %q and %d not, want %q and %d", id, told(paid), x.Unpaid, told(opinion.paid[id]), rest)
			}
		}
		for _, id := range charges {
			got, want := map[string]wallet.KRW{}, map[string]wallet.KRW{}
			for capture, by := range opinion.paid {
				if by[id] > 0 {
					want[capture] = by[id]
				}
			}
			for mark := (*OriginMark)(nil); ; {
				page, next, err := s.ChargeOrigins(t.Context(), "w", id, mark, 3)
				if err != nil {
					t.Fatal(err)
				}
				for _, o := range page {
					got[o.Ref] += o.Paid
					if o.Earlier+o.Paid+o.Later != o.Accrued || o.Paid <= 0 {
						t.Errorf("charge %s pays %+v, which does not add up", id, o)
					}
				}
				if mark = next; next == nil {
					break
				}
			}
			if told(got) != told(want) {
				t.Errorf("charge %s pays %q, want %q", id, told(got), told(want))
			}
		}
		for n := range 2 {
			id := fmt.Sprint("brd_", n)
			create(t, s, order(id, newBot(t, s, "bot"+id, "w")))
			c, err := s.BroadcastCost(t.Context(), id, true)
			if err != nil {
				t.Fatal(err)
			}
			got, want := map[string]wallet.KRW{}, map[string]wallet.KRW{}
			for _, p := range c.PaidBy {
				got[p.Ref] += p.Amount
			}
			var sum wallet.KRW
			for capture, by := range opinion.paid {
				if strings.HasPrefix(capture, id+"-") {
					for payer, amount := range by {
						want[payer] += amount
						sum += amount
					}
				}
			}
			if told(got) != told(want) || c.Unpaid != c.Accrual-sum || c.Captured != c.Free+c.Paid+c.Accrual {
				t.Errorf("%s cost %+v, want paid by %q", id, c, told(want))
			}
		}
	})
}

// Each kind of posting of a busy wallet is explained by its cause.
func TestExplain(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		d := openDesk(t, s)
		exec(t, s, `UPDATE chunk SET delivered = 40, failed = 0 WHERE id = 'brd_w-000002'`)
		_, page := d.compare()
		d.correct(page.Found)
		ledger, err := s.Postings(t.Context(), "w", PostingMark{}, 100)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[wallet.PostingKind]bool{}
		for _, p := range ledger {
			x, err := s.Explain(t.Context(), "w", string(p.Kind), p.Ref)
			if err != nil {
				t.Fatalf("Explain(%s, %s) error = %v", p.Kind, p.Ref, err)
			}
			explained := true
			switch p.Kind {
			case wallet.Capture:
				explained = x.Sent == nil == (p.Revenue == 0) && (x.Sent == nil || string(x.Sent.Chunk.ID) == p.Ref)
			case wallet.Correction:
				explained = x.Corrects != nil && x.Corrects.Ref == "brd_w-000002" && x.Sent != nil && x.Sent.Chunk.Delivered == 40
			case wallet.ChargeOpened, wallet.ChargePaid:
				explained = x.Charge != nil && len(x.Charge.Attempts) == 1
			case wallet.TopUp:
				explained = x.Payment != nil && x.Payment.Checkout == p.Ref && x.Payment.Total == -p.Clearing && (x.Payment.Method == billing.ByBank) == (x.Payment.TID == "")
			case wallet.Refund:
				explained = x.Payment != nil && x.Payment.Refund != "" && x.Payment.TopUp != "" && x.Payment.Total == p.Clearing
			}
			if !explained {
				t.Errorf("Explain(%s, %s) = %+v, want its cause", p.Kind, p.Ref, x)
			}
			seen[p.Kind] = true
		}
		if len(seen) < 8 {
			t.Errorf("kinds seen: %v, want at least 8", seen)
		}
		x, err := s.Explain(t.Context(), "w", "", "brd_w-000001")
		if err != nil || len(x.Grants) != 1 || x.Grants[0].Used != 600 || len(x.PaidBy) != 1 || x.PaidBy[0].State != "paid" || x.Unpaid != 0 {
			t.Errorf("Explain(brd_w-000001) = %+v, %v, want 600 of one grant and a charge that paid the rest", x, err)
		}
		if _, err := s.Explain(t.Context(), "w", "capture", "brd_none-000001"); fault.KindOf(err) != fault.NotFound {
			t.Errorf("Explain() of nothing error = %v, want NotFound", err)
		}
		people, err := s.People(t.Context(), "brd_w", PeopleFilter{Person: "u2-7"}, 10)
		if err != nil || len(people) != 1 || people[0].Chunk.Seq != 2 || !people[0].Captured {
			t.Errorf("People() with u2-7 = %+v, %v, want chunk 2", people, err)
		}
		if people, err = s.People(t.Context(), "brd_w", PeopleFilter{Person: "u%"}, 10); err != nil || len(people) != 0 {
			t.Errorf("People() with a pattern = %d chunks, %v, want none", len(people), err)
		}
	})
}
