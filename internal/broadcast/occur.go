package broadcast

import (
	"errors"
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/fault"
)

// Run is what became of one occurrence of a schedule. There is one for a schedule and a time.
type Run struct {
	Schedule  ScheduleID
	DueAt     time.Time
	State     RunState
	Broadcast ID // what it started, or empty
	// Audience and By are whom it sends to and who ordered it, from when it began.
	Audience AudienceID
	By       string

	Reason string   // why it waits, or did not start
	Causes []string // words for what stands in its way: fields and codes of the error that Reason is of
	// Times is how many occurrences it stands for: the last is its own, and of those before it there were too
	// many missed at once to tell of each.
	Times     int
	ChangedAt time.Time
	Epoch     int // counts who copied the audience; the latest may be at it
}

// RunState is where a run stands.
type RunState string

// The states of a run.
const (
	RunWaiting RunState = "waiting" // for the broadcast before it, or for what is in the way
	RunCopying RunState = "copying" // its broadcast is there and gets its audience
	RunStarted RunState = "started" // its broadcast is sealed; how it goes on is told of that
	RunSkipped RunState = "skipped" // the broadcast before it was not finished, or it was not wanted any more
	RunMissed  RunState = "missed"  // nobody was there to start it in time
	RunFailed  RunState = "failed"
)

// over reports whether a run in this state changes no more.
func (s RunState) over() bool { return s != RunWaiting && s != RunCopying }

// stopped returns a run with what stands in its way.
func (r Run) stopped(by error) Run {
	r.Reason, r.Causes = fault.MessageOf(by), nil
	var e *fault.Error
	switch {
	case !errors.As(by, &e):
	case len(e.Parts) > 0:
		for _, p := range e.Parts {
			r.Causes = append(r.Causes, p.Field)
		}
	case e.Code != "":
		r.Causes = []string{e.Code}
	default:
		r.Causes = []string{e.Kind.String()}
	}
	return r
}

// started returns a run whose broadcast is sealed.
func (r Run) started() Run {
	r.State, r.Reason, r.Causes = RunStarted, "", nil
	return r
}

// failed returns a run that is over because of what stands in its way.
func (r Run) failed(by error) Run {
	r = r.stopped(by)
	r.State = RunFailed
	return r
}

// Due is what a schedule owes at a moment.
type Due struct {
	Run    time.Time // the occurrence that begins now; zero for none
	Missed []Run     // those that do not
	Next   time.Time // zero for none
}

// maxMissed is how many missed occurrences are told of one by one.
const maxMissed = 100

// Due returns what an active schedule owes at a moment that is not before its next occurrence: of all that
// have passed the latest runs, unless its window is over too, and the others are missed.
func (s Schedule) Due(now time.Time) (Due, error) {
	c, err := ParseCron(s.Cron, s.Zone)
	if err != nil {
		return Due{}, fmt.Errorf("schedule %s: %w", s.ID, err)
	}
	var d Due
	var passed []time.Time
	more := 0 // before those that are told of
	for d.Next = s.NextAt; !d.Next.IsZero() && !d.Next.After(now); d.Next = s.after(c, d.Next) {
		if passed = append(passed, d.Next); len(passed) > maxMissed+1 {
			passed, more = passed[1:], more+1
		}
	}
	if n := len(passed); n > 0 && now.Sub(passed[n-1]) <= s.Window {
		d.Run, passed = passed[n-1], passed[:n-1]
	} else if n > maxMissed {
		passed, more = passed[1:], more+1
	}
	found := "no scheduler looked until " + now.Format(time.RFC3339)
	for i, at := range passed {
		r := Run{Schedule: s.ID, DueAt: at, State: RunMissed, Times: 1, ChangedAt: now}
		if r.Reason = fmt.Sprintf("%s, longer than %s after its time", found, s.Window); !d.Run.IsZero() {
			r.Reason = fmt.Sprintf("%s; the occurrence of %s runs in its place", found, d.Run.Format(time.RFC3339))
		}
		if i == 0 {
			r.Times += more
		}
		d.Missed = append(d.Missed, r)
	}
	return d, nil
}

// Situation is what stands in the way of a run.
type Situation struct {
	Unfinished ID    // the broadcast of the occurrence before it, while it is not finished
	Obstacle   error // why its bot could not send to its audience now
}

// Start decides whether a waiting run starts now: it is then copying, and else waits on or is over. What
// stands in the way has the window of the schedule to go away; the end of another broadcast is waited for
// as long as it takes.
func (s Schedule) Start(r Run, in Situation, now time.Time) Run {
	r.ChangedAt = now
	switch {
	case in.Unfinished != "" && s.Overlap == SkipOverlap:
		r.State, r.Reason = RunSkipped, fmt.Sprintf("broadcast %s of the occurrence before it is not finished", in.Unfinished)
	case in.Unfinished != "":
		r.Causes = nil
		r.Reason = fmt.Sprintf("broadcast %s of the occurrence before it is not finished", in.Unfinished)
	case in.Obstacle == nil:
		r.State, r.Reason, r.Causes = RunCopying, "", nil
	case now.Sub(r.DueAt) > s.Window:
		r = r.failed(in.Obstacle)
	default:
		r = r.stopped(in.Obstacle)
	}
	return r
}
