package intake

import (
	"context"
	"fmt"
	"mime"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/invoice"
	"github.com/malgil/malgil/internal/store"
	"github.com/malgil/malgil/internal/wallet"
	"github.com/malgil/malgil/templates"
)

type invoiceView struct {
	ID             string         `json:"id"`
	Wallet         string         `json:"wallet"`
	Month          string         `json:"month" doc:"2026-11"`
	Revision       int            `json:"revision" doc:"1, then one more for each amended invoice (수정세금계산서)"`
	Amends         string         `json:"amends,omitempty" doc:"The revision that it stands in place of"`
	Why            string         `json:"reason,omitempty" doc:"Why it was amended"`
	State          invoice.State  `json:"state" doc:"waiting, issued or failed"`
	Supply         wallet.KRW     `json:"supply_krw" doc:"공급가액: consumption without free cash"`
	VAT            wallet.KRW     `json:"vat_krw" doc:"세액"`
	Total          wallet.KRW     `json:"total_krw" doc:"합계금액"`
	FreeUsed       wallet.KRW     `json:"free_krw" doc:"Free cash that was used beside; not invoiced"`
	Messages       int64          `json:"messages"`
	Supplier       *invoice.Party `json:"supplier,omitempty" doc:"공급자, once it was handed over"`
	Recipient      invoice.Party  `json:"recipient" doc:"공급받는자; the wallet's data of now, until it is handed over"`
	WrittenOn      string         `json:"written_on" doc:"작성일자"`
	ClosedAt       time.Time      `json:"closed_at"`
	NextAt         time.Time      `json:"next_at,omitzero" doc:"When it is handed over, while it waits"`
	Deadline       time.Time      `json:"deadline" doc:"The first moment that is too late by law"`
	IssuedAt       time.Time      `json:"issued_at,omitzero"`
	ApprovalNumber string         `json:"approval_number,omitempty" doc:"승인번호 of the tax office"`
	FailedAt       time.Time      `json:"failed_at,omitzero"`
	Code           string         `json:"code,omitempty" doc:"Why it is not issued, in a word"`
	Failure        string         `json:"failure,omitempty" doc:"The same in Korean"`
}

func viewInvoice(i invoice.Invoice) invoiceView {
	view := invoiceView{
		ID: i.ID, Wallet: i.WalletID, Month: clock.Month(i.Month), Revision: i.Revision, Amends: i.Amends, Why: i.Why, State: i.State,
		Supply: i.Supply, VAT: i.VAT, Total: i.Total(), FreeUsed: i.FreeUsed, Messages: i.Messages,
		Recipient: i.Recipient, WrittenOn: i.WrittenOn.In(clock.Seoul).Format(time.DateOnly),
		ClosedAt: i.ClosedAt, Deadline: i.Deadline, IssuedAt: i.IssuedAt, ApprovalNumber: i.ApprovalNumber, FailedAt: i.FailedAt, Code: i.Code, Failure: i.Failure,
	}
	if i.Supplier != (invoice.Party{}) {
		view.Supplier = &i.Supplier
	}
	if i.State == invoice.Waiting {
		view.NextAt = i.NextAt
	}
	return view
}

func (s *Server) addInvoices() {
	const group = "Tax invoices"
	missing, clash := []int{http.StatusNotFound}, []int{http.StatusNotFound, http.StatusConflict}
	const one = "/api/v1/wallets/{id}/invoices/{invoice}"
	add(s, operation{route: "GET /api/v1/invoices", id: "list-unissued-invoices", group: group, summary: "List the tax invoices of all wallets that are not issued, the most urgent first"}, s.listUnissued)
	add(s, operation{route: "GET /api/v1/wallets/{id}/invoices", id: "list-invoices", group: group, summary: "List the tax invoices of a wallet, newest first", errors: missing}, s.listInvoices)
	add(s, operation{route: "GET " + one, id: "get-invoice", group: group, summary: "Show a tax invoice", errors: missing}, s.getInvoice)
	add(s, operation{route: "GET " + one + "/document", id: "get-invoice-document", group: group, summary: "Download the document of a tax invoice", errors: missing}, s.getInvoiceDocument)
	add(s, operation{route: "POST " + one + "/reissue", id: "reissue-invoice", group: group, summary: "Ask for a tax invoice that failed once more", status: http.StatusAccepted, errors: clash}, s.reissueInvoice)
	add(s, operation{route: "POST " + one + "/amend", id: "amend-invoice", group: group, summary: "Issue an amended tax invoice in place of one", status: http.StatusAccepted, errors: clash}, s.amendInvoice)
	add(s, operation{route: "POST " + one + "/settle", id: "settle-invoice", group: group, summary: "Say what became of a tax invoice that is not issued", errors: clash}, s.settleInvoice)
	add(s, operation{route: "POST " + one + "/send", id: "send-invoice", group: group, summary: "Mail a tax invoice once more", status: http.StatusAccepted, errors: clash}, s.sendInvoice)
}

