package backlog

import (
	"time"

	"github.com/malgil/malgil/internal/fault"
)

// Pause is a queue from which nothing is taken until a time.
type Pause struct {
	Queue  string
	Until  time.Time
	Reason string
	By     string // account, or token of the platform's own
	Since  time.Time
}

// MaxPause bounds a pause, so that none is forgotten. Whoever wants a queue to stand for longer runs no
// pool for it.
const MaxPause = 7 * 24 * time.Hour

// Check finds a pause that does not end, or too late.
func (p Pause) Check() error {
	switch {
	case !p.Until.After(p.Since):
		return fault.Field("until", "must be in the future")
	case p.Until.After(p.Since.Add(MaxPause)):
		return fault.Field("until", "must be within 7 days; pause it again when they are over")
	}
	return nil
}
