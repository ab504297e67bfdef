package metrics_test

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/holiday"
	"github.com/malgil/malgil/internal/metrics"
)

func TestHolidays_followTheClock(t *testing.T) {
	now := time.Date(2028, 10, 31, 23, 59, 59, 0, clock.Seoul)
	reg := prometheus.NewRegistry()
	reg.MustRegister(metrics.NewHolidays(holiday.Default(), func() time.Time { return now }))
	for _, step := range []struct {
		later time.Duration
		want  float64
	}{{0, 0}, {time.Second, 1}, {61 * 24 * time.Hour, 1}, {305 * 24 * time.Hour, 2}} {
		now = now.Add(step.later)
		if got := series(gathered(t, reg)["malgil_holidays_missing_years"])[""]; got != step.want {
			t.Errorf("malgil_holidays_missing_years on %s = %v, want %v", now, got, step.want)
		}
	}
}
