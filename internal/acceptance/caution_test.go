package acceptance_test

import (
	"crypto/rand"
	"testing"

	"github.com/malgil/malgil/internal/apiclient"
)

func TestCaution(t *testing.T) {
	show(t, map[string]func(*testing.T){
		"canary_by_time":   canaryByTime,
		"canary_by_person": canaryByPerson,
		"too_many_missed":  tooManyMissed,
		"kakao_is_silent":  kakaoIsSilent,
	})
}

// orderWith is an order to botUserKeys that says more than that.
func (s *shop) orderWith(more map[string]any, people ...string) (b broadcast) {
	s.house.t.Helper()
	list := make([]map[string]string, len(people))
	for i, id := range people {
		list[i] = map[string]string{"type": "botUserKey", "id": id}
	}
	body := map[string]any{"bot": s.bot, "event": map[string]any{"name": event}, "recipients": list}
	for key, value := range more {
		body[key] = value
	}
	s.house.do("POST", "/api/v1/broadcasts", body, &b, apiclient.IdempotencyKey(rand.Text()))
	return b
}

// The first ten go alone; half an hour after their outcomes the others follow.
func canaryByTime(t *testing.T) {
	h := open(t, plan{at: inDecember})
	h.at(2026, 12, 10, 10, 0)
	s := h.openShop(0)
	s.topUp(10_000)
	b := s.orderWith(map[string]any{"canary": map[string]any{"people": 10, "wait_seconds": 1800}}, s.friends(130)...)
	h.until("the canary has arrived", func() (bool, any) {
		now := s.look(b)
		return now.Wait.Reason == "canary" && !now.Wait.Until.IsZero(), now
	})
	if b = s.look(b); b.Counts.Delivered != 10 || b.Captured != 150 || h.truth().Kakao.People.Reached != 10 {
		t.Errorf("behind the canary it counts %+v, and %d people were reached, want 10", b.Counts, h.truth().Kakao.People.Reached)
	}
	until := b.Wait.Until.In(seoul)
	h.at(2026, 12, 10, until.Hour(), until.Minute()-1)
	if b = s.look(b); b.Counts.Delivered != 10 || b.Wait.Reason != "canary" {
		t.Errorf("a minute before its time it counts %+v and waits for %q, want 10 and canary", b.Counts, b.Wait.Reason)
	}
	h.at(2026, 12, 10, until.Hour(), until.Minute()+1)
	if b = s.finish(b); b.Counts.Delivered != 130 {
		t.Errorf("after its time it counts %+v, want 130 delivered", b.Counts)
	}
	h.balance()
}

// A canary that went wrong pauses the broadcast, one that went well waits; a person lets both go on.
func canaryByPerson(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(0)
	s.topUp(10_000)
	canary := map[string]any{"canary": map[string]any{"people": 5, "max_missed_percent": 20}}
	good := s.orderWith(canary, append(s.friends(4), "stranger-1", "stranger-2")...)
	bad := s.orderWith(canary, append([]string{"stranger-1", "stranger-2"}, s.friends(6)...)...)
	s.waits(good, "canary")
	bad = s.waits(bad, "paused")
	if bad.Counts.Delivered != 3 || bad.Counts.Failed != 2 || bad.Note == "" {
		t.Errorf("the bad canary counts %+v with the note %q, want 3 and 2, and why", bad.Counts, bad.Note)
	}
	h.until("the good canary has arrived", func() (bool, any) { now := s.look(good); return now.Counts.Delivered == 4, now })
	if good = s.look(good); good.State != "running" || good.Counts.Failed != 1 {
		t.Errorf("the good canary is %s and counts %+v, want it running with 4 and 1", good.State, good.Counts)
	}
	for _, b := range []*broadcast{&good, &bad} {
		s.waits(*b, map[bool]string{true: "canary", false: "paused"}[b == &good])
		h.do("POST", "/api/v1/broadcasts/"+b.ID+"/resume", nil, nil)
		*b = s.finish(*b)
	}
	if good.Counts.Delivered != 4 || good.Counts.Failed != 2 || bad.Counts.Delivered != 6 || bad.Counts.Failed != 2 {
		t.Errorf("they end with %+v and %+v, want 4 and 2, 6 and 2", good.Counts, bad.Counts)
	}
	s.audited("resume-broadcast")
	h.balance()
}

// A broadcast of which more than a fifth are missed pauses by itself before it has reached everybody.
func tooManyMissed(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(0)
	s.topUp(30_000)
	h.do("PATCH", "/api/v1/bots/"+s.bot, map[string]any{"rate_per_second": 100, "in_flight": 1}, nil)
	people := s.friends(1_200)
	for i := range people {
		if i%4 == 0 {
			people[i] = "stranger-" + people[i]
		}
	}
	b := s.orderWith(map[string]any{"stop_above_percent": 20}, people...)
	h.until("it pauses by itself", func() (bool, any) { now := s.look(b); return now.State == "paused", now })
	b = s.look(b)
	if told := b.Counts.Delivered + b.Counts.Failed; told < 500 || told > 1_000 || b.Note == "" || b.Wait.Reason != "paused" {
		t.Errorf("it paused with %+v, note %q, want it after 500 outcomes and before the end", b.Counts, b.Note)
	}
	h.do("POST", "/api/v1/broadcasts/"+b.ID+"/cancel", nil, nil)
	h.until("everybody has an outcome", func() (bool, any) {
		b = s.look(b)
		n := b.Counts
		return n.Skipped > 0 && n.Delivered+n.Failed+n.Skipped == 1_200, b
	})
	h.balance()
}

// When Kakao answers nothing, three requests find out; the others wait, and go when it answers again.
func kakaoIsSilent(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(0)
	s.topUp(30_000)
	h.do("PATCH", "/api/v1/bots/"+s.bot, map[string]any{"rate_per_second": 20_000, "in_flight": 1}, nil)
	h.fault("kakao.send", "cut_before", map[string]any{"count": -1})
	b := s.orderWith(map[string]any{"stop_above_percent": 100}, s.friends(1_000)...)
	// The others are told to wait before the third request's own answer is written down.
	h.until("it waits with 300 in doubt", func() (bool, any) {
		b = s.look(b)
		return b.Wait.Reason == "kakao" && b.Counts.InDoubt == 300, b
	})
	if b.Wait.Until.IsZero() {
		t.Errorf("it waits until %v, want a time", b.Wait.Until)
	}
	h.tell("DELETE", "/sandbox/faults", nil, nil)
	if b = s.finish(b); b.Counts.InDoubt != 300 || b.Counts.Delivered != 700 {
		t.Errorf("it ends with %+v, want 300 in doubt and 700 delivered", b.Counts)
	}
	h.do("POST", "/api/v1/broadcasts/"+b.ID+"/decide", map[string]any{"finding": "not_sent", "note": "Kakao was down"}, nil, apiclient.IdempotencyKey(rand.Text()))
	if b = s.finish(b); b.Counts.Delivered != 1_000 {
		t.Errorf("decided it ends with %+v, want everybody delivered", b.Counts)
	}
	h.balance()
}
