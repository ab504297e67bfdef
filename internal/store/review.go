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

// DecideCharge takes a charge out of review.
func (s *Store) DecideCharge(ctx context.Context, d billing.Decision) (result billing.Result, err error) {
	var walletID string
	err = s.read.QueryRowContext(ctx, `SELECT wallet_id FROM charge WHERE id = $1`, d.ChargeID).Scan(&walletID)
	if err != nil {
		return result, orNotFound(err, "charge", d.ChargeID)
	}
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		result = billing.Result{Outcome: billing.Skipped, WalletID: walletID}
		_, repeated, err := claimRequest(ctx, tx, d.Request.Scope, d.Request.Key, d.Request.BodyHash, d.ChargeID)
		if err != nil {
			return err
		}
		if repeated {
			access.DeedOf(ctx).Nothing()
			return nil
		}
		w, err := s.lockWallet(ctx, tx, walletID)
		if err != nil {
			return err
		}
		c, a, err := s.lockReview(ctx, tx, d.ChargeID)
		if err != nil {
			return err
		}
		if d.Finding == billing.FoundPaid {
			result, err = s.foundPaid(ctx, tx, w, c, a, d)
		} else {
			result, err = s.foundNotCharged(ctx, tx, w, c, a, d)
		}
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE charge SET settled_by = $2, settled_why = $3 WHERE id = $1`, c.id, d.By, d.Reason); err != nil {
			return fmt.Errorf("note who decided charge %s: %w", c.id, err)
		}
		deed := access.DeedOf(ctx)
		deed.Did(access.Object{Kind: access.OfWallet, ID: walletID},
			map[string]any{"charge": c.id, "state": billing.ChargeReview, "attempt": a.id, "outcome": a.state},
			map[string]any{"charge": c.id, "finding": d.Finding, "then": d.Then, "tid": d.TID, "paid_krw": d.Paid, "reason": d.Reason})
		return nil
	})
	return result, err
}

// lockReview locks a charge in review and the attempt that put it there: the one whose outcome is
// not known, or the last one whose payment was not what was asked for.
func (s *Store) lockReview(ctx context.Context, tx *sql.Tx, chargeID string) (heldCharge, heldAttempt, error) {
	c := heldCharge{id: chargeID}
	err := tx.QueryRowContext(ctx, `SELECT supply_krw, vat_krw, state FROM charge WHERE id = $1`+s.dialect.lock, chargeID).
		Scan(&c.supply, &c.vat, &c.state)
	if err != nil {
		return c, heldAttempt{}, fmt.Errorf("lock charge %s: %w", chargeID, err)
	}
	if c.state != billing.ChargeReview {
		return c, heldAttempt{}, billing.ErrNotInReview
	}
	var id string
	err = tx.QueryRowContext(ctx, `SELECT id FROM attempt WHERE subject_id = $1 AND (state = 'unknown' OR state = 'done' AND reason = $2)
		ORDER BY CASE state WHEN 'unknown' THEN 0 ELSE 1 END, id DESC LIMIT 1`, chargeID, billing.ReasonMismatch).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) { // it is being called, or was just resolved
		return c, heldAttempt{}, billing.ErrNotInReview
	}
	if err != nil {
		return c, heldAttempt{}, fmt.Errorf("find the attempt in review of charge %s: %w", chargeID, err)
	}
	a, err := s.lockAttempt(ctx, tx, id)
	return c, a, err
}

// foundPaid pays a charge in review. What was taken beyond it is a top-up.
func (s *Store) foundPaid(ctx context.Context, tx *sql.Tx, w wallet.Wallet, c heldCharge, a heldAttempt, d billing.Decision) (billing.Result, error) {
	beyond := wallet.KRW(0)
	if d.Paid != 0 {
		beyond = d.Paid - c.supply - c.vat
	}
	if beyond < 0 {
		return billing.Result{}, billing.ErrPaidLess
	}
	r := billing.Report{ID: a.id, At: d.At, TID: d.TID, Method: "자동결제 카드"}
	if beyond > 0 {
		r.Reason = billing.ReasonMismatch
	}
	if err := endAttempt(ctx, tx, r, billing.Done); err != nil {
		return billing.Result{}, err
	}
	w, err := s.payCharge(ctx, tx, w, c, r)
	if err != nil {
		return billing.Result{}, err
	}
	if beyond > 0 {
		vat := wallet.VATOfTotal(beyond) // as KakaoPay rounds it
		if err := s.postTopUp(ctx, tx, w, beyond-vat, vat, a.id, r); err != nil {
			return billing.Result{}, err
		}
	}
	return billing.Result{Outcome: billing.Paid, WalletID: w.ID}, nil
}

// foundNotCharged ends the attempt of a charge in review and goes on as after a decline.
func (s *Store) foundNotCharged(ctx context.Context, tx *sql.Tx, w wallet.Wallet, c heldCharge, a heldAttempt, d billing.Decision) (billing.Result, error) {
	r := billing.Report{ID: a.id, At: d.At, Reason: billing.ReasonLost}
	if a.state == billing.Done {
		r.Reason = billing.ReasonMismatch
	}
	if err := endAttempt(ctx, tx, r, billing.Declined); err != nil {
		return billing.Result{}, err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE charge SET state = 'open' WHERE id = $1`, c.id); err != nil {
		return billing.Result{}, err
	}
	if d.Then == billing.ThenFail {
		return billing.Result{Outcome: billing.AllFailed, WalletID: w.ID}, s.failCharge(ctx, tx, w, c, d.At)
	}
	return s.nextCard(ctx, tx, w, c, d.NextID, d.At, billing.NextCard, time.Time{})
}

// ChargesInReview lists charges that wait for a person, the oldest first: those after an id.
func (s *Store) ChargesInReview(ctx context.Context, after string, limit int) ([]ChargeView, error) {
	return chargeViews(ctx, s.read, `state IN ('open', 'review') AND state = 'review' AND id > $1 ORDER BY id LIMIT $2`, after, limit)
}

// Charge reads a charge with its attempts. It is NotFound when there is none.
func (s *Store) Charge(ctx context.Context, id string) (ChargeView, error) {
	return chargeView(ctx, s.read, id)
}

func chargeView(ctx context.Context, q querier, id string) (ChargeView, error) {
	charges, err := chargeViews(ctx, q, `id = $1`, id)
	if err != nil {
		return ChargeView{}, err
	}
	if len(charges) == 0 {
		return ChargeView{}, orNotFound(sql.ErrNoRows, "charge", id)
	}
	return charges[0], nil
}
