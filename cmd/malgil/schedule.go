package main

import (
	"fmt"
	"maps"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/apiclient"
	"github.com/malgil/malgil/internal/fault"
)

// scheduleCommand keeps broadcasts that are sent by the calendar.
type scheduleCommand struct {
	Create scheduleCreate `cmd:"" help:"Send a message to a named audience again and again."`
	List   scheduleList   `cmd:"" help:"List schedules."`
	Show   scheduleShow   `cmd:"" help:"What a schedule sends, and when next."`
	Change scheduleChange `cmd:"" help:"Change a schedule, for whatever has not begun."`
	Pause  schedulePause  `cmd:"" help:"Have a schedule rest; what has begun goes on."`
	Resume scheduleResume `cmd:"" help:"Have a paused schedule go on with its next time."`
	Delete scheduleDelete `cmd:"" help:"End a schedule for good; what has begun goes on."`
	Runs   scheduleRuns   `cmd:"" help:"What became of the times of a schedule, newest first."`
	Next   scheduleNext   `cmd:"" help:"The next times of a schedule, or of a cron expression."`
}

type scheduleRow struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Bot     string `json:"bot"`
	Channel string `json:"channel"`
	Event   struct {
		Name string `json:"name"`
	} `json:"event"`
	Audience     string    `json:"audience"`
	Cron         string    `json:"cron"`
	Zone         string    `json:"zone"`
	Overlap      string    `json:"overlap"`
	CatchUp      int64     `json:"catch_up_seconds"`
	Until        time.Time `json:"until"`
	ExpiresAfter int64     `json:"expires_after_seconds"`
	State        string    `json:"state"`
	NextAt       time.Time `json:"next_at"`
	CreatedAt    time.Time `json:"created_at"`
	CreatedBy    string    `json:"created_by"`
}

// standing is what a schedule is: an active one that has no next time is over.
func (s scheduleRow) standing() string {
	if s.State == "active" && s.NextAt.IsZero() {
		return "over"
	}
	return s.State
}

func (s scheduleRow) print(e *env) {
	expires := ""
	if s.ExpiresAfter > 0 {
		expires = (time.Duration(s.ExpiresAfter) * time.Second).String() + " after each begins"
	}
	facts(e.stdout, "schedule", s.ID, "name", s.Name, "bot", s.Bot+" "+s.Channel, "event", s.Event.Name, "audience", s.Audience, "state", s.standing(),
		"cron", s.Cron+" in "+s.Zone, "next", when(s.NextAt), "until", when(s.Until), "overlap", s.Overlap,
		"catches up", "within "+(time.Duration(s.CatchUp)*time.Second).String(), "expires", expires, "made", when(s.CreatedAt), "by", s.CreatedBy)
}

func schedulePath(id string) string { return "/api/v1/schedules/" + url.PathEscape(id) }

// calendar is by which times something is sent.
type calendar struct {
	Cron string `help:"Minute, hour, day of month, month and day of week, as in \"0 9 * * 1\" for Mondays at nine, or @daily and the like."`
	Zone string `default:"Asia/Seoul" help:"By whose clock, as IANA names it."`
}

// preview shows the next times of a calendar.
func (c calendar) preview(e *env, r remote, count int, after func()) error {
	query := url.Values{"cron": {c.Cron}, "zone": {c.Zone}, "count": {strconv.Itoa(count)}}
	return r.times(e, "/api/v1/schedules/preview?"+query.Encode(), after)
}

// times shows moments, each on a line.
func (r remote) times(e *env, path string, after func()) error {
	var next struct {
		Times []time.Time `json:"times"`
	}
	return r.call(e, "GET", path, nil, &next, func() {
		for _, at := range next.Times {
			fmt.Fprintln(e.stdout, when(at))
		}
		after()
	})
}

