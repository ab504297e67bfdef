// Package tax is the wire to a carrier of tax invoices (전자세금계산서 발행 대행): two calls over HTTP, with
// our order id in the path as the key of both. docs/api.md describes them for whoever puts one in front
// of a real carrier.
package tax

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/invoice"
	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/provider"
	"github.com/malgil/malgil/internal/wallet"
)

// Client calls the carrier. Every method makes one request, once; an error of a method is a
// [*billing.GatewayError], or [billing.ErrNoOrder] from the look-up. It is safe for concurrent use.
type Client struct{ wire *provider.Client }

var _ billing.Carrier = (*Client)(nil)

// New returns a client of the carrier at an address. A timeout of 0 is [provider.Timeout]. The secret
// is in no error.
func New(address, secret string, timeout time.Duration) (*Client, error) {
	wire, err := provider.New("carrier of tax invoices", address, secret, timeout)
	if err != nil {
		return nil, err
	}
	return &Client{wire}, nil
}

// Watch has each request told of. It is called before the first.
func (c *Client) Watch(asked kakao.Asked) { c.wire.Watch(asked) }

// Close closes idle connections.
func (c *Client) Close() { c.wire.Close() }

// order is the body of PUT /v1/invoices/{order}.
type order struct {
	WrittenOn string        `json:"written_on"` // 작성일자: 2026-11-30
	Supplier  invoice.Party `json:"supplier"`
	Recipient invoice.Party `json:"recipient"`
	Supply    int64         `json:"supply_krw"`
	VAT       int64         `json:"vat_krw"`
	Total     int64         `json:"total_krw"`
	Items     []item        `json:"items"`
	Remark    string        `json:"remark"`
	Amends    *amends       `json:"amends,omitempty"`
}

// item is one line of an invoice (품목).
type item struct {
	Name     string `json:"name"`
	Quantity int64  `json:"quantity"`
	Supply   int64  `json:"supply_krw"`
	VAT      int64  `json:"vat_krw"`
}

// amends is the invoice that an amended one stands in place of.
type amends struct {
	ApprovalNumber string `json:"approval_number"`
	Reason         string `json:"reason"`
}

// issue is the answer of PUT and GET /v1/invoices/{order}.
type issue struct {
	OrderID        string    `json:"order_id"`
	Number         string    `json:"number"`
	Total          int64     `json:"total_krw"`
	State          string    `json:"state"` // issued, pending or refused
	IssuedAt       time.Time `json:"issued_at,omitzero"`
	ApprovalNumber string    `json:"approval_number"`
	Code           string    `json:"code"`
	Message        string    `json:"message"`
}

// IssueInvoice hands an invoice over.
func (c *Client) IssueInvoice(ctx context.Context, orderID string, i invoice.Invoice) (billing.Issue, error) {
	o := order{
		WrittenOn: i.WrittenOn.In(clock.Seoul).Format(time.DateOnly), Supplier: i.Supplier, Recipient: i.Recipient,
		Supply: int64(i.Supply), VAT: int64(i.VAT), Total: int64(i.Total()),
		Items:  []item{{Name: i.ItemName(), Quantity: i.Messages, Supply: int64(i.Supply), VAT: int64(i.VAT)}},
		Remark: i.Remark(),
	}
	if i.AmendsNo != "" {
		o.Amends = &amends{ApprovalNumber: i.AmendsNo, Reason: i.Why}
	}
	var told issue
	err := c.wire.Call(ctx, http.MethodPut, path(orderID), o, &told)
	return told.checked(orderID, err)
}

// Issue looks an order up.
func (c *Client) Issue(ctx context.Context, orderID string) (billing.Issue, error) {
	var told issue
	err := c.wire.Call(ctx, http.MethodGet, path(orderID), nil, &told)
	return told.checked(orderID, err)
}

func path(orderID string) string { return "/v1/invoices/" + url.PathEscape(orderID) }

// checked refuses what may mean anything: an answer of another order, a state that is not known, an
// invoice that is issued under no approval number.
func (i issue) checked(orderID string, err error) (billing.Issue, error) {
	if err != nil {
		return billing.Issue{}, err
	}
	if i.OrderID != orderID {
		return billing.Issue{}, provider.Unclear("the answer is of another order")
	}
	is := billing.Issue{OrderID: i.OrderID, Number: strings.ReplaceAll(i.Number, "-", ""), Total: wallet.KRW(i.Total), State: billing.IssueState(i.State)}
	switch is.State {
	case billing.IssueDone:
		var ok bool
		if is.ApprovalNumber, ok = invoice.ParseApproval(i.ApprovalNumber); !ok {
			return billing.Issue{}, provider.Unclear("the invoice is issued under the approval number %.40q", i.ApprovalNumber)
		}
		if i.IssuedAt.IsZero() {
			return billing.Issue{}, provider.Unclear("the invoice is issued at no time")
		}
		is.At = i.IssuedAt
	case billing.IssueRefused:
		is.Code, is.Message = provider.Clip(i.Code), provider.Clip(i.Message)
	case billing.IssuePending:
	default:
		return billing.Issue{}, provider.Unclear("the invoice is in the state %.20q", i.State)
	}
	return is, nil
}
