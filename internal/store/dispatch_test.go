package store

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/wallet"
)

func TestDispatch_takesMoneyAside(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		walletID, botID := shop(t, s, "1", 10_000)
		b := running(t, s, order("brd_1", botID), 100, 7)
		now := t0.Add(time.Second)
		rows := dispatch(t, s, now)
		want := []broadcast.Row{{ID: string(broadcast.NewChunkID(b.ID, 1)), Epoch: 1}, {ID: string(broadcast.NewChunkID(b.ID, 2)), Epoch: 1}}
		slices.SortFunc(rows, func(a, b broadcast.Row) int { return strings.Compare(a.ID, b.ID) })
		if !slices.Equal(rows, want) {
			t.Errorf("Dispatch() = %v, want %v", rows, want)
		}
		first := chunkOf(t, s, b.ID, 1)
		if first.State != broadcast.Queued || first.Hold != 1500 || !first.SendBy.Equal(now.Add(10*time.Minute)) || !first.EnqueuedAt.Equal(now) {
			t.Errorf("chunk after Dispatch = %s, hold %d, send by %v, enqueued %v, want queued, 1500, in 10 min, now", first.State, first.Hold, first.SendBy, first.EnqueuedAt)
		}
		if w := wantWallet(t, s, walletID); w.Held != 107*price || w.Paid != 10_000 {
			t.Errorf("wallet holds %d of %d, want %d of 10000", w.Held, w.Paid, 107*price)
		}
		if b := wantBroadcast(t, s, b.ID); b.PlannedChunks != 0 || !b.StartedAt.Equal(now) || b.Wait != broadcast.NotWaiting {
			t.Errorf("broadcast has %d planned, started %v, waits for %q, want 0, now, nothing", b.PlannedChunks, b.StartedAt, b.Wait)
		}
		if again := dispatch(t, s, now.Add(time.Second)); len(again) != 0 {
			t.Errorf("second Dispatch() = %v, want nothing", again)
		}
	})
}

func TestDispatch_sendByIsNeverAfterExpiry(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 1000)
		o := order("brd_1", botID)
		o.ExpiresAt = t0.Add(time.Minute)
		b := running(t, s, o, 1)
		dispatch(t, s, t0)
		c := chunkOf(t, s, b.ID, 1)
		if !c.SendBy.Equal(o.ExpiresAt) {
			t.Errorf("send_by = %v, want the expiry %v", c.SendBy, o.ExpiresAt)
		}
		if claim(t, s, c, o.ExpiresAt) {
			t.Error("claimed at the moment of expiry, want refused")
		}
	})
}

func TestDispatch_stopsAtFunds(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		walletID, botID := shop(t, s, "1", 3000+1499)
		b := running(t, s, order("brd_1", botID), 100, 100, 100, 100)
		if rows := dispatch(t, s, t0); len(rows) != 2 {
			t.Errorf("Dispatch() queued %d chunks, want the 2 that the wallet can pay", len(rows))
		}
		dispatch(t, s, t0.Add(time.Second))
		if b := wantBroadcast(t, s, b.ID); b.Wait != broadcast.WaitFunds || !b.WaitUntil.IsZero() || b.PlannedChunks != 2 {
			t.Errorf("broadcast waits for %q until %v with %d planned, want funds, unknown, 2", b.Wait, b.WaitUntil, b.PlannedChunks)
		}
		topUp(t, s, walletID, 1, "cko_one_won", t0)
		if rows := dispatch(t, s, t0.Add(2*time.Second)); len(rows) != 1 {
			t.Errorf("Dispatch() after the missing won queued %d chunks, want 1", len(rows))
		}
		if b := wantBroadcast(t, s, b.ID); b.Wait != broadcast.NotWaiting {
			t.Errorf("broadcast that moves waits for %q", b.Wait)
		}
		topUp(t, s, walletID, 1500, "cko_rest", t0)
		if rows := dispatch(t, s, t0.Add(3*time.Second)); len(rows) != 1 {
			t.Errorf("Dispatch() after all the money queued %d chunks, want 1", len(rows))
		}
		if w := wantWallet(t, s, walletID); w.Held != 6000 || w.Spendable(t0) != 0 {
			t.Errorf("wallet holds %d with %d left, want 6000 and 0", w.Held, w.Spendable(t0))
		}
	})
}

