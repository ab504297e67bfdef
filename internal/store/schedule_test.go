package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/bot"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/testserver"
)

// almanac is a timetable over a store, a clock that is moved by hand, and a shop with an audience of 250
// people in three chunks.
type almanac struct {
	*broadcast.Timetable
	t        *testing.T
	s        *Store
	now      time.Time
	wallet   string
	bot      string
	audience broadcast.AudienceID
	made     atomic.Int64
	prefix   string // of ids
}

func newAlmanac(t *testing.T, s *Store) *almanac {
	a := &almanac{t: t, s: s, now: t0}
	a.wallet, a.bot = shop(t, s, "1", 1_000_000)
	a.audience = "aud_1"
	if err := s.CreateAudience(t.Context(), broadcast.Audience{ID: a.audience, BotID: a.bot, Name: "단골", CreatedAt: t0}); err != nil {
		t.Fatal(err)
	}
	a.people(100, 100, 50)
	a.with(s, s, s)
	return a
}

// with has the timetable go through other parts.
func (a *almanac) with(orders broadcast.Orders, uploads broadcast.Uploads, schedules broadcast.Schedules) {
	desk := broadcast.NewDesk(orders, uploads, a.s, a.s, func() time.Time { return a.now }, func(prefix string) string {
		return fmt.Sprintf("%s_%s%04d", prefix, a.prefix, a.made.Add(1))
	})
	a.Timetable = broadcast.NewTimetable(desk, schedules)
}

// people uploads the audience anew.
func (a *almanac) people(chunks ...int) {
	a.t.Helper()
	epoch, err := a.s.BeginAudience(a.t.Context(), a.audience)
	total := 0
	for _, n := range chunks {
		total += n
	}
	if err == nil {
		err = a.s.StoreAudience(a.t.Context(), a.audience, epoch, packed(chunks...))
	}
	if err == nil {
		err = a.s.EndAudience(a.t.Context(), a.audience, epoch, len(chunks), broadcast.Report{Audience: total}, a.now)
	}
	if err != nil {
		a.t.Fatal(err)
	}
}

// order makes a schedule, daily at 13:00 in Korea unless change says otherwise: an hour after t0.
func (a *almanac) order(change func(*broadcast.ScheduleOrder)) broadcast.Schedule {
	a.t.Helper()
	o := broadcast.ScheduleOrder{BotID: a.bot, Name: "아침 소식", Message: broadcast.Message{Event: "restock_alert", Data: map[string]string{"title": "겨울 바다"}},
		Audience: a.audience, Cron: "0 13 * * *", By: "acc_1"}
	if change != nil {
		change(&o)
	}
	sch, err := a.Create(a.t.Context(), o, broadcast.Request{})
	if err != nil {
		a.t.Fatal(err)
	}
	return sch
}

// turn moves the clock, does what is due and returns what came to something.
func (a *almanac) turn(to time.Time) []broadcast.Run {
	a.t.Helper()
	a.now = to
	runs, err := a.Turn(a.t.Context())
	if err != nil {
		a.t.Errorf("Turn at %s: %v", to, err)
	}
	if _, err := a.Copy(a.t.Context()); err != nil {
		a.t.Errorf("Copy at %s: %v", to, err)
	}
	return runs
}

// runs lists the runs of a schedule, oldest first, each as its day and time in Korea, and its state.
func (a *almanac) runs(id broadcast.ScheduleID) (all []string, views []RunView) {
	a.t.Helper()
	list, err := a.s.ScheduleRuns(a.t.Context(), id, time.Time{}, 1000)
	if err != nil {
		a.t.Fatal(err)
	}
	for i := len(list) - 1; i >= 0; i-- {
		r := list[i]
		all, views = append(all, r.DueAt.Add(9*time.Hour).Format("02 15:04 ")+string(r.State)), append(views, r)
	}
	return all, views
}

func (a *almanac) want(what string, id broadcast.ScheduleID, want ...string) []RunView {
	a.t.Helper()
	all, views := a.runs(id)
	if fmt.Sprint(all) != fmt.Sprint(want) {
		a.t.Fatalf("%s: runs %q %+v, want %q", what, all, views, want)
	}
	return views
}

// finish delivers a whole broadcast.
func (a *almanac) finish(id broadcast.ID) {
	a.t.Helper()
	chunks, err := chunksOf(a.s, id)
	if err != nil {
		a.t.Fatal(err)
	}
	for i := range chunks {
		c := sent(a.t, a.s, id, i+1, a.now)
		if !settle(a.t, a.s, c, c.People, a.now) {
			a.t.Fatalf("chunk %s was not settled", c.ID)
		}
	}
	if b := wantBroadcast(a.t, a.s, id); b.State != broadcast.Finished {
		a.t.Fatalf("broadcast %s is %s, want finished", id, b.State)
	}
}

