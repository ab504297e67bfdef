package acceptance_test

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/apiclient"
	"github.com/malgil/malgil/internal/app"
)

// What a message says to each, looked at before it goes.
func TestPersonal(t *testing.T) {
	show(t, map[string]func(*testing.T){
		"each_his_own":   eachHisOwn,
		"before_it_goes": beforeItGoes,
		"two_people":     twoPeople,
		"read_first":     readFirst,
	})
}

// skillCall is what Kakao tells the skill of an event's block of one person.
type skillCall struct {
	properties map[string]string
	params     map[string]any
}

// listen has Kakao call a skill for everybody who is sent to, and returns what it was told, by person.
func (s *shop) listen() func() map[string]skillCall {
	s.house.t.Helper()
	var mu sync.Mutex
	calls := map[string]skillCall{}
	skill := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var told struct {
			UserRequest struct {
				User struct {
					Properties map[string]any `json:"properties"`
				} `json:"user"`
				Params map[string]any `json:"params"`
			} `json:"userRequest"`
		}
		if err := json.NewDecoder(r.Body).Decode(&told); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		c := skillCall{properties: map[string]string{}, params: told.UserRequest.Params}
		id, _ := told.UserRequest.User.Properties["botUserKey"].(string)
		for name, value := range told.UserRequest.User.Properties {
			if name != "botUserKey" && name != "plusfriendUserKey" && name != "isFriend" { // Kakao's own
				c.properties[name], _ = value.(string)
			}
		}
		delete(c.params, "malgil_chunk") // the evidence
		delete(c.params, "surface")      // Kakao's own
		mu.Lock()
		calls[id] = c
		mu.Unlock()
		_, _ = w.Write([]byte(`{"version":"2.0","template":{"outputs":[{"simpleText":{"text":"네"}}]}}`))
	}))
	s.house.t.Cleanup(skill.Close)
	s.house.tell("PUT", "/sandbox/bots/"+s.bot, map[string]any{"rest_api_key": s.restKey, "events": []string{event}, "skill_url": skill.URL}, nil)
	return func() map[string]skillCall {
		mu.Lock()
		defer mu.Unlock()
		return calls
	}
}

// Everybody gets the campaign, and each his own name; who has none is told as a bad row, and left out when that
// was asked for.
func eachHisOwn(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(0)
	s.topUp(10_000)
	heard := s.listen()
	f := s.friends(3)
	var b broadcast
	h.do("POST", "/api/v1/broadcasts", map[string]any{
		"bot": s.bot, "event": map[string]any{"name": event, "data": map[string]any{"title": "#{campaign} 세일"}},
		"params": map[string]any{"campaign": "#{campaign}", "steps": []any{"#{campaign} 1"}}, "variables": map[string]any{"campaign": "겨울"},
		"properties": map[string]any{"greeting": "#{이름}님, #{campaign} #{등급|새싹} 쿠폰", "code": "#{{code}"},
	}, &b, apiclient.IdempotencyKey(rand.Text()))
	path := "/api/v1/broadcasts/" + b.ID + "/recipients"
	file := func() any { return csv("id,이름,등급", f[0]+",김하늘,", f[1]+",,금", f[2]+",#{{박},금") }
	if p := h.refused("PUT", path, file()); p == nil || len(p.Errors) != 1 || p.Errors[0].Line != 3 || p.Errors[0].Column != "이름" {
		t.Errorf("the file is answered %+v, want line 3 and 이름", p)
	}
	h.do("PUT", path+"?skip_bad_rows=true", file(), nil)
	if b = s.sealed(b); b.Counts.Delivered != 2 {
		t.Fatalf("%d were delivered, want 2", b.Counts.Delivered)
	}
	params := map[string]any{"campaign": "겨울", "steps": []any{"겨울 1"}}
	want := map[string]skillCall{
		f[0]: {map[string]string{"이름": "김하늘", "greeting": "김하늘님, 겨울 새싹 쿠폰", "code": "#{code}"}, params},
		f[2]: {map[string]string{"이름": "#{박}", "등급": "금", "greeting": "#{박}님, 겨울 금 쿠폰", "code": "#{code}"}, params},
	}
	if diff := cmp.Diff(want, heard(), cmp.AllowUnexported(skillCall{})); diff != "" {
		t.Errorf("what the skill was told (-want +got):\n%s", diff)
	}
	h.balance()
}

