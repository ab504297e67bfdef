package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/wallet"
)

// hold is a queued chunk that is taken back.
type hold struct {
	chunk     broadcast.ChunkID
	broadcast broadcast.ID
	wallet    string
	amount    wallet.KRW
}

// takeBack turns queued chunks back into planned and returns what was held for them. The caller
// has locked wallets and broadcasts and takes the sums off them. where names the chunks by args;
// raising the epoch makes the tasks that point at them harmless.
func (s *Store) takeBack(ctx context.Context, tx *sql.Tx, where string, args ...any) ([]hold, error) {
	rows, err := tx.QueryContext(ctx, `SELECT id, broadcast_id, wallet_id, hold_krw FROM chunk
		WHERE state = 'queued' AND `+where+` ORDER BY id`+s.dialect.lock, args...)
	holds, err := collect(rows, err, func(row scanner) (h hold, err error) {
		err = row.Scan(&h.chunk, &h.broadcast, &h.wallet, &h.amount)
		return h, err
	})
	if err != nil || len(holds) == 0 {
		return nil, err
	}
	_, err = tx.ExecContext(ctx, `UPDATE chunk SET state = 'planned', hold_krw = 0, epoch = epoch + 1, enqueued_at = 0
		WHERE state = 'queued' AND `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("take back queued chunks: %w", err)
	}
	return holds, nil
}

// recallOne recalls what is queued of one broadcast whose wallet and itself are locked; the
// caller saves the broadcast.
func (s *Store) recallOne(ctx context.Context, tx *sql.Tx, b *broadcast.Broadcast) error {
	holds, err := s.takeBack(ctx, tx, `broadcast_id = $1`, b.ID)
	if err != nil {
		return err
	}
	b.PlannedChunks += len(holds)
	return releaseHolds(ctx, tx, holds)
}

// recallWallet recalls everything queued of a wallet that the transaction has locked: its
// broadcasts then wait for dispatch to say why.
func (s *Store) recallWallet(ctx context.Context, tx *sql.Tx, walletID string, now time.Time) error {
	return s.recallWhere(ctx, tx, `wallet_id = $1`, walletID, now)
}

// recallBot recalls everything queued of a bot, locking the wallets that pay for it, and others that the
// transaction will change with it. It waits for a dispatch that is under way: what that queues is recalled
// too, and the next one sees the bot as this transaction leaves it.
func (s *Store) recallBot(ctx context.Context, tx *sql.Tx, botID string, now time.Time, others ...string) error {
	if err := s.alone(ctx, tx, dispatchLock); err != nil {
		return err
	}
	args := []any{botID}
	for _, id := range others {
		args = append(args, id)
	}
	rows, err := tx.QueryContext(ctx, `SELECT id FROM wallet WHERE id IN (SELECT wallet_id FROM chunk WHERE state = 'queued' AND bot_id = $1)
		OR id IN (`+cmp.Or(placeholders(2, len(others)), `NULL`)+`) ORDER BY id`+s.dialect.lock, args...)
	_, err = collect(rows, err, func(row scanner) (id string, err error) {
		err = row.Scan(&id)
		return id, err
	})
	if err != nil {
		return fmt.Errorf("lock wallets to recall: %w", err)
	}
	return s.recallWhere(ctx, tx, `bot_id = $1`, botID, now)
}

// recallWhere recalls queued chunks; their wallets are locked and nothing is dispatched meanwhile,
// so that every chunk it finds is of a wallet and a broadcast that it has locked.
func (s *Store) recallWhere(ctx context.Context, tx *sql.Tx, where string, arg any, now time.Time) error {
	rows, err := tx.QueryContext(ctx, `SELECT `+broadcastColumns+` FROM broadcast WHERE id IN
		(SELECT broadcast_id FROM chunk WHERE state = 'queued' AND `+where+`) ORDER BY id`+s.dialect.lock, arg)
	affected, err := collect(rows, err, scanBroadcast)
	if err != nil {
		return fmt.Errorf("lock broadcasts to recall: %w", err)
	}
	holds, err := s.takeBack(ctx, tx, where, arg)
	if err != nil {
		return err
	}
	byBroadcast := make(map[broadcast.ID]int)
	for _, h := range holds {
		byBroadcast[h.broadcast]++
	}
	for _, b := range affected {
		b.PlannedChunks += byBroadcast[b.ID]
		if err := s.saveBroadcast(ctx, tx, b, now); err != nil {
			return err
		}
	}
	return releaseHolds(ctx, tx, holds)
}

// releaseHolds takes holds off their wallets, which are locked.
func releaseHolds(ctx context.Context, tx *sql.Tx, holds []hold) error {
	byWallet := make(map[string]wallet.KRW)
	for _, h := range holds {
		byWallet[h.wallet] += h.amount
	}
	for id, amount := range byWallet {
		if err := moveHeld(ctx, tx, id, -amount); err != nil {
			return err
		}
	}
	return nil
}

// RecallOverdue plans queued chunks again whose send_by has passed, and returns how many. One
// broadcast that fails keeps no other from going on.
func (s *Store) RecallOverdue(ctx context.Context, now time.Time) (n int, err error) {
	const overdue = `send_by <= $1`
	rows, err := s.read.QueryContext(ctx, `SELECT DISTINCT broadcast_id FROM chunk WHERE state = 'queued' AND `+overdue, millis(now))
	ids, err := collect(rows, err, func(row scanner) (id broadcast.ID, err error) {
		err = row.Scan(&id)
		return id, err
	})
	if err != nil {
		return 0, fmt.Errorf("look for overdue chunks: %w", err)
	}
	var failed []error
	for _, id := range ids {
		var taken int
		_, err := s.changeBroadcast(ctx, id, now, func(tx *sql.Tx, b *broadcast.Broadcast) error {
			holds, err := s.takeBack(ctx, tx, overdue+` AND broadcast_id = $2`, millis(now), id)
			if err != nil {
				return err
			}
			taken = len(holds)
			b.PlannedChunks += taken
			return releaseHolds(ctx, tx, holds)
		})
		if ctx.Err() != nil {
			return n, ctx.Err()
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("recall what is overdue of %s: %w", id, err))
			continue
		}
		n += taken
	}
	return n, errors.Join(failed...)
}
