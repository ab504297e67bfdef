package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/wallet"
)

// sweepBatch bounds how many rows one sweep of a kind deals with.
const sweepBatch = 500

// deadToPark is how many tasks of a queued chunk are found dead before it is parked: whatever
// kills its workers will kill the next one too.
const deadToPark = 3

// chunkIDs lists chunks by a condition on $1.
func (s *Store) chunkIDs(ctx context.Context, where string, arg any) ([]broadcast.ChunkID, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT id FROM chunk WHERE `+where+` LIMIT $2`, arg, sweepBatch)
	return collect(rows, err, func(row scanner) (id broadcast.ChunkID, err error) {
		err = row.Scan(&id)
		return id, err
	})
}

// eachChunk changes chunks one by one and returns how many it changed. It goes on after one that
// fails, and then returns what failed.
func eachChunk(ctx context.Context, ids []broadcast.ChunkID, what string, change func(broadcast.ChunkID) (bool, error)) (n int, err error) {
	var failed []error
	for _, id := range ids {
		ok, err := change(id)
		if ctx.Err() != nil {
			return n, ctx.Err()
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("%s %s: %w", what, id, err))
		} else if ok {
			n++
		}
	}
	return n, errors.Join(failed...)
}

// ExpireSending gives up chunks whose lease is over: the worker may have died before or after
// Kakao acted, so they are in doubt. It returns how many; one that fails keeps no other from it.
func (s *Store) ExpireSending(ctx context.Context, now time.Time) (n int, err error) {
	ids, err := s.chunkIDs(ctx, `state = 'sending' AND lease_until <= $1`, millis(now))
	if err != nil {
		return 0, fmt.Errorf("look for leases that are over: %w", err)
	}
	return eachChunk(ctx, ids, "give up chunk", func(id broadcast.ChunkID) (bool, error) {
		return s.changeChunk(ctx, id, func(tx *sql.Tx, w *wallet.Wallet, b *broadcast.Broadcast, c *broadcast.Chunk) (bool, error) {
			if b.OnDoubt == broadcast.AssumeSent {
				over, err := changed(tx.ExecContext(ctx, `UPDATE chunk SET lease_until = 0 WHERE id = $1 AND state = 'sending' AND lease_until <= $2`, id, millis(now)))
				if err != nil || !over {
					return false, err
				}
				return true, s.assumeSent(ctx, tx, w, b, c, "the worker that sent it did not report back", now)
			}
			b.Counts.InDoubt += c.People
			return changed(tx.ExecContext(ctx, `UPDATE chunk SET state = 'in_doubt', doubt_at = $2, error = 'the worker that sent it did not report back'
				WHERE id = $1 AND state = 'sending' AND lease_until <= $2`, id, millis(now)))
		}, now)
	})
}

// DoubtTerm is how long money is held for a chunk in doubt.
const DoubtTerm = 72 * time.Hour

// EndDoubt ends the holds of chunks that have been in doubt for 72 hours: what evidence shows to
// have arrived is captured, the rest is released. The doubt about the others stays visible. One
// that fails keeps no other from its end.
func (s *Store) EndDoubt(ctx context.Context, now time.Time) (n int, err error) {
	ids, err := s.chunkIDs(ctx, `state = 'in_doubt' AND hold_krw > 0 AND doubt_at <= $1`, millis(now.Add(-DoubtTerm)))
	if err != nil {
		return 0, fmt.Errorf("look for old doubts: %w", err)
	}
	return eachChunk(ctx, ids, "end the doubt of chunk", func(id broadcast.ChunkID) (bool, error) {
		return s.changeChunk(ctx, id, func(tx *sql.Tx, w *wallet.Wallet, b *broadcast.Broadcast, c *broadcast.Chunk) (bool, error) {
			if c.State != broadcast.InDoubt || c.Hold == 0 {
				return false, nil
			}
			var proven int
			if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM chunk_evidence WHERE chunk_id = $1`, id).Scan(&proven); err != nil {
				return false, err
			}
			proven = min(proven, c.People)
			if err := s.captureChunk(ctx, tx, w, b, c, proven, now); err != nil {
				return false, err
			}
			b.Counts.InDoubt -= proven
			return changed(tx.ExecContext(ctx, `UPDATE chunk SET hold_krw = 0, delivered = $2 WHERE id = $1`, id, proven))
		}, now)
	})
}

// parkDead parks those of these chunks whose tasks were found dead too often.
func (s *Store) parkDead(ctx context.Context, rows []broadcast.Row, now time.Time) error {
	ids := make([]broadcast.ChunkID, len(rows))
	for i, row := range rows {
		ids[i] = broadcast.ChunkID(row.ID)
	}
	_, err := eachChunk(ctx, ids, "park chunk", func(id broadcast.ChunkID) (bool, error) {
		return s.changeChunk(ctx, id, func(tx *sql.Tx, _ *wallet.Wallet, b *broadcast.Broadcast, c *broadcast.Chunk) (bool, error) {
			parked, err := changed(tx.ExecContext(ctx, `UPDATE chunk SET state = 'parked', hold_krw = 0, failed = people,
				error = 'its tasks were found dead again and again' WHERE id = $1 AND state = 'queued' AND dead >= $2`, c.ID, deadToPark))
			if err != nil || !parked {
				return false, err
			}
			b.Counts.Failed += c.People
			return true, moveHeld(ctx, tx, c.WalletID, -c.Hold)
		}, now)
	})
	return err
}
