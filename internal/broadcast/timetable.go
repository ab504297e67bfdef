package broadcast

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/fault"
)

// Schedules keeps schedules and their runs.
type Schedules interface {
	// CreateSchedule stores a schedule. It is NotFound when there is no such bot, Invalid when the bot has no
	// such audience, and a Conflict when the bot may not send, whatever its orders wait for. A repeated
	// request returns the schedule that the first one made.
	CreateSchedule(ctx context.Context, s Schedule, r Request) (Schedule, error)
	// RepeatedSchedule returns the schedule that an earlier call with the same request made.
	RepeatedSchedule(ctx context.Context, r Request) (s Schedule, repeated bool, err error)
	Schedule(ctx context.Context, id ScheduleID) (Schedule, error)
	// ChangeSchedule changes a schedule under its lock. It is Invalid when the bot has no such audience, or the
	// text of advertising lacks its label. Runs of one that is not active any more wait no longer: they are
	// skipped.
	ChangeSchedule(ctx context.Context, id ScheduleID, now time.Time, change func(*Schedule) error) (Schedule, error)

	// DueSchedules lists active schedules whose next occurrence has come, in the order of their ids: those
	// after one.
	DueSchedules(ctx context.Context, now time.Time, after ScheduleID, limit int) ([]Schedule, error)
	// Occur writes down, in one transaction, what a schedule owes, and starts its run where it may, as order makes
	// it of the schedule under its lock; see [Schedule.Start]. A run that waited still is over then: it has
	// failed where something was in the way, and is skipped otherwise. It does nothing when another has been
	// there first: the next occurrence is not the one of s any more. It returns the runs that it wrote.
	Occur(ctx context.Context, s Schedule, d Due, order func(Schedule) (Broadcast, error), now time.Time) ([]Run, error)
	// WaitingRuns lists runs that may be looked at again, in the order of their schedules: those after one.
	WaitingRuns(ctx context.Context, now time.Time, after ScheduleID, limit int) ([]Run, error)
	// RetryRun starts a waiting run where it may by now, as order makes it of the schedule under its lock. ok is
	// false when it does not wait any more.
	RetryRun(ctx context.Context, r Run, order func(Schedule) (Broadcast, error), now time.Time) (run Run, ok bool, err error)

	// ClaimCopy takes a run whose broadcast gets its audience, and which nobody else has until then. ok is
	// false when there is none.
	ClaimCopy(ctx context.Context, now, until time.Time) (r Run, ok bool, err error)
	// KeepCopy keeps a claimed run for longer. It is a Conflict when another has it.
	KeepCopy(ctx context.Context, r Run, until time.Time) error
	// EndCopy writes down what became of a run, unless another has it.
	EndCopy(ctx context.Context, r Run) error
}

// Timetable keeps schedules and starts what they order. Any number of processes may run it. It is safe for
// concurrent use.
type Timetable struct {
	desk      *Desk
	schedules Schedules
}

// NewTimetable returns a timetable whose broadcasts go through a desk.
func NewTimetable(desk *Desk, schedules Schedules) *Timetable {
	return &Timetable{desk: desk, schedules: schedules}
}

// Create stores a schedule, whose first occurrence is in the future. One that breaks a rule is Invalid and
// names the field. Repeating it with the same request is safe.
func (t *Timetable) Create(ctx context.Context, o ScheduleOrder, r Request) (Schedule, error) {
	s, invalid := t.desk.schedule(o)
	if invalid != nil { // perhaps by now only
		s, repeated, err := t.schedules.RepeatedSchedule(ctx, r)
		switch {
		case err != nil:
			return Schedule{}, fmt.Errorf("look for an earlier call: %w", err)
		case repeated:
			return s, nil
		}
		return Schedule{}, invalid
	}
	s, err := t.schedules.CreateSchedule(ctx, s, r)
	if err != nil {
		return Schedule{}, fmt.Errorf("create schedule: %w", err)
	}
	return s, nil
}

// Change changes what is given of a schedule, for whatever has not begun. One that breaks a rule is Invalid and
// names the field.
func (t *Timetable) Change(ctx context.Context, id ScheduleID, c ScheduleChange) (Schedule, error) {
	return t.schedules.ChangeSchedule(ctx, id, t.desk.now(), func(s *Schedule) error { return t.desk.change(s, c) })
}

// Pause has a schedule rest; occurrences whose time comes meanwhile are neither run nor missed. What has
// begun goes on. Paused again it changes nothing.
func (t *Timetable) Pause(ctx context.Context, id ScheduleID) (Schedule, error) {
	return t.schedules.ChangeSchedule(ctx, id, t.desk.now(), (*Schedule).pause)
}

