package acceptance_test

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/apiclient"
)

// What is sent by the calendar.
func TestSchedule(t *testing.T) {
	show(t, map[string]func(*testing.T){
		"48_in_a_minute":    inAMinute,
		"48_cron_and_zone":  cronAndZone,
		"48_missed_days":    missedDays,
		"48_lost_times":     lostTimes,
		"48_overlap":        overlap,
		"48_two_schedulers": twoSchedulers,
	})
}

// run is what became of one time of a schedule.
type run struct {
	DueAt     time.Time `json:"due_at"`
	State     string    `json:"state"`
	Reason    string    `json:"reason"`
	Times     int       `json:"times"`
	Broadcast struct {
		ID, State, Wait string
	} `json:"broadcast"`
}

// audience makes a named audience.
func (s *shop) audience(people ...string) (id string) {
	s.house.t.Helper()
	var a struct{ ID string }
	s.house.do("POST", "/api/v1/audiences", map[string]any{"bot": s.bot, "name": rand.Text()}, &a)
	s.house.do("PUT", "/api/v1/audiences/"+a.ID+"/recipients", csv(append([]string{"id"}, people...)...), nil)
	return a.ID
}

// schedule orders a broadcast to an audience by the calendar.
func (s *shop) schedule(audience, cron string, more map[string]any) (id string) {
	s.house.t.Helper()
	body := map[string]any{"bot": s.bot, "name": "월요일 소식", "event": map[string]any{"name": event}, "audience": audience, "cron": cron}
	for name, value := range more {
		body[name] = value
	}
	var made struct{ ID string }
	s.house.do("POST", "/api/v1/schedules", body, &made, apiclient.IdempotencyKey(rand.Text()))
	return made.ID
}

// runs lists what became of a schedule, oldest first.
func (h *house) runs(schedule string) (all []run) {
	h.t.Helper()
	var list struct{ Items []run }
	h.get("/api/v1/schedules/"+schedule+"/runs", &list)
	for i := len(list.Items) - 1; i >= 0; i-- {
		all = append(all, list.Items[i])
	}
	return all
}

// ran waits until a schedule has so many runs, the last of them in a state.
func (h *house) ran(schedule string, n int, state string) (last run) {
	h.t.Helper()
	h.until(fmt.Sprintf("schedule %s has %d runs, the last %s", schedule, n, state), func() (bool, any) {
		all := h.runs(schedule)
		if len(all) != n {
			return false, all
		}
		last = all[n-1]
		return last.State == state, all
	})
	return last
}

// A broadcast that is ordered for a minute from now waits until then and goes.
func inAMinute(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(0)
	s.topUp(10_000)
	start := h.now().Add(time.Minute)
	b := s.orderWith(map[string]any{"start_at": start}, s.friends(30)...)
	if b.Wait.Reason != "scheduled" || b.Wait.Until.Sub(start).Abs() > time.Millisecond {
		t.Errorf("it waits for %+v, want scheduled until %s", b.Wait, start)
	}
	h.advance(start.Add(-10 * time.Second).Sub(h.now()))
	if b = s.look(b); b.Wait.Reason != "scheduled" || h.truth().Kakao.People.Reached != 0 {
		t.Errorf("before its time it is %s and waits for %q, want scheduled and nobody reached", b.State, b.Wait.Reason)
	}
	h.advance(start.Sub(h.now()))
	if b = s.finish(b); b.Counts.Delivered != 30 {
		t.Errorf("it counts %+v, want 30 delivered", b.Counts)
	}
	h.balance()
}

// Every morning in New York, whatever the clocks there do; its people are those of the audience then.
func cronAndZone(t *testing.T) {
	h := open(t, plan{at: time.Date(2027, 3, 13, 12, 0, 0, 0, time.UTC)}) // 07:00 there; the night after, clocks are put forward
	s := h.openShop(0)
	s.topUp(10_000)
	people := s.friends(150)
	audience := s.audience(people...)
	id := s.schedule(audience, "30 8 * * *", map[string]any{"zone": "America/New_York"})
	for n, due := range []time.Time{time.Date(2027, 3, 13, 13, 30, 0, 0, time.UTC), time.Date(2027, 3, 14, 12, 30, 0, 0, time.UTC)} {
		h.tell("PUT", "/sandbox/clock", map[string]any{"now": due.Add(-10 * time.Second)}, nil)
		if all := h.runs(id); len(all) != n {
			t.Errorf("right before %s there are %d runs, want %d", due, len(all), n)
		}
		h.tell("PUT", "/sandbox/clock", map[string]any{"now": due}, nil)
		last := h.ran(id, n+1, "started")
		if !last.DueAt.Equal(due) {
			t.Errorf("run %d was due at %s, want %s", n+1, last.DueAt, due)
		}
		if b := s.finish(broadcast{ID: last.Broadcast.ID}); b.Counts.Delivered != len(people) || b.Chunks.Total != (len(people)+99)/100 {
			t.Errorf("run %d counts %+v in %d chunks, want %d delivered", n+1, b.Counts, b.Chunks.Total, len(people))
		}
		people = s.friends(20)
		h.do("PUT", "/api/v1/audiences/"+audience+"/recipients", csv(append([]string{"id"}, people...)...), nil)
	}
	if people := h.truth().Kakao.People; people.Reached != 170 || people.Again != 0 {
		t.Errorf("%d people were reached, %d of them again; want 170, each once", people.Reached, people.Again)
	}
	refuses(t, h.api.Call(t.Context(), "DELETE", "/api/v1/audiences/"+audience, nil, nil), http.StatusConflict, id)
	h.do("DELETE", "/api/v1/schedules/"+id, nil, nil)
	h.do("DELETE", "/api/v1/audiences/"+audience, nil, nil)
	h.balance()
}

