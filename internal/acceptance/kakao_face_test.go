package acceptance_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/apiclient"
)

// sender returns the token of a program that may send and nothing else.
func (h *house) sender() string {
	h.t.Helper()
	var made struct {
		Secret string `json:"secret"`
	}
	h.do("POST", "/api/v1/tokens", map[string]any{"name": "a program written for Kakao", "scopes": []string{"send"}}, &made)
	return made.Secret
}

// atMalgil returns a program of the shop's that has Malgil for Kakao.
func (s *shop) atMalgil() kakaoProgram {
	s.house.t.Helper()
	return kakaoProgram{base: s.house.url, key: s.house.sender(), channel: s.bot}
}

// eachKakao runs a program against Malgil, and the same one against what stands in for Kakao, each in a
// house of its own with a shop of 1,000 KRW. paid is what Malgil has captured by the end.
func eachKakao(t *testing.T, paid int64, run func(t *testing.T, s *shop, program kakaoProgram)) {
	for _, name := range []string{"Malgil", "the sandbox"} {
		t.Run(name, func(t *testing.T) {
			h := open(t, plan{})
			s := h.openShop(0)
			s.topUp(1_000)
			if name == "the sandbox" {
				run(t, s, kakaoProgram{base: h.sandboxURL, key: s.restKey, channel: s.bot})
				return
			}
			run(t, s, s.atMalgil())
			if w := s.see().Balance; w.Paid != 1_000-paid || w.Held != 0 {
				t.Errorf("the wallet has %d KRW and holds %d, want %d and 0", w.Paid, w.Held, 1_000-paid)
			}
			h.balance()
		})
	}
}

func ofBotUser(ids ...string) (people []kakaoPerson) {
	for _, id := range ids {
		people = append(people, kakaoPerson{Type: "botUserKey", ID: id})
	}
	return people
}

// wantRefused checks that a call was refused with one of some statuses and says why.
func wantRefused(t *testing.T, what string, err error, statuses ...int) string {
	t.Helper()
	var refusal *kakaoRefusal
	if !errors.As(err, &refusal) || refusal.message == "" {
		t.Errorf("%s = %v, want a refusal that says why", what, err)
		return ""
	}
	for _, status := range statuses {
		if refusal.status == status {
			return refusal.message
		}
	}
	t.Errorf("%s = %v, want status %v", what, err, statuses)
	return refusal.message
}

// times tells how often somebody was reached at Kakao.
func (s *shop) times(kind, id string) int {
	s.house.t.Helper()
	var list struct {
		Items []struct {
			Times int `json:"times"`
		} `json:"items"`
	}
	s.house.ask(fmt.Sprintf("/sandbox/truth/people?bot=%s&type=%s&id=%s", s.bot, kind, id), &list)
	if len(list.Items) != 1 {
		s.house.t.Fatalf("Kakao knows %s %s as %+v, want one", kind, id, list.Items)
	}
	return list.Items[0].Times
}

