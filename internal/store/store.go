// Package store keeps everything in SQL: SQLite in one file, or PostgreSQL. One SQL text serves
// both; what differs is in dialect.go. Times are stored as Unix milliseconds, money as whole KRW.
//
// Lock order everywhere: wallet, broadcast, chunk; the end of the audit log last.
package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/seal"
	"github.com/malgil/malgil/internal/wallet"
)

// Store is one database. It is safe for concurrent use.
type Store struct {
	write, read *sql.DB
	schema      *sql.DB // for migrations, which may take their time
	dialect     dialect
	limits      wallet.Limits
	settlement  wallet.Settlement
	checks      broadcast.Checks
	longUnpaid  time.Duration
	reportAbove int
	keys        *seal.Box
	unlock      func() error
	closing     Closing
	holiday     func(day time.Time) bool
	settlements gathering[*settling] // by wallet
	sends       gathering[*taking]   // by what they move to
	queued      gathering[*lookup[workRow]]
	sent        gathering[*lookup[sentRow]]
	ledger      ledger
}

// Config says which database to open, and the settings that the rules inside its transactions need.
type Config struct {
	// Address is "sqlite:<path>" (one process at a time, a second is refused) or a
	// "postgres://" URL.
	Address string
	Limits  wallet.Limits
	// Settlement says when wallets are charged for what they owe.
	Settlement wallet.Settlement
	// LongUnpaid is how long a wallet is unpaid before people are told again; 5 days when 0.
	LongUnpaid time.Duration
	// Checks says what people are asked before a broadcast goes.
	Checks broadcast.Checks
	// ReportAbove is the audience above which people hear by mail what a broadcast came to; 0 for never.
	ReportAbove int
	Keys        *seal.Box // opens the secrets that rows keep; nil until [Store.UseKeys] gives them
}

// defaultLongUnpaid is that of Kakao's help centre: 5일 이상 장기 결제 실패.
const defaultLongUnpaid = 5 * 24 * time.Hour

// Open connects to a database and does not change it: call [Store.Migrate] before use.
func Open(ctx context.Context, config Config) (*Store, error) {
	var s *Store
	var err error
	switch path, isFile := strings.CutPrefix(config.Address, "sqlite:"); {
	case isFile:
		s, err = openSQLite(ctx, path)
	case strings.HasPrefix(config.Address, "postgres://"), strings.HasPrefix(config.Address, "postgresql://"):
		s, err = openPostgres(ctx, config.Address)
	default:
		return nil, fault.Field("MALGIL_DB", "must be sqlite:<path> or a postgres:// URL")
	}
	if err != nil {
		return nil, err
	}
	s.limits, s.settlement, s.checks, s.keys = config.Limits, config.Settlement, config.Checks, config.Keys
	s.reportAbove = config.ReportAbove
	s.longUnpaid = cmp.Or(config.LongUnpaid, defaultLongUnpaid)
	return s, nil
}

// Close closes all connections and gives the SQLite file free.
func (s *Store) Close() error {
	errs := []error{s.read.Close()}
	for _, db := range []*sql.DB{s.write, s.schema} {
		if db != s.read { // closing twice does no harm
			errs = append(errs, db.Close())
		}
	}
	if s.unlock != nil {
		errs = append(errs, s.unlock())
	}
	return errors.Join(errs...)
}

// Pools are the pools of connections by what goes through them.
func (s *Store) Pools() map[string]*sql.DB {
	if s.write == s.read {
		return map[string]*sql.DB{"all": s.write}
	}
	return map[string]*sql.DB{"write": s.write, "read": s.read}
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error { return s.read.PingContext(ctx) }

// Embedded reports whether the store serves one process only.
func (s *Store) Embedded() bool { return s.dialect.embedded }

// maxTries bounds how often a transaction that PostgreSQL chose as a deadlock victim is run.
const maxTries = 5

// inTx runs work in one writing transaction. It may run work again when the database asks for
// it, so work must not change anything outside the transaction before it returns nil. A deed in the
// context is written into the audit log with it, see [access.Deed].
func (s *Store) inTx(ctx context.Context, work func(tx *sql.Tx) error) error {
	for try := 1; ; try++ {
		err := s.once(ctx, work)
		if err == nil || try == maxTries || !repeatable(err) {
			return lockedOut(err)
		}
	}
}

func (s *Store) once(ctx context.Context, work func(tx *sql.Tx) error) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // after Commit it answers ErrTxDone
	defer s.ledger.forget(tx)
	deed := access.DeedOf(ctx)
	undo := deed.Begin()
	if err := work(tx); err != nil {
		undo()
		return err
	}
	written, err := s.writeDeed(ctx, tx)
	if err == nil {
		err = tx.Commit()
	}
	switch {
	case err != nil:
		undo()
		return err
	case written:
		deed.Written()
	}
	s.ledger.committed(tx)
	return nil
}

// lockedOut tells a caller that what he wants to change was locked for longer than lock_timeout:
// nothing was done, and it may pass later.
func lockedOut(err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == "55P03" {
		return fault.Wrap(fault.Unavailable, err, "the database is busy with the same thing; try again")
	}
	return err
}

func repeatable(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01")
}

// apart runs a part of a transaction that may fail alone: what it wrote is taken back and the
// transaction goes on. failure is what the part returned; err is what the transaction cannot
// survive.
func (s *Store) apart(ctx context.Context, tx *sql.Tx, part func() error) (failure, err error) {
	if _, err := tx.ExecContext(ctx, `SAVEPOINT part`); err != nil {
		return nil, fmt.Errorf("begin a part: %w", err)
	}
	posted := s.ledger.written(tx)
	if failure = part(); failure != nil {
		if repeatable(failure) {
			return nil, failure
		}
		if _, err := tx.ExecContext(ctx, `ROLLBACK TO SAVEPOINT part`); err != nil {
			return nil, errors.Join(failure, fmt.Errorf("take a part back: %w", err))
		}
		s.ledger.takeBack(tx, posted)
	}
	if _, err := tx.ExecContext(ctx, `RELEASE SAVEPOINT part`); err != nil {
		return nil, fmt.Errorf("end a part: %w", err)
	}
	return failure, nil
}

// querier is what reads have in common: a pool or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// scanner is a row that can be read: *sql.Row or *sql.Rows.
type scanner interface{ Scan(dest ...any) error }

// collect reads every row of a query.
func collect[T any](rows *sql.Rows, err error, scan func(scanner) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// changed reports whether a statement changed exactly one row; it is the answer of every
// compare-and-swap.
func changed(result sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n == 1, err
}

// orNotFound turns a missing row into a NotFound error that names the thing.
func orNotFound(err error, thing, id string) error {
	if errors.Is(err, sql.ErrNoRows) {
		return fault.New(fault.NotFound, "there is no %s %q", thing, id)
	}
	return err
}

// millis stores a time; the zero time is 0.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// moment is a time read from its stored form; scan into one with [at].
type moment struct{ to *time.Time }

// at returns a scan target for a stored time.
func at(t *time.Time) moment { return moment{to: t} }

// Scan reads Unix milliseconds, 0 as the zero time.
func (m moment) Scan(src any) error {
	ms, ok := src.(int64)
	if !ok {
		return fmt.Errorf("a time is stored as %T, want int64", src)
	}
	*m.to = time.Time{}
	if ms != 0 {
		*m.to = time.UnixMilli(ms).UTC()
	}
	return nil
}
