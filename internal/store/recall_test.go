package store

import (
	"database/sql"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
)

// street is two wallets with a bot each; the second wallet also has a broadcast of the first
// wallet's bot, as after the bot moved from one wallet to the other.
func street(t *testing.T, s *Store) {
	t.Helper()
	_, bot1 := shop(t, s, "1", 1000)
	_, bot2 := shop(t, s, "2", 1000)
	running(t, s, order("brd_1", bot1), 3, 2)
	running(t, s, order("brd_2", bot2), 4)
	exec(t, s, `UPDATE bot SET wallet_id = 'wal_2' WHERE id = $1`, bot1)
	running(t, s, order("brd_3", bot1), 5)
	if rows := dispatch(t, s, t0); len(rows) != 4 {
		t.Fatalf("Dispatch() = %v, want 4 chunks", rows)
	}
}

// queuedOf counts the chunks of each broadcast of the street that are still queued.
func queuedOf(t *testing.T, s *Store) (queued [3]int) {
	t.Helper()
	for i, id := range []broadcast.ID{"brd_1", "brd_2", "brd_3"} {
		b := wantBroadcast(t, s, id)
		queued[i] = b.Chunks - b.PlannedChunks
	}
	for _, id := range []string{"wal_1", "wal_2"} {
		wantWallet(t, s, id)
	}
	return queued
}

func TestRecall(t *testing.T) {
	tests := map[string]struct {
		recall func(t *testing.T, s *Store) error
		want   [3]int // chunks still queued
	}{
		"a broadcast": {func(t *testing.T, s *Store) error {
			_, err := s.Pause(t.Context(), "brd_1", t0)
			return err
		}, [3]int{0, 1, 1}},
		"a wallet": {func(t *testing.T, s *Store) error {
			return s.inTx(t.Context(), func(tx *sql.Tx) error {
				if _, err := s.lockWallet(t.Context(), tx, "wal_2"); err != nil {
					return err
				}
				return s.recallWallet(t.Context(), tx, "wal_2", t0)
			})
		}, [3]int{2, 0, 0}},
		"a bot on two wallets": {func(t *testing.T, s *Store) error {
			return s.inTx(t.Context(), func(tx *sql.Tx) error { return s.recallBot(t.Context(), tx, "bot_1", t0) })
		}, [3]int{0, 1, 0}},
		"a bot that has nothing queued": {func(t *testing.T, s *Store) error {
			return s.inTx(t.Context(), func(tx *sql.Tx) error { return s.recallBot(t.Context(), tx, "bot_none", t0) })
		}, [3]int{2, 1, 1}},
		"nothing overdue yet": {func(t *testing.T, s *Store) error {
			n, err := s.RecallOverdue(t.Context(), t0.Add(10*time.Minute-time.Millisecond))
			if n != 0 {
				t.Errorf("RecallOverdue = %d, want 0", n)
			}
			return err
		}, [3]int{2, 1, 1}},
		"everything overdue": {func(t *testing.T, s *Store) error {
			n, err := s.RecallOverdue(t.Context(), t0.Add(10*time.Minute))
			if n != 4 {
				t.Errorf("RecallOverdue = %d, want 4", n)
			}
			return err
		}, [3]int{0, 0, 0}},
	}
	eachDatabase(t, func(t *testing.T, s *Store) {
		street(t, s)
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				dispatch(t, s, t0)
				for range 2 { // recalled again it changes nothing
					if err := tt.recall(t, s); err != nil {
						t.Fatal(err)
					}
					if got := queuedOf(t, s); got != tt.want {
						t.Errorf("recall of %s left %v queued, want %v", name, got, tt.want)
					}
					if name == "everything overdue" {
						break
					}
				}
				if _, err := s.Resume(t.Context(), "brd_1", t0); err != nil {
					t.Fatal(err)
				}
			})
		}
	})
}

// A recalled chunk is queued again under a new epoch, so that its old task does nothing.
func TestRecall_makesOldTasksHarmless(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		street(t, s)
		old := chunkOf(t, s, "brd_2", 1)
		if err := s.inTx(t.Context(), func(tx *sql.Tx) error { return s.recallBot(t.Context(), tx, "bot_2", t0) }); err != nil {
			t.Fatal(err)
		}
		dispatch(t, s, t0)
		if claim(t, s, old, t0) {
			t.Error("the old task claimed the chunk, want refused")
		}
		if _, ok, err := s.ChunkWork(t.Context(), old.ID, old.Epoch); ok || err != nil {
			t.Errorf("ChunkWork of the old epoch = %v, %v, want nothing to do", ok, err)
		}
		current := chunkOf(t, s, "brd_2", 1)
		if current.Epoch <= old.Epoch || !claim(t, s, current, t0) {
			t.Errorf("epoch %d after %d, want a later one that can be claimed", current.Epoch, old.Epoch)
		}
	})
}
