package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
)

// breakBroadcast leaves a row that no transaction can write any more: it counts more people than
// its audience has.
func breakBroadcast(t *testing.T, s *Store, id broadcast.ID) {
	t.Helper()
	const lie = `UPDATE broadcast SET delivered = audience + 1 WHERE id = $1`
	if s.Embedded() {
		exec(t, s, `PRAGMA ignore_check_constraints = 1`)
		exec(t, s, lie, id)
		exec(t, s, `PRAGMA ignore_check_constraints = 0`)
		return
	}
	exec(t, s, `ALTER TABLE broadcast DROP CONSTRAINT everyone_counts_once`)
	exec(t, s, lie, id)
	exec(t, s, `ALTER TABLE broadcast ADD CONSTRAINT everyone_counts_once
		CHECK (state = 'uploading' OR delivered + failed + unknown + skipped + in_doubt <= audience) NOT VALID`)
}

// wantFailure checks that an error is about one broadcast and no other.
func wantFailure(t *testing.T, what string, err error, of, notOf broadcast.ID) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), string(of)) || strings.Contains(err.Error(), string(notOf)) {
		t.Errorf("%s error = %v, want one about %s", what, err, of)
	}
}

func TestDispatch_oneBrokenRowStopsNobodyElse(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		wallet1, bot1 := shop(t, s, "1", 1000)
		wallet2, bot2 := shop(t, s, "2", 1000)
		broken := running(t, s, order("brd_1", bot1), 3)
		running(t, s, order("brd_2", bot1), 2)
		running(t, s, order("brd_3", bot2), 4)
		breakBroadcast(t, s, broken.ID)
		done, err := s.Dispatch(t.Context(), broadcast.DefaultPace, broadcast.Turn{}, t0)
		wantFailure(t, "Dispatch()", err, broken.ID, "brd_2")
		var queued []string
		for _, row := range done.Rows {
			queued = append(queued, row.ID)
		}
		if slices.Sort(queued); !slices.Equal(queued, []string{"brd_2-000001", "brd_3-000001"}) {
			t.Errorf("Dispatch() queued %v, want those of the two others", queued)
		}
		if c := chunkOf(t, s, broken.ID, 1); c.State != broadcast.Planned || c.Hold != 0 {
			t.Errorf("chunk of the broken broadcast = %s with a hold of %d, want planned and none", c.State, c.Hold)
		}
		if a, b := wantWallet(t, s, wallet1), wantWallet(t, s, wallet2); a.Held != 2*price || b.Held != 4*price {
			t.Errorf("the wallets hold %d and %d, want %d and %d", a.Held, b.Held, 2*price, 4*price)
		}
	})
}

func TestDispatch_unreadableMessageIsPaused(t *testing.T) {
	tests := map[string]string{"event data": "event_data", "params": "params"}
	eachDatabase(t, func(t *testing.T, s *Store) {
		for name, column := range tests {
			t.Run(name, func(t *testing.T) {
				walletID, botID := shop(t, s, column, 1000)
				b := running(t, s, order("brd_"+column, botID), 3, 2)
				exec(t, s, `UPDATE chunk SET next_at = $1 WHERE seq = 2`, millis(t0.Add(time.Second)))
				dispatch(t, s, t0) // one chunk is queued when the message breaks
				exec(t, s, `UPDATE broadcast SET `+column+` = '{"title": ' WHERE id = $1`, b.ID)
				for range 2 { // paused once and left alone
					if rows := dispatch(t, s, t0.Add(time.Second)); len(rows) != 0 {
						t.Errorf("Dispatch() queued %v", rows)
					}
				}
				b = wantBroadcast(t, s, b.ID)
				if b.State != broadcast.Paused || b.PlannedChunks != 2 || !strings.HasPrefix(b.Note, "its stored message cannot be read: "+name) {
					t.Errorf("broadcast = %s, %d planned, note %q, want paused, 2 and why", b.State, b.PlannedChunks, b.Note)
				}
				if w := wantWallet(t, s, walletID); w.Held != 0 {
					t.Errorf("it holds %d, want 0", w.Held)
				}
				if _, err := s.Cancel(t.Context(), b.ID, t0); err != nil {
					t.Errorf("Cancel error = %v, want it cancelled", err)
				}
			})
		}
	})
}