func TestSchedule_runs(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		a := newAlmanac(t, s)
		sch := a.order(func(o *broadcast.ScheduleOrder) {
			o.ExpiresAfter, o.OnDoubt = 2*time.Hour, broadcast.AssumeSent
			o.Message.Params = map[string]any{"campaign": "winter"}
		})
		got, err := s.Schedule(t.Context(), sch.ID)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(sch) || !sch.NextAt.Equal(t0.Add(time.Hour)) || sch.Zone != "Asia/Seoul" || sch.Window != time.Hour {
			t.Fatalf("Schedule = %+v, %v, want %+v", got, err, sch)
		}
		a.turn(t0.Add(time.Hour - time.Millisecond))
		a.want("a blink before its time", sch.ID)
		a.turn(t0.Add(time.Hour))
		run := a.want("at its time", sch.ID, "24 13:00 started")[0]
		b := wantBroadcast(t, s, run.Broadcast)
		if b.State != broadcast.Running || b.Counts.Audience != 250 || b.Chunks != 3 || b.WalletID != a.wallet || b.Price != price || b.SealedBy != "acc_1" || b.Name != "아침 소식" ||
			!b.StartAt.Equal(a.now) || !b.ExpiresAt.Equal(a.now.Add(2*time.Hour)) || b.OnDoubt != broadcast.AssumeSent ||
			b.Message.Event != "restock_alert" || b.Message.Data["title"] != "겨울 바다" || b.Message.Params["campaign"] != "winter" {
			t.Errorf("its broadcast is %+v", b)
		}
		if want := packed(100, 100, 50)[2].Recipients; chunkOf(t, s, b.ID, 3).Recipients != want {
			t.Errorf("the last chunk has %s, want %s", chunkOf(t, s, b.ID, 3).Recipients, want)
		}
		a.turn(t0.Add(time.Hour + time.Second))
		a.finish(b.ID)
		a.people(7)
		a.turn(t0.Add(25 * time.Hour))
		run = a.want("the next day", sch.ID, "24 13:00 started", "25 13:00 started")[1]
		if b := wantBroadcast(t, s, run.Broadcast); b.Counts.Audience != 7 {
			t.Errorf("the second has %d people, want the 7 that the audience has by then", b.Counts.Audience)
		}
		if view, err := s.ScheduleRuns(t.Context(), sch.ID, run.DueAt, 1); err != nil || len(view) != 1 || view[0].BroadcastState != broadcast.Finished {
			t.Errorf("the page after it = %+v, %v, want the first, which is finished", view, err)
		}
		if _, err := s.ScheduleRuns(t.Context(), "sch_9", time.Time{}, 1); fault.KindOf(err) != fault.NotFound {
			t.Errorf("ScheduleRuns of none error = %v, want NotFound", err)
		}
	})
}

// However many schedulers look at the same moment, each time begins once, and everybody is in its broadcast
// once.
func TestSchedule_startsOnce(t *testing.T) {
	race := func(t *testing.T, stores ...*Store) {
		first := newAlmanac(t, stores[0])
		var ids []broadcast.ScheduleID
		for range 5 {
			ids = append(ids, first.order(func(o *broadcast.ScheduleOrder) { o.Cron = "* * * * *" }).ID)
		}
		for minute := 1; minute <= 3; minute++ {
			now := t0.Add(time.Duration(minute) * time.Minute)
			var all sync.WaitGroup
			for n := range 4 {
				one := &almanac{t: t, s: stores[n%len(stores)], now: now, prefix: fmt.Sprintf("%d_%d_", minute, n)}
				one.with(one.s, one.s, one.s)
				all.Go(func() {
					for _, step := range []func(context.Context) ([]broadcast.Run, error){one.Turn, one.Copy} {
						if _, err := step(t.Context()); err != nil {
							t.Errorf("scheduler %d: %v", n, err)
						}
					}
				})
			}
			all.Wait()
			first.turn(now) // what one had in hand when another ended
			for _, id := range ids {
				_, views := first.runs(id)
				last := views[len(views)-1]
				if len(views) != minute || last.State != broadcast.RunStarted {
					t.Fatalf("after %d minutes schedule %s has runs %+v, want as many, the last started", minute, id, views)
				}
				if b := wantBroadcast(t, first.s, last.Broadcast); b.State != broadcast.Running || b.Counts.Audience != 250 {
					t.Fatalf("broadcast %s is %s with %d people", b.ID, b.State, b.Counts.Audience)
				}
				exec(t, first.s, `UPDATE broadcast SET state = 'cancelled', finished_at = $2 WHERE id = $1`, string(last.Broadcast), millis(now))
			}
		}
		if n := texts(t, first.s, `SELECT CAST(COUNT(*) AS TEXT) FROM broadcast`)[0]; n != "15" {
			t.Errorf("there are %s broadcasts, want 15", n)
		}
	}
	t.Run("sqlite", func(t *testing.T) { race(t, openTest(t, sqliteAddress(t))) })
	t.Run("postgres", func(t *testing.T) {
		address := testserver.PostgresCopy(t, migrate)
		race(t, openTest(t, address), openTest(t, address))
	})
}

