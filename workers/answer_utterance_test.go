package workers_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/malgil/malgil/internal/fault"
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

func TestAnswerUtterance_inTime(t *testing.T) {
	w := newUtteranceWorld(t)
	w.run(t.Context(), call(time.Minute, false))
	w.run(t.Context(), call(time.Minute, false)) // runs twice: the same answer stands
	d, decided := w.standing()
	if !decided || d.Kind != queue.Answered || !strings.Contains(string(d.Answer), "네") {
		t.Errorf("the key = %+v, want the answer", d)
	}
	if len(w.posted) != 0 || w.evidence != 2 {
		t.Errorf("posted %d and evidence %d, want 0 and 2", len(w.posted), w.evidence)
	}
	if w.records[0].Outcome != scenario.Direct || w.records[0].BlockID != "k1" || w.records[0].BudgetLeft < 50*time.Second {
		t.Errorf("recorded %+v, want direct with the time left", w.records[0])
	}
}

func TestAnswerUtterance_dropsWhatNobodyWaitsFor(t *testing.T) {
	tests := map[string]struct {
		callback bool
		decision *queue.Decision
	}{
		"no key":                         {false, nil},
		"no key, with a callback":        {true, nil},
		"the user was told to ask again": {false, &queue.Decision{Kind: queue.GivenUp}},
		"the intake answered":            {true, &queue.Decision{Kind: queue.TakenInline}},
		"another worker answered":        {true, &queue.Decision{Kind: queue.Answered, Answer: []byte(`{}`)}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newUtteranceWorld(t)
			if tt.decision != nil {
				w.decide(*tt.decision)
			}
			w.run(t.Context(), call(-time.Second, tt.callback))
			w.wantNothing(0)
		})
	}
	t.Run("a promise nobody can keep any more", func(t *testing.T) {
		w := newUtteranceWorld(t)
		w.promise()
		w.run(t.Context(), call(-time.Minute, true))
		w.wantNothing(0)
	})
}

// Beaten while it worked: the decision stands and the work is for nothing.
func TestAnswerUtterance_loses(t *testing.T) {
	for name, d := range map[string]queue.Decision{
		"to the end of the budget": {Kind: queue.GivenUp},
		"to the intake":            {Kind: queue.TakenInline},
		"to another worker":        {Kind: queue.Answered, Answer: []byte(`{"other":1}`)},
	} {
		t.Run(name, func(t *testing.T) {
			w := newUtteranceWorld(t)
			w.decide(d)
			w.run(t.Context(), call(time.Minute, true))
			w.wantNothing(1)
		})
	}
}

func TestAnswerUtterance_callsBack(t *testing.T) {
	w := newUtteranceWorld(t)
	promised := time.Now()
	w.promise()
	for range 2 { // runs twice: one callback
		w.run(t.Context(), call(-time.Second, true))
	}
	if waited := time.Since(promised); len(w.posted) != 1 || textOf(w.posted[0]) != "네" || waited < 499*time.Millisecond {
		t.Errorf("posted %+v after %v, want the answer once after 500 ms", w.posted, waited)
	}
	w.wantOutcome(scenario.Callback)
	if w.counts["callback:delivered:"] != 1 {
		t.Errorf("counted %v, want one callback delivered", w.counts)
	}
}

func TestAnswerUtterance_runsBesideItself(t *testing.T) {
	w := newUtteranceWorld(t)
	w.promise()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() { w.run(t.Context(), call(-time.Second, true)) })
	}
	all.Wait()
	if len(w.posted) != 1 {
		t.Errorf("four runs posted %d callbacks, want 1", len(w.posted))
	}
	w.wantOutcome(scenario.Callback)
}

func TestAnswerUtterance_callbackOutcomes(t *testing.T) {
	refused := fault.New(fault.Refused, "Kakao refused the callback")
	doubt := fault.New(fault.InDoubt, "no answer")
	tests := map[string]struct {
		outcome kakao.CallbackOutcome
		err     error
		want    scenario.Outcome
		count   string
	}{
		"refused": {kakao.CallbackOutcome{State: kakao.CallbackFailed, Reason: kakao.ReasonToken}, refused, scenario.CallbackFailed, "callback:failed:token"},
		"unknown": {kakao.CallbackOutcome{State: kakao.CallbackUnknown, Reason: kakao.ReasonNoAnswer}, doubt, scenario.CallbackUnknown, "callback:unknown:no_answer"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newUtteranceWorld(t)
			w.post = func(kakao.SkillResponse) (kakao.CallbackOutcome, error) { return tt.outcome, tt.err }
			w.promise()
			w.run(t.Context(), call(-time.Second, true))
			w.wantOutcome(tt.want)
			if len(w.posted) != 1 || w.counts[tt.count] != 1 {
				t.Errorf("posted %d times and counted %v, want once and %s", len(w.posted), w.counts, tt.count)
			}
		})
	}
}

