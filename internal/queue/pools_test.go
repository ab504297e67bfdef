package queue_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/queue"
	"github.com/malgil/malgil/internal/testserver"
	"github.com/malgil/malgil/tasks"
)

func handlers(h asynq.Handler) map[string]asynq.Handler {
	byQueue := map[string]asynq.Handler{}
	for _, name := range tasks.Queues {
		byQueue[name] = h
	}
	return byQueue
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// everyPool returns the pools of a process that serves every queue.
func everyPool(t *testing.T) []queue.Pool {
	t.Helper()
	pools, err := queue.SelectPools(tasks.Queues)
	if err != nil {
		t.Fatal(err)
	}
	return pools
}

func TestSelectPools(t *testing.T) {
	tests := map[string]struct {
		names   []string
		wantErr string
	}{
		"some":    {names: []string{"billing", "reply"}},
		"none":    {},
		"every":   {names: tasks.Queues},
		"unknown": {names: []string{"reply", "default"}, wantErr: `no pool "default"`},
		"twice":   {names: []string{"reply", "reply"}, wantErr: "twice"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := queue.SelectPools(tt.names)
			if tt.wantErr != "" {
				if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), tt.wantErr) {
					t.Errorf("SelectPools(%v) error = %v, want invalid: %s", tt.names, err, tt.wantErr)
				}
				return
			}
			if err != nil || len(got) != len(tt.names) {
				t.Fatalf("SelectPools(%v) = %v, %v, want %d pools", tt.names, got, err, len(tt.names))
			}
			for i, pool := range got {
				if pool.Queue != tt.names[i] {
					t.Errorf("SelectPools(%v)[%d] = %s", tt.names, i, pool.Queue)
				}
			}
		})
	}
}

func TestNewPools_refuses(t *testing.T) {
	good := queue.Pool{Queue: tasks.QueueMail, Servers: 1, Concurrency: 4, CheckInterval: time.Second}
	with := func(change func(*queue.Pool)) []queue.Pool {
		pool := good
		change(&pool)
		return []queue.Pool{pool}
	}
	tests := map[string]struct {
		pools    []queue.Pool
		handlers map[string]asynq.Handler
		want     string
	}{
		"no queue":           {with(func(p *queue.Pool) { p.Queue = "" }), nil, "no queue"},
		"no server":          {with(func(p *queue.Pool) { p.Servers = 0 }), nil, "0 servers"},
		"too many servers":   {with(func(p *queue.Pool) { p.Servers = 5; p.Concurrency = 5 }), nil, "5 servers"},
		"less than one slot": {with(func(p *queue.Pool) { p.Servers = 2; p.Concurrency = 1 }), nil, "at least 1 per server"},
		"a busy loop":        {with(func(p *queue.Pool) { p.CheckInterval = 0 }), nil, "checks every 0s"},
		"a negative drain":   {with(func(p *queue.Pool) { p.Drain = -1 }), nil, "drains"},
		"one queue twice":    {[]queue.Pool{good, good}, handlers(newGate(true)), "two pools"},
		"no handler":         {[]queue.Pool{good}, nil, "no handler"},
	}
	address := parse(t, "redis://localhost")
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := queue.NewPools(address, tt.pools, queue.PoolOptions{Handlers: tt.handlers})
			if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("NewPools error = %v, want invalid: %s", err, tt.want)
			}
		})
	}
}

func TestPools_runEveryTaskOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, address queue.Address) {
		const n = 300
		var mu sync.Mutex
		runs := map[string]int{}
		all := make(chan struct{})
		pools := []queue.Pool{{Queue: tasks.QueueBroadcast, Servers: 3, Concurrency: 10, CheckInterval: 5 * time.Millisecond, Drain: time.Second}}
		startPools(t, address, pools, queue.PoolOptions{Logger: quiet(), Handlers: handlers(asynq.HandlerFunc(func(ctx context.Context, _ *asynq.Task) error {
			id, _ := asynq.GetTaskID(ctx)
			mu.Lock()
			defer mu.Unlock()
			if runs[id]++; len(runs) == n {
				close(all)
			}
			return nil
		}))})
		if got, err := newClient(t, address).EnqueueAll(t.Context(), many(n)); got != n || err != nil {
			t.Fatalf("EnqueueAll = %d, %v, want %d", got, err, n)
		}
		within(t, "all tasks to run", all)
		mu.Lock()
		defer mu.Unlock()
		for id, times := range runs {
			if times != 1 {
				t.Errorf("%s ran %d times, want once", id, times)
			}
		}
	})
}