func TestSchedule_overlap(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		a := newAlmanac(t, s)
		skip := a.order(nil)
		queue := a.order(func(o *broadcast.ScheduleOrder) { o.Overlap = broadcast.QueueOverlap })
		at := func(day, minute int) time.Time {
			return skip.NextAt.AddDate(0, 0, day).Add(time.Duration(minute) * time.Minute)
		}
		a.turn(at(0, 0))
		a.turn(at(1, 0))
		skipped := a.want("skip, the first goes on", skip.ID, "24 13:00 started", "25 13:00 skipped")
		if first := string(skipped[0].Broadcast); !strings.Contains(skipped[1].Reason, first) || skipped[1].Broadcast != "" {
			t.Errorf("skipped because %q, want it to name %s", skipped[1].Reason, first)
		}
		a.want("queue, the first goes on", queue.ID, "24 13:00 started", "25 13:00 waiting")
		if !slices.ContainsFunc(a.turn(at(2, 0)), func(r broadcast.Run) bool {
			return r.Schedule == queue.ID && r.DueAt.Equal(at(1, 0)) && r.State == broadcast.RunSkipped
		}) {
			t.Error("the run that another one replaced is not told of")
		}
		queued := a.want("queue, another comes", queue.ID, "24 13:00 started", "25 13:00 skipped", "26 13:00 waiting")
		if !strings.Contains(queued[1].Reason, "took its place") || !strings.Contains(queued[2].Reason, string(queued[0].Broadcast)) {
			t.Errorf("reasons %q, %q", queued[1].Reason, queued[2].Reason)
		}
		a.now = at(2, 600) // long after its window
		a.finish(queued[0].Broadcast)
		a.finish(skipped[0].Broadcast)
		a.turn(at(2, 601))
		a.want("queue, the first is over", queue.ID, "24 13:00 started", "25 13:00 skipped", "26 13:00 started")
		a.want("skip begins nothing late", skip.ID, "24 13:00 started", "25 13:00 skipped", "26 13:00 skipped")
		a.turn(at(3, 0))
		a.want("skip, the next", skip.ID, "24 13:00 started", "25 13:00 skipped", "26 13:00 skipped", "27 13:00 started")
	})
}

// After days without a scheduler the latest time runs if it is not long past; the others are told as missed.
func TestSchedule_missed(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		a := newAlmanac(t, s)
		sch := a.order(nil)
		a.turn(sch.NextAt.AddDate(0, 0, 2).Add(30 * time.Minute))
		late := a.want("three days later, in the window", sch.ID, "24 13:00 missed", "25 13:00 missed", "26 13:00 started")
		if !strings.Contains(late[0].Reason, "2026-11-26T04:00:00Z runs in its place") {
			t.Errorf("missed because %q", late[0].Reason)
		}
		a.finish(late[2].Broadcast)
		a.turn(sch.NextAt.AddDate(0, 0, 5).Add(time.Hour + time.Millisecond))
		later := a.want("three days on, after the window", sch.ID, "24 13:00 missed", "25 13:00 missed", "26 13:00 started", "27 13:00 missed", "28 13:00 missed", "29 13:00 missed")
		if !strings.Contains(later[5].Reason, "longer than 1h0m0s after its time") {
			t.Errorf("missed because %q", later[5].Reason)
		}
		got, err := s.Schedule(t.Context(), sch.ID)
		if err != nil || !got.NextAt.Equal(sch.NextAt.AddDate(0, 0, 6)) {
			t.Errorf("the next is at %s, %v, want the day after", got.NextAt, err)
		}
	})
}

