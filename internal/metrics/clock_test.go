package metrics_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/malgil/malgil/internal/metrics"
)

// What is told is the difference that is sure, with its sign; a peer that tells no time is left out.
func TestSkew(t *testing.T) {
	for name, tt := range map[string]struct {
		ahead, way time.Duration
		err        error
		want       float64
		absent     bool
	}{
		"ahead":                     {ahead: 3 * time.Second, want: 3},
		"behind":                    {ahead: -3 * time.Second, want: -3},
		"no more than its way":      {ahead: 20 * time.Millisecond, way: 100 * time.Millisecond, want: 0},
		"a peer that does not tell": {err: errors.New("forbidden"), absent: true},
	} {
		t.Run(name, func(t *testing.T) {
			reg := prometheus.NewRegistry()
			reg.MustRegister(metrics.NewSkew("redis", func(context.Context) (time.Time, error) {
				time.Sleep(tt.way)
				return time.Now().Add(tt.ahead - tt.way/2), tt.err
			}))
			got, there := series(gathered(t, reg)["malgil_clock_skew_seconds"])["redis"]
			if there == tt.absent || math.Abs(got-tt.want) > .5 {
				t.Errorf("malgil_clock_skew_seconds = %v (there: %v), want %v", got, there, tt.want)
			}
		})
	}
}
