package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// snapshot reads in one transaction: every query of it sees the database as the first one did. With
// a patience its statements may take as long, which is longer than statements usually may.
func (s *Store) snapshot(ctx context.Context, patience time.Duration, read func(q querier) error) error {
	options := &sql.TxOptions{ReadOnly: true}
	if !s.dialect.embedded {
		options.Isolation = sql.LevelRepeatableRead
	}
	tx, err := s.read.BeginTx(ctx, options)
	if err != nil {
		return fmt.Errorf("begin to read: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // after Commit it answers ErrTxDone
	if !s.dialect.embedded && patience > 0 {
		for _, limit := range []string{"statement_timeout", "idle_in_transaction_session_timeout"} {
			if _, err := tx.ExecContext(ctx, fmt.Sprintf(`SET LOCAL %s = %d`, limit, patience.Milliseconds())); err != nil {
				return fmt.Errorf("allow time to read: %w", err)
			}
		}
	}
	if err := read(tx); err != nil {
		return err
	}
	return tx.Commit()
}
