package queue_test

import (
	"context"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/malgil/malgil/internal/queue"
	"github.com/malgil/malgil/internal/testserver"
	"github.com/malgil/malgil/tasks"
)

// ringing is a pool of one slot with a bell, whose server looks for itself as rarely as it is told.
func ringing(interval time.Duration) []queue.Pool {
	return []queue.Pool{{Queue: tasks.QueueReply, Servers: 1, Concurrency: 1, CheckInterval: interval, Bell: true, Drain: time.Second}}
}

// startTelling runs pools that tell which tasks ran.
func startTelling(t *testing.T, address queue.Address, pools []queue.Pool) (ran <-chan string) {
	t.Helper()
	ids := make(chan string, 100)
	startPools(t, address, pools, queue.PoolOptions{Logger: quiet(), Handlers: handlers(asynq.HandlerFunc(func(ctx context.Context, _ *asynq.Task) error {
		id, _ := asynq.GetTaskID(ctx)
		ids <- id
		return nil
	}))})
	return ids
}

func said(id string) *asynq.Task {
	return asynq.NewTask("test:said", nil, asynq.Queue(tasks.QueueReply), asynq.TaskID(id), asynq.Timeout(time.Minute))
}

// Their server would look after half a minute at the earliest, and waits again when nothing comes for long.
func TestBell(t *testing.T) {
	onBoth(t, func(t *testing.T, address queue.Address) {
		ran := startTelling(t, address, ringing(time.Minute))
		client := newClient(t, address)
		for _, id := range []string{"first", "second", "third"} {
			mustEnqueue(t, client, said(id))
			if got := within(t, "a task to be taken", ran); got != id {
				t.Errorf("task %s ran, want %s", got, id)
			}
		}
		time.Sleep(1200 * time.Millisecond) // longer than one wait
		mustEnqueue(t, client, said("late"))
		within(t, "a task to be taken", ran)
	})
}

// Waiting changes nothing about the order.
func TestBell_order(t *testing.T) {
	onBoth(t, func(t *testing.T, address queue.Address) {
		ids := []string{"1", "2", "3", "4", "5", "6", "7", "8"}
		client, conn := newClient(t, address), rawRedis(t, address)
		for _, id := range ids[:4] {
			mustEnqueue(t, client, said(id))
		}
		for range 3 { // as others do who wait
			if err := conn.BLMove(t.Context(), "asynq:{reply}:pending", "asynq:{reply}:pending", "RIGHT", "RIGHT", time.Second).Err(); err != nil {
				t.Fatal(err)
			}
		}
		for _, id := range ids[4:] {
			mustEnqueue(t, client, said(id))
		}
		ran := startTelling(t, address, ringing(time.Minute))
		for _, id := range ids {
			if got := within(t, "a task to be taken", ran); got != id {
				t.Errorf("task %s ran, want %s", got, id)
			}
		}
	})
}

func TestBell_pausedQueue(t *testing.T) {
	onBoth(t, func(t *testing.T, address queue.Address) {
		inspector := newInspector(t, address)
		ran := startTelling(t, address, ringing(5*time.Millisecond))
		client := newClient(t, address)
		mustEnqueue(t, client, said("before"))
		within(t, "a task to be taken", ran)
		if err := inspector.SetPaused(t.Context(), tasks.QueueReply, true); err != nil {
			t.Fatal(err)
		}
		mustEnqueue(t, client, said("paused"))
		select {
		case id := <-ran:
			t.Fatalf("task %s ran while its queue was paused", id)
		case <-time.After(300 * time.Millisecond):
		}
		if err := inspector.SetPaused(t.Context(), tasks.QueueReply, false); err != nil {
			t.Fatal(err)
		}
		if got := within(t, "the task to be taken", ran); got != "paused" {
			t.Errorf("task %s ran, want the one that was paused", got)
		}
	})
}

// A Redis that forbids to wait is looked at as often as the pool says.
func TestBell_forbidden(t *testing.T) {
	address := parse(t, testserver.Redis(t).URL())
	if err := rawRedis(t, address).Do(t.Context(), "ACL", "SETUSER", "default", "-blmove").Err(); err != nil {
		t.Fatal(err)
	}
	ran := startTelling(t, address, ringing(5*time.Millisecond))
	client := newClient(t, address)
	for _, id := range []string{"first", "second"} {
		mustEnqueue(t, client, said(id))
		if got := within(t, "a task to be taken", ran); got != id {
			t.Errorf("task %s ran, want %s", got, id)
		}
	}
}

// Whoever waits for a task does not hold up the end of the process.
func TestBell_Shutdown(t *testing.T) {
	address := parse(t, testserver.Redis(t).URL())
	running, err := queue.NewPools(address, ringing(time.Millisecond), queue.PoolOptions{Logger: quiet(), Handlers: handlers(newGate(true))})
	if err != nil {
		t.Fatal(err)
	}
	if err := running.Start(); err != nil {
		t.Fatal(err)
	}
	conn := rawRedis(t, address)
	eventually(t, "the server waits", func() bool {
		return conn.InfoMap(t.Context(), "clients").Item("Clients", "blocked_clients") == "1"
	})
	begun := time.Now()
	if err := running.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took > 700*time.Millisecond {
		t.Errorf("Shutdown took %v, want less than a wait", took)
	}
}
