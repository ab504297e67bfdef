package acceptance_test

import (
	"crypto/rand"
	"strings"
	"testing"

	"github.com/malgil/malgil/internal/apiclient"
)

func TestAds(t *testing.T) {
	show(t, map[string]func(*testing.T){
		"label": adLabel,
		"night": adNight,
		"hours": botHours,
		"cap":   botCap,
		"lists": adLists,
	})
}

// ad is an order of advertising that carries its label.
func (s *shop) ad(people ...string) broadcast {
	s.house.t.Helper()
	return s.orderWith(map[string]any{"purpose": "ad", "event": map[string]any{"name": event, "data": map[string]string{
		"text": "(광고) 겨울 할인\n한빛서점 02-123-4567\n무료 수신거부: 채널 홈 > 채널 차단"}}}, people...)
}

// Advertising without the label of the law, or a way to refuse more of it, is not taken.
func adLabel(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(0)
	s.topUp(10_000)
	for text, field := range map[string]string{"겨울 할인\n수신거부: 차단": "(광고)", "(광고) 겨울 할인": "수신거부"} {
		err := h.api.Call(t.Context(), "POST", "/api/v1/broadcasts", map[string]any{"bot": s.bot, "purpose": "ad",
			"event":      map[string]any{"name": event, "data": map[string]string{"text": text}},
			"recipients": []map[string]string{{"type": "botUserKey", "id": "reader-1"}}}, nil, apiclient.IdempotencyKey(rand.Text()))
		if refuses(t, err, 422, ""); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("the text %q is refused with %v, want what is missing: %s", text, err, field)
		}
	}
	if b := s.finish(s.ad(s.friends(3)...)); b.Counts.Delivered != 3 {
		t.Errorf("advertising with its label counts %+v, want 3 delivered", b.Counts)
	}
	h.balance()
}

// Advertising that is ordered at night goes in the morning; a notice goes at once.
func adNight(t *testing.T) {
	h := open(t, plan{at: inDecember})
	h.at(2026, 12, 10, 21, 30)
	s := h.openShop(0)
	s.topUp(10_000)
	b := s.waits(s.ad(s.friends(120)...), "window")
	if until := b.Wait.Until.In(seoul); until.Day() != 11 || until.Hour() != 8 || until.Minute() != 0 {
		t.Errorf("at night it waits until %s, want 08:00", until)
	}
	s.deliver(2)
	h.at(2026, 12, 11, 7, 58)
	if b = s.look(b); b.Counts.Delivered != 0 || b.Wait.Reason != "window" || h.truth().Kakao.People.Reached != 2 {
		t.Errorf("at 07:58 it counts %+v and waits for %q, want nobody and window", b.Counts, b.Wait.Reason)
	}
	h.at(2026, 12, 11, 8, 0)
	if b = s.finish(b); b.Counts.Delivered != 120 {
		t.Errorf("in the morning it counts %+v, want 120 delivered", b.Counts)
	}
	h.balance()
}

// A bot sends within its hours, not on a public holiday, and goes by what it is told last.
func botHours(t *testing.T) {
	h := open(t, plan{at: inDecember})
	h.at(2026, 12, 24, 18, 30) // a Thursday; Christmas is a holiday
	s := h.openShop(0)
	s.topUp(10_000)
	h.do("PATCH", "/api/v1/bots/"+s.bot, map[string]any{"sending": map[string]any{"hours": map[string]string{"thu": "09:00-18:00", "fri": "09:00-18:00", "sat": "10:00-12:00"}}}, nil)
	b := s.waits(s.order(s.friends(3)...), "window")
	if until := b.Wait.Until.In(seoul); until.Day() != 26 || until.Hour() != 10 {
		t.Errorf("after hours before a holiday it waits until %s, want Saturday at 10:00", until)
	}
	h.at(2026, 12, 26, 10, 0)
	if b = s.finish(b); b.Counts.Delivered != 3 {
		t.Errorf("within hours it counts %+v, want 3 delivered", b.Counts)
	}
	h.at(2026, 12, 26, 12, 30)
	b = s.waits(s.order(s.friends(3)...), "window")
	h.do("PATCH", "/api/v1/bots/"+s.bot, map[string]any{"sending": map[string]any{}}, nil)
	if b = s.finish(b); b.Counts.Delivered != 3 {
		t.Errorf("without hours it counts %+v, want 3 delivered", b.Counts)
	}
	h.balance()
}

