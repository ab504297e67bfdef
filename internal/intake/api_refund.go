package intake

import (
	"context"
	"net/http"
	"time"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/wallet"
)

type refundView struct {
	ID       string                  `json:"id,omitempty" doc:"Absent in a quote"`
	Wallet   string                  `json:"wallet"`
	State    billing.RefundState     `json:"state" doc:"open, done, partly, failed or review"`
	Supply   wallet.KRW              `json:"supply_krw"`
	VAT      wallet.KRW              `json:"vat_krw" doc:"That goes back with it"`
	Total    wallet.KRW              `json:"total_krw"`
	To       *billing.OneTimeAccount `json:"to,omitempty" doc:"Where transfers go, its number masked"`
	Lines    []refundLineView        `json:"lines" nullable:"false"`
	OpenedAt time.Time               `json:"opened_at,omitzero"`
	ClosedAt time.Time               `json:"closed_at,omitzero"`
}

type refundLineView struct {
	ID       string            `json:"id,omitempty"`
	TopUp    string            `json:"topup" doc:"The checkout that goes back, or the attempt of a charge that was paid late"`
	Method   billing.Method    `json:"method" doc:"card: its payment is cancelled; bank: a transfer to the refund account"`
	PaidAt   time.Time         `json:"paid_at"`
	Supply   wallet.KRW        `json:"supply_krw"`
	VAT      wallet.KRW        `json:"vat_krw"`
	Total    wallet.KRW        `json:"total_krw"`
	State    billing.LineState `json:"state" doc:"open, done or failed"`
	Reason   string            `json:"reason,omitempty"`
	ClosedAt time.Time         `json:"closed_at,omitzero"`
}

func viewRefund(r billing.Refund) refundView {
	view := refundView{
		ID: r.ID, Wallet: r.WalletID, State: r.State, Supply: r.Supply, VAT: r.VAT, Total: r.Supply + r.VAT,
		Lines: make([]refundLineView, 0, len(r.Lines)), OpenedAt: r.OpenedAt, ClosedAt: r.ClosedAt,
	}
	if r.To.Number != "" {
		view.To = &r.To
	}
	for _, l := range r.Lines {
		view.Lines = append(view.Lines, refundLineView{
			ID: l.ID, TopUp: l.TopUp, Method: l.Method, PaidAt: l.PaidAt, Supply: l.Supply, VAT: l.VAT, Total: l.Supply + l.VAT,
			State: l.State, Reason: l.Reason, ClosedAt: l.ClosedAt,
		})
	}
	return view
}

func (s *Server) addRefunds() {
	const group = "Refunds"
	missing := []int{http.StatusNotFound}
	add(s, operation{route: "POST /api/v1/wallets/{id}/refunds", id: "refund", group: group, summary: "Begin a refund of unused paid cash", status: http.StatusAccepted, errors: missing}, s.openRefund)
	add(s, operation{route: "POST /api/v1/wallets/{id}/refunds/quote", id: "quote-refund", group: group, summary: "Say what a refund would give back, and do nothing", errors: missing}, s.quoteRefund)
	add(s, operation{route: "GET /api/v1/wallets/{id}/refunds", id: "list-refunds", group: group, summary: "List the refunds of a wallet, newest first", errors: missing}, s.listRefunds)
	add(s, operation{route: "GET /api/v1/wallets/{id}/refunds/{refund}", id: "get-refund", group: group, summary: "Show how a refund goes", errors: missing}, s.getRefund)
	add(s, operation{route: "POST /api/v1/wallets/{id}/refunds/{refund}/settle", id: "settle-refund", group: group, summary: "Say what became of a refund in review", errors: []int{http.StatusNotFound, http.StatusConflict}}, s.settleRefund)
	add(s, operation{route: "PUT /api/v1/wallets/{id}/refund-account", id: "put-refund-account", group: group, summary: "Set where refunds of bank transfers go", errors: missing}, s.putRefundAccount)
	add(s, operation{route: "GET /api/v1/wallets/{id}/refund-account", id: "get-refund-account", group: group, summary: "Show where refunds of bank transfers go", errors: missing}, s.getRefundAccount)
	add(s, operation{route: "PUT /api/v1/wallets/{id}/representative", id: "put-representative", group: group, summary: "Set the name of the representative of a business", errors: missing}, s.putRepresentative)
}