func TestDispatch_stopsAtTheDailyLimitUntilMidnight(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		walletID, botID := shop(t, s, "1", 0)
		newCard(t, s, "crd_1", newAccount(t, s, "acc_1"), walletID, 1)
		exec(t, s, `UPDATE wallet SET daily_limit_krw = 2000 WHERE id = $1`, walletID)
		b := running(t, s, order("brd_1", botID), 100, 100)
		if rows := dispatch(t, s, t0); len(rows) != 1 {
			t.Fatalf("Dispatch() queued %d chunks, want the 1 that the limit allows", len(rows))
		}
		settle(t, s, sent(t, s, b.ID, 1, t0), 100, t0)
		dispatch(t, s, t0.Add(time.Second))
		midnight := clock.NextMidnight(t0)
		if b := wantBroadcast(t, s, b.ID); b.Wait != broadcast.WaitDailyLimit || !b.WaitUntil.Equal(midnight) {
			t.Errorf("broadcast waits for %q until %v, want daily_limit until %v", b.Wait, b.WaitUntil, midnight)
		}
		if rows := dispatch(t, s, midnight.Add(-time.Millisecond)); len(rows) != 0 {
			t.Errorf("Dispatch() before midnight queued %v", rows)
		}
		if rows := dispatch(t, s, midnight); len(rows) != 1 {
			t.Errorf("Dispatch() at midnight queued %d chunks, want 1", len(rows))
		}
		if w := wantWallet(t, s, walletID); w.Accrual != 1500 || w.Held != 1500 {
			t.Errorf("wallet owes %d and holds %d, want 1500 and 1500", w.Accrual, w.Held)
		}
	})
}

func TestDispatch_waitsForTheWallet(t *testing.T) {
	tests := map[string]struct {
		set  string
		want broadcast.Wait
	}{
		"unpaid":             {`payment_state = 'UNPAID'`, broadcast.WaitUnpaid},
		"awaiting reconnect": {`payment_state = 'AWAITING_RECONNECT'`, broadcast.WaitUnpaid},
		"stopped":            {`status = 'stopped'`, broadcast.WaitStopped},
		"suspended":          {`status = 'suspended'`, broadcast.WaitStopped},
	}
	eachDatabase(t, func(t *testing.T, s *Store) {
		n := 0
		for name, tt := range tests {
			n++
			t.Run(name, func(t *testing.T) {
				walletID, botID := shop(t, s, fmt.Sprint(n), 1000)
				b := running(t, s, order(fmt.Sprintf("brd_%d", n), botID), 3)
				exec(t, s, `UPDATE wallet SET `+tt.set+` WHERE id = $1`, walletID)
				if rows := dispatch(t, s, t0); len(rows) != 0 {
					t.Errorf("Dispatch() queued %v", rows)
				}
				if b := wantBroadcast(t, s, b.ID); b.Wait != tt.want {
					t.Errorf("broadcast waits for %q, want %q", b.Wait, tt.want)
				}
				exec(t, s, `UPDATE wallet SET payment_state = 'ACTIVE', status = 'in_use' WHERE id = $1`, walletID)
				if rows := dispatch(t, s, t0); len(rows) != 1 {
					t.Errorf("Dispatch() afterwards queued %v, want 1 chunk", rows)
				}
				if b := wantBroadcast(t, s, b.ID); b.Wait != broadcast.NotWaiting {
					t.Errorf("broadcast afterwards waits for %q", b.Wait)
				}
				wantWallet(t, s, walletID)
			})
		}
	})
}

func TestDispatch_waitsForTheBot(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		for _, reason := range []broadcast.Wait{broadcast.WaitConfig, broadcast.WaitProvider} {
			t.Run(string(reason), func(t *testing.T) {
				_, botID := shop(t, s, string(reason), 1000)
				b := running(t, s, order("brd_"+string(reason), botID), 3)
				exec(t, s, `UPDATE bot SET paused_reason = $2 WHERE id = $1`, botID, string(reason))
				if rows := dispatch(t, s, t0); len(rows) != 0 {
					t.Errorf("Dispatch() queued %v", rows)
				}
				if b := wantBroadcast(t, s, b.ID); b.Wait != reason {
					t.Errorf("broadcast waits for %q, want %s", b.Wait, reason)
				}
				exec(t, s, `UPDATE bot SET paused_reason = '' WHERE id = $1`, botID)
				if rows := dispatch(t, s, t0); len(rows) != 1 {
					t.Errorf("Dispatch() afterwards queued %v, want 1 chunk", rows)
				}
			})
		}
	})
}

