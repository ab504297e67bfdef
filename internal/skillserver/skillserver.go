// Package skillserver calls the skill servers (스킬 서버) of businesses in place of Kakao. A server that
// was written for Kakao needs no change.
package skillserver

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/malgil/malgil/internal/bot"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/scenario"
	"github.com/malgil/malgil/internal/trace"
	"github.com/malgil/malgil/internal/webhook"
)

// HeaderUtterance names the utterance that a call is about. The time stamp and the signature are in the
// headers of a webhook's delivery, see [webhook.Sign]; where the secret was just changed, two
// signatures stand in the header, with a comma between.
const HeaderUtterance = "Malgil-Utterance"

// Outcome is what became of a call.
type Outcome string

// The outcomes.
const (
	Answered    Outcome = "answered"
	Invalid     Outcome = "invalid"     // it answers, and with what Kakao would not show
	BadStatus   Outcome = "status"      // it answers with another status than 2xx; no redirect is followed
	Late        Outcome = "late"        // it had no answer in time
	Unreachable Outcome = "unreachable" // no connection to it, or one that was cut
	Full        Outcome = "full"        // not called: too many calls of the bot, or of all, are under way
	Open        Outcome = "open"        // not called: it failed again and again, and is left alone for a while
	Barred      Outcome = "barred"      // not called: its address is not allowed, or its bot's secret does not open
	Stopped     Outcome = "stopped"     // nobody waits for its answer any more
)

// Outcomes lists every outcome.
var Outcomes = []Outcome{Answered, Invalid, BadStatus, Late, Unreachable, Full, Open, Barred, Stopped}

// States are the states of a breaker: closed lets calls through, open none, half_open one to try.
var States = []string{"closed", "half_open", "open"}

const (
	// Longest is how long a call takes at most: a callback URL lives for a minute, and the
	// fallback of a call that fails has to be posted to it too.
	Longest = 50 * time.Second
	// fair is how long a server has to be late for that to be held against it.
	fair = time.Second
	// maxAnswer bounds an answer in bytes: three bubbles of 30 KB, and as much again.
	maxAnswer = 256 << 10
	// idlePerHost is how many connections to a host are kept for the next calls.
	idlePerHost = 16
)

// Secrets keeps what calls are signed with.
type Secrets interface {
	// WebhookSecret returns the secrets of a bot, none when nobody made one.
	WebhookSecret(ctx context.Context, botID string) (bot.WebhookSecret, error)
}

// Opener opens what is sealed.
type Opener interface {
	Open(sealed []byte, table, id string) ([]byte, error)
}

// Meter measures calls. It is safe for concurrent use and never blocks.
type Meter interface {
	// SkillServerCalled notes the end of a call; its time includes that in line.
	SkillServerCalled(outcome string, took time.Duration)
	// SkillServerCalls notes that so many calls more, or fewer, are under way or in line.
	SkillServerCalls(more int)
	// SkillServerBreaker notes that a breaker is in another state; "" before its first and after its last.
	SkillServerBreaker(from, to string)
}

// Options are what a client is made of. All but GiveBack are required.
type Options struct {
	Guard    kakao.Guard
	Secrets  Secrets
	Opener   Opener
	Meter    Meter
	Now      func() time.Time
	Log      *slog.Logger
	Version  string
	Timeout  time.Duration // of a call, at most [Longest]; less when its ctx ends earlier
	MaxCalls int           // under way and in line, of all bots
	// GiveBack is called before a call waits for anything, with its ctx: whoever holds what others
	// need while it waits may give that back. Nil for nobody.
	GiveBack func(ctx context.Context)
}

// Client is [scenario.Backend] over HTTP. It is safe for concurrent use.
//
// A bot has places for [scenario.BackendCall.AtOnce] calls, and as many again for calls that a broadcast
// causes. A call without a place waits in line for half of its time at most, so that there is as
// much left for the server; the line is [linePerPlace] times as long as there are places. What finds it
// full fails at once.
type Client struct {
	Options
	http     *http.Client
	lanes    lanes
	breakers breakers
	secrets  secrets
}

