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

	"github.com/malgil/malgil/internal/backlog"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/queue"
	"github.com/malgil/malgil/internal/testserver"
	"github.com/malgil/malgil/tasks"
	"github.com/malgil/malgil/workers"
)

// graves keeps what it is told; it may be out of order.
type graves struct {
	mu     sync.Mutex
	dead   []backlog.Dead
	broken error
	ended  bool // a context that had ended was passed
}

func (g *graves) MirrorDead(ctx context.Context, dead []backlog.Dead) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ended = g.ended || ctx.Err() != nil
	if g.broken != nil {
		return 0, g.broken
	}
	g.dead = append(g.dead, dead...)
	return len(dead), nil
}

var diedAt = time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)

func mirrored(g *graves, log *bytes.Buffer, work asynq.Handler) asynq.Handler {
	to := slog.New(slog.NewJSONHandler(log, nil))
	return workers.Mirror(g, func(prefix string) string { return prefix + "_1" }, func() time.Time { return diedAt }, to)(
		workers.Observe(&taskMeter{}, slog.New(slog.DiscardHandler))(work))
}

func TestMirror(t *testing.T) {
	chunk := tasks.NewSendChunk(tasks.Row{ID: "brd_1-000002", Epoch: 3})
	utterance := tasks.NewAnswerUtterance(tasks.AnswerUtterance{ID: "utt_1", Request: json.RawMessage(`{"utterance":"비밀"}`)}, tasks.QueueReply)
	stopping, stop := context.WithCancel(t.Context())
	stop()
	fails := func(err error) func(context.Context, *asynq.Task) error {
		return func(context.Context, *asynq.Task) error { return err }
	}
	tests := map[string]struct {
		ctx  context.Context
		task *asynq.Task
		work func(context.Context, *asynq.Task) error
		want *backlog.Dead // nil for none
	}{
		"it is done": {task: chunk, work: fails(nil)},
		"it never will": {task: chunk, work: fails(fmt.Errorf("claim chunk: %w: %w", fault.New(fault.NotFound, "there is no chunk"), asynq.SkipRetry)),
			want: &backlog.Dead{Type: tasks.TypeSendChunk, RowID: "brd_1-000002", Epoch: 3, Cause: "not_found", Error: "claim chunk: there is no chunk"}},
		"it never will, while the process stops": {ctx: stopping, task: chunk, work: fails(fmt.Errorf("no: %w", asynq.SkipRetry)),
			want: &backlog.Dead{Type: tasks.TypeSendChunk, RowID: "brd_1-000002", Epoch: 3, Cause: "internal", Error: "no"}},
		"it took too long": {task: chunk, work: fails(fmt.Errorf("look: %w: %w", context.DeadlineExceeded, asynq.SkipRetry)),
			want: &backlog.Dead{Type: tasks.TypeSendChunk, RowID: "brd_1-000002", Epoch: 3, Cause: backlog.Timeout, Error: "look: context deadline exceeded"}},
		"nobody handles it": {task: chunk, work: func(_ context.Context, task *asynq.Task) error {
			return fmt.Errorf("%w: %w", asynq.NotFound(t.Context(), task), asynq.SkipRetry)
		}, want: &backlog.Dead{Type: tasks.TypeSendChunk, RowID: "brd_1-000002", Epoch: 3, Cause: backlog.UnknownType, Error: `handler not found for task "broadcast:send_chunk"`}},
		"it cannot be read": {task: asynq.NewTask(tasks.TypeFetchResult, []byte(`{`)), work: workers.FetchResult(nil).ProcessTask,
			want: &backlog.Dead{Type: tasks.TypeFetchResult, Cause: backlog.Undecodable, Error: "decode broadcast:fetch_result: the payload cannot be read: unexpected end of JSON input"}},
		"what was said is not kept": {task: utterance, work: fails(fmt.Errorf("비밀: %w", asynq.SkipRetry)),
			want: &backlog.Dead{Type: tasks.TypeAnswerUtterance, Cause: "internal"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			g, log := &graves{}, &bytes.Buffer{}
			ctx := tt.ctx
			if ctx == nil {
				ctx = t.Context()
			}
			err := mirrored(g, log, asynq.HandlerFunc(tt.work)).ProcessTask(ctx, tt.task)
			if tt.want == nil {
				if len(g.dead) > 0 {
					t.Errorf("kept %+v, want nothing: it is not given up", g.dead)
				}
				return
			}
			want := *tt.want
			want.ID, want.DiedAt = "dead_1", diedAt
			if !errors.Is(err, asynq.SkipRetry) || len(g.dead) != 1 || g.dead[0] != want || g.ended || log.Len() > 0 {
				t.Errorf("ProcessTask() error = %v, kept %+v, logged %s, want %+v", err, g.dead, log, want)
			}
		})
	}
}

