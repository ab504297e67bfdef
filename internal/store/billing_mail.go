package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/notice"
	"github.com/malgil/malgil/internal/wallet"
)

// tries lists the attempts of a charge in order, for a mail.
func tries(ctx context.Context, tx *sql.Tx, chargeID string) ([]billing.Try, error) {
	rows, err := tx.QueryContext(ctx, `SELECT COALESCE(c.masked, ''), COALESCE(c.issuer, ''), a.slot, a.state, a.reason, a.provider_message
		FROM attempt a LEFT JOIN card c ON c.id = a.card_id WHERE a.subject_id = $1 ORDER BY a.id`, chargeID)
	return collect(rows, err, func(row scanner) (t billing.Try, err error) {
		err = row.Scan(&t.Masked, &t.Issuer, &t.Slot, &t.State, &t.Reason, &t.Message)
		return t, err
	})
}

// walletName reads what people call a wallet.
func walletName(ctx context.Context, q querier, walletID string) (name string, err error) {
	err = q.QueryRowContext(ctx, `SELECT name FROM wallet WHERE id = $1`, walletID).Scan(&name)
	return name, err
}

// mailSuccess tells that a card paid a charge.
func (s *Store) mailSuccess(ctx context.Context, tx *sql.Tx, w wallet.Wallet, c heldCharge, r billing.Report, reconnect bool) error {
	name, err := walletName(ctx, tx, w.ID)
	if err != nil {
		return err
	}
	all, err := tries(ctx, tx, c.id)
	if err != nil {
		return fmt.Errorf("list the attempts of charge %s: %w", c.id, err)
	}
	return insertNotices(ctx, tx, notice.Event{WalletID: w.ID, Subject: c.id, At: r.At, Data: notice.AutoPaySuccess{
		WalletName: name, Amount: billing.AmountOf(c.supply, c.vat), Cards: billing.CardTries(all),
		PaidAt: paidAt(r), Reconnect: reconnect, Path: billing.ChargesPath(w.ID),
	}})
}

// mailFailure tells that no card paid a charge and, when that made the wallet unpaid, what
// follows from it.
func (s *Store) mailFailure(ctx context.Context, tx *sql.Tx, w wallet.Wallet, c heldCharge, now, next time.Time, entering bool) error {
	name, err := walletName(ctx, tx, w.ID)
	if err != nil {
		return err
	}
	all, err := tries(ctx, tx, c.id)
	if err != nil {
		return fmt.Errorf("list the attempts of charge %s: %w", c.id, err)
	}
	due := w.Due(now)
	owed := billing.AmountOf(due, wallet.VAT(due))
	err = insertNotices(ctx, tx, notice.Event{WalletID: w.ID, Subject: c.id, At: now, Data: notice.AutoPayFailure{
		WalletName: name, Amount: billing.AmountOf(c.supply, c.vat), Due: owed, Cards: billing.CardTries(all),
		FailedAt: now, NextTryAt: next, Path: billing.ChargesPath(w.ID),
	}})
	if err != nil || !entering {
		return err
	}
	rows, err := tx.QueryContext(ctx, `SELECT name FROM bot WHERE wallet_id = $1 ORDER BY name, id`, w.ID)
	bots, err := collect(rows, err, func(row scanner) (bot string, err error) {
		err = row.Scan(&bot)
		return bot, err
	})
	if err != nil {
		return fmt.Errorf("list the bots of wallet %s: %w", w.ID, err)
	}
	return insertNotices(ctx, tx, notice.Event{WalletID: w.ID, Subject: c.id, At: now, Data: notice.Unpaid{
		WalletName: name, Due: owed, Bots: bots,
		Since: now, NextTryAt: next, Path: billing.WalletPath(w.ID),
	}})
}

// postTopUp takes money into a locked wallet: it pays what is owed, the rest is paid cash. An
// unpaid wallet that still owes something due is charged at once.
func (s *Store) postTopUp(ctx context.Context, tx *sql.Tx, w wallet.Wallet, supply, vat wallet.KRW, ref string, r billing.Report) error {
	before := w
	w, posting := w.TopUp(supply, vat, ref, r.At)
	name, reconnect, err := s.cashIn(ctx, tx, before, w, posting)
	if err != nil {
		return err
	}
	return insertNotices(ctx, tx, notice.Event{WalletID: w.ID, Subject: ref, At: r.At, Data: notice.TopUp{
		WalletName: name, Amount: billing.AmountOf(supply, vat), Method: r.Method, Settled: posting.Accrual,
		Balance: w.Free + w.Paid, PaidAt: paidAt(r), Reconnect: reconnect, Path: billing.WalletPath(w.ID),
	}})
}

// cashIn writes a posting of a locked wallet that brought paid cash in, and the wallet after it. What an
// unpaid wallet still owes is charged at once. It returns what a mail says of the wallet: its name,
// and whether its channels are to be connected again.
func (s *Store) cashIn(ctx context.Context, tx *sql.Tx, before, after wallet.Wallet, p wallet.Posting) (name string, reconnect bool, err error) {
	if err := s.post(ctx, tx, after.ID, p); err != nil {
		return "", false, err
	}
	if err := saveWallet(ctx, tx, after); err != nil {
		return "", false, err
	}
	if reconnect, err = paidUp(ctx, tx, before, after); err != nil {
		return "", false, err
	}
	if before.PaymentState == wallet.Unpaid {
		if err := chargeAtOnce(ctx, tx, after.ID, p.At); err != nil {
			return "", false, err
		}
	}
	name, err = walletName(ctx, tx, after.ID)
	return name, reconnect, err
}

// chargeAtOnce makes a wallet due now that waits for its next run.
func chargeAtOnce(ctx context.Context, tx *sql.Tx, walletID string, now time.Time) error {
	_, err := tx.ExecContext(ctx, `UPDATE wallet SET next_charge_at = $2 WHERE id = $1 AND next_charge_at > $2`, walletID, millis(now))
	return err
}

// paidAt returns when the provider took the money, or when we heard of it.
func paidAt(r billing.Report) time.Time {
	if r.PaidAt.IsZero() {
		return r.At
	}
	return r.PaidAt
}
