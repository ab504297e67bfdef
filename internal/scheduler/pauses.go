package scheduler

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/malgil/malgil/internal/backlog"
)

// PauseStore is where the queues stand that are to be paused.
type PauseStore interface {
	Pauses(ctx context.Context) ([]backlog.Pause, error)
	EndPauses(ctx context.Context, now time.Time) (int, error)
}

// Brake stops queues, and lets them go.
type Brake interface {
	Paused(ctx context.Context, queues []string) (map[string]bool, error)
	SetPaused(ctx context.Context, queue string, paused bool) error
}

// brakeTime is how long Redis is waited for: what runs beside this needs SQL only, and must not stand with Redis.
const brakeTime = 2 * time.Second

// Pauses makes Redis pause the queues that are paused in SQL, and no others: also after Redis was emptied,
// and after somebody paused a queue past us.
type Pauses struct {
	store  PauseStore
	brake  Brake
	queues []string
	now    func() time.Time
	stand  atomic.Pointer[map[string]bool]
}

// NewPauses returns pauses of some queues.
func NewPauses(s PauseStore, b Brake, queues []string, now func() time.Time) *Pauses {
	return &Pauses{store: s, brake: b, queues: queues, now: now}
}

// Paused reports whether a queue was to stand still at the last [Pauses.Run].
func (p *Pauses) Paused(queue string) bool {
	stand := p.stand.Load()
	return stand != nil && (*stand)[queue]
}

// Run ends the pauses whose time is over and makes Redis agree with the others. What it cannot set on one
// queue keeps no other from it. A Redis that does not answer is left alone after two seconds, until the next run.
func (p *Pauses) Run(ctx context.Context) error {
	_, ended := p.store.EndPauses(ctx, p.now())
	pauses, err := p.store.Pauses(ctx)
	if err != nil {
		return errors.Join(ended, err)
	}
	want := make(map[string]bool, len(pauses))
	for _, pause := range pauses {
		want[pause.Queue] = pause.Until.After(p.now())
	}
	p.stand.Store(&want)
	ctx, cancel := context.WithTimeout(ctx, brakeTime)
	defer cancel()
	is, err := p.brake.Paused(ctx, p.queues)
	if err != nil {
		return errors.Join(ended, err)
	}
	failed := []error{ended}
	for _, name := range p.queues {
		if is[name] == want[name] {
			continue
		}
		if err := p.brake.SetPaused(ctx, name, want[name]); err != nil {
			failed = append(failed, err)
		}
	}
	if err := errors.Join(failed...); err != nil {
		return fmt.Errorf("make the queue agree with what is paused: %w", err)
	}
	return nil
}
