package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/malgil/malgil/internal/fault"
)

// DecisionKind says who delivers the answer to an utterance.
type DecisionKind int

const (
	// Answered: a worker was in time; whoever waits delivers Decision.Answer.
	Answered DecisionKind = iota + 1
	// PromisedCallback: the intake told Kakao to wait; a worker posts the callback.
	PromisedCallback
	// TakenInline: the intake could not rely on the queue and answers itself.
	TakenInline
	// GivenUp: the intake ran out of time where no callback is possible.
	GivenUp
)

// Decision is what one key decides about an utterance, once and for everybody.
type Decision struct {
	Kind   DecisionKind
	Answer []byte    // of Answered: a JSON object
	At     time.Time // of PromisedCallback: when it was promised, to the millisecond
}

const (
	callbackPrefix = "callback:"
	inlineValue    = "inline"
	lateValue      = "late"
)

// value is the decision as Redis keeps it: the answer itself, "callback:<unix ms>", "inline"
// or "late".
func (d Decision) value() string {
	switch d.Kind {
	case Answered:
		return string(d.Answer)
	case PromisedCallback:
		return callbackPrefix + strconv.FormatInt(d.At.UnixMilli(), 10)
	case TakenInline:
		return inlineValue
	case GivenUp:
		return lateValue
	}
	panic(fmt.Sprintf("queue: a decision of kind %d", d.Kind)) // no caller makes one
}

func readDecision(value string) (Decision, error) {
	switch {
	case strings.HasPrefix(value, "{"):
		return Decision{Kind: Answered, Answer: []byte(value)}, nil
	case value == inlineValue:
		return Decision{Kind: TakenInline}, nil
	case value == lateValue:
		return Decision{Kind: GivenUp}, nil
	}
	if text, ok := strings.CutPrefix(value, callbackPrefix); ok {
		if ms, err := strconv.ParseInt(text, 10, 64); err == nil {
			return Decision{Kind: PromisedCallback, At: time.UnixMilli(ms).UTC()}, nil
		}
	}
	return Decision{}, fault.New(fault.Internal, "the key of an utterance holds a word that is not known here")
}

const (
	utterancePrefix = "malgil:utt:"
	decisionTTL     = 120 * time.Second // twice the life of a callback URL
)

func decisionKey(id string) string { return utterancePrefix + id }
func claimKey(id string) string    { return utterancePrefix + id + ":post" }

// Exchange is where intake and workers agree on who delivers an answer: one key per utterance,
// whoever sets it first wins, and its value is the answer. It is safe for concurrent use and
// between processes. Every method obeys ctx as far as its connection does: pass one of
// [Address.EnqueueClient] where somebody waits.
type Exchange struct{ redis redis.UniversalClient }

// NewExchange returns an exchange over a connection, which the caller closes.
func NewExchange(conn redis.UniversalClient) *Exchange { return &Exchange{redis: conn} }

// Settle proposes a decision and returns the one that stands, and whether that is the proposed
// one. Proposing the same again answers the same. On an error, of kind InDoubt, the proposal
// may stand all the same.
func (x *Exchange) Settle(ctx context.Context, id string, mine Decision) (standing Decision, won bool, err error) {
	value := mine.value()
	set, err := x.redis.SetNX(ctx, decisionKey(id), value, decisionTTL).Result()
	if err != nil {
		return Decision{}, false, fault.Wrap(fault.InDoubt, err, "settle an utterance")
	}
	if set {
		return mine, true, nil
	}
	stands, err := x.redis.Get(ctx, decisionKey(id)).Result()
	if err != nil {
		return Decision{}, false, fault.Wrap(fault.InDoubt, err, "read who settled an utterance")
	}
	if stands == value { // a repeated command meets its own effect
		return mine, true, nil
	}
	standing, err = readDecision(stands)
	return standing, false, err
}

// Standing returns the decision about an utterance, if there is one.
func (x *Exchange) Standing(ctx context.Context, id string) (standing Decision, decided bool, err error) {
	value, err := x.redis.Get(ctx, decisionKey(id)).Result()
	switch {
	case errors.Is(err, redis.Nil):
		return Decision{}, false, nil
	case err != nil:
		return Decision{}, false, fault.Wrap(fault.Unavailable, err, "look at an utterance")
	}
	standing, err = readDecision(value)
	return standing, err == nil, err
}

// ClaimCallback reports whether the caller, named by a word of its own, is the one that may
// post the callback of an utterance. Asking again answers the same.
func (x *Exchange) ClaimCallback(ctx context.Context, id, by string) (bool, error) {
	set, err := x.redis.SetNX(ctx, claimKey(id), by, decisionTTL).Result()
	if err != nil || set {
		return set, inDoubt(err)
	}
	holder, err := x.redis.Get(ctx, claimKey(id)).Result()
	return err == nil && holder == by, inDoubt(err)
}

func inDoubt(err error) error {
	if err == nil {
		return nil
	}
	return fault.Wrap(fault.InDoubt, err, "claim a callback")
}

// Answer proposes an answer as [Exchange.Settle] does and, where it stands, tells a mailbox of it in
// the same trip: with the answer, or of a long one only that it is there. What of that is lost costs
// time only.
func (x *Exchange) Answer(ctx context.Context, id string, answer []byte, mailbox string) (standing Decision, won bool, err error) {
	stands, err := answerScript.Run(ctx, x.redis, []string{decisionKey(id)},
		answer, decisionTTL.Milliseconds(), mailbox, id+"\n", longAnswer).StringSlice()
	switch {
	case err != nil:
		return Decision{}, false, fault.Wrap(fault.InDoubt, err, "settle an utterance")
	case len(stands) == 0:
		return Decision{Kind: Answered, Answer: answer}, true, nil
	}
	standing, err = readDecision(stands[0])
	return standing, false, err
}

// answerScript sets a key that is not set and tells a mailbox of it, also when it was set to the same
// before. It returns a list of what else the key holds, or an empty one.
var answerScript = redis.NewScript(`
local stands = redis.call('GET', KEYS[1])
if not stands then
	redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
elseif stands ~= ARGV[1] then
	return {stands}
end
local told = ARGV[1]
if #told > tonumber(ARGV[5]) then
	told = ''
end
redis.call('PUBLISH', ARGV[3], ARGV[4] .. told)
return {}
`)