// A death that cannot be written down is logged, and the task goes its way.
func TestMirror_brokenStore(t *testing.T) {
	g, log := &graves{broken: errors.New("the database is away")}, &bytes.Buffer{}
	err := mirrored(g, log, asynq.HandlerFunc(func(context.Context, *asynq.Task) error { return asynq.SkipRetry })).
		ProcessTask(t.Context(), tasks.NewSendMail(tasks.Row{ID: "mail_1", Epoch: 1}))
	if !errors.Is(err, asynq.SkipRetry) || !strings.Contains(log.String(), "dead task not written down") || !strings.Contains(log.String(), "the database is away") {
		t.Errorf("ProcessTask() error = %v, logged %s, want both told", err, log)
	}
}

// In a real server a task is written down at its last try, under its own id, and not before: also one that panics.
func TestMirror_lastRetry(t *testing.T) {
	redis := asynq.RedisClientOpt{Addr: miniredis.RunT(t).Addr()}
	g := &graves{}
	runs := make(chan int, 8)
	server := asynq.NewServer(redis, asynq.Config{
		Concurrency: 1, Queues: map[string]int{tasks.QueueBroadcast: 1}, LogLevel: asynq.FatalLevel,
		TaskCheckInterval: 5 * time.Millisecond, DelayedTaskCheckInterval: 5 * time.Millisecond,
		RetryDelayFunc: func(int, error, *asynq.Task) time.Duration { return 0 },
	})
	broken := asynq.HandlerFunc(func(context.Context, *asynq.Task) error {
		g.mu.Lock()
		runs <- len(g.dead)
		g.mu.Unlock()
		panic("user key 1234")
	})
	if err := server.Start(mirrored(g, &bytes.Buffer{}, broken)); err != nil {
		t.Fatal(err)
	}
	defer server.Shutdown()
	client := asynq.NewClient(redis)
	defer client.Close()
	if _, err := client.Enqueue(tasks.NewSendChunk(tasks.Row{ID: "brd_1-000001", Epoch: 2}), asynq.MaxRetry(1)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		select {
		case before := <-runs:
			if before != 0 {
				t.Error("it was written down before its last run")
			}
		case <-time.After(20 * time.Second):
			t.Fatal("it did not run within 20 s")
		}
	}
	server.Shutdown()
	want := backlog.Dead{ID: "dead_1", Queue: tasks.QueueBroadcast, Type: tasks.TypeSendChunk, TaskID: "chunk:brd_1-000001:2", RowID: "brd_1-000001", Epoch: 2,
		Cause: backlog.Panic, Error: "panic with a string", Retried: 1, DiedAt: diedAt}
	if len(g.dead) != 1 || g.dead[0] != want {
		t.Errorf("kept %+v, want %+v", g.dead, want)
	}
}

