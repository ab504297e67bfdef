// Package clock holds the one clock of the process and the calendar of Korea.
package clock

import (
	"sync/atomic"
	"time"

	"github.com/malgil/malgil/internal/fault"
)

// Seoul is Korea Standard Time: UTC+9 all year, no daylight saving.
var Seoul = time.FixedZone("KST", 9*60*60)

// Clock tells the time. It can be moved forward, and flows on from there; the zero value is
// the machine's clock. It is safe for concurrent use.
type Clock struct{ offset atomic.Int64 }

// StartingAt returns a clock that stands at a time now and flows on from there.
func StartingAt(t time.Time) *Clock {
	c := &Clock{}
	c.offset.Store(int64(time.Until(t)))
	return c
}

// Now returns the time in UTC, cut to milliseconds as the store keeps them.
func (c *Clock) Now() time.Time {
	return time.Now().Add(time.Duration(c.offset.Load())).UTC().Truncate(time.Millisecond)
}

// MoveTo sets the clock to a later time. Earlier than now is a Conflict and changes nothing.
func (c *Clock) MoveTo(to time.Time) error {
	for {
		was := c.offset.Load()
		now := time.Now().Add(time.Duration(was))
		if to.Before(now) {
			return fault.New(fault.Conflict, "the clock stands at %s and does not go back", now.UTC().Format(time.RFC3339))
		}
		if c.offset.CompareAndSwap(was, was+int64(to.Sub(now))) {
			return nil
		}
	}
}

// Midnight returns the start of the day in Korea that t falls in.
func Midnight(t time.Time) time.Time {
	y, m, d := t.In(Seoul).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, Seoul).UTC()
}

// NextMidnight returns the first start of a day in Korea after t.
func NextMidnight(t time.Time) time.Time { return Midnight(t).Add(24 * time.Hour) }

// MonthStart returns the start of the month in Korea that t falls in.
func MonthStart(t time.Time) time.Time {
	y, m, _ := t.In(Seoul).Date()
	return time.Date(y, m, 1, 0, 0, 0, 0, Seoul).UTC()
}

// Month returns how the month in Korea that t falls in is written: 2026-11.
func Month(t time.Time) string { return t.In(Seoul).Format(monthLayout) }

// ParseMonth returns the start of a month in Korea that is written so.
func ParseMonth(text string) (time.Time, error) {
	return time.ParseInLocation(monthLayout, text, Seoul)
}

const monthLayout = "2006-01"

// NextMonth returns the first start of a month in Korea after t.
func NextMonth(t time.Time) time.Time {
	y, m, _ := t.In(Seoul).Date()
	return time.Date(y, m+1, 1, 0, 0, 0, 0, Seoul).UTC()
}
