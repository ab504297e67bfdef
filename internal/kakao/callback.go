package kakao

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/trace"
)

// CallbackState says what is known about a callback.
type CallbackState string

const (
	CallbackDelivered CallbackState = "delivered" // Kakao said SUCCESS
	CallbackFailed    CallbackState = "failed"    // certainly not shown to the user
	CallbackUnknown   CallbackState = "unknown"   // it may have been shown
)

// CallbackOutcome is what became of one callback.
type CallbackOutcome struct {
	State   CallbackState
	Reason  string // one of the Reason constants
	TaskID  string // Kakao's, when it answered
	Message string // Kakao's, when it answered
}

// Reasons of a callback that was not delivered, as stable words for logs and metrics.
const (
	ReasonRefused     = "address_refused" // our guard did not let the address through
	ReasonUnreachable = "unreachable"     // no connection until the deadline
	ReasonTestToken   = "test_token"
	ReasonToken       = "token"        // wrong, over a minute old or used
	ReasonUseCallback = "use_callback" // the first answer did not promise a callback: alert
	ReasonBotID       = "bot_id"       // alert
	ReasonBody        = "body"         // the body breaks Kakao's limits: our bug
	ReasonRejected    = "rejected"     // Kakao said no in words that are not documented
	ReasonInternal    = "internal"     // Kakao's own error
	ReasonNoAnswer    = "no_answer"    // cut or silent after the request was written
	ReasonUnreadable  = "unreadable"   // an answer that is not Kakao's
	ReasonQueue       = "queue_away"   // never posted: our queue did not say whose turn it is in time
)

// callbackReasons are Kakao's failure messages (callback guide), by how they begin.
var callbackReasons = []struct {
	message, reason string
	state           CallbackState
}{
	{"Invalid callback token for testing purposes", ReasonTestToken, CallbackFailed},
	{"Invalid callback token", ReasonToken, CallbackFailed},
	{"The skill server settings are incorrect", ReasonUseCallback, CallbackFailed},
	{"Invalid bot ID", ReasonBotID, CallbackFailed},
	{"Invalid json response", ReasonBody, CallbackFailed},
	{"Invalid skill-json format", ReasonBody, CallbackFailed},
	{"Internal server error", ReasonInternal, CallbackUnknown},
}

const (
	callbackAnswerBytes = 64 << 10
	callbackAnswerTime  = 10 * time.Second // Kakao states none; what is slower is not an answer
	firstRedial         = 200 * time.Millisecond
	longestRedial       = 3 * time.Second
)

// CallbackClient posts late answers to the callback URLs that Kakao hands out. It is safe for
// concurrent use.
type CallbackClient struct{ http *http.Client }

// NewCallbackClient returns a client that calls what the guard allows.
func NewCallbackClient(guard Guard) *CallbackClient {
	return &CallbackClient{http: guard.Client()}
}

// Post sends an answer to a callback URL, which takes one, within a minute. At most one request
// is ever written; only a connection that was never established is tried again, until ctx ends,
// so ctx must carry a deadline. The error says why the state is not delivered: Refused (by the
// guard or by Kakao), Unavailable (never connected) or InDoubt. It never quotes the URL, which
// is a secret until used.
func (c *CallbackClient) Post(ctx context.Context, callbackURL string, answer SkillResponse) (_ CallbackOutcome, err error) {
	ctx, end := trace.Step(ctx, trace.Called, "callback")
	defer func() { end(err) }()
	body, err := answer.JSON()
	if err != nil {
		return CallbackOutcome{State: CallbackFailed, Reason: ReasonBody}, fault.Wrap(fault.Internal, err, "write the callback body")
	}
	for wait := firstRedial; ; wait = min(2*wait, longestRedial) {
		outcome, connected, err := c.once(ctx, callbackURL, body)
		if err == nil || connected || fault.KindOf(err) == fault.Refused {
			return outcome, err
		}
		select {
		case <-ctx.Done():
			return outcome, err
		case <-time.After(wait):
		}
	}
}

// once posts once and reports whether a connection stood, whatever came of it.
func (c *CallbackClient) once(ctx context.Context, callbackURL string, body []byte) (_ CallbackOutcome, connected bool, _ error) {
	var stood atomic.Bool
	watch := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { stood.Store(true) }}
	call, cancel := context.WithTimeout(ctx, dialTimeout+tlsTimeout+callbackAnswerTime)
	defer cancel()
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(call, watch), http.MethodPost, callbackURL, bytes.NewReader(body))
	if err != nil {
		return CallbackOutcome{State: CallbackFailed, Reason: ReasonRefused}, false,
			fault.New(fault.Refused, "the callback address is not a URL")
	}
	req.GetBody = nil // so that no layer below can write it a second time
	req.Header.Set("Content-Type", "application/json")

	res, err := c.http.Do(req)
	if err != nil {
		err = withoutURL(err)
		switch {
		case stood.Load():
			return CallbackOutcome{State: CallbackUnknown, Reason: ReasonNoAnswer}, true,
				fault.Wrap(fault.InDoubt, err, "post the callback")
		case fault.KindOf(err) == fault.Refused:
			return CallbackOutcome{State: CallbackFailed, Reason: ReasonRefused}, false, err
		}
		return CallbackOutcome{State: CallbackFailed, Reason: ReasonUnreachable}, false,
			fault.Wrap(fault.Unavailable, err, "connect for the callback")
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, callbackAnswerBytes))
	if err != nil {
		return CallbackOutcome{State: CallbackUnknown, Reason: ReasonNoAnswer}, true,
			fault.Wrap(fault.InDoubt, err, "read the answer to the callback")
	}
	outcome, err := readCallbackAnswer(res.StatusCode, raw)
	return outcome, true, err
}

func readCallbackAnswer(status int, raw []byte) (CallbackOutcome, error) {
	answer := asObject(bytes.TrimSpace(raw)) // no object: every field below is empty
	outcome := CallbackOutcome{TaskID: answer.text("taskId"), Message: answer.text("message")}
	word := answer.text("status")
	if word == "SUCCESS" && status < 300 {
		outcome.State = CallbackDelivered
		return outcome, nil
	}
	for _, known := range callbackReasons {
		if strings.HasPrefix(outcome.Message, known.message) {
			outcome.State, outcome.Reason = known.state, known.reason
			if known.state == CallbackFailed {
				return outcome, fault.New(fault.Refused, "Kakao refused the callback: %s", known.reason)
			}
			return outcome, fault.New(fault.InDoubt, "Kakao answered the callback with its own error")
		}
	}
	if word == "FAIL" || (status >= 400 && status < 500) {
		outcome.State, outcome.Reason = CallbackFailed, ReasonRejected
		return outcome, fault.New(fault.Refused, "Kakao refused the callback with status %d", status)
	}
	outcome.State, outcome.Reason = CallbackUnknown, ReasonUnreadable
	return outcome, fault.New(fault.InDoubt, "the answer to the callback, status %d, is not Kakao's", status)
}

// withoutURL drops the URL that net/http puts around an error: it holds the callback token.
func withoutURL(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}