// What is in the way has the window to go away; then the run has failed, and the next one is not in its way.
func TestSchedule_obstacles(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		a := newAlmanac(t, s)
		if _, err := s.PutChannel(t.Context(), a.bot, bot.Live, "한빛서점", t0); err != nil {
			t.Fatal(err)
		}
		for n, tt := range []struct {
			name, reason string
			block, clear func() error
		}{
			{"an empty audience", "has nobody", func() error { exec(t, s, `UPDATE audience SET people = 0`); return nil }, func() error { a.people(3); return nil }},
			{"a channel that is disconnected", "connect the channel again",
				func() error { _, err := s.DisconnectChannel(t.Context(), a.bot, bot.Live, false, a.now); return err },
				func() error { _, err := s.ConnectChannel(t.Context(), a.bot, bot.Live, a.now); return err }},
			{"a bot that is stopped", "REST API key", func() error { exec(t, s, `UPDATE bot SET paused_reason = 'config'`); return nil }, func() error { exec(t, s, `UPDATE bot SET paused_reason = ''`); return nil }},
			{"no wallet", "no wallet", func() error { exec(t, s, `UPDATE bot SET wallet_id = NULL`); return nil }, func() error { exec(t, s, `UPDATE bot SET wallet_id = $1`, a.wallet); return nil }},
			{"an ad that lacks its label by now", "(광고)", func() error {
				exec(t, s, `UPDATE schedule SET purpose = 'ad', event_data = '{"text": "겨울 할인"}'`)
				return nil
			}, func() error {
				exec(t, s, `UPDATE schedule SET event_data = '{"text": "(광고) 겨울 할인\n무료 수신거부: 채널 차단"}'`)
				return nil
			}},
			{"a message that cannot be read", "cannot be read", func() error { exec(t, s, `UPDATE schedule SET event_data = '{'`); return nil }, func() error { exec(t, s, `UPDATE schedule SET event_data = '{}'`); return nil }},
		} {
			a.now = t0.AddDate(0, 0, 3*n)
			sch := a.order(nil)
			step := func(what string, err error) {
				t.Helper()
				if err != nil {
					t.Fatalf("%s: %s: %v", tt.name, what, err)
				}
			}
			step("block", tt.block())
			a.turn(sch.NextAt)
			_, views := a.runs(sch.ID)
			if len(views) != 1 || views[0].State != broadcast.RunWaiting || !strings.Contains(views[0].Reason, tt.reason) {
				t.Fatalf("%s: runs %+v, want one that waits", tt.name, views)
			}
			a.turn(sch.NextAt.Add(time.Hour))
			if _, views := a.runs(sch.ID); views[0].State != broadcast.RunWaiting {
				t.Errorf("%s: at the end of the window it is %s, want waiting", tt.name, views[0].State)
			}
			a.turn(sch.NextAt.Add(time.Hour + 5*time.Second))
			if _, views := a.runs(sch.ID); views[0].State != broadcast.RunFailed || !strings.Contains(views[0].Reason, tt.reason) || views[0].Broadcast != "" {
				t.Errorf("%s: after the window the run is %+v, want failed", tt.name, views[0])
			}
			a.turn(sch.NextAt.AddDate(0, 0, 1))
			a.now = a.now.Add(20 * time.Minute)
			step("clear", tt.clear())
			a.turn(a.now)
			if _, views := a.runs(sch.ID); len(views) != 2 || views[1].State != broadcast.RunStarted {
				t.Errorf("%s: cleared in the window of the next, runs are %+v, want it started", tt.name, views)
			}
			step("delete", a.Delete(t.Context(), sch.ID))
		}
	})
}

// A wallet that cannot pay stops no run: its broadcast waits and says why, as any other.
func TestSchedule_walletThatCannotPay(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		a := newAlmanac(t, s)
		if _, err := s.PutChannel(t.Context(), a.bot, bot.Live, "한빛서점", t0); err != nil {
			t.Fatal(err)
		}
		exec(t, s, `UPDATE wallet SET payment_state = 'UNPAID', unpaid_since = $1`, millis(t0))
		exec(t, s, `UPDATE channel SET state = 'disconnected', cause = 'wallet'`)
		sch := a.order(nil)
		a.turn(sch.NextAt)
		dispatch(t, s, a.now)
		if run := a.want("unpaid", sch.ID, "24 13:00 started")[0]; run.BroadcastState != broadcast.Running || run.Wait != broadcast.WaitUnpaid {
			t.Errorf("its broadcast is %s and waits for %q, want running, unpaid", run.BroadcastState, run.Wait)
		}
	})
}

