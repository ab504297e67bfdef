package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/wallet"
)

const checkoutColumns = `o.id, o.kind, o.account_id, COALESCE(o.wallet_id, ''), o.supply_krw, o.vat_krw, o.state, o.reason,
	o.return_key_hash, o.redirect, o.method, o.account_bank, o.account_number, o.account_holder, o.deadline, o.created_at, o.closed_at, a.id, a.tid, a.card_id
	FROM checkout o JOIN attempt a ON a.subject_id = o.id AND a.kind = o.kind`

func scanCheckout(row scanner) (c billing.Checkout, err error) {
	var redirect []byte
	err = row.Scan(&c.ID, &c.Kind, &c.AccountID, &c.WalletID, &c.Supply, &c.VAT, &c.State, &c.Reason,
		&c.KeyHash, &redirect, &c.Method, &c.Transfer.Bank, &c.Transfer.Number, &c.Transfer.Holder, at(&c.Deadline), at(&c.CreatedAt), at(&c.ClosedAt), &c.AttemptID, &c.TID, &c.CardID)
	if err != nil || len(redirect) == 0 {
		return c, err
	}
	if err := json.Unmarshal(redirect, &c.Redirect); err != nil {
		return c, fmt.Errorf("read where checkout %s leads: %w", c.ID, err)
	}
	return c, nil
}

func readCheckout(ctx context.Context, q querier, id string) (billing.Checkout, error) {
	c, err := scanCheckout(q.QueryRowContext(ctx, `SELECT `+checkoutColumns+` WHERE o.id = $1`, id))
	return c, orNotFound(err, "checkout", id)
}

// Checkout reads a checkout.
func (s *Store) Checkout(ctx context.Context, id string) (billing.Checkout, error) {
	return readCheckout(ctx, s.read, id)
}

// CreateCheckout stores a checkout, or finds the one that the same request made.
func (s *Store) CreateCheckout(ctx context.Context, c billing.Checkout, r billing.Request) (created billing.Checkout, err error) {
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		answer, repeated, err := claimRequest(ctx, tx, r.Scope, r.Key, r.BodyHash, c.ID)
		if err != nil {
			return err
		}
		if repeated {
			created, err = readCheckout(ctx, tx, string(answer))
			return err
		}
		if err := s.mayCheckout(ctx, tx, c); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO checkout (id, kind, account_id, wallet_id, supply_krw, vat_krw, state,
			return_key_hash, redirect, reason, created_at, closed_at, method, deadline)
			VALUES ($1, $2, $3, NULLIF(CAST($4 AS TEXT), ''), $5, $6, $7, $8, '', '', $9, 0, $10, $11)`,
			c.ID, c.Kind, c.AccountID, c.WalletID, c.Supply, c.VAT, c.State, []byte{}, millis(c.CreatedAt), c.Method, millis(c.Deadline))
		if err != nil {
			return fmt.Errorf("insert checkout %s: %w", c.ID, err)
		}
		a := newAttempt{
			id: c.AttemptID, kind: billing.Kind(c.Kind), subject: c.ID, wallet: c.WalletID, total: c.Supply + c.VAT,
			created: c.CreatedAt, next: c.CreatedAt.Add(billing.CheckoutEnd), // the run that ends it if nobody comes back
		}
		if c.Method == billing.ByBank { // the caller asks the bank at once
			a.next, a.enqueued = c.CreatedAt, c.CreatedAt
		}
		if err := insertAttempt(ctx, tx, a); err != nil {
			return err
		}
		created = c
		access.DeedOf(ctx).Did(access.Object{Kind: access.OfCheckout, ID: c.ID}, nil, map[string]any{
			"kind": c.Kind, "account": c.AccountID, "supply_krw": c.Supply, "vat_krw": c.VAT,
		})
		return nil
	})
	return created, err
}

// mayCheckout says why a checkout may not begin, or nil.
func (s *Store) mayCheckout(ctx context.Context, tx *sql.Tx, c billing.Checkout) error {
	if c.Kind == billing.CheckoutCard {
		cards, err := s.lockAccount(ctx, tx, c.AccountID)
		if err == nil && cards >= billing.MaxAccountCards {
			err = billing.ErrAccountFull
		}
		return err
	}
	w, err := s.lockWallet(ctx, tx, c.WalletID) // it is not deleted meanwhile
	if err != nil {
		return err
	}
	known, err := hasAccount(ctx, tx, c.AccountID)
	if err == nil && !known {
		err = fault.New(fault.NotFound, "there is no account %q", c.AccountID)
	}
	if err != nil {
		return err
	}
	kind, err := walletKind(ctx, tx, c.WalletID)
	switch {
	case err != nil:
		return err
	case c.Method == billing.ByBank && kind == access.Personal:
		return billing.ErrRefundPersonal
	}
	return w.CheckTopUp()
}

// lockAccount locks an account, so that its cards cannot become too many at once, and counts them.
func (s *Store) lockAccount(ctx context.Context, tx *sql.Tx, accountID string) (cards int, err error) {
	var id string
	err = tx.QueryRowContext(ctx, `SELECT id FROM account WHERE id = $1`+s.dialect.lock, accountID).Scan(&id)
	if err != nil {
		return 0, orNotFound(err, "account", accountID)
	}
	err = tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM card WHERE account_id = $1 AND removed_at = 0`, accountID).Scan(&cards)
	return cards, err
}

