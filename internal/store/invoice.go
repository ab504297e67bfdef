package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/invoice"
	"github.com/malgil/malgil/internal/wallet"
)

const invoiceColumns = `i.id, i.wallet_id, w.name, i.month, i.revision, i.amends, COALESCE(b.approval_number, ''), i.why, i.supplier, i.recipient,
	i.supply_krw, i.vat_krw, i.free_krw, i.messages, i.state, i.closed_at, i.asked_at, i.again_at, i.give_up_at, i.deadline, i.issued_at, i.approval_number,
	i.failed_at, i.code, i.failure,
	(SELECT COALESCE(MAX(a.next_at), 0) FROM attempt a WHERE a.subject_id = i.id AND a.state IN ('prepared', 'calling', 'unknown')),
	w.business_number, COALESCE(NULLIF(w.company, ''), w.name), w.representative, w.address, w.business_type, w.business_item, w.invoice_email
	FROM invoice i JOIN wallet w ON w.id = i.wallet_id LEFT JOIN invoice b ON b.id = i.amends`

// scanInvoice reads an invoice. One that was not handed over yet has the business data of its wallet.
func scanInvoice(row scanner) (i invoice.Invoice, err error) {
	var supplier, recipient string
	var now invoice.Party
	err = row.Scan(&i.ID, &i.WalletID, &i.WalletName, at(&i.Month), &i.Revision, &i.Amends, &i.AmendsNo, &i.Why, &supplier, &recipient,
		&i.Supply, &i.VAT, &i.FreeUsed, &i.Messages, &i.State, at(&i.ClosedAt), at(&i.AskedAt), at(&i.Again), at(&i.GiveUp), at(&i.Deadline), at(&i.IssuedAt), &i.ApprovalNumber,
		at(&i.FailedAt), &i.Code, &i.Failure, at(&i.NextAt),
		&now.Number, &now.Name, &now.Representative, &now.Address, &now.Type, &now.Item, &now.Email)
	if err != nil {
		return i, err
	}
	i.WrittenOn = clock.NextMonth(i.Month).Add(-24 * time.Hour)
	i.Recipient = now
	for stored, to := range map[string]*invoice.Party{supplier: &i.Supplier, recipient: &i.Recipient} {
		if stored == "" {
			continue
		}
		if err := json.Unmarshal([]byte(stored), to); err != nil {
			return i, fmt.Errorf("read a party of invoice %s: %w", i.ID, err)
		}
	}
	return i, nil
}

func readInvoice(ctx context.Context, q querier, id string) (invoice.Invoice, error) {
	i, err := scanInvoice(q.QueryRowContext(ctx, `SELECT `+invoiceColumns+` WHERE i.id = $1`, id))
	return i, orNotFound(err, "invoice", id)
}

// Invoice reads an invoice of a wallet.
func (s *Store) Invoice(ctx context.Context, walletID, id string) (invoice.Invoice, error) {
	i, err := readInvoice(ctx, s.read, id)
	if err == nil && i.WalletID != walletID {
		return invoice.Invoice{}, orNotFound(sql.ErrNoRows, "invoice", id)
	}
	return i, err
}

// InvoiceByID reads an invoice, whatever its wallet.
func (s *Store) InvoiceByID(ctx context.Context, id string) (invoice.Invoice, error) {
	return readInvoice(ctx, s.read, id)
}

// Invoices lists the invoices of a wallet, newest first: those before an id, or from the newest with an
// empty one. It is NotFound when there is no wallet.
func (s *Store) Invoices(ctx context.Context, walletID, before string, limit int) ([]invoice.Invoice, error) {
	if _, err := s.Wallet(ctx, walletID); err != nil {
		return nil, err
	}
	if before == "" {
		before = "~" // after every id
	}
	rows, err := s.read.QueryContext(ctx, `SELECT `+invoiceColumns+` WHERE i.wallet_id = $1 AND i.id < $2 ORDER BY i.id DESC LIMIT $3`,
		walletID, before, limit)
	return collect(rows, err, scanInvoice)
}

