package workers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/malgil/malgil/internal/bot"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/queue"
	"github.com/malgil/malgil/internal/scenario"
	"github.com/malgil/malgil/internal/skillserver"
	"github.com/malgil/malgil/internal/testserver"
	"github.com/malgil/malgil/tasks"
	"github.com/malgil/malgil/workers"
)

// twoBots are one that answers by itself and one that asks a skill server.
type twoBots struct {
	server string

	mu      sync.Mutex
	records map[string]int // "bot outcome"
	calls   map[string]int // of the skill server, by outcome
}

func (*twoBots) Head(_ context.Context, id string) (scenario.Head, error) {
	return scenario.Head{ID: id}, nil
}

func (b *twoBots) Bot(_ context.Context, id, _ string) (scenario.Bot, error) {
	fixed := scenario.Bot{ID: id, Settings: scenario.DefaultSettings}
	switch id {
	case "quick":
		fixed.Blocks = []scenario.Block{{ID: "k", Name: "폴백", Kind: scenario.Fallback, Answer: kakao.Text("네").Template}}
	case "slow":
		fixed.Blocks = []scenario.Block{{ID: "k", Name: "폴백", Kind: scenario.Fallback, Webhook: &scenario.Webhook{Server: "shop"}}}
		fixed.Servers = []scenario.Server{{Name: "shop", URL: b.server}}
	default:
		return fixed, fault.New(fault.NotFound, "there is no bot %q", id)
	}
	return fixed, nil
}

func (*twoBots) Visit(context.Context, string, string, []byte, time.Time) (scenario.Visit, error) {
	return scenario.Visit{}, nil
}
func (*twoBots) Keep(context.Context, string, string, []byte, scenario.State) error { return nil }
func (*twoBots) RecordEvidence(context.Context, scenario.Evidence) error            { return nil }
func (*twoBots) TaskWaited(string, time.Duration)                                   {}
func (*twoBots) HandoffOffered(string)                                              {}
func (*twoBots) WebhookSecret(context.Context, string) (bot.WebhookSecret, error) {
	return bot.WebhookSecret{}, nil
}
func (*twoBots) Open([]byte, string, string) ([]byte, error) { return nil, nil }
func (*twoBots) SkillServerCalls(int)                        {}
func (*twoBots) SkillServerBreaker(string, string)           {}
func (*twoBots) Answered(string, time.Duration)              {}
func (*twoBots) Callback(string, string)                     {}
func (*twoBots) Post(context.Context, string, kakao.SkillResponse) (kakao.CallbackOutcome, error) {
	return kakao.CallbackOutcome{State: kakao.CallbackDelivered}, nil
}

func (b *twoBots) SkillServerCalled(outcome string, _ time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls[outcome]++
}

func (b *twoBots) record(u scenario.Utterance) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.records[u.BotID+" "+string(u.Outcome)]++
}

// count is what was recorded of a bot.
func (b *twoBots) count(what string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.records[what]
}

// A bot whose skill server takes long, and which is asked much, has its calls under way and in line; the
// others hear at once that it is full. None of them holds a slot of the pool: another bot's answers come as ever.
func TestAnswerUtterance_slowSkillServer(t *testing.T) {
	release, held := make(chan struct{}), make(chan struct{}, 200)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		held <- struct{}{}
		<-release // longer than anybody else waits
		_, _ = io.WriteString(w, `{"version":"2.0","template":{"outputs":[{"simpleText":{"text":"늦었죠"}}]}}`)
	}))
	defer server.Close()
	b := &twoBots{server: server.URL, records: map[string]int{}, calls: map[string]int{}}
	address, err := queue.ParseAddress(testserver.Redis(t).URL())
	if err != nil {
		t.Fatal(err)
	}
	conn := address.EnqueueClient()
	client := queue.NewClient(conn)
	defer client.Close()
	quiet := slog.New(slog.DiscardHandler)
	servers := skillserver.New(skillserver.Options{
		Guard: kakao.Guard{AnyHost: true, Loopback: true}, Secrets: b, Opener: b, Meter: b, Now: time.Now, Log: quiet, Version: "test",
		Timeout: skillserver.Longest, MaxCalls: 1000, GiveBack: queue.GiveBack,
	})
	defer servers.Close()
	var ids sync.Mutex
	last := 0
	handler := workers.AnswerUtterance(workers.AnswerUtteranceOptions{
		Answers: scenario.NewService(b, b, []byte("key")).WithBackend(servers), Exchange: queue.NewExchange(conn), Callbacks: b,
		Record: b.record, Metrics: b, Now: time.Now, Log: quiet,
		NewID: func(prefix string) string { ids.Lock(); defer ids.Unlock(); last++; return fmt.Sprint(prefix, last) },
	})
	mux := asynq.NewServeMux()
	mux.Handle(tasks.TypeAnswerUtterance, handler)
	const slots = 4 // fewer than the places of the slow bot
	pools, err := queue.NewPools(address, []queue.Pool{{Queue: tasks.QueueReply, Servers: 1, Concurrency: slots, CheckInterval: 5 * time.Millisecond, Drain: 30 * time.Second}},
		queue.PoolOptions{Handlers: map[string]asynq.Handler{tasks.QueueReply: mux}, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	if err := pools.Start(); err != nil {
		t.Fatal(err)
	}
	stopped := false
	stop := func() {
		if !stopped {
			stopped = true
			if err := pools.Shutdown(context.Background()); err != nil {
				t.Errorf("Shutdown error = %v", err)
			}
		}
	}
	defer stop()
	let := sync.OnceFunc(func() { close(release) })
	defer let()

	say := func(bot string, n int) {
		for i := range n {
			said := map[string]any{"utterance": "어디쯤", "user": map[string]any{"id": fmt.Sprint("u", i)}, "callbackUrl": callbackURLOfTest}
			body, err := json.Marshal(map[string]any{"userRequest": said})
			if err != nil {
				t.Fatal(err)
			}
			now := time.Now()
			if err := client.Enqueue(t.Context(), tasks.NewAnswerUtterance(tasks.AnswerUtterance{
				ID: fmt.Sprint("utt_", bot, i), Bot: bot, Request: body, Mailbox: "m", Received: now.UnixMilli(), Deadline: now.Add(30 * time.Second).UnixMilli(),
			}, tasks.QueueReply)); err != nil {
				t.Fatal(err)
			}
		}
	}
	places := scenario.DefaultSettings.WebhookCalls
	say("slow", 200)
	say("quick", 50)
	eventually(t, "the quick bot has answered everybody", func() bool { return b.count("quick direct") == 50 })
	if got := len(held); got > places || b.count("slow direct") > 0 {
		t.Errorf("meanwhile the slow server has %d calls and has answered %d, want at most %d and none", got, b.count("slow direct"), places)
	}
	full := 200 - places - 4*places
	eventually(t, "those for whom there is no place heard it", func() bool { return b.count("slow server_failed") == full })

	let()
	stop() // which waits for what gave its slot back
	if got := b.count("slow direct"); got != 200-full || b.calls["full"] != full || b.calls["answered"] != 200-full {
		t.Errorf("the slow bot answered %d, calls %v, want %d and the others full", got, b.calls, 200-full)
	}
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("%s: not within 20 s", what)
		}
	}
}
