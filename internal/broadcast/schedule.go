package broadcast

import (
	"cmp"
	"time"

	"github.com/malgil/malgil/internal/fault"
)

// ScheduleID identifies a schedule.
type ScheduleID string

// Schedule sends a message to a named audience again and again, by the calendar. Each of its occurrences
// becomes a broadcast of its own.
type Schedule struct {
	ID       ScheduleID
	BotID    string
	Side     Side
	Name     string // also of its broadcasts
	Message  Message
	Personal Personal
	Audience AudienceID
	// Unreadable says why the stored message could not be read, which is then empty.
	Unreadable string

	Cron, Zone string // see [ParseCron]
	Overlap    Overlap
	// Window is how long after its time an occurrence may still begin (catch-up window).
	Window       time.Duration
	Until        time.Time     // the last moment at which it may have an occurrence; zero for none
	ExpiresAfter time.Duration // who was not sent to so long after a broadcast began is skipped; 0 for never
	OnDoubt      OnDoubt
	Purpose      Purpose

	State     ScheduleState
	NextAt    time.Time // of the next occurrence; zero when there is none, and while it is not active
	CreatedAt time.Time
	CreatedBy string // who ordered it, and so each of its broadcasts, as in [Sealing]
}

// ScheduleState is where a schedule stands.
type ScheduleState string

// The states of a schedule.
const (
	ScheduleActive  ScheduleState = "active"
	SchedulePaused  ScheduleState = "paused"
	ScheduleDeleted ScheduleState = "deleted" // it is kept for what became of its occurrences
)

// Overlap says what becomes of an occurrence whose time comes before the broadcast of the one before it is
// finished.
type Overlap string

// What becomes of it.
const (
	SkipOverlap  Overlap = "skip"
	QueueOverlap Overlap = "queue" // it waits for that end; a later occurrence takes its place
)

// ScheduleOrder asks for a schedule.
type ScheduleOrder struct {
	BotID        string
	Side         Side // Live when empty
	Name         string
	Message      Message
	Personal     Personal
	Audience     AudienceID
	Cron         string
	Zone         string  // Asia/Seoul when empty
	Overlap      Overlap // SkipOverlap when empty
	Window       time.Duration
	Until        time.Time
	ExpiresAfter time.Duration
	OnDoubt      OnDoubt // HoldDoubt when empty
	Purpose      Purpose // Info when empty
	By           string  // who orders it, as in [Sealing]

	asIs bool // the message is stored already: nothing is filled in
}

// ScheduleChange changes what is given of a schedule; nil fields stay as they are.
type ScheduleChange struct {
	Name         *string
	Text         *ScheduleText // all of it
	Audience     *AudienceID
	Cron, Zone   *string
	Overlap      *Overlap
	Window       *time.Duration
	Until        *time.Time // zero for no end
	ExpiresAfter *time.Duration
	OnDoubt      *OnDoubt
	Purpose      *Purpose
	// By is who changes it. Whoever changes what it sends, to whom or when is its author from then on.
	By string
}

// ScheduleText is what a schedule sends.
type ScheduleText struct {
	Message  Message
	Personal Personal
}

const (
	defaultZone   = "Asia/Seoul"
	defaultWindow = time.Hour
	minWindow     = time.Minute
	maxWindow     = 7 * 24 * time.Hour
	minExpiry     = time.Minute
	maxExpiry     = 30 * 24 * time.Hour
)

// schedule turns an order into a schedule that may be stored.
func (d *Desk) schedule(o ScheduleOrder) (Schedule, error) {
	b, err := d.check(Order{BotID: o.BotID, Side: o.Side, Name: o.Name, Message: o.Message, OnDoubt: o.OnDoubt, Purpose: o.Purpose, Personal: o.Personal, asIs: o.asIs})
	if err != nil {
		return Schedule{}, err
	}
	s := Schedule{
		ID: ScheduleID(d.newID("sch")), BotID: b.BotID, Side: b.Side, Name: b.Name, Message: b.Message, Personal: b.Personal, Audience: o.Audience,
		Cron: o.Cron, Zone: cmp.Or(o.Zone, defaultZone), Overlap: cmp.Or(o.Overlap, SkipOverlap), Window: cmp.Or(o.Window, defaultWindow),
		Until: o.Until, ExpiresAfter: o.ExpiresAfter, OnDoubt: b.OnDoubt, Purpose: b.Purpose, State: ScheduleActive, CreatedAt: b.CreatedAt, CreatedBy: o.By,
	}
	switch {
	case s.Audience == "" || !plain(string(s.Audience)):
		return Schedule{}, fault.Field("audience", "is missing; name the audience that it sends to")
	case s.Overlap != SkipOverlap && s.Overlap != QueueOverlap:
		return Schedule{}, fault.Field("overlap", "must be skip or queue")
	case s.Window < minWindow || s.Window > maxWindow:
		return Schedule{}, fault.Field("catch_up_seconds", "must be from a minute to 7 days")
	case s.ExpiresAfter != 0 && (s.ExpiresAfter < minExpiry || s.ExpiresAfter > maxExpiry):
		return Schedule{}, fault.Field("expires_after_seconds", "must be from a minute to 30 days, or 0 for never")
	}
	if s, err = s.resumed(s.CreatedAt); err != nil {
		return Schedule{}, err
	}
	if s.NextAt.IsZero() && s.Until.IsZero() {
		return Schedule{}, fault.Field("cron", "names no moment within five years")
	}
	if s.NextAt.IsZero() {
		return Schedule{}, fault.Field("until", "is before the first time; choose a later one")
	}
	return s, nil
}

