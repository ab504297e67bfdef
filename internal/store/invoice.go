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
	i.failed_at, i.code, i.failure, COALESCE((SELECT a.id FROM attempt a WHERE a.subject_id = i.id ORDER BY a.created_at DESC, a.id DESC LIMIT 1), ''),
	(SELECT COALESCE(MAX(a.next_at), 0) FROM attempt a WHERE a.subject_id = i.id AND a.state IN ('prepared', 'calling', 'unknown')),
	w.business_number, COALESCE(NULLIF(w.company, ''), w.name), w.representative, w.address, w.business_type, w.business_item, w.invoice_email
	FROM invoice i JOIN wallet w ON w.id = i.wallet_id LEFT JOIN invoice b ON b.id = i.amends`

// kept is the recipient of an invoice as its row keeps it from when it was handed over.
type kept struct {
	invoice.Party
	WalletName string `json:"wallet_name"`
}

// scanInvoice reads an invoice. One that was not handed over yet has the business data of its wallet.
func scanInvoice(row scanner) (i invoice.Invoice, err error) {
	var supplier, recipient string
	var now invoice.Party
	err = row.Scan(&i.ID, &i.WalletID, &i.WalletName, at(&i.Month), &i.Revision, &i.Amends, &i.AmendsNo, &i.Why, &supplier, &recipient,
		&i.Supply, &i.VAT, &i.FreeUsed, &i.Messages, &i.State, at(&i.ClosedAt), at(&i.AskedAt), at(&i.Again), at(&i.GiveUp), at(&i.Deadline), at(&i.IssuedAt), &i.ApprovalNumber,
		at(&i.FailedAt), &i.Code, &i.Failure, &i.LastOrder, at(&i.NextAt),
		&now.Number, &now.Name, &now.Representative, &now.Address, &now.Type, &now.Item, &now.Email)
	if err != nil {
		return i, err
	}
	i.WrittenOn = clock.NextMonth(i.Month).Add(-24 * time.Hour)
	to := kept{Party: now, WalletName: i.WalletName}
	if supplier != "" {
		if err := errors.Join(json.Unmarshal([]byte(supplier), &i.Supplier), json.Unmarshal([]byte(recipient), &to)); err != nil {
			return i, fmt.Errorf("read the parties of invoice %s: %w", i.ID, err)
		}
	}
	i.Recipient, i.WalletName = to.Party, to.WalletName
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

// outstanding is true of an invoice i that is not issued and that somebody still has to see to: no person
// has let it be, and no later revision stands in its place.
const outstanding = unissued + ` AND i.code <> 'SETTLED'
	AND NOT EXISTS (SELECT 1 FROM invoice a WHERE a.wallet_id = i.wallet_id AND a.month = i.month AND a.revision > i.revision AND a.state = 'issued')`

// UnissuedInvoices lists the outstanding invoices of all wallets, those that are due first before
// the others, after one of them.
func (s *Store) UnissuedInvoices(ctx context.Context, after InvoiceMark, limit int) ([]invoice.Invoice, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+invoiceColumns+` WHERE `+outstanding+` AND (i.deadline, i.id) > ($1, $2)
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

// closeBatch is how many wallets [Store.CloseMonths] looks up at a time.
const closeBatch = 100

// Closing says how months are closed.
type Closing struct {
	Dates func(month time.Time) invoice.Dates
	NewID func(prefix string) string
	// Invoices says that there is a carrier; without one months are closed all the same, and what they come
	// to waits as [invoice.CodeNoCarrier] for a person.
	Invoices bool
}

// UseClosing says how months are closed; without it none is. It is called before the store is used.
func (s *Store) UseClosing(c Closing) { s.closing = c }

// closeTime bounds one call of [Store.CloseMonths]: it is one of many things that wait for their turn.
const closeTime = 20 * time.Second

// CloseMonths closes the months of business wallets that are over, each once however many call it, and
// returns how many wallets it closed; a call that takes long leaves the rest to the next. From then on no
// posting is written into the month; what it used without free cash becomes an invoice that waits for its
// day. Which wallets are to be closed is read off their rows, so that months that passed while nobody
// called are made up for, in their order.
func (s *Store) CloseMonths(ctx context.Context, now time.Time) (closed int, err error) {
	if s.closing.Dates == nil {
		return 0, nil
	}
	over, until := invoice.Over(now), time.Now().Add(closeTime)
	var last openMonths
	var errs []error // of one wallet: the others do not wait for it
	for {
		wallets, err := s.openMonths(ctx, last, over)
		if err != nil {
			return closed, errors.Join(append(errs, err)...)
		}
		for _, w := range wallets {
			if ctx.Err() != nil || time.Now().After(until) {
				return closed, errors.Join(append(errs, ctx.Err())...)
			}
			last = w
			if err := s.closeMonthsOf(ctx, w.id, w.from, over, now); err != nil {
				errs = append(errs, fmt.Errorf("close the months of wallet %s: %w", w.id, err))
				continue
			}
			closed++
		}
		if len(wallets) < closeBatch {
			return closed, errors.Join(errs...)
		}
	}
}

