package queue

import (
	"context"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

const (
	mailboxBuffer = 4096    // words that may wait for the one goroutine that hands them out
	longAnswer    = 8 << 10 // bytes; a longer answer stays where it is
)

// Mailbox is where one intake process hears of answers: one subscription, however many wait. A word
// may be lost and may come without an answer, so whoever is told nothing more looks at the
// [Exchange], and whose time is over looks there too. It is safe for concurrent use.
type Mailbox struct {
	name  string
	ready chan struct{}
	stop  context.CancelFunc
	done  chan struct{}

	mu      sync.Mutex
	waiting map[string][]chan []byte
}

// OpenMailbox returns a mailbox that listens until it is closed, also over outages of Redis:
// it does not wait for Redis to be there. The name is unique to the process.
func OpenMailbox(conn redis.UniversalClient, name string) *Mailbox {
	ctx, cancel := context.WithCancel(context.Background())
	m := &Mailbox{
		name: name, ready: make(chan struct{}), stop: cancel, done: make(chan struct{}),
		waiting: map[string][]chan []byte{},
	}
	go m.listen(ctx, conn)
	return m
}

// Name returns the channel that [Exchange.Tell] takes.
func (m *Mailbox) Name() string { return m.name }

// Ready is closed when the mailbox hears for the first time.
func (m *Mailbox) Ready() <-chan struct{} { return m.ready }

// Expect returns a channel that receives the answer to an utterance, or nothing when it may be
// decided. Call it before the work is ordered, and forget when done.
func (m *Mailbox) Expect(id string) (told <-chan []byte, forget func()) {
	c := make(chan []byte, 1)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.waiting[id] = append(m.waiting[id], c)
	return c, func() { m.forget(id, c) }
}

func (m *Mailbox) forget(id string, c chan []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := m.waiting[id]
	for i := range all {
		if all[i] == c {
			m.waiting[id] = append(all[:i], all[i+1:]...)
			break
		}
	}
	if len(m.waiting[id]) == 0 {
		delete(m.waiting, id)
	}
}

// Close stops listening. Nobody is told any more.
func (m *Mailbox) Close() {
	m.stop()
	<-m.done
}

func (m *Mailbox) listen(ctx context.Context, conn redis.UniversalClient) {
	defer close(m.done)
	subscription := conn.Subscribe(ctx, m.name) // go-redis renews it after every cut
	defer subscription.Close()
	first := true
	hints := subscription.ChannelWithSubscriptions(redis.WithChannelSize(mailboxBuffer))
	for {
		select {
		case <-ctx.Done():
			return
		case hint, open := <-hints:
			if !open {
				return
			}
			switch hint := hint.(type) {
			case *redis.Message:
				m.tell(hint.Payload)
			case *redis.Subscription:
				m.tellAll() // what was published during a cut is lost
				if first {
					close(m.ready)
					first = false
				}
			}
		}
	}
}

func (m *Mailbox) tell(word string) {
	id, answer, _ := strings.Cut(word, "\n")
	m.mu.Lock()
	defer m.mu.Unlock()
	wake(m.waiting[id], []byte(answer))
}

func (m *Mailbox) tellAll() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, all := range m.waiting {
		wake(all, nil)
	}
}

func wake(all []chan []byte, answer []byte) {
	for _, c := range all {
		select {
		case c <- answer:
		default: // told already
		}
	}
}
