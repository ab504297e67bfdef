package queue

import (
	"strconv"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/fault"
)

// ended makes a request of a bot that ends with an error.
func ended(t *testing.T, l *Limiter, bot string, err error) {
	t.Helper()
	end, refused := l.Acquire(t.Context(), bot, 1, 1000, 8)
	if refused != nil {
		t.Fatalf("Acquire(%s) error = %v", bot, refused)
	}
	end(true, err)
}

// wantStands fails unless a bot stands still for about so long because of Kakao.
func wantStands(t *testing.T, l *Limiter, bot string, want time.Duration) {
	t.Helper()
	_, err := l.Acquire(t.Context(), bot, 1, 1000, 8)
	if got := fault.RetryAfter(err); fault.KindOf(err) != fault.Throttled || fault.CodeOf(err) != "kakao" || got > want || got < want-3*time.Second {
		t.Fatalf("Acquire(%s) error = %v, code %q, come back after %v, want Throttled, kakao and %v", bot, err, fault.CodeOf(err), got, want)
	}
}

// pass makes it so much later for a bot's health.
func (r limiterRedis) pass(t *testing.T, bot string, by time.Duration) {
	t.Helper()
	for _, field := range []string{"until", "share_at"} {
		if err := r.conn.HIncrBy(t.Context(), healthKey(bot), field, -by.Milliseconds()).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

// share returns the percent of its rate that a bot has.
func (r limiterRedis) share(t *testing.T, bot string) int {
	t.Helper()
	f := flight{limiter: r.limiter("share", time.Second), bot: bot, holder: "share"}
	share, err := f.begin(t.Context(), 1_000, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	f.end(t.Context(), false, nil)
	return share
}

var (
	noAnswer = fault.New(fault.InDoubt, "no answer")
	noLine   = fault.New(fault.Unavailable, "no line")
)

// Three requests in a row without an answer stop a bot, for every worker; then one request at a time
// tries, and each that gets none doubles the pause.
func TestLimiter_silence(t *testing.T) {
	onBothRedis(t, func(t *testing.T, r limiterRedis) {
		one, two := r.limiter("one", 100*time.Millisecond), r.limiter("two", 100*time.Millisecond)
		ended(t, one, "bot", noAnswer)
		ended(t, two, "bot", noLine)
		ended(t, one, "bot", nil) // an answer: counted from the beginning
		ended(t, one, "bot", noAnswer)
		ended(t, two, "bot", fault.New(fault.Refused, "an answer too"))
		ended(t, one, "bot", noAnswer)
		ended(t, two, "bot", noLine)
		ended(t, one, "another bot", noAnswer)
		late, err := two.Acquire(t.Context(), "bot", 1, 1000, 8)
		if err != nil {
			t.Fatal(err)
		}
		ended(t, one, "bot", noAnswer)
		wantStands(t, one, "bot", 5*time.Second)
		wantStands(t, two, "bot", 5*time.Second)
		ended(t, one, "another bot", nil)
		late(true, noAnswer) // it began before: the pause stays what it is
		wantStands(t, two, "bot", 5*time.Second)

		pause := 5 * time.Second
		for range 8 {
			r.pass(t, "bot", pause)
			try, err := one.Acquire(t.Context(), "bot", 1, 1000, 8)
			if err != nil {
				t.Fatalf("Acquire after %v error = %v", pause, err)
			}
			wantThrottled(t, two, "bot", 1, 1000, 8) // one at a time
			try(true, noAnswer)
			pause = min(2*pause, 5*time.Minute)
			wantStands(t, two, "bot", pause)
		}
		r.pass(t, "bot", pause)
		ended(t, one, "bot", nil)
		for range 8 { // at once again
			acquire(t, two, "bot", 1, 1000, 8)
		}
		if ttl, err := r.conn.PTTL(t.Context(), healthKey("bot")).Result(); err != nil || ttl <= 0 || ttl > healthLives {
			t.Errorf("the bot's health is kept for %v, %v, want at most %v", ttl, err, healthLives)
		}
	})
}

// A request that was not made says nothing about Kakao.
func TestLimiter_unmade(t *testing.T) {
	onBothRedis(t, func(t *testing.T, r limiterRedis) {
		l := r.limiter("one", 100*time.Millisecond)
		for range 5 {
			end, err := l.Acquire(t.Context(), "bot", 1, 1000, 1)
			if err != nil {
				t.Fatal(err)
			}
			end(false, noAnswer)
			end(true, noAnswer) // again: it does nothing
		}
		if n, err := r.conn.Exists(t.Context(), healthKey("bot")).Result(); err != nil || n != 0 {
			t.Errorf("%d keys tell of the bot's health, %v, want none", n, err)
		}
	})
}

// A bot that is told to slow down stands still as long as it was asked to, and then goes on at half its
// rate, which grows back.
func TestLimiter_tooFast(t *testing.T) {
	onBothRedis(t, func(t *testing.T, r limiterRedis) {
		tooFast := &fault.Error{Kind: fault.Throttled, Message: "slower", RetryAfter: 20 * time.Second}
		l := r.limiter("one", 50*time.Millisecond)
		first, err := l.Acquire(t.Context(), "bot", 1, 1000, 8)
		if err != nil {
			t.Fatal(err)
		}
		second, err := l.Acquire(t.Context(), "bot", 1, 1000, 8)
		if err != nil {
			t.Fatal(err)
		}
		first(true, tooFast)
		second(true, &fault.Error{Kind: fault.Throttled, Message: "slower"}) // of the same moment
		wantStands(t, l, "bot", 20*time.Second)
		for _, tt := range []struct {
			after time.Duration
			share int
		}{{20 * time.Second, 90}, {4 * time.Second, 98}, {10 * time.Second, 100}} {
			r.pass(t, "bot", tt.after)
			if got := r.share(t, "bot"); got != tt.share {
				t.Errorf("%v later the bot has %d %% of its rate, want %d", tt.after, got, tt.share)
			}
		}
		for n, want := range []int{50, 25, 12, 6, 5, 5} {
			ended(t, l, "slow", &fault.Error{Kind: fault.Throttled, Message: "slower"})
			wantStands(t, l, "slow", throttleFor)
			r.pass(t, "slow", throttleFor)
			// Counted without what it has gained back.
			kept, err := r.conn.HGet(t.Context(), healthKey("slow"), "share").Result()
			if got, _ := strconv.Atoi(kept); err != nil || got < want || got > want+2*(n+1) {
				t.Errorf("too fast %d times it keeps %s %% of its rate, %v, want about %d", n+1, kept, err, want)
			}
		}
	})
}

// The rate itself is what is halved.
func TestLimiter_halfTheRate(t *testing.T) {
	onBothRedis(t, func(t *testing.T, r limiterRedis) {
		l := r.limiter("one", 50*time.Millisecond)
		ended(t, l, "bot", &fault.Error{Kind: fault.Throttled, Message: "slower"})
		r.pass(t, "bot", throttleFor)
		n := 0
		for ; n < 12; n++ {
			end, err := l.Acquire(t.Context(), "bot", 100, 1000, 100)
			if err != nil {
				break
			}
			end(true, nil)
		}
		if n < 4 || n > 7 {
			t.Errorf("%d requests of 100 passed at once, want about half of 1,000 messages", n)
		}
	})
}