// New returns a client.
func New(options Options) *Client {
	return &Client{
		Options:  options,
		http:     options.Guard.KeepingClient(idlePerHost),
		lanes:    lanes{most: options.MaxCalls, all: map[laneKey]*lane{}},
		breakers: breakers{all: map[breakerKey]*breaker{}, meter: options.Meter, log: options.Log},
		secrets:  secrets{source: options.Secrets, opener: options.Opener, known: map[string]*knownSecret{}},
	}
}

// Close closes the connections that are open between calls.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// failure is why a call has no answer.
type failure struct {
	outcome Outcome
	theirs  bool // the server is at fault, and will hardly do better at once
	err     error
}

func (f *failure) cause() error {
	if f == nil {
		return nil
	}
	return f.err
}

func failed(outcome Outcome, theirs bool, kind fault.Kind, format string, args ...any) *failure {
	return &failure{outcome, theirs, fault.New(kind, format, args...)}
}

// Call calls a server once. It ends with ctx at the latest. No error quotes the address, what was
// said, or what the server sent.
func (c *Client) Call(ctx context.Context, call scenario.BackendCall) (kakao.SkillResponse, error) {
	begun := time.Now()
	response, problem := c.call(ctx, call)
	outcome := Answered
	switch {
	case problem != nil:
		outcome = problem.outcome
	case len(call.Problems(response)) > 0: // whoever called looks at it too, and says what is wrong
		outcome = Invalid
	}
	c.Meter.SkillServerCalled(string(outcome), time.Since(begun))
	if problem != nil {
		return kakao.SkillResponse{}, problem.err
	}
	return response, nil
}

func (c *Client) call(ctx context.Context, call scenario.BackendCall) (kakao.SkillResponse, *failure) {
	if call.AtOnce < 1 { // nobody said
		call.AtOnce = scenario.DefaultSettings.WebhookCalls
	}
	body, err := bodyOf(call)
	if err != nil {
		return kakao.SkillResponse{}, barred(call, err)
	}
	request, err := c.prepare(ctx, call, body)
	if err != nil {
		return kakao.SkillResponse{}, barred(call, err)
	}
	breaker := c.breakers.of(call)
	if breaker.isOpen() {
		return kakao.SkillResponse{}, leftAlone(call)
	}
	place, ok := c.lanes.join(laneOf(call), call.AtOnce)
	if !ok {
		return kakao.SkillResponse{}, failed(Full, false, fault.Throttled,
			"server %q was not called: as many calls are under way as may be, %d of the bot; see webhook_calls of the bot and MALGIL_SKILL_SERVER_CALLS", call.Server.Name, call.AtOnce)
	}
	defer place.leave()
	c.Meter.SkillServerCalls(1)
	defer c.Meter.SkillServerCalls(-1)
	if c.GiveBack != nil {
		c.GiveBack(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	keys, err := c.secrets.of(ctx, call.BotID, c.Now())
	if err != nil {
		return kakao.SkillResponse{}, barred(call, fault.Wrap(fault.Internal, err, "the bot's webhook secret cannot be read: %s", fault.MessageOf(err)))
	}
	if err := place.wait(ctx); err != nil {
		if errors.Is(err, context.Canceled) {
			return kakao.SkillResponse{}, failed(Stopped, false, fault.Unavailable, "server %q was not called: nobody waits any more", call.Server.Name)
		}
		return kakao.SkillResponse{}, failed(Full, false, fault.Throttled,
			"server %q was not called: %d calls of the bot were under way for too long; see webhook_calls of the bot", call.Server.Name, call.AtOnce)
	}
	done, ok := breaker.allow()
	if !ok {
		return kakao.SkillResponse{}, leftAlone(call)
	}
	problem := failed(Unreachable, true, fault.Internal, "calling server %q panicked", call.Server.Name)
	defer func() { done(problem) }()
	sign(request, body, keys, c.Now())
	var response kakao.SkillResponse
	sent := time.Now()
	response, problem = c.post(ctx, call, request)
	if problem != nil && problem.outcome == Late && time.Since(sent) < fair {
		problem.theirs = false // we asked late ourselves
	}
	return response, problem
}

func leftAlone(call scenario.BackendCall) *failure {
	return failed(Open, false, fault.Unavailable, "server %q was not called: it failed again and again, and is tried again within %s", call.Server.Name, openFor)
}

func barred(call scenario.BackendCall, err error) *failure {
	return failed(Barred, false, fault.Refused, "server %q cannot be called: %s", call.Server.Name, fault.MessageOf(err))
}

// prepare makes the request but for its signature, and refuses what may not be called.
func (c *Client) prepare(ctx context.Context, call scenario.BackendCall, body []byte) (*http.Request, error) {
	address, err := addressOf(call.Server, call.Webhook)
	if err == nil {
		err = c.Guard.Check(address)
	}
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, fault.New(fault.Refused, "the address is not a URL")
	}
	request.Header.Set("User-Agent", "Malgil/"+c.Version)
	for name, value := range call.Server.Headers {
		if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			return nil, fault.New(fault.Refused, "its header %q is none of HTTP", name)
		}
		request.Header.Set(name, value)
	}
	request.Header.Set("Content-Type", "application/json;charset=UTF-8") // as Kakao says it
	request.Header.Set(HeaderUtterance, call.UtteranceID)
	request.Header.Del(webhook.HeaderTimestamp)
	request.Header.Del(webhook.HeaderSignature)
	return request, nil
}

