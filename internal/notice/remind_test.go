package notice_test

import (
	"testing"
	"time"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/notice"
)

// inKorea is a time of December 2026 in Korea.
func inKorea(day, hour int) time.Time {
	return time.Date(2026, 12, day, hour, 0, 0, 0, clock.Seoul)
}

func TestRemindersOf(t *testing.T) {
	for name, tt := range map[string]struct {
		now  time.Time
		want bool
	}{
		"midnight":             {inKorea(8, 0), false},
		"a moment before nine": {inKorea(8, 9).Add(-time.Millisecond), false},
		"nine":                 {inKorea(8, 9), true},
		"the end of the day":   {inKorea(9, 0).Add(-time.Millisecond), true},
	} {
		day, due := notice.RemindersOf(tt.now)
		if due != tt.want || !day.Equal(inKorea(8, 0)) {
			t.Errorf("%s: RemindersOf = %s, %v, want 8 December, %v", name, day.In(clock.Seoul), due, tt.want)
		}
	}
}

func TestExpiryReminderOn(t *testing.T) {
	ends := inKorea(16, 0) // the last day is the 15th
	for name, tt := range map[string]struct {
		day, previous int
		given         time.Time
		want          notice.ExpiryReminder
	}{
		"eight days before":                       {7, 6, inKorea(1, 12), notice.NoReminder},
		"seven days before":                       {8, 7, inKorea(1, 12), notice.EndsSoon},
		"six days before":                         {9, 8, inKorea(1, 12), notice.NoReminder},
		"six days before, nobody ran for two":     {9, 7, inKorea(1, 12), notice.EndsSoon},
		"the day before, nobody ran for weeks":    {14, 1, inKorea(1, 12), notice.EndsSoon},
		"given before nine, seven days before":    {8, 7, inKorea(8, 8), notice.EndsSoon},
		"given after nine, seven days before":     {9, 8, inKorea(8, 10), notice.NoReminder},
		"given later, nobody ran meanwhile":       {12, 7, inKorea(10, 12), notice.NoReminder},
		"the last day":                            {15, 14, inKorea(1, 12), notice.EndsThatDay},
		"the last day, given on it":               {15, 14, inKorea(15, 8), notice.EndsThatDay},
		"the last day, nobody ran for weeks":      {15, 1, inKorea(1, 12), notice.EndsThatDay},
		"over, nobody ran on the last day":        {16, 14, inKorea(1, 12), notice.NoReminder},
		"over, nobody ran since before the seven": {20, 7, inKorea(1, 12), notice.NoReminder},
	} {
		if got := notice.ExpiryReminderOn(inKorea(tt.day, 0), inKorea(tt.previous, 0), tt.given, ends); got != tt.want {
			t.Errorf("%s: ExpiryReminderOn = %q, want %q", name, got, tt.want)
		}
	}
}
