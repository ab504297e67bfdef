// Package bank is the wire to a bank, or a payment company in front of one, that opens one-time
// accounts (가상계좌) and sends money: four calls over HTTP, with our order id in the path as the key
// of each. docs/api.md describes them for whoever puts one in front of a real bank.
package bank

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/wallet"
)

// Timeout is how long the bank may take to answer.
const Timeout = 15 * time.Second

// Client calls the bank. Every method makes one request, once; an error of a method is a
// [*billing.GatewayError], or [billing.ErrNoOrder] from a look-up. It is safe for concurrent use.
type Client struct {
	peer   *kakao.Peer
	secret string
}

var _ billing.Bank = (*Client)(nil)

// New returns a client of the bank at an address. A timeout of 0 is [Timeout]. The secret is in no
// error.
func New(address, secret string, timeout time.Duration) (*Client, error) {
	if secret == "" || strings.ContainsFunc(secret, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }) {
		return nil, errors.New("the secret of the bank is empty or has spaces in it")
	}
	if timeout == 0 {
		timeout = Timeout
	}
	peer, err := kakao.NewPeer(address, timeout)
	if err != nil {
		return nil, err
	}
	return &Client{peer: peer, secret: secret}, nil
}

// Close closes idle connections.
func (c *Client) Close() { c.peer.Close() }

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

// problem is an answer that is not 2xx.
type problem struct {
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

// OpenAccount opens a one-time account.
func (c *Client) OpenAccount(ctx context.Context, o billing.AccountOrder) (billing.BankAccount, error) {
	var a account
	err := c.call(ctx, http.MethodPut, accountPath(o.OrderID), accountOrder{Amount: int64(o.Total), Holder: o.Holder, ExpiresAt: o.Deadline.UTC()}, &a)
	return a.checked(err)
}

// Account looks a one-time account up.
func (c *Client) Account(ctx context.Context, orderID string) (billing.BankAccount, error) {
	var a account
	err := c.call(ctx, http.MethodGet, accountPath(orderID), nil, &a)
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
	return billing.BankAccount{}, unknown(fmt.Errorf("the account is in the state %.20q", a.State))
}

// Send transfers money.
func (c *Client) Send(ctx context.Context, o billing.SendOrder) (billing.Sending, error) {
	var t transfer
	err := c.call(ctx, http.MethodPut, transferPath(o.OrderID), transferOrder{
		Bank: o.To.Bank, Number: o.To.Number, Holder: o.To.Holder, Amount: int64(o.Total), Memo: o.Memo,
	}, &t)
	return t.checked(err)
}

// Sent looks a transfer up.
func (c *Client) Sent(ctx context.Context, orderID string) (billing.Sending, error) {
	var t transfer
	err := c.call(ctx, http.MethodGet, transferPath(orderID), nil, &t)
	return t.checked(err)
}

func transferPath(orderID string) string { return "/v1/transfers/" + url.PathEscape(orderID) }

func (t transfer) checked(err error) (billing.Sending, error) {
	if err != nil {
		return billing.Sending{}, err
	}
	switch state := billing.SendingState(t.State); state {
	case billing.SendingDone, billing.SendingPending, billing.SendingFailed:
		return billing.Sending{OrderID: t.OrderID, Total: wallet.KRW(t.Amount), State: state, Reason: clip(t.Reason), At: t.At}, nil
	}
	return billing.Sending{}, unknown(fmt.Errorf("the transfer is in the state %.20q", t.State))
}

func unknown(err error) error { return &billing.GatewayError{Class: billing.MayHaveMoved, Err: err} }

// call makes one request and reads the answer.
func (c *Client) call(ctx context.Context, method, path string, request, answer any) error {
	header := http.Header{"Authorization": {"Bearer " + c.secret}, "Accept": {"application/json"}}
	var content []byte
	if request != nil {
		var body bytes.Buffer
		encoder := json.NewEncoder(&body)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(request); err != nil {
			return &billing.GatewayError{Class: billing.NotSent, Err: err}
		}
		content = bytes.TrimSpace(body.Bytes())
		header.Set("Content-Type", "application/json")
	}
	got, err := c.peer.Do(ctx, method, path, header, content)
	if err != nil {
		class := billing.MayHaveMoved
		var none *kakao.NoAnswer
		if errors.As(err, &none) && !none.Sent {
			class = billing.NotSent
		}
		return &billing.GatewayError{Class: class, Err: err}
	}
	if got.Status == http.StatusOK || got.Status == http.StatusCreated {
		if err := json.Unmarshal(got.Body, answer); err != nil {
			// The cause may quote a value of the answer, so only where it broke is kept.
			return unknown(errors.New("the answer is not the JSON of this call"))
		}
		return nil
	}
	return c.refused(method, got)
}

// refused says what an answer that is not a success means for the money.
func (c *Client) refused(method string, got kakao.Answer) error {
	var p problem
	readable := json.Unmarshal(got.Body, &p) == nil
	if method == http.MethodGet && got.Status == http.StatusNotFound && readable && p.Code == "NO_ORDER" {
		return billing.ErrNoOrder
	}
	e := &billing.GatewayError{Class: billing.MayHaveMoved, Code: strconv.Itoa(got.Status)}
	switch {
	case got.Status == http.StatusUnauthorized || got.Status == http.StatusForbidden:
		e.Class = billing.BadConfig
	case got.Status == http.StatusTooManyRequests:
		e.Class = billing.NotSent
	case got.Status >= 400 && got.Status < 500 && readable && p.Code != "":
		e.Class = billing.BadRequest
	}
	if readable && p.Code != "" {
		e.Code = clip(p.Code)
		e.Message = clip(strings.ReplaceAll(p.Detail, c.secret, "***"))
	}
	return e
}

const clipBytes = 300

func clip(text string) string {
	if len(text) > clipBytes {
		return strings.ToValidUTF8(text[:clipBytes], "") + "…"
	}
	return text
}