// A program that was written for Kakao runs against Malgil as it is: with another base URL and key,
// the same calls have the same ends. Who is no friend of the channel costs nothing.
func codeForKakao(t *testing.T) {
	news := kakaoEvent{Name: event, Data: map[string]string{"title": "여름 산", "price": "9,800원"}}
	eachKakao(t, 5*15, func(t *testing.T, s *shop, program kakaoProgram) {
		h := s.house
		atMalgil := program.base == h.url
		friends := s.friends(4)
		stranger := "stranger-of-" + friends[0]
		before := h.now()
		receipt, err := program.notify(t.Context(), news, map[string]any{"campaign": "c-7"},
			kakaoPerson{Type: "botUserKey", ID: friends[0]}, kakaoPerson{Type: "plusfriendUserKey", ID: stranger},
			kakaoPerson{Type: "appUserId", ID: friends[1], Properties: map[string]string{"grade": "silver"}})
		if err != nil || time.UnixMilli(receipt.Timestamp).Before(before.Truncate(time.Millisecond)) {
			t.Fatalf("notify = %+v, %v, want it taken now", receipt, err)
		}
		o, err := program.final(t.Context(), receipt.TaskID)
		if err != nil || o.TaskID != receipt.TaskID || o.Status != "1 FAIL" || o.All != 3 || o.Success != 2 || o.Fail.Count != 1 || o.Unresolved != 0 {
			t.Fatalf("outcome = %+v, %v, want 2 of 3 reached", o, err)
		}
		if f := o.Fail.List; len(f) != 1 || f[0].UserID != stranger || f[0].Type != "plusfriendUserKey" || f[0].Error.Type != 100 || f[0].Error.Message == "" ||
			time.Unix(f[0].CreatedAt, 0).Before(before.Truncate(time.Second)) {
			t.Errorf("fail.list = %+v, want the stranger with Kakao's reason", f)
		}
		if a, b, c := s.times("botUserKey", friends[0]), s.times("appUserId", friends[1]), s.times("plusfriendUserKey", stranger); a != 1 || b != 1 || c != 0 {
			t.Errorf("they were reached %d, %d and %d times, want 1, 1 and 0", a, b, c)
		}

		for _, mark := range []string{"!", "%21"} {
			if mark == "%21" && !atMalgil {
				continue // whether Kakao takes it is not known
			}
			development := program
			development.channel += mark
			friend := s.friends(1)[0]
			receipt, err := development.notify(t.Context(), news, nil, ofBotUser(friend)...)
			if err != nil {
				t.Fatalf("notify on the development channel %s = %v", mark, err)
			}
			if o, err := development.final(t.Context(), receipt.TaskID); err != nil || o.Status != "ALL SUCCESS" || o.Success != 1 || len(o.Fail.List) != 0 {
				t.Errorf("outcome on the development channel = %+v, %v, want all reached", o, err)
			}
			var tasks struct {
				Items []struct {
					Bot string `json:"bot"`
				} `json:"items"`
			}
			h.ask("/sandbox/truth/tasks?limit=1000&bot="+s.bot, &tasks)
			if last := tasks.Items[len(tasks.Items)-1]; last.Bot != s.bot+"!" {
				t.Errorf("it went to %s, want the development channel", last.Bot)
			}
		}
		if receipt, err = program.notify(t.Context(), news, nil, ofBotUser("unresolvable-"+friends[0], friends[2])...); err != nil {
			t.Fatalf("notify = %v", err)
		}
		if o, err := program.final(t.Context(), receipt.TaskID); err != nil || o.Success != 1 || o.Fail.Count != 1 || o.Unresolved != 1 || len(o.Fail.List) != 0 {
			t.Errorf("outcome = %+v, %v, want one that was not resolved, without a name", o, err)
		}

		sends := h.truth().Kakao.Sends.Accepted
		_, err = program.notify(t.Context(), news, nil, ofBotUser(friends[3], friends[0], friends[3])...)
		if why := wantRefused(t, "somebody twice", err, http.StatusBadRequest); !strings.Contains(why, "user[2]") {
			t.Errorf("the refusal says %q, want it to name user[2]", why)
		}
		_, err = program.notify(t.Context(), news, nil, ofBotUser()...)
		wantRefused(t, "nobody", err, http.StatusBadRequest)
		_, err = program.notify(t.Context(), news, nil, ofBotUser(s.friends(101)...)...)
		wantRefused(t, "101 people", err, http.StatusBadRequest)
		_, err = program.notify(t.Context(), news, nil, kakaoPerson{Type: "appUserKey", ID: "1"})
		wantRefused(t, "an unknown kind of id", err, http.StatusBadRequest)
		_, err = program.notify(t.Context(), kakaoEvent{Name: "restock_alarm"}, nil, ofBotUser(friends[3])...)
		wantRefused(t, "an unknown event", err, http.StatusBadRequest, http.StatusNotFound)
		locked := program
		locked.key = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
		_, err = locked.notify(t.Context(), news, nil, ofBotUser(friends[3])...)
		wantRefused(t, "a wrong key", err, http.StatusUnauthorized)
		_, err = locked.outcome(t.Context(), receipt.TaskID)
		wantRefused(t, "a look-up with a wrong key", err, http.StatusUnauthorized)
		_, err = program.outcome(t.Context(), "0b6d3f0e-5f4d-4c1e-9a57-3b1f1f6f7a10")
		wantRefused(t, "a look-up of no task", err, http.StatusNotFound)
		if atMalgil {
			_, err = program.notify(t.Context(), news, map[string]any{"malgil_chunk": "x"}, ofBotUser(friends[3])...)
			wantRefused(t, "Malgil's own param", err, http.StatusBadRequest)
			program.channel = "66a1f0c2d4b7e83f5a9c1dff"
			_, err = program.notify(t.Context(), news, nil, ofBotUser(friends[3])...)
			wantRefused(t, "an unknown bot", err, http.StatusNotFound)
		}
		if n := h.truth().Kakao.Sends.Accepted - sends; n != 0 {
			t.Errorf("%d calls reached Kakao of those that were refused", n)
		}
	})
}

