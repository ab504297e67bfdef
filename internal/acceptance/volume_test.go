package acceptance_test

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

func TestVolume(t *testing.T) {
	show(t, map[string]func(*testing.T){
		"49_answers_beside_a_broadcast": answersBesideABroadcast,
	})
}

// heard is what the sandbox saw of an utterance.
type heard struct {
	LatencyMS float64 `json:"latency_ms"`
	Shown     bool    `json:"shown"`
	Problem   string  `json:"problem"`
}

// A hundred thousand people are sent to, while others talk to the same bot, who are answered within Kakao's
// five seconds, and another customer sends a little, who does not wait for the end of it. Kakao takes a second
// for each request of the large one, so that it holds every worker at once and its end is far away.
func answersBesideABroadcast(t *testing.T) {
	const people = 100_000
	h := open(t, plan{})
	s, other := h.openShop(0), h.openShop(0)
	s.topUp(15 * people)
	other.topUp(10_000)
	h.do("PATCH", "/api/v1/bots/"+s.bot, map[string]any{"rate_per_second": 100_000, "in_flight": 64}, nil)
	h.fault("kakao.send", "slow", map[string]any{"count": -1, "seconds": 1, "bot": s.bot})
	b := s.orderMany(people)

	var mu sync.Mutex
	var answers []heard
	var failed []error
	var talking sync.WaitGroup
	over := make(chan struct{})
	talking.Go(func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-over:
				return
			case <-tick.C:
			}
			talking.Go(func() {
				var a heard
				err := h.sandbox.Call(t.Context(), "POST", "/sandbox/utterances", map[string]any{
					"skill_url": s.skillURL, "bot": s.bot, "user": fmt.Sprintf("visitor-%d", n%50), "utterance": hoursName, "callback": false,
				}, &a)
				mu.Lock()
				defer mu.Unlock()
				if answers = append(answers, a); err != nil {
					failed = append(failed, err)
				}
			})
		}
	})
	h.until("a tenth is accepted", func() (bool, any) { n := h.sends().Accepted; return n >= people/1000, n })
	little := other.deliver(100)
	if now := s.look(b); now.State != "running" || now.Counts.Delivered >= people {
		t.Errorf("when the other customer's people were reached the broadcast is %s with %+v, want it in the middle", now.State, now.Counts)
	}
	h.within(3*time.Minute, "everybody has an outcome", func() (bool, any) { b = s.look(b); return b.State == "finished", b.Counts })
	close(over)
	talking.Wait()

	if b.Counts.Delivered != people || b.Captured != 15*people || little.Counts.Delivered != 100 {
		t.Errorf("delivered are %+v for %d KRW, and %+v; want %d and 100", b.Counts, b.Captured, little.Counts, people)
	}
	if again := h.truth().Kakao.People.Again; again != 0 {
		t.Errorf("%d people were reached more than once", again)
	}
	for _, err := range failed {
		t.Error(err)
	}
	worst := 0.0
	for _, a := range answers {
		if worst = max(worst, a.LatencyMS); !a.Shown || a.LatencyMS > 5_000 {
			t.Errorf("an answer came after %.0f ms, shown %v: %s", a.LatencyMS, a.Shown, a.Problem)
		}
	}
	if len(answers) < 20 {
		t.Errorf("%d people talked to the bot meanwhile, want 20 and more", len(answers))
	}
	t.Logf("%d answers, the slowest after %.0f ms", len(answers), worst)
	h.balance()
}
