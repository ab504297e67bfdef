package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/wallet"
)

// DecideCheckout takes a checkout out of review.
func (s *Store) DecideCheckout(ctx context.Context, d billing.CheckoutDecision) error {
	c, err := s.Checkout(ctx, d.CheckoutID)
	if err != nil {
		return err
	}
	return s.inTx(ctx, func(tx *sql.Tx) error {
		_, repeated, err := claimRequest(ctx, tx, d.Request.Scope, d.Request.Key, d.Request.BodyHash, d.CheckoutID)
		if err != nil || repeated {
			return err
		}
		var w wallet.Wallet
		if c.Kind == billing.CheckoutTopUp {
			if w, err = s.lockWallet(ctx, tx, c.WalletID); err != nil {
				return err
			}
		}
		a, err := s.lockAttempt(ctx, tx, c.AttemptID)
		if err != nil {
			return err
		}
		if c, err = readCheckout(ctx, tx, c.ID); err != nil { // under the lock of its attempt
			return err
		}
		if c.State != billing.CheckoutReview || a.state != billing.Done && a.state != billing.Unknown {
			return billing.ErrCheckoutNotInReview
		}
		if d.Finding == billing.FoundPaid {
			err = s.topUpFound(ctx, tx, w, c, a, d)
		} else {
			err = checkoutNotCharged(ctx, tx, a, d)
		}
		if err != nil {
			return err
		}
		access.DeedOf(ctx).Did(access.Object{Kind: access.OfCheckout, ID: c.ID},
			map[string]any{"state": c.State, "attempt": a.id, "outcome": a.state, "total_krw": c.Supply + c.VAT},
			map[string]any{"finding": d.Finding, "tid": d.TID, "paid_krw": d.Paid, "reason": d.Reason})
		return nil
	})
}

// topUpFound posts what a person found paid for a top-up.
func (s *Store) topUpFound(ctx context.Context, tx *sql.Tx, w wallet.Wallet, c billing.Checkout, a heldAttempt, d billing.CheckoutDecision) error {
	r := billing.Report{ID: a.id, At: d.At, TID: d.TID, Method: "카카오페이"}
	if c.Method == billing.ByBank {
		r.Method = "무통장입금"
	}
	supply, vat := c.Supply, c.VAT
	if d.Paid != 0 && d.Paid != supply+vat {
		vat = wallet.VATOfTotal(d.Paid) // as KakaoPay rounds it
		supply, r.Reason = d.Paid-vat, billing.ReasonMismatch
		if _, err := tx.ExecContext(ctx, `UPDATE checkout SET supply_krw = $2, vat_krw = $3 WHERE id = $1`, c.ID, supply, vat); err != nil {
			return fmt.Errorf("keep what checkout %s brought: %w", c.ID, err)
		}
	}
	if err := endAttempt(ctx, tx, r, billing.Done); err != nil {
		return err
	}
	if err := endCheckout(ctx, tx, c.ID, billing.CheckoutDone, "", d.At); err != nil {
		return err
	}
	return s.postTopUp(ctx, tx, w, supply, vat, c.ID, r)
}

// checkoutNotCharged ends a checkout that took nothing, or whose money was given back.
func checkoutNotCharged(ctx context.Context, tx *sql.Tx, a heldAttempt, d billing.CheckoutDecision) error {
	r := billing.Report{ID: a.id, At: d.At, Reason: billing.ReasonLost}
	if a.state == billing.Done {
		r.Reason = billing.ReasonMismatch
	}
	if err := endAttempt(ctx, tx, r, billing.Declined); err != nil {
		return err
	}
	return endCheckout(ctx, tx, a.subject, billing.CheckoutFailed, r.Reason, d.At)
}

// CheckoutsInReview lists checkouts that wait for a person, the oldest first: those after an id.
func (s *Store) CheckoutsInReview(ctx context.Context, after string, limit int) ([]billing.Checkout, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+checkoutColumns+` WHERE o.state = 'review' AND o.id > $1 ORDER BY o.id LIMIT $2`, after, limit)
	return collect(rows, err, scanCheckout)
}
