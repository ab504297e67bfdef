package billing

import (
	"context"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/invoice"
)

// Why an invoice is not issued again, amended or sent.
var (
	ErrNoCarrier        = fault.Coded(fault.Refused, "TAX_NOT_CONFIGURED", "no carrier of tax invoices is set up here; set MALGIL_TAX_URL and MALGIL_TAX_SECRET")
	ErrNoSupplier       = fault.Coded(fault.Refused, "SUPPLIER_NOT_CONFIGURED", "whoever issues invoices here is not set up; set MALGIL_SUPPLIER_NUMBER and the other settings of the supplier")
	ErrInvoiceWaits     = fault.Coded(fault.Conflict, "INVOICE_WAITING", "the invoice is on its way; it is tried and looked up by itself, and next_at says when")
	ErrInvoiceIssued    = fault.Coded(fault.Conflict, "INVOICE_ISSUED", "the invoice is issued; amend it instead")
	ErrInvoiceNotIssued = fault.Coded(fault.Conflict, "INVOICE_NOT_ISSUED", "the invoice is not issued; ask for it to be issued again instead")
	ErrInvoiceOld       = fault.Coded(fault.Conflict, "INVOICE_AMENDED", "a later revision stands in place of the invoice; use that one")
	ErrInvoiceSame      = fault.Coded(fault.Refused, "INVOICE_NOT_CHANGED", "nothing that stands on the invoice has changed; change the wallet's business data first")
	ErrInvoiceLate      = fault.Coded(fault.Refused, "INVOICE_LATE", "the day until which the law lets it be issued is over; ask the platform")
	ErrInvoiceSending   = fault.Coded(fault.Conflict, "MAIL_UNDER_WAY", "a mail of this invoice to that address is still to be sent; wait for it")
	ErrInvoiceSentOften = fault.Coded(fault.Throttled, "TOO_MANY_MAILS", "the invoice was mailed to that address often today; send it again tomorrow")
	ErrInvoiceNegative  = fault.Coded(fault.Refused, "INVOICE_NEGATIVE", "more was taken back in the month than was used; such an invoice is made by hand")
	ErrAmendClosed      = fault.Coded(fault.Refused, "AMEND_CLOSED", "the closing day for amended invoices of that quarter is over; ask the platform")
	ErrInvoiceAddress   = fault.Coded(fault.Refused, "INVOICE_ADDRESS_MISSING", "the wallet has no address for tax invoices; set invoice_email")
)

// InvoiceStore keeps tax invoices. Each method that moves one is one transaction that also writes the
// mails that follow from it.
type InvoiceStore interface {
	// Invoice reads an invoice of a wallet. It is NotFound when there is none.
	Invoice(ctx context.Context, walletID, id string) (invoice.Invoice, error)
	// InvoiceByID reads an invoice, whatever its wallet.
	InvoiceByID(ctx context.Context, id string) (invoice.Invoice, error)
	// InvoiceToIssue returns a waiting invoice with its two parties. The first call for an order keeps
	// them, so that one order has one body.
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
	// SettleInvoice does what a person found out about an invoice.
	SettleInvoice(ctx context.Context, o InvoiceSettlement) (invoice.Invoice, error)
	// InvoiceUnconfirmed notes, once, that nobody knows whether an invoice is issued though it should be; it
	// reports whether this call did.
	InvoiceUnconfirmed(ctx context.Context, id string, now time.Time) (first bool, err error)
	// SendInvoice writes the mail of an issued invoice once more, to the wallet's address for invoices.
	SendInvoice(ctx context.Context, o InvoiceOrder) (invoice.Invoice, error)
}

// InvoiceFinding is what a person found out about an invoice.
type InvoiceFinding string

// The findings.
const (
	InvoiceFoundIssued InvoiceFinding = "issued"     // it is issued, under a number that he gives
	InvoiceFoundNone   InvoiceFinding = "not_issued" // nothing was issued; it may be asked for again
	InvoiceLetBe       InvoiceFinding = "none"       // none will be issued here, as where a business is closed for good
)

// InvoiceSettlement is what a person found out, as an order to note it.
type InvoiceSettlement struct {
	InvoiceOrder
	Finding        InvoiceFinding
	ApprovalNumber string    // with InvoiceFoundIssued
	IssuedAt       time.Time // the same; now when zero
}

// InvoiceOrder asks for an invoice once more: to be issued, amended, sent or settled.
type InvoiceOrder struct {
	WalletID, InvoiceID string
	Why                 string // it is amended, or settled
	Platform            bool   // the platform asks, which no closing day binds
	Request             Request

	Supplier  invoice.Party
	At        time.Time
	AttemptID string // of the attempt that begins
	AmendedID string // of the revision that begins
}