// A task is written down when asynq archives it, and only then: asynq itself is asked.
func TestMirror_asAsynqDecides(t *testing.T) {
	now := func(err error) asynq.HandlerFunc {
		return func(context.Context, *asynq.Task) error { return err }
	}
	cut := asynq.HandlerFunc(func(ctx context.Context, _ *asynq.Task) error {
		<-ctx.Done()
		return fmt.Errorf("claim chunk: %w", ctx.Err())
	})
	tests := map[string]struct {
		work    asynq.Handler
		retries int
		state   asynq.TaskState
		verdict string
		cause   backlog.Cause // of what is written down; empty for nothing
	}{
		"it may pass later":                        {now(fault.New(fault.Unavailable, "the database is away")), 1, asynq.TaskStateRetry, "retry", ""},
		"it fails for the last time":               {now(fault.New(fault.Unavailable, "the database is away")), 0, asynq.TaskStateArchived, "archived", "unavailable"},
		"it panics, with retries":                  {asynq.HandlerFunc(func(context.Context, *asynq.Task) error { panic("user key 1234") }), 1, asynq.TaskStateRetry, "panic", ""},
		"it never will pass":                       {now(fmt.Errorf("no: %w", asynq.SkipRetry)), 1, asynq.TaskStateArchived, "archived", "internal"},
		"the process stops":                        {cut, 1, asynq.TaskStateRetry, "retry", ""},
		"the process stops, and it has no retries": {cut, 0, asynq.TaskStateArchived, "archived", "internal"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			address, err := queue.ParseAddress(testserver.Redis(t).URL())
			if err != nil {
				t.Fatal(err)
			}
			conn := address.ServerClient()
			defer conn.Close()
			g, meter, began := &graves{}, &taskMeter{}, make(chan struct{}, 8)
			quiet := slog.New(slog.DiscardHandler)
			pools, err := queue.NewPools(address, []queue.Pool{{Queue: tasks.QueueBroadcast, Servers: 1, Concurrency: 1, CheckInterval: 5 * time.Millisecond}}, queue.PoolOptions{
				Handlers: map[string]asynq.Handler{tasks.QueueBroadcast: asynq.HandlerFunc(func(ctx context.Context, task *asynq.Task) error {
					began <- struct{}{}
					return tt.work.ProcessTask(ctx, task)
				})},
				Middleware: []asynq.MiddlewareFunc{
					workers.Mirror(g, func(prefix string) string { return prefix + "_1" }, func() time.Time { return diedAt }, quiet), workers.Observe(meter, quiet),
				},
				Logger: quiet,
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := pools.Start(); err != nil {
				t.Fatal(err)
			}
			client := asynq.NewClientFromRedisClient(conn)
			made, err := client.Enqueue(tasks.NewSendChunk(tasks.Row{ID: "brd_1-000001", Epoch: 2}), asynq.MaxRetry(tt.retries))
			if err != nil {
				t.Fatal(err)
			}
			select {
			case <-began:
			case <-time.After(20 * time.Second):
				t.Fatal("it did not run within 20 s")
			}
			if err := pools.Shutdown(t.Context()); err != nil { // after the run: it is cut, or has ended
				t.Fatal(err)
			}
			info, err := asynq.NewInspectorFromRedisClient(conn).GetTaskInfo(made.Queue, made.ID)
			if err != nil || info.State != tt.state {
				t.Fatalf("asynq has %+v, %v, want the task to be in %v", info, err, tt.state)
			}
			var causes []backlog.Cause
			for _, d := range g.dead {
				causes = append(causes, d.Cause)
			}
			var want []backlog.Cause
			if tt.cause != "" {
				want = append(want, tt.cause)
			}
			if !slices.Equal(causes, want) {
				t.Errorf("kept %+v, want the causes %v", g.dead, want)
			}
			if want := []ranTask{{tasks.TypeSendChunk, tt.verdict}}; !slices.Equal(meter.runs, want) {
				t.Errorf("measured %v, want %v", meter.runs, want)
			}
		})
	}
}
