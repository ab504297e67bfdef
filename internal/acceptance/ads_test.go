package acceptance_test

import (
	"crypto/rand"
	"io"
	"strings"
	"testing"

	hangul "golang.org/x/text/encoding/korean"

	"github.com/malgil/malgil/internal/apiclient"
)

func TestAds(t *testing.T) {
	show(t, map[string]func(*testing.T){
		"label": adLabel,
		"night": adNight,
		"hours": botHours,
		"cap":   botCap,
		"lists": adLists,
		"files": adFiles,
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

// The refusals that an office keeps in a CP949 file are taken over or refused whole; who is in it gets no advertising,
// it comes out as it went in, and the audit log says who brought it.
func adFiles(t *testing.T) {
	h := open(t, plan{at: inDecember})
	h.at(2026, 12, 10, 10, 0)
	s := h.openShop(0)
	s.topUp(10_000)
	people := s.friends(4)
	office := func(lines ...string) io.Reader {
		text, err := hangul.EUCKR.NewEncoder().String("수신자ID;수신거부 일시;거부구분;경로\r\n" + strings.Join(lines, "\r\n") + "\r\n")
		if err != nil {
			t.Fatal(err)
		}
		return strings.NewReader(text)
	}
	lines := []string{people[1] + ";2026-12-02 09:30;전체;고객센터 전화", people[0] + ";2026-12-01;광고;"}
	list, master := "/api/v1/bots/"+s.bot+"/suppressions", h.as(s.master)
	var came struct {
		New, Changed, Unchanged, Duplicates int
		BadRows                             int `json:"bad_rows"`
	}
	p := master.refused("POST", list+"/import", office(append(lines, people[2]+";그저께;;")...), apiclient.ContentType("text/csv"))
	if p == nil || p.Status != 422 || len(p.Errors) != 1 || p.Errors[0].Line != 4 || p.Errors[0].Column != "at" {
		t.Errorf("a file with a bad line is answered %+v, want line 4 and its time", p)
	}
	if master.do("POST", list+"/import?dry_run=true", office(lines...), &came, apiclient.ContentType("text/csv")); came.New != 2 {
		t.Errorf("a dry run after a file that was refused tells %+v, want 2 new", came)
	}
	if master.do("POST", list+"/import", office(append(lines, people[0]+";2026-11-01;;전에")...), &came, apiclient.ContentType("text/csv")); came.New != 2 || came.Duplicates != 1 {
		t.Errorf("the import tells %+v, want 2 new and one said before", came)
	}
	var tried struct{ Audience, Suppressed int }
	var draft broadcast
	h.do("POST", "/api/v1/broadcasts", map[string]any{"bot": s.bot, "purpose": "ad", "event": map[string]any{"name": event}}, &draft, apiclient.IdempotencyKey(rand.Text()))
	if h.do("PUT", "/api/v1/broadcasts/"+draft.ID+"/recipients?dry_run=true", strings.NewReader("id\n"+strings.Join(people, "\n")), &tried, apiclient.ContentType("text/csv")); tried.Audience != 4 || tried.Suppressed != 2 {
		t.Errorf("a dry run of advertising tells %+v, want 2 of 4 suppressed", tried)
	}
	b := s.finish(s.ad(people...))
	if b.Counts.Delivered != 2 || b.Counts.Skipped != 2 || b.Captured != 30 {
		t.Errorf("advertising counts %+v for %d KRW, want 2 delivered, 2 skipped, 30", b.Counts, b.Captured)
	}
	results := string(h.document("/api/v1/broadcasts/" + b.ID + "/results"))
	for _, refused := range people[:2] {
		if !strings.Contains(results, refused+",skipped,,opted_out,") || s.times("botUserKey", refused) != 0 {
			t.Errorf("the results do not say that %s has refused it:\n%s", refused, results)
		}
	}
	out := string(h.document(list + "/export?bom=true"))
	if want := "\uFEFFtype,id,scope,at,source\r\nbotUserKey," + people[0] + ",ad,2026-11-30T15:00:00Z,\r\nbotUserKey," + people[1] + ",all,2026-12-02T00:30:00Z,고객센터 전화\r\n"; out != want {
		t.Errorf("the export is %q, want %q", out, want)
	}
	for media, text := range map[string]string{"text/csv": out, "application/x-ndjson": string(h.document(list + "/export?format=ndjson"))} {
		if master.do("POST", list+"/import", strings.NewReader(text), &came, apiclient.ContentType(media)); came.Unchanged != 2 || came.New+came.Changed != 0 {
			t.Errorf("the export as %s, imported again, tells %+v, want 2 unchanged", media, came)
		}
	}
	entry := s.audited("import-suppressions")
	if entry.Account != s.master.id || entry.Subject.ID != s.bot || entry.After["rows"] != 2.0 || entry.After["unchanged"] != 2.0 {
		t.Errorf("the audit log has %+v, want two people by the master %s", entry, s.master.id)
	}
	h.balance()
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