// ReadyCheckout keeps what the provider answered.
func (s *Store) ReadyCheckout(ctx context.Context, id, tid string, keyHash []byte, r billing.Redirect) (ok bool, err error) {
	redirect, err := json.Marshal(r)
	if err != nil {
		return false, fmt.Errorf("store where checkout %s leads: %w", id, err)
	}
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		ok, err = changed(tx.ExecContext(ctx, `UPDATE attempt SET tid = $2 WHERE subject_id = $1 AND kind <> 'cancel'
			AND state = 'prepared' AND tid = ''`, id, tid))
		if err != nil || !ok {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE checkout SET return_key_hash = $2, redirect = $3 WHERE id = $1`, id, keyHash, string(redirect))
		return err
	})
	return ok, err
}

// waitsForPayer is true of the attempt of a checkout, by $1, whose payer is not back.
const waitsForPayer = `subject_id = $1 AND kind <> 'cancel' AND state = 'prepared'
	AND EXISTS (SELECT 1 FROM checkout o WHERE o.id = $1 AND o.state = 'ready')`

// ReturnCheckout keeps the payer's token.
func (s *Store) ReturnCheckout(ctx context.Context, id string, token []byte, now time.Time) (epoch int, ok bool, err error) {
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `UPDATE attempt SET token_sealed = $2, next_at = $3, enqueued_at = $3, epoch = epoch + 1
			WHERE `+waitsForPayer+` RETURNING epoch`, id, token, millis(now)).Scan(&epoch)
		if ok = err == nil; !ok {
			if errors.Is(err, sql.ErrNoRows) {
				return nil
			}
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE checkout SET state = 'approving', redirect = '' WHERE id = $1`, id)
		return err
	})
	return epoch, ok, err
}

// CloseReady ends a checkout whose payer is not back.
func (s *Store) CloseReady(ctx context.Context, id string, state billing.CheckoutState, reason string, now time.Time) (ok bool, err error) {
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		ok, err = changed(tx.ExecContext(ctx, `UPDATE attempt SET state = 'declined', reason = $2, closed_at = $3, epoch = epoch + 1
			WHERE `+waitsForPayer, id, reason, millis(now)))
		if err != nil || !ok {
			return err
		}
		return endCheckout(ctx, tx, id, state, reason, now)
	})
	return ok, err
}