func TestSchedule_pauseResumeDelete(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		a := newAlmanac(t, s)
		deed := func(action string) context.Context {
			return access.WithDeed(t.Context(), access.Deed{TokenID: "tok", Action: action, At: a.now}, access.Object{Kind: access.OfBot, ID: a.bot})
		}
		sch, err := a.Create(deed("create-schedule"), broadcast.ScheduleOrder{BotID: a.bot, Name: "소식", Message: broadcast.Message{Event: "restock_alert"}, Audience: a.audience, Cron: "0 13 * * *",
			Overlap: broadcast.QueueOverlap}, broadcast.Request{})
		if err != nil {
			t.Fatal(err)
		}
		first := sch.NextAt
		a.turn(first)
		a.turn(first.AddDate(0, 0, 1))
		a.want("waits", sch.ID, "24 13:00 started", "25 13:00 waiting")
		for range 2 {
			if sch, err = a.Pause(deed("pause-schedule"), sch.ID); err != nil || sch.State != broadcast.SchedulePaused || !sch.NextAt.IsZero() {
				t.Fatalf("Pause = %+v, %v", sch, err)
			}
		}
		runs := a.want("paused", sch.ID, "24 13:00 started", "25 13:00 skipped")
		if !strings.HasPrefix(runs[1].Reason, "the schedule was paused; it waited: broadcast ") {
			t.Errorf("skipped because %q", runs[1].Reason)
		}
		if next, err := a.Next(t.Context(), sch.ID, 3); err != nil || len(next) != 0 {
			t.Errorf("Next of a paused one = %v, %v, want none", next, err)
		}
		a.turn(first.AddDate(0, 0, 4).Add(time.Minute))
		for range 2 {
			if sch, err = a.Resume(deed("resume-schedule"), sch.ID); err != nil || sch.State != broadcast.ScheduleActive || !sch.NextAt.Equal(first.AddDate(0, 0, 5)) {
				t.Fatalf("Resume = %+v, %v", sch, err)
			}
		}
		if next, err := a.Next(t.Context(), sch.ID, 2); err != nil || len(next) != 2 || !next[1].Equal(first.AddDate(0, 0, 6)) {
			t.Errorf("Next = %v, %v", next, err)
		}
		if err := s.DeleteAudience(t.Context(), a.audience); fault.CodeOf(err) != "AUDIENCE_IN_USE" || !strings.Contains(fault.MessageOf(err), string(sch.ID)) {
			t.Errorf("DeleteAudience error = %v, want a Conflict that names %s", err, sch.ID)
		}
		a.finish(runs[0].Broadcast)
		a.now = sch.NextAt
		if _, err := a.Turn(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := a.Delete(deed("delete-schedule"), sch.ID); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.DeleteAudience(t.Context(), a.audience); fault.CodeOf(err) != "AUDIENCE_IN_USE" {
			t.Errorf("DeleteAudience while it is copied error = %v, want AUDIENCE_IN_USE", err)
		}
		a.turn(a.now.AddDate(0, 0, 3)) // what has begun goes on
		a.want("deleted", sch.ID, "24 13:00 started", "25 13:00 skipped", "29 13:00 started")
		if err := s.DeleteAudience(t.Context(), a.audience); err != nil {
			t.Errorf("DeleteAudience error = %v", err)
		}
		if _, err := a.Pause(t.Context(), sch.ID); fault.CodeOf(err) != "WRONG_STATE" {
			t.Errorf("Pause of a deleted one error = %v, want WRONG_STATE", err)
		}
		if _, err := a.Resume(t.Context(), sch.ID); fault.CodeOf(err) != "WRONG_STATE" {
			t.Errorf("Resume of a deleted one error = %v, want WRONG_STATE", err)
		}
		if err := a.Delete(t.Context(), "sch_9"); fault.KindOf(err) != fault.NotFound {
			t.Errorf("Delete of none error = %v, want NotFound", err)
		}
		log, err := s.Audit(t.Context(), AuditFilter{Subject: access.Object{Kind: access.OfSchedule, ID: string(sch.ID)}}, 0, 10)
		var told []string
		for _, e := range log {
			told = append(told, e.Action+" "+e.WalletID+" "+e.Before+" "+e.After)
		}
		want(t, "audit", told, `delete-schedule wal_1 {"state":"active"} {"state":"deleted"}`, `resume-schedule wal_1 {"state":"paused"} {"state":"active"}`,
			`pause-schedule wal_1 {"state":"active"} {"state":"paused"}`,
			`create-schedule wal_1  {"audience":"aud_1","bot":"bot_1","cron":"0 13 * * *","event":"restock_alert","name":"소식","zone":"Asia/Seoul"}`)
		if err != nil {
			t.Error(err)
		}
	})
}