// untold is an invoice i that is not issued, nor is one that stands in its place: one that was issued
// otherwise than it was asked for has failed for good, and is done with when its amended one is issued.
const untold = unissued + ` AND NOT EXISTS (SELECT 1 FROM invoice l
	WHERE l.wallet_id = i.wallet_id AND l.month = i.month AND l.revision > i.revision AND l.state = 'issued')`

// UnissuedInvoices lists the invoices of all wallets that are not issued and have no issued one in their
// place, those that are due first before the others, after one of them.
func (s *Store) UnissuedInvoices(ctx context.Context, after InvoiceMark, limit int) ([]invoice.Invoice, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+invoiceColumns+` WHERE `+untold+` AND (i.deadline, i.id) > ($1, $2)
		ORDER BY i.deadline, i.id LIMIT $3`, after.Deadline, after.ID, limit)
	return collect(rows, err, scanInvoice)
}

// InvoiceMark is the place of an invoice among those that are not issued.
type InvoiceMark struct {
	Deadline int64  `json:"deadline"` // Unix milliseconds
	ID       string `json:"id"`
}

// MarkInvoice returns the place of an invoice.
func MarkInvoice(i invoice.Invoice) InvoiceMark {
	return InvoiceMark{Deadline: millis(i.Deadline), ID: i.ID}
}

// closeBatch bounds how many wallets one call of [Store.CloseMonths] closes.
const closeBatch = 100

// Closing says how months are closed.
type Closing struct {
	Dates func(month time.Time) invoice.Dates
	NewID func(prefix string) string
	// Invoices makes tax invoices; without it months are closed all the same, and nobody gets one.
	Invoices bool
}

// UseClosing says how months are closed; without it none is. It is called before the store is used.
func (s *Store) UseClosing(c Closing) { s.closing = c }

// CloseMonths closes the months of business wallets that are over, each once however many call it, and
// returns how many wallets it closed. From then on no posting is written into the month; what it used
// without free cash becomes an invoice that waits for its day. Which wallets are to be closed is read off
// their rows, so that months that passed while nobody called are made up for, in their order.
func (s *Store) CloseMonths(ctx context.Context, now time.Time) (closed int, err error) {
	if s.closing.Dates == nil {
		return 0, nil
	}
	over := invoice.Over(now)
	rows, err := s.read.QueryContext(ctx, `SELECT id, invoiced_to FROM wallet WHERE kind = 'business' AND deleted_at = 0 AND invoiced_to < $1
		ORDER BY invoiced_to, id LIMIT $2`, millis(over), closeBatch)
	type open struct {
		id   string
		from time.Time
	}
	wallets, err := collect(rows, err, func(row scanner) (o open, err error) {
		err = row.Scan(&o.id, at(&o.from))
		return o, err
	})
	if err != nil {
		return 0, fmt.Errorf("look for months to close: %w", err)
	}
	var errs []error // of one wallet: the others do not wait for it
	for _, w := range wallets {
		if err := s.closeMonthsOf(ctx, w.id, w.from, over, now); err != nil {
			errs = append(errs, fmt.Errorf("close the months of wallet %s: %w", w.id, err))
			continue
		}
		closed++
	}
	return closed, errors.Join(errs...)
}