// A preview shows what arrives later, and a test arrives now, costs what it says and leaves its people in the
// broadcast.
func beforeItGoes(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(0)
	s.topUp(1_000)
	heard := s.listen()
	f := s.friends(3)
	var b broadcast
	h.do("POST", "/api/v1/broadcasts", map[string]any{
		"bot": s.bot, "event": map[string]any{"name": event}, "properties": map[string]any{"greeting": "#{name}님"},
	}, &b, apiclient.IdempotencyKey(rand.Text()))
	path := "/api/v1/broadcasts/" + b.ID
	h.do("PUT", path+"/recipients", csv("id,name", f[0]+",하늘", f[1]+",바다"), nil)
	var preview struct {
		Requests []struct {
			Body struct {
				User []struct {
					ID         string            `json:"id"`
					Properties map[string]string `json:"properties"`
				} `json:"user"`
			} `json:"body"`
		} `json:"requests"`
	}
	h.do("POST", path+"/preview", map[string]any{}, &preview)
	shown := map[string]map[string]string{}
	for _, r := range preview.Requests {
		shown[r.Body.User[0].ID] = r.Body.User[0].Properties
	}
	if n := h.truth().Kakao.Sends.Requests; n != 0 || len(shown) != 2 {
		t.Fatalf("a preview of %v made %d requests, want two people and none", shown, n)
	}

	var test struct {
		broadcast
		Cost struct {
			Supply int64 `json:"supply_krw"`
			VAT    int64 `json:"vat_krw"`
		} `json:"cost"`
	}
	h.do("POST", path+"/test", map[string]any{"recipients": []any{
		map[string]any{"type": "botUserKey", "id": f[0]}, map[string]any{"type": "botUserKey", "id": f[2], "properties": map[string]any{"name": "사장"}},
	}}, &test, apiclient.IdempotencyKey(rand.Text()))
	if tested := s.finish(test.broadcast); tested.Counts.Delivered != 2 || test.Cost.Supply != 30 || test.Cost.VAT != 3 {
		t.Errorf("the test reached %d and says that it costs %+v, want 2 for 30 KRW and 3 KRW of VAT", tested.Counts.Delivered, test.Cost)
	}
	if w := s.see().Balance; w.Paid != 970 {
		t.Errorf("after the test the wallet has %d KRW, want 970", w.Paid)
	}
	h.balance()
	if got := heard()[f[2]].properties["greeting"]; got != "사장님" {
		t.Errorf("the test greets %q, want 사장님", got)
	}
	if b = s.sealed(b); b.Counts.Delivered != 2 || s.times("botUserKey", f[0]) != 2 {
		t.Errorf("the broadcast reached %d, and %s %d times in all; want 2, and twice with the test", b.Counts.Delivered, f[0], s.times("botUserKey", f[0]))
	}
	for id, properties := range shown {
		if diff := cmp.Diff(properties, heard()[id].properties); diff != "" {
			t.Errorf("what %s was shown with and told (-shown +told):\n%s", id, diff)
		}
	}
	if w := s.see().Balance; w.Paid != 940 || w.Held != 0 {
		t.Errorf("in the end the wallet has %d KRW and holds %d, want 940 and 0", w.Paid, w.Held)
	}
}

// A big broadcast goes when somebody has read how many people it reaches.
func readFirst(t *testing.T) {
	h := open(t, plan{config: func(c *app.Config) { c.ConfirmAbove = 2 }})
	s := h.openShop(0)
	s.topUp(1_000)
	b := s.uploading()
	path := "/api/v1/broadcasts/" + b.ID
	h.do("PUT", path+"/recipients", csv(append([]string{"id"}, s.friends(3)...)...), nil)
	for _, body := range []any{nil, map[string]any{"confirm": 2}} {
		p := h.refused("POST", path+"/seal", body)
		if p == nil || p.Status != 409 || p.Code != "CONFIRMATION_NEEDED" || len(p.Errors) != 1 || p.Errors[0].Location != "body.confirm" || !strings.Contains(p.Errors[0].Message, "3") {
			t.Errorf("sealing with %v is answered %+v, want CONFIRMATION_NEEDED about 3", body, p)
		}
	}
	h.do("POST", path+"/seal", map[string]any{"confirm": 3}, &b)
	if b = s.finish(b); b.Counts.Delivered != 3 {
		t.Errorf("%d were delivered, want 3", b.Counts.Delivered)
	}
	h.balance()
}

// What costs much waits until another person than the one who sealed it approves it, and the log names both.
func twoPeople(t *testing.T) {
	h := open(t, plan{config: func(c *app.Config) { c.ApproveAbove = 30 }})
	s := h.openShop(0)
	s.topUp(1_000)
	second := h.account("second-" + s.bot[20:])
	s.staff(second)
	master := h.as(s.master)
	b := s.uploading()
	path := "/api/v1/broadcasts/" + b.ID
	h.do("PUT", path+"/recipients", csv(append([]string{"id"}, s.friends(3)...)...), nil)
	master.do("POST", path+"/seal", nil, nil)
	s.waits(b, "approval")
	for what, by := range map[string]*house{"who sealed it": master, "a token of nobody": h} {
		if p := by.refused("POST", path+"/approve", nil); p == nil || p.Status != 403 {
			t.Errorf("approved by %s it is answered %+v, want 403", what, p)
		}
	}
	if p := master.refused("POST", path+"/resume", nil); p == nil || p.Code != "APPROVAL_NEEDED" {
		t.Errorf("resumed it is answered %+v, want APPROVAL_NEEDED", p)
	}
	h.as(second).do("POST", path+"/approve", nil, &b)
	if b = s.finish(b); b.Counts.Delivered != 3 {
		t.Errorf("%d were delivered, want 3", b.Counts.Delivered)
	}
	if e := s.audited("approve-broadcast"); e.Account != second.id || e.Subject.ID != b.ID || e.Before["state"] != "paused" || e.After["state"] != "running" {
		t.Errorf("the log says %+v, want that %s approved it", e, second.id)
	}
	if e := s.audited("seal-broadcast"); e.Account != s.master.id {
		t.Errorf("the log says %+v, want that %s sealed it", e, s.master.id)
	}
	h.balance()
}
