package queue_test

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/queue"
	"github.com/malgil/malgil/internal/testserver"
	"github.com/malgil/malgil/tasks"
)

// An outage costs whoever waits at most this. The enqueue gives up after 300 ms.
const failFast = 500 * time.Millisecond

func TestClient_Enqueue(t *testing.T) {
	onBoth(t, func(t *testing.T, address queue.Address) {
		client, inspector := newClient(t, address), newInspector(t, address)
		mustEnqueue(t, client, tasks.NewSendChunk(chunk("c1", 1)))
		if got := fates(t, inspector, chunkTask("c1", 1)); got[0] != queue.Waiting {
			t.Errorf("fate after Enqueue = %v, want waiting", got[0])
		}
		look := asynq.NewInspectorFromRedisClient(address.InspectClient())
		defer look.Close()
		info, err := look.GetTaskInfo(tasks.QueueBroadcast, chunkTask("c1", 1))
		if err != nil {
			t.Fatal(err)
		}
		ms, err := strconv.ParseInt(info.Headers[tasks.EnqueuedHeader], 10, 64)
		if age := time.Since(time.UnixMilli(ms)); err != nil || age < -time.Second || age > time.Minute {
			t.Errorf("the task says that it was enqueued %v ago, %v", age, err)
		}
	})
}

func TestClient_Enqueue_aTakenTaskIDIsProbablyQueued(t *testing.T) {
	onBoth(t, func(t *testing.T, address queue.Address) {
		client, inspector := newClient(t, address), newInspector(t, address)
		for range 2 {
			mustEnqueue(t, client, tasks.NewSendChunk(chunk("c1", 1)))
		}
		if got := depth(t, inspector, tasks.QueueBroadcast); got.Pending != 1 {
			t.Errorf("pending after two enqueues of one task = %d, want 1", got.Pending)
		}
	})
}

func TestClient_Enqueue_failsFast(t *testing.T) {
	tests := map[string]func(t *testing.T) string{ // each returns the address of a Redis in trouble
		"frozen before the first connection": func(t *testing.T) string {
			s := testserver.Redis(t)
			s.Freeze()
			return s.URL()
		},
		"nobody listens": func(t *testing.T) string {
			s := testserver.Redis(t)
			s.Kill()
			return s.URL()
		},
		"a peer that says nothing": func(t *testing.T) string {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = l.Close() })
			return "redis://" + l.Addr().String()
		},
	}
	for name, trouble := range tests {
		t.Run(name, func(t *testing.T) {
			wantFailFast(t, newClient(t, parse(t, trouble(t))))
		})
	}
}

func wantFailFast(t *testing.T, client *queue.Client) {
	t.Helper()
	start := time.Now()
	err := client.Enqueue(t.Context(), tasks.NewSendChunk(chunk("c1", 1)))
	took := time.Since(start)
	if fault.KindOf(err) != fault.InDoubt {
		t.Errorf("Enqueue error = %v of kind %v, want one of kind in_doubt", err, fault.KindOf(err))
	}
	if took > failFast {
		t.Errorf("Enqueue took %v, want at most %v", took, failFast)
	}
}

func TestClient_Enqueue_recoversFromAFreeze(t *testing.T) {
	s := testserver.Redis(t)
	client := newClient(t, parse(t, s.URL()))
	mustEnqueue(t, client, tasks.NewSendChunk(chunk("c0", 1))) // a connection is open
	s.Freeze()
	wantFailFast(t, client)
	s.Thaw()
	mustEnqueue(t, client, tasks.NewSendChunk(chunk("c2", 1)))
}

func TestClient_EnqueueAll(t *testing.T) {
	onBoth(t, func(t *testing.T, address queue.Address) {
		client, inspector := newClient(t, address), newInspector(t, address)
		mustEnqueue(t, client, tasks.NewSendChunk(chunk("c7", 1))) // one is there already
		if n, err := client.EnqueueAll(t.Context(), many(500)); n != 500 || err != nil {
			t.Errorf("EnqueueAll(500 tasks) = %d, %v, want 500", n, err)
		}
		if got := depth(t, inspector, tasks.QueueBroadcast); got.Pending != 500 {
			t.Errorf("pending = %d, want 500", got.Pending)
		}
		if n, err := client.EnqueueAll(t.Context(), nil); n != 0 || err != nil {
			t.Errorf("EnqueueAll(no tasks) = %d, %v, want 0", n, err)
		}
	})
}

func many(n int) []*asynq.Task {
	made := make([]*asynq.Task, n)
	for i := range made {
		made[i] = tasks.NewSendChunk(chunk(fmt.Sprintf("c%d", i), 1))
	}
	return made
}

func TestClient_EnqueueAll_givesUpInAnOutage(t *testing.T) {
	s := testserver.Redis(t)
	client := newClient(t, parse(t, s.URL()))
	mustEnqueue(t, client, tasks.NewSendChunk(chunk("c0", 1)))
	s.Freeze()
	start := time.Now()
	n, err := client.EnqueueAll(t.Context(), many(2000))
	took := time.Since(start)
	if n != 0 || fault.KindOf(err) != fault.InDoubt {
		t.Errorf("EnqueueAll on a frozen Redis = %d, %v, want 0 and an error of kind in_doubt", n, err)
	}
	if took > 2*failFast { // two waves at most
		t.Errorf("EnqueueAll on a frozen Redis took %v, want at most %v", took, 2*failFast)
	}
}

func TestClient_EnqueueAll_endsWithItsContext(t *testing.T) {
	client := newClient(t, parse(t, testserver.Redis(t).URL()))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if n, err := client.EnqueueAll(ctx, many(100)); n != 0 || err == nil {
		t.Errorf("EnqueueAll with an ended context = %d, %v, want 0 and an error", n, err)
	}
}

// FLUSHALL takes tasks away and frees their IDs; a client goes on with the next epoch.
func TestClient_Enqueue_afterFlushAll(t *testing.T) {
	s := testserver.Redis(t)
	address := parse(t, s.URL())
	client, inspector := newClient(t, address), newInspector(t, address)
	mustEnqueue(t, client, tasks.NewSendChunk(chunk("c1", 1)))
	s.FlushAll()
	if got := fates(t, inspector, chunkTask("c1", 1)); got[0] != queue.Missing {
		t.Errorf("fate after FLUSHALL = %v, want missing", got[0])
	}
	mustEnqueue(t, client, tasks.NewSendChunk(chunk("c1", 2)))
	if got := fates(t, inspector, chunkTask("c1", 2)); got[0] != queue.Waiting {
		t.Errorf("fate of the next epoch = %v, want waiting", got[0])
	}
}
