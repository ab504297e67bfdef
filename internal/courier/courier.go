// Package courier posts to the addresses of strangers that webhooks name, over the guarded dialer.
package courier

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
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
	asked kakao.Asked // nil when nobody wants to know
}

// New returns a courier that names its version to receivers.
func New(guard kakao.Guard, version string) *Courier {
	return &Courier{http: guard.Client(), agent: "Malgil/" + version}
}

// Watch has each request told of, but for those to addresses that the guard does not allow. It is called
// before the first.
func (c *Courier) Watch(asked kakao.Asked) { c.asked = asked }

// tell tells of a request that is over.
func (c *Courier) tell(status int, err error, begun time.Time) {
	if c.asked == nil || fault.KindOf(err) == fault.Refused {
		return
	}
	var network *net.OpError
	c.asked(status, !errors.As(err, &network) || network.Op != "dial", time.Since(begun))
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
	begun := time.Now()
	answer, err := c.http.Do(request)
	if err != nil {
		c.tell(0, err, begun)
		return 0, unposted(err)
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, maxAnswer) // a receiver that is cut off while it answers may mind
	status = answer.StatusCode
	c.tell(status, nil, begun)
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
	return fault.New(fault.Unavailable, "%s", kakao.WhyNoAnswer(err, "the receiver"))
}