// change changes a schedule as a new one would be made, except for its bot and channel. Its next occurrence stays
// where its calendar does.
func (d *Desk) change(s *Schedule, c ScheduleChange) error {
	if s.State == ScheduleDeleted {
		return s.gone("changed")
	}
	o := ScheduleOrder{BotID: s.BotID, Side: s.Side, Name: s.Name, Message: s.Message, Personal: s.Personal, Audience: s.Audience, Cron: s.Cron, Zone: s.Zone,
		Overlap: s.Overlap, Window: s.Window, Until: s.Until, ExpiresAfter: s.ExpiresAfter, OnDoubt: s.OnDoubt, Purpose: s.Purpose, By: c.By, asIs: true}
	switch {
	case c.Text != nil:
		o.Message, o.Personal, o.asIs = c.Text.Message, c.Text.Personal, false
	case s.Unreadable != "":
		return fault.Field("event", "is missing; what is stored of it cannot be read")
	}
	set(&o.Name, c.Name)
	set(&o.Audience, c.Audience)
	set(&o.Cron, c.Cron)
	set(&o.Zone, c.Zone)
	set(&o.Overlap, c.Overlap)
	set(&o.Window, c.Window)
	set(&o.Until, c.Until)
	set(&o.ExpiresAfter, c.ExpiresAfter)
	set(&o.OnDoubt, c.OnDoubt)
	set(&o.Purpose, c.Purpose)
	n, err := d.schedule(o)
	if err != nil {
		return err
	}
	n.ID, n.CreatedAt = s.ID, s.CreatedAt
	sameTimes := n.Cron == s.Cron && n.Zone == s.Zone
	if sameTimes && c.Text == nil && n.Audience == s.Audience && n.Purpose == s.Purpose {
		n.CreatedBy = s.CreatedBy
	}
	switch {
	case s.State == SchedulePaused:
		n.State, n.NextAt = SchedulePaused, time.Time{}
	case sameTimes && !s.NextAt.IsZero() && (n.Until.IsZero() || !s.NextAt.After(n.Until)):
		n.NextAt = s.NextAt // it may be due just now
	}
	*s = n
	return nil
}

// set sets a value to what is given.
func set[T any](value, given *T) {
	if given != nil {
		*value = *given
	}
}

// resumed returns an active schedule, whose next occurrence is the first after now.
func (s Schedule) resumed(now time.Time) (Schedule, error) {
	c, err := ParseCron(s.Cron, s.Zone)
	if err != nil {
		return s, err
	}
	s.State, s.NextAt = ScheduleActive, s.after(c, now)
	return s, nil
}

// after returns the first occurrence after a moment, zero for none.
func (s Schedule) after(c Cron, moment time.Time) time.Time {
	next, ok := c.Next(moment)
	if !ok || !s.Until.IsZero() && next.After(s.Until) {
		return time.Time{}
	}
	return next
}

// pause has an active schedule rest: occurrences that come meanwhile are none. Nothing of a broadcast that
// has begun changes.
func (s *Schedule) pause() error {
	switch s.State {
	case SchedulePaused:
	case ScheduleDeleted:
		return s.gone("paused")
	case ScheduleActive:
		s.State, s.NextAt = SchedulePaused, time.Time{}
	}
	return nil
}

// resume has a paused schedule go on with the first occurrence after now.
func (s *Schedule) resume(now time.Time) (err error) {
	switch s.State {
	case ScheduleActive:
	case ScheduleDeleted:
		return s.gone("resumed")
	case SchedulePaused:
		*s, err = s.resumed(now)
	}
	return err
}

// delete ends a schedule for good.
func (s *Schedule) delete() error {
	s.State, s.NextAt = ScheduleDeleted, time.Time{}
	return nil
}

func (s *Schedule) gone(what string) error {
	return fault.Coded(fault.Conflict, "WRONG_STATE", "schedule %s is deleted and cannot be %s; make a new one", s.ID, what)
}
