package broadcast

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/fault"
)

// order is one that is good: at nine every day in Korea. start is noon there.
func goodSchedule() ScheduleOrder {
	return ScheduleOrder{BotID: "bot", Message: Message{Event: "restock_alert"}, Audience: "aud", Cron: "0 9 * * *"}
}

func TestDesk_schedule(t *testing.T) {
	desk := newDesk(&memory{})
	for name, tt := range map[string]struct {
		change func(*ScheduleOrder)
		field  string
	}{
		"no bot":              {func(o *ScheduleOrder) { o.BotID = "" }, "bot"},
		"no event":            {func(o *ScheduleOrder) { o.Message.Event = " " }, "event.name"},
		"no audience":         {func(o *ScheduleOrder) { o.Audience = "" }, "audience"},
		"an audience in bits": {func(o *ScheduleOrder) { o.Audience = "a\x00" }, "audience"},
		"another channel":     {func(o *ScheduleOrder) { o.Side = "test" }, "channel"},
		"no cron":             {func(o *ScheduleOrder) { o.Cron = "" }, "cron"},
		"a day that never is": {func(o *ScheduleOrder) { o.Cron = "0 9 31 2 *" }, "cron"},
		"another zone":        {func(o *ScheduleOrder) { o.Zone = "Seoul" }, "zone"},
		"another overlap":     {func(o *ScheduleOrder) { o.Overlap = "both" }, "overlap"},
		"another on_doubt":    {func(o *ScheduleOrder) { o.OnDoubt = "forget" }, "on_doubt"},
		"a short window":      {func(o *ScheduleOrder) { o.Window = time.Minute - 1 }, "catch_up_seconds"},
		"a long window":       {func(o *ScheduleOrder) { o.Window = 7*24*time.Hour + 1 }, "catch_up_seconds"},
		"a negative window":   {func(o *ScheduleOrder) { o.Window = -time.Hour }, "catch_up_seconds"},
		"a short expiry":      {func(o *ScheduleOrder) { o.ExpiresAfter = time.Second }, "expires_after_seconds"},
		"a long expiry":       {func(o *ScheduleOrder) { o.ExpiresAfter = 31 * 24 * time.Hour }, "expires_after_seconds"},
		"an end in the past":  {func(o *ScheduleOrder) { o.Until = start.Add(-time.Hour) }, "until"},
		"no time before the end": {func(o *ScheduleOrder) {
			o.Until = start.Add(21*time.Hour - time.Millisecond)
		}, "until"},
		"a reserved key": {func(o *ScheduleOrder) { o.Message.Params = map[string]any{ChunkParam: "x"} }, "params." + ChunkParam},
	} {
		o := goodSchedule()
		tt.change(&o)
		if _, err := desk.schedule(o); fault.KindOf(err) != fault.Invalid || fieldOf(err) != tt.field {
			t.Errorf("%s: error = %v, want Invalid about %s", name, err, tt.field)
		}
	}
	o := goodSchedule()
	o.Until = start.Add(21 * time.Hour)
	s, err := desk.schedule(o)
	if err != nil || s.Side != Live || s.Zone != "Asia/Seoul" || s.Overlap != SkipOverlap || s.Window != time.Hour || s.OnDoubt != HoldDoubt ||
		s.State != ScheduleActive || !s.NextAt.Equal(start.Add(21*time.Hour)) || !strings.HasPrefix(string(s.ID), "sch") {
		t.Errorf("schedule = %+v, %v, want every default, at nine the next day", s, err)
	}
}

