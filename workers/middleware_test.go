package workers_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/hibiken/asynq"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/tasks"
	"github.com/malgil/malgil/workers"
)

// ranTask is what a meter was told of one run.
type ranTask struct{ taskType, verdict string }

// taskMeter keeps what it is told and passes it on.
type taskMeter struct {
	mu    sync.Mutex
	runs  []ranTask
	waits map[string][]time.Duration // by queue
	told  chan ranTask
}

func (m *taskMeter) TaskWaited(queue string, waited time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.waits == nil {
		m.waits = map[string][]time.Duration{}
	}
	m.waits[queue] = append(m.waits[queue], waited)
}

func (m *taskMeter) TaskRan(taskType, verdict string, took time.Duration) {
	m.mu.Lock()
	m.runs = append(m.runs, ranTask{taskType, verdict})
	m.mu.Unlock()
	if m.told != nil && took >= 0 {
		m.told <- ranTask{taskType, verdict}
	}
}

// logLines reads JSON lines.
func logLines(t *testing.T, text string) []map[string]any {
	t.Helper()
	var lines []map[string]any
	for line := range strings.Lines(text) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatalf("log line %q: %v", line, err)
		}
		lines = append(lines, fields)
	}
	return lines
}

func TestObserve(t *testing.T) {
	chunk := tasks.NewSendChunk(tasks.Row{ID: "brd_1-000002", Epoch: 3})
	charge := tasks.NewChargeWallet(tasks.Row{ID: "wal_1", Epoch: 1})
	mail := tasks.NewSendMail(tasks.Row{ID: "mail_1", Epoch: 1})
	utterance := tasks.NewAnswerUtterance(tasks.AnswerUtterance{ID: "utt_1", Request: json.RawMessage(`{"utterance":"비밀"}`)}, tasks.QueueReply)
	stopping, stop := context.WithCancel(t.Context())
	stop()
	type fields = map[string]any
	tests := map[string]struct {
		ctx     context.Context
		task    *asynq.Task
		work    func(context.Context, *asynq.Task) error
		verdict string
		logged  fields // nil for no line
	}{
		"it is done": {
			task: chunk, work: func(context.Context, *asynq.Task) error { return nil }, verdict: "done",
		},
		"it may pass later": {
			task: chunk, work: func(context.Context, *asynq.Task) error { return fault.New(fault.Unavailable, "the database is away") },
			verdict: "retry",
			logged:  fields{"level": "WARN", "broadcast_id": "brd_1", "chunk_id": "brd_1-000002", "err": "the database is away", "attempt": 1.0},
		},
		"it never will": {
			task: charge, work: func(context.Context, *asynq.Task) error { return fmt.Errorf("no such wallet: %w", asynq.SkipRetry) },
			verdict: "archived",
			logged:  fields{"level": "ERROR", "wallet_id": "wal_1", "task_type": "billing:charge_wallet"},
		},
		"the process stops": {
			ctx: stopping, task: mail, work: func(ctx context.Context, _ *asynq.Task) error { return ctx.Err() },
			verdict: "retry",
			logged:  fields{"level": "WARN", "row_id": "mail_1", "err": "context canceled"},
		},
		"it panics with a value": {
			task: chunk, work: func(context.Context, *asynq.Task) error { panic("user key 1234") },
			verdict: "panic",
			logged:  fields{"level": "ERROR", "err": "panic with a string"},
		},
		"it panics as Go does": {
			task: chunk, work: func(_ context.Context, t *asynq.Task) error { return errors.New(string(t.Payload()[len(t.Payload())])) },
			verdict: "panic",
			logged:  fields{"level": "ERROR", "err": "panic: runtime error: index out of range [31] with length 31"},
		},
		"what was said is not logged": {
			task: utterance, work: func(context.Context, *asynq.Task) error { return errors.New("broken") },
			verdict: "retry",
			logged:  fields{"level": "WARN", "task_type": "utterance:answer", "row_id": nil},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var text bytes.Buffer
			meter := &taskMeter{}
			handler := workers.Observe(meter, slog.New(slog.NewJSONHandler(&text, nil)))(asynq.HandlerFunc(tt.work))
			ctx := tt.ctx
			if ctx == nil {
				ctx = t.Context()
			}
			err := handler.ProcessTask(ctx, tt.task)
			if (err == nil) != (tt.verdict == "done") {
				t.Errorf("ProcessTask() error = %v with verdict %s", err, tt.verdict)
			}
			if want := []ranTask{{tt.task.Type(), tt.verdict}}; !slices.Equal(meter.runs, want) {
				t.Errorf("measured %v, want %v", meter.runs, want)
			}
			lines := logLines(t, text.String())
			if wanted := tt.logged != nil; len(lines) > 1 || (len(lines) == 1) != wanted {
				t.Fatalf("logged %d lines, want one: %v", len(lines), wanted)
			}
			for key, want := range tt.logged {
				if got := lines[0][key]; got != want {
					t.Errorf("log has %s = %v, want %v", key, got, want)
				}
			}
			if strings.Contains(text.String(), "비밀") || strings.Contains(text.String(), "1234") {
				t.Errorf("log %s holds what a person said or is", text.String())
			}
			if tt.verdict == "panic" && !strings.Contains(fmt.Sprint(lines[0]["stack"]), "middleware_test.go") {
				t.Errorf("log has the stack %v, want one with the place of the panic", lines[0]["stack"])
			}
		})
	}
}

