package acceptance_test

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/malgil/malgil/internal/demo"
	"github.com/malgil/malgil/internal/testserver"
	"github.com/malgil/malgil/tasks"
)

// utterance is what the sandbox, as Kakao, says of one call of the skill URL.
type utterance struct {
	Status      int             `json:"status"`
	LatencyMS   float64         `json:"latency_ms"`
	Shown       bool            `json:"shown"`
	Problem     string          `json:"problem"`
	TimedOut    bool            `json:"timed_out"`
	UseCallback bool            `json:"use_callback"`
	Answer      json.RawMessage `json:"answer"`
	Callback    struct {
		Token string `json:"token"`
	} `json:"callback"`
}

// said plays a person who says something to a bot.
func (h *house) said(skillURL, bot, person string, callback bool) (u utterance, err error) {
	err = h.sandbox.Call(h.t.Context(), "POST", "/sandbox/utterances", map[string]any{
		"skill_url": skillURL, "bot": bot, "user": person, "utterance": "제 책 어디쯤 왔나요?", "callback": callback,
	}, &u)
	return u, err
}

// say is said for the test's own goroutine.
func (h *house) say(skillURL, bot, person string, callback bool) utterance {
	h.t.Helper()
	u, err := h.said(skillURL, bot, person, callback)
	if err != nil {
		h.t.Fatalf("%s asks %s: %v", person, skillURL, err)
	}
	return u
}

// check fails the test when Kakao would not show an answer, or wait for it.
func (u utterance) check(t testing.TB, who string) {
	t.Helper()
	if u.Status != 200 || !u.Shown || u.TimedOut || u.LatencyMS > 4500 {
		t.Errorf("%s: answered %d in %.0f ms, shown %v %s: %s", who, u.Status, u.LatencyMS, u.Shown, u.Problem, u.Answer)
	}
}

// TestSkill_whateverRedisDoes asks the skill URL, as many people at once, while Redis is away.
// Kakao gets a valid answer within 4.5 s from each, and all is as before when Redis is back.
func TestSkill_whateverRedisDoes(t *testing.T) {
	town := settle(t, 1)
	books, _, err := town.world.Seed(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	town.callsBack(books)
	tests := map[string]struct {
		leave, comeBack func(*testserver.RedisServer)
	}{
		"stopped": {(*testserver.RedisServer).Stop, (*testserver.RedisServer).Restart},
		"frozen":  {(*testserver.RedisServer).Freeze, (*testserver.RedisServer).Thaw},
	}
	for name, tt := range tests {
		t.Run(name+" before", func(t *testing.T) {
			town := town.in(t)
			tt.leave(town.redis)
			town.checkAll(town.askAll(books, 6))
			tt.comeBack(town.redis)
			town.callsBack(books)
		})
		t.Run(name+" while workers have the questions", func(t *testing.T) {
			town := town.in(t)
			answers := town.askAll(books, 6)
			town.underWay()
			tt.leave(town.redis)
			town.checkAll(answers)
			tt.comeBack(town.redis)
			town.callsBack(books)
		})
		t.Run(name+" after a promise", func(t *testing.T) {
			town := town.in(t)
			promised := town.say(books.SlowURL(), books.Bot, t.Name(), true)
			if promised.check(t, "the promise"); !promised.UseCallback {
				t.Fatalf("a slow block is answered %s, want a promise", promised.Answer)
			}
			tt.leave(town.redis) // the worker has half a second to go
			meanwhile := town.say(books.SlowURL(), books.Bot, t.Name()+" meanwhile", false)
			meanwhile.check(t, "meanwhile")
			tt.comeBack(town.redis)
			if !town.calledBack(promised) {
				t.Error("the promised callback did not come after Redis had come back")
			}
		})
	}
}

// in returns the town for a subtest.
func (town *town) in(t *testing.T) *town {
	inside, h := *town, *town.house
	h.t, inside.house = t, &h
	return &inside
}

// askAll lets so many people of each kind ask at once: at a block that answers at once and at one
// that takes two seconds, with and without a callback. It returns what waits for the answers.
func (town *town) askAll(shop demo.Shop, people int) func() map[string][]utterance {
	var mu sync.Mutex
	var asking sync.WaitGroup
	answers := map[string][]utterance{}
	for block, address := range map[string]string{"at once": shop.SkillURL, "slowly": shop.SlowURL()} {
		for _, callback := range []bool{false, true} {
			for i := range people {
				asking.Go(func() {
					who := fmt.Sprintf("block that answers %s, callback %v", block, callback)
					u, err := town.said(address, shop.Bot, fmt.Sprintf("%s %d", who, i), callback)
					if err != nil {
						u.Problem = err.Error()
					}
					mu.Lock()
					defer mu.Unlock()
					answers[who] = append(answers[who], u)
				})
			}
		}
	}
	return func() map[string][]utterance {
		asking.Wait()
		return answers
	}
}

// checkAll waits for answers and checks each.
func (town *town) checkAll(answers func() map[string][]utterance) {
	town.t.Helper()
	for who, said := range answers() {
		for _, u := range said {
			u.check(town.t, who)
		}
	}
}

// underWay returns when a worker has a question in hand.
func (town *town) underWay() {
	town.t.Helper()
	client := redis.NewClient(&redis.Options{Addr: town.redis.Addr()})
	defer client.Close()
	town.until("a worker has a question in hand", func() (bool, any) {
		n, err := client.LLen(town.t.Context(), "asynq:{"+tasks.QueueReply+"}:active").Result()
		if err != nil {
			town.t.Fatal(err)
		}
		return n > 0, n
	})
}

// callsBack waits until a slow block is promised and delivered by a worker.
func (town *town) callsBack(shop demo.Shop) {
	town.t.Helper()
	person := 0
	town.until("a slow block is answered by callback", func() (bool, any) {
		person++
		u := town.say(shop.SlowURL(), shop.Bot, fmt.Sprintf("%s %d", town.t.Name(), person), true)
		return u.UseCallback && town.calledBack(u), u
	})
}

// calledBack reports whether Kakao could show the callback of an utterance.
func (h *house) calledBack(u utterance) bool {
	h.t.Helper()
	var told struct {
		Shown bool `json:"shown"`
	}
	h.ask("/sandbox/truth/callbacks/"+u.Callback.Token+"?wait_seconds=15", &told)
	return told.Shown
}