func TestSchedule_Due(t *testing.T) {
	nine := start.Add(-3 * time.Hour) // of this day, in Korea
	day := 24 * time.Hour
	for name, tt := range map[string]struct {
		cron   string
		until  time.Time
		now    time.Time
		run    time.Time
		missed []time.Time
		more   int // that the first of them stands for too
		next   time.Time
	}{
		"on time":                       {now: nine, run: nine, next: nine.Add(day)},
		"a second late":                 {now: nine.Add(time.Second), run: nine, next: nine.Add(day)},
		"at the end of the window":      {now: nine.Add(time.Hour), run: nine, next: nine.Add(day)},
		"after it":                      {now: nine.Add(time.Hour + 1), missed: []time.Time{nine}, next: nine.Add(day)},
		"three days later, in time":     {now: nine.Add(3*day + time.Minute), run: nine.Add(3 * day), missed: []time.Time{nine, nine.Add(day), nine.Add(2 * day)}, next: nine.Add(4 * day)},
		"three days later, too late":    {now: nine.Add(2*day + 2*time.Hour), missed: []time.Time{nine, nine.Add(day), nine.Add(2 * day)}, next: nine.Add(3 * day)},
		"the last one":                  {now: nine, until: nine.Add(day - 1), run: nine},
		"long after the last one":       {now: nine.Add(9 * day), until: nine.Add(day), missed: []time.Time{nine, nine.Add(day)}},
		"every minute, found at once":   {cron: "* * * * *", now: nine.Add(2 * time.Minute), run: nine.Add(2 * time.Minute), missed: []time.Time{nine, nine.Add(time.Minute)}, next: nine.Add(3 * time.Minute)},
		"every minute of three days":    {cron: "* * * * *", now: nine.Add(3 * day), run: nine.Add(3 * day), missed: minutes(nine.Add(3*day-time.Minute), 100), more: 3*24*60 - 100, next: nine.Add(3*day + time.Minute)},
		"every minute of days that end": {cron: "* * * * *", until: nine.Add(day), now: nine.Add(3 * day), missed: minutes(nine.Add(day), 100), more: 24*60 + 1 - 100},
	} {
		s := Schedule{ID: "sch", Cron: "0 9 * * *", Zone: "Asia/Seoul", Window: time.Hour, Until: tt.until, NextAt: nine, State: ScheduleActive}
		if tt.cron != "" {
			s.Cron = tt.cron
		}
		d, err := s.Due(tt.now)
		var missed []time.Time
		times := 0
		for _, r := range d.Missed {
			missed, times = append(missed, r.DueAt), times+r.Times
			if r.State != RunMissed || r.Reason == "" || r.Schedule != s.ID {
				t.Errorf("%s: missed %+v", name, r)
			}
		}
		if err != nil || !d.Run.Equal(tt.run) || !d.Next.Equal(tt.next) || !slices.EqualFunc(missed, tt.missed, time.Time.Equal) || times != len(tt.missed)+tt.more {
			t.Errorf("%s: Due = run %s, next %s, missed %d times %v, %v; want run %s, next %s, missed %d times %v", name, d.Run, d.Next, times, missed, err, tt.run, tt.next, len(tt.missed)+tt.more, tt.missed)
		}
	}
	if _, err := (Schedule{Cron: "0 9 * * *", Zone: "Moon/Base", NextAt: nine}).Due(nine); err == nil {
		t.Error("Due in a zone that is not known any more = nil, want it told")
	}
}

// minutes lists so many minutes, the last of them given.
func minutes(last time.Time, n int) (all []time.Time) {
	for i := n - 1; i >= 0; i-- {
		all = append(all, last.Add(-time.Duration(i)*time.Minute))
	}
	return all
}

func TestSchedule_Start(t *testing.T) {
	inWay := fault.New(fault.Conflict, "connect the channel again")
	for name, tt := range map[string]struct {
		overlap Overlap
		in      Situation
		late    time.Duration
		want    RunState
		reason  string
	}{
		"nothing in the way":               {want: RunCopying},
		"nothing in the way any more":      {late: 9 * time.Hour, want: RunCopying},
		"skip, the one before goes on":     {in: Situation{Unfinished: "brd_1"}, want: RunSkipped, reason: "broadcast brd_1 of the occurrence before it is not finished"},
		"queue, the one before goes on":    {overlap: QueueOverlap, in: Situation{Unfinished: "brd_1"}, want: RunWaiting, reason: "broadcast brd_1 of the occurrence before it is not finished"},
		"queue, as long as that takes":     {overlap: QueueOverlap, in: Situation{Unfinished: "brd_1"}, late: 99 * time.Hour, want: RunWaiting, reason: "brd_1"},
		"queue, and something else":        {overlap: QueueOverlap, in: Situation{Unfinished: "brd_1", Obstacle: inWay}, late: 99 * time.Hour, want: RunWaiting, reason: "brd_1"},
		"something in the way":             {in: Situation{Obstacle: inWay}, want: RunWaiting, reason: "connect the channel again"},
		"to the end of the window":         {in: Situation{Obstacle: inWay}, late: time.Hour, want: RunWaiting, reason: "connect the channel again"},
		"and after it":                     {in: Situation{Obstacle: inWay}, late: time.Hour + 1, want: RunFailed, reason: "connect the channel again"},
		"what nobody may read is not told": {in: Situation{Obstacle: fmt.Errorf("SELECT secret")}, want: RunWaiting, reason: "internal error"},
	} {
		if tt.overlap == "" {
			tt.overlap = SkipOverlap
		}
		s := Schedule{Overlap: tt.overlap, Window: time.Hour}
		got := s.Start(Run{DueAt: start, State: RunWaiting, Reason: "as before"}, tt.in, start.Add(tt.late))
		if got.State != tt.want || !strings.Contains(got.Reason, tt.reason) || tt.reason == "" && got.Reason != "" || !got.ChangedAt.Equal(start.Add(tt.late)) {
			t.Errorf("%s: Start = %s, %q, want %s, %q", name, got.State, got.Reason, tt.want, tt.reason)
		}
	}
}

