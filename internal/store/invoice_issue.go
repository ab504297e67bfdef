package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/invoice"
)

// invoiceAttempt is an attempt to hand an invoice over.
func invoiceAttempt(id string, i invoice.Invoice, now, next time.Time) newAttempt {
	return newAttempt{id: id, kind: billing.InvoiceAttempt, subject: i.ID, wallet: i.WalletID, total: i.Total(), created: now, next: next}
}

// InvoiceToIssue returns a waiting invoice with its two parties, which it keeps from its first call on.
func (s *Store) InvoiceToIssue(ctx context.Context, id string, supplier invoice.Party) (i invoice.Invoice, err error) {
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		if i, err = readInvoice(ctx, tx, id); err != nil || i.State != invoice.Waiting {
			return err
		}
		i, err = keepParties(ctx, tx, i, supplier)
		return err
	})
	return i, err
}

// keepParties has an invoice stay with the parties that it has now, unless it is with others already.
func keepParties(ctx context.Context, tx *sql.Tx, i invoice.Invoice, supplier invoice.Party) (invoice.Invoice, error) {
	from, err := json.Marshal(supplier)
	if err != nil {
		return i, fmt.Errorf("write the supplier of invoice %s: %w", i.ID, err)
	}
	to, err := json.Marshal(kept{i.Recipient, i.WalletName})
	if err != nil {
		return i, fmt.Errorf("write the recipient of invoice %s: %w", i.ID, err)
	}
	// Of two at once the first is right: each reads what stands afterwards.
	if _, err := tx.ExecContext(ctx, `UPDATE invoice SET supplier = $2, recipient = $3 WHERE id = $1 AND recipient = ''`,
		i.ID, string(from), string(to)); err != nil {
		return i, fmt.Errorf("keep the parties of invoice %s: %w", i.ID, err)
	}
	return readInvoice(ctx, tx, i.ID)
}

// changeInvoice runs a change of an invoice by a report of one of its attempts, under the locks of
// wallet and attempt.
func (s *Store) changeInvoice(ctx context.Context, r billing.Report,
	change func(tx *sql.Tx, a heldAttempt, i invoice.Invoice) (billing.Result, error),
) (result billing.Result, err error) {
	walletID, err := s.attemptWallet(ctx, r.ID)
	if err != nil {
		return result, err
	}
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		if _, err := s.lockWallet(ctx, tx, walletID); err != nil {
			return err
		}
		a, err := s.lockAttempt(ctx, tx, r.ID)
		if err != nil {
			return err
		}
		i, err := readInvoice(ctx, tx, a.subject)
		if err != nil {
			return err
		}
		result, err = change(tx, a, i)
		result.WalletID = walletID
		return err
	})
	return result, err
}

// InvoiceIssued ends an attempt whose invoice is issued.
func (s *Store) InvoiceIssued(ctx context.Context, r billing.Report) (billing.Result, error) {
	return s.changeInvoice(ctx, r, func(tx *sql.Tx, a heldAttempt, i invoice.Invoice) (billing.Result, error) {
		late := lateAnswer(a, i, r)
		if !late && !a.open(r, r.Fenced, billing.Calling, billing.Unknown) {
			return answeredTwice(ctx, tx, a, r)
		}
		if err := endAttempt(ctx, tx, r, billing.Done); err != nil {
			return billing.Result{}, err
		}
		_, err := tx.ExecContext(ctx, `UPDATE invoice SET state = 'issued', issued_at = $2, approval_number = $3, code = '', failure = '', failed_at = 0
			WHERE id = $1`, i.ID, millis(r.PaidAt), r.TID)
		if err != nil {
			return billing.Result{}, fmt.Errorf("note that invoice %s is issued: %w", i.ID, err)
		}
		i.State, i.IssuedAt, i.ApprovalNumber = invoice.Issued, r.PaidAt, r.TID
		return billing.Result{Outcome: billing.Invoiced}, mailInvoiceIssued(ctx, tx, i, r.At)
	})
}

// lateAnswer reports whether an answer is of the attempt that an invoice failed under, and that it is issued
// after all.
func lateAnswer(a heldAttempt, i invoice.Invoice, r billing.Report) bool {
	return a.state == billing.Declined && !r.Fenced && i.State == invoice.Failed && i.LastOrder == a.id
}

