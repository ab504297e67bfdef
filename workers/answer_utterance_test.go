package workers_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/queue"
	"github.com/malgil/malgil/internal/scenario"
	"github.com/malgil/malgil/tasks"
)

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
	t.Run("no key, with a callback, when none is promised any more", func(t *testing.T) {
		w := newUtteranceWorld(t)
		w.run(t.Context(), call(-1600*time.Millisecond, true))
		w.wantNothing(0)
	})
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

// What took long to get here may have been answered by the intake, which did not know that it was
// enqueued: then it is not answered again.
func TestAnswerUtterance_cameLate(t *testing.T) {
	for name, d := range map[string]queue.Decision{
		"the intake answered":     {Kind: queue.TakenInline},
		"another worker answered": {Kind: queue.Answered, Answer: []byte(`{"other":1}`)},
	} {
		t.Run(name, func(t *testing.T) {
			w := newUtteranceWorld(t)
			w.decide(d)
			w.run(t.Context(), lateBy(300*time.Millisecond))
			w.wantNothing(0)
		})
	}
	t.Run("nobody did", func(t *testing.T) {
		w := newUtteranceWorld(t)
		w.run(t.Context(), lateBy(300*time.Millisecond))
		w.wantOutcome(scenario.Direct)
	})
	t.Run("a callback is promised", func(t *testing.T) {
		w := newUtteranceWorld(t)
		w.promise()
		w.run(t.Context(), lateBy(300*time.Millisecond))
		w.wantOutcome(scenario.Callback)
	})
}

// lateBy is a call with a callback that came in a while ago and has a minute left.
func lateBy(d time.Duration) tasks.AnswerUtterance {
	p := call(time.Minute, true)
	p.Received -= d.Milliseconds()
	return p
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

// Picked up just after the deadline, before the intake has had its say: whatever it then decides,
// the user is answered once.
func TestAnswerUtterance_pickedUpBeforeThePromise(t *testing.T) {
	tests := map[string]struct {
		late    time.Duration
		decide  func(w *utteranceWorld) // while the worker works
		posted  int
		outcome scenario.Outcome // empty where the intake records it
	}{
		"a callback is promised 20 ms later":    {5 * time.Millisecond, (*utteranceWorld).promise, 1, scenario.Callback},
		"a callback is promised a second later": {time.Second, (*utteranceWorld).promise, 1, scenario.Callback},
		"the intake answers":                    {5 * time.Millisecond, func(w *utteranceWorld) { w.decide(queue.Decision{Kind: queue.TakenInline}) }, 0, ""},
		"the answer is there first":             {5 * time.Millisecond, func(*utteranceWorld) {}, 0, scenario.Direct},
		"the intake is never heard":             {time.Second, func(*utteranceWorld) {}, 1, scenario.Callback},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newUtteranceWorld(t)
			w.answer = func(context.Context) (scenario.Reply, error) {
				tt.decide(w)
				return scenario.Reply{Response: kakao.Text("네")}, nil
			}
			w.run(t.Context(), call(-tt.late, true))
			if len(w.posted) != tt.posted {
				t.Errorf("posted %d callbacks, want %d", len(w.posted), tt.posted)
			}
			if tt.outcome != "" {
				w.wantOutcome(tt.outcome)
			} else if len(w.records) != 0 {
				t.Errorf("recorded %+v, want nothing: the intake does", w.records)
			}
		})
	}
}

// The promise was made and Redis was emptied: the worker finds no key long after the deadline.
func TestAnswerUtterance_promiseForgotten(t *testing.T) {
	w := newUtteranceWorld(t)
	w.answer = func(context.Context) (scenario.Reply, error) {
		w.redis.FlushAll()
		return scenario.Reply{Response: kakao.Text("네")}, nil
	}
	w.promise()
	for range 2 {
		w.run(t.Context(), call(-2*time.Second, true))
	}
	if len(w.posted) != 1 || textOf(w.posted[0]) != "네" {
		t.Errorf("posted %+v, want the answer once: Kakao still waits for it", w.posted)
	}
	w.wantOutcome(scenario.Callback)
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

// An answer that offers a person is counted.
func TestAnswerUtterance_countsHandoffs(t *testing.T) {
	w := newUtteranceWorld(t)
	w.answer = func(context.Context) (scenario.Reply, error) {
		return scenario.Reply{Response: kakao.Text("네"), BlockID: "k1", Handoff: scenario.AtNormal}, nil
	}
	w.run(t.Context(), call(time.Minute, false))
	if w.counts["handoff:normal"] != 1 {
		t.Errorf("counted %v, want one offer in a normal block", w.counts)
	}
}
