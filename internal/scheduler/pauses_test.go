package scheduler_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/malgil/malgil/internal/backlog"
	"github.com/malgil/malgil/internal/scheduler"
	"github.com/malgil/malgil/tasks"
)

// brake is a Redis that can be broken for one queue.
type brake struct {
	scheduler.Brake
	broken string
}

func (b brake) SetPaused(ctx context.Context, name string, paused bool) error {
	if name == b.broken {
		return errors.New("out of order")
	}
	return b.Brake.SetPaused(ctx, name, paused)
}

// Redis pauses what SQL says: from the row on until its time is over, after it was emptied, and not what
// somebody paused past us.
func TestPauses(t *testing.T) {
	h := newHouse(t)
	clock := func() time.Time { return h.now }
	pauses := scheduler.NewPauses(h.store, h.inspector, tasks.Queues, clock)
	want := func(what string, names ...string) {
		t.Helper()
		h.must(pauses.Run(t.Context()))
		is, err := h.inspector.Paused(t.Context(), tasks.Queues)
		h.must(err)
		for _, name := range tasks.Queues {
			if should := slices.Contains(names, name); is[name] != should || pauses.Paused(name) != should {
				t.Errorf("%s: queue %s is paused = %v, told %v, want %v", what, name, is[name], pauses.Paused(name), should)
			}
		}
	}
	put := func(name string, until time.Duration) {
		t.Helper()
		_, err := h.store.PutPause(t.Context(), backlog.Pause{Queue: name, Until: h.now.Add(until), Reason: "r", By: "acc_1", Since: h.now})
		h.must(err)
	}
	if pauses.Paused(tasks.QueueMail) {
		t.Error("a queue is paused before anybody looked")
	}
	want("at first")
	put(tasks.QueueMail, time.Hour)
	put(tasks.QueueBilling, time.Minute)
	want("with two rows", tasks.QueueMail, tasks.QueueBilling)
	h.must(h.raw().FlushAll(t.Context()).Err())
	want("after FLUSHALL", tasks.QueueMail, tasks.QueueBilling)
	h.now = h.now.Add(time.Minute)
	want("when one is over", tasks.QueueMail)
	if n := h.count(`SELECT COUNT(*) FROM queue_pause`); n != 1 {
		t.Errorf("%d rows are left, want the one that stands", n)
	}
	h.must(h.store.DropPause(t.Context(), tasks.QueueMail))
	want("when the other was ended")
	h.must(h.archiver.PauseQueue(tasks.QueueResult))
	want("when somebody paused one past us")

	put(tasks.QueueMail, time.Hour)
	put(tasks.QueueResult, time.Hour)
	broken := scheduler.NewPauses(h.store, brake{h.inspector, tasks.QueueResult}, tasks.Queues, clock)
	if err := broken.Run(t.Context()); err == nil {
		t.Error("Run with a queue that cannot be paused error = nil")
	}
	is, err := h.inspector.Paused(t.Context(), tasks.Queues)
	if h.must(err); !is[tasks.QueueMail] || is[tasks.QueueResult] {
		t.Errorf("Paused = %v, want mail paused although another could not be", is)
	}
}

// frozen is a Redis that takes what it is asked and never answers.
type frozen struct{}

func (frozen) Paused(ctx context.Context, _ []string) (map[string]bool, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (frozen) SetPaused(ctx context.Context, _ string, _ bool) error {
	<-ctx.Done()
	return ctx.Err()
}

// pauseRows are the queues that are to be paused.
type pauseRows []backlog.Pause

func (p pauseRows) Pauses(context.Context) ([]backlog.Pause, error)   { return p, nil }
func (p pauseRows) EndPauses(context.Context, time.Time) (int, error) { return 0, nil }

// A Redis that does not answer leaves the sweep, which shares the deadline, its time; what SQL says counts all the same.
func TestPauses_frozenRedis(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		rows := pauseRows{{Queue: tasks.QueueBroadcast, Until: begun.Add(time.Hour)}}
		pauses := scheduler.NewPauses(rows, frozen{}, tasks.Queues, time.Now)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := pauses.Run(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Run error = %v, want that Redis took too long", err)
		}
		if took := time.Since(begun); took > 5*time.Second || ctx.Err() != nil {
			t.Errorf("Run took %v and left the context with %v, want a few seconds and nothing", took, ctx.Err())
		}
		if !pauses.Paused(tasks.QueueBroadcast) {
			t.Error("broadcast is not known to be paused")
		}
	})
}