// Resume has a schedule go on with its next occurrence. Resumed again it changes nothing.
func (t *Timetable) Resume(ctx context.Context, id ScheduleID) (Schedule, error) {
	now := t.desk.now()
	return t.schedules.ChangeSchedule(ctx, id, now, func(s *Schedule) error { return s.resume(now) })
}

// Delete ends a schedule for good. What has begun goes on.
func (t *Timetable) Delete(ctx context.Context, id ScheduleID) error {
	_, err := t.schedules.ChangeSchedule(ctx, id, t.desk.now(), (*Schedule).delete)
	return err
}

// Next returns the next n occurrences of a schedule, fewer when it ends before and none while it is not
// active.
func (t *Timetable) Next(ctx context.Context, id ScheduleID, n int) ([]time.Time, error) {
	s, err := t.schedules.Schedule(ctx, id)
	if err != nil || s.State != ScheduleActive {
		return nil, err
	}
	return s.times(n, t.desk.now())
}

// Preview returns the next n moments of a cron expression in a zone, that of Korea when empty.
func (t *Timetable) Preview(cron, zone string, n int) ([]time.Time, error) {
	if zone == "" {
		zone = defaultZone
	}
	return Schedule{Cron: cron, Zone: zone}.times(n, t.desk.now())
}

func (s Schedule) times(n int, now time.Time) (all []time.Time, err error) {
	c, err := ParseCron(s.Cron, s.Zone)
	if err != nil {
		return nil, err
	}
	for next := s.after(c, now); !next.IsZero() && len(all) < n; next = s.after(c, next) {
		all = append(all, next)
	}
	return all, nil
}

const (
	atOnce    = 200              // schedules that are read at a time
	copyLease = 30 * time.Second // and how long after a crash a copy begins again
)

// Turn starts the occurrences whose time has come, and looks again at those that wait. It returns the runs
// that came to something, also beside an error about others.
func (t *Timetable) Turn(ctx context.Context) (runs []Run, err error) {
	var errs []error
	now := t.desk.now()
	for after := ScheduleID(""); ; {
		due, err := t.schedules.DueSchedules(ctx, now, after, atOnce)
		if err != nil {
			return runs, errors.Join(append(errs, fmt.Errorf("list schedules: %w", err))...)
		}
		for _, s := range due {
			done, err := t.occur(ctx, s, now)
			runs, after = append(runs, done...), s.ID
			if err != nil {
				errs = append(errs, fmt.Errorf("run schedule %s: %w", s.ID, err))
			}
		}
		if len(due) < atOnce {
			break
		}
	}
	for after := ScheduleID(""); ; {
		waiting, err := t.schedules.WaitingRuns(ctx, now, after, atOnce)
		if err != nil {
			return runs, errors.Join(append(errs, fmt.Errorf("list waiting runs: %w", err))...)
		}
		for _, r := range waiting {
			after = r.Schedule
			done, ok, err := t.retry(ctx, r, now)
			if err != nil {
				errs = append(errs, fmt.Errorf("start the run of schedule %s: %w", r.Schedule, err))
			} else if ok && done.State.over() {
				runs = append(runs, done)
			}
		}
		if len(waiting) < atOnce {
			return runs, errors.Join(errs...)
		}
	}
}

// occur writes down what a schedule owes.
func (t *Timetable) occur(ctx context.Context, s Schedule, now time.Time) (over []Run, err error) {
	d, err := s.Due(now)
	if err != nil {
		return nil, err
	}
	all, err := t.schedules.Occur(ctx, s, d, t.orders(now), now)
	for _, r := range all {
		if r.State.over() {
			over = append(over, r)
		}
	}
	return over, err
}

func (t *Timetable) retry(ctx context.Context, r Run, now time.Time) (Run, bool, error) {
	return t.schedules.RetryRun(ctx, r, t.orders(now), now)
}

// orders makes the broadcast of an occurrence that begins now.
func (t *Timetable) orders(now time.Time) func(Schedule) (Broadcast, error) {
	return func(s Schedule) (Broadcast, error) {
		if s.Unreadable != "" {
			return Broadcast{}, nil // it never begins
		}
		o := Order{BotID: s.BotID, Side: s.Side, Name: s.Name, Message: s.Message, StartAt: now, OnDoubt: s.OnDoubt, Purpose: s.Purpose, Personal: s.Personal, asIs: true}
		if s.ExpiresAfter > 0 {
			o.ExpiresAt = now.Add(s.ExpiresAfter)
		}
		return t.desk.check(o)
	}
}

