package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"

	"github.com/malgil/malgil/internal/fault"
)

// dialect is what the two databases say differently.
type dialect struct {
	name     string
	goose    goose.Dialect
	embedded bool
	// lock is appended to a SELECT whose rows are then changed; share also passes over rows
	// that another transaction holds. SQLite has one writer, so it needs neither.
	lock, share string
	// schema rewrites a migration, which is written for PostgreSQL.
	schema *strings.Replacer
}

var sqliteDialect = dialect{
	name: "sqlite", goose: goose.DialectSQLite3, embedded: true,
	schema: strings.NewReplacer(` COLLATE "C"`, ``, `BYTEA`, `BLOB`),
}

var postgresDialect = dialect{
	name: "postgres", goose: goose.DialectPostgres,
	lock: " FOR UPDATE", share: " FOR UPDATE SKIP LOCKED",
	schema: strings.NewReplacer(),
}

const readers = 8 // SQLite connections that read beside the one that writes

func openSQLite(ctx context.Context, path string) (*Store, error) {
	if path == "" {
		return nil, fault.Field("MALGIL_DB", "sqlite: needs the path of a file")
	}
	unlock, err := lockFile(path)
	if err != nil {
		return nil, err
	}
	fail := func(err error) (*Store, error) {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), unlock())
	}
	if err := ownFile(path); err != nil {
		return fail(err)
	}
	pragmas := url.Values{"_pragma": {"journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "busy_timeout(10000)", "cache_size(-65536)"}}
	// SQLite itself commits so on Linux. It says nothing less of what is on the disk, and where there is no
	// such call, nothing changes.
	_, _ = sqlite.Fdatasync(true)
	write, err := openPrepared("file:" + path + "?_txlock=immediate&" + pragmas.Encode())
	if err != nil {
		return fail(err)
	}
	write.SetMaxOpenConns(1)
	if err := write.PingContext(ctx); err != nil {
		return fail(err)
	}
	pragmas.Add("_pragma", "query_only(1)")
	read, err := openPrepared("file:" + path + "?" + pragmas.Encode())
	if err != nil {
		return fail(err)
	}
	read.SetMaxOpenConns(readers)
	read.SetMaxIdleConns(readers)
	return &Store{write: write, read: read, schema: write, dialect: sqliteDialect, unlock: unlock}, nil
}

// lockFile makes sure that one process has the database: two would each keep an embedded queue
// that the other does not see.
func lockFile(path string) (unlock func() error, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("make the folder of %s: %w", path, err)
	}
	f, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fault.New(fault.Conflict, "another malgil process uses %s; stop it, or use PostgreSQL to run several", path)
	}
	return f.Close, nil // closing gives the lock free
}

// ownFile makes a database file that only its owner reads; SQLite gives the files that it puts
// beside it the same mode. One that is there keeps its mode.
func ownFile(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// postgresLimits bound what one process that hangs can hold up for all the others: the server ends
// a transaction that its client does not go on with, a wait for a lock and a statement that take
// too long. An address that names one of them decides it.
var postgresLimits = map[string]string{
	"idle_in_transaction_session_timeout": "15s",
	"lock_timeout":                        "10s",
	"statement_timeout":                   "30s",
}

func openPostgres(ctx context.Context, address string) (*Store, error) {
	config, err := pgx.ParseConfig(address)
	if err != nil { // its text may show the password
		return nil, fault.Wrap(fault.Invalid, errors.New("unreadable address"), "MALGIL_DB is not a PostgreSQL URL")
	}
	unlimited := config.Copy()
	for name, limit := range postgresLimits {
		if _, named := config.RuntimeParams[name]; !named && !strings.Contains(config.RuntimeParams["options"], name) {
			config.RuntimeParams[name] = limit
		}
	}
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(24)
	db.SetMaxIdleConns(24)
	db.SetConnMaxIdleTime(5 * time.Minute)
	if err := db.PingContext(ctx); err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("reach PostgreSQL: %w", err)
	}
	var version int
	if err := db.QueryRowContext(ctx, `SELECT current_setting('server_version_num')::int`).Scan(&version); err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("ask PostgreSQL for its version: %w", err)
	}
	if version < 150000 {
		_ = db.Close()
		return nil, fault.Field("MALGIL_DB", "PostgreSQL 15 or later is needed, this is %d.%d", version/10000, version%10000)
	}
	schema := stdlib.OpenDB(*unlimited)
	schema.SetMaxIdleConns(0) // used at the start, if at all
	return &Store{write: db, read: db, schema: schema, dialect: postgresDialect}, nil
}

// lockKey numbers PostgreSQL's advisory locks, each for one kind of work done by one process
// at a time.
type lockKey int64

const (
	dispatchLock lockKey = 0x6d616c67696c01
	declineLock  lockKey = 0x6d616c67696c03
)

// only reports whether this transaction is the one that may do a kind of work; the lock is
// held until the transaction ends. On SQLite every writing transaction is the only one.
func (s *Store) only(ctx context.Context, tx *sql.Tx, key lockKey) (bool, error) {
	if s.dialect.embedded {
		return true, nil
	}
	var got bool
	err := tx.QueryRowContext(ctx, `SELECT pg_try_advisory_xact_lock($1)`, int64(key)).Scan(&got)
	return got, err
}

// waitAtMost bounds how long the statements of this transaction wait for a lock. On SQLite the
// transaction has the only one there is.
func (s *Store) waitAtMost(ctx context.Context, tx *sql.Tx, patience time.Duration) error {
	if s.dialect.embedded {
		return nil
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf(`SET LOCAL lock_timeout = %d`, patience.Milliseconds())); err != nil {
		return fmt.Errorf("bound the wait for locks: %w", err)
	}
	return nil
}

// alone waits until no other transaction does a kind of work, and keeps others from it until this
// one ends. It comes before every other lock, apart from [declineLock]: who has that takes no locks
// that another who waits for it may hold.
func (s *Store) alone(ctx context.Context, tx *sql.Tx, key lockKey) error {
	if s.dialect.embedded {
		return nil
	}
	if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(key)); err != nil {
		return fmt.Errorf("wait for a lock: %w", err)
	}
	return nil
}
