package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/notice"
	"github.com/malgil/malgil/internal/wallet"
)

// gifts is every gift of cash, free and paid.
const gifts = `(SELECT id, wallet_id, 'free' AS kind, amount_krw, reason, created_at, expires_at, started_at, remaining_krw, expired_krw FROM free_grant
	UNION ALL SELECT id, wallet_id, 'paid', amount_krw, reason, created_at, 0, 0, 0, 0 FROM paid_grant) AS gift`

const giftColumns = `id, wallet_id, kind, amount_krw, reason, created_at, expires_at, started_at, remaining_krw, expired_krw`

func scanGift(row scanner) (g wallet.Gift, err error) {
	err = row.Scan(&g.ID, &g.WalletID, &g.Kind, &g.Amount, &g.Reason, at(&g.CreatedAt), at(&g.ExpiresAt), at(&g.StartedAt),
		&g.Remaining, &g.Expired)
	return g, err
}

// gift reads a gift of a wallet. It is NotFound when the wallet has no such gift.
func gift(ctx context.Context, q querier, walletID, id string) (wallet.Gift, error) {
	g, err := scanGift(q.QueryRowContext(ctx, `SELECT `+giftColumns+` FROM `+gifts+` WHERE wallet_id = $1 AND id = $2`, walletID, id))
	return g, orNotFound(err, "grant", id)
}

// Gifts lists the cash that was given to a wallet, newest first: gifts before an id, or from the
// newest with an empty one. It is NotFound when there is no wallet.
func (s *Store) Gifts(ctx context.Context, walletID, before string, limit int) ([]wallet.Gift, error) {
	if _, err := s.Wallet(ctx, walletID); err != nil {
		return nil, err
	}
	if before == "" {
		before = "~" // after every id
	}
	rows, err := s.read.QueryContext(ctx, `SELECT `+giftColumns+` FROM `+gifts+` WHERE wallet_id = $1 AND id < $2
		ORDER BY id DESC LIMIT $3`, walletID, before, limit)
	return collect(rows, err, scanGift)
}

// Give stores cash that the platform gives and mails the wallet's people. Paid cash is posted at
// once; free cash waits for somebody to press use.
func (s *Store) Give(ctx context.Context, g wallet.Gift, r wallet.Request) (given wallet.Gift, repeated bool, err error) {
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		answer, again, err := claimRequest(ctx, tx, r.Scope, r.Key, r.BodyHash, g.ID)
		if err != nil {
			return err
		}
		if repeated = again; again {
			given, err = gift(ctx, tx, g.WalletID, string(answer))
			return err
		}
		w, err := s.lockWallet(ctx, tx, g.WalletID)
		if err != nil {
			return err
		}
		if w.Status == wallet.Deleted {
			return wallet.ErrDeleted
		}
		given = g
		if g.Kind == wallet.PaidCash {
			err = s.givePaid(ctx, tx, w, g)
		} else {
			err = s.giveFree(ctx, tx, g)
		}
		if err != nil {
			return err
		}
		access.DeedOf(ctx).Did(access.Object{Kind: access.OfWallet, ID: g.WalletID}, nil, map[string]any{
			"grant": g.ID, "kind": g.Kind, "amount_krw": g.Amount, "reason": g.Reason,
		})
		return nil
	})
	return given, repeated, err
}

func (s *Store) giveFree(ctx context.Context, tx *sql.Tx, g wallet.Gift) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO free_grant (id, wallet_id, amount_krw, remaining_krw, expired_krw, started_at, expires_at, created_at, reason)
		VALUES ($1, $2, $3, $3, 0, 0, $4, $5, $6)`, g.ID, g.WalletID, g.Amount, millis(g.ExpiresAt), millis(g.CreatedAt), g.Reason)
	if err != nil {
		return fmt.Errorf("insert free cash %s: %w", g.ID, err)
	}
	name, err := walletName(ctx, tx, g.WalletID)
	if err != nil {
		return err
	}
	return insertNotices(ctx, tx, notice.Event{WalletID: g.WalletID, Subject: g.ID, At: g.CreatedAt, Data: notice.FreeCashGranted{
		WalletName: name, Amount: g.Amount, Reason: g.Reason, GrantedAt: g.CreatedAt, ExpiresAt: g.ExpiresAt, Path: billing.WalletPath(g.WalletID),
	}})
}

// givePaid posts paid cash to a locked wallet. Like a top-up it pays what is owed first, and an
// unpaid wallet that still owes something due is charged at once.
func (s *Store) givePaid(ctx context.Context, tx *sql.Tx, w wallet.Wallet, g wallet.Gift) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO paid_grant (id, wallet_id, amount_krw, reason, created_at) VALUES ($1, $2, $3, $4, $5)`,
		g.ID, g.WalletID, g.Amount, g.Reason, millis(g.CreatedAt))
	if err != nil {
		return fmt.Errorf("insert paid cash %s: %w", g.ID, err)
	}
	before := w
	w, posting := w.GivePaid(g.Amount, g.ID, g.CreatedAt)
	name, reconnect, err := s.cashIn(ctx, tx, before, w, posting)
	if err != nil {
		return err
	}
	return insertNotices(ctx, tx, notice.Event{WalletID: w.ID, Subject: g.ID, At: g.CreatedAt, Data: notice.PaidCashGranted{
		WalletName: name, Amount: g.Amount, Reason: g.Reason, Settled: posting.Accrual, Balance: w.Free + w.Paid,
		GrantedAt: g.CreatedAt, Reconnect: reconnect, Path: billing.WalletPath(w.ID),
	}})
}

// StartGift makes free cash count.
func (s *Store) StartGift(ctx context.Context, walletID, id string, now time.Time, r wallet.Request) (started wallet.Gift, repeated bool, err error) {
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		_, again, err := claimRequest(ctx, tx, r.Scope, r.Key, r.BodyHash, id)
		if err != nil {
			return err
		}
		w, err := s.lockWallet(ctx, tx, walletID)
		if err != nil {
			return err
		}
		if started, err = gift(ctx, tx, walletID, id); err != nil {
			return err
		}
		if repeated = again; again {
			return nil
		}
		if err := w.CheckTopUp(); err != nil {
			return err
		}
		if err := started.CheckUse(now); err != nil {
			return err
		}
		started.StartedAt = now
		if _, err := tx.ExecContext(ctx, `UPDATE free_grant SET started_at = $2 WHERE id = $1`, id, millis(now)); err != nil {
			return fmt.Errorf("start free cash %s: %w", id, err)
		}
		w, posting := w.StartGrant(started.Amount, id, now)
		if err := s.post(ctx, tx, walletID, posting); err != nil {
			return err
		}
		if err := saveWallet(ctx, tx, w); err != nil {
			return err
		}
		access.DeedOf(ctx).Did(access.Object{Kind: access.OfWallet, ID: walletID}, nil, map[string]any{"grant": id, "used_krw": started.Amount})
		return nil
	})
	return started, repeated, err
}