// Copy gives the broadcasts of runs their audiences and lets them go. It returns the runs that are over,
// also beside an error about others. One that was cut short begins again when its lease is over, with the
// same broadcast.
func (t *Timetable) Copy(ctx context.Context) (runs []Run, err error) {
	var errs []error
	for {
		now := t.desk.now()
		r, ok, err := t.schedules.ClaimCopy(ctx, now, now.Add(copyLease))
		if err != nil || !ok {
			return runs, errors.Join(append(errs, err)...)
		}
		if r, err = t.copy(ctx, r); err == nil {
			r.ChangedAt = t.desk.now()
			err = t.schedules.EndCopy(ctx, r)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("copy the audience of schedule %s into broadcast %s: %w", r.Schedule, r.Broadcast, err))
			continue
		}
		runs = append(runs, r)
	}
}

// errCancelled ends a run whose broadcast somebody cancelled while it got its people.
var errCancelled = fault.Coded(fault.Conflict, "CANCELLED", "its broadcast was cancelled before it began")

// copy copies the audience of a claimed run into its broadcast and seals it. It returns the run as it ends.
func (t *Timetable) copy(ctx context.Context, r Run) (Run, error) {
	b, err := t.desk.orders.Broadcast(ctx, r.Broadcast)
	switch {
	case err != nil:
		return r, err
	case b.State == Cancelled:
		return r.failed(errCancelled), nil
	case b.State != Uploading: // sealed, by who was cut short then
		return r.started(), nil
	}
	a, err := t.desk.audiences.Audience(ctx, r.Audience)
	if err == nil && a.Counts.Audience == 0 {
		err = Nobody(a.ID)
	}
	if kind := fault.KindOf(err); err != nil && (kind == fault.NotFound || kind == fault.Conflict) {
		_, cancelled := t.desk.orders.Cancel(ctx, b.ID, t.desk.now())
		return r.failed(err), cancelled
	}
	if err != nil {
		return r, err
	}
	people, err := t.copyPeople(ctx, r, a, b.Personal)
	switch {
	case fault.CodeOf(err) == codeNobody:
		_, cancelled := t.desk.orders.Cancel(ctx, b.ID, t.desk.now())
		return r.failed(err), cancelled
	case err != nil:
		return r, err
	}
	// Other people than were copied do not go: their number tells, and the copy begins again.
	_, err = t.desk.Seal(ctx, b.ID, Sealing{People: people, By: r.By})
	return r.started(), err
}

// copyPeople makes the people of an audience, chunk by chunk as they are, those of a run's broadcast, filled
// in, and returns how many they are: nobody watches, so who lacks a word is left out and counted as a bad row. It is a Conflict
// with code NO_RECIPIENTS when nobody is left.
func (t *Timetable) copyPeople(ctx context.Context, r Run, a Audience, text Personal) (int, error) {
	fill, err := text.filler()
	if err != nil {
		return 0, err
	}
	epoch, err := t.desk.uploads.BeginUpload(ctx, r.Broadcast)
	if err != nil {
		return 0, fmt.Errorf("begin upload: %w", err)
	}
	people, left, stored, seq := 0, 0, 0, 0
	for {
		chunks, err := t.desk.audiences.AudienceChunks(ctx, a.ID, a.PeopleEpoch, seq, audienceChunks)
		if err != nil {
			return 0, fmt.Errorf("read audience %s: %w", a.ID, err)
		}
		if len(chunks) == 0 {
			break
		}
		filled := chunks[:0]
		for _, c := range chunks {
			people, seq = people+c.People, c.Seq
			c, bad, err := fill.chunk(c)
			if err != nil {
				return 0, fmt.Errorf("fill in chunk %d of audience %s: %w", seq, a.ID, err)
			}
			left += bad
			if c.People > 0 { // numbered without gaps
				c.Seq = stored + len(filled) + 1
				filled = append(filled, c)
			}
		}
		if err := t.desk.uploads.StoreChunks(ctx, r.Broadcast, epoch, filled); err != nil {
			return 0, fmt.Errorf("store chunks: %w", err)
		}
		stored += len(filled)
		if err := t.schedules.KeepCopy(ctx, r, t.desk.now().Add(copyLease)); err != nil {
			return 0, err
		}
	}
	if people != a.Counts.Audience {
		return 0, audienceChanged(a.ID)
	}
	if people == left {
		return 0, fault.Coded(fault.Conflict, codeNobody, "everybody of audience %s lacks a word that its text names", a.ID)
	}
	return people - left, t.desk.uploads.EndUpload(ctx, r.Broadcast, epoch, stored, Report{Audience: people - left, BadRows: left})
}
