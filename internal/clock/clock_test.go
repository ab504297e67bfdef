package clock_test

import (
	"testing"
	"time"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/fault"
)

func TestClock_MoveTo(t *testing.T) {
	var c clock.Clock
	before := c.Now()
	target := before.Add(48 * time.Hour)
	if err := c.MoveTo(target); err != nil {
		t.Fatalf("MoveTo(+48h) = %v, want nil", err)
	}
	if got := c.Now(); got.Before(target) || got.After(target.Add(time.Minute)) {
		t.Errorf("Now() = %v, want just after %v", got, target)
	}
	if err := c.MoveTo(before); fault.KindOf(err) != fault.Conflict {
		t.Errorf("MoveTo(the past) = %v, want a conflict", err)
	}
}

func TestMidnight(t *testing.T) {
	tests := map[string]struct{ at, want string }{
		"just before midnight in Seoul": {"2026-12-31T14:59:59.999Z", "2026-12-30T15:00:00Z"},
		"midnight in Seoul":             {"2026-12-31T15:00:00Z", "2026-12-31T15:00:00Z"},
		"noon UTC":                      {"2028-02-29T12:00:00Z", "2028-02-28T15:00:00Z"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			at, _ := time.Parse(time.RFC3339Nano, tt.at)
			if got := clock.Midnight(at).Format(time.RFC3339); got != tt.want {
				t.Errorf("Midnight(%s) = %s, want %s", tt.at, got, tt.want)
			}
			if next := clock.NextMidnight(at); !next.After(at) {
				t.Errorf("NextMidnight(%s) = %s, want later", tt.at, next)
			}
		})
	}
}

func TestStartingAt(t *testing.T) {
	for _, start := range []time.Time{time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2120, 1, 1, 0, 0, 0, 0, time.UTC)} {
		if got := clock.StartingAt(start).Now(); got.Before(start) || got.After(start.Add(time.Minute)) {
			t.Errorf("StartingAt(%v).Now() = %v, want just after it", start, got)
		}
	}
}

func TestMonth(t *testing.T) {
	for at, want := range map[string]string{"2026-11-30T14:59:59.999Z": "2026-11", "2026-11-30T15:00:00Z": "2026-12"} {
		moment, _ := time.Parse(time.RFC3339Nano, at)
		got := clock.Month(moment)
		start, err := clock.ParseMonth(got)
		if got != want || err != nil || !start.Equal(clock.MonthStart(moment)) {
			t.Errorf("Month(%s) = %s, which begins at %v, %v; want %s", at, got, start, err, want)
		}
	}
	if _, err := clock.ParseMonth("2026-13"); err == nil {
		t.Error("ParseMonth(2026-13) = nil, want an error")
	}
}
