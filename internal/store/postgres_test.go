package store

import (
	"context"
	"database/sql"
	"testing"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/testserver"
)

func TestOpenPostgres_limitsWhatHangs(t *testing.T) {
	address := testserver.Postgres(t)
	tests := map[string]struct {
		address               string
		idle, lock, statement string
	}{
		"by default":           {address, "15s", "10s", "30s"},
		"named in the address": {address + "&lock_timeout=1234&statement_timeout=0", "15s", "1234ms", "0"},
		"named as an option":   {address + "&options=-c%20idle_in_transaction_session_timeout%3D2min", "2min", "10s", "30s"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := openTest(t, tt.address)
			for setting, want := range map[string]string{
				"idle_in_transaction_session_timeout": tt.idle, "lock_timeout": tt.lock, "statement_timeout": tt.statement,
			} {
				if got := setting1(t, s.write, setting); got != want {
					t.Errorf("%s = %s, want %s", setting, got, want)
				}
			}
		})
	}
	t.Run("not for migrations", func(t *testing.T) {
		s := openTest(t, address)
		for setting := range postgresLimits {
			if got := setting1(t, s.schema, setting); got != "0" {
				t.Errorf("%s for migrations = %s, want none", setting, got)
			}
		}
	})
}

func setting1(t *testing.T, db *sql.DB, name string) (value string) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), `SHOW `+name).Scan(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

// holdLocks takes locks on another connection, as a process does that then hangs. release ends it.
func holdLocks(t *testing.T, address string, lock func(ctx context.Context, s *Store, tx *sql.Tx) error) (release func()) {
	t.Helper()
	other := openTest(t, address)
	tx, err := other.write.BeginTx(context.WithoutCancel(t.Context()), nil)
	if err != nil {
		t.Fatal(err)
	}
	release = func() { _ = tx.Rollback() } // the server may have ended it
	t.Cleanup(release)
	if err := lock(t.Context(), other, tx); err != nil {
		t.Fatal(err)
	}
	return release
}

func TestInTx_lockedOutIsUnavailable(t *testing.T) {
	address := testserver.Postgres(t)
	s := openTest(t, address+"&lock_timeout=100")
	newWallet(t, s, "wal_1", 0)
	holdLocks(t, address, func(ctx context.Context, s *Store, tx *sql.Tx) error {
		_, err := s.lockWallet(ctx, tx, "wal_1")
		return err
	})
	err := s.inTx(t.Context(), func(tx *sql.Tx) error {
		_, err := s.lockWallet(t.Context(), tx, "wal_1")
		return err
	})
	if fault.KindOf(err) != fault.Unavailable {
		t.Errorf("inTx with a wallet that is locked for too long error = %v, want Unavailable", err)
	}
}

// behind begins a call while a statement of another transaction is not committed, commits it when the
// call stands behind it, and returns what the call did.
func behind(t *testing.T, s *Store, statement string, call func() error) error {
	t.Helper()
	first, err := s.write.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = first.Rollback() }() // after Commit it answers ErrTxDone
	if _, err := first.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
	second := make(chan error, 1)
	go func() { second <- call() }()
	for waits := 0; waits == 0; {
		select {
		case err := <-second:
			t.Fatalf("the call did not wait; it returned %v", err)
		default:
		}
		if err := s.read.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM pg_locks WHERE NOT granted`).Scan(&waits); err != nil {
			t.Fatal(err)
		}
	}
	if err := first.Commit(); err != nil {
		t.Fatal(err)
	}
	return <-second
}
