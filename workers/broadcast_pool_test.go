package workers_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/metrics"
	"github.com/malgil/malgil/internal/queue"
	"github.com/malgil/malgil/tasks"
	"github.com/malgil/malgil/workers"
)

// fleet is a pool of workers over a real queue and a real limiter, with chunks and a Kakao of the
// test's own. Every chunk is of 100 people.
type fleet struct {
	t       *testing.T
	queue   *queue.Client
	limiter *queue.Limiter
	pools   *queue.Pools

	rates    map[string]int                  // of bots, a second
	inFlight int                             // of each bot
	kakao    func(ctx context.Context) error // while it thinks

	asked chan string // bots that the limiter was asked for

	mu     sync.Mutex
	chunks map[broadcast.ChunkID]*broadcast.Chunk
	moved  *sync.Cond // whenever a chunk is
}

func newFleet(t *testing.T, rates map[string]int, inFlight int) *fleet {
	t.Helper()
	f := &fleet{t: t, rates: rates, inFlight: inFlight, chunks: make(map[broadcast.ChunkID]*broadcast.Chunk), asked: make(chan string, 64),
		kakao: func(context.Context) error { return nil }}
	f.moved = sync.NewCond(&f.mu)
	address, err := queue.ParseAddress("redis://" + miniredis.RunT(t).Addr())
	if err != nil {
		t.Fatal(err)
	}
	conn := address.ServerClient()
	t.Cleanup(func() { _ = conn.Close() })
	var ids atomic.Int64
	f.limiter = queue.NewLimiter(conn, func(prefix string) string { return fmt.Sprint(prefix, "_", ids.Add(1)) }, metrics.New(prometheus.NewRegistry()))
	f.queue = queue.NewClient(address.EnqueueClient())
	t.Cleanup(func() { _ = f.queue.Close() })
	sender := broadcast.NewSender(f, f, f, f, 30*time.Second, time.Now)
	f.pools, err = queue.NewPools(address,
		[]queue.Pool{{Queue: tasks.QueueBroadcast, Servers: 1, Concurrency: 4, CheckInterval: 5 * time.Millisecond, Drain: 20 * time.Second}},
		queue.PoolOptions{
			Handlers: map[string]asynq.Handler{tasks.QueueBroadcast: workers.SendChunk(sender)}, Logger: slog.New(slog.DiscardHandler),
		})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.pools.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.pools.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return f
}

// dispatch queues the n-th chunk of a bot and enqueues its task.
func (f *fleet) dispatch(bot string, n int) broadcast.ChunkID {
	f.t.Helper()
	id := broadcast.NewChunkID(broadcast.ID("brd_"+bot), n)
	f.mu.Lock()
	f.chunks[id] = &broadcast.Chunk{ID: id, BotID: bot, People: broadcast.MaxPeople, State: broadcast.Queued, Epoch: 1}
	f.mu.Unlock()
	if err := f.queue.Enqueue(f.t.Context(), tasks.NewSendChunk(tasks.Row{ID: string(id), Epoch: 1})); err != nil {
		f.t.Fatal(err)
	}
	return id
}

// move changes the state of a chunk of an epoch, when it is the one that it has to be.
func (f *fleet) move(id broadcast.ChunkID, epoch int, from, to broadcast.ChunkState) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.chunks[id]
	if c == nil || c.State != from || c.Epoch != epoch {
		return false
	}
	if c.State = to; to == broadcast.Planned {
		c.Epoch++
	}
	f.moved.Broadcast()
	return true
}

// wait returns when so many chunks are in a state.
func (f *fleet) wait(state broadcast.ChunkState, n int) {
	f.t.Helper()
	limit := time.AfterFunc(30*time.Second, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.t.Errorf("within 30 s only %d chunks are %s, want %d", f.count(state), state, n)
		n = 0
		f.moved.Broadcast()
	})
	defer limit.Stop()
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.count(state) < n {
		f.moved.Wait()
	}
}

// count counts chunks in a state; the lock is held.
func (f *fleet) count(state broadcast.ChunkState) (n int) {
	for _, c := range f.chunks {
		if c.State == state {
			n++
		}
	}
	return n
}

// wantStates says which chunks are in which state.
func (f *fleet) wantStates(want map[broadcast.ChunkID]broadcast.ChunkState) {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, state := range want {
		if got := f.chunks[id].State; got != state {
			f.t.Errorf("chunk %s is %s, want %s", id, got, state)
		}
	}
}

