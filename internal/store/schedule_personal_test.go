package store

import (
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
)

// A schedule fills its text in for the people whom its audience has then. Who lacks a word is left out, and a
// run that has nobody left fails; neither sends a word as it is written.
func TestSchedule_personal(t *testing.T) {
	tests := map[string]struct {
		property   string
		chunks     []broadcast.Packed
		state      broadcast.RunState
		people     int
		bad        int
		recipients string
	}{
		"all of a chunk lack a word": {"#{name}", []broadcast.Packed{
			{Seq: 1, People: 1, Recipients: `[{"type":"botUserKey","id":"u1"}]`},
			{Seq: 2, People: 1, Recipients: `[{"type":"appUserId","id":"u2","properties":{"name":"하늘"}}]`},
		}, broadcast.RunStarted, 1, 1, `[{"type":"appUserId","id":"u2","properties":{"greeting":"하늘","name":"하늘"}}]`},
		"one lacks a word": {"#{name}님, #{shop}", []broadcast.Packed{
			{Seq: 1, People: 2, Recipients: `[{"type":"botUserKey","id":"u1","properties":{"name":"하늘"}},{"type":"botUserKey","id":"u2"}]`},
			{Seq: 2, People: 1, Recipients: `[{"type":"appUserId","id":"u3"}]`},
		}, broadcast.RunStarted, 1, 2, `[{"type":"botUserKey","id":"u1","properties":{"greeting":"하늘님, 한빛서점","name":"하늘"}}]`},
		"a word in their own": {"", []broadcast.Packed{
			{Seq: 1, People: 1, Recipients: `[{"type":"botUserKey","id":"u1","properties":{"line":"#{nick|고객}님"}}]`},
		}, broadcast.RunStarted, 1, 0, `[{"type":"botUserKey","id":"u1","properties":{"line":"고객님"}}]`},
		"nobody has it": {"#{name}님", []broadcast.Packed{
			{Seq: 1, People: 1, Recipients: `[{"type":"botUserKey","id":"u1"}]`},
		}, broadcast.RunFailed, 0, 0, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			eachDatabase(t, func(t *testing.T, s *Store) {
				a := newAlmanac(t, s)
				epoch, err := s.BeginAudience(t.Context(), a.audience)
				must(t, err)
				must(t, s.StoreAudience(t.Context(), a.audience, epoch, tt.chunks))
				total := 0
				for _, c := range tt.chunks {
					total += c.People
				}
				must(t, s.EndAudience(t.Context(), a.audience, epoch, len(tt.chunks), broadcast.Report{Audience: total}, a.now))
				sch := a.order(func(o *broadcast.ScheduleOrder) {
					o.Message.Data = map[string]string{"title": "#{shop} #{{새 책}"}
					o.Personal.Variables = map[string]string{"shop": "한빛서점"}
					if tt.property != "" {
						o.Personal.Properties = map[string]string{"greeting": tt.property}
					}
				})
				a.turn(t0.Add(time.Hour))
				run := a.want(name, sch.ID, "24 13:00 "+string(tt.state))[0]
				b := wantBroadcast(t, s, run.Broadcast)
				if b.Counts.Audience != tt.people || b.Counts.BadRows != tt.bad || b.Message.Data["title"] != "한빛서점 #{새 책}" {
					t.Errorf("the broadcast has %+v and says %q, want %d people, %d bad rows and 한빛서점 #{새 책}", b.Counts, b.Message.Data, tt.people, tt.bad)
				}
				past, err := s.PastChunks(t.Context(), b.ID, nil, 0, 10)
				if tt.state == broadcast.RunFailed {
					if len(past) != 0 || b.State != broadcast.Cancelled || !strings.Contains(run.Reason, "lacks a word") {
						t.Errorf("the broadcast is %s with %d chunks, the run says %q; want it cancelled and why", b.State, len(past), run.Reason)
					}
					return
				}
				if err != nil || len(past) != 1 || past[0].Seq != 1 || string(past[0].Recipients) != tt.recipients {
					t.Errorf("chunks %+v, %v, want the first with %s", past, err, tt.recipients)
				}
			})
		})
	}
}
