package billing

import (
	"context"
	"strings"
	"time"
	"unicode"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/invoice"
)

// Why an invoice is not issued again, amended or sent.
var (
	ErrNoCarrier        = fault.Coded(fault.Refused, "TAX_NOT_CONFIGURED", "no carrier of tax invoices is set up here; set MALGIL_TAX_URL and MALGIL_TAX_SECRET")
	ErrInvoiceWaits     = fault.Coded(fault.Conflict, "INVOICE_WAITING", "the invoice is on its way; wait for its end")
	ErrInvoiceIssued    = fault.Coded(fault.Conflict, "INVOICE_ISSUED", "the invoice is issued; amend it instead")
	ErrInvoiceNotIssued = fault.Coded(fault.Conflict, "INVOICE_NOT_ISSUED", "the invoice is not issued; ask for it to be issued again instead")
	ErrInvoiceOld       = fault.Coded(fault.Conflict, "INVOICE_AMENDED", "a later revision stands in place of the invoice; use that one")
	ErrInvoiceSame      = fault.Coded(fault.Refused, "INVOICE_NOT_CHANGED", "nothing that stands on the invoice has changed; change the wallet's business data first")
	ErrInvoiceNegative  = fault.Coded(fault.Refused, "INVOICE_NEGATIVE", "more was taken back in the month than was used; such an invoice is made by hand")
	ErrAmendClosed      = fault.Coded(fault.Refused, "AMEND_CLOSED", "the closing day for amended invoices of that quarter is over; ask the platform")
	ErrInvoiceAddress   = fault.Coded(fault.Refused, "INVOICE_ADDRESS_MISSING", "the wallet has no address for tax invoices; set invoice_email")
)

// InvoiceStore keeps tax invoices. Each method that moves one is one transaction that also writes the
// mails that follow from it.
type InvoiceStore interface {
	// Invoice reads an invoice of a wallet. It is NotFound when there is none.
	Invoice(ctx context.Context, walletID, id string) (invoice.Invoice, error)
	// InvoiceToIssue returns a waiting invoice with its two parties, which stay as they are from its
	// first call on until it is asked for anew: one order has one body.
	InvoiceToIssue(ctx context.Context, id string, supplier invoice.Party) (invoice.Invoice, error)
	// InvoiceIssued ends an attempt whose invoice is issued, under the number in r.TID at r.PaidAt.
	InvoiceIssued(ctx context.Context, r Report) (Result, error)
	// InvoiceRefused ends an attempt that issued nothing: it is tried once more as an attempt of the id
	// given, or given up; with final at once.
	InvoiceRefused(ctx context.Context, r Report, nextID string, final bool) (Result, error)
	// InvoiceMismatch ends an attempt whose invoice is issued otherwise than it was asked for.
	InvoiceMismatch(ctx context.Context, r Report) (Result, error)
	// ReissueInvoice prepares an attempt for an invoice that failed; its parties are read anew.
	ReissueInvoice(ctx context.Context, o InvoiceOrder) (invoice.Invoice, []Follow, error)
	// AmendInvoice makes the next revision of an issued invoice, with its amounts and the wallet's
	// business data of now, and prepares an attempt for it.
	AmendInvoice(ctx context.Context, o InvoiceOrder) (invoice.Invoice, []Follow, error)
	// SendInvoice writes the mail of an issued invoice once more, to the wallet's address for invoices.
	SendInvoice(ctx context.Context, o InvoiceOrder) (invoice.Invoice, error)
}

// InvoiceOrder asks for an invoice once more: to be issued, amended, or sent.
type InvoiceOrder struct {
	WalletID, InvoiceID string
	Why                 string // it is amended
	Platform            bool   // the platform asks, which no closing day binds
	Request             Request

	Supplier  invoice.Party
	At        time.Time
	AttemptID string // of the attempt that begins
	AmendedID string // of the revision that begins
}

// WithInvoices switches the issuing of tax invoices on, for a supplier. It is called before the service
// is used.
func (s *Service) WithInvoices(c Carrier, supplier invoice.Party) *Service {
	s.carrier, s.supplier = c, supplier
	return s
}

// invoicing completes an order.
func (s *Service) invoicing(o InvoiceOrder) InvoiceOrder {
	o.Supplier, o.At, o.AttemptID = s.supplier, s.now(), s.ids.Next("att")
	return o
}

// Invoice returns an invoice of a wallet. It is NotFound when there is none.
func (s *Service) Invoice(ctx context.Context, walletID, id string) (invoice.Invoice, error) {
	i, err := s.store.Invoice(ctx, walletID, id)
	return i, wrap(err, "read invoice")
}

// ReissueInvoice asks for an invoice that failed once more, under the business data that its wallet has
// now. Repeated with the same key it returns the same invoice. It is a Conflict for one that did not fail.
func (s *Service) ReissueInvoice(ctx context.Context, o InvoiceOrder) (invoice.Invoice, []Follow, error) {
	if s.carrier == nil {
		return invoice.Invoice{}, nil, ErrNoCarrier
	}
	i, next, err := s.store.ReissueInvoice(ctx, s.invoicing(o))
	return i, next, wrap(err, "issue invoice %s again", o.InvoiceID)
}