func TestSchedule_create(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		a := newAlmanac(t, s)
		_, other := shop(t, s, "2", 0)
		if err := s.CreateAudience(t.Context(), broadcast.Audience{ID: "aud_2", BotID: other, Name: "남", CreatedAt: t0}); err != nil {
			t.Fatal(err)
		}
		order := broadcast.ScheduleOrder{BotID: a.bot, Message: broadcast.Message{Event: "restock_alert"}, Audience: a.audience, Cron: "0 13 * * *", Until: t0.Add(2 * time.Hour)}
		r := broadcast.Request{Scope: "tok", Key: "k", BodyHash: []byte("a")}
		sch, err := a.Create(t.Context(), order, r)
		if err != nil {
			t.Fatal(err)
		}
		for _, later := range []time.Duration{0, 3 * time.Hour} { // then until is over
			a.now = t0.Add(later)
			if again, err := a.Create(t.Context(), order, r); err != nil || again.ID != sch.ID {
				t.Errorf("the same call after %s = %+v, %v, want %s", later, again, err, sch.ID)
			}
			changed := r
			changed.BodyHash = []byte("b")
			if _, err := a.Create(t.Context(), order, changed); fault.CodeOf(err) != "IDEMPOTENCY_KEY_REUSED" {
				t.Errorf("another body after %s error = %v, want IDEMPOTENCY_KEY_REUSED", later, err)
			}
		}
		if _, err := a.Create(t.Context(), order, broadcast.Request{}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("until that is over error = %v, want Invalid", err)
		}
		order.Until = time.Time{}
		for name, tt := range map[string]struct {
			change func(*broadcast.ScheduleOrder)
			kind   fault.Kind
		}{
			"no such audience":            {func(o *broadcast.ScheduleOrder) { o.Audience = "aud_9" }, fault.Invalid},
			"the audience of another bot": {func(o *broadcast.ScheduleOrder) { o.Audience = "aud_2" }, fault.Invalid},
			"no such bot":                 {func(o *broadcast.ScheduleOrder) { o.BotID = "bot_9" }, fault.NotFound},
			"a bot that nobody pays for":  {func(o *broadcast.ScheduleOrder) { exec(t, s, `UPDATE bot SET wallet_id = NULL WHERE id = $1`, a.bot) }, fault.Conflict},
		} {
			exec(t, s, `UPDATE bot SET wallet_id = $2 WHERE id = $1`, a.bot, a.wallet)
			bad := order
			tt.change(&bad)
			if _, err := a.Create(t.Context(), bad, broadcast.Request{}); fault.KindOf(err) != tt.kind {
				t.Errorf("%s error = %v, want %s", name, err, tt.kind)
			}
		}
		exec(t, s, `UPDATE bot SET wallet_id = $2 WHERE id = $1`, a.bot, a.wallet)
		newAccount(t, s, "acc_1")
		exec(t, s, `INSERT INTO bot_member (bot_id, account_id, role) VALUES ($1, 'acc_1', 'operator')`, other)
		second, err := a.Create(t.Context(), broadcast.ScheduleOrder{BotID: other, Message: order.Message, Audience: "aud_2", Cron: "@daily"}, broadcast.Request{})
		if err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			f    ScheduleFilter
			want []broadcast.ScheduleID
		}{
			{ScheduleFilter{}, []broadcast.ScheduleID{sch.ID, second.ID}}, {ScheduleFilter{BotID: a.bot}, []broadcast.ScheduleID{sch.ID}},
			{ScheduleFilter{Sight: "acc_1"}, []broadcast.ScheduleID{second.ID}}, {ScheduleFilter{Sight: "acc_1", BotID: a.bot}, nil},
		} {
			list, err := s.ScheduleList(t.Context(), tt.f, "", 10)
			var ids []broadcast.ScheduleID
			for _, one := range list {
				ids = append(ids, one.ID)
			}
			if err != nil || fmt.Sprint(ids) != fmt.Sprint(tt.want) {
				t.Errorf("ScheduleList(%+v) = %v, %v, want %v", tt.f, ids, err, tt.want)
			}
		}
		if err := a.Delete(t.Context(), sch.ID); err != nil {
			t.Fatal(err)
		}
		if list, err := s.ScheduleList(t.Context(), ScheduleFilter{}, "", 1); err != nil || len(list) != 1 || list[0].ID != second.ID {
			t.Errorf("ScheduleList after a deletion = %v, %v, want the other", list, err)
		}
	})
}