func (s *Server) listUnissued(ctx context.Context, in *Paged) (*body[page[invoiceView]], error) {
	var after store.InvoiceMark
	if err := in.after(&after); err != nil {
		return nil, err
	}
	invoices, err := s.services.Read.UnissuedInvoices(ctx, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return pageOf(*in, invoices, func(i invoice.Invoice) any { return store.MarkInvoice(i) }, viewInvoice)
}

func (s *Server) listInvoices(ctx context.Context, in *PageByID) (*body[page[invoiceView]], error) {
	var before string
	if err := in.after(&before); err != nil {
		return nil, err
	}
	invoices, err := s.services.Read.Invoices(ctx, in.ID, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return pageOf(in.Paged, invoices, func(i invoice.Invoice) any { return i.ID }, viewInvoice)
}

// InvoiceInput is the input of a route about a tax invoice of a wallet.
type InvoiceInput struct {
	ByID
	Invoice string `path:"invoice" maxLength:"64"`
}

func (s *Server) getInvoice(ctx context.Context, in *InvoiceInput) (*body[invoiceView], error) {
	i, err := s.services.Billing.Invoice(ctx, in.ID, in.Invoice)
	if err != nil {
		return nil, err
	}
	return reply(viewInvoice(i)), nil
}

type invoiceDocumentInput struct {
	InvoiceInput
	Format string `query:"format" enum:"pdf,html" default:"pdf"`
}

func (s *Server) getInvoiceDocument(ctx context.Context, in *invoiceDocumentInput) (*file, error) {
	i, err := s.services.Billing.Invoice(ctx, in.ID, in.Invoice)
	if err != nil {
		return nil, err
	}
	if i.Supplier == (invoice.Party{}) {
		i.Supplier = s.config.Supplier // not handed over yet: as it would be
	}
	write, media := templates.InvoicePDF, "application/pdf"
	if in.Format == "html" {
		write, media = templates.InvoiceHTML, "text/html; charset=utf-8"
	}
	document, err := write(i)
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("malgil-invoice-%s-%d.%s", clock.Month(i.Month), i.Revision, in.Format)
	return &file{Type: media, Length: int64(len(document)), Disposition: mime.FormatMediaType("attachment", map[string]string{"filename": name}),
		Body: func(c huma.Context) { _, _ = c.BodyWriter().Write(document) }}, nil
}

type invoiceOrderInput struct {
	InvoiceInput
	Keyed
}

type amendInvoiceInput struct {
	InvoiceInput
	Keyed
	RawBody []byte
	Body    struct {
		Reason string `json:"reason" doc:"What was wrong, as it stands on the invoice: 사업자등록번호 정정"`
	}
}

// order completes what is asked of an invoice.
func (in InvoiceInput) order(ctx context.Context, keyed Keyed, verb string, raw []byte) (billing.InvoiceOrder, error) {
	r, err := keyed.request(ctx, verb+" "+in.ID+" "+in.Invoice, raw)
	return billing.InvoiceOrder{WalletID: in.ID, InvoiceID: in.Invoice, Platform: principalOf(ctx).Platform(), Request: billing.Request(r)}, err
}

func (s *Server) reissueInvoice(ctx context.Context, in *invoiceOrderInput) (*created[invoiceView], error) {
	o, err := in.order(ctx, in.Keyed, "reissue", nil)
	if err != nil {
		return nil, err
	}
	i, next, err := s.services.Billing.ReissueInvoice(ctx, o)
	return s.invoiceBegun(ctx, i, next, err)
}

func (s *Server) amendInvoice(ctx context.Context, in *amendInvoiceInput) (*created[invoiceView], error) {
	o, err := in.order(ctx, in.Keyed, "amend", in.RawBody)
	if err != nil {
		return nil, err
	}
	o.Why = in.Body.Reason
	i, next, err := s.services.Billing.AmendInvoice(ctx, o)
	return s.invoiceBegun(ctx, i, next, err)
}

type settleInvoiceInput struct {
	InvoiceInput
	Keyed
	RawBody []byte
	Body    struct {
		Finding        billing.InvoiceFinding `json:"finding" doc:"issued: under the approval number given; not_issued: nothing was, and it may be asked for again; none: none will be issued here"`
		ApprovalNumber string                 `json:"approval_number,omitempty" doc:"승인번호 of the tax office, with issued"`
		IssuedAt       time.Time              `json:"issued_at,omitzero" doc:"With issued; now, when left out"`
		Note           string                 `json:"note" doc:"How it was found out, one line"`
	}
}

func (s *Server) settleInvoice(ctx context.Context, in *settleInvoiceInput) (*body[invoiceView], error) {
	o, err := in.order(ctx, in.Keyed, "settle", in.RawBody)
	if err != nil {
		return nil, err
	}
	o.Why = in.Body.Note
	i, err := s.services.Billing.SettleInvoice(ctx, billing.InvoiceSettlement{
		InvoiceOrder: o, Finding: in.Body.Finding, ApprovalNumber: in.Body.ApprovalNumber, IssuedAt: in.Body.IssuedAt.UTC(),
	})
	if err != nil {
		return nil, err
	}
	return reply(viewInvoice(i)), nil
}

func (s *Server) sendInvoice(ctx context.Context, in *invoiceOrderInput) (*created[invoiceView], error) {
	o, err := in.order(ctx, in.Keyed, "send", nil)
	if err != nil {
		return nil, err
	}
	i, err := s.services.Billing.SendInvoice(ctx, o)
	return s.invoiceBegun(ctx, i, nil, err)
}

func (s *Server) invoiceBegun(ctx context.Context, i invoice.Invoice, next []billing.Follow, err error) (*created[invoiceView], error) {
	if err != nil {
		return nil, err
	}
	s.follow(ctx, next)
	return &created[invoiceView]{Location: "/api/v1/wallets/" + i.WalletID + "/invoices/" + i.ID, Body: viewInvoice(i)}, nil
}