// openMonths is a wallet with months to close, from a time on.
type openMonths struct {
	id   string
	from time.Time
}

// openMonths lists wallets with months to close, those that are open for longest first, after one of them.
func (s *Store) openMonths(ctx context.Context, after openMonths, over time.Time) ([]openMonths, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT id, invoiced_to FROM wallet WHERE kind = 'business' AND deleted_at = 0 AND invoiced_to < $1
		AND (invoiced_to, id) > ($2, $3) ORDER BY invoiced_to, id LIMIT $4`, millis(over), millis(after.from), after.id, closeBatch)
	wallets, err := collect(rows, err, func(row scanner) (o openMonths, err error) {
		err = row.Scan(&o.id, at(&o.from))
		return o, err
	})
	if err != nil {
		return nil, fmt.Errorf("look for months to close: %w", err)
	}
	return wallets, nil
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
		used, err := s.monthOf(ctx, walletID, month)
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

// monthOf adds up a closed month of a wallet.
func (s *Store) monthOf(ctx context.Context, walletID string, month time.Time) (m wallet.Month, err error) {
	err = s.snapshot(ctx, statementTime, func(q querier) error {
		m = wallet.Month{Start: month}
		from, until := millis(month), millis(clock.NextMonth(month))
		rows, err := q.QueryContext(ctx, `SELECT kind, `+ownLegs+`, CAST(SUM(clearing) AS BIGINT), CAST(SUM(vat) AS BIGINT), CAST(SUM(revenue) AS BIGINT),
			CAST(SUM(promotion) AS BIGINT) FROM posting WHERE wallet_id = $1 AND at >= $2 AND at < $3
			GROUP BY kind, CASE WHEN revenue > 0 THEN 1 WHEN revenue < 0 THEN -1 ELSE 0 END`, walletID, from, until)
		sums, err := collect(rows, err, func(row scanner) (p wallet.Posting, err error) {
			err = row.Scan(&p.Kind, &p.Free, &p.Paid, &p.Accrual, &p.Charging, &p.Refunding, &p.Clearing, &p.VAT, &p.Revenue, &p.Promotion)
			return p, err
		})
		if err != nil {
			return err
		}
		for _, p := range sums {
			m = m.Add(p)
		}
		err = q.QueryRowContext(ctx, `SELECT CAST(COALESCE(SUM(g.revenue / b.price_krw), 0) AS BIGINT) FROM
			(SELECT `+ofBroadcast+` AS broadcast_id, CAST(SUM(revenue) AS BIGINT) AS revenue
				FROM posting WHERE wallet_id = $1 AND at >= $2 AND at < $3 AND revenue <> 0 GROUP BY 1) g
			JOIN broadcast b ON b.id = g.broadcast_id WHERE b.price_krw > 0`, walletID, from, until).Scan(&m.Messages)
		return err
	})
	return m, err
}

// closeMonth writes what one month comes to, unless somebody did.
func (s *Store) closeMonth(ctx context.Context, walletID string, known, month time.Time, used wallet.Month, now time.Time) error {
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
		if posting, some := w.RoundMonth(used, now); some {
			if err := s.post(ctx, tx, walletID, posting); err != nil {
				return err
			}
		}
		if used.Invoiceable() == 0 {
			return nil
		}
		return insertInvoice(ctx, tx, s.closing, walletID, used, now)
	})
}

// insertInvoice writes the first invoice of a month, and the attempt that waits for its day. One that a
// person has to see to waits for nothing.
func insertInvoice(ctx context.Context, tx *sql.Tx, c Closing, walletID string, used wallet.Month, now time.Time) error {
	due := c.Dates(used.Start)
	i := invoice.Invoice{
		ID: c.NewID("inv"), WalletID: walletID, Month: used.Start, Revision: 1, Supply: used.Invoiceable(), FreeUsed: used.UsedFree, Messages: used.Messages,
		State: invoice.Waiting, ClosedAt: now, Again: due.Again, GiveUp: due.GiveUp, Deadline: due.Deadline,
	}
	i.VAT = wallet.VAT(i.Supply)
	switch {
	case i.Supply < 0:
		i.Code = invoice.CodeNegative
	case !c.Invoices:
		i.Code = invoice.CodeNoCarrier
	case !now.Before(due.Deadline):
		i.Code = invoice.CodeLate
	}
	if i.Code == "" {
		if err := putInvoice(ctx, tx, i); err != nil {
			return err
		}
		return insertAttempt(ctx, tx, invoiceAttempt(c.NewID("att"), i, now, due.Issue))
	}
	i.State, i.FailedAt, i.Failure = invoice.Failed, now, invoice.Failure(i.Code)
	if err := putInvoice(ctx, tx, i); err != nil || i.Code != invoice.CodeLate {
		return err // whoever runs the installation is told of it by its list and its metrics
	}
	i, err := readInvoice(ctx, tx, i.ID)
	if err != nil {
		return err
	}
	return mailInvoiceFailed(ctx, tx, i, asClosed, now)
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