// AmendInvoice issues an amended invoice (수정세금계산서) in place of one, for a reason: the same amounts under
// the business data that its wallet has now. It is a Conflict for one that is not issued, and Refused when
// nothing on it has changed or its quarter's closing day is over.
func (s *Service) AmendInvoice(ctx context.Context, o InvoiceOrder) (invoice.Invoice, []Follow, error) {
	if s.carrier == nil {
		return invoice.Invoice{}, nil, ErrNoCarrier
	}
	o.Why = strings.TrimSpace(o.Why)
	if o.Why == "" || len(o.Why) > maxWhy || strings.ContainsFunc(o.Why, unicode.IsControl) {
		return invoice.Invoice{}, nil, fault.Field("reason", "must be one line of at most %d bytes, such as 사업자등록번호 정정", maxWhy)
	}
	o = s.invoicing(o)
	o.AmendedID = s.ids.Next("inv")
	i, next, err := s.store.AmendInvoice(ctx, o)
	return i, next, wrap(err, "amend invoice %s", o.InvoiceID)
}

// maxWhy is the most bytes of a reason: it stands in one cell.
const maxWhy = 120

// SendInvoice mails an issued invoice once more, to the address for invoices that its wallet has now.
func (s *Service) SendInvoice(ctx context.Context, o InvoiceOrder) (invoice.Invoice, error) {
	i, err := s.store.SendInvoice(ctx, s.invoicing(o))
	return i, wrap(err, "send invoice %s", o.InvoiceID)
}

// issueInvoice hands an invoice to the carrier.
func (s *Service) issueInvoice(ctx context.Context, a Attempt) (Result, error) {
	i, err := s.store.InvoiceToIssue(ctx, a.SubjectID, s.supplier)
	if err != nil {
		return Result{}, wrap(err, "read the invoice of attempt %s", a.ID)
	}
	if s.carrier == nil {
		return s.delayInvoice(ctx, a, i, &GatewayError{Class: BadConfig, Code: ErrNoCarrier.Code})
	}
	lease, ok, err := s.claim(ctx, &a, time.Time{})
	if err != nil || !ok {
		return Result{Outcome: Skipped, WalletID: a.WalletID}, err
	}
	callCtx, cancel := s.called(ctx)
	issue, err := s.carrier.IssueInvoice(callCtx, a.ID, i)
	cancel()
	return s.record(ctx, a, lease, func(ctx context.Context) (Result, error) {
		if err == nil {
			return s.issueAnswered(ctx, a, i, s.report(a), issue)
		}
		e := asGateway(err)
		switch e.Class {
		case NotSent, BadConfig, QuotaUsedUp:
			return s.delayInvoice(ctx, a, i, e)
		case BadRequest, CardDeclined, CardGone:
			if s.neverIssued(ctx, a.ID) { // nor by an earlier call of this attempt
				return s.store.InvoiceRefused(ctx, s.failure(a, ReasonRefused, e), s.ids.Next("att"), false)
			}
		case MayHaveMoved:
		}
		return s.doubt(ctx, a, e)
	})
}

func (s *Service) neverIssued(ctx context.Context, orderID string) bool {
	ctx, cancel := s.asked(ctx)
	defer cancel()
	_, err := s.carrier.Issue(ctx, orderID)
	return isNoOrder(err)
}

// delayInvoice leaves an invoice for later that certainly was not taken, or gives it up.
func (s *Service) delayInvoice(ctx context.Context, a Attempt, i invoice.Invoice, e *GatewayError) (Result, error) {
	now := s.now()
	if i.GivesUp(now) {
		r := s.failure(a, ReasonLost, e)
		r.Code, r.Message = invoice.CodeUnreachable, strings.TrimSpace(e.Code+" "+e.Message)
		return s.store.InvoiceRefused(ctx, r, "", true)
	}
	if e.Class == BadConfig {
		return s.postpone(ctx, a, now.Add(configPause), ReasonConfig)
	}
	return s.postpone(ctx, a, now.Add(backoff(a.Tries)), "")
}

// issueAnswered goes on with what the carrier says of an order.
func (s *Service) issueAnswered(ctx context.Context, a Attempt, i invoice.Invoice, r Report, issue Issue) (Result, error) {
	switch issue.State {
	case IssueDone:
		r.TID, r.PaidAt = issue.ApprovalNumber, issue.At
		if issue.Total != i.Total() || issue.Number != i.Recipient.Number {
			r.Reason, r.Code = ReasonMismatch, invoice.CodeMismatch
			r.Message = "the carrier issued another total, or to another number"
			return s.store.InvoiceMismatch(ctx, r)
		}
		return s.store.InvoiceIssued(ctx, r)
	case IssueRefused:
		r.Reason, r.Code, r.Message = ReasonRefused, issue.Code, issue.Message
		return s.store.InvoiceRefused(ctx, r, s.ids.Next("att"), false)
	case IssuePending:
	}
	if a.State == Unknown {
		return s.later(ctx, a, true, time.Time{})
	}
	r.NextAt = s.now().Add(backoff(0))
	return s.store.DoubtAttempt(ctx, r)
}

// resolveInvoice looks up what became of an invoice. One that never arrived is handed over again under
// the same order, which keeps the two from both being issued.
func (s *Service) resolveInvoice(ctx context.Context, a Attempt) (Result, error) {
	if s.carrier == nil {
		return s.later(ctx, a, false, time.Time{})
	}
	i, err := s.store.InvoiceToIssue(ctx, a.SubjectID, s.supplier)
	if err != nil {
		return Result{}, wrap(err, "read the invoice of attempt %s", a.ID)
	}
	askCtx, cancel := s.asked(ctx)
	issue, err := s.carrier.Issue(askCtx, a.ID)
	cancel()
	switch {
	case isNoOrder(err):
		now := s.now()
		if lost := a.CalledAt.Add(lostAfter); now.Before(lost) {
			return s.later(ctx, a, true, lost)
		}
		return s.postpone(ctx, a, now, "")
	case err != nil:
		return s.later(ctx, a, asGateway(err).Class == BadRequest, time.Time{})
	}
	return s.issueAnswered(ctx, a, i, s.fenced(a), issue)
}