// answeredTwice is what comes of an answer that counts no more: nothing, or, where another attempt is under
// way already, a person who has to see which invoice stands.
func answeredTwice(ctx context.Context, tx *sql.Tx, a heldAttempt, r billing.Report) (billing.Result, error) {
	if a.state != billing.Declined || r.Fenced || a.tid == r.TID {
		return billing.Result{Outcome: billing.Skipped}, nil
	}
	_, err := tx.ExecContext(ctx, `UPDATE attempt SET tid = $2, reason = $3 WHERE id = $1`, r.ID, r.TID, billing.ReasonLate)
	return billing.Result{Outcome: billing.Review, Reason: billing.ReasonLate}, err
}

// InvoiceRefused ends an attempt that issued nothing.
func (s *Store) InvoiceRefused(ctx context.Context, r billing.Report, nextID string, final bool) (billing.Result, error) {
	return s.changeInvoice(ctx, r, func(tx *sql.Tx, a heldAttempt, i invoice.Invoice) (billing.Result, error) {
		if !a.open(r, true, billing.Prepared, billing.Calling, billing.Unknown) {
			return billing.Result{Outcome: billing.Skipped}, nil
		}
		if err := endAttempt(ctx, tx, r, billing.Declined); err != nil {
			return billing.Result{}, err
		}
		if retryAt, again := i.RetryAt(r.At); again && !final {
			// Another order, so its body may be another: what has been put right meanwhile is on it.
			_, err := tx.ExecContext(ctx, `UPDATE invoice SET supplier = '', recipient = '', code = $2, failure = $3 WHERE id = $1`,
				i.ID, storable(r.Code), storable(invoice.Failure(r.Code)))
			if err == nil {
				err = insertAttempt(ctx, tx, invoiceAttempt(nextID, i, r.At, retryAt))
			}
			return billing.Result{Outcome: billing.Postponed, Reason: r.Code}, err
		}
		result := billing.Result{Outcome: billing.Unissued, Reason: r.Code}
		return result, failInvoice(ctx, tx, i, a.id, r)
	})
}

// InvoiceMismatch ends an attempt whose invoice is issued otherwise than it was asked for. What stands at
// the tax office is known by its number, so that an amended invoice can name it.
func (s *Store) InvoiceMismatch(ctx context.Context, r billing.Report) (billing.Result, error) {
	return s.changeInvoice(ctx, r, func(tx *sql.Tx, a heldAttempt, i invoice.Invoice) (billing.Result, error) {
		if !lateAnswer(a, i, r) && !a.open(r, r.Fenced, billing.Calling, billing.Unknown) {
			return answeredTwice(ctx, tx, a, r)
		}
		if err := endAttempt(ctx, tx, r, billing.Done); err != nil {
			return billing.Result{}, err
		}
		result := billing.Result{Outcome: billing.Review, Reason: r.Message}
		if _, err := tx.ExecContext(ctx, `UPDATE invoice SET approval_number = $2 WHERE id = $1`, i.ID, r.TID); err != nil {
			return result, err
		}
		return result, failInvoice(ctx, tx, i, a.id, r)
	})
}

// failInvoice gives an invoice up until a person asks for it, and tells of it.
func failInvoice(ctx context.Context, tx *sql.Tx, i invoice.Invoice, attemptID string, r billing.Report) error {
	i.State, i.Code, i.Failure, i.FailedAt = invoice.Failed, storable(r.Code), storable(invoice.Failure(r.Code)), r.At
	_, err := tx.ExecContext(ctx, `UPDATE invoice SET state = 'failed', code = $2, failure = $3, failed_at = $4 WHERE id = $1`,
		i.ID, i.Code, i.Failure, millis(r.At))
	if err != nil {
		return fmt.Errorf("note that invoice %s failed: %w", i.ID, err)
	}
	return mailInvoiceFailed(ctx, tx, i, attemptID, r.At)
}

