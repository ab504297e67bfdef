package skillserver

import (
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/malgil/malgil/internal/scenario"
)

// A server is left alone when half of the calls of two minutes failed, and at least five. Every call
// that began within the two minutes counts by its end, which may be 50 s later.
const (
	window      = 2 * time.Minute
	windowStep  = 10 * time.Second
	leastFailed = 5
	openFor     = 10 * time.Second
	forgetAfter = 10 * time.Minute // without a call
)

// breakerKey is a server as a side of a bot uses it: who tries out a broken block on the development channel
// does not take the server from the live one.
type breakerKey struct{ bot, side, url string }

// breakers are those of all bots. They are safe for concurrent use.
type breakers struct {
	meter Meter
	log   *slog.Logger

	mu     sync.Mutex
	all    map[breakerKey]*breaker
	looked time.Time // for those that nobody uses
}

type breaker struct {
	two  *gobreaker.TwoStepCircuitBreaker[struct{}]
	used time.Time
}

func (b *breakers) of(call scenario.BackendCall) *breaker {
	now := time.Now()
	key := breakerKey{call.BotID, call.Side, call.Server.URL}
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Sub(b.looked) >= forgetAfter {
		b.looked = now
		for key, known := range b.all {
			if now.Sub(known.used) >= forgetAfter {
				b.meter.SkillServerBreaker(word(known.two.State()), "")
				delete(b.all, key)
			}
		}
	}
	known := b.all[key]
	if known == nil {
		known = &breaker{two: b.make(call)}
		b.all[key] = known
		b.meter.SkillServerBreaker("", word(gobreaker.StateClosed))
	}
	known.used = now
	return known
}

// errFailed and errNotTheirs are what a breaker is told of.
var errFailed, errNotTheirs = errors.New("it failed"), errors.New("it is not at fault")

func (b *breakers) make(call scenario.BackendCall) *gobreaker.TwoStepCircuitBreaker[struct{}] {
	log := b.log.With("bot_id", call.BotID, "side", call.Side, "server", call.Server.Name)
	return gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Interval: window, BucketPeriod: windowStep, Timeout: openFor,
		ReadyToTrip: func(n gobreaker.Counts) bool {
			return n.TotalFailures >= leastFailed && n.TotalFailures >= n.TotalSuccesses
		},
		IsExcluded: func(err error) bool { return errors.Is(err, errNotTheirs) },
		OnStateChange: func(_ string, from, to gobreaker.State) {
			b.meter.SkillServerBreaker(word(from), word(to))
			switch to {
			case gobreaker.StateOpen:
				log.Warn("skill server is left alone: it failed again and again", "for", openFor.String())
			case gobreaker.StateClosed:
				log.Info("skill server answers again")
			}
		},
	})
}

func word(s gobreaker.State) string {
	switch s {
	case gobreaker.StateOpen:
		return "open"
	case gobreaker.StateHalfOpen:
		return "half_open"
	}
	return "closed"
}

func (b *breaker) isOpen() bool { return b.two.State() == gobreaker.StateOpen }

// allow reports whether the server may be called, and then takes what came of it.
func (b *breaker) allow() (done func(*failure), ok bool) {
	report, err := b.two.Allow()
	if err != nil {
		return nil, false
	}
	return func(f *failure) {
		switch {
		case f == nil:
			report(nil)
		case f.theirs:
			report(errFailed)
		case f.outcome == Stopped, f.outcome == Barred, f.outcome == Late:
			report(errNotTheirs)
		default: // it answers, if not well
			report(nil)
		}
	}, true
}
