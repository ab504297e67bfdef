package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/wallet"
)

// freeOver is true of started free cash whose time is over at $1 and that is not gone yet.
const freeOver = `remaining_krw > 0 AND started_at > 0 AND expires_at <= $1`

// ExpireFree takes free cash back whose last day is over, as far as it is not held, and returns
// how much vanished. What stays because it is held vanishes at the first call after the hold has
// ended. Which wallets have any is read off the rows, so that a run that was missed is made up for
// by the next, and nothing vanishes twice however many call it.
func (s *Store) ExpireFree(ctx context.Context, now time.Time) (total wallet.KRW, err error) {
	rows, err := s.read.QueryContext(ctx, `SELECT DISTINCT wallet_id FROM free_grant g WHERE `+freeOver+`
		AND EXISTS (SELECT 1 FROM wallet w WHERE w.id = g.wallet_id AND w.free_krw > w.held_krw) ORDER BY wallet_id LIMIT $2`, millis(now), sweepBatch)
	wallets, err := collect(rows, err, func(row scanner) (id string, err error) {
		err = row.Scan(&id)
		return id, err
	})
	if err != nil {
		return 0, fmt.Errorf("look for free cash that is over: %w", err)
	}
	var errs []error // of one wallet: the others do not wait for it
	for _, id := range wallets {
		var vanished wallet.KRW
		err := s.inTx(ctx, func(tx *sql.Tx) (err error) {
			vanished, err = s.expireFreeOf(ctx, tx, id, now)
			return err
		})
		if err != nil {
			errs = append(errs, fmt.Errorf("expire free cash of wallet %s: %w", id, err))
			continue
		}
		total += vanished
	}
	return total, errors.Join(errs...)
}

// expireFreeOf expires the free cash of one wallet, one posting for each gift.
func (s *Store) expireFreeOf(ctx context.Context, tx *sql.Tx, walletID string, now time.Time) (total wallet.KRW, err error) {
	w, err := s.lockWallet(ctx, tx, walletID)
	if err != nil {
		return 0, err
	}
	left, err := grants(ctx, tx, w)
	if err != nil {
		return 0, fmt.Errorf("read grants: %w", err)
	}
	for _, g := range left {
		after, posting, any := w.ExpireGrant(g, now)
		if !any {
			continue
		}
		if err := s.post(ctx, tx, walletID, posting); err != nil {
			return 0, err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE free_grant SET expired_krw = expired_krw + $2 WHERE id = $1`, g.ID, posting.Promotion); err != nil {
			return 0, fmt.Errorf("note what vanished of %s: %w", g.ID, err)
		}
		w, total = after, total+posting.Promotion
	}
	return total, saveWallet(ctx, tx, w)
}

// freeIsOver reports whether a locked wallet has free cash that is to vanish and has not yet. It
// must not be held for anything new: the wallet waits for [Store.ExpireFree], a second at most.
func freeIsOver(ctx context.Context, tx *sql.Tx, w wallet.Wallet, now time.Time) (over bool, err error) {
	if w.Free <= w.Held || w.Free == 0 {
		return false, nil
	}
	err = tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM free_grant WHERE `+freeOver+` AND wallet_id = $2)`, millis(now), w.ID).Scan(&over)
	if err != nil {
		return false, fmt.Errorf("look for free cash of wallet %s that is over: %w", w.ID, err)
	}
	return over, nil
}