// What stands in the way is kept in words, until it does no more.
func TestSchedule_Start_causes(t *testing.T) {
	missing := &fault.Error{Kind: fault.Conflict, Code: "BOT_NOT_READY", Message: "not yet", Parts: []fault.Part{{Field: "channel.state", Message: "is off"}, {Field: "bot.paused", Message: "says so"}}}
	for name, tt := range map[string]struct {
		in   Situation
		want []string
	}{
		"several at once":       {Situation{Obstacle: missing}, []string{"channel.state", "bot.paused"}},
		"one with a code":       {Situation{Obstacle: Nobody("aud_1")}, []string{"NO_RECIPIENTS"}},
		"one without":           {Situation{Obstacle: fault.New(fault.NotFound, "no audience")}, []string{"not_found"}},
		"no fault":              {Situation{Obstacle: fmt.Errorf("broken")}, nil},
		"nothing any more":      {Situation{}, nil},
		"the one before it":     {Situation{Unfinished: "brd_1"}, nil},
		"that, and a fault too": {Situation{Unfinished: "brd_1", Obstacle: missing}, nil},
	} {
		for _, late := range []time.Duration{0, 2 * time.Hour} {
			s := Schedule{Overlap: QueueOverlap, Window: time.Hour}
			got := s.Start(Run{DueAt: start, State: RunWaiting, Causes: []string{"as before"}}, tt.in, start.Add(late))
			if !slices.Equal(got.Causes, tt.want) {
				t.Errorf("%s, %s late: causes = %q, want %q", name, late, got.Causes, tt.want)
			}
		}
	}
}

func TestTimetable_Preview(t *testing.T) {
	table := NewTimetable(newDesk(&memory{}), nil)
	got, err := table.Preview("0 9 * * 1", "", 2)
	if err != nil || len(got) != 2 || got[0].Format(time.RFC3339) != "2026-11-30T00:00:00Z" || got[1].Sub(got[0]) != 7*24*time.Hour {
		t.Errorf("Preview = %v, %v, want two Mondays at nine in Korea", got, err)
	}
	if got, err := table.Preview("0 9 31 2 *", "UTC", 5); err != nil || len(got) != 0 {
		t.Errorf("Preview of a day that never is = %v, %v, want none", got, err)
	}
	if _, err := table.Preview("@daily", "Seoul", 5); fieldOf(err) != "zone" {
		t.Errorf("Preview in no zone error = %v, want it about zone", err)
	}
}

// crowded has more schedules than are read at a time, one of which fails.
type crowded struct {
	Schedules
	due  []Schedule
	seen []ScheduleID
}

func (c *crowded) DueSchedules(_ context.Context, _ time.Time, after ScheduleID, limit int) ([]Schedule, error) {
	at := slices.IndexFunc(c.due, func(s Schedule) bool { return s.ID > after })
	if at < 0 {
		return nil, nil
	}
	return c.due[at:min(at+limit, len(c.due))], nil
}

func (c *crowded) WaitingRuns(context.Context, time.Time, ScheduleID, int) ([]Run, error) {
	return nil, nil
}

func (c *crowded) Occur(_ context.Context, s Schedule, d Due, order func(Schedule) (Broadcast, error), _ time.Time) ([]Run, error) {
	b, err := order(s)
	if err != nil {
		return nil, err
	}
	c.seen = append(c.seen, s.ID)
	return []Run{{Schedule: s.ID, DueAt: d.Run, State: RunCopying, Broadcast: b.ID}, {Schedule: s.ID, State: RunMissed}}, nil
}

// One that fails keeps no other from its turn, however many there are.
func TestTimetable_Turn(t *testing.T) {
	c := &crowded{}
	for n := range 2*atOnce + 1 {
		c.due = append(c.due, Schedule{ID: ScheduleID(fmt.Sprintf("sch_%04d", n)), BotID: "bot", Side: Live, Message: Message{Event: "restock_alert"}, OnDoubt: HoldDoubt, Cron: "* * * * *", Zone: "UTC", Window: time.Hour, NextAt: start})
	}
	c.due[3].Zone = "Moon/Base"
	runs, err := NewTimetable(newDesk(&memory{}), c).Turn(t.Context())
	if err == nil || !strings.Contains(err.Error(), "sch_0003") {
		t.Errorf("Turn error = %v, want it about sch_0003", err)
	}
	if len(c.seen) != 2*atOnce || len(runs) != 2*atOnce || slices.ContainsFunc(runs, func(r Run) bool { return r.State != RunMissed }) {
		t.Errorf("%d of %d schedules had their turn, %d runs are told of; want all but one, and what is over", len(c.seen), len(c.due), len(runs))
	}
}