// Group rooms are written to as people are, at an address of their own, and cost the same.
func codeForKakaoInRooms(t *testing.T) {
	eachKakao(t, 15, func(t *testing.T, s *shop, program kakaoProgram) {
		room := "room-" + s.friends(1)[0]
		receipt, err := program.announce(t.Context(), kakaoEvent{Name: event}, room, "stranger-"+room)
		if err != nil {
			t.Fatalf("announce = %v", err)
		}
		o, err := program.final(t.Context(), receipt.TaskID)
		if err != nil || o.All != 2 || o.Success != 1 || o.Fail.Count != 1 || len(o.Fail.List) != 1 || o.Fail.List[0].UserID != "stranger-"+room || o.Fail.List[0].Type != "botGroupKey" {
			t.Errorf("outcome = %+v, %v, want one room of two reached", o, err)
		}
		if n := s.times("botGroupKey", room); n != 1 {
			t.Errorf("the room was reached %d times, want once", n)
		}
		_, err = program.announce(t.Context(), kakaoEvent{Name: event}, room, room)
		wantRefused(t, "a room twice", err, http.StatusBadRequest)
		_, err = program.notify(t.Context(), kakaoEvent{Name: event}, nil, kakaoPerson{Type: "botGroupKey", ID: room})
		wantRefused(t, "a room among people", err, http.StatusBadRequest)
	})
}

// A receipt stays good when Malgil is stopped and started between the call and the look-up.
func codeForKakaoRestart(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(0)
	s.topUp(1_000)
	h.tell("PUT", "/sandbox/results", map[string]any{"delay_seconds": 3600}, nil)
	program := s.atMalgil()
	friends := s.friends(2)
	receipt, err := program.notify(t.Context(), kakaoEvent{Name: event}, nil, ofBotUser(friends...)...)
	if err != nil {
		t.Fatalf("notify = %v", err)
	}
	h.until("Kakao has the call", func() (bool, any) { n := h.truth().Kakao.Sends.Accepted; return n == 1, n })
	wantOpen := func(when string) {
		t.Helper()
		o, err := program.outcome(t.Context(), receipt.TaskID)
		if err != nil || o.TaskID != receipt.TaskID || o.Status != "ALL SUCCESS" || o.All != 2 || o.Success != 0 || o.Fail.Count != 0 {
			t.Errorf("outcome %s = %+v, %v, want it open", when, o, err)
		}
	}
	wantOpen("before the restart")
	h.restart()
	program.base = h.url
	wantOpen("after the restart")
	h.tell("PUT", "/sandbox/results", map[string]any{"delay_seconds": 0}, nil)
	h.advance(time.Minute)
	if o, err := program.final(t.Context(), receipt.TaskID); err != nil || o.TaskID != receipt.TaskID || o.Success != 2 {
		t.Errorf("outcome = %+v, %v, want both reached", o, err)
	}
	if sends := h.truth().Kakao.Sends.Requests; sends != 1 {
		t.Errorf("%d calls reached Kakao, want 1", sends)
	}
	h.balance()
}

// A wallet that cannot pay now refuses the call, which has no way to wait that its caller could see.
func codeForKakaoWallet(t *testing.T) {
	h := open(t, plan{config: chargeHundred})
	s := h.openShop(1)
	program := s.atMalgil()
	friends := s.friends(100)
	refused := func(what, why string) {
		t.Helper()
		_, err := program.notify(t.Context(), kakaoEvent{Name: event}, nil, ofBotUser(friends...)...)
		if said := wantRefused(t, what, err, http.StatusForbidden); !strings.Contains(said, why) {
			t.Errorf("%s: the refusal says %q, want %q in it", what, said, why)
		}
	}
	wallet := "/api/v1/wallets/" + s.wallet
	h.do("PATCH", wallet, map[string]any{"daily_limit_krw": 1_000}, nil)
	refused("at the daily limit", "limit")
	h.do("PATCH", wallet, map[string]any{"daily_limit_krw": 1_000_000, "status": "stopped"}, nil)
	refused("while it is stopped", "not in use")
	h.do("PATCH", wallet, map[string]any{"status": "in_use"}, nil)

	receipt, err := program.notify(t.Context(), kakaoEvent{Name: event}, nil, ofBotUser(friends...)...)
	if err != nil {
		t.Fatalf("notify on the card = %v", err)
	}
	s.behave("declined", s.cards...)
	if o, err := program.final(t.Context(), receipt.TaskID); err != nil || o.Success != 100 {
		t.Fatalf("outcome = %+v, %v, want 100 reached", o, err)
	}
	h.until("the wallet is unpaid", func() (bool, any) { state := s.see().PaymentState; return state == "UNPAID", state })
	refused("while it is unpaid", "unpaid")

	poor := h.openShop(0)
	program.channel = poor.bot
	refused("while it is empty", "balance")
	var list struct{ Items []broadcast }
	h.get("/api/v1/broadcasts", &list)
	if len(list.Items) != 1 {
		t.Errorf("there are %d broadcasts, want that of the call that was taken", len(list.Items))
	}
	h.balance()
}