// A pool's slots are its own, and all its servers together have as many as it says.
func TestPools_concurrency(t *testing.T) {
	onBoth(t, func(t *testing.T, address queue.Address) {
		client, inspector := newClient(t, address), newInspector(t, address)
		g, mail := newGate(true), newGate(true)
		pools := []queue.Pool{
			{Queue: tasks.QueueBroadcast, Servers: 2, Concurrency: 5, CheckInterval: 5 * time.Millisecond, Drain: time.Second},
			{Queue: tasks.QueueMail, Servers: 1, Concurrency: 1, CheckInterval: 5 * time.Millisecond, Drain: time.Second},
		}
		startPools(t, address, pools, queue.PoolOptions{Logger: quiet(), Handlers: map[string]asynq.Handler{
			tasks.QueueBroadcast: g, tasks.QueueMail: mail}})
		if _, err := client.EnqueueAll(t.Context(), many(12)); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			within(t, "a slot to fill", g.entered)
		}
		mustEnqueue(t, client, tasks.NewSendMail(chunk("m1", 1)))
		within(t, "a mail beside a full broadcast pool", mail.entered)
		if got := depth(t, inspector, tasks.QueueBroadcast); got.Active != 5 || got.Pending != 7 {
			t.Errorf("of 12 tasks for 5 slots %d run and %d wait, want 5 and 7", got.Active, got.Pending)
		}
		close(g.release)
		close(mail.release)
	})
}

func TestPools_middlewareAndErrors(t *testing.T) {
	address := parse(t, testserver.Redis(t).URL())
	var mu sync.Mutex
	var order []string
	note := func(name string) asynq.MiddlewareFunc {
		return func(next asynq.Handler) asynq.Handler {
			return asynq.HandlerFunc(func(ctx context.Context, task *asynq.Task) error {
				mu.Lock()
				order = append(order, name)
				mu.Unlock()
				return next.ProcessTask(ctx, task)
			})
		}
	}
	boom := errors.New("boom")
	told := make(chan error, 1)
	startPools(t, address, broadcastPool(time.Second), queue.PoolOptions{
		Logger:     quiet(),
		Middleware: []asynq.MiddlewareFunc{note("outer"), note("inner")},
		OnError:    func(_ context.Context, _ *asynq.Task, err error) { told <- err },
		Handlers: handlers(asynq.HandlerFunc(func(context.Context, *asynq.Task) error {
			return fmt.Errorf("%w: %w", boom, asynq.SkipRetry)
		})),
	})
	mustEnqueue(t, newClient(t, address), tasks.NewSendChunk(chunk("c1", 1)))
	if err := within(t, "OnError", told); !errors.Is(err, boom) {
		t.Errorf("OnError was told %v, want boom", err)
	}
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(order, []string{"outer", "inner"}) {
		t.Errorf("middleware ran as %v, want outer, inner", order)
	}
}

func TestPools_workBeginsWhenRedisComes(t *testing.T) {
	s := testserver.Redis(t)
	address := parse(t, s.URL())
	s.Kill()
	g := newGate(true)
	close(g.release)
	startPools(t, address, broadcastPool(time.Second), queue.PoolOptions{Handlers: handlers(g), Logger: quiet()})
	s.Restart()
	mustEnqueue(t, newClient(t, address), tasks.NewSendChunk(chunk("c1", 1)))
	within(t, "a task after Redis came", g.entered)
}

