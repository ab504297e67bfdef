package store

import (
	"context"
	"fmt"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/wallet"
)

const refundColumns = `id, wallet_id, supply_krw, vat_krw, state, bank, masked, holder, opened_at, closed_at FROM refund`

func scanRefund(row scanner) (r billing.Refund, err error) {
	err = row.Scan(&r.ID, &r.WalletID, &r.Supply, &r.VAT, &r.State, &r.To.Bank, &r.To.Number, &r.To.Holder, at(&r.OpenedAt), at(&r.ClosedAt))
	return r, err
}

func readRefund(ctx context.Context, q querier, id string) (billing.Refund, error) {
	r, err := scanRefund(q.QueryRowContext(ctx, `SELECT `+refundColumns+` WHERE id = $1`, id))
	if err != nil {
		return r, orNotFound(err, "refund", id)
	}
	refunds := []billing.Refund{r}
	err = addLines(ctx, q, refunds)
	return refunds[0], err
}

// addLines reads the lines of refunds in one query.
func addLines(ctx context.Context, q querier, refunds []billing.Refund) error {
	place := make(map[string]int, len(refunds))
	ids := make([]any, len(refunds))
	for i, r := range refunds {
		place[r.ID], ids[i] = i, r.ID
	}
	rows, err := q.QueryContext(ctx, `SELECT l.refund_id, l.id, l.topup_ref, l.method, l.supply_krw, l.vat_krw, l.state, l.reason, l.closed_at,
		(SELECT p.at FROM posting p WHERE p.wallet_id = l.wallet_id AND p.kind = 'topup' AND p.ref = l.topup_ref)
		FROM refund_line l WHERE l.refund_id IN (`+marks(len(ids))+`) ORDER BY l.id`, ids...)
	if err != nil {
		return fmt.Errorf("list the lines of refunds: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var refund string
		var l billing.RefundLine
		if err := rows.Scan(&refund, &l.ID, &l.TopUp, &l.Method, &l.Supply, &l.VAT, &l.State, &l.Reason, at(&l.ClosedAt), at(&l.PaidAt)); err != nil {
			return err
		}
		r := &refunds[place[refund]]
		r.Lines = append(r.Lines, l)
	}
	return rows.Err()
}

// Refund reads a refund.
func (s *Store) Refund(ctx context.Context, id string) (billing.Refund, error) {
	return readRefund(ctx, s.read, id)
}

// Refunds lists the refunds of a wallet, newest first: those before an id, or from the newest with
// an empty one. It is NotFound when there is no wallet.
func (s *Store) Refunds(ctx context.Context, walletID, before string, limit int) ([]billing.Refund, error) {
	if _, err := s.Wallet(ctx, walletID); err != nil {
		return nil, err
	}
	if before == "" {
		before = "~" // after every id
	}
	rows, err := s.read.QueryContext(ctx, `SELECT `+refundColumns+` WHERE wallet_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3`,
		walletID, before, limit)
	refunds, err := collect(rows, err, scanRefund)
	if err != nil || len(refunds) == 0 {
		return nil, err
	}
	return refunds, addLines(ctx, s.read, refunds)
}

// RefundPayment reads what a line gives back.
func (s *Store) RefundPayment(ctx context.Context, lineID string) (p billing.RefundPayment, err error) {
	var late bool
	err = s.read.QueryRowContext(ctx, `SELECT l.method, l.wallet_id, COALESCE(a.tid, c.tid, ''), c.id IS NOT NULL, r.bank, r.holder, r.number_sealed,
		(SELECT CAST(COALESCE(SUM(d.supply_krw + d.vat_krw), 0) AS BIGINT) FROM refund_line d
			WHERE d.wallet_id = l.wallet_id AND d.topup_ref = l.topup_ref AND d.state = 'done')
		+ `+corrections("x.clearing", "l.wallet_id", wallet.CorrectsPayment, "COALESCE(a.id, c.id)")+`
		FROM refund_line l JOIN refund r ON r.id = l.refund_id
		LEFT JOIN attempt a ON a.subject_id = l.topup_ref AND a.kind = 'topup'
		LEFT JOIN attempt c ON c.id = l.topup_ref AND c.kind = 'charge'
		WHERE l.id = $1`, lineID).
		Scan(&p.Method, &p.WalletID, &p.TID, &late, &p.To.Bank, &p.To.Holder, &p.Sealed, &p.Returned)
	if p.Purpose = billing.OneTime; late {
		p.Purpose = billing.Recurring
	}
	return p, orNotFound(err, "line of a refund", lineID)
}