// With a key, which Kakao does not know, a call may be repeated.
func codeForKakaoRepeated(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(0)
	s.topUp(1_000)
	program := s.atMalgil()
	program.header = http.Header{"Idempotency-Key": {"order-31"}}
	friends := s.friends(2)
	first, err := program.notify(t.Context(), kakaoEvent{Name: event}, nil, ofBotUser(friends...)...)
	if err != nil {
		t.Fatalf("notify = %v", err)
	}
	if _, err := program.final(t.Context(), first.TaskID); err != nil {
		t.Fatal(err)
	}
	if again, err := program.notify(t.Context(), kakaoEvent{Name: event}, nil, ofBotUser(friends...)...); err != nil || again != first {
		t.Errorf("repeated = %+v, %v, want %+v", again, err, first)
	}
	_, err = program.notify(t.Context(), kakaoEvent{Name: event}, nil, ofBotUser(friends[0])...)
	wantRefused(t, "the key with another body", err, http.StatusUnprocessableEntity)
	if people := h.truth().Kakao.People; people.Reached != 2 || people.Again != 0 {
		t.Errorf("Kakao reached %+v, want two people once", people)
	}
	h.balance()
}

// What Kakao asks of senders is asked for at once, and all of it, where Malgil was told of it.
func whatKakaoAsksFor(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(0)
	s.topUp(1_000)
	program := s.atMalgil()
	channel := "/api/v1/bots/" + s.bot + "/channels/live"
	missing := map[string]func(){
		"channel.verified": func() { h.do("PATCH", channel, map[string]any{"verified": true}, nil) },
		"channel.deployed": func() { h.do("PATCH", channel, map[string]any{"deployed": true}, nil) },
		"app.verified": func() {
			h.do("PUT", "/api/v1/apps/1043277", map[string]any{"name": "한빛서점", "verified": true, "kakao_sync": false}, nil)
		},
		"app.kakao_sync": func() {
			h.do("PUT", "/api/v1/apps/1043277", map[string]any{"name": "한빛서점", "verified": true, "kakao_sync": true}, nil)
		},
	}
	h.do("PUT", "/api/v1/apps/1043277", map[string]any{"name": "한빛서점", "verified": false, "kakao_sync": false}, nil)
	h.do("PATCH", channel, map[string]any{"app": "1043277"}, nil)
	order := map[string]any{"bot": s.bot, "event": map[string]any{"name": event}}
	for _, next := range []string{"channel.verified", "channel.deployed", "app.verified", "app.kakao_sync"} {
		_, err := program.notify(t.Context(), kakaoEvent{Name: event}, nil, ofBotUser(s.friends(1)...)...)
		why := wantRefused(t, "notify", err, http.StatusForbidden)
		for one := range missing {
			if !strings.Contains(why, one) {
				t.Errorf("the refusal %q does not name %s", why, one)
			}
		}
		var p *apiclient.Problem
		if err := h.api.Call(t.Context(), "POST", "/api/v1/broadcasts", order, nil, apiclient.IdempotencyKey("order")); !errors.As(err, &p) || p.Code != "BOT_NOT_READY" || len(p.Errors) != len(missing) {
			t.Errorf("a broadcast = %v, want BOT_NOT_READY with %d errors", err, len(missing))
		}
		missing[next]()
		delete(missing, next)
	}
	receipt, err := program.notify(t.Context(), kakaoEvent{Name: event}, nil, ofBotUser(s.friends(1)...)...)
	if err != nil {
		t.Fatalf("notify with all that Kakao asks for = %v", err)
	}
	if o, err := program.final(t.Context(), receipt.TaskID); err != nil || o.Success != 1 {
		t.Errorf("outcome = %+v, %v, want one reached", o, err)
	}
	h.do("POST", channel+"/disconnect", nil, nil)
	_, err = program.notify(t.Context(), kakaoEvent{Name: event}, nil, ofBotUser(s.friends(1)...)...)
	wantRefused(t, "notify on a disconnected channel", err, http.StatusForbidden)
	program.channel += "!"
	if _, err := program.notify(t.Context(), kakaoEvent{Name: event}, nil, ofBotUser(s.friends(1)...)...); err != nil {
		t.Errorf("notify on the development channel, of which nothing is asked = %v", err)
	}
}
