// Package kakaopay is the wire to KakaoPay's online payment API: ready, approve, subscription,
// order, cancel, and state and removal of a card key (sid). It knows shapes and error codes, and
// decides nothing about money.
package kakaopay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/malgil/malgil/internal/kakao"
)

// Timeout is how long KakaoPay may take to answer: its platform gives up after 11 s.
const Timeout = 15 * time.Second

// Client calls KakaoPay. Every method makes one request, once; every error of a method is an
// [*Error]. It is safe for concurrent use.
type Client struct {
	peer   *kakao.Peer
	secret string
}

// New returns a client of KakaoPay at an address such as "https://open-api.kakaopay.com". A
// timeout of 0 is [Timeout]. The secret key is in no error.
func New(address, secretKey string, timeout time.Duration) (*Client, error) {
	if secretKey == "" || strings.ContainsFunc(secretKey, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }) {
		return nil, errors.New("the secret key of KakaoPay is empty or has spaces in it")
	}
	if timeout == 0 {
		timeout = Timeout
	}
	peer, err := kakao.NewPeer(address, timeout)
	if err != nil {
		return nil, err
	}
	return &Client{peer: peer, secret: secretKey}, nil
}

// Watch has each request told of. It is called before the first.
func (c *Client) Watch(asked kakao.Asked) { c.peer.Watch(asked) }

// Close closes idle connections.
func (c *Client) Close() { c.peer.Close() }

// Ready starts a payment or the registration of a card, which the payer then approves in a
// browser. The tid lives 15 minutes.
func (c *Client) Ready(ctx context.Context, r ReadyRequest) (ReadyAnswer, error) {
	var a ReadyAnswer
	err := c.call(ctx, "ready", "/online/v1/payment/ready", r, &a, secrets{r.CIDSecret})
	return a, c.checked("ready", err, a.TID != "" && a.RedirectPCURL != "")
}

// Approve finishes what the payer approved. With a recurring CID the payment holds a new SID.
func (c *Client) Approve(ctx context.Context, r ApproveRequest) (Payment, error) {
	var a Payment
	err := c.call(ctx, "approve", "/online/v1/payment/approve", r, &a, secrets{r.CIDSecret, r.PGToken})
	return a, c.checked("approve", err, a.AID != "" && a.TID != "")
}

// Subscription charges a card by its SID, with no payer present.
func (c *Client) Subscription(ctx context.Context, r SubscriptionRequest) (Payment, error) {
	var a Payment
	err := c.call(ctx, "subscription", "/online/v1/payment/subscription", r, &a, secrets{r.CIDSecret, r.SID})
	return a, c.checked("subscription", err, a.AID != "" && a.TID != "")
}

// Order looks a payment up. It changes nothing and may be repeated.
func (c *Client) Order(ctx context.Context, r OrderRequest) (Order, error) {
	var a Order
	err := c.call(ctx, "order", "/online/v1/payment/order", r, &a, secrets{r.CIDSecret})
	return a, c.checked("order", err, a.TID != "" && a.Status != "")
}

// Cancel gives back all or part of a payment.
func (c *Client) Cancel(ctx context.Context, r CancelRequest) (Cancellation, error) {
	var a Cancellation
	err := c.call(ctx, "cancel", "/online/v1/payment/cancel", r, &a, secrets{r.CIDSecret})
	return a, c.checked("cancel", err, a.AID != "" && a.TID != "")
}

// SIDStatus says whether a SID can be charged. It changes nothing and may be repeated.
func (c *Client) SIDStatus(ctx context.Context, r SIDRequest) (SIDStatus, error) {
	var a SIDStatus
	err := c.call(ctx, "sid_status", "/online/v1/payment/manage/subscription/status", r, &a, secrets{r.CIDSecret, r.SID})
	return a, c.checked("sid_status", err, a.Status != "")
}

// SIDInactive removes a SID for good.
func (c *Client) SIDInactive(ctx context.Context, r SIDRequest) (SIDStatus, error) {
	var a SIDStatus
	err := c.call(ctx, "sid_inactive", "/online/v1/payment/manage/subscription/inactive", r, &a, secrets{r.CIDSecret, r.SID})
	return a, c.checked("sid_inactive", err, a.Status != "")
}

// call posts a request and reads the answer. An answer with an error code is an error whatever
// its status, and one without is a success only with status 200: status alone decides nothing.
func (c *Client) call(ctx context.Context, name, path string, request, answer any, hidden secrets) error {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(request); err != nil {
		return &Error{Call: name, Class: NotSent, Err: err}
	}
	header := http.Header{
		"Authorization": {"SECRET_KEY " + c.secret}, "Content-Type": {"application/json"}, "Accept": {"application/json"},
	}
	got, err := c.peer.Do(ctx, http.MethodPost, path, header, bytes.TrimSpace(body.Bytes()))
	if err != nil {
		class := Unknown
		var none *kakao.NoAnswer
		if errors.As(err, &none) && !none.Sent {
			class = NotSent
		}
		return &Error{Call: name, Class: class, Err: err}
	}
	if failure, ok := readError(got.Body); ok {
		return failure.toError(name, got.Status, append(hidden, c.secret))
	}
	if got.Status != http.StatusOK {
		return &Error{Call: name, Class: Unknown, Status: got.Status}
	}
	if err := json.Unmarshal(got.Body, answer); err != nil {
		// The cause may quote a value of the answer, so only where it broke is kept.
		return &Error{Call: name, Class: Unknown, Status: got.Status, Err: errors.New("the answer is not the JSON of this call")}
	}
	return nil
}

// checked makes an answer that lacks what the call is made for an error.
func (c *Client) checked(name string, err error, whole bool) error {
	if err != nil || whole {
		return err
	}
	return &Error{Call: name, Class: Unknown, Status: http.StatusOK, Err: errors.New("the answer lacks its ids")}
}
