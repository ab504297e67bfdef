package acceptance_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/apiclient"
	"github.com/malgil/malgil/internal/app"
	"github.com/malgil/malgil/internal/webhook"
)

// Skill servers behind Malgil take 0.1, 2, 4, 20 and 60 s, where people wait 4 s, or 1.5 s with a callback, and a server has
// 50 s. Here all of it is shorter, and stands to each other as that does.
func TestSkillServer(t *testing.T) {
	show(t, map[string]func(*testing.T){
		"what_its_users_see": skillServer,
		"on_a_private_host":  privateSkillServer,
	})
}

// A host that is named may be spoken to over plain HTTP; others may not.
func privateSkillServer(t *testing.T) {
	h := open(t, plan{config: func(c *app.Config) { c.SkillPrivateHosts = []string{".corp.example:8080"} }})
	s := h.openShop(0)
	for address, status := range map[string]int{"http://skill.corp.example:8080/x": 0, "http://skill.corp.example/x": 422, "http://skill.example:8080/x": 422} {
		content := hoursAre("11시부터 20시까지 열어요.")
		content["servers"] = []any{map[string]any{"name": "shop", "url": address}}
		err := h.api.Call(t.Context(), "POST", s.botPath()+"/versions?dry_run=true", content, nil)
		if p, _ := err.(*apiclient.Problem); (err == nil) != (status == 0) || p != nil && (p.Status != status || p.Errors[0].Location != "body.servers[0].url") {
			t.Errorf("a bot with a server at %s is answered %v, want %d", address, err, status)
		}
	}
}

const (
	arrives = "주문하신 책은 내일 도착해요."
	noOrder = "지금은 주문을 볼 수 없어요."
)

// paces are how long the server of a block takes, by the block's name.
var paces = map[string]time.Duration{
	"0.1초": 50 * time.Millisecond, "2초": time.Second, "4초": 2 * time.Second, "20초": 3 * time.Second, "60초": 6 * time.Second,
}

func skillServer(t *testing.T) {
	h := open(t, plan{config: func(c *app.Config) {
		c.ReplyBudget, c.CallbackBudget, c.SkillServerTime = 2*time.Second, 700*time.Millisecond, 4*time.Second
	}})
	s := h.openShop(0)
	var secret struct{ Secret string }
	h.do("POST", s.botPath()+"/webhook-secret", nil, &secret)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		// The time stamp is by the clock of the house, which is not that of this machine.
		if r.Header.Get(webhook.HeaderSignature) != webhook.Sign(secret.Secret, r.Header.Get(webhook.HeaderTimestamp), body) {
			t.Errorf("a call does not verify: %v", r.Header)
		}
		if strings.Contains(string(body), "callbackUrl") || !strings.Contains(string(body), `"plusfriendUserKey"`) || r.Header.Get("Malgil-Utterance") == "" {
			t.Errorf("the server is posted %s, want all that Kakao posts but callbackUrl", body)
		}
		name, _ := url.PathUnescape(strings.TrimPrefix(r.URL.EscapedPath(), "/skill/"))
		timer := time.NewTimer(paces[name])
		defer timer.Stop()
		select {
		case <-timer.C:
			_, _ = fmt.Fprintf(w, `{"version":"2.0","template":{"outputs":[{"simpleText":{"text":%q}}]}}`, arrives)
		case <-r.Context().Done(): // given up
		}
	}))
	defer server.Close()
	var blocks []any
	for name := range paces {
		blocks = append(blocks, map[string]any{"id": fmt.Sprintf("slow-%d", len(blocks)), "name": name, "kind": "normal", "callback": true, "webhook": map[string]any{
			"server": "shop", "path": "/" + name, "fallback": map[string]any{"outputs": []any{map[string]any{"simpleText": map[string]any{"text": noOrder}}}},
		}})
	}
	h.do("POST", s.botPath()+"/versions?deploy=true", map[string]any{
		"blocks": blocks, "servers": []any{map[string]any{"name": "shop", "url": server.URL + "/skill"}},
	}, nil)
	_, err := h.said(s.skillURL, s.bot, "visitor", false) // who comes first is welcomed, by whatever there is
	if err != nil {
		t.Fatal(err)
	}
	h.until("the new version runs", func() (bool, any) {
		got, err := s.touches("0.1초", false)
		return err == nil && got.text() == arrives, got
	})

	var asking sync.WaitGroup
	for _, tt := range []struct {
		name     string
		callback bool
		want     string
		later    bool // by the callback
	}{
		{"0.1초", false, arrives, false}, {"2초", false, arrives, false}, {"4초", false, noOrder, false}, {"20초", false, noOrder, false}, {"60초", false, noOrder, false},
		{"0.1초", true, arrives, false}, {"2초", true, arrives, true}, {"4초", true, arrives, true}, {"20초", true, arrives, true}, {"60초", true, noOrder, true},
	} {
		asking.Go(func() {
			who := fmt.Sprintf("%s, callback %v", tt.name, tt.callback)
			u, err := s.touches(tt.name, tt.callback)
			if err != nil {
				t.Errorf("%s: %v", who, err)
				return
			}
			u.check(t, who)
			got := u.text()
			if u.UseCallback != tt.later {
				t.Errorf("%s: answered %s, want a promise: %v", who, u.Answer, tt.later)
			}
			if u.UseCallback {
				var told struct {
					Received []struct{ Body json.RawMessage }
				}
				if err := h.sandbox.Call(t.Context(), "GET", "/sandbox/truth/callbacks/"+u.Callback.Token+"?wait_seconds=15", nil, &told); err != nil || len(told.Received) != 1 {
					t.Errorf("%s: callbacks %v, %v, want one", who, told, err)
					return
				}
				got, _ = bubble(told.Received[0].Body)
			}
			if got != tt.want {
				t.Errorf("%s: the user reads %q, want %q", who, got, tt.want)
			}
		})
	}
	asking.Wait()
	h.counted(4, "malgil_answers_total", `outcome="server_failed"`)
	if n := h.metric("malgil_skill_server_call_duration_seconds_count", `outcome="answered"`); n < 6 {
		t.Errorf("%v calls are counted as answered, want 6 at least", n)
	}
}

// touches is what a visitor is answered who touches a button that leads to a block.
func (s *shop) touches(block string, callback bool) (u utterance, err error) {
	err = s.house.sandbox.Call(s.house.t.Context(), "POST", "/sandbox/utterances", map[string]any{
		"skill_url": s.skillURL + "?block=" + url.QueryEscape(block), "bot": s.bot, "user": "visitor", "utterance": block, "callback": callback,
	}, &u)
	return u, err
}

// text is the first bubble of an answer, "" for a promise.
func (u utterance) text() string {
	text, _ := bubble(u.Answer)
	return text
}
