package broadcast

import (
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/fault"
)

// Caution is how a broadcast finds out early that it goes wrong.
type Caution struct {
	Canary Canary
	// StopAbove is how many percent of the latest people may be missed: more pause the broadcast. 100 never
	// does, and 0 stands for [DefaultStopAbove].
	StopAbove int
}

// Canary is the part of a broadcast that goes first, the others after it when it went well. The zero value
// is none.
type Canary struct {
	People    int           // the first of the audience
	Wait      time.Duration // how long after their outcomes the others go by themselves; 0 for when a person says so
	MaxMissed int           // percent of them: more missed pause the broadcast
}

// Limits and defaults of [Caution].
const (
	DefaultStopAbove = 50
	DefaultMaxMissed = 10
	maxCanaryWait    = 7 * 24 * time.Hour
)

// check returns a caution with its default filled in.
func (c Caution) check() (Caution, error) {
	if c.StopAbove == 0 {
		c.StopAbove = DefaultStopAbove
	}
	switch {
	case c.StopAbove < 1 || c.StopAbove > 100:
		return c, fault.Field("stop_above_percent", "must be 1 to 100; 100 never stops it")
	case c.Canary.People < 0:
		return c, fault.Field("canary.people", "must be at least 1")
	case c.Canary.People == 0 && c.Canary != Canary{}:
		return c, fault.Field("canary.people", "is missing; say how many go first")
	case c.Canary.Wait < 0 || c.Canary.Wait > maxCanaryWait:
		return c, fault.Field("canary.wait_seconds", "must be 0 to %d: a week", int(maxCanaryWait.Seconds()))
	case c.Canary.MaxMissed < 0 || c.Canary.MaxMissed > 100:
		return c, fault.Field("canary.max_missed_percent", "must be 0 to 100")
	}
	return c, nil
}

// Watch is what a broadcast that watches itself has seen.
type Watch struct {
	CanarySeq    int       // the last chunk of the canary; 0 without one
	CanaryDoneAt time.Time // when all of the canary had an outcome
	CanaryPassed bool      // the others may go
	Told, Missed int       // people with an outcome, and missed of them, when it looked at them last
}

// told counts people of whom Kakao has told what became of them, and those of them who were missed: failed, or
// not named.
func (c Counts) told() (told, missed int) {
	missed = c.Failed + c.Unknown
	return c.Delivered + missed, missed
}

// The latest people that a broadcast looks at are a tenth of its audience, within these bounds; of a small one
// they are three fifths of it, so that it stops before its end too, and at least what one request takes: before
// that nothing could be stopped. Who is in doubt is none of them: a worker that dies leaves thousands, and stops
// no broadcast.
const (
	fewestLatest = 500
	mostLatest   = 1000
)

// latest is how many people of a broadcast are looked at together.
func (b *Broadcast) latest() int {
	audience := b.Counts.Audience
	return max(MaxPeople, min(max(audience/10, fewestLatest), mostLatest, audience*3/5))
}

// LookBack looks at the latest people of a running broadcast as soon as there are enough of them, and
// returns why it has to pause, empty when it does not.
func (b *Broadcast) LookBack() (stop string) {
	told, missed := b.Counts.told()
	latest := told - b.Watch.Told
	if latest < b.latest() {
		return ""
	}
	lost := missed - b.Watch.Missed
	b.Watch.Told, b.Watch.Missed = told, missed
	if b.State != Running || b.Counts.Done() == b.Counts.Audience || b.Caution.StopAbove == 100 || lost*100 <= latest*b.Caution.StopAbove {
		return ""
	}
	return fmt.Sprintf("%d of the latest %d people were missed, more than %d %%; look at the reasons, then resume or cancel it", lost, latest, b.Caution.StopAbove)
}

// CanaryHolds reports whether only the canary of a broadcast may go yet.
func (b Broadcast) CanaryHolds() bool { return b.Watch.CanarySeq > 0 && !b.Watch.CanaryPassed }

// AfterCanary looks at a canary that holds a running broadcast back and has nobody left to send to. It
// lets the others go when their time has come, says until when they wait, and returns why the broadcast
// has to pause, empty when it does not.
func (b *Broadcast) AfterCanary(now time.Time) (stop string) {
	told, missed := b.Counts.told()
	told, missed = told+b.Counts.InDoubt, missed+b.Counts.InDoubt // of so few each one counts
	if b.Counts.Done() < min(b.Caution.Canary.People, b.Counts.Audience) {
		b.Wait, b.WaitUntil = WaitCanary, time.Time{}
		return ""
	}
	if missed*100 > told*b.Caution.Canary.MaxMissed {
		b.Watch.CanaryPassed = true // whoever resumes it has seen this
		return fmt.Sprintf("canary: %d of the first %d people were missed, more than %d %%; look at the reasons, then resume or cancel it", missed, told, b.Caution.Canary.MaxMissed)
	}
	if b.Watch.CanaryDoneAt.IsZero() {
		b.Watch.CanaryDoneAt = now
	}
	until := b.Watch.CanaryDoneAt.Add(b.Caution.Canary.Wait)
	switch {
	case b.Caution.Canary.Wait == 0:
		b.Wait, b.WaitUntil = WaitCanary, time.Time{}
	case now.Before(until):
		b.Wait, b.WaitUntil = WaitCanary, until
	default:
		b.passCanary()
	}
	return ""
}

// passCanary lets the others go.
func (b *Broadcast) passCanary() {
	b.Watch.CanaryPassed = true
	b.Wait, b.WaitUntil = NotWaiting, time.Time{}
}

// Resume lets a paused broadcast go on, and one that waits for a person to say that its canary went well.
// Of one that was paused while it waits for approval it takes that pause back. It is a Conflict for one that
// neither waits nor runs, or waits for approval alone.
func (b *Broadcast) Resume(now time.Time) error {
	switch b.State {
	case Running:
		if b.Wait == WaitCanary && !b.Watch.CanaryDoneAt.IsZero() {
			b.passCanary()
		}
		return nil
	case Paused:
		if b.StayPaused {
			b.StayPaused, b.Note = false, ""
			return nil
		}
		if b.Wait == WaitApproval {
			return fault.Coded(fault.Conflict, "APPROVAL_NEEDED", "broadcast %s waits until a second person approves it; resume is not enough", b.ID)
		}
	case Uploading, Cancelled, Finished:
		return fault.Coded(fault.Conflict, "WRONG_STATE", "broadcast %s is %s and cannot be resumed", b.ID, b.State)
	}
	b.State, b.Wait, b.WaitUntil, b.Note, b.Refusals = Running, NotWaiting, time.Time{}, "", 0
	b.Watch.Told, b.Watch.Missed = b.Counts.told() // whoever resumes it has seen these
	if b.StartAt.After(now) {
		b.Wait, b.WaitUntil = WaitScheduled, b.StartAt
	}
	return nil
}
