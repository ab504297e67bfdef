package intake_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/bot"
	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/queue"
	"github.com/malgil/malgil/internal/scenario"
	"github.com/malgil/malgil/internal/skillserver"
)

// unsigned is a bot without a secret and without anybody who counts.
type unsigned struct{}

func (unsigned) WebhookSecret(context.Context, string) (bot.WebhookSecret, error) {
	return bot.WebhookSecret{}, nil
}
func (unsigned) Open([]byte, string, string) ([]byte, error) { return nil, nil }
func (unsigned) SkillServerCalled(string, time.Duration)     {}
func (unsigned) SkillServerCalls(int)                        {}
func (unsigned) SkillServerBreaker(string, string)           {}

const busyText = "지금은 주문을 볼 수 없어요."

// asksServer makes the bot of a house answer everything that it does not know by a server.
func (h *house) asksServer(url string) {
	h.desk.mu.Lock()
	defer h.desk.mu.Unlock()
	h.desk.bot.Settings = scenario.DefaultSettings
	h.desk.bot.Servers = []scenario.Server{{Name: "shop", URL: url}}
	h.desk.bot.Blocks = append(h.desk.bot.Blocks, scenario.Block{
		ID: "orders", Name: "주문", Kind: scenario.Normal, Callback: true, Webhook: &scenario.Webhook{Server: "shop", Fallback: says(busyText)},
	})
}

// A server that takes 0.1, 2, 4, 20 and 60 s, where an utterance waits 4 s, or 1.5 s with a callback, and a server has 50 s:
// here all but the rest of a second in which a server is given up are shorter, and stand to each other as those do.
func TestSkill_server(t *testing.T) {
	const (
		reply, callback, longest = 2 * time.Second, 700 * time.Millisecond, 4 * time.Second
		answer                   = "출발했어요."
	)
	tests := map[string]struct {
		takes    time.Duration
		callback bool
		direct   string // "" for a promise
		later    string
		outcome  scenario.Outcome
	}{
		"0.1 s":                  {50 * time.Millisecond, false, answer, "", scenario.Direct},
		"2 s":                    {time.Second, false, answer, "", scenario.Direct},
		"4 s":                    {2 * time.Second, false, busyText, "", scenario.ServerFailed},
		"20 s":                   {3 * time.Second, false, busyText, "", scenario.ServerFailed},
		"60 s":                   {6 * time.Second, false, busyText, "", scenario.ServerFailed},
		"0.1 s with a callback":  {50 * time.Millisecond, true, answer, "", scenario.Direct},
		"2 s with a callback":    {time.Second, true, "", answer, scenario.Callback},
		"4 s with a callback":    {2 * time.Second, true, "", answer, scenario.Callback},
		"20 s with a callback":   {3 * time.Second, true, "", answer, scenario.Callback},
		"60 s with a callback":   {6 * time.Second, true, "", busyText, scenario.ServerFailed},
		"broken":                 {-1, false, busyText, "", scenario.ServerFailed},
		"broken with a callback": {-1, true, busyText, "", scenario.ServerFailed},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked sync.WaitGroup
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				defer asked.Done()
				if body, _ := io.ReadAll(r.Body); strings.Contains(string(body), "callbackUrl") || r.Header.Get(skillserver.HeaderUtterance) == "" {
					t.Errorf("the server is posted %s with %v, want no callbackUrl and the utterance's id", body, r.Header)
				}
				if tt.takes < 0 {
					http.Error(w, "broken", http.StatusInternalServerError)
					return
				}
				timer := time.NewTimer(tt.takes)
				defer timer.Stop()
				select {
				case <-timer.C:
					_, _ = fmt.Fprintf(w, `{"version":"2.0","template":{"outputs":[{"simpleText":{"text":%q}}]}}`, answer)
				case <-r.Context().Done(): // given up
				}
			}))
			t.Cleanup(server.Close)
			servers := skillserver.New(skillserver.Options{
				Guard: kakao.Guard{AnyHost: true, Loopback: true}, Secrets: unsigned{}, Opener: unsigned{}, Meter: unsigned{}, Now: time.Now,
				Log: slog.New(slog.DiscardHandler), Version: "test", Timeout: longest, MaxCalls: 100, GiveBack: queue.GiveBack,
			})
			t.Cleanup(servers.Close)
			h := newHouse(t, setup{reply: reply, callback: callback, workers: true, backend: servers})
			h.asksServer(server.URL)
			path := ""
			if tt.callback {
				path = "/callback/t1"
			}
			got, took := h.ask(h.payload("주문", path, nil))
			if tt.direct != "" {
				h.wantText("at once", got, tt.direct)
			} else if !got.UseCallback {
				t.Errorf("at once: %+v, want to wait for the callback", got)
			}
			if most := reply + time.Second; took > most {
				t.Errorf("answered after %v, want within %v", took, most)
			}
			if tt.later != "" {
				h.wantText("the callback", within(t, "the callback comes", h.callbacks).answer, tt.later)
			}
			h.wantRecord(tt.outcome, "orders")
			asked.Wait()
			if len(h.callbacks) > 0 {
				t.Error("a callback came that nobody was told of")
			}
		})
	}
}

