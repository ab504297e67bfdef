package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// skew tells by how much another clock is ahead of this machine's.
type skew struct {
	desc *prometheus.Desc
	look *look[time.Duration]
}

// NewSkew returns what tells by how much the clock of a peer is ahead of this machine's, or behind, as far as that is
// sure: what an answer may have taken on its way counts for neither. It asks when it is scraped. A peer that does not
// tell is left out. Peers have different names.
func NewSkew(peer string, ask func(ctx context.Context) (time.Time, error)) prometheus.Collector {
	return &skew{
		desc: prometheus.NewDesc("malgil_clock_skew_seconds",
			"By how much the clock of the database or of Redis is ahead of this machine's, below 0 when it is behind; absent where it is not told.",
			nil, prometheus.Labels{"peer": peer}),
		look: &look[time.Duration]{take: func(ctx context.Context) (time.Duration, error) {
			if _, err := ask(ctx); err != nil { // opens a connection, so that the next one takes its way only
				return 0, err
			}
			before := time.Now()
			there, err := ask(ctx)
			way := time.Since(before)
			if err != nil {
				return 0, err
			}
			return sure(there.Sub(before.Add(way/2)), way/2), nil
		}},
	}
}

// sure takes what is not known off a difference that is known give or take.
func sure(apart, give time.Duration) time.Duration {
	if apart < 0 {
		return min(apart+give, 0)
	}
	return max(apart-give, 0)
}

// Describe implements [prometheus.Collector].
func (s *skew) Describe(descs chan<- *prometheus.Desc) { descs <- s.desc }

// Collect implements [prometheus.Collector].
func (s *skew) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), sampleWait)
	defer cancel()
	s.look.begin()
	if apart, seen := s.look.get(ctx); !seen.IsZero() && time.Since(seen) <= sampleStale {
		metrics <- prometheus.MustNewConstMetric(s.desc, prometheus.GaugeValue, apart.Seconds())
	}
}
