package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/bot"
	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/wallet"
)

// The rows of halt that stop charging.
const (
	haltAccess = "kakaopay" // the gateway does not accept our access
	haltStorm  = "storm"    // see [billing.StormGuard]
)

// heldCharge is a charge that a transaction works on; its wallet is locked.
type heldCharge struct {
	id          string
	supply, vat wallet.KRW
	state       billing.ChargeState
}

// OpenCharge opens a charge for what is due.
func (s *Store) OpenCharge(ctx context.Context, o billing.Opening) (result billing.Result, err error) {
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		result = billing.Result{Outcome: billing.Skipped, WalletID: o.WalletID}
		w, err := s.lockWallet(ctx, tx, o.WalletID)
		if err != nil {
			return err
		}
		var epoch int
		var next, halted time.Time
		var open bool
		err = tx.QueryRowContext(ctx, `SELECT charge_epoch, next_charge_at, (SELECT COALESCE(MAX(until), 0) FROM halt),
			EXISTS (SELECT 1 FROM charge c WHERE c.wallet_id = wallet.id AND c.state IN ('open', 'review'))
			FROM wallet WHERE id = $1`, o.WalletID).Scan(&epoch, at(&next), at(&halted), &open)
		if err != nil || epoch != o.Epoch {
			return err
		}
		if halted.After(o.At) {
			result.Outcome = billing.Postponed
			return chargeNext(ctx, tx, o.WalletID, halted)
		}
		if open || next.After(o.At) {
			return chargeNext(ctx, tx, o.WalletID, next)
		}
		due := min(w.Due(o.At), o.Slice)
		if due <= 0 {
			return chargeNext(ctx, tx, o.WalletID, next)
		}
		c := heldCharge{id: o.ChargeID, supply: due, vat: wallet.VAT(due), state: billing.ChargeOpen}
		w, posting := w.OpenCharge(due, c.id, o.At)
		if err := s.post(ctx, tx, w.ID, posting); err != nil {
			return err
		}
		if err := saveWallet(ctx, tx, w); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO charge (id, wallet_id, supply_krw, vat_krw, state, opened_at, closed_at)
			VALUES ($1, $2, $3, $4, $5, $6, 0)`, c.id, w.ID, c.supply, c.vat, c.state, millis(o.At))
		if err != nil {
			return fmt.Errorf("open charge %s: %w", c.id, err)
		}
		if err := chargeNext(ctx, tx, w.ID, next); err != nil {
			return err
		}
		result, err = s.nextCard(ctx, tx, w, c, o.AttemptID, o.At, billing.Opened, time.Time{})
		return err
	})
	return result, err
}

// chargeNext says when a wallet is looked at next, and that it has no task now.
func chargeNext(ctx context.Context, tx *sql.Tx, walletID string, when time.Time) error {
	_, err := tx.ExecContext(ctx, `UPDATE wallet SET next_charge_at = $2, charge_enqueued_at = 0 WHERE id = $1`, walletID, millis(when))
	return err
}

// nextCard prepares the attempt on the first card of the wallet that this charge has not asked,
// or fails the charge when there is none; while charging is halted, the charge is halted instead.
func (s *Store) nextCard(ctx context.Context, tx *sql.Tx, w wallet.Wallet, c heldCharge, attemptID string, now time.Time,
	prepared billing.Outcome, halted time.Time,
) (billing.Result, error) {
	a := newAttempt{
		id: attemptID, kind: billing.ChargeAttempt, subject: c.id, wallet: w.ID, total: c.supply + c.vat,
		created: now, next: now, enqueued: now,
	}
	err := tx.QueryRowContext(ctx, `SELECT wc.card_id, wc.slot FROM wallet_card wc WHERE wc.wallet_id = $1
		AND NOT EXISTS (SELECT 1 FROM attempt a WHERE a.subject_id = $2 AND a.card_id = wc.card_id)
		ORDER BY wc.slot LIMIT 1`, w.ID, c.id).Scan(&a.card, &a.slot)
	switch {
	case errors.Is(err, sql.ErrNoRows) && halted.After(now):
		return billing.Result{Outcome: billing.Halted, WalletID: w.ID}, s.haltCharge(ctx, tx, w, c, now, halted)
	case errors.Is(err, sql.ErrNoRows):
		return billing.Result{Outcome: billing.AllFailed, WalletID: w.ID}, s.failCharge(ctx, tx, w, c, now)
	case err != nil:
		return billing.Result{}, err
	}
	return billing.Result{Outcome: prepared, WalletID: w.ID, Next: follow(billing.TaskAttempt, a.id)}, insertAttempt(ctx, tx, a)
}

// failCharge ends a charge that no card paid: the wallet is unpaid until it has paid, and what
// was queued for it is recalled in the same breath.
func (s *Store) failCharge(ctx context.Context, tx *sql.Tx, w wallet.Wallet, c heldCharge, now time.Time) error {
	entering := w.PaymentState != wallet.Unpaid
	w, posting := w.FailCharge(c.supply, c.id, now)
	w.PaymentState = wallet.Unpaid
	if err := s.endCharge(ctx, tx, w, posting, c, billing.ChargeFailed, now); err != nil {
		return err
	}
	next := clock.NextMidnight(now)
	if err := chargeNext(ctx, tx, w.ID, next); err != nil {
		return err
	}
	if entering {
		if _, err := tx.ExecContext(ctx, `UPDATE wallet SET unpaid_since = $2, long_term_at = 0 WHERE id = $1`, w.ID, millis(now)); err != nil {
			return err
		}
		if err := moveChannels(ctx, tx, w.ID, bot.Disconnected, bot.ByWallet, `state <> 'disconnected'`); err != nil {
			return err
		}
	}
	if err := s.recallWallet(ctx, tx, w.ID, now); err != nil {
		return err
	}
	return s.mailFailure(ctx, tx, w, c, now, next, entering)
}

// endCharge ends a charge with its posting.
func (s *Store) endCharge(ctx context.Context, tx *sql.Tx, w wallet.Wallet, p wallet.Posting, c heldCharge, state billing.ChargeState, now time.Time) error {
	if err := s.post(ctx, tx, w.ID, p); err != nil {
		return err
	}
	if err := saveWallet(ctx, tx, w); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `UPDATE charge SET state = $2, closed_at = $3 WHERE id = $1`, c.id, state, millis(now))
	if err != nil {
		return fmt.Errorf("end charge %s: %w", c.id, err)
	}
	return nil
}

// moveChannels moves those channels of a wallet's bots to another state that a condition names;
// cause is why they are not connected then.
func moveChannels(ctx context.Context, tx *sql.Tx, walletID string, to bot.ChannelState, cause bot.Cause, where string) error {
	_, err := tx.ExecContext(ctx, `UPDATE channel SET state = $2, cause = $3
		WHERE bot_id IN (SELECT id FROM bot WHERE wallet_id = $1) AND `+where, walletID, to, cause)
	if err != nil {
		return fmt.Errorf("move the channels of wallet %s: %w", walletID, err)
	}
	return nil
}

// paidUp follows a wallet out of the unpaid state: its channels wait for a person to reconnect
// them. It reports whether that happened.
func paidUp(ctx context.Context, tx *sql.Tx, before, after wallet.Wallet) (bool, error) {
	if before.PaymentState == after.PaymentState || after.PaymentState != wallet.AwaitingReconnect {
		return false, nil
	}
	if _, err := tx.ExecContext(ctx, `UPDATE wallet SET unpaid_since = 0, long_term_at = 0 WHERE id = $1`, after.ID); err != nil {
		return false, err
	}
	return true, moveChannels(ctx, tx, after.ID, bot.AwaitingReconnect, bot.ByWallet, `state = 'disconnected' AND cause = 'wallet'`)
}

// changeCharge runs a change of a charge by a report of one of its attempts, under the locks of
// wallet and attempt.
func (s *Store) changeCharge(ctx context.Context, r billing.Report,
	change func(tx *sql.Tx, w wallet.Wallet, a heldAttempt, c heldCharge) (billing.Result, error),
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
		c := heldCharge{id: a.subject}
		err = tx.QueryRowContext(ctx, `SELECT supply_krw, vat_krw, state FROM charge WHERE id = $1`+s.dialect.lock, a.subject).
			Scan(&c.supply, &c.vat, &c.state)
		if err != nil {
			return orNotFound(err, "charge", a.subject)
		}
		result, err = change(tx, w, a, c)
		return err
	})
	return result, err
}

// ChargePaid ends a charge that a card paid.
func (s *Store) ChargePaid(ctx context.Context, r billing.Report) (billing.Result, error) {
	return s.changeCharge(ctx, r, func(tx *sql.Tx, w wallet.Wallet, a heldAttempt, c heldCharge) (billing.Result, error) {
		switch {
		case a.open(r, r.Fenced, billing.Calling, billing.Unknown):
		case a.state == billing.Declined && (!r.Fenced || a.epoch == r.Epoch):
			return s.paidLate(ctx, tx, w, c, r)
		default:
			return billing.Result{Outcome: billing.Skipped, WalletID: w.ID}, nil
		}
		if err := endAttempt(ctx, tx, r, billing.Done); err != nil {
			return billing.Result{}, err
		}
		_, err := s.payCharge(ctx, tx, w, c, r)
		return billing.Result{Outcome: billing.Paid, WalletID: w.ID}, err
	})
}

// payCharge ends a charge that a card paid, and returns the wallet as it is then.
func (s *Store) payCharge(ctx context.Context, tx *sql.Tx, before wallet.Wallet, c heldCharge, r billing.Report) (wallet.Wallet, error) {
	w, posting := before.PayCharge(c.supply, c.vat, c.id, r.At)
	if err := s.endCharge(ctx, tx, w, posting, c, billing.ChargePaid, r.At); err != nil {
		return w, err
	}
	if err := chargeNext(ctx, tx, w.ID, r.At); err != nil { // more may be due
		return w, err
	}
	reconnect, err := paidUp(ctx, tx, before, w)
	if err != nil {
		return w, err
	}
	return w, s.mailSuccess(ctx, tx, w, c, r, reconnect)
}

// paidLate takes money for an attempt that was given up: it pays what is owed, like a top-up.
func (s *Store) paidLate(ctx context.Context, tx *sql.Tx, w wallet.Wallet, c heldCharge, r billing.Report) (billing.Result, error) {
	if known, err := paymentCorrected(ctx, tx, w.ID, r.ID); err != nil || known {
		return billing.Result{Outcome: billing.Skipped, WalletID: w.ID}, err
	}
	r.Reason, r.Method = billing.ReasonLate, "자동결제 카드"
	if err := endAttempt(ctx, tx, r, billing.Done); err != nil {
		return billing.Result{}, err
	}
	err := s.postTopUp(ctx, tx, w, c.supply, c.vat, r.ID, r)
	return billing.Result{Outcome: billing.Late, WalletID: w.ID, Reason: billing.ReasonLate}, err
}

// ChargeMismatch puts a charge in review whose payment is not what was asked for.
func (s *Store) ChargeMismatch(ctx context.Context, r billing.Report) (billing.Result, error) {
	return s.changeCharge(ctx, r, func(tx *sql.Tx, w wallet.Wallet, a heldAttempt, c heldCharge) (billing.Result, error) {
		if !a.open(r, r.Fenced, billing.Calling, billing.Unknown) && (r.Fenced || a.state != billing.Declined) {
			return billing.Result{Outcome: billing.Skipped, WalletID: w.ID}, nil
		}
		if err := endAttempt(ctx, tx, r, billing.Done); err != nil {
			return billing.Result{}, err
		}
		_, err := tx.ExecContext(ctx, `UPDATE charge SET state = 'review' WHERE id = $1 AND state = 'open'
			AND NOT EXISTS (SELECT 1 FROM attempt a WHERE a.subject_id = charge.id AND a.state IN ('prepared', 'calling', 'unknown'))`, c.id)
		return billing.Result{Outcome: billing.Review, WalletID: w.ID, Reason: r.Message}, err
	})
}

// ChargeDeclined ends an attempt that took nothing and goes on to the next card.
func (s *Store) ChargeDeclined(ctx context.Context, r billing.Report, nextID string, guard billing.StormGuard) (billing.Result, error) {
	return s.changeCharge(ctx, r, func(tx *sql.Tx, w wallet.Wallet, a heldAttempt, c heldCharge) (billing.Result, error) {
		if !a.open(r, true, billing.Prepared, billing.Calling, billing.Unknown) {
			return billing.Result{Outcome: billing.Skipped, WalletID: w.ID}, nil
		}
		if err := endAttempt(ctx, tx, r, billing.Declined); err != nil {
			return billing.Result{}, err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE charge SET state = 'open' WHERE id = $1 AND state = 'review'`, c.id); err != nil {
			return billing.Result{}, err
		}
		storm, halted, err := s.haltInStorm(ctx, tx, r, guard)
		if err != nil {
			return billing.Result{}, err
		}
		result, err := s.nextCard(ctx, tx, w, c, nextID, r.At, billing.NextCard, halted)
		result.Reason = r.Reason
		if storm {
			result.Outcome, result.Reason = billing.Halted, billing.ReasonStorm
		}
		return result, err
	})
}

// ChargeHalted ends a charge that no card is to blame for.
func (s *Store) ChargeHalted(ctx context.Context, r billing.Report, h *billing.Halt, retryAt time.Time) (billing.Result, error) {
	return s.changeCharge(ctx, r, func(tx *sql.Tx, w wallet.Wallet, a heldAttempt, c heldCharge) (billing.Result, error) {
		result := billing.Result{Outcome: billing.Refused, WalletID: w.ID, Reason: r.Reason}
		if !a.open(r, true, billing.Prepared, billing.Calling) {
			result.Outcome = billing.Skipped
			return result, nil
		}
		if err := endAttempt(ctx, tx, r, billing.Declined); err != nil {
			return result, err
		}
		if err := s.haltCharge(ctx, tx, w, c, r.At, retryAt); err != nil || h == nil {
			return result, err
		}
		result.Outcome = billing.Halted
		return result, halt(ctx, tx, haltAccess, *h, r.At)
	})
}
