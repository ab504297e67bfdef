package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/wallet"
)

// topUpSource is a top-up that a refund may give back.
type topUpSource struct {
	wallet.Source
	method billing.Method
	tid    string // at the card gateway
	paidAt time.Time
}

// sources lists the top-ups of a wallet that became paid cash and did not go back yet, newest
// first, until they cover an amount. What the provider gave back by itself has gone back as soon as
// a correction says so.
func sources(ctx context.Context, q querier, walletID string, amount wallet.KRW) ([]topUpSource, error) {
	corrected := func(legs string) string {
		return corrections(legs, "p.wallet_id", wallet.CorrectsPayment, "COALESCE(a.id, l.id)")
	}
	rows, err := q.QueryContext(ctx, `SELECT p.ref, p.paid, p.at, COALESCE(o.method, 'card'), COALESCE(a.tid, l.tid, ''),
		(SELECT CAST(COALESCE(SUM(r.supply_krw), 0) AS BIGINT) FROM refund_line r
			WHERE r.wallet_id = p.wallet_id AND r.topup_ref = p.ref AND r.state <> 'failed') - `+corrected("x.paid + x.accrual")+`,
		(SELECT CAST(COALESCE(SUM(r.vat_krw), 0) AS BIGINT) FROM refund_line r
			WHERE r.wallet_id = p.wallet_id AND r.topup_ref = p.ref AND r.state <> 'failed') - `+corrected("x.vat")+`
		FROM posting p
		LEFT JOIN checkout o ON o.id = p.ref
		LEFT JOIN attempt a ON a.subject_id = p.ref AND a.kind = 'topup'
		LEFT JOIN attempt l ON l.id = p.ref AND l.kind = 'charge'
		WHERE p.wallet_id = $1 AND p.kind = 'topup' AND p.paid > 0 ORDER BY p.at DESC, p.ref DESC`, walletID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []topUpSource
	for amount > 0 && rows.Next() {
		var s topUpSource
		if err := rows.Scan(&s.Ref, &s.Credited, at(&s.paidAt), &s.method, &s.tid, &s.Refunded, &s.Returned); err != nil {
			return nil, err
		}
		s.Refunded, s.Returned = max(s.Refunded, 0), max(s.Returned, 0)
		if s.method == billing.ByCard && s.tid == "" {
			continue // no payment that could be cancelled
		}
		if left := s.Credited - s.Refunded; left > 0 {
			found = append(found, s)
			amount -= left
		}
	}
	return found, rows.Err()
}

// planRefund says which lines a refund has, or why it is refused.
func planRefund(ctx context.Context, q querier, w wallet.Wallet, o billing.RefundOpening) (billing.Refund, error) {
	refund := billing.Refund{ID: o.ID, WalletID: w.ID, Supply: o.Supply, State: billing.RefundOpen, OpenedAt: o.At}
	refundable, err := w.Refundable()
	everything := o.Supply == 0 // that top-ups brought in; what was given stays
	switch {
	case err != nil:
		return refund, err
	case refundable == 0:
		return refund, billing.ErrNothingToRefund
	case refund.Supply == 0:
		refund.Supply = refundable
	case refund.Supply > refundable:
		return refund, billing.ErrRefundTooMuch
	}
	from, err := sources(ctx, q, w.ID, refund.Supply)
	if err != nil {
		return refund, fmt.Errorf("list the top-ups of wallet %s: %w", w.ID, err)
	}
	plain := make([]wallet.Source, len(from))
	byRef := make(map[string]topUpSource, len(from))
	for i, s := range from {
		plain[i], byRef[s.Ref] = s.Source, s
	}
	parts, missing := wallet.Allocate(refund.Supply, plain)
	if everything {
		refund.Supply, missing = refund.Supply-missing, 0
	}
	switch {
	case len(parts) == 0:
		return refund, billing.ErrNothingToRefund
	case missing > 0:
		return refund, billing.ErrRefundTooMuch
	case len(parts) > billing.MaxRefundLines:
		return refund, billing.ErrRefundLines
	}
	banked := false
	for i, part := range parts {
		source := byRef[part.Ref]
		banked = banked || source.method == billing.ByBank
		refund.VAT += part.VAT
		refund.Lines = append(refund.Lines, billing.RefundLine{
			ID: fmt.Sprintf("%s-%03d", o.ID, i+1), TopUp: part.Ref, Method: source.method, Supply: part.Supply, VAT: part.VAT,
			State: billing.LineOpen, PaidAt: source.paidAt,
		})
	}
	if !banked {
		return refund, nil
	}
	if !o.HasBank {
		return refund, billing.ErrNoBank
	}
	err = q.QueryRowContext(ctx, `SELECT bank, masked, holder FROM refund_account WHERE wallet_id = $1`, w.ID).
		Scan(&refund.To.Bank, &refund.To.Number, &refund.To.Holder)
	if errors.Is(err, sql.ErrNoRows) {
		err = billing.ErrRefundAccount
	}
	return refund, err
}

// PlanRefund says what a refund would give back.
func (s *Store) PlanRefund(ctx context.Context, o billing.RefundOpening) (billing.Refund, error) {
	w, err := s.Wallet(ctx, o.WalletID)
	if err != nil {
		return billing.Refund{}, err
	}
	return planRefund(ctx, s.read, w, o)
}

// OpenRefund takes the money aside and prepares an attempt for every line.
func (s *Store) OpenRefund(ctx context.Context, o billing.RefundOpening) (refund billing.Refund, next []billing.Follow, err error) {
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		next = nil
		r := o.Request
		answer, repeated, err := claimRequest(ctx, tx, r.Scope, r.Key, r.BodyHash, "")
		if err != nil {
			return err
		}
		if repeated {
			refund, err = readRefund(ctx, tx, string(answer))
			return err
		}
		w, err := s.lockWallet(ctx, tx, o.WalletID)
		if err != nil {
			return err
		}
		if refund, err = planRefund(ctx, tx, w, o); err != nil {
			return err
		}
		w, posting := w.OpenRefund(refund.Supply, refund.ID, o.At)
		if err := s.post(ctx, tx, w.ID, posting); err != nil {
			return err
		}
		if err := saveWallet(ctx, tx, w); err != nil {
			return err
		}
		if next, err = insertRefund(ctx, tx, refund, o); err != nil {
			return err
		}
		access.DeedOf(ctx).Did(access.Object{Kind: access.OfWallet, ID: w.ID}, nil, map[string]any{
			"refund": refund.ID, "supply_krw": refund.Supply, "vat_krw": refund.VAT, "lines": len(refund.Lines),
		})
		return answerRequest(ctx, tx, r.Scope, r.Key, []byte(refund.ID))
	})
	return refund, next, err
}