func TestPools_Shutdown_letsRunningTasksFinish(t *testing.T) {
	onBoth(t, func(t *testing.T, address queue.Address) {
		client, inspector := newClient(t, address), newInspector(t, address)
		g := newGate(true)
		pools := startPools(t, address, broadcastPool(20*time.Second), queue.PoolOptions{Handlers: handlers(g), Logger: quiet()})
		mustEnqueue(t, client, tasks.NewSendChunk(chunk("c1", 1)))
		within(t, "the task to run", g.entered)

		ended := make(chan error, 1)
		go func() { ended <- pools.Shutdown(context.Background()) }()
		// Stopped means that new tasks stay where they are while the old one goes on.
		official := asynq.NewInspectorFromRedisClient(rawRedis(t, address))
		eventually(t, "the pool is stopped", func() bool { return stopped(t, official) })
		mustEnqueue(t, client, tasks.NewSendChunk(chunk("c2", 1)))
		close(g.release)
		if err := within(t, "Shutdown", ended); err != nil {
			t.Errorf("Shutdown error = %v", err)
		}
		if got, want := fates(t, inspector, chunkTask("c1", 1), chunkTask("c2", 1)), []queue.Fate{queue.Missing, queue.Waiting}; !slices.Equal(got, want) {
			t.Errorf("fates after Shutdown = %v, want %v: the first done, the second untouched", got, want)
		}
		if got := g.runs.Load(); got != 1 {
			t.Errorf("runs = %d, want 1", got)
		}
	})
}

// What a task may begin ends with the stop, what it has begun goes on.
func TestBegin(t *testing.T) {
	address := parse(t, testserver.Redis(t).URL())
	running, ended, goOn := make(chan struct{}), make(chan error, 1), make(chan struct{})
	pools := startPools(t, address, broadcastPool(20*time.Second), queue.PoolOptions{Logger: quiet(),
		Handlers: handlers(asynq.HandlerFunc(func(ctx context.Context, _ *asynq.Task) error {
			begin, cancel := queue.Begin(ctx)
			defer cancel()
			close(running)
			<-begin.Done()
			late, cancel := queue.Begin(ctx)
			defer cancel()
			if late.Err() == nil {
				ended <- errors.New("after the stop something may begin")
				return nil
			}
			ended <- ctx.Err()
			<-goOn
			return ctx.Err()
		}))})
	mustEnqueue(t, newClient(t, address), tasks.NewSendChunk(chunk("c1", 1)))
	within(t, "the task to run", running)
	stopped := make(chan error, 1)
	go func() { stopped <- pools.Shutdown(context.Background()) }()
	if err := within(t, "the stop to be seen", ended); err != nil {
		t.Errorf("when the process stops, the task's own context has %v, want it to go on", err)
	}
	close(goOn)
	if err := within(t, "Shutdown", stopped); err != nil {
		t.Errorf("Shutdown error = %v", err)
	}
}

func TestBegin_outsideOfPools(t *testing.T) {
	ctx, end := context.WithCancel(t.Context())
	begin, cancel := queue.Begin(ctx)
	defer cancel()
	if begin.Err() != nil {
		t.Errorf("Begin of a context that goes on = %v, want nil", begin.Err())
	}
	end()
	if !errors.Is(begin.Err(), context.Canceled) {
		t.Errorf("Begin of a context that has ended = %v, want %v", begin.Err(), context.Canceled)
	}
}

// One who waits for others gives its slot back and goes on; the pool runs the next task meanwhile, and a stop waits.
func TestGiveBack(t *testing.T) {
	onBoth(t, func(t *testing.T, address queue.Address) {
		const n = 20
		waiting, release, over := make(chan struct{}, n), make(chan struct{}), make(chan error, n)
		pools := []queue.Pool{{Queue: tasks.QueueBroadcast, Servers: 1, Concurrency: 1, CheckInterval: 5 * time.Millisecond, Drain: 20 * time.Second}}
		serving := startPools(t, address, pools, queue.PoolOptions{Logger: quiet(), Handlers: handlers(asynq.HandlerFunc(func(ctx context.Context, _ *asynq.Task) error {
			queue.GiveBack(ctx)
			queue.GiveBack(ctx)
			waiting <- struct{}{}
			<-release
			over <- ctx.Err()
			return errors.New("nobody hears of it")
		}))})
		client, inspector := newClient(t, address), newInspector(t, address)
		if _, err := client.EnqueueAll(t.Context(), many(n)); err != nil {
			t.Fatal(err)
		}
		for range n { // over one slot
			within(t, "a task to give its slot back", waiting)
		}
		eventually(t, "all tasks are done", func() bool {
			d := depth(t, inspector, tasks.QueueBroadcast)
			return d.Active == 0 && d.Pending == 0 && d.Retry == 0 && d.Archived == 0
		})
		stopped := make(chan error, 1)
		go func() { stopped <- serving.Shutdown(context.Background()) }()
		official := asynq.NewInspectorFromRedisClient(rawRedis(t, address))
		eventually(t, "the pool is stopped", func() bool { servers, err := official.Servers(); return err == nil && len(servers) == 0 })
		select {
		case err := <-stopped:
			t.Errorf("Shutdown = %v while handlers go on, want it to wait", err)
		default:
		}
		close(release)
		for range n {
			if err := within(t, "a handler to end", over); err != nil {
				t.Errorf("the context of a handler that gave its slot back = %v, want it to go on", err)
			}
		}
		if err := within(t, "Shutdown", stopped); err != nil {
			t.Errorf("Shutdown error = %v", err)
		}
	})
}

