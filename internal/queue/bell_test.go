package queue_test

import (
	"context"
	"fmt"
	"strings"
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

// rarely is an interval after half of which a server looks for itself at the earliest. It sleeps as long when it ends.
const rarely = 10 * time.Second

// Their server waits, and waits again when nothing comes for long.
func TestBell(t *testing.T) {
	onBoth(t, func(t *testing.T, address queue.Address) {
		ran := startTelling(t, address, ringing(rarely))
		client := newClient(t, address)
		for _, id := range []string{"first", "second", "third", "late"} {
			if id == "late" {
				time.Sleep(1200 * time.Millisecond) // longer than one wait
			}
			begun := time.Now()
			mustEnqueue(t, client, said(id))
			if got := within(t, "a task to be taken", ran); got != id {
				t.Errorf("task %s ran, want %s", got, id)
			}
			if took := time.Since(begun); took >= rarely/2 {
				t.Errorf("task %s was taken after %v, when the server looked for itself", id, took)
			}
		}
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
		ran := startTelling(t, address, ringing(rarely))
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

// Two processes that wait for the same tasks both hear of each, and one of them takes it.
func TestBell_twoProcesses(t *testing.T) {
	onBoth(t, func(t *testing.T, address queue.Address) {
		ran := make(chan string, 200)
		for range 2 {
			its := startTelling(t, address, ringing(5*time.Millisecond))
			go func() {
				for id := range its {
					ran <- id
				}
			}()
		}
		client := newClient(t, address)
		const all = 100
		for i := range all {
			mustEnqueue(t, client, said(fmt.Sprint(i)))
			if i%10 == 0 {
				time.Sleep(20 * time.Millisecond) // until they wait again
			}
		}
		took := map[string]int{}
		for range all {
			took[within(t, "a task to be taken", ran)]++
		}
		for id, n := range took {
			if n > 1 {
				t.Errorf("task %s was taken %d times", id, n)
			}
		}
		if len(took) != all {
			t.Errorf("%d tasks were taken, want %d", len(took), all)
		}
	})
}

// Redis goes away while a server waits, and comes back.
func TestBell_redisRestarted(t *testing.T) {
	redis := testserver.Redis(t)
	address := parse(t, redis.URL())
	ran := startTelling(t, address, ringing(5*time.Millisecond))
	conn := rawRedis(t, address)
	eventually(t, "the server waits", func() bool {
		return conn.InfoMap(t.Context(), "clients").Item("Clients", "blocked_clients") == "1"
	})
	redis.Kill()
	redis.Restart()
	client := newClient(t, address)
	eventually(t, "Redis is back", func() bool { return conn.Ping(t.Context()).Err() == nil })
	mustEnqueue(t, client, said("after"))
	if got := within(t, "the task to be taken", ran); got != "after" {
		t.Errorf("task %s ran, want after", got)
	}
	eventually(t, "the server waits again", func() bool {
		return conn.InfoMap(t.Context(), "clients").Item("Clients", "blocked_clients") == "1"
	})
}

// A Redis that forbids to wait, or to ask how much is left, is looked at as often as the pool says, and no oftener.
func TestBell_forbidden(t *testing.T) {
	for _, command := range []string{"blmove", "llen"} {
		t.Run(command, func(t *testing.T) {
			address := parse(t, testserver.Redis(t).URL())
			conn := rawRedis(t, address)
			if err := conn.Do(t.Context(), "ACL", "SETUSER", "default", "-"+command).Err(); err != nil {
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
			if err := newInspector(t, address).SetPaused(t.Context(), tasks.QueueReply, true); err != nil {
				t.Fatal(err)
			}
			mustEnqueue(t, client, said("paused"))
			looks := func() int64 {
				n, err := conn.Do(t.Context(), "INFO", "commandstats").Text()
				if err != nil {
					t.Fatal(err)
				}
				var calls int64
				for line := range strings.Lines(n) {
					if stat, is := strings.CutPrefix(line, "cmdstat_evalsha:calls="); is {
						_, _ = fmt.Sscan(strings.ReplaceAll(stat, ",", " "), &calls)
					}
				}
				return calls
			}
			before := looks()
			time.Sleep(time.Second)
			if n := looks() - before; n > 800 { // every 2.5 ms at most, twice where something came meanwhile
				t.Errorf("a paused queue was looked at %d times in a second, want some 200", n)
			}
		})
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