// WithInvoices says who hands tax invoices over, nil for nobody, and from whom they are. It is called before
// the service is used.
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
	if i, err := s.Invoice(ctx, o.WalletID, o.InvoiceID); err != nil {
		return invoice.Invoice{}, nil, err
	} else if i.State == invoice.Failed && i.LastOrder != "" {
		if err := s.notIssued(ctx, i); err != nil {
			return invoice.Invoice{}, nil, err
		}
	}
	i, next, err := s.store.ReissueInvoice(ctx, s.invoicing(o))
	return i, next, wrap(err, "issue invoice %s again", o.InvoiceID)
}

// notIssued asks the carrier once more for the order that an invoice failed under: a call may arrive long
// after it was given up. Where it is issued after all, that is recorded, and it is not issued again.
func (s *Service) notIssued(ctx context.Context, i invoice.Invoice) error {
	askCtx, cancel := s.asked(ctx)
	issue, err := s.carrier.Issue(askCtx, i.LastOrder)
	cancel()
	switch {
	case isNoOrder(err):
		return nil
	case err != nil:
		return fault.Wrap(fault.Unavailable, err, "the carrier does not tell what became of the order before; try again")
	case issue.State == IssueRefused:
		return nil
	case issue.State == IssuePending:
		return ErrInvoiceWaits
	}
	a := Attempt{ID: i.LastOrder, State: Declined}
	_, err = s.issueAnswered(ctx, a, i, s.report(a), issue)
	if err == nil {
		err = ErrInvoiceIssued
	}
	return err
}

// AmendInvoice issues an amended invoice (수정세금계산서) in place of one, for a reason: the same amounts under
// the business data that its wallet has now. It is a Conflict for one that is not issued, and Refused when
// nothing on it has changed or its quarter's closing day is over.
func (s *Service) AmendInvoice(ctx context.Context, o InvoiceOrder) (invoice.Invoice, []Follow, error) {
	if s.carrier == nil {
		return invoice.Invoice{}, nil, ErrNoCarrier
	}
	var err error
	if o.Why, err = fault.Line("reason", o.Why, maxWhy); err != nil {
		return invoice.Invoice{}, nil, err
	}
	if o.Why == "" {
		return invoice.Invoice{}, nil, fault.Field("reason", "is missing; say what was wrong, such as 사업자등록번호 정정")
	}
	o = s.invoicing(o)
	o.AmendedID = s.ids.Next("inv")
	i, next, err := s.store.AmendInvoice(ctx, o)
	return i, next, wrap(err, "amend invoice %s", o.InvoiceID)
}

// maxWhy is the most bytes of a reason: it stands in one cell.
const maxWhy = 120

// SettleInvoice does what a person found out about an invoice that is not issued: at the carrier, at
// Hometax, or by having issued it by hand. It is a Conflict for one that is issued, and while a call is
// under way.
func (s *Service) SettleInvoice(ctx context.Context, o InvoiceSettlement) (invoice.Invoice, error) {
	var err error
	if o.Why, err = fault.Line("note", o.Why, maxWhy); err != nil {
		return invoice.Invoice{}, err
	}
	var approved bool
	o.ApprovalNumber, approved = invoice.ParseApproval(o.ApprovalNumber)
	switch {
	case o.Why == "":
		return invoice.Invoice{}, fault.Field("note", "is missing; say how it was found out")
	case o.Finding != InvoiceFoundIssued && o.Finding != InvoiceFoundNone && o.Finding != InvoiceLetBe:
		return invoice.Invoice{}, fault.Field("finding", "must be issued, not_issued or none")
	case o.Finding == InvoiceFoundIssued && !approved:
		return invoice.Invoice{}, fault.Field("approval_number", "must be the 24 digits or letters of the tax office's number (승인번호)")
	case o.Finding != InvoiceFoundIssued && o.ApprovalNumber != "":
		return invoice.Invoice{}, fault.Field("approval_number", "belongs to an invoice that is issued")
	}
	o.InvoiceOrder = s.invoicing(o.InvoiceOrder)
	if o.IssuedAt.IsZero() {
		o.IssuedAt = o.At
	}
	if o.IssuedAt.After(o.At) {
		return invoice.Invoice{}, fault.Field("issued_at", "is to come")
	}
	i, err := s.store.SettleInvoice(ctx, o)
	return i, wrap(err, "settle invoice %s", o.InvoiceID)
}

// SendInvoice mails an issued invoice once more, to the address for invoices that its wallet has now.
func (s *Service) SendInvoice(ctx context.Context, o InvoiceOrder) (invoice.Invoice, error) {
	i, err := s.store.SendInvoice(ctx, s.invoicing(o))
	return i, wrap(err, "send invoice %s", o.InvoiceID)
}

