package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/malgil/malgil/internal/trace"
	"github.com/malgil/malgil/internal/wallet"
)

const walletColumns = `id, CASE WHEN deleted_at > 0 THEN 'deleted' ELSE status END, payment_state, free_krw, paid_krw, accrual_krw, charging_krw, held_krw, refunding_krw,
	daily_limit_krw, accrual_day, accrual_old_krw, accrued_krw, place, closed_to,
	EXISTS (SELECT 1 FROM wallet_card c WHERE c.wallet_id = wallet.id)`

// walletTargets are where [walletColumns] go.
func walletTargets(w *wallet.Wallet) []any {
	return []any{&w.ID, &w.Status, &w.PaymentState, &w.Free, &w.Paid, &w.Accrual, &w.Charging, &w.Held, &w.Refunding,
		&w.DailyLimit, at(&w.AccrualDay), &w.AccrualOld, &w.Accrued, &w.Place, at(&w.ClosedTo), &w.HasCard}
}

func (s *Store) scanWallet(row scanner) (wallet.Wallet, error) {
	w := wallet.Wallet{Limits: s.limits, Settlement: s.settlement}
	err := row.Scan(walletTargets(&w)...)
	return w, err
}

// Wallet reads the money side of a wallet. It is NotFound when there is none.
func (s *Store) Wallet(ctx context.Context, id string) (wallet.Wallet, error) {
	w, err := s.scanWallet(s.read.QueryRowContext(ctx, `SELECT `+walletColumns+` FROM wallet WHERE id = $1`, id))
	return w, orNotFound(err, "wallet", id)
}

// lockWallet reads a wallet that the transaction will change: the first lock it takes.
func (s *Store) lockWallet(ctx context.Context, tx *sql.Tx, id string) (wallet.Wallet, error) {
	w, err := s.scanWallet(tx.QueryRowContext(ctx, `SELECT `+walletColumns+` FROM wallet WHERE id = $1`+s.dialect.lock, id))
	return w, orNotFound(err, "wallet", id)
}

// saveWallet writes the money side of a wallet that the transaction has locked, but not what is
// held: holds change by differences, see [writeWallet] and [moveHeld].
func saveWallet(ctx context.Context, tx *sql.Tx, w wallet.Wallet) error {
	return writeWallet(ctx, tx, w, 0)
}

// writeWallet is saveWallet with a change of what is held, in one statement.
func writeWallet(ctx context.Context, tx *sql.Tx, w wallet.Wallet, heldChange wallet.KRW) error {
	_, err := tx.ExecContext(ctx, `UPDATE wallet SET payment_state = $2, free_krw = $3, paid_krw = $4,
		accrual_krw = $5, charging_krw = $6, held_krw = held_krw + $7, accrual_day = $8, accrual_old_krw = $9, accrued_krw = $10,
		refunding_krw = $11, trace = COALESCE(NULLIF(CAST($12 AS TEXT), ''), trace) WHERE id = $1`,
		w.ID, w.PaymentState, w.Free, w.Paid, w.Accrual, w.Charging, heldChange,
		millis(w.AccrualDay), w.AccrualOld, w.Accrued, w.Refunding, trace.Parent(ctx))
	if err != nil {
		return fmt.Errorf("save wallet %s: %w", w.ID, err)
	}
	return nil
}

// moveHeld changes what is held of a locked wallet.
func moveHeld(ctx context.Context, tx *sql.Tx, id string, change wallet.KRW) error {
	if _, err := tx.ExecContext(ctx, `UPDATE wallet SET held_krw = held_krw + $2 WHERE id = $1`, id, change); err != nil {
		return fmt.Errorf("change what is held of wallet %s: %w", id, err)
	}
	return nil
}

// post writes a posting and what it takes from free-cash grants. The caller saves the wallet
// that the rule returned with it, in the same transaction.
func (s *Store) post(ctx context.Context, tx *sql.Tx, walletID string, p wallet.Posting) error {
	return s.postAll(ctx, tx, walletID, []wallet.Posting{p})
}

const postingInsert = `wallet_id, kind, ref, at, free, paid, accrual, charging, revenue, clearing, vat, rounding, promotion, refunding`