// A clock that jumps over three days looks at their midnights, half a day too late for what was due at noon: the
// latest time runs if its window is not over, and the others are told as missed.
func missedDays(t *testing.T) {
	h := open(t, plan{at: inDecember})
	h.at(2026, 12, 10, 10, 0)
	s := h.openShop(0)
	s.topUp(10_000)
	late := s.schedule(s.audience(s.friends(3)...), "0 12 * * *", nil)
	tooLate := s.schedule(s.audience(s.friends(3)...), "0 11 * * *", nil)
	h.at(2026, 12, 13, 12, 30)
	if last := h.ran(late, 4, "started"); last.DueAt.In(seoul).Format("02 15:04") != "13 12:00" {
		t.Errorf("what runs was due at %s, want the last", last.DueAt)
	}
	h.ran(tooLate, 4, "missed")
	for _, r := range append(h.runs(late)[:3], h.runs(tooLate)...) {
		if r.State != "missed" || r.Reason == "" || r.Broadcast.ID != "" {
			t.Errorf("run %+v, want it missed, with a reason", r)
		}
	}
	s.finish(broadcast{ID: h.runs(late)[3].Broadcast.ID})
	h.until("7 are counted as missed", func() (bool, any) {
		n := h.metric("malgil_schedule_runs_total", `outcome="missed"`)
		return n == 7, n
	})
	if people := h.truth().Kakao.People; people.Reached != 3 || people.Again != 0 {
		t.Errorf("%d people were reached, %d again, want the 3 of one broadcast", people.Reached, people.Again)
	}
	h.balance()
}

// While a broadcast waits for money, the next time is left out, or waits for its end.
func overlap(t *testing.T) {
	h := open(t, plan{at: inDecember})
	h.at(2026, 12, 10, 10, 0)
	s := h.openShop(0)
	skip := s.schedule(s.audience(s.friends(10)...), "0 * * * *", nil)
	audience := s.audience(s.friends(10)...)
	queue := s.schedule(audience, "0 * * * *", map[string]any{"overlap": "queue"})
	h.at(2026, 12, 10, 11, 0)
	first := h.ran(queue, 1, "started")
	s.waits(broadcast{ID: h.ran(skip, 1, "started").Broadcast.ID}, "funds")
	s.waits(broadcast{ID: first.Broadcast.ID}, "funds")
	h.at(2026, 12, 10, 12, 0)
	h.ran(skip, 2, "skipped")
	h.ran(queue, 2, "waiting")
	h.do("PUT", "/api/v1/audiences/"+audience+"/recipients", csv(append([]string{"id"}, s.friends(20)...)...), nil) // whom it will take
	s.topUp(10_000)
	s.finish(broadcast{ID: first.Broadcast.ID})
	h.advance(10 * time.Second)
	if second := s.finish(broadcast{ID: h.ran(queue, 2, "started").Broadcast.ID}); second.Counts.Delivered != 20 {
		t.Errorf("the second counts %+v, want 20 delivered", second.Counts)
	}
	h.ran(skip, 2, "skipped")
	h.balance()
}

// Two schedulers over one database begin each time once, and each broadcast that waits for a time once.
func twoSchedulers(t *testing.T) {
	if !realParts {
		t.Skip("two processes share a database and a queue: real parts only")
	}
	h := open(t, plan{twice: true, at: inDecember})
	s := h.openShop(0)
	s.topUp(100_000)
	h.at(2026, 12, 10, 10, 0)
	var schedules []string
	for range 10 {
		schedules = append(schedules, s.schedule(s.audience(s.friends(120)...), "1 10 * * *", nil))
	}
	b := s.orderWith(map[string]any{"start_at": time.Date(2026, 12, 10, 10, 1, 0, 0, seoul)}, s.friends(120)...)
	h.tell("PUT", "/sandbox/clock", map[string]any{"now": time.Date(2026, 12, 10, 10, 0, 57, 0, seoul)}, nil) // the rest passes under the eyes of both
	for _, id := range schedules {
		if done := s.finish(broadcast{ID: h.ran(id, 1, "started").Broadcast.ID}); done.Counts.Delivered != 120 {
			t.Errorf("schedule %s delivered %d, want 120", id, done.Counts.Delivered)
		}
	}
	if b = s.finish(b); b.Counts.Delivered != 120 {
		t.Errorf("the broadcast in a minute counts %+v, want 120 delivered", b.Counts)
	}
	var all struct{ Items []broadcast }
	if h.get("/api/v1/broadcasts?bot="+s.bot, &all); len(all.Items) != len(schedules)+1 {
		t.Errorf("there are %d broadcasts, want %d", len(all.Items), len(schedules)+1)
	}
	if people := h.truth().Kakao.People; people.Reached != 120*(len(schedules)+1) || people.Again != 0 {
		t.Errorf("%d people were reached, %d of them again; want %d, each once", people.Reached, people.Again, 120*(len(schedules)+1))
	}
	h.balance()
}
