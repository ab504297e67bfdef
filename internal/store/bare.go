package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Bare is a table of work without any rules, in a database of the same driver, pool and durability as a
// [Store]: what measurements compare with. Close takes the table away.
type Bare struct{ store *Store }

// OpenBare makes an empty table of work. address is that of [Config]; a SQLite file must be one that no
// Store has open.
func OpenBare(ctx context.Context, address string) (*Bare, error) {
	s, err := Open(ctx, Config{Address: address})
	if err != nil {
		return nil, err
	}
	b := &Bare{s}
	for _, statement := range []string{`DROP TABLE IF EXISTS bare`, `CREATE TABLE bare (id TEXT PRIMARY KEY, state TEXT NOT NULL)`} {
		if _, err := s.schema.ExecContext(ctx, statement); err != nil {
			return nil, errors.Join(fmt.Errorf("make a table to compare with: %w", err), s.Close())
		}
	}
	return b, nil
}

// Add stores rows in one transaction, each in the state "queued".
func (b *Bare) Add(ctx context.Context, ids []string) error {
	return b.store.inTx(ctx, func(tx *sql.Tx) error {
		for _, id := range ids {
			if _, err := tx.ExecContext(ctx, `INSERT INTO bare (id, state) VALUES ($1, 'queued')`, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// Move moves a row from one state to another, if it is in that.
func (b *Bare) Move(ctx context.Context, id, from, to string) (bool, error) {
	return changed(b.store.write.ExecContext(ctx, `UPDATE bare SET state = $3 WHERE id = $1 AND state = $2`, id, from, to))
}

// Close takes the table away and closes the connections.
func (b *Bare) Close() error {
	_, err := b.store.schema.ExecContext(context.Background(), `DROP TABLE bare`)
	return errors.Join(err, b.store.Close())
}
