package store

import (
	"context"
	"sync"
)

// gathering brings calls of one kind together that come at the same time and need the same lock:
// while one is at work for all that came before, the next wait, and then go together. A call that
// comes alone does not wait. The zero value is ready for use.
type gathering[T any] struct {
	mu    sync.Mutex
	rooms map[string]*room[T]
}

// room is where the calls wait that need one lock.
type room[T any] struct {
	inside  int
	turn    chan struct{} // taken by the call that works for all
	waiting []*gathered[T]
}

// gathered is one call. Its work is written to while it is not done, and read afterwards.
type gathered[T any] struct {
	work T
	done chan struct{}
}

// do waits until work, together with other work for the same key, at most so much at a time, has
// been given to all, and has returned. It gives up with the context as long as the work is not
// given to anybody.
func (g *gathering[T]) do(ctx context.Context, key string, work T, most int, all func([]T)) error {
	call := &gathered[T]{work: work, done: make(chan struct{})}
	r := g.enter(key, call)
	defer g.leave(key, r)
	for {
		select {
		case <-call.done:
			return nil
		case r.turn <- struct{}{}:
			g.work(r, most, all)
		case <-ctx.Done():
			if g.withdraw(r, call) {
				return ctx.Err()
			}
			<-call.done
			return nil
		}
	}
}

func (g *gathering[T]) enter(key string, call *gathered[T]) *room[T] {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.rooms == nil {
		g.rooms = make(map[string]*room[T])
	}
	r := g.rooms[key]
	if r == nil {
		r = &room[T]{turn: make(chan struct{}, 1)}
		g.rooms[key] = r
	}
	r.inside++
	r.waiting = append(r.waiting, call)
	return r
}

func (g *gathering[T]) leave(key string, r *room[T]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if r.inside--; r.inside == 0 {
		delete(g.rooms, key)
	}
}

// work takes a turn for those who wait, and gives the turn back.
func (g *gathering[T]) work(r *room[T], most int, all func([]T)) {
	defer func() { <-r.turn }()
	g.mu.Lock()
	n := min(len(r.waiting), most)
	calls := r.waiting[:n:n]
	r.waiting = r.waiting[n:]
	g.mu.Unlock()
	if n == 0 {
		return // somebody worked for all meanwhile
	}
	defer func() { // also when all panics: nobody waits for ever
		for _, call := range calls {
			close(call.done)
		}
	}()
	work := make([]T, n)
	for i, call := range calls {
		work[i] = call.work
	}
	all(work)
}

// withdraw reports whether a call could be taken back.
func (g *gathering[T]) withdraw(r *room[T], call *gathered[T]) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, one := range r.waiting {
		if one == call {
			r.waiting = append(r.waiting[:i:i], r.waiting[i+1:]...)
			return true
		}
	}
	return false
}
