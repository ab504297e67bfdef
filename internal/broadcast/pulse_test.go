package broadcast_test

import (
	"testing"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
)

func TestPulse_Look(t *testing.T) {
	start := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	type look struct {
		after    time.Duration
		done     int
		state    broadcast.State
		wantRate float64
		wantOver time.Duration // from the start, 0 for unknown
	}
	const running = broadcast.Running
	tests := map[string][]look{
		"nothing is known of the first look": {{0, 100, running, 0, 0}},
		"two looks at one moment":            {{0, 0, running, 0, 0}, {0, 500, running, 0, 0}},
		"half is done in ten seconds":        {{0, 0, running, 0, 0}, {10 * time.Second, 500, running, 50, 20 * time.Second}},
		"what is over has no end to come":    {{0, 0, running, 0, 0}, {10 * time.Second, 1000, broadcast.Finished, 100, 0}},
		"a paused one has no end to come":    {{0, 0, running, 0, 0}, {10 * time.Second, 500, broadcast.Paused, 50, 0}},
		"only the last half minute counts": {
			{0, 0, running, 0, 0}, {10 * time.Second, 600, running, 60, 17 * time.Second},
			{40 * time.Second, 900, running, 10, 50 * time.Second}, {70 * time.Second, 900, running, 0, 0},
		},
		"an outcome that is open again": {
			{0, 500, running, 0, 0}, {10 * time.Second, 400, running, 0, 0}, {20 * time.Second, 500, running, 10, 70 * time.Second},
		},
	}
	for name, looks := range tests {
		t.Run(name, func(t *testing.T) {
			var p broadcast.Pulse
			for _, l := range looks {
				b := broadcast.Broadcast{State: l.state, Counts: broadcast.Counts{Audience: 1000, Delivered: l.done}}
				rate, over := p.Look(b, start.Add(l.after))
				var want time.Time
				if l.wantOver > 0 {
					want = start.Add(l.wantOver)
				}
				if rate != l.wantRate || !over.Equal(want) {
					t.Errorf("Look(%d done after %s) = %g a second, over %s, want %g, %s", l.done, l.after, rate, over, l.wantRate, want)
				}
			}
		})
	}
}