func insertRefund(ctx context.Context, tx *sql.Tx, refund billing.Refund, o billing.RefundOpening) (next []billing.Follow, err error) {
	_, err = tx.ExecContext(ctx, `INSERT INTO refund (id, wallet_id, supply_krw, vat_krw, state, opened_at, closed_at,
		bank, number_sealed, masked, holder)
		VALUES ($1, $2, $3, $4, $5, $6, 0, '', $7, '', '')`,
		refund.ID, refund.WalletID, refund.Supply, refund.VAT, refund.State, millis(refund.OpenedAt), []byte{})
	if err != nil {
		return nil, fmt.Errorf("insert refund %s: %w", refund.ID, err)
	}
	if refund.To.Number != "" {
		_, err = tx.ExecContext(ctx, `UPDATE refund SET bank = a.bank, number_sealed = a.number_sealed, masked = a.masked, holder = a.holder
			FROM refund_account a WHERE a.wallet_id = refund.wallet_id AND refund.id = $1`, refund.ID)
		if err != nil {
			return nil, fmt.Errorf("keep where refund %s goes: %w", refund.ID, err)
		}
	}
	for _, line := range refund.Lines {
		_, err := tx.ExecContext(ctx, `INSERT INTO refund_line (id, refund_id, wallet_id, topup_ref, method, supply_krw, vat_krw, state, reason, closed_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, '', 0)`,
			line.ID, refund.ID, refund.WalletID, line.TopUp, line.Method, line.Supply, line.VAT, line.State)
		if err != nil {
			return nil, fmt.Errorf("insert line %s: %w", line.ID, err)
		}
		a := newAttempt{
			id: o.NewID("att"), kind: billing.RefundAttempt, subject: line.ID, wallet: refund.WalletID, total: line.Supply + line.VAT,
			created: o.At, next: o.At, enqueued: o.At,
		}
		if err := insertAttempt(ctx, tx, a); err != nil {
			return nil, err
		}
		next = append(next, follow(billing.TaskAttempt, a.id)...)
	}
	return next, nil
}