// In a real server a task that has no retries left is archived, and each run has its number.
func TestObserve_lastRetry(t *testing.T) {
	redis := asynq.RedisClientOpt{Addr: miniredis.RunT(t).Addr()}
	meter := &taskMeter{told: make(chan ranTask, 2)}
	var mu sync.Mutex
	var text bytes.Buffer
	log := slog.New(slog.NewJSONHandler(lockedWriter{&mu, &text}, nil))
	server := asynq.NewServer(redis, asynq.Config{
		Concurrency: 1, Queues: map[string]int{tasks.QueueBroadcast: 1}, LogLevel: asynq.FatalLevel,
		TaskCheckInterval: 5 * time.Millisecond, DelayedTaskCheckInterval: 5 * time.Millisecond,
		RetryDelayFunc: func(int, error, *asynq.Task) time.Duration { return 0 },
	})
	broken := asynq.HandlerFunc(func(context.Context, *asynq.Task) error { return errors.New("the database is away") })
	if err := server.Start(workers.Observe(meter, log)(broken)); err != nil {
		t.Fatal(err)
	}
	defer server.Shutdown()
	client := asynq.NewClient(redis)
	defer client.Close()
	task := tasks.NewSendChunk(tasks.Row{ID: "brd_1-000001", Epoch: 2})
	task.Headers()[tasks.EnqueuedHeader] = fmt.Sprint(time.Now().Add(-time.Minute).UnixMilli())
	if _, err := client.Enqueue(task, asynq.MaxRetry(1)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"retry", "archived"} {
		select {
		case got := <-meter.told:
			if got.verdict != want {
				t.Errorf("verdict = %s, want %s", got.verdict, want)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("no run with verdict %s within 20 s", want)
		}
	}
	server.Shutdown()
	if waits := meter.waits[tasks.QueueBroadcast]; len(meter.waits) != 1 || len(waits) != 1 || waits[0] < time.Minute || waits[0] > time.Hour {
		t.Errorf("the task waited %v, want a minute before its first run alone", meter.waits)
	}
	mu.Lock()
	defer mu.Unlock()
	for i, line := range logLines(t, text.String()) {
		if line["task_id"] != "chunk:brd_1-000001:2" || line["attempt"] != float64(i+1) {
			t.Errorf("line %d tells task %v, attempt %v, want chunk:brd_1-000001:2, %d", i, line["task_id"], line["attempt"], i+1)
		}
	}
}

type lockedWriter struct {
	mu *sync.Mutex
	to *bytes.Buffer
}

func (w lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.to.Write(p)
}