// What gave its slot back is cut when its pool's Drain is over, as others are.
func TestGiveBack_isCut(t *testing.T) {
	address := parse(t, testserver.Redis(t).URL())
	running, ended := make(chan struct{}), make(chan error, 1)
	pools := startPools(t, address, broadcastPool(0), queue.PoolOptions{Logger: quiet(),
		Handlers: handlers(asynq.HandlerFunc(func(ctx context.Context, _ *asynq.Task) error {
			queue.GiveBack(ctx)
			close(running)
			<-ctx.Done()
			ended <- ctx.Err()
			return nil
		}))})
	mustEnqueue(t, newClient(t, address), tasks.NewSendChunk(chunk("c1", 1)))
	within(t, "the task to run", running)
	if err := pools.Shutdown(t.Context()); err != nil {
		t.Errorf("Shutdown error = %v", err)
	}
	if err := within(t, "the handler to end", ended); !errors.Is(err, context.Canceled) {
		t.Errorf("its context ended with %v, want %v", err, context.Canceled)
	}
}

func TestGiveBack_panicsAndOutsideOfPools(t *testing.T) {
	queue.GiveBack(t.Context())
	address := parse(t, testserver.Redis(t).URL())
	ran := make(chan struct{}, 2)
	startPools(t, address, broadcastPool(time.Second), queue.PoolOptions{Logger: quiet(),
		Handlers: handlers(asynq.HandlerFunc(func(ctx context.Context, task *asynq.Task) error {
			defer func() { ran <- struct{}{} }()
			if strings.Contains(string(task.Payload()), "loose") {
				queue.GiveBack(ctx)
			}
			panic("a handler's own")
		}))})
	client := newClient(t, address)
	for _, id := range []string{"loose", "held"} {
		mustEnqueue(t, client, tasks.NewSendChunk(chunk(id, 1)))
		within(t, id, ran)
	}
	// That the process lives is the point; the one that kept its slot is tried again.
	inspector := newInspector(t, address)
	eventually(t, "one is tried again", func() bool { d := depth(t, inspector, tasks.QueueBroadcast); return d.Retry == 1 && d.Active == 0 })
}

// stopped reports whether asynq has published that its one server takes no more tasks, which it
// does at its next heartbeat.
func stopped(t *testing.T, inspector *asynq.Inspector) bool {
	t.Helper()
	servers, err := inspector.Servers()
	if err != nil {
		t.Fatal(err)
	}
	return len(servers) == 1 && servers[0].Status != "active"
}

// A pool without Drain cuts its tasks. Those keep their retries and are taken up at once.
func TestPools_Shutdown_cutsWhatResumes(t *testing.T) {
	onBoth(t, func(t *testing.T, address queue.Address) {
		client := newClient(t, address)
		g := newGate(true)
		pools := startPools(t, address, broadcastPool(0), queue.PoolOptions{Handlers: handlers(g), Logger: quiet()})
		mustEnqueue(t, client, tasks.NewSendChunk(chunk("c1", 1)))
		within(t, "the task to run", g.entered)
		if err := pools.Shutdown(t.Context()); err != nil {
			t.Fatalf("Shutdown error = %v", err)
		}
		info, err := asynq.NewInspectorFromRedisClient(rawRedis(t, address)).GetTaskInfo(tasks.QueueBroadcast, chunkTask("c1", 1))
		if err != nil {
			t.Fatal(err)
		}
		if info.Retried != 0 || info.State != asynq.TaskStateRetry || time.Until(info.NextProcessAt) > time.Second {
			t.Errorf("a cut task is %v, retried %d, next in %v, want to be retried now with no retry used",
				info.State, info.Retried, time.Until(info.NextProcessAt))
		}
	})
}

