package queue_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/malgil/malgil/internal/queue"
	"github.com/malgil/malgil/internal/testserver"
	"github.com/malgil/malgil/tasks"
)

// onBoth runs a test on miniredis and on a real redis-server.
func onBoth(t *testing.T, test func(t *testing.T, address queue.Address)) {
	t.Run("miniredis", func(t *testing.T) {
		test(t, parse(t, "redis://"+miniredis.RunT(t).Addr()))
	})
	t.Run("redis-server", func(t *testing.T) {
		test(t, parse(t, testserver.Redis(t).URL()))
	})
}

func parse(t *testing.T, value string) queue.Address {
	t.Helper()
	address, err := queue.ParseAddress(value)
	if err != nil {
		t.Fatal(err)
	}
	return address
}

func newClient(t *testing.T, address queue.Address) *queue.Client {
	t.Helper()
	client := queue.NewClient(address.EnqueueClient())
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return client
}

func newInspector(t *testing.T, address queue.Address) *queue.Inspector {
	t.Helper()
	inspector := queue.NewInspector(address.InspectClient())
	t.Cleanup(func() {
		if err := inspector.Close(); err != nil {
			t.Error(err)
		}
	})
	return inspector
}

// rawRedis is a plain connection to look at keys and to break them.
func rawRedis(t *testing.T, address queue.Address) redis.UniversalClient {
	t.Helper()
	conn := address.ServerClient()
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func mustEnqueue(t *testing.T, client *queue.Client, task *asynq.Task) {
	t.Helper()
	if err := client.Enqueue(t.Context(), task); err != nil {
		t.Fatalf("Enqueue(%s) error = %v", task.Type(), err)
	}
}

func chunk(id string, epoch int) tasks.Row { return tasks.Row{ID: id, Epoch: epoch} }

func chunkTask(id string, epoch int) string {
	return tasks.RowTaskID(tasks.KindChunk, chunk(id, epoch))
}

// startPools starts pools and shuts them down at the end of the test.
func startPools(t *testing.T, address queue.Address, pools []queue.Pool, opts queue.PoolOptions) *queue.Pools {
	t.Helper()
	running, err := queue.NewPools(address, pools, opts)
	if err != nil {
		t.Fatal(err)
	}
	if err := running.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := running.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	return running
}

// broadcastPool is a fast pool for one queue.
func broadcastPool(drain time.Duration) []queue.Pool {
	return []queue.Pool{{Queue: tasks.QueueBroadcast, Servers: 1, Concurrency: 4, CheckInterval: 5 * time.Millisecond, Drain: drain}}
}

// gate is a handler that tells when it was entered and waits to be let go, or for its context
// when it heeds that.
type gate struct {
	entered chan struct{}
	release chan struct{}
	heeds   bool
	runs    atomic.Int64
}

func newGate(heeds bool) *gate {
	return &gate{entered: make(chan struct{}, 16), release: make(chan struct{}), heeds: heeds}
}

func (g *gate) ProcessTask(ctx context.Context, _ *asynq.Task) error {
	g.runs.Add(1)
	g.entered <- struct{}{}
	if !g.heeds {
		<-g.release
		return nil
	}
	select {
	case <-g.release:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// within waits for a channel and fails the test when that takes too long.
func within[T any](t *testing.T, what string, c <-chan T) (value T) {
	t.Helper()
	timeout := time.NewTimer(20 * time.Second)
	defer timeout.Stop()
	select {
	case value = <-c:
	case <-timeout.C:
		t.Fatalf("%s: nothing happened in 20 s", what)
	}
	return value
}

// eventually waits until a look at Redis shows what is wanted.
func eventually(t *testing.T, what string, look func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !look() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: not so after 20 s", what)
		}
	}
}