// askInvoice runs what a person asks of an invoice, once for a key, under the lock of its wallet. It
// changes the invoice that do names, and the audit log says what it was before.
func (s *Store) askInvoice(ctx context.Context, o billing.InvoiceOrder, do func(tx *sql.Tx, i invoice.Invoice) (becomes string, err error)) (i invoice.Invoice, repeated bool, err error) {
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		r := o.Request
		answer, known, err := claimRequest(ctx, tx, r.Scope, r.Key, r.BodyHash, "")
		if err != nil {
			return err
		}
		if repeated = known; known {
			i, err = readInvoice(ctx, tx, string(answer))
			return err
		}
		if _, err := s.lockWallet(ctx, tx, o.WalletID); err != nil {
			return err
		}
		before, err := readInvoice(ctx, tx, o.InvoiceID)
		if err == nil && before.WalletID != o.WalletID {
			err = orNotFound(sql.ErrNoRows, "invoice", o.InvoiceID)
		}
		if err != nil {
			return err
		}
		id, err := do(tx, before)
		if err != nil {
			return err
		}
		if i, err = readInvoice(ctx, tx, id); err != nil {
			return err
		}
		after := auditInvoice(i)
		if o.Why != "" {
			after["note"] = o.Why
		}
		access.DeedOf(ctx).Did(access.Object{Kind: access.OfWallet, ID: o.WalletID}, auditInvoice(before), after)
		return answerRequest(ctx, tx, r.Scope, r.Key, []byte(id))
	})
	return i, repeated, err
}

// auditInvoice is what the audit log keeps of an invoice.
func auditInvoice(i invoice.Invoice) map[string]any {
	return map[string]any{"invoice": i.ID, "revision": i.Revision, "state": i.State, "code": i.Code, "approval_number": i.ApprovalNumber, "business_number": i.Recipient.Number, "why": i.Why}
}

// newest reports whether no later revision stands in place of an invoice, or tries to.
func newest(ctx context.Context, q querier, i invoice.Invoice) (is bool, err error) {
	err = q.QueryRowContext(ctx, `SELECT NOT EXISTS (SELECT 1 FROM invoice WHERE wallet_id = $1 AND month = $2 AND revision > $3)`,
		i.WalletID, millis(i.Month), i.Revision).Scan(&is)
	return is, err
}

// ReissueInvoice prepares an attempt for an invoice that failed.
func (s *Store) ReissueInvoice(ctx context.Context, o billing.InvoiceOrder) (i invoice.Invoice, next []billing.Follow, err error) {
	i, repeated, err := s.askInvoice(ctx, o, func(tx *sql.Tx, i invoice.Invoice) (string, error) {
		switch {
		case i.State == invoice.Waiting:
			return "", billing.ErrInvoiceWaits
		case i.State == invoice.Issued || i.ApprovalNumber != "":
			return "", billing.ErrInvoiceIssued
		case i.Supply <= 0:
			return "", billing.ErrInvoiceNegative
		case !o.Platform && i.Revision == 1 && !o.At.Before(i.Deadline):
			return "", billing.ErrInvoiceLate
		case !o.Platform && i.Revision > 1 && !o.At.Before(invoice.AmendUntil(i.Month)):
			return "", billing.ErrAmendClosed
		}
		_, err := tx.ExecContext(ctx, `UPDATE invoice SET state = 'waiting', supplier = '', recipient = '', asked_at = $2, code = '', failure = '', failed_at = 0
			WHERE id = $1`, i.ID, millis(o.At))
		if err != nil {
			return "", fmt.Errorf("ask for invoice %s again: %w", i.ID, err)
		}
		return i.ID, insertAttempt(ctx, tx, handedOver(invoiceAttempt(o.AttemptID, i, o.At, o.At)))
	})
	if err == nil && !repeated {
		next = follow(billing.TaskInvoice, o.AttemptID)
	}
	return i, next, err
}

// handedOver is an attempt whose task the caller enqueues at once.
func handedOver(a newAttempt) newAttempt {
	a.enqueued = a.created
	return a
}

// onPaper is a party as it stands on an invoice, without where the mail goes.
func onPaper(p invoice.Party) invoice.Party {
	p.Email = ""
	return p
}

