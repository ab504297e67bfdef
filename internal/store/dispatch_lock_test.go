package store

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/testserver"
)

func dispatchLocked(ctx context.Context, s *Store, tx *sql.Tx) error {
	return s.alone(ctx, tx, dispatchLock)
}

func TestDispatch_whileAnotherHoldsTheLock(t *testing.T) {
	address := testserver.Postgres(t)
	s := openTest(t, address)
	_, botID := shop(t, s, "1", 1000)
	now := t0
	dispatcher := broadcast.NewDispatcher(s, broadcast.DefaultPace, func() time.Time { return now })
	release := holdLocks(t, address, dispatchLocked)
	now = now.Add(time.Hour)
	if rows, err := dispatcher.Dispatch(t.Context()); err != nil || len(rows) != 0 {
		t.Errorf("Dispatch() of nothing = %v, %v, want nothing: nobody waits", rows, err)
	}
	running(t, s, order("brd_1", botID), 3)
	for _, step := range []time.Duration{time.Hour, 30 * time.Second, 30 * time.Second} {
		now = now.Add(step)
		if rows, err := dispatcher.Dispatch(t.Context()); err != nil || len(rows) != 0 {
			t.Errorf("Dispatch() without the lock = %v, %v, want nothing and no error yet", rows, err)
		}
	}
	now = now.Add(time.Second)
	if rows, err := dispatcher.Dispatch(t.Context()); fault.KindOf(err) != fault.Unavailable || len(rows) != 0 {
		t.Errorf("Dispatch() after more than a minute = %v, %v, want an error", rows, err)
	}
	release()
	if rows, err := dispatcher.Dispatch(t.Context()); err != nil || len(rows) != 1 {
		t.Errorf("Dispatch() with the lock = %v, %v, want 1 chunk", rows, err)
	}
}

// The server ends the transaction of a process that stopped in the middle of it.
func TestDispatch_frozenProcessGivesTheLockBack(t *testing.T) {
	address := testserver.Postgres(t)
	s := openTest(t, address)
	_, botID := shop(t, s, "1", 1000)
	running(t, s, order("brd_1", botID), 3)
	holdLocks(t, address+"&idle_in_transaction_session_timeout=500", dispatchLocked)
	if done, err := s.Dispatch(t.Context(), broadcast.DefaultPace, broadcast.Turn{}, t0); err != nil || !done.Busy {
		t.Fatalf("Dispatch() = %+v, %v, want busy", done, err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		done, err := s.Dispatch(ctx, broadcast.DefaultPace, broadcast.Turn{}, t0)
		if err != nil {
			t.Fatalf("Dispatch() error = %v, want the lock within half a second", err)
		}
		if len(done.Rows) == 1 {
			return
		}
		<-tick.C
	}
}

func TestDispatch_goesOnWithoutALockedWallet(t *testing.T) {
	address := testserver.Postgres(t)
	s := openTest(t, address)
	for _, n := range []string{"1", "2"} {
		_, botID := shop(t, s, n, 1000)
		running(t, s, order("brd_"+n, botID), 3)
	}
	release := holdLocks(t, address, func(ctx context.Context, s *Store, tx *sql.Tx) error {
		_, err := s.lockWallet(ctx, tx, "wal_1")
		return err
	})
	done, err := s.Dispatch(t.Context(), broadcast.DefaultPace, broadcast.Turn{}, t0)
	wantFailure(t, "Dispatch()", err, "brd_1", "brd_2")
	if len(done.Rows) != 1 || done.Rows[0].ID != "brd_2-000001" {
		t.Errorf("Dispatch() = %v, want the chunk of the other wallet", done.Rows)
	}
	release()
	if rows := dispatch(t, s, t0); len(rows) != 1 || rows[0].ID != "brd_1-000001" {
		t.Errorf("Dispatch() afterwards = %v, want the chunk of the wallet that was locked", rows)
	}
}
