package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

// bench is work that is done together, each call's a word.
type bench struct {
	gathering[*string]
	mu    sync.Mutex
	turns []string // words of each turn
	hold  chan struct{}
}

func (b *bench) all(words []*string) {
	b.mu.Lock()
	var turn []string
	for _, word := range words {
		turn = append(turn, *word)
		*word += " done"
	}
	b.turns = append(b.turns, strings.Join(turn, ", "))
	b.mu.Unlock()
	<-b.hold
}

// call does a word, and tells what became of it.
func (b *bench) call(ctx context.Context, key, word string) <-chan string {
	end := make(chan string, 1)
	go func() {
		if err := b.do(ctx, key, &word, 3, b.all); err != nil {
			word = err.Error()
		}
		end <- word
	}()
	synctest.Wait()
	return end
}

func TestGathering(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bench{hold: make(chan struct{})}
		cancelled, cancel := context.WithCancel(t.Context())
		ends := map[string]<-chan string{"a": b.call(t.Context(), "w", "a")}
		for _, word := range []string{"b", "c"} {
			ends[word] = b.call(t.Context(), "w", word)
		}
		ends["x"] = b.call(cancelled, "w", "x")
		for _, word := range []string{"d", "e"} {
			ends[word] = b.call(t.Context(), "w", word)
		}
		ends["other"] = b.call(t.Context(), "w2", "other")
		cancel()
		synctest.Wait()
		if got := <-ends["x"]; got != context.Canceled.Error() {
			t.Errorf("a call whose context ended while it waited = %q, want %v", got, context.Canceled)
		}
		close(b.hold)
		for _, word := range []string{"a", "b", "c", "d", "e", "other"} {
			if got := <-ends[word]; got != word+" done" {
				t.Errorf("call %s = %q, want it done", word, got)
			}
		}
		synctest.Wait()
		slices.Sort(b.turns)
		want(t, "turns", b.turns, "a", "b, c, d", "e", "other")
		if len(b.rooms) != 0 {
			t.Errorf("%d rooms are left, want none", len(b.rooms))
		}
	})
}

// A call that was given to somebody is waited for, whatever its context says: it may be done.
func TestGathering_givenWorkIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bench{hold: make(chan struct{})}
		first := b.call(t.Context(), "w", "a")
		ctx, cancel := context.WithCancel(t.Context())
		var rest []<-chan string
		for n := range 2 {
			rest = append(rest, b.call(ctx, "w", fmt.Sprint(n)))
		}
		b.hold <- struct{}{} // the next turn begins
		<-first
		synctest.Wait()
		cancel()
		synctest.Wait()
		for _, end := range rest {
			select {
			case got := <-end:
				t.Errorf("a call returned %q while its work is under way", got)
			default:
			}
		}
		close(b.hold)
		for n, end := range rest {
			if got := <-end; got != fmt.Sprint(n, " done") {
				t.Errorf("call %d = %q, want it done", n, got)
			}
		}
	})
}

// Work that panics takes its own call along and leaves nobody waiting.
func TestGathering_panic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g gathering[int]
		begun, go1 := make(chan struct{}), make(chan struct{})
		first, second := make(chan any, 1), make(chan error, 1)
		go func() {
			defer func() { first <- recover() }()
			_ = g.do(t.Context(), "w", 1, 3, func([]int) {
				close(begun)
				<-go1
				panic("oops")
			})
		}()
		<-begun
		go func() { second <- g.do(t.Context(), "w", 2, 3, func([]int) {}) }()
		synctest.Wait()
		close(go1)
		if got := <-first; got != "oops" {
			t.Errorf("do() of work that panics panics with %v, want oops", got)
		}
		if err := <-second; err != nil {
			t.Errorf("do() behind a panic = %v, want nil", err)
		}
	})
}
