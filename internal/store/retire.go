package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
)

// retireBatch bounds how many planned chunks one transaction ends.
const retireBatch = 5000

// retire ends planned chunks of a broadcast, uncharged, as expired or cancelled. It leaves the
// counter of planned chunks at what is there, so that whoever retires until it is 0 comes to an end.
func (s *Store) retire(ctx context.Context, id broadcast.ID, as broadcast.ChunkState, now time.Time) (broadcast.Broadcast, error) {
	return s.changeBroadcast(ctx, id, now, func(tx *sql.Tx, b *broadcast.Broadcast) error {
		rows, err := tx.QueryContext(ctx, `UPDATE chunk SET state = $2, skipped = people WHERE id IN
			(SELECT id FROM chunk WHERE broadcast_id = $1 AND state = 'planned' ORDER BY id LIMIT $3) RETURNING people`,
			id, as, retireBatch)
		people, err := collect(rows, err, func(row scanner) (n int, err error) {
			err = row.Scan(&n)
			return n, err
		})
		if err != nil {
			return fmt.Errorf("retire chunks of %s: %w", id, err)
		}
		for _, n := range people {
			b.Counts.Skipped += n
		}
		b.PlannedChunks -= len(people)
		if all := len(people) < retireBatch; all && b.PlannedChunks == 0 || !all && b.PlannedChunks > 0 {
			return nil
		}
		err = tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM chunk WHERE broadcast_id = $1 AND state = 'planned'`, id).Scan(&b.PlannedChunks)
		if err != nil {
			return fmt.Errorf("count the planned chunks of %s: %w", id, err)
		}
		return nil
	})
}

// overAtOnce bounds how many broadcasts one call of RetireOver looks at.
const overAtOnce = 20

// RetireOver ends planned chunks of broadcasts that expired or were cancelled, a batch of each, and
// reports whether there may be more. One that fails keeps no other from its end.
func (s *Store) RetireOver(ctx context.Context, now time.Time) (more bool, err error) {
	type over struct {
		id broadcast.ID
		as broadcast.ChunkState
	}
	rows, err := s.read.QueryContext(ctx, `SELECT id, CASE WHEN state = 'cancelled' THEN 'cancelled' ELSE 'expired' END
		FROM broadcast WHERE planned_chunks > 0 AND
		(state = 'cancelled' OR (state IN ('running', 'paused') AND expires_at > 0 AND expires_at <= $1))
		ORDER BY RANDOM() LIMIT $2`, // some that fail, however many, are not in the way of the others
		millis(now), overAtOnce)
	list, err := collect(rows, err, func(row scanner) (o over, err error) {
		err = row.Scan(&o.id, &o.as)
		return o, err
	})
	if err != nil {
		return false, fmt.Errorf("find broadcasts that are over: %w", err)
	}
	var failed []error
	for _, o := range list {
		b, err := s.retire(ctx, o.id, o.as, now)
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		if err != nil {
			failed = append(failed, err)
			continue
		}
		more = more || b.PlannedChunks > 0
	}
	return more || len(list) == overAtOnce, errors.Join(failed...)
}
