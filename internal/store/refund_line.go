package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/wallet"
)

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

// SettleRefund ends the open lines of a refund in review as a person says.
func (s *Store) SettleRefund(ctx context.Context, walletID, id string, wentBack bool, now time.Time, r billing.Request) (refund billing.Refund, err error) {
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		_, repeated, err := claimRequest(ctx, tx, r.Scope, r.Key, r.BodyHash, id)
		if err != nil {
			return err
		}
		if repeated {
			refund, err = readRefund(ctx, tx, id)
			return err
		}
		if _, err := s.lockWallet(ctx, tx, walletID); err != nil {
			return err
		}
		if refund, err = readRefund(ctx, tx, id); err != nil {
			return err
		}
		if refund.State != billing.RefundReview {
			return fault.Coded(fault.Conflict, "WRONG_STATE", "the refund is %s; only one in review is settled by hand", refund.State)
		}
		for _, line := range refund.Lines {
			if line.State == billing.LineOpen {
				if err := s.settleLine(ctx, tx, walletID, id, line, wentBack, now); err != nil {
					return err
				}
			}
		}
		access.DeedOf(ctx).Did(access.Object{Kind: access.OfWallet, ID: walletID},
			map[string]any{"refund": id, "state": refund.State}, map[string]any{"refund": id, "went_back": wentBack})
		refund, err = readRefund(ctx, tx, id)
		return err
	})
	return refund, err
}

func (s *Store) settleLine(ctx context.Context, tx *sql.Tx, walletID, refundID string, line billing.RefundLine, wentBack bool, now time.Time) error {
	w, err := s.lockWallet(ctx, tx, walletID) // as the line before has left it
	if err != nil {
		return err
	}
	attempt, state, end := billing.Declined, billing.LineFailed, w.FailRefund
	if wentBack {
		attempt, state = billing.Done, billing.LineDone
		end = func(supply wallet.KRW, ref string, now time.Time) (wallet.Wallet, wallet.Posting) {
			return w.PayRefund(supply, line.VAT, ref, now)
		}
	}
	_, err = tx.ExecContext(ctx, `UPDATE attempt SET state = $2, epoch = epoch + 1, reason = $3, closed_at = $4, enqueued_at = 0, lease_until = 0
		WHERE subject_id = $1 AND state IN ('prepared', 'calling', 'unknown')`, line.ID, attempt, billing.ReasonSettled, millis(now))
	if err != nil {
		return fmt.Errorf("end the attempt of line %s: %w", line.ID, err)
	}
	w, posting := end(line.Supply, line.ID, now)
	held := heldLine{id: line.ID, refund: refundID, supply: line.Supply, vat: line.VAT, state: line.State}
	return s.endLine(ctx, tx, w, posting, held, state, billing.Report{At: now, Reason: billing.ReasonSettled})
}

// endLine ends a line with its posting, and its refund with the last of its lines.
func (s *Store) endLine(ctx context.Context, tx *sql.Tx, w wallet.Wallet, p wallet.Posting, l heldLine, state billing.LineState, r billing.Report) error {
	if err := s.post(ctx, tx, w.ID, p); err != nil {
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
