package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"
)

// OpenToLook connects to a database for whoever only looks: a SQLite file may be in use by another
// process, is not locked against one that starts, and is not made. [os.ErrNotExist] is in the chain of
// the error where there is none. Nothing is to be written through it; a SQLite file refuses that.
func OpenToLook(ctx context.Context, address string) (*Store, error) {
	path, isFile := strings.CutPrefix(address, "sqlite:")
	if !isFile {
		return Open(ctx, Config{Address: address})
	}
	if err := readable(path); err != nil {
		return nil, err
	}
	pragmas := url.Values{"mode": {"ro"}, "_pragma": {"query_only(1)", "busy_timeout(2000)"}}
	if _, err := os.Stat(path + "-wal"); errors.Is(err, os.ErrNotExist) {
		// Everything is in the file itself and nobody has it: without this, SQLite would put its files beside it.
		pragmas.Set("immutable", "1")
	}
	read, err := sql.Open("sqlite", "file:"+path+"?"+pragmas.Encode())
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	read.SetMaxOpenConns(readers)
	var tables int // of a file that is no database SQLite tells only when it reads
	if err := read.QueryRowContext(ctx, `SELECT COUNT(*) FROM sqlite_master`).Scan(&tables); err != nil {
		return nil, errors.Join(fmt.Errorf("read %s: %w", path, err), read.Close())
	}
	return &Store{write: read, read: read, schema: read, dialect: sqliteDialect}, nil
}

// readable tells a file that is missing or another user's in plainer words than SQLite does.
func readable(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return f.Close()
}

// InUse reports whether a process has a SQLite file, by the lock that [Open] takes. Of another address
// it is false.
func InUse(address string) (bool, error) {
	path, isFile := strings.CutPrefix(address, "sqlite:")
	if !isFile {
		return false, nil
	}
	f, err := os.Open(path + ".lock")
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close() // gives the lock free, if it was taken
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return true, nil
	}
	return false, err
}

// Schema is how far the migrations of a database are.
type Schema struct {
	Server  string // "PostgreSQL 15.6", "SQLite 3.50.4"
	Applied int
	Pending int // known to this program, and have not run
	Unknown int // have run, and are not known to this program: a newer one has
}

// Schema looks how far the migrations are. Unlike [Store.Pending] it writes nothing, also where none
// has run.
func (s *Store) Schema(ctx context.Context) (Schema, error) {
	provider, err := s.provider()
	if err != nil {
		return Schema{}, err
	}
	server, table := `SELECT 'PostgreSQL ' || split_part(current_setting('server_version'), ' ', 1)`, `SELECT to_regclass('goose_db_version') IS NOT NULL`
	if s.dialect.embedded {
		server, table = `SELECT 'SQLite ' || sqlite_version()`, `SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'goose_db_version')`
	}
	var v Schema
	var begun bool
	if err := s.read.QueryRowContext(ctx, server).Scan(&v.Server); err != nil {
		return Schema{}, fmt.Errorf("ask for the version: %w", err)
	}
	if err := s.read.QueryRowContext(ctx, table).Scan(&begun); err != nil {
		return Schema{}, fmt.Errorf("look for migrations: %w", err)
	}
	ran := map[int64]bool{}
	if begun {
		rows, err := s.read.QueryContext(ctx, `SELECT version_id FROM goose_db_version WHERE version_id > 0`)
		versions, err := collect(rows, err, func(row scanner) (version int64, err error) {
			err = row.Scan(&version)
			return version, err
		})
		if err != nil {
			return Schema{}, fmt.Errorf("read migration state: %w", err)
		}
		for _, version := range versions {
			ran[version] = true
		}
	}
	v.Applied = len(ran)
	for _, source := range provider.ListSources() {
		if !ran[source.Version] {
			v.Pending++
		}
		delete(ran, source.Version)
	}
	v.Unknown = len(ran)
	return v, nil
}

// Clock returns the time of the machine that the database runs on.
func (s *Store) Clock(ctx context.Context) (now time.Time, err error) {
	if s.dialect.embedded {
		return time.Now(), nil
	}
	err = s.read.QueryRowContext(ctx, `SELECT clock_timestamp()`).Scan(&now)
	return now, err
}

// Compared tells of the comparisons of wallets that a scheduler makes once an hour: when the last one
// was, and when the one is or was due that is due first; zero times where no wallet was compared yet.
func (s *Store) Compared(ctx context.Context) (last, due time.Time, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT COALESCE(MAX(checked_at), 0), COALESCE(MIN(next_at), 0) FROM ledger_check`).Scan(at(&last), at(&due))
	return last, due, err
}