// AmendInvoice makes the next revision of an issued invoice.
func (s *Store) AmendInvoice(ctx context.Context, o billing.InvoiceOrder) (i invoice.Invoice, next []billing.Follow, err error) {
	i, repeated, err := s.askInvoice(ctx, o, func(tx *sql.Tx, i invoice.Invoice) (string, error) {
		latest, err := newest(ctx, tx, i)
		switch {
		case err != nil:
			return "", err
		case i.ApprovalNumber == "":
			return "", billing.ErrInvoiceNotIssued
		case !latest:
			return "", billing.ErrInvoiceOld
		case !o.Platform && !o.At.Before(invoice.AmendUntil(i.Month)):
			return "", billing.ErrAmendClosed
		}
		amended := i
		amended.ID, amended.Revision, amended.Amends, amended.Why = o.AmendedID, i.Revision+1, i.ID, o.Why
		amended.State, amended.ClosedAt, amended.AskedAt = invoice.Waiting, o.At, o.At
		amended.Code, amended.Failure, amended.FailedAt = "", "", time.Time{}
		if err := putInvoice(ctx, tx, amended); err != nil {
			return "", err
		}
		is, err := readInvoice(ctx, tx, amended.ID) // with the business data of now
		if err != nil {
			return "", err
		}
		alike := is.Recipient.SameAs(i.Recipient) && o.Supplier.SameAs(i.Supplier)
		if o.Platform { // which may mend what the law does not have on it
			alike = onPaper(is.Recipient) == onPaper(i.Recipient) && onPaper(o.Supplier) == onPaper(i.Supplier)
		}
		if i.State == invoice.Issued && alike {
			return "", billing.ErrInvoiceSame
		}
		return is.ID, insertAttempt(ctx, tx, handedOver(invoiceAttempt(o.AttemptID, is, o.At, o.At)))
	})
	if err == nil && !repeated {
		next = follow(billing.TaskInvoice, o.AttemptID)
	}
	return i, next, err
}

// InvoiceUnconfirmed notes that nobody knows whether an invoice is issued though it should be.
func (s *Store) InvoiceUnconfirmed(ctx context.Context, id string, now time.Time) (first bool, err error) {
	return changed(s.write.ExecContext(ctx, `UPDATE invoice SET code = $2, failure = $3, failed_at = $4 WHERE id = $1 AND state = 'waiting' AND code <> $2`,
		id, invoice.CodeUnconfirmed, invoice.Failure(invoice.CodeUnconfirmed), millis(now)))
}

// SettleInvoice does what a person found out about an invoice that is not issued.
func (s *Store) SettleInvoice(ctx context.Context, o billing.InvoiceSettlement) (invoice.Invoice, error) {
	i, _, err := s.askInvoice(ctx, o.InvoiceOrder, func(tx *sql.Tx, i invoice.Invoice) (string, error) {
		switch {
		case i.State == invoice.Issued:
			return "", billing.ErrInvoiceIssued
		case i.State == invoice.Waiting && o.Finding == billing.InvoiceLetBe:
			return "", billing.ErrInvoiceWaits
		case i.ApprovalNumber != "" && o.Finding == billing.InvoiceFoundNone: // it is known to stand there, if otherwise
			return "", billing.ErrInvoiceIssued
		}
		if i.State == invoice.Waiting {
			if err := s.endIssuing(ctx, tx, i, o.InvoiceOrder); err != nil {
				return "", err
			}
		}
		code := invoice.CodeNotIssued
		switch o.Finding {
		case billing.InvoiceFoundIssued:
			i, err := keepParties(ctx, tx, i, o.Supplier)
			if err != nil {
				return "", err
			}
			if i.Supplier.Number == "" {
				return "", billing.ErrNoSupplier
			}
			_, err = tx.ExecContext(ctx, `UPDATE invoice SET state = 'issued', issued_at = $2, approval_number = $3, code = '', failure = '', failed_at = 0 WHERE id = $1`,
				i.ID, millis(o.IssuedAt), o.ApprovalNumber)
			if err != nil {
				return "", fmt.Errorf("note that invoice %s is issued: %w", i.ID, err)
			}
			i.State, i.IssuedAt, i.ApprovalNumber = invoice.Issued, o.IssuedAt, o.ApprovalNumber
			return i.ID, mailInvoiceIssued(ctx, tx, i, o.At)
		case billing.InvoiceLetBe:
			code = invoice.CodeSettled
		case billing.InvoiceFoundNone:
		}
		_, err := tx.ExecContext(ctx, `UPDATE invoice SET state = 'failed', code = $2, failure = $3, failed_at = $4 WHERE id = $1`,
			i.ID, code, invoice.Failure(code), millis(o.At))
		return i.ID, err
	})
	return i, err
}

// endIssuing ends the attempt of a waiting invoice, unless its call is under way.
func (s *Store) endIssuing(ctx context.Context, tx *sql.Tx, i invoice.Invoice, o billing.InvoiceOrder) error {
	a, err := s.lockAttempt(ctx, tx, i.LastOrder)
	if err != nil {
		return err
	}
	if a.state == billing.Calling {
		return billing.ErrInvoiceWaits
	}
	return endAttempt(ctx, tx, billing.Report{ID: a.id, Epoch: a.epoch, At: o.At, Reason: billing.ReasonSettled, Message: o.Why}, billing.Declined)
}