type refundInput struct {
	ByID
	Keyed
	RawBody []byte
	Body    struct {
		Amount wallet.KRW `json:"amount_krw,omitempty" minimum:"1" doc:"Supply value; everything that may be refunded, when left out"`
	}
}

func (s *Server) openRefund(ctx context.Context, in *refundInput) (*created[refundView], error) {
	r, err := in.request(ctx, "refund "+in.ID, in.RawBody)
	if err != nil {
		return nil, err
	}
	refund, next, err := s.services.Billing.OpenRefund(ctx, billing.RefundOrder{WalletID: in.ID, Supply: in.Body.Amount, Request: billing.Request(r)})
	if err != nil {
		return nil, err
	}
	s.follow(ctx, next)
	return &created[refundView]{Location: "/api/v1/wallets/" + in.ID + "/refunds/" + refund.ID, Body: viewRefund(refund)}, nil
}

type quoteRefundInput struct {
	ByID
	Body struct {
		Amount wallet.KRW `json:"amount_krw,omitempty" minimum:"1" doc:"As in a refund"`
	}
}

func (s *Server) quoteRefund(ctx context.Context, in *quoteRefundInput) (*body[refundView], error) {
	refund, err := s.services.Billing.QuoteRefund(ctx, in.ID, in.Body.Amount)
	if err != nil {
		return nil, err
	}
	refund.ID, refund.OpenedAt = "", time.Time{}
	for i := range refund.Lines {
		refund.Lines[i].ID = ""
	}
	return reply(viewRefund(refund)), nil
}

func (s *Server) listRefunds(ctx context.Context, in *PageByID) (*body[page[refundView]], error) {
	var before string
	if err := in.after(&before); err != nil {
		return nil, err
	}
	refunds, err := s.services.Read.Refunds(ctx, in.ID, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return pageOf(in.Paged, refunds, func(r billing.Refund) any { return r.ID }, viewRefund)
}

// RefundInput is the input of a route about a refund of a wallet.
type RefundInput struct {
	ByID
	Refund string `path:"refund" maxLength:"64"`
}

func (s *Server) getRefund(ctx context.Context, in *RefundInput) (*body[refundView], error) {
	refund, err := s.services.Billing.Refund(ctx, in.ID, in.Refund)
	if err != nil {
		return nil, err
	}
	return reply(viewRefund(refund)), nil
}

type settleRefundInput struct {
	RefundInput
	Keyed
	RawBody []byte
	Body    struct {
		WentBack bool `json:"went_back" doc:"The money of its open lines went back; otherwise it is paid cash again"`
	}
}

func (s *Server) settleRefund(ctx context.Context, in *settleRefundInput) (*body[refundView], error) {
	r, err := in.request(ctx, "settle "+in.ID+" "+in.Refund, in.RawBody)
	if err != nil {
		return nil, err
	}
	refund, err := s.services.Billing.SettleRefund(ctx, in.ID, in.Refund, in.Body.WentBack, billing.Request(r))
	if err != nil {
		return nil, err
	}
	return reply(viewRefund(refund)), nil
}

type refundAccountInput struct {
	ByID
	Body struct {
		Bank   string `json:"bank" doc:"Name of the bank"`
		Number string `json:"number" doc:"With or without dashes; sealed, and shown masked"`
		Holder string `json:"holder" doc:"The business or its representative, as registered with the wallet"`
	}
}

func (s *Server) putRefundAccount(ctx context.Context, in *refundAccountInput) (*body[billing.OneTimeAccount], error) {
	a, err := s.services.Billing.SetRefundAccount(ctx, in.ID, billing.OneTimeAccount{Bank: in.Body.Bank, Number: in.Body.Number, Holder: in.Body.Holder})
	if err != nil {
		return nil, err
	}
	return reply(a), nil
}

func (s *Server) getRefundAccount(ctx context.Context, in *ByID) (*body[billing.OneTimeAccount], error) {
	a, err := s.services.Billing.RefundAccount(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return reply(a), nil
}

type representativeInput struct {
	ByID
	Body struct {
		Name string `json:"name" doc:"대표자 of the business registration"`
	}
}

func (s *Server) putRepresentative(ctx context.Context, in *representativeInput) (*body[walletView], error) {
	if err := s.services.Billing.SetRepresentative(ctx, in.ID, in.Body.Name); err != nil {
		return nil, err
	}
	return s.getWallet(ctx, &in.ByID)
}
