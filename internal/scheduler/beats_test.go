package scheduler_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/scheduler"
	"github.com/malgil/malgil/internal/store"
)

// kept keeps the signs of life that it is told, or fails.
type kept struct {
	calls  int
	beats  []store.Beat
	broken error
}

func (k *kept) PutBeats(_ context.Context, beats []store.Beat) error {
	k.calls++
	if k.broken == nil {
		k.beats = beats
	}
	return k.broken
}

// ran is a meter that counts.
type ran int

func (r *ran) LoopRan(string, time.Duration, error) { *r++ }

func TestBeats(t *testing.T) {
	now := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	began := now
	k, meter := &kept{}, new(ran)
	loops := []scheduler.Loop{{Name: "sweep", Every: time.Second, Within: time.Minute}, {Name: "books", Every: time.Minute, Within: time.Minute}}
	b := scheduler.NewBeats(k, loops, meter, func() time.Time { return now })
	keep := func(wantCalls int, sweep, books time.Time) {
		t.Helper()
		want := []store.Beat{{Loop: "sweep", At: sweep, Since: began, Silent: 3*time.Minute + time.Second}, {Loop: "books", At: books, Since: began, Silent: 4 * time.Minute}}
		if err := b.Keep(t.Context()); !errors.Is(err, k.broken) || k.calls != wantCalls || !slices.Equal(k.beats, want) {
			t.Errorf("Keep() error = %v after %d calls, kept %+v, want %d calls and %+v", err, k.calls, k.beats, wantCalls, want)
		}
	}
	keep(1, time.Time{}, time.Time{}) // that there is such a loop, which has not ended yet
	b.LoopRan("sweep", time.Millisecond, nil)
	b.LoopRan("books", time.Millisecond, errors.New("a wallet is locked"))
	now = now.Add(29 * time.Second)
	keep(1, time.Time{}, time.Time{})
	now = now.Add(time.Second)
	swept := now.Add(-30 * time.Second)
	keep(2, swept, time.Time{})
	b.LoopRan("books", time.Millisecond, nil)
	compared := now
	now = now.Add(30 * time.Second)
	k.broken = errors.New("the database is away")
	keep(3, swept, time.Time{}) // and again at once, since it is not kept
	k.broken = nil
	keep(4, swept, compared)
	if *meter != 3 {
		t.Errorf("the meter was told of %d runs, want 3", *meter)
	}
}
