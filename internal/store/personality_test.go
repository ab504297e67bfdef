package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/wallet"
)

// arcade is many wallets at one gateway, each with a card whose behaviour changes and a backup that
// pays.
type arcade struct {
	*market
	wallets []string
	used    wallet.KRW // all that was ever owed
}

func (st *arcade) first(i int) string { return fmt.Sprintf("first-%03d", i) }

func newArcade(t *testing.T, n int) *arcade {
	t.Helper()
	s := openTest(t, sqliteAddress(t))
	exec(t, s, `PRAGMA synchronous = OFF`) // nothing is cut off here, and there are thousands of commits
	st := &arcade{market: newMarket(t, s, func(settings *billing.Settings) {
		settings.Storm = billing.StormGuard{} // a hundred declines are the point here
	})}
	for i := range n {
		id := fmt.Sprintf("w%03d", i)
		st.put(id, 0, st.first(i), fmt.Sprintf("backup-%03d", i))
		st.wallets = append(st.wallets, id)
	}
	return st
}

// use lets every wallet owe 1,500 KRW since before the last midnight.
func (st *arcade) use() {
	st.t.Helper()
	st.pass(25 * time.Hour)
	ref := fmt.Sprint("use-", st.clock().UnixMilli())
	err := st.s.inTx(st.t.Context(), func(tx *sql.Tx) error {
		for _, id := range st.wallets {
			w, err := st.s.lockWallet(st.t.Context(), tx, id)
			if err != nil {
				return err
			}
			w, p := w.Capture(0, 1_500, nil, ref, st.clock().Add(-25*time.Hour))
			if err := st.s.post(st.t.Context(), tx, id, p); err != nil {
				return err
			}
			if err := saveWallet(st.t.Context(), tx, w); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		st.t.Fatal(err)
	}
	st.used += 1_500 * wallet.KRW(len(st.wallets))
}

// once does what is due now, side by side, as workers do, every task of it twice.
func (st *arcade) once(kind Work, run func(context.Context, string, int) (billing.Result, error)) (busy bool) {
	st.t.Helper()
	rows, err := st.s.Stamp(st.t.Context(), kind, st.clock(), 1000)
	if err != nil {
		st.t.Fatal(err)
	}
	queue := make(chan broadcast.Row)
	var workers sync.WaitGroup
	for range 16 {
		workers.Go(func() {
			for row := range queue {
				if _, err := run(st.t.Context(), row.ID, row.Epoch); err != nil {
					st.t.Errorf("%s %s: %v", kind, row.ID, err)
				}
			}
		})
	}
	for _, row := range rows {
		queue <- row
		queue <- row
	}
	close(queue)
	workers.Wait()
	return len(rows) > 0
}

// settle works until nothing is due at this time.
func (st *arcade) settle() {
	st.t.Helper()
	for range 100 {
		busy := st.once(WorkWallet, func(ctx context.Context, id string, epoch int) (billing.Result, error) {
			result, err := st.OpenDue(ctx, id, epoch)
			for _, next := range result.Next {
				if _, err := st.RunAttempt(ctx, next.Row.ID, next.Row.Epoch); err != nil {
					return result, err
				}
			}
			return result, err
		})
		busy = st.once(WorkAttempt, st.RunAttempt) || busy
		busy = st.once(WorkResolve, st.ResolveAttempt) || busy
		if !busy && len(texts(st.t, st.s, `SELECT id FROM attempt WHERE state = 'prepared' AND enqueued_at > 0`)) == 0 {
			return
		}
		exec(st.t, st.s, `UPDATE attempt SET enqueued_at = 0 WHERE state = 'prepared'`) // as the sweep does for a next card
	}
	st.t.Fatal("the arcade does not come to rest")
}

// firsts changes how every first card behaves.
func (st *arcade) firsts(personality string) {
	st.t.Helper()
	for i := range st.wallets {
		st.admin("PUT", "/sandbox/cards/"+st.first(i), `{"personality":"`+personality+`"}`)
	}
}

// sand is what the gateway took, by the kind of card, and how often it was asked to.
type sand struct{ first, backup, asked int }

func (st *arcade) sand() (now sand) {
	truth := st.market.sand.Truth().KakaoPay
	for _, c := range truth.Cards {
		switch {
		case len(c.Name) > 6 && c.Name[:6] == "first-":
			now.first += c.Payments
		case len(c.Name) > 7 && c.Name[:7] == "backup-":
			now.backup += c.Payments
		}
	}
	now.asked = truth.Requests["subscription"]
	return now
}

func (a sand) since(b sand) sand {
	return sand{a.first - b.first, a.backup - b.backup, a.asked - b.asked}
}

// books checks that the ledger has what the gateway took, that each charge was paid by one payment,
// and that no wallet is unpaid.
func (st *arcade) books() {
	st.t.Helper()
	var clearing, owed int64
	err := st.s.read.QueryRowContext(st.t.Context(), `SELECT CAST(COALESCE(-SUM(clearing), 0) AS BIGINT), CAST(COALESCE(-SUM(accrual + charging), 0) AS BIGINT) FROM posting`).
		Scan(&clearing, &owed)
	if err != nil {
		st.t.Fatal(err)
	}
	if took := st.market.sand.Truth().KakaoPay.PaidKRW; clearing != took {
		st.t.Errorf("the ledger took %d, the gateway %d", clearing, took)
	}
	if owed != 0 {
		st.t.Errorf("%d KRW are owed still, want none", owed)
	}
	want(st.t, "charges that were not paid once", texts(st.t, st.s, `SELECT c.id || ' ' || c.state FROM charge c WHERE c.state NOT IN ('paid', 'halted')
		OR c.state = 'paid' AND 1 <> (SELECT COUNT(*) FROM attempt a WHERE a.subject_id = c.id AND a.state = 'done')`))
	want(st.t, "wallets that are not active", texts(st.t, st.s, `SELECT id FROM wallet WHERE payment_state <> 'ACTIVE'`))
}

// Gateway personalities, a hundred charges each, every task run twice: a charge is paid at most once,
// the next card is never asked while an outcome is unknown, and the books are the gateway's.
func TestPersonalities(t *testing.T) {
	const n = 100
	st := newArcade(t, n)
	fault := func(target, kind, more string) {
		st.admin("POST", "/sandbox/faults", `{"target":"kakaopay.`+target+`","fault":"`+kind+`"`+more+`}`)
	}
	times := `,"count":` + strconv.Itoa(n)
	stalls := func(kind, more string) func() {
		return func() {
			st.impatient()
			fault("subscription", kind, times+more)
		}
	}
	nothing := func() {}
	minutes := func() { st.pass(2 * time.Minute) }
	tests := []struct {
		name    string
		setup   func()
		run     sand   // what the first run brings
		unknown int    // attempts whose outcome is unknown after it
		halted  bool   // nobody is charged after it
		then    func() // what happens before the second
		last    sand   // what both bring
	}{
		{"it pays", nothing, sand{n, 0, n}, 0, false, nothing, sand{n, 0, n}},
		{"paid, but timed out", stalls("stall", ""), sand{n, 0, n}, n, false, minutes, sand{n, 0, n}},
		{"a late answer", stalls("slow", `,"seconds":2`), sand{n, 0, n}, n, false, minutes, sand{n, 0, n}},
		{"paid, and an error", func() { st.firsts("unknown_paid") }, sand{n, 0, n}, n, false, minutes, sand{n, 0, n}},
		{"paid, and the connection is cut", func() { fault("subscription", "cut_after", times) }, sand{n, 0, n}, n, false, minutes, sand{n, 0, n}},
		{"paid, and garbage", func() { fault("subscription", "garbage", times) }, sand{n, 0, n}, n, false, minutes, sand{n, 0, n}},
		{"not found, then paid", func() { st.firsts("unknown_paid") }, sand{n, 0, n}, n, false, func() {
			fault("sid_status", "error_before", `,"count":-1`)
			for range 5 {
				st.pass(10 * time.Minute)
				st.settle()
			}
			want(t, "states while look-ups fail", texts(t, st.s, `SELECT DISTINCT state FROM attempt WHERE closed_at = 0`), "unknown")
			st.admin("DELETE", "/sandbox/faults", "")
			minutes()
		}, sand{n, 0, n}},
		{"not paid, and an error", func() { st.firsts("unknown_unpaid") }, sand{0, 0, n}, n, false, minutes, sand{0, n, 2 * n}},
		{"not paid, and timed out", stalls("stall_before", ""), sand{0, 0, n}, n, false, minutes, sand{0, n, 2 * n}},
		{"duplicate", func() { fault("subscription", "decline", times+`,"code":-785`) }, sand{0, 0, n}, n, false, minutes, sand{0, n, 2 * n}},
		{"declined", func() { st.firsts("declined") }, sand{0, n, 2 * n}, 0, false, nothing, sand{0, n, 2 * n}},
		{"dead", func() { st.firsts("dead") }, sand{0, n, n}, 0, false, nothing, sand{0, n, n}},
		{"dormant", func() {
			for i := range n {
				st.admin("POST", "/sandbox/cards/"+st.first(i)+"/dormant", "")
			}
		}, sand{0, n, n}, 0, false, func() {
			for i := range n {
				st.admin("POST", "/sandbox/cards/"+st.first(i)+"/revive", "")
			}
		}, sand{0, n, n}},
		{"another amount", func() { st.firsts("wrong_amount") }, sand{n, 0, n}, 0, false, st.decide, sand{n, 0, n}},
		{"our key is not accepted", func() { fault("subscription", "unauthorized", `,"count":-1`) }, sand{}, 0, true, func() {
			st.admin("DELETE", "/sandbox/faults", "")
			st.pass(11 * time.Minute)
		}, sand{first: n}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			st.t, st.till.t = t, t
			st.firsts("ok")
			st.use()
			tt.setup()
			before := st.sand()
			st.settle()
			got := st.sand().since(before)
			if tt.halted {
				if got.first+got.backup != 0 || got.asked == 0 || got.asked > 8 {
					t.Errorf("the first run brought %+v, want a few calls and nothing taken", got)
				}
			} else if got != tt.run {
				t.Errorf("the first run brought %+v, want %+v", got, tt.run)
			}
			if unknown := texts(t, st.s, `SELECT id FROM attempt WHERE state = 'unknown'`); len(unknown) != tt.unknown {
				t.Errorf("%d outcomes are unknown after the first run, want %d", len(unknown), tt.unknown)
			}
			st.patient()
			tt.then()
			st.settle()
			got = st.sand().since(before)
			if tt.halted {
				got.asked = 0
			}
			if got != tt.last {
				t.Errorf("both runs brought %+v, want %+v", got, tt.last)
			}
			st.admin("DELETE", "/sandbox/faults", "")
			st.books()
		})
	}
}

// decide takes every charge out of review by what the gateway's own list shows.
func (st *arcade) decide() {
	st.t.Helper()
	list, err := st.s.ChargesInReview(st.t.Context(), "", 1000)
	if err != nil || len(list) != len(st.wallets) {
		st.t.Errorf("%d charges in review, %v, want every one", len(list), err)
	}
	for _, c := range list {
		order := c.Attempts[len(c.Attempts)-1].ID
		payments := st.admin("GET", "/sandbox/truth/payments?order="+order, "")["items"].([]any)
		payment := payments[0].(map[string]any)
		_, err := st.Decide(st.t.Context(), billing.Decision{ChargeID: c.ID, Finding: billing.FoundPaid, TID: payment["tid"].(string),
			Paid: wallet.KRW(payment["total_krw"].(float64)), Reason: "in the gateway's list", By: "acc"})
		if err != nil {
			st.t.Errorf("Decide(%s) = %v", c.ID, err)
		}
	}
	if paid := texts(st.t, st.s, `SELECT DISTINCT CAST(paid_krw AS TEXT) FROM wallet`); !slices.Equal(paid, []string{"9"}) {
		st.t.Errorf("wallets have %q of paid cash, want the 9 KRW that were taken beyond", paid)
	}
}