// postAll is post for several postings, in one statement, one for each grant, and one that keeps which paid what.
func (s *Store) postAll(ctx context.Context, tx *sql.Tx, walletID string, all []wallet.Posting) error {
	if len(all) == 0 {
		return nil
	}
	var text strings.Builder
	text.WriteString(`INSERT INTO posting (` + postingInsert + `) VALUES `)
	args := make([]any, 0, 14*len(all))
	used := map[string]wallet.KRW{}
	for i, p := range all {
		if i > 0 {
			text.WriteString(", ")
		}
		text.WriteString("(" + placeholders(14*i+1, 14) + ")")
		args = append(args, walletID, p.Kind, p.Ref, millis(p.At),
			p.Free, p.Paid, p.Accrual, p.Charging, p.Revenue, p.Clearing, p.VAT, p.Rounding, p.Promotion, p.Refunding)
		for _, use := range p.Grants {
			used[use.GrantID] += use.Amount
		}
	}
	if _, err := tx.ExecContext(ctx, text.String(), args...); err != nil {
		return fmt.Errorf("post %s %s and %d more: %w", all[0].Kind, all[0].Ref, len(all)-1, err)
	}
	for id, amount := range used {
		if _, err := tx.ExecContext(ctx, `UPDATE free_grant SET remaining_krw = remaining_krw - $2 WHERE id = $1`, id, amount); err != nil {
			return fmt.Errorf("use grant %s: %w", id, err)
		}
	}
	s.ledger.wrote(tx, all)
	return noteUses(ctx, tx, walletID, all)
}

// noteUses keeps which grants paid for which postings, in one statement.
func noteUses(ctx context.Context, tx *sql.Tx, walletID string, all []wallet.Posting) error {
	var rows []string
	var args []any
	for _, p := range all {
		for _, use := range p.Grants {
			rows = append(rows, "("+placeholders(len(args)+1, 5)+")")
			args = append(args, walletID, p.Kind, p.Ref, use.GrantID, use.Amount)
		}
	}
	if len(rows) == 0 {
		return nil
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO grant_use (wallet_id, kind, ref, grant_id, amount_krw) VALUES `+strings.Join(rows, ", "), args...)
	if err != nil {
		return fmt.Errorf("note which grants paid: %w", err)
	}
	return nil
}

// grants lists the started free cash of a locked wallet in the order of its use. It asks the
// database only when the wallet has any.
func grants(ctx context.Context, tx *sql.Tx, w wallet.Wallet) ([]wallet.Grant, error) {
	if w.Free == 0 {
		return nil, nil
	}
	rows, err := tx.QueryContext(ctx, `SELECT id, remaining_krw, expires_at FROM free_grant
		WHERE wallet_id = $1 AND remaining_krw > 0 AND started_at > 0 ORDER BY expires_at, id`, w.ID)
	return collect(rows, err, func(row scanner) (g wallet.Grant, err error) {
		err = row.Scan(&g.ID, &g.Remaining, at(&g.ExpiresAt))
		return g, err
	})
}

// Books is what a wallet's balances should be by its postings.
type Books struct {
	Free, Paid, Refunding, Accrual, Charging wallet.KRW // as sums of legs, debits turned to what is owed
	Revenue, Clearing, VAT, Rounding         wallet.KRW // credit-positive sums
	Held                                     wallet.KRW // sum of the holds of chunks
}

// Books sums the postings and holds of a wallet, for checks against its balances.
func (s *Store) Books(ctx context.Context, walletID string) (b Books, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT
		CAST(COALESCE(SUM(free), 0) AS BIGINT), CAST(COALESCE(SUM(paid), 0) AS BIGINT),
		CAST(COALESCE(-SUM(accrual), 0) AS BIGINT), CAST(COALESCE(-SUM(charging), 0) AS BIGINT),
		CAST(COALESCE(SUM(revenue), 0) AS BIGINT), CAST(COALESCE(SUM(clearing), 0) AS BIGINT),
		CAST(COALESCE(SUM(vat), 0) AS BIGINT), CAST(COALESCE(SUM(rounding), 0) AS BIGINT), CAST(COALESCE(SUM(refunding), 0) AS BIGINT)
		FROM posting WHERE wallet_id = $1`, walletID).
		Scan(&b.Free, &b.Paid, &b.Accrual, &b.Charging, &b.Revenue, &b.Clearing, &b.VAT, &b.Rounding, &b.Refunding)
	if err != nil {
		return b, fmt.Errorf("sum postings of %s: %w", walletID, err)
	}
	err = s.read.QueryRowContext(ctx, `SELECT CAST(COALESCE(SUM(hold_krw), 0) AS BIGINT) FROM chunk
		WHERE wallet_id = $1 AND state IN ('queued', 'sending', 'sent', 'in_doubt')`, walletID).Scan(&b.Held)
	if err != nil {
		return b, fmt.Errorf("sum holds of %s: %w", walletID, err)
	}
	return b, nil
}