// sign signs a request with each key; without any it says nothing.
func sign(request *http.Request, body []byte, keys []string, now time.Time) {
	if len(keys) == 0 {
		return
	}
	timestamp := strconv.FormatInt(now.Unix(), 10)
	signatures := make([]string, len(keys))
	for i, key := range keys {
		signatures[i] = webhook.Sign(key, timestamp, body)
	}
	request.Header.Set(webhook.HeaderTimestamp, timestamp)
	request.Header.Set(webhook.HeaderSignature, strings.Join(signatures, ","))
}

// post makes a call and reads the answer.
func (c *Client) post(ctx context.Context, call scenario.BackendCall, request *http.Request) (_ kakao.SkillResponse, wrong *failure) {
	name := call.Server.Name
	ctx, end := trace.Step(ctx, trace.Called, "skill server", slog.String("server", name))
	defer func() { end(wrong.cause()) }()
	answer, err := c.http.Do(request.WithContext(ctx))
	if err != nil {
		return kakao.SkillResponse{}, unanswered(name, err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	switch status := answer.StatusCode; {
	case err != nil:
		return kakao.SkillResponse{}, unanswered(name, err)
	case status >= 300 && status < 400:
		return kakao.SkillResponse{}, failed(BadStatus, false, fault.Unavailable,
			"server %q answers %d, which leads elsewhere and is not followed; enter the address that it leads to", name, status)
	case status < 200 || status >= 400:
		return kakao.SkillResponse{}, failed(BadStatus, status >= 500 || status == http.StatusTooManyRequests, fault.Unavailable,
			"server %q answers %d %s", name, status, http.StatusText(status))
	case len(body) > maxAnswer:
		return kakao.SkillResponse{}, failed(Invalid, false, fault.Unavailable, "server %q answers more than %d bytes", name, maxAnswer)
	}
	response, err := kakao.ParseSkillResponse(body)
	if err != nil {
		return kakao.SkillResponse{}, failed(Invalid, false, fault.Unavailable, "server %q answers what is no skill response: %s", name, fault.MessageOf(err))
	}
	if response.UseCallback {
		return kakao.SkillResponse{}, failed(Invalid, false, fault.Unavailable,
			"server %q answers useCallback, and was given no callbackUrl: Malgil calls back itself, so let it answer when it is done, within %s", name, c.Timeout)
	}
	return response, nil
}

// unanswered says why there is no answer.
func unanswered(name string, err error) *failure {
	outcome, theirs := Unreachable, true
	var refused *fault.Error
	var timeout interface{ Timeout() bool }
	switch {
	case errors.As(err, &refused): // by the guard, when it saw where the name leads
		return failed(Barred, false, fault.Refused, "server %q cannot be called: %s", name, refused.Message)
	case errors.Is(err, context.Canceled):
		outcome, theirs = Stopped, false
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		outcome = Late
	}
	return failed(outcome, theirs, fault.Unavailable, "server %q: %s", name, kakao.WhyNoAnswer(err, "the skill server"))
}
