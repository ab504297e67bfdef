package answer

import (
	"context"
	"sync"
	"time"
)

// Bell wakes everybody who waits for something to have happened. The zero value is ready.
type Bell struct {
	mu   sync.Mutex
	next chan struct{}
}

// Ring wakes those who wait.
func (b *Bell) Ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next != nil {
		close(b.next)
		b.next = nil
	}
}

// Until calls ready, and again after each ring, until it says true, the time is over or the
// context ends. It returns what ready said last.
func (b *Bell) Until(ctx context.Context, limit time.Duration, ready func() bool) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		b.mu.Lock()
		if b.next == nil {
			b.next = make(chan struct{})
		}
		next := b.next
		b.mu.Unlock()
		if ready() {
			return true
		}
		select {
		case <-next:
		case <-ctx.Done():
			return ready()
		}
	}
}
