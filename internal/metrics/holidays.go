package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/malgil/malgil/internal/holiday"
)

// NewHolidays returns a gauge of the years whose holidays ought to be known and are not.
func NewHolidays(c holiday.Calendar, now func() time.Time) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "malgil_holidays_missing_years",
		Help: "Years whose holidays ought to be known and are not: the current one and, from 1 November on, the coming one.",
	}, func() float64 { return float64(len(c.Missing(now()))) })
}