// A handler that heeds nothing is given up; Shutdown says which pool it was in.
func TestPools_Shutdown_endsWithItsContext(t *testing.T) {
	address := parse(t, testserver.Redis(t).URL())
	g := newGate(false)
	pools := startPools(t, address, broadcastPool(time.Minute), queue.PoolOptions{Handlers: handlers(g), Logger: quiet()})
	mustEnqueue(t, newClient(t, address), tasks.NewSendChunk(chunk("c1", 1)))
	within(t, "the task to run", g.entered)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := pools.Shutdown(ctx)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), tasks.QueueBroadcast) {
		t.Errorf("Shutdown error = %v, want one that names the pool", err)
	}
	close(g.release) // the clean-up waits for the same shutdown
}

// A frozen Redis holds asynq's servers; Shutdown does not wait for them beyond its context.
func TestPools_Shutdown_ofAFrozenRedis(t *testing.T) {
	s := testserver.Redis(t)
	g := newGate(true)
	close(g.release)
	pools := startPools(t, parse(t, s.URL()), broadcastPool(0), queue.PoolOptions{Handlers: handlers(g), Logger: quiet()})
	s.Freeze()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	start := time.Now()
	err := pools.Shutdown(ctx)
	if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took > 2*time.Second {
		t.Errorf("Shutdown of a frozen Redis = %v after %v, want its deadline after 300ms", err, took)
	}
	s.Thaw()
}

func TestPools_withoutPools(t *testing.T) {
	pools := startPools(t, parse(t, "redis://localhost"), nil, queue.PoolOptions{Logger: quiet()})
	if err := pools.Shutdown(t.Context()); err != nil {
		t.Errorf("Shutdown of no pools error = %v", err)
	}
}

func TestPools_Grace(t *testing.T) {
	pools, err := queue.NewPools(parse(t, "redis://localhost"), everyPool(t), queue.PoolOptions{Handlers: handlers(newGate(true))})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pools.Shutdown(context.Background()) }()
	if got, want := pools.Grace(), 90*time.Second; got != want {
		t.Errorf("Grace of the default pools = %v, want %v", got, want)
	}
}

// A task that fails is tried again soon, later each time, and when the peer says.
func TestPools_retryDelay(t *testing.T) {
	address := parse(t, testserver.Redis(t).URL())
	client := newClient(t, address)
	failed := make(chan struct{}, 16)
	startPools(t, address, broadcastPool(time.Second), queue.PoolOptions{Logger: quiet(),
		Handlers: handlers(asynq.HandlerFunc(func(ctx context.Context, _ *asynq.Task) error {
			defer func() { failed <- struct{}{} }()
			if id, _ := asynq.GetTaskID(ctx); id == chunkTask("throttled", 1) {
				return &fault.Error{Kind: fault.Throttled, Message: "slow down", RetryAfter: 2 * time.Minute}
			}
			return fault.New(fault.Unavailable, "not there")
		}))})
	official := asynq.NewInspectorFromRedisClient(rawRedis(t, address))
	tests := map[string]time.Duration{"unavailable": time.Second, "throttled": 2 * time.Minute}
	for id, want := range tests {
		mustEnqueue(t, client, tasks.NewSendChunk(chunk(id, 1)))
		within(t, "a failed run", failed)
		var info *asynq.TaskInfo
		eventually(t, id+" waits for its retry", func() bool {
			var err error
			info, err = official.GetTaskInfo(tasks.QueueBroadcast, chunkTask(id, 1))
			return err == nil && info.State == asynq.TaskStateRetry
		})
		if got := info.NextProcessAt.Sub(info.LastFailedAt); got < want-time.Second || got > want+time.Second {
			t.Errorf("%s is tried again after %v, want about %v", id, got, want)
		}
	}
}
