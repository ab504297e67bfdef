package load

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// speakers is how many people say something, in turn.
const speakers = 1000

// generator posts utterances to a child, as Kakao does.
type generator struct {
	wires *wires
	body  func(n int64) string
	want  string // what the right answer holds

	next  atomic.Int64
	wrong atomic.Int64 // answers that were valid and not the right one
}

func newGenerator(c *child, path, want string, body func(n int64) string) *generator {
	return &generator{wires: newWires(c.listen, path), body: body, want: want}
}

func (g *generator) close() { g.wires.close() }

// post says something once.
func (g *generator) post(ctx context.Context, n int64) error {
	status, answer, err := g.wires.post(ctx, g.body(n))
	switch {
	case err != nil:
		return err
	case status != http.StatusOK || !bytes.Contains(answer, []byte(`"version":"2.0"`)):
		return fmt.Errorf("answer %d %s, want 200 and a skill response", status, answer)
	case !bytes.Contains(answer, []byte(g.want)):
		g.wrong.Add(1)
	}
	return nil
}

// closed has so many at a time say something again and again for a while, and returns how many
// were answered.
func (g *generator) closed(ctx context.Context, atATime int, length time.Duration) (answered int, err error) {
	end := time.Now().Add(length)
	return g.while(ctx, atATime, func(int64) bool { return time.Now().Before(end) })
}

// times has so many at a time say something, so many times together.
func (g *generator) times(ctx context.Context, atATime int, all int64) error {
	_, err := g.while(ctx, atATime, func(n int64) bool { return n <= all })
	return err
}

// while has so many at a time say something as long as the n-th is to be said, and returns how many
// were answered.
func (g *generator) while(ctx context.Context, atATime int, more func(n int64) bool) (answered int, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		all    atomic.Int64
		failed = make(chan error, 1)
		people sync.WaitGroup
	)
	for range atATime {
		people.Go(func() {
			for n := g.next.Add(1); ctx.Err() == nil && more(n); n = g.next.Add(1) {
				if err := g.post(ctx, n); err != nil {
					select {
					case failed <- err:
					default: // the first one tells
					}
					cancel()
					return
				}
				all.Add(1)
			}
		})
	}
	people.Wait()
	select {
	case err := <-failed:
		return 0, err
	default:
		return int(all.Load()), ctx.Err()
	}
}

// openLimit is how many may wait for their answers before an open loop gives up.
const openLimit = 20_000

// open has people speak at a rate, whether or not earlier ones were answered, and returns how
// long each was under way, from when it was to be said: what a slow answer holds up counts.
func (g *generator) open(ctx context.Context, rate float64, length time.Duration) (took []time.Duration, err error) {
	var (
		failed  error
		mu      sync.Mutex
		waiting atomic.Int64
		people  sync.WaitGroup
		begin   = time.Now()
	)
	runtime.LockOSThread() // it sleeps itself, see sleepUntil
	defer runtime.UnlockOSThread()
	for said := 0; ; said++ {
		due := begin.Add(time.Duration(float64(said) / rate * float64(time.Second)))
		if due.Sub(begin) >= length {
			break
		}
		sleepUntil(due)
		if waiting.Add(1) > openLimit || ctx.Err() != nil {
			people.Wait()
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			return nil, fmt.Errorf("%d utterances a second are more than are answered here", int(rate))
		}
		people.Go(func() {
			defer waiting.Add(-1)
			err := g.post(ctx, g.next.Add(1))
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = err
				return
			}
			took = append(took, time.Since(due))
		})
	}
	people.Wait()
	return took, failed
}

// Latency is how long something took, in milliseconds.
type Latency struct {
	P50   float64 `json:"p50_ms"`
	P99   float64 `json:"p99_ms"`
	Worst float64 `json:"worst_ms"`
}

func latencyOf(took []time.Duration) (l Latency) {
	if len(took) == 0 {
		return l
	}
	slices.Sort(took)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return Latency{ms(took[len(took)/2]), ms(took[len(took)*99/100]), ms(took[len(took)-1])}
}
