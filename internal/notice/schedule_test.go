package notice_test

import (
	"testing"
	"time"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/notice"
)

// What was lost on a day is told of at once, what is left over of days before from nine on.
func TestLostSince(t *testing.T) {
	midnight := time.Date(2026, 12, 8, 0, 0, 0, 0, clock.Seoul)
	for name, tt := range map[string]struct{ now, since time.Time }{
		"at midnight":       {midnight, midnight},
		"right before nine": {midnight.Add(9*time.Hour - time.Millisecond), midnight},
		"at nine":           {midnight.Add(9 * time.Hour), time.Time{}},
		"late":              {midnight.Add(24*time.Hour - time.Millisecond), time.Time{}},
	} {
		if day, since := notice.LostSince(tt.now); !day.Equal(midnight) || !since.Equal(tt.since) {
			t.Errorf("%s: LostSince = %s, %s, want %s, %s", name, day, since, midnight, tt.since)
		}
	}
}
