// Package bank is the wire to a bank, or a payment company in front of one, that opens one-time
// accounts (가상계좌) and sends money: four calls over HTTP, with our order id in the path as the key
// of each. docs/api.md describes them for whoever puts one in front of a real bank.
package bank

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/provider"
	"github.com/malgil/malgil/internal/wallet"
)

// Client calls the bank. Every method makes one request, once; an error of a method is a
// [*billing.GatewayError], or [billing.ErrNoOrder] from a look-up. It is safe for concurrent use.
type Client struct{ wire *provider.Client }

var _ billing.Bank = (*Client)(nil)

// New returns a client of the bank at an address. A timeout of 0 is [provider.Timeout]. The secret is
// in no error.
func New(address, secret string, timeout time.Duration) (*Client, error) {
	wire, err := provider.New("bank", address, secret, timeout)
	if err != nil {
		return nil, err
	}
	return &Client{wire}, nil
}

// Watch has each request told of. It is called before the first.
func (c *Client) Watch(asked kakao.Asked) { c.wire.Watch(asked) }

// Close closes idle connections.
func (c *Client) Close() { c.wire.Close() }

// accountOrder is the body of PUT /v1/accounts/{order}.
type accountOrder struct {
	Amount    int64     `json:"amount_krw"`
	Holder    string    `json:"holder"`
	ExpiresAt time.Time `json:"expires_at"`
}

// account is the answer of PUT and GET /v1/accounts/{order}.
type account struct {
	OrderID string    `json:"order_id"`
	Bank    string    `json:"bank"`
	Number  string    `json:"number"`
	Holder  string    `json:"holder"`
	Amount  int64     `json:"amount_krw"`
	State   string    `json:"state"` // open, paid or closed
	PaidAt  time.Time `json:"paid_at,omitzero"`
}

// transferOrder is the body of PUT /v1/transfers/{order}.
type transferOrder struct {
	Bank   string `json:"bank"`
	Number string `json:"number"`
	Holder string `json:"holder"`
	Amount int64  `json:"amount_krw"`
	Memo   string `json:"memo"`
}

// transfer is the answer of PUT and GET /v1/transfers/{order}.
type transfer struct {
	OrderID string    `json:"order_id"`
	Amount  int64     `json:"amount_krw"`
	State   string    `json:"state"` // done, pending or failed
	Reason  string    `json:"reason"`
	At      time.Time `json:"at,omitzero"`
}

// OpenAccount opens a one-time account.
func (c *Client) OpenAccount(ctx context.Context, o billing.AccountOrder) (billing.BankAccount, error) {
	var a account
	err := c.wire.Call(ctx, http.MethodPut, accountPath(o.OrderID), accountOrder{Amount: int64(o.Total), Holder: o.Holder, ExpiresAt: o.Deadline.UTC()}, &a)
	return a.checked(err)
}

// Account looks a one-time account up.
func (c *Client) Account(ctx context.Context, orderID string) (billing.BankAccount, error) {
	var a account
	err := c.wire.Call(ctx, http.MethodGet, accountPath(orderID), nil, &a)
	return a.checked(err)
}

func accountPath(orderID string) string { return "/v1/accounts/" + url.PathEscape(orderID) }

// checked refuses a state that is not known: it may mean anything.
func (a account) checked(err error) (billing.BankAccount, error) {
	if err != nil {
		return billing.BankAccount{}, err
	}
	switch state := billing.AccountState(a.State); state {
	case billing.AccountOpen, billing.AccountPaid, billing.AccountClosed:
		return billing.BankAccount{
			OneTimeAccount: billing.OneTimeAccount{Bank: a.Bank, Number: a.Number, Holder: a.Holder},
			OrderID:        a.OrderID, Total: wallet.KRW(a.Amount), State: state, PaidAt: a.PaidAt,
		}, nil
	}
	return billing.BankAccount{}, provider.Unclear("the account is in the state %.20q", a.State)
}

// Send transfers money.
func (c *Client) Send(ctx context.Context, o billing.SendOrder) (billing.Sending, error) {
	var t transfer
	err := c.wire.Call(ctx, http.MethodPut, transferPath(o.OrderID), transferOrder{
		Bank: o.To.Bank, Number: o.To.Number, Holder: o.To.Holder, Amount: int64(o.Total), Memo: o.Memo,
	}, &t)
	return t.checked(err)
}

// Sent looks a transfer up.
func (c *Client) Sent(ctx context.Context, orderID string) (billing.Sending, error) {
	var t transfer
	err := c.wire.Call(ctx, http.MethodGet, transferPath(orderID), nil, &t)
	return t.checked(err)
}

func transferPath(orderID string) string { return "/v1/transfers/" + url.PathEscape(orderID) }

func (t transfer) checked(err error) (billing.Sending, error) {
	if err != nil {
		return billing.Sending{}, err
	}
	switch state := billing.SendingState(t.State); state {
	case billing.SendingDone, billing.SendingPending, billing.SendingFailed:
		return billing.Sending{OrderID: t.OrderID, Total: wallet.KRW(t.Amount), State: state, Reason: provider.Clip(t.Reason), At: t.At}, nil
	}
	return billing.Sending{}, provider.Unclear("the transfer is in the state %.20q", t.State)
}