func (s *Store) closeMonthsOf(ctx context.Context, walletID string, known, over, now time.Time) error {
	from := known
	if from.IsZero() { // it is older than invoices are: those before last month's are not ours to make
		from = clock.MonthStart(over.Add(-time.Hour))
	}
	// First the books: then the month can be added up without holding up the wallet.
	if _, err := s.write.ExecContext(ctx, `UPDATE wallet SET closed_to = $2 WHERE id = $1 AND closed_to < $2`, walletID, millis(over)); err != nil {
		return err
	}
	for month := from; month.Before(over); month = clock.NextMonth(month) {
		var used wallet.Flow
		err := s.snapshot(ctx, statementTime, func(q querier) error {
			used = wallet.Flow{}
			days, err := listDays(ctx, q, wallet.Wallet{ID: walletID}, month, clock.NextMonth(month))
			for _, day := range days {
				used = used.Plus(day.Flow)
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("add up a month: %w", err)
		}
		if err := s.closeMonth(ctx, walletID, known, month, used, now); err != nil {
			return err
		}
		known = clock.NextMonth(month)
	}
	return nil
}

// closeMonth writes what one month comes to, unless somebody did.
func (s *Store) closeMonth(ctx context.Context, walletID string, known, month time.Time, used wallet.Flow, now time.Time) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		w, err := s.lockWallet(ctx, tx, walletID)
		if err != nil {
			return err
		}
		mine, err := changed(tx.ExecContext(ctx, `UPDATE wallet SET invoiced_to = $3 WHERE id = $1 AND invoiced_to = $2`,
			walletID, millis(known), millis(clock.NextMonth(month))))
		if err != nil || !mine {
			return err
		}
		if posting, some := w.RoundMonth(used, month, now); some {
			if err := post(ctx, tx, walletID, posting); err != nil {
				return err
			}
		}
		if !s.closing.Invoices || used.Invoiceable() == 0 {
			return nil
		}
		return insertInvoice(ctx, tx, s.closing, walletID, month, used, now)
	})
}

// insertInvoice writes the first invoice of a month, and the attempt that waits for its day. One that a
// person has to look at waits for nothing.
func insertInvoice(ctx context.Context, tx *sql.Tx, c Closing, walletID string, month time.Time, used wallet.Flow, now time.Time) error {
	due := c.Dates(month)
	i := invoice.Invoice{
		ID: c.NewID("inv"), WalletID: walletID, Month: month, Revision: 1, Supply: used.Invoiceable(), FreeUsed: used.UsedFree, Messages: used.Messages,
		State: invoice.Waiting, ClosedAt: now, Again: due.Again, GiveUp: due.GiveUp, Deadline: due.Deadline,
	}
	switch {
	case i.Supply < 0:
		i.State, i.Code, i.VAT = invoice.Failed, invoice.CodeNegative, -wallet.VAT(-i.Supply)
	case !now.Before(due.Deadline):
		i.State, i.Code, i.VAT = invoice.Failed, invoice.CodeLate, wallet.VAT(i.Supply)
	default:
		i.VAT = wallet.VAT(i.Supply)
	}
	if i.State == invoice.Failed {
		i.FailedAt, i.Failure = now, invoice.Failure(i.Code, "")
	}
	if err := putInvoice(ctx, tx, i); err != nil || i.State == invoice.Failed {
		return err
	}
	return insertAttempt(ctx, tx, invoiceAttempt(c.NewID("att"), i, now, due.Issue))
}

func putInvoice(ctx context.Context, tx *sql.Tx, i invoice.Invoice) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO invoice (id, wallet_id, month, revision, amends, why, supplier, recipient, supply_krw, vat_krw, free_krw, messages,
		state, code, failure, again_at, give_up_at, deadline, closed_at, asked_at, failed_at, issued_at, approval_number)
		VALUES ($1, $2, $3, $4, $5, $6, '', '', $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, 0, '')`,
		i.ID, i.WalletID, millis(i.Month), i.Revision, i.Amends, i.Why, i.Supply, i.VAT, i.FreeUsed, i.Messages,
		i.State, i.Code, i.Failure, millis(i.Again), millis(i.GiveUp), millis(i.Deadline), millis(i.ClosedAt), millis(i.AskedAt), millis(i.FailedAt))
	if err != nil {
		return fmt.Errorf("insert invoice %s: %w", i.ID, err)
	}
	return nil
}
