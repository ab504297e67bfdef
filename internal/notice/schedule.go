package notice

import (
	"time"

	"github.com/malgil/malgil/internal/clock"
)

// CaseScheduleMissed is the mail of times at which a schedule sent nothing (예약 발송 누락 안내). The name is stored.
const CaseScheduleMissed Case = "schedule_missed"

// ScheduleMissed is times of a schedule at which nothing was sent: nobody was there to begin in time, or what
// stood in the way did not go away in time.
type ScheduleMissed struct {
	ScheduleID string     `json:"schedule_id"`
	Schedule   string     `json:"schedule"` // its name
	Bot        string     `json:"bot"`      // name
	Cron       string     `json:"cron"`
	Zone       string     `json:"zone"`
	Times      []LostTime `json:"times"`             // the latest, oldest first
	Earlier    int64      `json:"earlier,omitempty"` // how many before those
	Paused     bool       `json:"paused,omitempty"`  // it rests, or is deleted
	NextAt     time.Time  `json:"next_at,omitzero"`  // zero when there is none
	Path       string     `json:"path"`
}

// LostTime is one time at which nothing was sent.
type LostTime struct {
	At time.Time `json:"at"`
	// Causes are words for what stood in the way, such as "channel.state"; none where nobody was there.
	Causes []string `json:"causes,omitempty"`
	Reason string   `json:"reason,omitempty"` // the same in a sentence, in English
	// InsteadAt is the later time that was sent in its place, zero for none.
	InsteadAt time.Time `json:"instead_at,omitzero"`
}

// Count returns how many times nothing was sent.
func (d ScheduleMissed) Count() int64 { return d.Earlier + int64(len(d.Times)) }

// Case returns [CaseScheduleMissed].
func (ScheduleMissed) Case() Case { return CaseScheduleMissed }

// LostSince returns since when a time has to have been lost for its schedule to be told of at a moment, if that
// was not told of yet on this day, which begins at day. A loss of this day is told of at once, as somebody may
// still send by hand; what was left over from days before comes with it, or at 09:00.
func LostSince(now time.Time) (day, since time.Time) {
	day = clock.Midnight(now)
	if now.Before(day.Add(remindAt)) {
		return day, day
	}
	return day, time.Time{}
}
