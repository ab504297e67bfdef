package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/wallet"
)

// ChangeWallet changes what is given of a wallet. What a wallet that was turned off has queued is
// recalled in the same transaction.
func (s *Store) ChangeWallet(ctx context.Context, id string, c access.WalletChange, platform bool, now time.Time) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		before, err := s.lockWallet(ctx, tx, id)
		if err != nil {
			return err
		}
		if before.Status == wallet.Deleted {
			return wallet.ErrDeleted
		}
		was, err := changeable(ctx, tx, id)
		if err != nil {
			return err
		}
		if field := c.OfBusiness(); field != "" {
			if err := mayBeInvoiced(ctx, tx, id, field); err != nil {
				return err
			}
		}
		after := before
		if c.Status != nil {
			if after, err = before.SetStatus(*c.Status, platform); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, `UPDATE wallet SET name = COALESCE(CAST($2 AS TEXT), name),
			invoice_email = COALESCE(CAST($3 AS TEXT), invoice_email), daily_limit_krw = COALESCE(CAST($4 AS BIGINT), daily_limit_krw),
			business_number = COALESCE(CAST($6 AS TEXT), business_number), company = COALESCE(CAST($7 AS TEXT), company),
			address = COALESCE(CAST($8 AS TEXT), address), business_type = COALESCE(CAST($9 AS TEXT), business_type),
			business_item = COALESCE(CAST($10 AS TEXT), business_item), status = $5 WHERE id = $1`,
			id, c.Name, c.InvoiceEmail, c.DailyLimit, string(after.Status), c.BusinessNumber, c.Company, c.Address, c.Type, c.Item)
		if err != nil {
			return fmt.Errorf("change wallet %s: %w", id, err)
		}
		is, err := changeable(ctx, tx, id)
		if err != nil {
			return err
		}
		access.DeedOf(ctx).Did(access.Object{Kind: access.OfWallet, ID: id}, was, is)
		if before.Check() == nil && after.Check() != nil {
			return s.recallWallet(ctx, tx, id, now)
		}
		return nil
	})
}

// changeable is what may be changed of a wallet, for the audit log.
func changeable(ctx context.Context, tx querier, id string) (map[string]any, error) {
	var name, email, status, number string
	var b access.Registered
	var limit int64
	err := tx.QueryRowContext(ctx, `SELECT name, invoice_email, status, daily_limit_krw, business_number, company, representative, address, business_type, business_item
		FROM wallet WHERE id = $1`, id).Scan(&name, &email, &status, &limit, &number, &b.Company, &b.Representative, &b.Address, &b.Type, &b.Item)
	return map[string]any{"name": name, "invoice_email": email, "status": status, "daily_limit_krw": limit, "business_number": number, "business": b}, err
}

// mayBeInvoiced is Invalid for a wallet that gets no tax invoices.
func mayBeInvoiced(ctx context.Context, tx querier, id, field string) error {
	kind, err := walletKind(ctx, tx, id)
	if err == nil && kind != access.Business {
		err = fault.Field(field, "belongs to a business wallet; this one gets no tax invoices")
	}
	return err
}

// walletKind reads whether a wallet is that of a business or of a person.
func walletKind(ctx context.Context, tx querier, id string) (kind access.WalletKind, err error) {
	err = tx.QueryRowContext(ctx, `SELECT kind FROM wallet WHERE id = $1`, id).Scan(&kind)
	return kind, orNotFound(err, "wallet", id)
}

// DeleteWallet ends a wallet for good: its cards and its bots are free for other wallets, its row
// stays with its ledger. A Conflict names everything that is in the way. Deleted again it changes
// nothing.
func (s *Store) DeleteWallet(ctx context.Context, id string, now time.Time) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		w, err := s.lockWallet(ctx, tx, id)
		if err != nil {
			return err
		}
		if w.Status == wallet.Deleted {
			access.DeedOf(ctx).Nothing()
			return nil
		}
		ties, err := tiesOf(ctx, tx, id)
		if err != nil {
			return err
		}
		if _, err := w.Delete(ties); err != nil {
			return err
		}
		for _, statement := range []string{
			`UPDATE wallet SET deleted_at = $2 WHERE id = $1`,
			`UPDATE bot SET wallet_id = NULL WHERE wallet_id = $1 AND CAST($2 AS BIGINT) > 0`,
			`DELETE FROM wallet_card WHERE wallet_id = $1 AND CAST($2 AS BIGINT) > 0`,
		} {
			if _, err := tx.ExecContext(ctx, statement, id, millis(now)); err != nil {
				return fmt.Errorf("delete wallet %s: %w", id, err)
			}
		}
		access.DeedOf(ctx).Did(access.Object{Kind: access.OfWallet, ID: id}, map[string]any{"status": w.Status}, map[string]any{"status": wallet.Deleted})
		return nil
	})
}

// tiesOf counts what keeps a locked wallet from being deleted.
func tiesOf(ctx context.Context, tx *sql.Tx, id string) (t wallet.Ties, err error) {
	err = tx.QueryRowContext(ctx, `SELECT
		(SELECT COUNT(*) FROM broadcast WHERE wallet_id = $1 AND (state IN ('uploading', 'running', 'paused')
			OR (state = 'cancelled' AND planned_chunks > 0))),
		(SELECT COUNT(*) FROM charge WHERE wallet_id = $1 AND state IN ('open', 'review'))
			+ (SELECT COUNT(*) FROM checkout WHERE wallet_id = $1 AND state IN ('ready', 'approving', 'review'))
			+ (SELECT COUNT(*) FROM refund WHERE wallet_id = $1 AND state IN ('open', 'review')),
		(SELECT COALESCE(MIN(u.at), 0) FROM (
			SELECT MIN(p.at) AS at FROM posting p JOIN wallet w ON w.id = p.wallet_id
				WHERE p.wallet_id = $1 AND w.kind = 'business' AND p.at >= w.invoiced_to AND p.revenue <> 0 AND p.paid + p.accrual <> 0
			UNION ALL SELECT MIN(i.month) FROM invoice i WHERE i.wallet_id = $1 AND i.revision = 1 AND `+outstanding+`) u),
		(SELECT CAST(COALESCE(SUM(paid + CASE kind WHEN 'correction' THEN accrual ELSE 0 END), 0) AS BIGINT) FROM posting WHERE wallet_id = $1
			AND (kind IN ('topup', 'refund_opened', 'refund_failed') OR kind = 'correction' AND clearing > 0))`, id).
		Scan(&t.Broadcasts, &t.Payments, at(&t.Uninvoiced), &t.Paid)
	if err != nil {
		return t, fmt.Errorf("look for what ties wallet %s: %w", id, err)
	}
	return t, nil
}
