package workers_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/queue"
	"github.com/malgil/malgil/internal/scenario"
	"github.com/malgil/malgil/internal/testserver"
	"github.com/malgil/malgil/tasks"
	"github.com/malgil/malgil/workers"
)

// utteranceWorld is what the handler works with: a real Redis, and a scenario and a Kakao that
// do what a test says.
type utteranceWorld struct {
	t        *testing.T
	redis    *testserver.RedisServer
	exchange *queue.Exchange
	handler  asynq.Handler

	answer func(ctx context.Context) (scenario.Reply, error)
	post   func(answer kakao.SkillResponse) (kakao.CallbackOutcome, error)

	mu       sync.Mutex
	answered int
	posted   []kakao.SkillResponse
	records  []scenario.Utterance
	evidence int
	counts   map[string]int
	runs     int
}

func (w *utteranceWorld) Answer(ctx context.Context, _ scenario.Question) (scenario.Reply, error) {
	w.mu.Lock()
	w.answered++
	w.mu.Unlock()
	return w.answer(ctx)
}

func (w *utteranceWorld) Witness(_ context.Context, q scenario.Question) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if q.ChunkID() != "" {
		w.evidence++
	}
	return nil
}

func (w *utteranceWorld) Utterance(q scenario.Question, reply scenario.Reply, outcome scenario.Outcome, left time.Duration) scenario.Utterance {
	return scenario.Utterance{ID: q.ID, BlockID: reply.BlockID, Outcome: outcome, BudgetLeft: left}
}

func (w *utteranceWorld) Post(_ context.Context, callbackURL string, answer kakao.SkillResponse) (kakao.CallbackOutcome, error) {
	w.mu.Lock()
	w.posted = append(w.posted, answer)
	w.mu.Unlock()
	if callbackURL != callbackURLOfTest {
		w.t.Errorf("the callback goes to %q, want %q", callbackURL, callbackURLOfTest)
	}
	return w.post(answer)
}

func (w *utteranceWorld) Answered(outcome string, _ time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts[outcome]++
}

func (w *utteranceWorld) TaskWaited(queue string, waited time.Duration) {
	w.Answered("waited in "+queue, waited)
}

func (w *utteranceWorld) HandoffOffered(spot string) { w.Answered("handoff:"+spot, 0) }

func (w *utteranceWorld) Callback(state, reason string) { w.Answered("callback:"+state+":"+reason, 0) }

const callbackURLOfTest = "https://bot-api.kakao.com/callback/t1"

func newUtteranceWorld(t *testing.T) *utteranceWorld {
	t.Helper()
	w := &utteranceWorld{t: t, redis: testserver.Redis(t), counts: map[string]int{}}
	address, err := queue.ParseAddress(w.redis.URL())
	if err != nil {
		t.Fatal(err)
	}
	conn := address.EnqueueClient()
	t.Cleanup(func() { _ = conn.Close() })
	w.exchange = queue.NewExchange(conn)
	w.answer = func(context.Context) (scenario.Reply, error) {
		return scenario.Reply{Response: kakao.Text("네"), BlockID: "k1"}, nil
	}
	w.post = func(kakao.SkillResponse) (kakao.CallbackOutcome, error) {
		return kakao.CallbackOutcome{State: kakao.CallbackDelivered}, nil
	}
	w.handler = workers.AnswerUtterance(workers.AnswerUtteranceOptions{
		Answers: w, Exchange: w.exchange, Callbacks: w, Metrics: w, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Record: func(u scenario.Utterance) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.records = append(w.records, u)
		},
		NewID: func(prefix string) string {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.runs++
			return prefix + strings.Repeat("i", w.runs)
		},
	})
	return w
}

// call is a task whose intake stops waiting after the budget, counted from now; a negative one
// has stopped already.
func call(budget time.Duration, callback bool) tasks.AnswerUtterance {
	said := map[string]any{"utterance": "배송 조회", "user": map[string]any{"id": "u1"}, "params": map[string]any{"malgil_chunk": "brd_1-000001"}}
	if callback {
		said["callbackUrl"] = callbackURLOfTest
	}
	body, err := json.Marshal(map[string]any{"userRequest": said})
	if err != nil {
		panic(err)
	}
	deadline := time.Now().Add(budget)
	return tasks.AnswerUtterance{
		ID: "utt_1", Bot: "b1", Request: body, Mailbox: "malgil:intake:1",
		Received: min(deadline.Add(-time.Second).UnixMilli(), time.Now().UnixMilli()), Deadline: deadline.UnixMilli(),
	}
}

// run processes the task as asynq would. The handler returns nil, whatever happens.
func (w *utteranceWorld) run(ctx context.Context, p tasks.AnswerUtterance) {
	w.t.Helper()
	if err := w.handler.ProcessTask(ctx, tasks.NewAnswerUtterance(p, tasks.QueueReply)); err != nil {
		w.t.Errorf("ProcessTask = %v, want nil", err)
	}
}

func (w *utteranceWorld) decide(d queue.Decision) {
	w.t.Helper()
	if _, won, err := w.exchange.Settle(w.t.Context(), "utt_1", d); err != nil || !won {
		w.t.Fatalf("Settle = %v, %v, want won", won, err)
	}
}

func (w *utteranceWorld) promise() {
	w.decide(queue.Decision{Kind: queue.PromisedCallback, At: time.Now()})
}

func (w *utteranceWorld) wantOutcome(outcome scenario.Outcome) {
	w.t.Helper()
	if len(w.records) != 1 || w.records[0].Outcome != outcome || w.counts[string(outcome)] != 1 {
		w.t.Errorf("recorded %+v and counted %v, want %s once", w.records, w.counts, outcome)
	}
}

// wantNothing is that nobody gets anything of the work.
func (w *utteranceWorld) wantNothing(answered int) {
	w.t.Helper()
	if w.answered != answered || len(w.records) != 0 || len(w.posted) != 0 {
		w.t.Errorf("answered %d times, recorded %+v, posted %+v, want %d, none, none", w.answered, w.records, w.posted, answered)
	}
	if w.evidence != 1 {
		w.t.Errorf("evidence %d times, want 1: the message arrived all the same", w.evidence)
	}
}

func (w *utteranceWorld) standing() (queue.Decision, bool) {
	w.t.Helper()
	d, decided, err := w.exchange.Standing(w.t.Context(), "utt_1")
	if err != nil {
		w.t.Fatal(err)
	}
	return d, decided
}

func textOf(r kakao.SkillResponse) string { return r.Template.Outputs[0].SimpleText.Text }