// A schedule is changed for what has not begun; what is not given stays, and what was begun goes on as it was.
func TestSchedule_change(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		a := newAlmanac(t, s)
		sch := a.order(func(o *broadcast.ScheduleOrder) {
			o.Personal.Variables, o.Message.Data = map[string]string{"season": "겨울"}, map[string]string{"title": "#{season} 바다"}
		})
		change := func(c broadcast.ScheduleChange) (broadcast.Schedule, error) {
			c.By = "acc_2"
			return a.Change(t.Context(), sch.ID, c)
		}
		name, cron, other := "저녁 소식", "0 18 * * *", broadcast.AudienceID("aud_2")
		got, err := change(broadcast.ScheduleChange{Name: &name})
		if got.CreatedBy != sch.CreatedBy {
			t.Errorf("renamed its author is %q, want %q as before", got.CreatedBy, sch.CreatedBy)
		}
		if err != nil || got.Name != name || got.Message.Data["title"] != "겨울 바다" || !got.NextAt.Equal(sch.NextAt) || !got.CreatedAt.Equal(sch.CreatedAt) {
			t.Errorf("renamed it is %+v, %v; want everything else as it was", got, err)
		}
		if _, err := change(broadcast.ScheduleChange{Audience: &other}); fieldOf(err) != "audience" {
			t.Errorf("a change to an audience that is none = %v, want it refused by its field", err)
		}
		if err := s.CreateAudience(t.Context(), broadcast.Audience{ID: other, BotID: a.bot, Name: "신규", CreatedAt: t0}); err != nil {
			t.Fatal(err)
		}
		text := broadcast.ScheduleText{Message: broadcast.Message{Event: "evening", Data: map[string]string{"title": "#{season} 소식"}},
			Personal: broadcast.Personal{Variables: map[string]string{"season": "봄"}}}
		if got, err = change(broadcast.ScheduleChange{Cron: &cron, Audience: &other, Text: &text}); err != nil {
			t.Fatal(err)
		}
		stored, err := s.Schedule(t.Context(), sch.ID)
		if stored.CreatedBy != "acc_2" {
			t.Errorf("its author is %q, want who changed what it sends", stored.CreatedBy)
		}
		if err != nil || stored.Message.Event != "evening" || stored.Message.Data["title"] != "봄 소식" || stored.Audience != other || stored.Cron != cron ||
			stored.NextAt.Add(9*time.Hour).Format("15:04") != "18:00" || stored.Name != name {
			t.Errorf("changed it is stored as %+v, %v", stored, err)
		}
		ad := broadcast.Ad
		if _, err := change(broadcast.ScheduleChange{Purpose: &ad, Text: &broadcast.ScheduleText{Message: broadcast.Message{Event: "evening", Data: map[string]string{"text": "할인"}}}}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("a change to advertising without its label = %v, want Invalid", err)
		}
		never := "0 0 30 2 *"
		if _, err := change(broadcast.ScheduleChange{Cron: &never}); fieldOf(err) != "cron" {
			t.Errorf("a change to a calendar without a day = %v, want it refused by its field", err)
		}
		if _, err := a.Pause(t.Context(), sch.ID); err != nil {
			t.Fatal(err)
		}
		morning := "0 7 * * *"
		if got, err = change(broadcast.ScheduleChange{Cron: &morning}); err != nil || got.State != broadcast.SchedulePaused || !got.NextAt.IsZero() {
			t.Errorf("changed while it is paused it is %s until %s, %v; want it paused", got.State, got.NextAt, err)
		}
		if got, err = a.Resume(t.Context(), sch.ID); err != nil || got.NextAt.Add(9*time.Hour).Format("15:04") != "07:00" {
			t.Errorf("resumed it is next at %s, %v; want 07:00", got.NextAt, err)
		}
		exec(t, s, `UPDATE schedule SET event_data = '{'`)
		if _, err := change(broadcast.ScheduleChange{Name: &name, Cron: &cron}); fieldOf(err) != "event" {
			t.Errorf("a change of one that cannot be read = %v, want its event asked for", err)
		}
		if _, err := a.Pause(t.Context(), sch.ID); err != nil {
			t.Errorf("pause one that cannot be read: %v", err)
		}
		if got := texts(t, s, `SELECT event_data FROM schedule`); got[0] != "{" {
			t.Errorf("what cannot be read was written over with %s", got[0])
		}
		if _, err := change(broadcast.ScheduleChange{Text: &text}); err != nil {
			t.Errorf("give it another message: %v", err)
		}
		if err := a.Delete(t.Context(), sch.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := change(broadcast.ScheduleChange{Name: &name}); fault.KindOf(err) != fault.Conflict {
			t.Errorf("a change of a deleted one = %v, want Conflict", err)
		}
	})
}