// A reason is taken back also when the only planned chunk waits after a failed try, which is then the reason.
func TestDispatch_forgetsAReasonThatIsOver(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 1000)
		b := running(t, s, order("brd_1", botID), 3)
		exec(t, s, `UPDATE broadcast SET wait_reason = 'config'`)
		again := t0.Add(time.Minute)
		exec(t, s, `UPDATE chunk SET attempts = 1, next_at = $1`, millis(again))
		if rows := dispatch(t, s, t0); len(rows) != 0 {
			t.Errorf("Dispatch() queued %v before its time", rows)
		}
		if b := wantBroadcast(t, s, b.ID); b.Wait != broadcast.WaitKakao || !b.WaitUntil.Equal(again) {
			t.Errorf("broadcast waits for %q until %v, want kakao until %v", b.Wait, b.WaitUntil, again)
		}
	})
}

func TestDispatch_keepsToTheTime(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 1000)
		o := order("brd_1", botID)
		o.StartAt, o.ExpiresAt = t0.Add(time.Hour), t0.Add(2*time.Hour)
		b := running(t, s, o, 3)
		if b.Wait != broadcast.WaitScheduled || !b.WaitUntil.Equal(o.StartAt) {
			t.Errorf("sealed broadcast waits for %q until %v, want scheduled until %v", b.Wait, b.WaitUntil, o.StartAt)
		}
		for _, now := range []time.Time{o.StartAt.Add(-time.Millisecond), o.ExpiresAt} {
			if rows := dispatch(t, s, now); len(rows) != 0 {
				t.Errorf("Dispatch() at %v queued %v", now, rows)
			}
		}
		if rows := dispatch(t, s, o.StartAt); len(rows) != 1 {
			t.Errorf("Dispatch() at the start queued %v, want 1 chunk", rows)
		}
		if b := wantBroadcast(t, s, b.ID); b.Wait != broadcast.NotWaiting || !b.WaitUntil.IsZero() {
			t.Errorf("started broadcast waits for %q until %v", b.Wait, b.WaitUntil)
		}
	})
}

func TestDispatch_sharesBetweenWallets(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, big := shop(t, s, "big", 1_000_000)
		_, small := shop(t, s, "small", 1_000)
		running(t, s, order("brd_big", big), slices.Repeat([]int{100}, 30)...)
		running(t, s, order("brd_small", small), 5)
		pace := broadcast.DefaultPace
		pace.MaxQueued = 4
		done, err := s.Dispatch(t.Context(), pace, broadcast.Turn{}, t0)
		if err != nil || len(done.Rows) != 4 {
			t.Fatalf("Dispatch() = %v, %v, want 4 chunks", done.Rows, err)
		}
		if !slices.ContainsFunc(done.Rows, func(r broadcast.Row) bool { return r.ID == "brd_small-000001" }) {
			t.Errorf("Dispatch() = %v, want the small broadcast among them", done.Rows)
		}
		if done, err := s.Dispatch(t.Context(), pace, done.Next, t0); err != nil || len(done.Rows) != 0 {
			t.Errorf("Dispatch() into a full queue = %v, %v, want nothing", done.Rows, err)
		}
	})
}

// Several dispatchers, as of several schedulers, never queue a chunk twice or hold more than
// there is.
func TestDispatch_manyAtOnce(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		const wallets, chunks = 3, 40
		pace := broadcast.DefaultPace
		pace.MaxQueued, pace.Ahead = 1000, time.Minute
		for n := range wallets {
			_, botID := shop(t, s, fmt.Sprint(n), 10*chunks/2*price) // enough for half of them
			running(t, s, order(fmt.Sprintf("brd_%d", n), botID), slices.Repeat([]int{10}, chunks)...)
		}
		var (
			mu     sync.Mutex
			queued = map[broadcast.Row]int{}
			all    sync.WaitGroup
		)
		for d := range 4 {
			all.Go(func() {
				turn := broadcast.Turn{N: d}
				for range 10 {
					done, err := s.Dispatch(t.Context(), pace, turn, t0)
					if err != nil {
						t.Error(err)
						return
					}
					turn = done.Next
					mu.Lock()
					for _, row := range done.Rows {
						queued[row]++
					}
					mu.Unlock()
				}
			})
		}
		all.Wait()
		for row, times := range queued {
			if times != 1 || row.Epoch != 1 {
				t.Errorf("%v was queued %d times, want once with epoch 1", row, times)
			}
		}
		if len(queued) != wallets*chunks/2 {
			t.Errorf("queued %d chunks, want %d", len(queued), wallets*chunks/2)
		}
		for n := range wallets {
			w := wantWallet(t, s, fmt.Sprintf("wal_%d", n))
			if w.Held != w.Paid || w.Held != wallet.KRW(10*chunks/2)*price {
				t.Errorf("wallet %s holds %d of %d, want all of it", w.ID, w.Held, w.Paid)
			}
			wantBroadcast(t, s, broadcast.ID(fmt.Sprintf("brd_%d", n)))
		}
	})
}
