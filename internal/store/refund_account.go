package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/fault"
)

// PutRefundAccount keeps where transfers go.
func (s *Store) PutRefundAccount(ctx context.Context, walletID string, a billing.SealedAccount, now time.Time) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO refund_account (wallet_id, bank, number_sealed, masked, holder, updated_at)
			VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (wallet_id) DO UPDATE SET bank = excluded.bank, number_sealed = excluded.number_sealed,
			masked = excluded.masked, holder = excluded.holder, updated_at = excluded.updated_at`,
			walletID, a.Bank, a.Sealed, a.Masked, a.Holder, millis(now))
		access.DeedOf(ctx).Did(access.Object{Kind: access.OfWallet, ID: walletID}, nil,
			map[string]any{"refund_account": a.Bank + " " + a.Masked + " " + a.Holder})
		return err
	})
}

// RefundAccount reads where transfers go, masked.
func (s *Store) RefundAccount(ctx context.Context, walletID string) (a billing.OneTimeAccount, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT bank, masked, holder FROM refund_account WHERE wallet_id = $1`, walletID).
		Scan(&a.Bank, &a.Number, &a.Holder)
	if errors.Is(err, sql.ErrNoRows) {
		return a, fault.New(fault.NotFound, "wallet %q has no refund account", walletID)
	}
	return a, err
}

// WalletNames reads who a wallet belongs to.
func (s *Store) WalletNames(ctx context.Context, walletID string) (n billing.WalletNames, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT name, representative, kind = 'personal' FROM wallet WHERE id = $1`, walletID).
		Scan(&n.Business, &n.Representative, &n.Personal)
	return n, orNotFound(err, "wallet", walletID)
}

// PutRepresentative keeps the name of the representative of a business.
func (s *Store) PutRepresentative(ctx context.Context, walletID, name string) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		ok, err := changed(tx.ExecContext(ctx, `UPDATE wallet SET representative = $2 WHERE id = $1`, walletID, name))
		if err == nil && !ok {
			err = orNotFound(sql.ErrNoRows, "wallet", walletID)
		}
		access.DeedOf(ctx).Did(access.Object{Kind: access.OfWallet, ID: walletID}, nil, map[string]any{"representative": name})
		return err
	})
}
