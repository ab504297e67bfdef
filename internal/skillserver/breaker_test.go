package skillserver

import (
	"log/slog"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/scenario"
)

// states counts breakers by state.
type states map[string]int

func (s states) SkillServerBreaker(from, to string)    { s[from]--; s[to]++ }
func (states) SkillServerCalled(string, time.Duration) {}
func (states) SkillServerCalls(int)                    {}
func (s states) want(t *testing.T, closed, half, open int) {
	t.Helper()
	got := maps.Clone(s)
	delete(got, "")
	if got["closed"] != closed || got["half_open"] != half || got["open"] != open {
		t.Errorf("breakers = %v, want %d closed, %d half open, %d open", got, closed, half, open)
	}
}

func newBreakers() (*breakers, states) {
	s := states{}
	return &breakers{all: map[breakerKey]*breaker{}, meter: s, log: slog.New(slog.DiscardHandler)}, s
}

var (
	down    = &failure{Unreachable, true, fault.New(fault.Unavailable, "down")}
	wrong   = &failure{Invalid, false, fault.New(fault.Unavailable, "wrong")}
	aborted = &failure{Stopped, false, fault.New(fault.Unavailable, "stopped")}
)

func serverCall(bot, url string) scenario.BackendCall {
	return scenario.BackendCall{BotID: bot, Server: scenario.Server{Name: "shop", URL: url}}
}

func end(t *testing.T, b *breakers, call scenario.BackendCall, of ...*failure) {
	t.Helper()
	for _, f := range of {
		done, ok := b.of(call).allow()
		if !ok {
			t.Fatal("a call is not let through")
		}
		done(f)
	}
}

func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, states := newBreakers()
		shop, other, test := serverCall("b1", "https://a.example"), serverCall("b2", "https://a.example"), serverCall("b1", "https://test.example")
		end(t, b, other, nil)
		end(t, b, test, nil)
		end(t, b, shop, nil, nil, nil, nil, nil, wrong, wrong, aborted, down, down, down, down)
		if b.of(shop).isOpen() {
			t.Error("open after 4 failures")
		}
		end(t, b, shop, down, down)
		states.want(t, 3, 0, 0) // 6 of 13 failed: less than half
		end(t, b, shop, down)
		if !b.of(shop).isOpen() {
			t.Fatal("not open after half of the calls failed")
		}
		states.want(t, 2, 0, 1)
		if _, ok := b.of(shop).allow(); ok {
			t.Error("an open breaker lets a call through")
		}
		if b.of(other).isOpen() || b.of(test).isOpen() {
			t.Error("another bot, or another server of the bot, is left alone too")
		}

		time.Sleep(openFor + time.Millisecond)
		probe, ok := b.of(shop).allow()
		if _, second := b.of(shop).allow(); !ok || second {
			t.Errorf("after %s the first call goes through: %v, the second: %v, want one", openFor, ok, second)
		}
		states.want(t, 2, 1, 0)
		probe(aborted) // says nothing of the server
		end(t, b, shop, down)
		states.want(t, 2, 0, 1)

		time.Sleep(openFor + time.Millisecond)
		end(t, b, shop, wrong) // it answers
		states.want(t, 3, 0, 0)
	})
}

// Calls that take 50 s each count as long as they began within the window, and old ones are forgotten.
func TestBreaker_slowAndOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := newBreakers()
		shop := serverCall("b1", "https://a.example")
		var ends []func(*failure)
		for range leastFailed {
			done, _ := b.of(shop).allow()
			ends = append(ends, done)
			time.Sleep(windowStep)
		}
		for _, done := range ends {
			time.Sleep(windowStep)
			done(down)
		}
		if !b.of(shop).isOpen() {
			t.Error("five calls that failed after 50 s do not open it")
		}

		old := serverCall("b2", "https://a.example")
		for range 3 * leastFailed { // one failure a minute is no failing server
			end(t, b, old, down)
			time.Sleep(time.Minute)
		}
		if b.of(old).isOpen() {
			t.Error("rare failures open it")
		}
	})
}

// Who tries out a broken block on the development channel does not take the server from the live one.
func TestBreakers_eachSide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, states := newBreakers()
		live := serverCall("b1", "https://a.example")
		live.Side = scenario.Live
		development := live
		development.Side = scenario.Development
		end(t, b, development, down, down, down, down, down)
		if !b.of(development).isOpen() || b.of(live).isOpen() {
			t.Errorf("open on the development side: %v, on the live side: %v, want true and false", b.of(development).isOpen(), b.of(live).isOpen())
		}
		states.want(t, 1, 0, 1)
	})
}

func TestBreakers_forgetsTheUnused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, states := newBreakers()
		for _, id := range []string{"b1", "b2", "b3"} {
			end(t, b, serverCall(id, "https://a.example"), nil)
		}
		time.Sleep(forgetAfter)
		end(t, b, serverCall("b3", "https://a.example"), nil)
		if len(b.all) > 1 {
			t.Errorf("%d breakers are kept, want the one that is used", len(b.all))
		}
		states.want(t, 1, 0, 0)
	})
}
