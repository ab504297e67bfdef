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
	// flightLease is how long a request counts as in flight at most: longer than its claim and the
	// request itself, so that only a dead worker's slot is given free by it. It counts from the end
	// of the wait for the rate.
	flightLease = 30 * time.Second
	// limiterPatience bounds how long a worker waits with a task in hand.
	limiterPatience = 20 * time.Second
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
// for 30 seconds.
//
// It is Throttled after 20 seconds, with a time to come back where that is known, and
// Unavailable when Redis does not answer; in neither case has anything been sent. It returns the
// error of ctx when that ends first.
func (l *Limiter) Acquire(ctx context.Context, bot string, messages, perSecond, inFlight int) (release func(), err error) {
	giveUp := time.Now().Add(l.patience)
	// The slot comes first: tokens of the rate that were taken cannot be given back.
	holder := l.newID("flt")
	release, err = l.acquireSlot(ctx, bot, holder, inFlight, giveUp)
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	if err := l.acquireRate(ctx, bot, messages, perSecond, giveUp); err != nil {
		release()
		return nil, err
	}
	if time.Since(begun) > time.Second {
		l.renewSlot(ctx, bot, holder)
	}
	return release, nil
}

// takeSlot is a semaphore whose holders are members of a sorted set with the end of their lease
// as score, by the clock of Redis. It returns 1 when the slot was taken, or taken anew by its
// holder.
var takeSlot = redis.NewScript(`
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call("ZREMRANGEBYSCORE", KEYS[1], "-inf", now)
if not redis.call("ZSCORE", KEYS[1], ARGV[1]) and redis.call("ZCARD", KEYS[1]) >= tonumber(ARGV[2]) then
  return 0
end
redis.call("ZADD", KEYS[1], now + tonumber(ARGV[3]), ARGV[1])
redis.call("PEXPIRE", KEYS[1], ARGV[3])
return 1
`)

func flightKey(bot string) string { return "malgil:flight:{" + bot + "}" }

func (l *Limiter) acquireSlot(ctx context.Context, bot, holder string, inFlight int, giveUp time.Time) (release func(), err error) {
	key := flightKey(bot)
	for {
		taken, err := answered(ctx, func(ctx context.Context) (int, error) {
			return takeSlot.Run(ctx, l.redis, []string{key}, holder, max(inFlight, 1), flightLease.Milliseconds()).Int()
		})
		if err != nil {
			l.releaseSlot(ctx, key, holder) // it may have been taken all the same
			return nil, err
		}
		if taken == 1 {
			var once sync.Once
			return func() { once.Do(func() { l.releaseSlot(ctx, key, holder) }) }, nil
		}
		if err := pause(ctx, flightPoll, giveUp); err != nil {
			return nil, err
		}
	}
}

// renewSlot begins the lease of a slot anew. Without an answer it ends a little early, and one
// request too many may start.
func (l *Limiter) renewSlot(ctx context.Context, bot, holder string) {
	_, _ = answered(ctx, func(ctx context.Context) (int, error) {
		return takeSlot.Run(ctx, l.redis, []string{flightKey(bot)}, holder, 1, flightLease.Milliseconds()).Int()
	})
}

// releaseSlot gives a slot free, also while the process stops. What cannot be given free now ends
// with its lease.
func (l *Limiter) releaseSlot(ctx context.Context, key, holder string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), redisPatience)
	defer cancel()
	_ = l.redis.ZRem(ctx, key, holder).Err()
}

func (l *Limiter) acquireRate(ctx context.Context, bot string, messages, perSecond int, giveUp time.Time) error {
	perSecond = max(perSecond, 1)
	limit := redis_rate.Limit{Rate: perSecond, Period: time.Second, Burst: max(perSecond, minBurst)}
	for {
		result, err := answered(ctx, func(ctx context.Context) (*redis_rate.Result, error) {
			return l.rate.AllowN(ctx, "malgil:{"+bot+"}", limit, messages)
		})
		if err != nil {
			return err
		}
		if result.Allowed >= messages {
			return nil
		}
		if err := pause(ctx, result.RetryAfter, giveUp); err != nil {
			return err
		}
	}
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

// pause waits, or tells at once that the wait would be too long.
func pause(ctx context.Context, wait time.Duration, giveUp time.Time) error {
	if time.Now().Add(wait).After(giveUp) {
		return &fault.Error{Kind: fault.Throttled, Message: "the bot sends as much as it may; later", RetryAfter: wait}
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
