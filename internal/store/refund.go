package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

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
// first, until they cover an amount.
func sources(ctx context.Context, q querier, walletID string, amount wallet.KRW) ([]topUpSource, error) {
	rows, err := q.QueryContext(ctx, `SELECT p.ref, p.paid, p.at, COALESCE(o.method, 'card'), COALESCE(a.tid, l.tid, ''),
		(SELECT CAST(COALESCE(SUM(r.supply_krw), 0) AS BIGINT) FROM refund_line r
			WHERE r.wallet_id = p.wallet_id AND r.topup_ref = p.ref AND r.state <> 'failed'),
		(SELECT CAST(COALESCE(SUM(r.vat_krw), 0) AS BIGINT) FROM refund_line r
			WHERE r.wallet_id = p.wallet_id AND r.topup_ref = p.ref AND r.state <> 'failed')
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
	switch {
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
		answer, repeated, err := claimRequest(ctx, tx, r.Scope, r.Key, r.BodyHash)
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
		if err := post(ctx, tx, w.ID, posting); err != nil {
			return err
		}
		if err := saveWallet(ctx, tx, w); err != nil {
			return err
		}
		if next, err = insertRefund(ctx, tx, refund, o); err != nil {
			return err
		}
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
		next = append(next, follow(a.id)...)
	}
	return next, nil
}

// heldLine is a line that a transaction works on; its wallet is locked.
type heldLine struct {
	id, refund  string
	supply, vat wallet.KRW
	state       billing.LineState
}

// changeLine runs a change of a line by a report of its attempt, under the locks of wallet and
// attempt.
func (s *Store) changeLine(ctx context.Context, r billing.Report,
	change func(tx *sql.Tx, w wallet.Wallet, a heldAttempt, l heldLine) (billing.Result, error),
) (result billing.Result, err error) {
	walletID, err := s.attemptWallet(ctx, r.ID)
	if err != nil {
		return result, err
	}
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		w, err := s.lockWallet(ctx, tx, walletID)
		if err != nil {
			return err
		}
		a, err := s.lockAttempt(ctx, tx, r.ID)
		if err != nil {
			return err
		}
		l := heldLine{id: a.subject}
		err = tx.QueryRowContext(ctx, `SELECT refund_id, supply_krw, vat_krw, state FROM refund_line WHERE id = $1`, a.subject).
			Scan(&l.refund, &l.supply, &l.vat, &l.state)
		if err != nil {
			return orNotFound(err, "line of a refund", a.subject)
		}
		result, err = change(tx, w, a, l)
		return err
	})
	return result, err
}

// LineRefunded ends a line whose money went back. One that was given up before and went back after
// all needs a person: its money is paid cash again, and may be used.
func (s *Store) LineRefunded(ctx context.Context, r billing.Report) (billing.Result, error) {
	return s.changeLine(ctx, r, func(tx *sql.Tx, w wallet.Wallet, a heldAttempt, l heldLine) (billing.Result, error) {
		switch {
		case a.mayBePaid(r) && l.state == billing.LineOpen:
		case !r.Fenced && a.state == billing.Declined:
			r.Reason = billing.ReasonLate
			return s.reviewLine(ctx, tx, w, l, r)
		default:
			return billing.Result{Outcome: billing.Skipped, WalletID: w.ID}, nil
		}
		if err := endAttempt(ctx, tx, r, billing.Done); err != nil {
			return billing.Result{}, err
		}
		w, posting := w.PayRefund(l.supply, l.vat, l.id, r.At)
		return billing.Result{Outcome: billing.Refunded, WalletID: w.ID}, s.endLine(ctx, tx, w, posting, l, billing.LineDone, r)
	})
}

// LineReturned ends a line whose money did not go back.
func (s *Store) LineReturned(ctx context.Context, r billing.Report) (billing.Result, error) {
	return s.changeLine(ctx, r, func(tx *sql.Tx, w wallet.Wallet, a heldAttempt, l heldLine) (billing.Result, error) {
		if !a.open(r, true, billing.Prepared, billing.Calling, billing.Unknown) || l.state != billing.LineOpen {
			return billing.Result{Outcome: billing.Skipped, WalletID: w.ID}, nil
		}
		if err := endAttempt(ctx, tx, r, billing.Declined); err != nil {
			return billing.Result{}, err
		}
		w, posting := w.FailRefund(l.supply, l.id, r.At)
		return billing.Result{Outcome: billing.Returned, WalletID: w.ID, Reason: r.Reason}, s.endLine(ctx, tx, w, posting, l, billing.LineFailed, r)
	})
}

// LineMismatch puts a refund in review; the money stays aside.
func (s *Store) LineMismatch(ctx context.Context, r billing.Report) (billing.Result, error) {
	return s.changeLine(ctx, r, func(tx *sql.Tx, w wallet.Wallet, a heldAttempt, l heldLine) (billing.Result, error) {
		if !a.mayBePaid(r) {
			return billing.Result{Outcome: billing.Skipped, WalletID: w.ID}, nil
		}
		return s.reviewLine(ctx, tx, w, l, r)
	})
}

func (s *Store) reviewLine(ctx context.Context, tx *sql.Tx, w wallet.Wallet, l heldLine, r billing.Report) (billing.Result, error) {
	result := billing.Result{Outcome: billing.Review, WalletID: w.ID, Reason: r.Reason}
	if err := endAttempt(ctx, tx, r, billing.Done); err != nil {
		return result, err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE refund_line SET reason = $2 WHERE id = $1`, l.id, r.Reason); err != nil {
		return result, err
	}
	_, err := tx.ExecContext(ctx, `UPDATE refund SET state = 'review' WHERE id = $1 AND state = 'open'`, l.refund)
	return result, err
}

// endLine ends a line with its posting, and its refund with the last of its lines.
func (s *Store) endLine(ctx context.Context, tx *sql.Tx, w wallet.Wallet, p wallet.Posting, l heldLine, state billing.LineState, r billing.Report) error {
	if err := post(ctx, tx, w.ID, p); err != nil {
		return err
	}
	if err := saveWallet(ctx, tx, w); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `UPDATE refund_line SET state = $2, reason = $3, closed_at = $4 WHERE id = $1`, l.id, state, r.Reason, millis(r.At))
	if err != nil {
		return fmt.Errorf("end line %s: %w", l.id, err)
	}
	refund, err := readRefund(ctx, tx, l.refund)
	if err != nil {
		return err
	}
	done := 0
	for _, line := range refund.Lines {
		switch line.State {
		case billing.LineOpen:
			return nil
		case billing.LineDone:
			done++
		case billing.LineFailed:
		}
	}
	switch done {
	case len(refund.Lines):
		refund.State = billing.RefundDone
	case 0:
		refund.State = billing.RefundFailed
	default:
		refund.State = billing.RefundPartly
	}
	_, err = tx.ExecContext(ctx, `UPDATE refund SET state = $2, closed_at = $3, number_sealed = $4 WHERE id = $1`,
		refund.ID, refund.State, millis(r.At), []byte{}) // where it went is not needed any more, what is shown of it stays
	if err != nil {
		return fmt.Errorf("end refund %s: %w", refund.ID, err)
	}
	if done == 0 {
		return nil
	}
	return s.mailRefund(ctx, tx, w, refund, r.At)
}
