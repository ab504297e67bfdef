package scheduler_test

import (
	"context"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/scheduler"
)

func TestMover_MoveTo(t *testing.T) {
	const day = 24 * time.Hour
	tests := map[string]struct {
		to     func(now, midnight time.Time) time.Time
		flows  time.Duration // how far the clock flows while one sweep runs
		sweeps int
		want   fault.Kind
	}{
		"within the day":                  {to: func(now, _ time.Time) time.Time { return now.Add(time.Minute) }, sweeps: 1},
		"over a midnight":                 {to: func(_, midnight time.Time) time.Time { return midnight.Add(time.Second) }, sweeps: 2},
		"over five midnights":             {to: func(_, midnight time.Time) time.Time { return midnight.Add(4*day + time.Second) }, sweeps: 6},
		"a settlement takes all the rest": {to: func(_, midnight time.Time) time.Time { return midnight.Add(time.Second) }, flows: time.Minute, sweeps: 2},
		"backward":                        {to: func(now, _ time.Time) time.Time { return now.Add(-time.Minute) }, want: fault.Conflict},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			clk := &clock.Clock{}
			if err := clk.MoveTo(clock.NextMidnight(clk.Now()).Add(10 * time.Hour)); err != nil {
				t.Fatal(err)
			}
			now := clk.Now()
			to := tt.to(now, clock.NextMidnight(now))
			sweeps := 0
			m := scheduler.Mover{
				Clock: clk,
				Sweep: func(context.Context) error {
					sweeps++
					if tt.flows == 0 {
						return nil
					}
					return clk.MoveTo(clk.Now().Add(tt.flows))
				},
				Busy: func(context.Context, time.Time) (bool, error) { return false, nil },
			}
			err := m.MoveTo(t.Context(), to)
			if tt.want != 0 && fault.KindOf(err) != tt.want || tt.want == 0 && err != nil {
				t.Fatalf("MoveTo(%v) = %v, want kind %v", to, err, tt.want)
			}
			if sweeps != tt.sweeps {
				t.Errorf("MoveTo(%v) swept %d times, want %d", to, sweeps, tt.sweeps)
			}
			if got := clk.Now(); tt.want == 0 && got.Before(to) {
				t.Errorf("after MoveTo(%v) it is %v", to, got)
			}
		})
	}
}