// raced is a backend that answers about when the intake gives up waiting.
type raced struct{ after func() time.Duration }

func (b raced) Call(ctx context.Context, _ scenario.BackendCall) (kakao.SkillResponse, error) {
	queue.GiveBack(ctx)
	timer := time.NewTimer(b.after())
	defer timer.Stop()
	select {
	case <-timer.C:
		return kakao.Text("출발했어요."), nil
	case <-ctx.Done():
		return kakao.SkillResponse{}, ctx.Err()
	}
}

// A thousand answers come as the intake gives up waiting for them. Each user gets one: at once, or by the callback that was promised.
func TestSkill_serverRaces(t *testing.T) {
	t.Parallel()
	const races, atOnce, budget = 1000, 25, 200 * time.Millisecond
	h := newHouse(t, setup{reply: 4 * time.Second, callback: budget, workers: true, backend: raced{func() time.Duration {
		return budget - 40*time.Millisecond + rand.N(60*time.Millisecond)
	}}})
	h.asksServer("https://nobody.example")
	h.callbacks = make(chan callback, races)
	h.desk.recorded = make(chan scenario.Utterance, 2*races)
	var mu sync.Mutex
	promised, direct := map[string]bool{}, 0
	var all sync.WaitGroup
	places := make(chan struct{}, atOnce)
	for i := range races {
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			path := fmt.Sprintf("/callback/race%d", i)
			answer, _ := h.ask(h.payload("주문", path, nil))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case answer.UseCallback:
				promised[path] = true
			case answer.Template.Outputs[0].SimpleText.Text == "출발했어요.":
				direct++
			default:
				t.Errorf("%s: %+v, want the answer or a promise", path, answer)
			}
		})
	}
	all.Wait()
	t.Logf("of %d races the worker won %d and the intake %d", races, direct, len(promised))
	for range len(promised) {
		got := within(t, "a promised callback comes", h.callbacks)
		if !promised[got.path] {
			t.Errorf("%s: a callback that was not promised, or a second one", got.path)
		}
		delete(promised, got.path)
		h.wantText(got.path, got.answer, "출발했어요.")
	}
	for i := range races {
		if u := within(t, fmt.Sprintf("utterance %d of %d is recorded", i+1, races), h.desk.recorded); u.Outcome != scenario.Direct && u.Outcome != scenario.Callback {
			t.Errorf("recorded as %s, want direct or callback", u.Outcome)
		}
	}
	if len(h.callbacks) > 0 || len(h.desk.recorded) > 0 {
		t.Errorf("%d callbacks and %d records more than utterances", len(h.callbacks), len(h.desk.recorded))
	}
}
