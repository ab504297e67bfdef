package scheduler

import (
	"context"
	"sync"
	"time"

	"github.com/malgil/malgil/internal/store"
)

// BeatStore keeps signs of life.
type BeatStore interface {
	PutBeats(ctx context.Context, beats []store.Beat) error
}

const (
	beatEvery = 30 * time.Second
	// beatLate is how much longer than its period and its deadline a loop may be silent: until what it gave is
	// kept, and clocks that are apart.
	beatLate = 2 * time.Minute
)

// Beats are a [Meter] that also remembers when each loop last ended without an error, and keeps that where
// other processes see it.
type Beats struct {
	Meter
	store BeatStore
	now   func() time.Time

	mu    sync.Mutex
	beats []store.Beat
	kept  time.Time
}

// NewBeats returns beats over the meter of some loops.
func NewBeats(s BeatStore, loops []Loop, meter Meter, now func() time.Time) *Beats {
	b := &Beats{Meter: meter, store: s, now: now}
	for _, loop := range loops {
		b.beats = append(b.beats, store.Beat{Loop: loop.Name, Since: now(), Silent: loop.Every + loop.Within + beatLate})
	}
	return b
}

// LoopRan notes one run.
func (b *Beats) LoopRan(name string, took time.Duration, err error) {
	b.Meter.LoopRan(name, took, err)
	if err != nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.beats {
		if b.beats[i].Loop == name {
			b.beats[i].At = b.now()
		}
	}
}

// Keep keeps the signs of life, at most every 30 s.
func (b *Beats) Keep(ctx context.Context) error {
	b.mu.Lock()
	now := b.now()
	if !b.kept.IsZero() && now.Sub(b.kept) < beatEvery {
		b.mu.Unlock()
		return nil
	}
	beats := append([]store.Beat{}, b.beats...)
	b.mu.Unlock()
	if err := b.store.PutBeats(ctx, beats); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.kept = now
	return nil
}
