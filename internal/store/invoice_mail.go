package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/invoice"
	"github.com/malgil/malgil/internal/notice"
)

// bookkeeper is who reads the tax invoices of a wallet: an address of its own.
func bookkeeper(ctx context.Context, q querier, walletID string) (to notice.Receiver, err error) {
	err = q.QueryRowContext(ctx, `SELECT invoice_email, COALESCE(NULLIF(company, ''), name) FROM wallet WHERE id = $1`, walletID).Scan(&to.Address, &to.Name)
	return to, orNotFound(err, "wallet", walletID)
}

func issuedNotice(i invoice.Invoice) notice.InvoiceIssued {
	return notice.InvoiceIssued{
		WalletName: i.WalletName, InvoiceID: i.ID, Month: i.Month, Amount: billing.AmountOf(i.Supply, i.VAT),
		Number: i.Recipient.Number, Company: i.Recipient.Name, SentTo: i.Recipient.Email, ApprovalNumber: i.ApprovalNumber,
		Amended: i.Revision > 1, Why: i.Why, IssuedAt: i.IssuedAt, Path: billing.InvoicesPath(i.WalletID),
	}
}

// mailInvoiceIssued tells the people of a wallet, and the address of the invoice, that it is issued.
func mailInvoiceIssued(ctx context.Context, tx *sql.Tx, i invoice.Invoice, now time.Time) error {
	return insertNotices(ctx, tx, notice.Event{WalletID: i.WalletID, Subject: i.ID, At: now, Data: issuedNotice(i)},
		notice.Receiver{Address: i.Recipient.Email, Name: i.Recipient.Name})
}

// mailInvoiceFailed tells them that it is not, once for each cause: an attempt, or [asClosed].
func mailInvoiceFailed(ctx context.Context, tx *sql.Tx, i invoice.Invoice, cause string, now time.Time) error {
	to, err := bookkeeper(ctx, tx, i.WalletID)
	if err != nil {
		return err
	}
	return insertNotices(ctx, tx, notice.Event{WalletID: i.WalletID, Subject: i.ID + "/" + cause, At: now, Data: notice.InvoiceFailed{
		WalletName: i.WalletName, InvoiceID: i.ID, Month: i.Month, Amount: billing.AmountOf(i.Supply, i.VAT), Number: i.Recipient.Number,
		Reason: i.Failure, Ours: invoice.Ours(i.Code), Contact: i.Supplier.Email, Deadline: lastDay(i, now), FailedAt: now, Path: billing.InvoicesPath(i.WalletID),
	}}, to)
}

// asClosed is the cause of an invoice that failed when its month was closed.
const asClosed = "closed"

// lastDay returns a moment of the last day on which an invoice can be issued at its reader's request; the
// zero time when that is over.
func lastDay(i invoice.Invoice, now time.Time) time.Time {
	end := i.Deadline
	if i.Revision > 1 {
		end = invoice.AmendUntil(i.Month)
	}
	if !now.Before(end) {
		return time.Time{}
	}
	return end.Add(-time.Minute)
}

// sendsADay is how often an invoice is mailed to one address within a day at somebody's request.
const sendsADay = 5

// SendInvoice writes the mail of an issued invoice once more, to the wallet's address for invoices alone.
func (s *Store) SendInvoice(ctx context.Context, o billing.InvoiceOrder) (invoice.Invoice, error) {
	i, _, err := s.askInvoice(ctx, o, func(tx *sql.Tx, i invoice.Invoice) (string, error) {
		if i.State != invoice.Issued {
			return "", billing.ErrInvoiceNotIssued
		}
		to, err := bookkeeper(ctx, tx, i.WalletID)
		if err != nil {
			return "", err
		}
		if to.Address == "" {
			return "", billing.ErrInvoiceAddress
		}
		if latest, err := newest(ctx, tx, i); err != nil {
			return "", err
		} else if !latest {
			return "", billing.ErrInvoiceOld
		}
		var sent, waiting, today int // each is a mail of its own: programs hide a second one with the same Message-ID
		err = tx.QueryRowContext(ctx, `SELECT COUNT(*), COUNT(*) FILTER (WHERE state IN ('waiting', 'sending')), COUNT(*) FILTER (WHERE created_at > $6)
			FROM mail WHERE wallet_id = $1 AND mail_case = $2 AND lower(receiver) = $3
			AND (subject_id = $4 OR SUBSTR(subject_id, 1, LENGTH(CAST($4 AS TEXT)) + 1) = $5)`,
			i.WalletID, notice.CaseInvoiceIssued, strings.ToLower(to.Address), i.ID, i.ID+"#", millis(o.At.Add(-24*time.Hour))).Scan(&sent, &waiting, &today)
		switch {
		case err != nil:
			return "", fmt.Errorf("count the mails of invoice %s: %w", i.ID, err)
		case waiting > 0:
			return "", billing.ErrInvoiceSending
		case today > sendsADay:
			return "", billing.ErrInvoiceSentOften
		}
		data := issuedNotice(i)
		data.SentTo = to.Address
		subject := i.ID
		if sent > 0 {
			subject = fmt.Sprintf("%s#%d", i.ID, sent+1)
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM refused_address WHERE address = $1`, strings.ToLower(to.Address)); err != nil {
			return "", err
		}
		return i.ID, insertMails(ctx, tx, notice.Event{WalletID: i.WalletID, Subject: subject, At: o.At, Data: data}, []notice.Receiver{to})
	})
	return i, err
}
