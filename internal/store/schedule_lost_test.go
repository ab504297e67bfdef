package store

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/notice"
)

// lostData reads what the mail of a subject says.
func lostData(t *testing.T, s *Store, subject string) notice.ScheduleMissed {
	t.Helper()
	body := texts(t, s, `SELECT data FROM mail WHERE mail_case = 'schedule_missed' AND account_id = 'acc_master' AND subject_id = $1`, subject)
	if len(body) != 1 {
		t.Fatalf("%d mails about %s, want one", len(body), subject)
	}
	data, err := notice.Decode(notice.CaseScheduleMissed, []byte(body[0]))
	if err != nil {
		t.Fatal(err)
	}
	return data.(notice.ScheduleMissed)
}

// Times that nobody began in time are told of at once in one mail, to those who send.
func TestRemind_missedTimes(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		a := newAlmanac(t, s)
		senders(t, s, a.wallet, a.bot)
		sch := a.order(func(o *broadcast.ScheduleOrder) { o.By = "acc_operator" })
		a.turn(t0.Add(time.Hour)) // on time
		_, began := a.runs(sch.ID)
		a.finish(began[0].Broadcast)
		tellNothing := func(at time.Time) {
			t.Helper()
			if told, err := s.tellLost(t.Context(), at); err != nil || told != 0 {
				t.Errorf("tellLost(%s) = %d, %v, want nothing told", at, told, err)
			}
		}
		tellNothing(a.now)
		back := a.now.Add(3*24*time.Hour + 30*time.Minute) // two times are missed, and the third runs
		a.turn(back)
		var group sync.WaitGroup // several schedulers look
		for range 4 {
			group.Go(func() {
				if _, err := s.tellLost(t.Context(), back); err != nil {
					t.Errorf("tellLost error = %v", err)
				}
			})
		}
		group.Wait()
		want(t, "mails", texts(t, s, `SELECT account_id || ' ' || wallet_id FROM mail WHERE mail_case = 'schedule_missed' ORDER BY 1`), "acc_master "+a.wallet, "acc_operator "+a.wallet)
		runs := a.want("runs", sch.ID, runsOf(back, "started", "missed", "missed", "started")...)
		got := lostData(t, s, string(sch.ID)+"/"+seoulDay(back))
		wanted := notice.ScheduleMissed{
			ScheduleID: string(sch.ID), Schedule: sch.Name, Bot: got.Bot, Cron: "0 13 * * *", Zone: "Asia/Seoul", NextAt: runs[3].DueAt.Add(24 * time.Hour), Path: "/console/schedules/" + string(sch.ID),
			Times: []notice.LostTime{{At: runs[1].DueAt, InsteadAt: runs[3].DueAt}, {At: runs[2].DueAt, InsteadAt: runs[3].DueAt}},
		}
		if diff := cmp.Diff(wanted, got); diff != "" {
			t.Errorf("the mail says (-want +got):\n%s", diff)
		}
		tellNothing(back.Add(5 * 24 * time.Hour))
	})
}

// seoulDay is the day in Korea that a time is in.
func seoulDay(at time.Time) string { return at.Add(9 * time.Hour).Format(time.DateOnly) }

// runsOf is what runs at 13:00 in Korea came to, the last on the day of a time.
func runsOf(last time.Time, states ...string) (all []string) {
	for i, state := range states {
		all = append(all, last.Add(9*time.Hour).AddDate(0, 0, i+1-len(states)).Format("02 ")+"13:00 "+state)
	}
	return all
}

// What stood in the way is told of with the words for it; one mail a day, and what it left over on the next.
func TestRemind_failedTimes(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		a := newAlmanac(t, s)
		senders(t, s, a.wallet, a.bot)
		sch := a.order(func(o *broadcast.ScheduleOrder) { o.Cron, o.Window = "0 13,15,20 * * *", 10*time.Minute })
		exec(t, s, `UPDATE bot SET paused_reason = 'config', paused_at = 1 WHERE id = $1`, a.bot)
		tell := func(at time.Time, want int) {
			t.Helper()
			a.turn(at)
			if told, err := s.tellLost(t.Context(), at); err != nil || told != want {
				t.Errorf("tellLost(%s) = %d, %v, want %d", at.Add(9*time.Hour), told, err, want)
			}
		}
		tell(t0.Add(time.Hour), 0) // it waits
		tell(t0.Add(time.Hour+11*time.Minute), 1)
		day := seoulDay(t0)
		got := lostData(t, s, string(sch.ID)+"/"+day)
		if len(got.Times) != 1 || cmp.Diff([]string{"bot.paused"}, got.Times[0].Causes) != "" || !strings.Contains(got.Times[0].Reason, "set the key") || !got.Times[0].InsteadAt.IsZero() {
			t.Errorf("the mail says %+v, want one time, for the key", got)
		}
		tell(t0.Add(3*time.Hour), 0)
		tell(t0.Add(3*time.Hour+11*time.Minute), 0) // told this day already
		tell(t0.Add(8*time.Hour), 0)
		tell(t0.Add(8*time.Hour+11*time.Minute), 0)
		exec(t, s, `UPDATE bot SET paused_reason = '', paused_at = 0 WHERE id = $1`, a.bot)
		nine := t0.Add(21 * time.Hour)
		tell(nine.Add(-time.Minute), 0)
		tell(nine, 1)
		got = lostData(t, s, string(sch.ID)+"/"+seoulDay(nine))
		if len(got.Times) != 2 || !got.Times[0].At.Equal(t0.Add(3*time.Hour)) || !got.Times[1].At.Equal(t0.Add(8*time.Hour)) || got.Earlier != 0 {
			t.Errorf("the mail says %+v, want the two times that were left over", got)
		}
		tell(nine.Add(time.Minute), 0)
	})
}

// An audience that nobody is in and times too many to tell; a schedule without a next time.
func TestRemind_manyTimes(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		a := newAlmanac(t, s)
		senders(t, s, a.wallet, a.bot)
		until := t0.Add(24 * time.Hour)
		sch := a.order(func(o *broadcast.ScheduleOrder) { o.Cron, o.Until = "* * * * *", until })
		back := t0.Add(30 * 24 * time.Hour)
		a.turn(back)
		if told, err := s.tellLost(t.Context(), back); err != nil || told != 1 {
			t.Fatalf("tellLost = %d, %v, want one schedule", told, err)
		}
		got := lostData(t, s, string(sch.ID)+"/"+seoulDay(back))
		if len(got.Times) != lostTimes || got.Count() != 24*60 || !got.Times[lostTimes-1].At.Equal(until) || !got.NextAt.IsZero() || got.Paused {
			t.Errorf("the mail tells of %d times, the last of them %+v; next %s; want the %d of a day", got.Count(), got.Times[len(got.Times)-1], got.NextAt, 24*60)
		}
	})
}