func TestAnswerUtterance_failedWork(t *testing.T) {
	fails := func(context.Context) (scenario.Reply, error) { return scenario.Reply{}, errors.New("broken") }
	t.Run("in time", func(t *testing.T) {
		w := newUtteranceWorld(t)
		w.answer = fails
		w.run(t.Context(), call(time.Minute, false))
		d, _ := w.standing()
		if !strings.Contains(string(d.Answer), scenario.FailedText) {
			t.Errorf("the key = %s, want the text for a failure", d.Answer)
		}
		w.wantOutcome(scenario.Failed)
	})
	t.Run("promised", func(t *testing.T) {
		w := newUtteranceWorld(t)
		w.answer = fails
		w.promise()
		w.run(t.Context(), call(-time.Second, true))
		if len(w.posted) != 1 || textOf(w.posted[0]) != scenario.FailedText {
			t.Errorf("posted %+v, want the text for a failure", w.posted)
		}
		w.wantOutcome(scenario.Failed)
	})
	t.Run("out of time", func(t *testing.T) {
		w := newUtteranceWorld(t)
		w.answer = func(ctx context.Context) (scenario.Reply, error) {
			<-ctx.Done()
			return scenario.Reply{}, ctx.Err()
		}
		w.run(t.Context(), call(100*time.Millisecond, false))
		w.wantNothing(1)
		if d, decided := w.standing(); decided {
			t.Errorf("the key = %+v, want none: the intake says that it is late", d)
		}
	})
	t.Run("an answer that is not valid", func(t *testing.T) {
		w := newUtteranceWorld(t)
		w.answer = func(context.Context) (scenario.Reply, error) {
			return scenario.Reply{Response: kakao.Text(scenario.FailedText), Problems: []kakao.Problem{{Path: "template"}}}, nil
		}
		w.run(t.Context(), call(time.Minute, false))
		w.wantOutcome(scenario.Refused)
	})
	t.Run("the process stops", func(t *testing.T) {
		w := newUtteranceWorld(t)
		ctx, cancel := context.WithCancel(t.Context())
		w.answer = func(ctx context.Context) (scenario.Reply, error) {
			cancel()
			<-ctx.Done()
			return scenario.Reply{}, ctx.Err()
		}
		w.promise()
		w.run(ctx, call(-time.Second, true))
		if len(w.posted) != 1 {
			t.Errorf("posted %d callbacks, want the promised one", len(w.posted))
		}
		w.wantOutcome(scenario.Failed)
	})
}

// A Redis that freezes while the answer is made delays the promised callback and no more.
func TestAnswerUtterance_redisFreezesMeanwhile(t *testing.T) {
	w := newUtteranceWorld(t)
	w.promise()
	working, frozen, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	w.answer = func(context.Context) (scenario.Reply, error) {
		close(working)
		<-frozen
		return scenario.Reply{Response: kakao.Text("네")}, nil
	}
	go func() { w.run(t.Context(), call(-time.Second, true)); close(done) }()
	<-working
	w.redis.Freeze()
	close(frozen)
	<-time.After(1500 * time.Millisecond) // longer than one try, shorter than the promise holds
	w.redis.Thaw()
	<-done
	if len(w.posted) != 1 {
		t.Errorf("posted %d callbacks, want the promised one", len(w.posted))
	}
	w.wantOutcome(scenario.Callback)
}

func TestAnswerUtterance_redisStaysAway(t *testing.T) {
	w := newUtteranceWorld(t)
	w.answer = func(context.Context) (scenario.Reply, error) {
		w.redis.Stop()
		return scenario.Reply{Response: kakao.Text("네")}, nil
	}
	start := time.Now()
	w.run(t.Context(), call(time.Second, false))
	w.wantNothing(1)
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("the run took %v, want an end soon after the deadline", took)
	}
}

func TestAnswerUtterance_unreadable(t *testing.T) {
	w := newUtteranceWorld(t)
	p := call(time.Minute, false)
	p.Request = json.RawMessage(`[]`)
	w.run(t.Context(), p)
	if w.answered != 0 || len(w.records) != 0 {
		t.Errorf("an unreadable request was answered %d times, want 0", w.answered)
	}
	bad := asynq.NewTask(tasks.TypeAnswerUtterance, []byte(`{`))
	if err := w.handler.ProcessTask(t.Context(), bad); !errors.Is(err, asynq.SkipRetry) {
		t.Errorf("ProcessTask(no JSON) = %v, want SkipRetry", err)
	}
}
