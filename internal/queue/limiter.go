package queue

import (
	"context"
	"sync"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"

	"github.com/malgil/malgil/internal/fault"
)

const (
	// limiterPatience bounds how long a worker waits with a task in hand: its slot is everyone's,
	// and a bot that waits longer is to keep no other one from sending.
	limiterPatience = time.Second
	redisPatience   = 2 * time.Second // for one command
	minBurst        = 100             // people in one request: less would never let a full one through
)

// codeKakao is the code of being told to wait because of how requests ended.
const codeKakao = "kakao"

// RateOutcome is what a worker is told that asks whether a bot may send.
type RateOutcome string

// What [Limiter.Acquire] says.
const (
	RateTaken       RateOutcome = "taken"       // it may
	RateFull        RateOutcome = "full"        // as many requests as may be are in flight
	RateLater       RateOutcome = "later"       // the bot's rate is used up
	RateStands      RateOutcome = "stands"      // Kakao asks to wait, or does not answer
	RateUnavailable RateOutcome = "unavailable" // Redis does not say
)

// RateOutcomes are all of them.
var RateOutcomes = []RateOutcome{RateTaken, RateFull, RateLater, RateStands, RateUnavailable}

// Limiter bounds, for all workers on one Redis together, how many messages a bot sends a second
// and how many requests it has in flight. It is safe for concurrent use.
type Limiter struct {
	redis    redis.UniversalClient
	rate     *redis_rate.Limiter
	newID    func(prefix string) string
	meter    RateMeter
	patience time.Duration
}

// RateMeter counts what workers are told.
type RateMeter interface{ RateAsked(RateOutcome) }

// NewLimiter returns a limiter over a connection that the caller closes. newID makes names that
// no other process makes.
func NewLimiter(conn redis.UniversalClient, newID func(prefix string) string, meter RateMeter) *Limiter {
	return &Limiter{redis: conn, rate: redis_rate.NewLimiter(conn), newID: newID, meter: meter, patience: limiterPatience}
}

// Acquire waits until a bot may start a request for so many messages, at most 100, and returns
// what ends the request, to be told whether it was made and with what error; calling that again does
// nothing. A request that is never ended counts for 35 seconds. How requests end decides how the bot
// goes on: see [flight].
//
// It is Throttled after a second, or at once when the rate would take longer, with a time to come
// back, and with code "kakao" when that is because of how requests ended; and Unavailable when Redis
// does not answer. In none of these cases has anything been sent. It returns the error of ctx when that
// ends first.
func (l *Limiter) Acquire(ctx context.Context, bot string, messages, perSecond, inFlight int) (end func(made bool, err error), err error) {
	giveUp := time.Now().Add(l.patience)
	// The slot comes first: tokens of the rate that were taken cannot be given back.
	f := flight{limiter: l, bot: bot, holder: l.newID("flt")}
	share, err := f.begin(ctx, inFlight, giveUp)
	if err != nil {
		l.refused(err, RateFull)
		return nil, err
	}
	if err := l.acquireRate(ctx, bot, messages, perSecond*share/100, giveUp); err != nil {
		l.refused(err, RateLater)
		f.end(ctx, false, nil)
		return nil, err
	}
	l.meter.RateAsked(RateTaken)
	var once sync.Once
	return func(made bool, err error) { once.Do(func() { f.end(ctx, made, err) }) }, nil
}

// refused counts a worker that is told to come back; throttled is what that means where Kakao has no
// part in it. One that goes away by itself was told nothing.
func (l *Limiter) refused(err error, throttled RateOutcome) {
	switch kind := fault.KindOf(err); {
	case kind == fault.Unavailable:
		l.meter.RateAsked(RateUnavailable)
	case kind == fault.Throttled && fault.CodeOf(err) == codeKakao:
		l.meter.RateAsked(RateStands)
	case kind == fault.Throttled:
		l.meter.RateAsked(throttled)
	}
}

// acquireRate takes its part of the bot's rate and waits for the moment that it stands for. Tokens
// may be taken as long ahead as the caller waits, so workers are served in the order in which they
// came, and one that would wait longer learns it at once. What was taken and is not used, because
// ctx ends, is lost to the rate.
func (l *Limiter) acquireRate(ctx context.Context, bot string, messages, perSecond int, giveUp time.Time) error {
	perSecond = max(perSecond, 1)
	ahead := int(float64(perSecond) * max(time.Until(giveUp), 0).Seconds())
	limit := redis_rate.Limit{Rate: perSecond, Period: time.Second, Burst: max(perSecond, minBurst) + ahead}
	result, err := answered(ctx, func(ctx context.Context) (*redis_rate.Result, error) {
		return l.rate.AllowN(ctx, "malgil:{"+bot+"}", limit, messages)
	})
	switch {
	case err != nil:
		return err
	case result.Allowed < messages:
		// A little early: the last moment is waited for here, since who comes late leaves the rate unused.
		return later(result.RetryAfter + l.patience/2)
	}
	return pause(ctx, time.Duration(max(ahead-result.Remaining, 0))*time.Second/time.Duration(perSecond))
}

// answered asks Redis something with a time limit of its own.
func answered[T any](ctx context.Context, ask func(context.Context) (T, error)) (T, error) {
	limited, cancel := context.WithTimeout(ctx, redisPatience)
	defer cancel()
	answer, err := ask(limited)
	switch {
	case err == nil:
		return answer, nil
	case ctx.Err() != nil:
		return answer, ctx.Err()
	}
	return answer, fault.Wrap(fault.Unavailable, err, "Redis does not say whether the bot may send")
}

// later is why a bot does not send now, and when to come back.
func later(comeBack time.Duration) error {
	return &fault.Error{Kind: fault.Throttled, Message: "the bot sends as much as it may; later", RetryAfter: comeBack}
}

// pause waits, or returns the error of ctx when that ends first.
func pause(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}
