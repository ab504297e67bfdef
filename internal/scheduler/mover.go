package scheduler

import (
	"context"
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/clock"
)

// Mover moves the clock of a demo or a test forward, so that a settlement need not be waited for.
type Mover struct {
	Clock *clock.Clock
	Sweep func(ctx context.Context) error
	// Busy reports whether charges that a settlement began are still under way.
	Busy func(ctx context.Context, now time.Time) (bool, error)
	// Spread is how long after a settlement moment the last wallet's turn comes.
	Spread time.Duration
}

// settleWait bounds how long a jump waits at one midnight for its charges: an unknown outcome
// may take longer, and the next midnight finds it as it is.
const settleWait = 10 * time.Second

// MoveTo moves the clock and returns when the work of the new time has been found. A jump stops
// at every 00:00 in Korea on its way, and when the last turn of a spread settlement has come, and
// lets the settlement run, so that five midnights are five settlements in order. Backward is a Conflict.
func (m *Mover) MoveTo(ctx context.Context, to time.Time) error {
	if to.Before(m.Clock.Now()) {
		return m.Clock.MoveTo(to) // says why not
	}
	for midnight := clock.NextMidnight(m.Clock.Now()); midnight.Before(to); midnight = midnight.Add(24 * time.Hour) {
		if err := m.step(ctx, midnight); err != nil {
			return err
		}
		if turns := midnight.Add(m.Spread); m.Spread > 0 && turns.Before(to) {
			if err := m.step(ctx, turns); err != nil {
				return err
			}
		}
	}
	return m.step(ctx, to)
}

func (m *Mover) step(ctx context.Context, to time.Time) error {
	// It refuses only to go back: the clock flows while a settlement runs, and may have passed by.
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
			return fmt.Errorf("wait for charges at %s: %w", to.Format(time.RFC3339), err)
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