type scheduleCreate struct {
	remote
	once
	message
	calendar
	Audience     string        `required:"" help:"Named audience; each broadcast takes its people as they are when it begins."`
	Overlap      string        `enum:"skip,queue" default:"skip" help:"What becomes of a time that comes while the broadcast before is not finished: skip leaves it out, queue waits for that."`
	CatchUp      time.Duration `default:"1h" help:"How long after its time a broadcast may still begin."`
	ExpiresAfter time.Duration `help:"Who was not sent to so long after a broadcast began is skipped."`
	Until        time.Time     `help:"The last moment at which it may send."`
	Ad           bool          `help:"Advertising: labelled, not at night, not to who has refused it."`
	OnDoubt      string        `enum:"hold,assume_sent" default:"hold" help:"What becomes of messages of which nobody knows whether they went out: hold or assume_sent."`
}

// Run makes a schedule, or shows its first times.
func (c scheduleCreate) Run(e *env) error {
	if c.DryRun {
		return c.preview(e, c.remote, 5, func() { fmt.Fprintln(e.stdout, "nothing was made") })
	}
	body, err := c.body()
	if err != nil {
		return err
	}
	for name, length := range map[string]time.Duration{"catch-up": c.CatchUp, "expires-after": c.ExpiresAfter} {
		if length%time.Second != 0 {
			return fault.Field("--"+name, "must be whole seconds")
		}
	}
	if c.Ad {
		body["purpose"] = "ad"
	}
	body["audience"], body["cron"], body["zone"], body["overlap"], body["on_doubt"] = c.Audience, c.Cron, c.Zone, c.Overlap, c.OnDoubt
	body["catch_up_seconds"], body["expires_after_seconds"] = int64(c.CatchUp/time.Second), int64(c.ExpiresAfter/time.Second)
	if !c.Until.IsZero() {
		body["until"] = c.Until
	}
	key, told := c.key()
	var s scheduleRow
	return told(c.call(e, "POST", "/api/v1/schedules", body, &s, func() { s.print(e) }, apiclient.IdempotencyKey(key)))
}

type scheduleList struct {
	remote
	list
	Bot string `help:"Of this bot alone."`
}

// Run lists schedules.
func (c scheduleList) Run(e *env) error {
	query := url.Values{}
	if c.Bot != "" {
		query.Set("bot", c.Bot)
	}
	return listAll(c.remote, e, c.list, "/api/v1/schedules?"+query.Encode(), []string{"ID", "NAME", "BOT", "CRON", "ZONE", "STATE", "NEXT"}, func(s scheduleRow) []string {
		return []string{s.ID, s.Name, s.Bot, s.Cron, s.Zone, s.standing(), when(s.NextAt)}
	})
}

// oneSchedule is a command about one schedule.
type oneSchedule struct {
	remote
	Schedule string `arg:"" help:"Schedule."`
}

// step calls one of the steps of a schedule and shows it as it stands then.
func (c oneSchedule) step(e *env, method, step string) error {
	var s scheduleRow
	return c.call(e, method, schedulePath(c.Schedule)+step, nil, &s, func() { s.print(e) })
}

type scheduleShow struct{ oneSchedule }

// Run shows a schedule.
func (c scheduleShow) Run(e *env) error { return c.step(e, "GET", "") }

type scheduleChange struct {
	oneSchedule
	Name         *string           `help:"Name for people."`
	Event        string            `help:"Event name set on the block. What it sends is replaced as a whole: data, params, variables and properties too."`
	Data         map[string]string `help:"Event data, key=value."`
	Params       string            `help:"Params for the block's skill, a JSON object."`
	Variables    map[string]string `mapsep:"none" placeholder:"NAME=TEXT" help:"Words for everybody."`
	Properties   map[string]string `mapsep:"none" placeholder:"NAME=TEXT" help:"What each person is sent as his properties."`
	Audience     *string           `help:"Named audience."`
	Cron         *string           `help:"Minute, hour, day of month, month and day of week, or @daily and the like."`
	Zone         *string           `help:"By whose clock, as IANA names it."`
	Overlap      *string           `enum:"skip,queue" help:"skip or queue."`
	CatchUp      *time.Duration    `help:"How long after its time a broadcast may still begin."`
	ExpiresAfter *time.Duration    `help:"Who was not sent to so long after a broadcast began is skipped; 0 for never."`
	Until        *time.Time        `xor:"until" help:"The last moment at which it may send."`
	Endless      bool              `xor:"until" help:"It sends without end."`
	OnDoubt      *string           `enum:"hold,assume_sent" help:"hold or assume_sent."`
	Purpose      *string           `enum:"info,ad" help:"info or ad."`
}