// Who has refused advertising gets none from then on, and notices all the same; who has agreed to the night
// gets it at night.
func adLists(t *testing.T) {
	h := open(t, plan{at: inDecember})
	h.at(2026, 12, 10, 22, 0)
	s := h.openShop(0)
	s.topUp(10_000)
	people := s.friends(4)
	put := func(list string, body map[string]any, person string) {
		t.Helper()
		body["type"], body["id"] = "botUserKey", person
		h.do("PUT", "/api/v1/bots/"+s.bot+"/"+list, body, nil)
	}
	put("suppressions", map[string]any{"scope": "ad"}, people[0])
	put("consents", map[string]any{"at": h.now(), "night_at": h.now()}, people[1])
	b := s.ad(people...)
	h.until("the night's one is reached", func() (bool, any) { now := s.look(b); return now.Counts.Delivered == 1 && now.Counts.Skipped == 1, now })
	if b = s.waits(b, "window"); s.times("botUserKey", people[1]) != 1 || h.truth().Kakao.People.Reached != 1 {
		t.Errorf("at night it counts %+v, and %d people were reached; want the one who has agreed to that", b.Counts, h.truth().Kakao.People.Reached)
	}
	put("suppressions", map[string]any{"scope": "ad"}, people[2]) // while it waits
	h.at(2026, 12, 11, 8, 15)
	if b = s.finish(b); b.Counts.Delivered != 2 || b.Counts.Skipped != 2 || b.Captured != 30 {
		t.Errorf("in the morning it counts %+v for %d KRW, want 2 delivered, 2 skipped, 30", b.Counts, b.Captured)
	}
	results := string(h.document("/api/v1/broadcasts/" + b.ID + "/results"))
	for _, refused := range []string{people[0], people[2]} {
		if !strings.Contains(results, refused+",skipped,,opted_out,") || s.times("botUserKey", refused) != 0 {
			t.Errorf("the results do not say that %s has refused it:\n%s", refused, results)
		}
	}
	h.balance()
	if b := s.finish(s.order(people[0])); b.Counts.Delivered != 1 {
		t.Errorf("a notice to who has refused advertising counts %+v, want it delivered", b.Counts)
	}
}

// Who has got as many messages as a bot writes to one person is left out, and the results say so.
func botCap(t *testing.T) {
	h := open(t, plan{at: inDecember})
	h.at(2026, 12, 10, 10, 0)
	s := h.openShop(0)
	s.topUp(10_000)
	h.do("PATCH", "/api/v1/bots/"+s.bot, map[string]any{"sending": map[string]any{"cap": map[string]any{"messages": 1, "days": 1}}}, nil)
	people := s.friends(4)
	s.finish(s.ad(people[:2]...))
	b := s.finish(s.ad(people...))
	if b.Counts.Delivered != 2 || b.Counts.Skipped != 2 || b.Captured != 30 {
		t.Errorf("the second one counts %+v for %d KRW, want 2 delivered, 2 skipped, 30", b.Counts, b.Captured)
	}
	results := string(h.document("/api/v1/broadcasts/" + b.ID + "/results"))
	for _, capped := range people[:2] {
		if !strings.Contains(results, capped+",skipped,,capped,") {
			t.Errorf("the results do not say that %s was left out:\n%s", capped, results)
		}
		if n := s.times("botUserKey", capped); n != 1 {
			t.Errorf("%s was reached %d times, want once", capped, n)
		}
	}
	h.balance()
	h.at(2026, 12, 11, 9, 0) // everybody gets one more, which is not twice the same
	if b := s.finish(s.ad(people...)); b.Counts.Delivered != 4 {
		t.Errorf("on the next day it counts %+v, want 4 delivered", b.Counts)
	}
}
