// Package courier posts to the addresses of strangers that webhooks name, over the guarded dialer.
package courier

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/webhook"
)

// maxAnswer is how much of an answer is read, in bytes; nothing of it is kept.
const maxAnswer = 4 << 10

// Courier posts what the guard allows. It is safe for concurrent use.
type Courier struct {
	http  *http.Client
	agent string
}

// New returns a courier that names its version to receivers.
func New(guard kakao.Guard, version string) *Courier {
	return &Courier{http: guard.Client(), agent: "Malgil/" + version}
}

// Post posts once. No error quotes the address or the answer, which may hold secrets of the receiver.
func (c *Courier) Post(ctx context.Context, p webhook.Post) (status int, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.URL, bytes.NewReader(p.Body))
	if err != nil {
		return 0, fault.New(fault.Refused, "the address is not a URL")
	}
	request.Header.Set("User-Agent", c.agent)
	for name, value := range p.Header {
		request.Header.Set(name, value)
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return 0, unposted(err)
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, maxAnswer) // a receiver that is cut off while it answers may mind
	status = answer.StatusCode
	if status >= 200 && status < 300 {
		return status, nil
	}
	failed := &fault.Error{Kind: fault.Unavailable, Message: fmt.Sprintf("the receiver answers %d %s", status, http.StatusText(status))}
	if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil && seconds > 0 {
		failed.RetryAfter = time.Duration(min(seconds, int(24*time.Hour/time.Second))) * time.Second
	}
	return status, failed
}

// unposted says in words without the address why there was no answer.
func unposted(err error) error {
	var refused *fault.Error
	if errors.As(err, &refused) {
		return fault.New(refused.Kind, "%s", refused.Message)
	}
	return fault.New(fault.Unavailable, "%s", class(err))
}

// class is why there was no answer, in fixed words: the errors of the network quote names and addresses, those of HTTP what
// the receiver sent.
func class(err error) string {
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var name *net.DNSError
	var timeout interface{ Timeout() bool }
	switch {
	case errors.As(err, &name) && name.IsNotFound:
		return "the name of the receiver is not known"
	case errors.As(err, &name):
		return "the name of the receiver could not be looked up"
	case errors.As(err, &certificate):
		return "the certificate of the receiver is not trusted"
	case errors.As(err, &record), errors.As(err, &alert), errors.Is(err, http.ErrSchemeMismatch):
		return "the receiver did not agree on TLS"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "the receiver did not answer in time"
	case errors.Is(err, context.Canceled):
		return "the worker was stopped before there was an answer"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the receiver takes no connections"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the receiver closed the connection without an answer"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "there is no way to the receiver"
	}
	return "the receiver was not reached, or what it sent is no answer in HTTP"
}