func endCheckout(ctx context.Context, tx *sql.Tx, id string, state billing.CheckoutState, reason string, now time.Time) error {
	_, err := tx.ExecContext(ctx, `UPDATE checkout SET state = $2, reason = $3, closed_at = $4, redirect = '' WHERE id = $1`,
		id, state, reason, millis(now))
	if err != nil {
		return fmt.Errorf("end checkout %s: %w", id, err)
	}
	return nil
}

// TopUpPaid posts the money of a top-up, also of one that was given up.
func (s *Store) TopUpPaid(ctx context.Context, r billing.Report) (result billing.Result, err error) {
	walletID, err := s.attemptWallet(ctx, r.ID)
	if err != nil {
		return result, err
	}
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		result = billing.Result{Outcome: billing.Skipped, WalletID: walletID}
		w, err := s.lockWallet(ctx, tx, walletID)
		if err != nil {
			return err
		}
		a, err := s.lockAttempt(ctx, tx, r.ID)
		if err != nil || !a.mayBePaid(r) {
			return err
		}
		if known, err := paymentCorrected(ctx, tx, walletID, a.id); err != nil || known {
			return err
		}
		var supply, vat wallet.KRW
		err = tx.QueryRowContext(ctx, `SELECT supply_krw, vat_krw FROM checkout WHERE id = $1`+s.dialect.lock, a.subject).Scan(&supply, &vat)
		if err != nil {
			return err
		}
		if err := endAttempt(ctx, tx, r, billing.Done); err != nil {
			return err
		}
		if err := endCheckout(ctx, tx, a.subject, billing.CheckoutDone, "", r.At); err != nil {
			return err
		}
		result.Outcome = billing.Paid
		return s.postTopUp(ctx, tx, w, supply, vat, a.subject, r)
	})
	return result, err
}

// mayBePaid reports whether money may still come in for an attempt: the answer of the call
// itself counts even after it was given up, and what a look-up found before there was a call.
func (a heldAttempt) mayBePaid(r billing.Report) bool {
	return a.open(r, r.Fenced, billing.Calling, billing.Unknown) ||
		r.Fenced && a.open(r, true, billing.Prepared) || !r.Fenced && a.state == billing.Declined
}

// CardApproved keeps a registered card.
func (s *Store) CardApproved(ctx context.Context, r billing.Report, c billing.Card, cancelID string) (result billing.Result, err error) {
	card := access.Object{Kind: access.OfCard, ID: c.ID}
	ctx = access.WithDeed(ctx, access.Deed{AccountID: c.AccountID, Action: "card-registered", At: r.At}, card) // in a browser
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		access.DeedOf(ctx).Nothing()
		result = billing.Result{Outcome: billing.Skipped}
		cards, err := s.lockAccount(ctx, tx, c.AccountID)
		if err != nil {
			return err
		}
		a, err := s.lockAttempt(ctx, tx, r.ID)
		if err != nil || !a.mayBePaid(r) {
			return err
		}
		if cards >= billing.MaxAccountCards {
			r.Reason = billing.ReasonFull
			result.Outcome, result.Reason = billing.Closed, billing.ReasonFull
			return s.closeRegistration(ctx, tx, a, r, billing.Done, billing.CheckoutFailed, cancelID, &result)
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO card (id, account_id, sid_sealed, payer_id, masked, issuer, state, dormant_since, added_at, removed_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, 0)`, c.ID, c.AccountID, c.SealedSID, c.PayerID, c.Masked, c.Issuer, c.State, millis(c.AddedAt))
		if err != nil {
			return fmt.Errorf("keep card %s: %w", c.ID, err)
		}
		if _, err := tx.ExecContext(ctx, `UPDATE attempt SET card_id = $2 WHERE id = $1`, r.ID, c.ID); err != nil {
			return err
		}
		result.Outcome = billing.Registered
		access.DeedOf(ctx).Did(card, nil, map[string]any{"account": c.AccountID, "masked": c.Masked, "issuer": c.Issuer, "checkout": a.subject})
		return s.closeRegistration(ctx, tx, a, r, billing.Done, billing.CheckoutDone, cancelID, &result)
	})
	return result, err
}

// closeRegistration ends an attempt and its checkout, and prepares what gives the cost back.
func (s *Store) closeRegistration(ctx context.Context, tx *sql.Tx, a heldAttempt, r billing.Report, state billing.State,
	checkout billing.CheckoutState, cancelID string, result *billing.Result,
) error {
	if err := endAttempt(ctx, tx, r, state); err != nil {
		return err
	}
	if err := endCheckout(ctx, tx, a.subject, checkout, r.Reason, r.At); err != nil || cancelID == "" {
		return err
	}
	var begun bool
	err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM attempt WHERE subject_id = $1 AND kind = 'cancel')`, a.subject).Scan(&begun)
	if err != nil || begun {
		return err
	}
	result.Next = follow(billing.TaskAttempt, cancelID)
	return insertAttempt(ctx, tx, newAttempt{
		id: cancelID, kind: billing.CancelAttempt, subject: a.subject, total: a.total, tid: a.tid,
		created: r.At, next: r.At, enqueued: r.At,
	})
}