// issueInvoice hands an invoice to the carrier.
func (s *Service) issueInvoice(ctx context.Context, a Attempt) (Result, error) {
	if s.carrier == nil {
		i, err := s.store.InvoiceByID(ctx, a.SubjectID)
		if err != nil {
			return Result{}, wrap(err, "read the invoice of attempt %s", a.ID)
		}
		return s.delayInvoice(ctx, a, i, &GatewayError{Class: BadConfig, Code: ErrNoCarrier.Code}, true)
	}
	i, err := s.store.InvoiceToIssue(ctx, a.SubjectID, s.supplier)
	if err != nil {
		return Result{}, wrap(err, "read the invoice of attempt %s", a.ID)
	}
	late := i.TooLate(s.now()) // nobody issues it by himself any more
	if late && a.Tries == 0 {
		return s.giveUp(ctx, a, invoice.CodeLate, &GatewayError{})
	}
	lease, ok, err := s.claim(ctx, &a, time.Time{})
	if err != nil || !ok {
		return Result{Outcome: Skipped, WalletID: a.WalletID}, err
	}
	if late { // an earlier call may have arrived: it is left to look-ups
		return s.doubt(ctx, a, &GatewayError{})
	}
	callCtx, cancel := s.called(ctx)
	issue, err := s.carrier.IssueInvoice(callCtx, a.ID, i)
	cancel()
	e, never := &GatewayError{}, false
	if err != nil {
		e = asGateway(err)
		asks := e.Class == BadRequest || a.Tries > 0 && i.GivesUp(s.now())
		never = asks && s.neverIssued(ctx, a.ID) // nor by an earlier call of this attempt
	}
	return s.record(ctx, a, lease, func(ctx context.Context) (Result, error) {
		switch {
		case err == nil:
			return s.issueAnswered(ctx, a, i, s.report(a), issue)
		case e.Class == NotSent || e.Class == BadConfig || e.Class == QuotaUsedUp:
			return s.delayInvoice(ctx, a, i, e, never)
		case never: // our request is at fault, not the business
			r := s.failure(a, ReasonRefused, &GatewayError{Code: invoice.CodeRejected, Message: strings.TrimSpace(e.Code + " " + e.Message)})
			result, err := s.store.InvoiceRefused(ctx, r, s.ids.Next("att"), false)
			if result.Outcome == Unissued {
				result.Outcome = Refused
			}
			return result, err
		}
		return s.doubt(ctx, a, e)
	})
}

// neverIssued reports whether the carrier says that it has no such order.
func (s *Service) neverIssued(ctx context.Context, orderID string) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), invoiceLookup)
	defer cancel()
	_, err := s.carrier.Issue(ctx, orderID)
	return isNoOrder(err)
}

// invoiceLookup bounds a look-up within the lease of a call.
const invoiceLookup = 5 * time.Second

// delayInvoice leaves an invoice for later that this call certainly did not hand over, or gives it up. One
// that was tried before is left to look-ups instead, unless it is known that it never arrived.
func (s *Service) delayInvoice(ctx context.Context, a Attempt, i invoice.Invoice, e *GatewayError, never bool) (Result, error) {
	now := s.now()
	switch {
	case i.GivesUp(now) && a.Tries > 0 && !never:
		return s.doubt(ctx, a, e)
	case i.GivesUp(now) && e.Code == ErrNoCarrier.Code:
		return s.giveUp(ctx, a, invoice.CodeNoCarrier, e)
	case i.GivesUp(now):
		return s.giveUp(ctx, a, invoice.CodeUnreachable, e)
	case e.Class == BadConfig:
		return s.postpone(ctx, a, now.Add(configPause), ReasonConfig)
	}
	return s.postpone(ctx, a, now.Add(backoff(a.Tries)), "")
}

// giveUp ends an attempt that issued nothing.
func (s *Service) giveUp(ctx context.Context, a Attempt, code string, e *GatewayError) (Result, error) {
	r := s.failure(a, ReasonLost, &GatewayError{Code: code, Message: strings.TrimSpace(e.Code + " " + e.Message)})
	return s.store.InvoiceRefused(ctx, r, "", true)
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
// the same order, which keeps the two from both being issued. One of which it is not known when it should
// have been given up is told of, and look-ups go on.
func (s *Service) resolveInvoice(ctx context.Context, a Attempt) (Result, error) {
	i, err := s.store.InvoiceByID(ctx, a.SubjectID)
	if err != nil {
		return Result{}, wrap(err, "read the invoice of attempt %s", a.ID)
	}
	result, err := s.lookInvoiceUp(ctx, a, i)
	if err != nil || result.Outcome != InDoubt && result.Outcome != Postponed || !i.GivesUp(s.now()) {
		return result, err
	}
	first, err := s.store.InvoiceUnconfirmed(ctx, i.ID, s.now())
	if first {
		result.Outcome, result.Reason = Review, invoice.CodeUnconfirmed
	}
	return result, wrap(err, "tell of invoice %s", i.ID)
}

func (s *Service) lookInvoiceUp(ctx context.Context, a Attempt, i invoice.Invoice) (Result, error) {
	if s.carrier == nil {
		return s.later(ctx, a, false, time.Time{})
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
		if i.TooLate(now) {
			return s.giveUp(ctx, a, invoice.CodeLate, &GatewayError{})
		}
		return s.postpone(ctx, a, now, "")
	case err != nil:
		return s.later(ctx, a, asGateway(err).Class == BadRequest, time.Time{})
	}
	return s.issueAnswered(ctx, a, i, s.fenced(a), issue)
}
