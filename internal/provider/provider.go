// Package provider is the wire that a bank and a carrier of tax invoices share: JSON over HTTP with a
// bearer secret and our order id in the path as the key of each call, and errors that say whether
// anything may have happened. docs/api.md describes it for whoever puts one in front of a real one.
package provider

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/kakao"
)

// Timeout is how long a provider may take to answer.
const Timeout = 15 * time.Second

// Client calls a provider. It is safe for concurrent use.
type Client struct {
	peer   *kakao.Peer
	secret string
}

// New returns a client of the provider at an address; name is what errors call it. A timeout of 0 is
// [Timeout]. The secret is in no error.
func New(name, address, secret string, timeout time.Duration) (*Client, error) {
	if secret == "" || strings.ContainsFunc(secret, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }) {
		return nil, fmt.Errorf("the secret of the %s is empty or has spaces in it", name)
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

// Watch has each request told of. It is called before the first.
func (c *Client) Watch(asked kakao.Asked) { c.peer.Watch(asked) }

// Close closes idle connections.
func (c *Client) Close() { c.peer.Close() }

// Unclear is the error of an answer that may mean anything.
func Unclear(format string, args ...any) error {
	return &billing.GatewayError{Class: billing.MayHaveMoved, Err: fmt.Errorf(format, args...)}
}

// problem is an answer that is not 2xx.
type problem struct {
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

// Call makes one request, once, and reads the answer into a pointer. A nil request has no body. The
// error is a [*billing.GatewayError], or [billing.ErrNoOrder] from a GET.
func (c *Client) Call(ctx context.Context, method, path string, request, answer any) error {
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
			return Unclear("the answer is not the JSON of this call")
		}
		return nil
	}
	return c.refused(method, got)
}

// refused says what an answer that is not a success means.
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
		e.Code = Clip(p.Code)
		e.Message = Clip(strings.ReplaceAll(p.Detail, c.secret, "***"))
	}
	return e
}

const clipBytes = 300

// Clip cuts a text of the provider that is kept.
func Clip(text string) string {
	if len(text) > clipBytes {
		return strings.ToValidUTF8(text[:clipBytes], "") + "…"
	}
	return text
}
