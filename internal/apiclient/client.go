// Package apiclient calls the HTTP API of a running malgil, as the terminal commands, the demo
// and the acceptance tests do. Paths and shapes are those of docs/api.md.
package apiclient

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// maxAnswer bounds what is read of one answer, in bytes.
const maxAnswer = 8 << 20

// Client calls one server. It is safe for concurrent use.
type Client struct {
	base, token string
	calls       *http.Client
	files       *http.Client // as long as their ctx: a file of 512 MiB takes its time
}

// New returns a client for the server at a base URL such as "http://127.0.0.1:8080". token may be
// empty for servers that ask for none.
func New(base, token string) *Client {
	return &Client{base: strings.TrimRight(base, "/"), token: token, calls: &http.Client{Timeout: time.Minute}, files: &http.Client{}}
}

// Problem is an answer of the API that is not a success (RFC 9457).
type Problem struct {
	Status int    `json:"status"`
	Code   string `json:"code"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
	Errors []struct {
		Location string `json:"location"`
		Message  string `json:"message"`
		File     string `json:"file"`
		Line     int    `json:"line"`
		Column   string `json:"column"`
	} `json:"errors"`
}

// Error is what to show a person.
func (p *Problem) Error() string {
	if p.Detail == "" {
		return fmt.Sprintf("the server answers %d %s", p.Status, http.StatusText(p.Status))
	}
	return p.Detail
}

// problemOf reads an answer that is not a success. Of one that is not ours the status says it.
func problemOf(status int, text []byte) *Problem {
	var p Problem
	if json.Unmarshal(text, &p) != nil {
		p = Problem{}
	}
	p.Status = status
	return &p
}

// Option changes one request.
type Option func(*http.Request)

// IdempotencyKey makes a call repeatable.
func IdempotencyKey(key string) Option {
	return func(r *http.Request) { r.Header.Set("Idempotency-Key", key) }
}

// Reason says why a call is made, for the audit log. An empty one says nothing.
func Reason(text string) Option {
	return func(r *http.Request) {
		if text != "" {
			r.Header.Set("Malgil-Reason", url.PathEscape(text))
		}
	}
}

// ContentType says what a body is that is sent as it is.
func ContentType(media string) Option {
	return func(r *http.Request) { r.Header.Set("Content-Type", media) }
}

// Accept says in which form an answer is wanted.
func Accept(media string) Option {
	return func(r *http.Request) { r.Header.Set("Accept", media) }
}

// Call sends in as JSON (nil for no body, an io.Reader as it is, as CSV unless [ContentType] says otherwise) and reads a successful
// answer into out, where out is not nil: from JSON, or as it is into an io.Writer, however long it
// takes. Any other answer is a [*Problem].
func (c *Client) Call(ctx context.Context, method, path string, in, out any, options ...Option) error {
	var body io.Reader
	client, contentType := c.calls, "application/json"
	if _, is := out.(io.Writer); is {
		client = c.files
	}
	switch in := in.(type) {
	case nil:
	case io.Reader:
		body, client, contentType = in, c.files, "text/csv"
	default:
		text, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode %s %s: %w", method, path, err)
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if body != nil {
		request.Header.Set("Content-Type", contentType)
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	for _, option := range options {
		option(request)
	}
	answer, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	defer answer.Body.Close()
	if to, is := out.(io.Writer); is && answer.StatusCode < 300 {
		if _, err := io.Copy(to, answer.Body); err != nil {
			return fmt.Errorf("%s %s: read the answer: %w", method, path, err)
		}
		return nil
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("%s %s: read the answer: %w", method, path, err)
	}
	if answer.StatusCode >= 300 {
		return problemOf(answer.StatusCode, text)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("%s %s: read the answer: %w", method, path, err)
	}
	return nil
}