// Every step of the sweep does for others what it cannot do for a broken row.
func TestSweepSteps_oneBrokenRowStopsNobodyElse(t *testing.T) {
	later := t0.Add(time.Hour)
	claimAll := func(t *testing.T, s *Store, ids []broadcast.ID) {
		for _, id := range ids {
			if !claim(t, s, chunkOf(t, s, id, 1), t0) {
				t.Fatalf("cannot claim the chunk of %s", id)
			}
		}
	}
	tests := map[string]struct {
		before func(t *testing.T, s *Store, ids []broadcast.ID)
		step   func(s *Store, ctx context.Context) (int, error)
		want   broadcast.ChunkState
	}{
		"leases": {claimAll, func(s *Store, ctx context.Context) (int, error) { return s.ExpireSending(ctx, later) }, broadcast.InDoubt},
		"overdue": {func(*testing.T, *Store, []broadcast.ID) {},
			func(s *Store, ctx context.Context) (int, error) { return s.RecallOverdue(ctx, later) }, broadcast.Planned},
		"old doubts": {func(t *testing.T, s *Store, ids []broadcast.ID) {
			claimAll(t, s, ids)
			for _, id := range ids {
				record(t, s, chunkOf(t, s, id, 1), broadcast.Verdict{Outcome: broadcast.OutcomeInDoubt}, t0)
			}
		}, func(s *Store, ctx context.Context) (int, error) { return s.EndDoubt(ctx, t0.Add(DoubtTerm)) }, broadcast.InDoubt},
		"cancelled": {func(t *testing.T, s *Store, ids []broadcast.ID) {
			for _, id := range ids {
				if _, err := s.changeBroadcast(t.Context(), id, t0, s.cancel(t.Context())); err != nil {
					t.Fatal(err)
				}
			}
		}, func(s *Store, ctx context.Context) (int, error) {
			_, err := s.RetireOver(ctx, later)
			return 1, err
		}, broadcast.ChunkCancelled},
		"dead tasks": {func(t *testing.T, s *Store, ids []broadcast.ID) {
			exec(t, s, `UPDATE chunk SET dead = $1`, deadToPark-1)
		}, func(s *Store, ctx context.Context) (int, error) {
			rows, err := s.Waiting(ctx, WorkChunk, later, 10)
			if err != nil {
				return 0, err
			}
			return 1, s.Forget(ctx, WorkChunk, rows, true, later)
		}, broadcast.Parked},
	}
	eachDatabase(t, func(t *testing.T, s *Store) {
		n := 0
		for name, tt := range tests {
			for place := range 2 { // whichever comes first
				n++
				t.Run(fmt.Sprintf("%s, broken is no. %d", name, place+1), func(t *testing.T) {
					for _, table := range []string{"chunk", "broadcast"} { // of earlier cases
						exec(t, s, `DELETE FROM `+table)
					}
					var ids []broadcast.ID
					for i := range 2 {
						_, botID := shop(t, s, fmt.Sprintf("%d_%d", n, i), 1000)
						ids = append(ids, running(t, s, order(fmt.Sprintf("brd_%d_%d", n, i), botID), 3).ID)
					}
					if rows := dispatch(t, s, t0); len(rows) != 2 {
						t.Fatalf("Dispatch() = %v, want 2 chunks", rows)
					}
					tt.before(t, s, ids)
					broken, whole := ids[place], ids[1-place]
					breakBroadcast(t, s, broken)
					was := chunkOf(t, s, broken, 1)
					did, err := tt.step(s, t.Context())
					wantFailure(t, name, err, broken, whole)
					if did != 1 {
						t.Errorf("%s did %d, want 1", name, did)
					}
					c := chunkOf(t, s, whole, 1)
					if c.State != tt.want || c.Hold != 0 && name != "leases" {
						t.Errorf("the other's chunk = %s with a hold of %d, want %s", c.State, c.Hold, tt.want)
					}
					wantBroadcast(t, s, whole)
					if now := chunkOf(t, s, broken, 1); now.State != was.State || now.Hold != was.Hold {
						t.Errorf("the broken one's chunk = %s with %d held, want it as it was: %s, %d", now.State, now.Hold, was.State, was.Hold)
					}
				})
			}
		}
	})
}

// A counter that is wrong keeps nobody busy for ever.
func TestCancel_wrongCounter(t *testing.T) {
	ways := map[string]func(*Store, context.Context, broadcast.ID) error{
		"Cancel": func(s *Store, ctx context.Context, id broadcast.ID) error {
			_, err := s.Cancel(ctx, id, t0)
			return err
		},
		"RetireOver": func(s *Store, ctx context.Context, id broadcast.ID) error {
			if _, err := s.changeBroadcast(ctx, id, t0, s.cancel(ctx)); err != nil {
				return err
			}
			for {
				if more, err := s.RetireOver(ctx, t0); err != nil || !more {
					return err
				}
			}
		},
	}
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 0)
		n := 0
		for name, cancel := range ways {
			for _, wrong := range []int{1, -1} {
				n++
				b := running(t, s, order(fmt.Sprintf("brd_%d", n), botID), 3, 2)
				exec(t, s, `UPDATE broadcast SET planned_chunks = planned_chunks + $2 WHERE id = $1`, b.ID, wrong)
				ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
				if err := cancel(s, ctx, b.ID); err != nil {
					t.Errorf("%s with a counter off by %d: %v", name, wrong, err)
				}
				stop()
				if b := wantBroadcast(t, s, b.ID); b.State != broadcast.Cancelled || b.FinishedAt.IsZero() || b.Counts.Skipped != 5 {
					t.Errorf("%s with a counter off by %d = %s, finished %v, %d skipped, want cancelled, now, 5", name, wrong, b.State, b.FinishedAt, b.Counts.Skipped)
				}
			}
		}
	})
}
