package scheduler

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/malgil/malgil/internal/clock"
)

// Mover moves the clock of a demo or a test forward, so that a settlement need not be waited for.
type Mover struct {
	Clock *clock.Clock
	Sweep func(ctx context.Context) error
	// Busy reports whether what a stop began is still under way.
	Busy func(ctx context.Context, now time.Time) (bool, error)
	// Moments returns other times of day at which something falls due, of the day that begins at a
	// midnight, in order.
	Moments func(midnight time.Time) []time.Time
	// Spread is how long after a settlement moment the last wallet's turn comes.
	Spread time.Duration
}

// settleWait bounds how long a jump waits at one stop for what fell due: an unknown outcome
// may take longer, and the next stop finds it as it is.
const settleWait = 10 * time.Second

// MoveTo moves the clock and returns when the work of the new time has been found. A jump stops
// at every 00:00 in Korea on its way, when the last turn of a spread settlement has come, and at the
// moments of each day, and lets run what fell due, so that five midnights are five settlements in order.
// Backward is a Conflict.
func (m *Mover) MoveTo(ctx context.Context, to time.Time) error {
	now := m.Clock.Now()
	if to.Before(now) {
		return m.Clock.MoveTo(to) // says why not
	}
	for midnight := clock.Midnight(now); midnight.Before(to); midnight = midnight.Add(24 * time.Hour) {
		for _, stop := range m.stops(midnight) {
			if !stop.After(now) || !stop.Before(to) {
				continue
			}
			if err := m.step(ctx, stop); err != nil {
				return err
			}
		}
	}
	return m.step(ctx, to)
}

// stops returns when a jump stops on a day.
func (m *Mover) stops(midnight time.Time) []time.Time {
	stops := []time.Time{midnight}
	if m.Spread > 0 {
		stops = append(stops, midnight.Add(m.Spread))
	}
	if m.Moments != nil {
		stops = append(stops, m.Moments(midnight)...)
	}
	slices.SortFunc(stops, time.Time.Compare)
	return stops
}

func (m *Mover) step(ctx context.Context, to time.Time) error {
	// It refuses only to go back: the clock flows while work runs, and may have passed by.
	_ = m.Clock.MoveTo(to)
	if err := m.Sweep(ctx); err != nil {
		return fmt.Errorf("sweep at %s: %w", to.Format(time.RFC3339), err)
	}
	ctx, cancel := context.WithTimeout(ctx, settleWait)
	defer cancel()
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for {
		busy, err := m.Busy(ctx, m.Clock.Now())
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("wait for what is under way at %s: %w", to.Format(time.RFC3339), err)
		}
		if !busy && err == nil {
			return nil
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return nil
		}
	}
}