// CheckoutMismatch puts a checkout in review whose payment is not what was asked for.
func (s *Store) CheckoutMismatch(ctx context.Context, r billing.Report) (billing.Result, error) {
	result := billing.Result{Outcome: billing.Review, Reason: r.Message}
	return s.changeCheckout(ctx, r, result, func(tx *sql.Tx, a heldAttempt, result *billing.Result) error {
		if !a.mayBePaid(r) {
			result.Outcome = billing.Skipped
			return nil
		}
		if err := endAttempt(ctx, tx, r, billing.Done); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE checkout SET state = 'review', reason = $2 WHERE id = $1`, a.subject, r.Reason)
		return err
	})
}

// CheckoutFailed ends a checkout whose attempt took nothing that is kept.
func (s *Store) CheckoutFailed(ctx context.Context, r billing.Report, cancelID string) (billing.Result, error) {
	result := billing.Result{Outcome: billing.Closed, Reason: r.Reason}
	return s.changeCheckout(ctx, r, result, func(tx *sql.Tx, a heldAttempt, result *billing.Result) error {
		if !a.open(r, true, billing.Prepared, billing.Calling, billing.Unknown) {
			result.Outcome = billing.Skipped
			return nil
		}
		state, checkout := billing.Declined, billing.CheckoutFailed
		switch r.Reason {
		case billing.ReasonExpired:
			checkout = billing.CheckoutCancelled
		case billing.ReasonLost:
			state = billing.Done // it was approved; only its card's key is lost
		}
		return s.closeRegistration(ctx, tx, a, r, state, checkout, cancelID, result)
	})
}

// CancelEnded ends the attempt that gives a registration's cost back.
func (s *Store) CancelEnded(ctx context.Context, r billing.Report, state billing.State) (billing.Result, error) {
	result := billing.Result{Outcome: billing.Cancelled, Reason: r.Reason}
	if state != billing.Done {
		result.Outcome = billing.Refused
	}
	return s.changeCheckout(ctx, r, result, func(tx *sql.Tx, a heldAttempt, result *billing.Result) error {
		if !a.open(r, r.Fenced, billing.Calling, billing.Unknown) {
			result.Outcome = billing.Skipped
			return nil
		}
		return endAttempt(ctx, tx, r, state)
	})
}

// changeCheckout runs a change by a report of a checkout's attempt, under the attempt's lock.
func (s *Store) changeCheckout(ctx context.Context, r billing.Report, result billing.Result,
	change func(tx *sql.Tx, a heldAttempt, result *billing.Result) error,
) (billing.Result, error) {
	var changed billing.Result
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		a, err := s.lockAttempt(ctx, tx, r.ID)
		if err != nil {
			return err
		}
		changed = result
		changed.WalletID = a.wallet
		return change(tx, a, &changed)
	})
	return changed, err
}