func (f *fleet) ChunkWork(_ context.Context, id broadcast.ChunkID, epoch int) (broadcast.Work, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.chunks[id]
	if c == nil || c.State != broadcast.Queued || c.Epoch != epoch {
		return broadcast.Work{}, false, nil
	}
	return broadcast.Work{Chunk: *c, RestKey: "rest-key", Rate: f.rates[c.BotID], InFlight: f.inFlight}, true, nil
}

func (f *fleet) ClaimChunk(_ context.Context, id broadcast.ChunkID, epoch int, _, _ time.Time) (bool, error) {
	return f.move(id, epoch, broadcast.Queued, broadcast.Sending), nil
}

func (f *fleet) ClaimSome(ctx context.Context, id broadcast.ChunkID, epoch int, now, lease time.Time) ([]broadcast.Recipient, bool, error) {
	ok, err := f.ClaimChunk(ctx, id, epoch, now, lease)
	return nil, ok, err
}

func (f *fleet) GiveBack(_ context.Context, id broadcast.ChunkID, epoch int, _ broadcast.Wait, _ time.Duration, _ time.Time) (bool, error) {
	return f.move(id, epoch, broadcast.Queued, broadcast.Planned), nil
}

func (f *fleet) RecordSend(_ context.Context, id broadcast.ChunkID, epoch int, v broadcast.Verdict, _ time.Time) (bool, error) {
	to := broadcast.InDoubt
	switch v.Outcome {
	case broadcast.Accepted:
		to = broadcast.Sent
	case broadcast.NotSent:
		to = broadcast.Planned
	default:
		f.t.Errorf("chunk %s is %s: %s", id, v.Outcome, v.Reason)
	}
	return f.move(id, epoch, broadcast.Sending, to), nil
}

func (f *fleet) Send(ctx context.Context, _ kakao.SendRequest) (kakao.SendReceipt, error) {
	return kakao.SendReceipt{TaskID: "task"}, f.kakao(ctx)
}

func (f *fleet) Acquire(ctx context.Context, bot string, messages, perSecond, inFlight int) (func(bool, error), error) {
	f.asked <- bot
	return f.limiter.Acquire(ctx, bot, messages, perSecond, inFlight)
}

func (f *fleet) ChunkSent(string, int) {}

// Four bots that have used their rate up keep none of four workers from a fifth bot.
func TestSendChunk_slowBotsHoldNoWorker(t *testing.T) {
	f := newFleet(t, map[string]int{"fast": 100_000, "slow-0": 6, "slow-1": 6, "slow-2": 6, "slow-3": 6}, 8)
	want := make(map[broadcast.ChunkID]broadcast.ChunkState)
	for n := range 4 {
		bot := fmt.Sprintf("slow-%d", n)
		used, err := f.limiter.Acquire(t.Context(), bot, broadcast.MaxPeople, f.rates[bot], 8)
		if err != nil {
			t.Fatal(err)
		}
		used(true, nil) // the next 100 people may be written to in 16.7 s
		want[f.dispatch(bot, 1)] = broadcast.Planned
	}
	for n := range 10 {
		want[f.dispatch("fast", n+1)] = broadcast.Sent
	}
	f.wait(broadcast.Sent, 10)
	f.wantStates(want)
}

// The process stops while a request is open and others wait for its slot: the open one is
// finished, the others never begin, and nothing is in doubt.
func TestSendChunk_processStops(t *testing.T) {
	f := newFleet(t, map[string]int{"bot": 100_000}, 1)
	began, answer := make(chan struct{}, 4), make(chan struct{})
	f.kakao = func(ctx context.Context) error {
		began <- struct{}{}
		select {
		case <-answer:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	want := map[broadcast.ChunkID]broadcast.ChunkState{f.dispatch("bot", 1): broadcast.Sent}
	select {
	case <-began:
	case <-time.After(30 * time.Second):
		t.Fatal("no request began within 30 s")
	}
	for n := range 3 {
		want[f.dispatch("bot", n+2)] = broadcast.Planned
	}
	for range 4 {
		<-f.asked
	}
	stopped := make(chan error, 1)
	go func() { stopped <- f.pools.Shutdown(context.Background()) }()
	f.wait(broadcast.Planned, 3) // given back, by patience or by the stop
	close(answer)
	if err := <-stopped; err != nil {
		t.Errorf("Shutdown = %v, want nil", err)
	}
	f.wantStates(want)
	if n := len(began); n != 0 {
		t.Errorf("%d more requests began, want none", n)
	}
}