// Run changes a schedule.
func (c scheduleChange) Run(e *env) error {
	body := map[string]any{}
	for name, value := range map[string]*string{"name": c.Name, "audience": c.Audience, "cron": c.Cron, "zone": c.Zone, "overlap": c.Overlap, "on_doubt": c.OnDoubt, "purpose": c.Purpose} {
		if value != nil {
			body[name] = *value
		}
	}
	for name, length := range map[string]*time.Duration{"catch-up": c.CatchUp, "expires-after": c.ExpiresAfter} {
		switch {
		case length == nil:
		case *length%time.Second != 0:
			return fault.Field("--"+name, "must be whole seconds")
		default:
			body[strings.ReplaceAll(name, "-", "_")+"_seconds"] = int64(*length / time.Second)
		}
	}
	if c.Until != nil {
		body["until"] = *c.Until
	}
	if c.Endless {
		body["endless"] = true
	}
	switch {
	case c.Event != "":
		text, err := message{Event: c.Event, Data: c.Data, Params: c.Params, Variables: c.Variables, Properties: c.Properties}.text()
		if err != nil {
			return err
		}
		maps.Copy(body, text)
	case c.Data != nil || c.Params != "" || c.Variables != nil || c.Properties != nil:
		return fault.Field("--event", "is missing; what it sends is replaced as a whole")
	}
	if len(body) == 0 {
		return fault.New(fault.Invalid, "nothing to change: say what, such as --cron or --event")
	}
	var s scheduleRow
	return c.call(e, "PATCH", schedulePath(c.Schedule), body, &s, func() { s.print(e) })
}

type schedulePause struct{ oneSchedule }

// Run pauses a schedule.
func (c schedulePause) Run(e *env) error { return c.step(e, "POST", "/pause") }

type scheduleResume struct{ oneSchedule }

// Run resumes a schedule.
func (c scheduleResume) Run(e *env) error { return c.step(e, "POST", "/resume") }

type scheduleDelete struct{ oneSchedule }

// Run ends a schedule.
func (c scheduleDelete) Run(e *env) error {
	return c.call(e, "DELETE", schedulePath(c.Schedule), nil, nil, nil)
}

type scheduleRuns struct {
	oneSchedule
	list
}

// Run lists what became of the times of a schedule.
func (c scheduleRuns) Run(e *env) error {
	type runRow struct {
		DueAt     time.Time `json:"due_at"`
		State     string    `json:"state"`
		Reason    string    `json:"reason"`
		Times     int       `json:"times"`
		Broadcast struct {
			ID    string `json:"id"`
			State string `json:"state"`
			Wait  string `json:"wait"`
		} `json:"broadcast"`
	}
	return listAll(c.remote, e, c.list, schedulePath(c.Schedule)+"/runs", []string{"DUE", "OUTCOME", "BROADCAST", "STATE", "WHY"}, func(r runRow) []string {
		outcome, state := r.State, r.Broadcast.State
		if r.Times > 1 {
			outcome += fmt.Sprintf(" %d times", r.Times)
		}
		if r.Broadcast.Wait != "" && r.Broadcast.Wait != state {
			state += ", waits: " + r.Broadcast.Wait
		}
		return []string{when(r.DueAt), outcome, r.Broadcast.ID, state, r.Reason}
	})
}

type scheduleNext struct {
	remote
	calendar
	Schedule string `arg:"" optional:"" help:"Schedule; or say --cron."`
	Count    int    `default:"5" help:"How many."`
}

// Run tells when a schedule sends next, or would.
func (c scheduleNext) Run(e *env) error {
	none := func() {}
	switch {
	case c.Schedule == "" && c.Cron == "":
		return fault.Field("--cron", "is missing; name a schedule, or say --cron")
	case c.Schedule != "" && c.Cron != "":
		return fault.Field("--cron", "is another than that of the schedule; name one of them")
	case c.Cron != "":
		return c.preview(e, c.remote, c.Count, none)
	}
	return c.times(e, schedulePath(c.Schedule)+"/next?count="+strconv.Itoa(c.Count), none)
}
