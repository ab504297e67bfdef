package queue

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/testserver"
)

// limiterRedis is a Redis for limiters, with a way to let time pass where there is one.
type limiterRedis struct {
	conn redis.UniversalClient
	mini *miniredis.Miniredis // nil for a real server
}

// tally counts what workers are told.
type tally struct {
	mu   sync.Mutex
	told map[RateOutcome]int
}

func (c *tally) RateAsked(o RateOutcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.told == nil {
		c.told = map[RateOutcome]int{}
	}
	c.told[o]++
}

func onBothRedis(t *testing.T, test func(t *testing.T, r limiterRedis)) {
	connect := func(t *testing.T, url string) redis.UniversalClient {
		address, err := ParseAddress(url)
		if err != nil {
			t.Fatal(err)
		}
		conn := address.ServerClient()
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	t.Run("miniredis", func(t *testing.T) {
		mini := miniredis.RunT(t)
		test(t, limiterRedis{conn: connect(t, "redis://"+mini.Addr()), mini: mini})
	})
	t.Run("redis-server", func(t *testing.T) {
		test(t, limiterRedis{conn: connect(t, testserver.Redis(t).URL())})
	})
}

// limiter returns one that names its requests apart from those of other limiters and gives up
// after patience.
func (r limiterRedis) limiter(name string, patience time.Duration) *Limiter {
	var n atomic.Int64
	l := NewLimiter(r.conn, func(prefix string) string { return fmt.Sprintf("%s_%s_%d", prefix, name, n.Add(1)) }, &tally{})
	l.patience = patience
	return l
}

func acquire(t *testing.T, l *Limiter, bot string, messages, perSecond, inFlight int) func() {
	t.Helper()
	release, err := l.Acquire(t.Context(), bot, messages, perSecond, inFlight)
	if err != nil {
		t.Fatalf("Acquire(%s, %d) error = %v", bot, messages, err)
	}
	return func() { release(true, nil) }
}

func wantThrottled(t *testing.T, l *Limiter, bot string, messages, perSecond, inFlight int) {
	t.Helper()
	release, err := l.Acquire(t.Context(), bot, messages, perSecond, inFlight)
	if fault.KindOf(err) != fault.Throttled || release != nil {
		t.Fatalf("Acquire(%s, %d) error = %v, want Throttled", bot, messages, err)
	}
}

func TestLimiter_requestsInFlight(t *testing.T) {
	onBothRedis(t, func(t *testing.T, r limiterRedis) {
		one, two := r.limiter("one", 200*time.Millisecond), r.limiter("two", 200*time.Millisecond)
		first := acquire(t, one, "bot", 1, 1000, 2)
		acquire(t, two, "bot", 1, 1000, 2)
		wantThrottled(t, one, "bot", 1, 1000, 2)
		wantThrottled(t, two, "bot", 1, 1000, 2)
		acquire(t, one, "another bot", 1, 1000, 1)
		first()
		acquire(t, two, "bot", 1, 1000, 2)
		first() // again: it does not end somebody else's request
		wantThrottled(t, one, "bot", 1, 1000, 2)
	})
}

func TestLimiter_tellsWhatItSays(t *testing.T) {
	onBothRedis(t, func(t *testing.T, r limiterRedis) {
		var said tally
		l := r.limiter("one", 100*time.Millisecond)
		l.meter = &said
		first := acquire(t, l, "bot", 1, 1000, 1)
		wantThrottled(t, l, "bot", 1, 1000, 1) // one is in flight
		first()
		acquire(t, l, "slow", 100, 1, 8)
		wantThrottled(t, l, "slow", 100, 1, 8) // its rate is used up
		end, err := l.Acquire(t.Context(), "told", 1, 1000, 1)
		if err != nil {
			t.Fatal(err)
		}
		end(true, &fault.Error{Kind: fault.Throttled, RetryAfter: time.Minute})
		wantThrottled(t, l, "told", 1, 1000, 1) // Kakao asks to wait
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := l.Acquire(gone, "bot", 1, 1000, 1); !errors.Is(err, context.Canceled) {
			t.Fatalf("Acquire() of one who is gone error = %v", err)
		}
		if err := r.conn.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Acquire(t.Context(), "bot", 1, 1000, 1); fault.KindOf(err) != fault.Unavailable {
			t.Fatalf("Acquire() without Redis error = %v", err)
		}
		want := map[RateOutcome]int{RateTaken: 3, RateFull: 1, RateLater: 1, RateStands: 1, RateUnavailable: 1}
		if !maps.Equal(said.told, want) {
			t.Errorf("workers were told %v, want %v", said.told, want)
		}
	})
}

// A worker that waits gets the slot as soon as it is free.
func TestLimiter_waitsForASlot(t *testing.T) {
	onBothRedis(t, func(t *testing.T, r limiterRedis) {
		l := r.limiter("one", 10*time.Second)
		release := acquire(t, l, "bot", 1, 1000, 1)
		got := make(chan error, 1)
		go func() {
			next, err := l.Acquire(t.Context(), "bot", 1, 1000, 1)
			if err == nil {
				next(true, nil)
			}
			got <- err
		}()
		select {
		case err := <-got:
			t.Fatalf("Acquire of a taken slot = %v, want it to wait", err)
		case <-time.After(3 * flightPoll):
		}
		release()
		if err := <-got; err != nil {
			t.Errorf("Acquire after release error = %v", err)
		}
	})
}

// The slot of a worker that died is free again after its lease.
func TestLimiter_leaseEnds(t *testing.T) {
	onBothRedis(t, func(t *testing.T, r limiterRedis) {
		l := r.limiter("one", 200*time.Millisecond)
		acquire(t, l, "bot", 1, 1000, 1) // never released
		wantThrottled(t, l, "bot", 1, 1000, 1)
		holders, err := r.conn.ZRangeWithScores(t.Context(), flightKey("bot"), 0, -1).Result()
		if err != nil || len(holders) != 1 {
			t.Fatalf("holders = %v, %v, want 1", holders, err)
		}
		end := time.UnixMilli(int64(holders[0].Score))
		if left := time.Until(end); left > flightLease || left < flightLease-10*time.Second {
			t.Errorf("the lease ends in %v, want about %v", left, flightLease)
		}
		if ttl, err := r.conn.PTTL(t.Context(), flightKey("bot")).Result(); err != nil || ttl <= 0 || ttl > flightLease {
			t.Errorf("the key lives %v, %v, want at most %v: a bot that is gone leaves nothing behind", ttl, err, flightLease)
		}
		// As if it had been taken one lease ago.
		if err := r.conn.ZIncrBy(t.Context(), flightKey("bot"), -float64(flightLease.Milliseconds()), holders[0].Member.(string)).Err(); err != nil {
			t.Fatal(err)
		}
		acquire(t, l, "bot", 1, 1000, 1)
	})
}

func TestLimiter_messagesPerSecond(t *testing.T) {
	onBothRedis(t, func(t *testing.T, r limiterRedis) {
		one, two := r.limiter("one", 50*time.Millisecond), r.limiter("two", 50*time.Millisecond)
		// A burst is one second's worth, shared by all limiters.
		for range 5 {
			acquire(t, one, "bot", 50, 500, 100)()
			acquire(t, two, "bot", 50, 500, 100)()
		}
		wantThrottled(t, two, "bot", 100, 500, 100)
		acquire(t, two, "another bot", 100, 500, 100)()
	})
}

// A slow bot still sends a full request at a time, and is told when to come back for the next.
func TestLimiter_slowBot(t *testing.T) {
	onBothRedis(t, func(t *testing.T, r limiterRedis) {
		l := r.limiter("one", limiterPatience)
		acquire(t, l, "bot", 100, 6, 8)()
		began := time.Now()
		_, err := l.Acquire(t.Context(), "bot", 100, 6, 8)
		if wait := fault.RetryAfter(err); fault.KindOf(err) != fault.Throttled || wait < 15*time.Second || wait > 17*time.Second {
			t.Errorf("second Acquire error = %v, come back after %v, want Throttled and about 16 s", err, wait)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("second Acquire took %v, want it to say so at once", took)
		}
		if n, err := r.conn.ZCard(t.Context(), flightKey("bot")).Result(); err != nil || n != 0 {
			t.Errorf("%d slots are taken by what was throttled, %v, want 0", n, err)
		}
	})
}

// Waiting for the rate takes as long as the rate says.
func TestLimiter_waitsForTheRate(t *testing.T) {
	onBothRedis(t, func(t *testing.T, r limiterRedis) {
		l := r.limiter("one", 10*time.Second)
		start := time.Now()
		for range 14 {
			acquire(t, l, "bot", 100, 1000, 8)()
		}
		if took := time.Since(start); took < 380*time.Millisecond {
			t.Errorf("1,400 messages at 1,000 a second with a burst of 1,000 took %v, want about 400 ms at least", took)
		}
	})
}

// Whoever came first goes first, and nobody waits in vain: one for whom the rate has no room
// within the patience is told at once.
func TestLimiter_ratePerPatience(t *testing.T) {
	onBothRedis(t, func(t *testing.T, r limiterRedis) {
		const patience = 2 * time.Second
		l := r.limiter("one", patience)
		acquire(t, l, "bot", 100, 100, 100)() // the burst
		type answer struct {
			took time.Duration
			err  error
		}
		answers := make(chan answer, 6)
		began := time.Now()
		for range cap(answers) {
			go func() {
				release, err := l.Acquire(t.Context(), "bot", 50, 100, 100)
				if err == nil {
					release(true, nil)
				}
				answers <- answer{time.Since(began), err}
			}()
		}
		var passed []time.Duration
		for range cap(answers) {
			switch a := <-answers; {
			case a.err == nil:
				passed = append(passed, a.took)
			case fault.KindOf(a.err) != fault.Throttled || len(passed) > 0:
				t.Errorf("Acquire error = %v after %v and %d that passed, want Throttled before any passes", a.err, a.took, len(passed))
			}
		}
		if len(passed) < 3 || len(passed) > 4 {
			t.Fatalf("%d of 6 requests of half a second's messages passed within %v, want 3 or 4", len(passed), patience)
		}
		for i, took := range passed {
			if want := time.Duration(i+1) * 500 * time.Millisecond; took < want-200*time.Millisecond {
				t.Errorf("request %d went after %v, want %v: the rate is 100 a second", i+1, took, want)
			}
		}
	})
}

// Who waits for a slot in vain is told to come back when the requests that are open tell.
func TestLimiter_slotComeBack(t *testing.T) {
	onBothRedis(t, func(t *testing.T, r limiterRedis) {
		l := r.limiter("one", 100*time.Millisecond)
		for range 4 {
			acquire(t, l, "bot", 1, 1000, 4)
		}
		oldest, err := r.conn.ZRange(t.Context(), flightKey("bot"), 0, 0).Result()
		if err != nil {
			t.Fatal(err)
		}
		if err := r.conn.ZIncrBy(t.Context(), flightKey("bot"), -8000, oldest[0]).Err(); err != nil { // open for 8 s
			t.Fatal(err)
		}
		_, err = l.Acquire(t.Context(), "bot", 1, 1000, 4)
		if wait := fault.RetryAfter(err); fault.KindOf(err) != fault.Throttled || wait < 4*time.Second || wait > 6*time.Second {
			t.Errorf("Acquire error = %v, come back after %v, want Throttled and about 4 s", err, wait)
		}
	})
}

func TestLimiter_contextEnds(t *testing.T) {
	onBothRedis(t, func(t *testing.T, r limiterRedis) {
		l := r.limiter("one", 10*time.Second)
		acquire(t, l, "bot", 1, 1000, 1)
		ctx, cancel := context.WithCancel(t.Context())
		got := make(chan error, 1)
		go func() {
			_, err := l.Acquire(ctx, "bot", 1, 1000, 1)
			got <- err
		}()
		cancel()
		if err := <-got; !errors.Is(err, context.Canceled) {
			t.Errorf("Acquire error = %v, want %v", err, context.Canceled)
		}
	})
}

func TestLimiter_withoutRedis(t *testing.T) {
	mini := miniredis.RunT(t)
	conn := redis.NewClient(&redis.Options{Addr: mini.Addr(), MaxRetries: -1})
	t.Cleanup(func() { _ = conn.Close() })
	l := limiterRedis{conn: conn}.limiter("one", time.Second)
	mini.Close()
	if _, err := l.Acquire(t.Context(), "bot", 1, 1000, 1); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("Acquire without Redis error = %v, want Unavailable", err)
	}
}