// A time that has begun goes on as it was when it began; one that waits goes by what the schedule is when it begins.
func TestSchedule_changedWhileItBegins(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		a := newAlmanac(t, s)
		other := broadcast.AudienceID("aud_2")
		if err := s.CreateAudience(t.Context(), broadcast.Audience{ID: other, BotID: a.bot, Name: "신규", CreatedAt: t0}); err != nil {
			t.Fatal(err)
		}
		sch := a.order(func(o *broadcast.ScheduleOrder) { o.By = "acc_1" })
		text := broadcast.ScheduleText{Message: broadcast.Message{Event: "evening"}}
		change := func() {
			t.Helper()
			if _, err := a.Change(t.Context(), sch.ID, broadcast.ScheduleChange{Audience: &other, Text: &text, By: "acc_2"}); err != nil {
				t.Fatal(err)
			}
		}
		a.now = sch.NextAt
		if _, err := a.Turn(t.Context()); err != nil {
			t.Fatal(err)
		}
		change()
		if err := s.DeleteAudience(t.Context(), a.audience); fault.CodeOf(err) != "AUDIENCE_IN_USE" {
			t.Errorf("the audience that is being copied was deleted: %v", err)
		}
		if _, err := a.Copy(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, views := a.runs(sch.ID)
		b := wantBroadcast(t, s, views[0].Broadcast)
		if b.Message.Event != "restock_alert" || b.Counts.Audience != 250 || b.SealedBy != "acc_1" {
			t.Errorf("what had begun goes as %q to %d people by %s; want it as it was", b.Message.Event, b.Counts.Audience, b.SealedBy)
		}

		// The second waits, as the audience has nobody; what it begins with is what the schedule has then.
		a.finish(b.ID)
		a.turn(sch.NextAt.AddDate(0, 0, 1))
		a.want("nobody is there", sch.ID, "24 13:00 started", "25 13:00 waiting")
		third := broadcast.ScheduleText{Message: broadcast.Message{Event: "night"}}
		if _, err := a.Change(t.Context(), sch.ID, broadcast.ScheduleChange{Audience: &a.audience, Text: &third, By: "acc_3"}); err != nil {
			t.Fatal(err)
		}
		a.turn(sch.NextAt.AddDate(0, 0, 1).Add(time.Minute))
		_, views = a.runs(sch.ID)
		if b := wantBroadcast(t, s, views[1].Broadcast); b.Message.Event != "night" || b.Counts.Audience != 250 || b.SealedBy != "acc_3" {
			t.Errorf("what waited goes as %q to %d people by %s; want it as the schedule is when it begins", b.Message.Event, b.Counts.Audience, b.SealedBy)
		}
	})
}

// What something was in the way of when the next time came has failed, however short the time between them.
func TestSchedule_replacedWhileBlocked(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		a := newAlmanac(t, s)
		sch := a.order(func(o *broadcast.ScheduleOrder) { o.Window = 48 * time.Hour })
		exec(t, s, `UPDATE bot SET paused_reason = 'config'`)
		a.turn(sch.NextAt)
		a.turn(sch.NextAt.AddDate(0, 0, 1))
		views := a.want("the bot is stopped", sch.ID, "24 13:00 failed", "25 13:00 waiting")
		if !strings.Contains(views[0].Reason, "took its place") || !strings.Contains(views[0].Reason, "REST API key") {
			t.Errorf("it failed because %q, want what was in its way", views[0].Reason)
		}
	})
}

// Advertising by the calendar carries the label of the law too, and its broadcasts are advertising.
func TestSchedule_advertising(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		a := newAlmanac(t, s)
		o := broadcast.ScheduleOrder{BotID: a.bot, Audience: a.audience, Cron: "0 13 * * *", Purpose: broadcast.Ad,
			Message: broadcast.Message{Event: "restock_alert", Data: map[string]string{"text": "겨울 할인"}}}
		if _, err := a.Create(t.Context(), o, broadcast.Request{}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("a schedule of advertising without its label = %v, want Invalid", err)
		}
		sch := a.order(func(o *broadcast.ScheduleOrder) {
			o.Purpose, o.Message.Data = broadcast.Ad, map[string]string{"text": "(광고) 겨울 할인\n무료 수신거부: 채널 차단"}
		})
		a.turn(t0.Add(time.Hour))
		if _, views := a.runs(sch.ID); len(views) != 1 || wantBroadcast(t, s, views[0].Broadcast).Purpose != broadcast.Ad {
			t.Errorf("its runs are %+v, want one of advertising", views)
		}
	})
}
