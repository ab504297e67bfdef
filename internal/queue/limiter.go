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
	// flightLease is how long a request counts as in flight at most: longer than the wait for the
	// rate, the claim and the request itself, so that only a dead worker's slot is given free by it.
	flightLease = 35 * time.Second
	// limiterPatience bounds how long a worker waits with a task in hand: its slot is everyone's,
	// and a bot that waits longer is to keep no other one from sending.
	limiterPatience = time.Second
	// flightPoll is the pause between tries for a slot: a request takes some hundred milliseconds.
	flightPoll    = 50 * time.Millisecond
	redisPatience = 2 * time.Second // for one command
	minBurst      = 100             // people in one request: less would never let a full one through
)

// Limiter bounds, for all workers on one Redis together, how many messages a bot sends a second
// and how many requests it has in flight. It is safe for concurrent use.
type Limiter struct {
	redis    redis.UniversalClient
	rate     *redis_rate.Limiter
	newID    func(prefix string) string
	patience time.Duration
}

// NewLimiter returns a limiter over a connection that the caller closes. newID makes names that
// no other process makes.
func NewLimiter(conn redis.UniversalClient, newID func(prefix string) string) *Limiter {
	return &Limiter{redis: conn, rate: redis_rate.NewLimiter(conn), newID: newID, patience: limiterPatience}
}

// Acquire waits until a bot may start a request for so many messages, at most 100, and returns
// what ends the request; calling that again does nothing. A request that is never ended counts
// for 35 seconds.
//
// It is Throttled after a second, or at once when the rate would take longer, with a time to come
// back; and Unavailable when Redis does not answer. In neither case has anything been sent. It returns
// the error of ctx when that ends first.
func (l *Limiter) Acquire(ctx context.Context, bot string, messages, perSecond, inFlight int) (release func(), err error) {
	giveUp := time.Now().Add(l.patience)
	// The slot comes first: tokens of the rate that were taken cannot be given back.
	holder := l.newID("flt")
	release, err = l.acquireSlot(ctx, bot, holder, inFlight, giveUp)
	if err != nil {
		return nil, err
	}
	if err := l.acquireRate(ctx, bot, messages, perSecond, giveUp); err != nil {
		release()
		return nil, err
	}
	return release, nil
}

// takeSlot is a semaphore whose holders are members of a sorted set with the end of their lease
// as score, by the clock of Redis. It returns -1 when the slot was taken, else for how many
// milliseconds the oldest request has been in flight.
var takeSlot = redis.NewScript(`
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call("ZREMRANGEBYSCORE", KEYS[1], "-inf", now)
if redis.call("ZCARD", KEYS[1]) >= tonumber(ARGV[2]) then
  local oldest = redis.call("ZRANGE", KEYS[1], 0, 0, "WITHSCORES")
  return math.max(0, now + tonumber(ARGV[3]) - tonumber(oldest[2]))
end
redis.call("ZADD", KEYS[1], now + tonumber(ARGV[3]), ARGV[1])
redis.call("PEXPIRE", KEYS[1], ARGV[3])
return -1
`)

func flightKey(bot string) string { return "malgil:flight:{" + bot + "}" }

func (l *Limiter) acquireSlot(ctx context.Context, bot, holder string, inFlight int, giveUp time.Time) (release func(), err error) {
	key, slots := flightKey(bot), max(inFlight, 1)
	for {
		oldest, err := answered(ctx, func(ctx context.Context) (int, error) {
			return takeSlot.Run(ctx, l.redis, []string{key}, holder, slots, flightLease.Milliseconds()).Int()
		})
		if err != nil {
			l.releaseSlot(ctx, key, holder) // it may have been taken all the same
			return nil, err
		}
		if oldest < 0 {
			var once sync.Once
			return func() { once.Do(func() { l.releaseSlot(ctx, key, holder) }) }, nil
		}
		if time.Now().Add(flightPoll).After(giveUp) {
			// When requests take as long as the oldest, two more slots are free by then.
			return nil, later(max(flightPoll, 2*time.Duration(oldest)*time.Millisecond/time.Duration(slots)))
		}
		if err := pause(ctx, flightPoll); err != nil {
			return nil, err
		}
	}
}

// releaseSlot gives a slot free, also while the process stops. What cannot be given free now ends
// with its lease.
func (l *Limiter) releaseSlot(ctx context.Context, key, holder string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), redisPatience)
	defer cancel()
	_ = l.redis.ZRem(ctx, key, holder).Err()
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
