package broadcast

import (
	"strings"
	"time"
	_ "time/tzdata" // zones are known where the machine has none, as in a static image

	"github.com/robfig/cron/v3"

	"github.com/malgil/malgil/internal/fault"
)

// Cron is at which minutes something happens, by the clock on the wall of a zone.
type Cron struct {
	spec cron.Schedule
	zone *time.Location
}

const maxCron = 100

var cronParser = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)

// ParseCron reads five fields (minute, hour, day of month, month, day of week) or one of @yearly, @monthly,
// @weekly, @daily and @hourly, and the name of a zone as IANA has it. It is Invalid about "cron" or "zone".
func ParseCron(text, zone string) (Cron, error) {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return Cron{}, fault.Field("cron", "is missing; write minute, hour, day of month, month and day of week, as in 0 9 * * 1")
	case len(text) > maxCron:
		return Cron{}, fault.Field("cron", "must be at most %d characters", maxCron)
	case strings.HasPrefix(text, "@every"):
		return Cron{}, fault.Field("cron", "cannot be @every, which goes by no clock; write */30 * * * * for every half hour")
	case strings.Contains(text, "TZ="):
		return Cron{}, fault.Field("cron", "names a zone; name it in zone")
	}
	spec, err := cronParser.Parse(text)
	if err != nil {
		return Cron{}, fault.Field("cron", "is not minute, hour, day of month, month and day of week, or @daily and the like: %v", err)
	}
	location, err := time.LoadLocation(zone)
	if err != nil || zone == "" || zone == "Local" {
		return Cron{}, fault.Field("zone", "is not known; use a name of the IANA database such as Asia/Seoul")
	}
	return Cron{spec: spec, zone: location}, nil
}

// Next returns the first moment after another; ok is false when there is none within five years.
//
// Each time of the wall clock comes once. One that the clock shows twice, as it is put back, is the first
// of the two. One that it jumps over is the moment of the jump.
func (c Cron) Next(after time.Time) (next time.Time, ok bool) {
	for wall := wallClock(after, c.zone); ; {
		if wall = c.spec.Next(wall); wall.IsZero() {
			return time.Time{}, false
		}
		if at := momentOf(wall, c.zone); at.After(after) {
			return at, true
		}
	}
}

// wallClock returns what the clock on the wall of a zone shows, as if it were UTC.
func wallClock(t time.Time, zone *time.Location) time.Time {
	_, offset := t.In(zone).Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

// momentOf returns when the clock on the wall of a zone shows a time, which is given as if it were UTC.
func momentOf(wall time.Time, zone *time.Location) time.Time {
	t := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), 0, zone)
	start, end := t.ZoneBounds()
	switch shown := wallClock(t, zone); {
	case shown.After(wall):
		return start.UTC()
	case shown.Before(wall):
		return end.UTC()
	case start.IsZero():
		return t.UTC()
	}
	_, before := start.Add(-time.Second).Zone()
	if earlier := wall.Add(-time.Duration(before) * time.Second); earlier.Before(start) {
		return earlier
	}
	return t.UTC()
}
