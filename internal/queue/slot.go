package queue

import (
	"context"
	"runtime/debug"
	"sync"

	"github.com/hibiken/asynq"
)

// slot is the one that a running task has of its pool.
type slot struct {
	pool  *pool
	given chan struct{} // closed when it is given back
	keep  func() bool   // stops the task's context from ending with asynq's
	once  sync.Once
}

// slotKey is where the context of a task keeps its slot.
type slotKey struct{}

// GiveBack gives the slot of a task back to its pool while its handler goes on: for a handler that is
// about to wait for long. From then on the task is done, whatever the handler returns or asynq
// does. The handler's context ends at the task's timeout, and with the pool's Drain when the process stops, which waits
// for it. Whoever calls it bounds how many do. A second call does nothing, nor does one outside of a pool.
func GiveBack(ctx context.Context) {
	s, ok := ctx.Value(slotKey{}).(*slot)
	if !ok || s.pool.cut.Err() != nil {
		return
	}
	s.once.Do(func() {
		s.keep()
		s.pool.loose.Add(1)
		close(s.given)
	})
}

// ProcessTask runs the pool's handler, beside asynq's goroutine so that it can outlive it, with a context that also
// ends when the pool is cut.
func (p *pool) ProcessTask(theirs context.Context, task *asynq.Task) error {
	s := &slot{pool: p, given: make(chan struct{})}
	ctx := context.WithValue(context.WithValue(context.WithoutCancel(theirs), stopKey{}, p.stop), slotKey{}, s)
	var cancel context.CancelFunc
	if until, ends := theirs.Deadline(); ends {
		ctx, cancel = context.WithDeadline(ctx, until)
	} else {
		ctx, cancel = context.WithCancel(ctx)
	}
	s.keep = context.AfterFunc(theirs, cancel)
	uncut := context.AfterFunc(p.cut, cancel)

	ended := make(chan run, 1)
	go func() {
		defer cancel()
		defer uncut()
		ended <- p.run(ctx, task)
		if s.isGiven() {
			p.loose.Done()
		}
	}()
	return s.outcome(ended)
}

// outcome waits for what asynq is told of a run: that its task is done, once the slot is given back, else how
// it ended. It panics as the run did.
func (s *slot) outcome(ended <-chan run) error {
	select {
	case <-s.given:
		return nil
	case r := <-ended:
		s.keep()
		switch {
		case s.isGiven(): // at the same moment
			return nil
		case r.panicked != nil:
			panic(r.panicked) // as if it had run here
		}
		return r.err
	}
}

func (s *slot) isGiven() bool {
	select {
	case <-s.given:
		return true
	default:
		return false
	}
}

// run is how a run of a handler ended.
type run struct {
	err      error
	panicked any
}

func (p *pool) run(ctx context.Context, task *asynq.Task) (r run) {
	defer func() {
		if r.panicked = recover(); r.panicked != nil {
			p.log.Error("a handler panicked", "task_type", task.Type(), "stack", string(debug.Stack()))
		}
	}()
	return run{err: p.handler.ProcessTask(ctx, task)}
}
