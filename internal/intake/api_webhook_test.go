package intake

import (
	"strings"
	"testing"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/webhook"
)

func TestWebhooks(t *testing.T) {
	h := newHouse(t)
	_, _, botID := h.seed(3000)
	hooked := webhook.Hook{URL: "https://shop.example/hook"}
	made := h.do(call{method: "POST", path: "/api/v1/webhooks", body: map[string]any{
		"bot": botID, "url": hooked.URL, "events": []string{"broadcast.paused", "broadcast.finished"},
	}})
	body := made.want(201)
	id, secret := body["id"].(string), body["secret"].(string)
	path := "/api/v1/webhooks/" + id
	if made.Header().Get("Location") != path || !strings.HasPrefix(secret, "whsec_") {
		t.Errorf("POST webhooks = %v at %q, want a secret and where it is", body, made.Header().Get("Location"))
	}
	for _, shown := range []response{
		h.do(call{method: "GET", path: path}), h.do(call{method: "GET", path: "/api/v1/webhooks?bot=" + botID}), h.do(call{method: "GET", path: "/api/v1/audit"}),
		h.do(call{method: "PATCH", path: path, body: map[string]any{"events": []string{"broadcast.finished", "broadcast.paused"}}}),
	} {
		if text := shown.Body.String(); strings.Contains(text, secret) || strings.Contains(text, "whsec") || !strings.Contains(text, id) {
			t.Errorf("%s %s = %s, want the webhook without its secret", shown.c.method, shown.c.path, text)
		}
	}
	wantAt(t, "GET webhook", h.do(call{method: "GET", path: path}).want(200), map[string]any{
		"bot": botID, "url": "https://shop.example/hook", "min_people": 2, "events.0": "broadcast.finished", "events.1": "broadcast.paused", "events.2": nil,
	})

	b := h.do(call{method: "POST", path: "/api/v1/broadcasts", key: "k1", body: order(botID, map[string]any{"recipients": people(3)})}).want(202)
	small := h.do(call{method: "POST", path: "/api/v1/broadcasts", key: "k2", body: order(botID, map[string]any{"recipients": people(1)})}).want(202)
	for _, one := range []map[string]any{b, small} {
		h.do(call{method: "POST", path: "/api/v1/broadcasts/" + one["id"].(string) + "/cancel"}).want(200)
	}
	h.do(call{method: "POST", path: path + "/ping"}).want(202)
	h.do(call{method: "POST", path: path + "/ping"}).want(202) // the same
	list := h.do(call{method: "GET", path: path + "/deliveries"}).want(200)
	events := map[any]map[string]any{}
	for _, one := range list["items"].([]any) {
		events[at(one, "event")] = one.(map[string]any)
	}
	if len(events) != 2 || len(list["items"].([]any)) != 2 {
		t.Fatalf("GET deliveries = %v, want the end of the one to three people and the ping", list)
	}
	wantAt(t, "the end", events["broadcast.finished"], map[string]any{
		"state": "waiting", "attempts": 0, "body.event": "broadcast.finished", "body.data.broadcast": b["id"], "body.data.state": "cancelled",
		"body.data.counts.skipped": 3, "body.data.cost.captured_krw": 0, "next_try_at": "2026-11-24T03:00:00Z", "body.id": events["broadcast.finished"]["id"],
	})
	wantAt(t, "the ping", events["ping"], map[string]any{"body.data.webhook": id})
	ping := events["ping"]["id"].(string)
	h.do(call{method: "POST", path: path + "/deliveries/" + ping + "/replay"}).wantProblem(409, "WRONG_STATE", "")
	h.do(call{method: "POST", path: path + "/deliveries/whd_none/replay"}).wantProblem(404, "NOT_FOUND", "")
	h.do(call{method: "PATCH", path: path, body: map[string]any{"min_people": 1}}).want(200)
	single := h.do(call{method: "POST", path: "/api/v1/broadcasts", key: "k3", body: order(botID, map[string]any{"recipients": people(1)})}).want(202)
	h.do(call{method: "POST", path: "/api/v1/broadcasts/" + single["id"].(string) + "/cancel"}).want(200)
	if list := h.do(call{method: "GET", path: path + "/deliveries"}).want(200); len(list["items"].([]any)) != 3 {
		t.Errorf("GET deliveries = %v, want the end of one to one person too", list)
	}
	wantAt(t, "GET failed", h.do(call{method: "GET", path: path + "/deliveries?state=failed"}).want(200), map[string]any{"items.0": nil})

	h.do(call{method: "DELETE", path: path}).want(204)
	for _, gone := range []call{{method: "GET", path: path}, {method: "DELETE", path: path}, {method: "POST", path: path + "/ping"}, {method: "GET", path: path + "/deliveries"}} {
		h.do(gone).wantProblem(404, "NOT_FOUND", "")
	}
	wantAt(t, "the audit log", h.do(call{method: "GET", path: "/api/v1/audit"}).want(200), map[string]any{
		"items.0.action": "delete-webhook", "items.0.subject.kind": "webhook", "items.0.before.url": hooked.Shown(),
	})
	if text := h.do(call{method: "GET", path: "/api/v1/audit"}).Body.String(); strings.Contains(text, "shop.example/hook") || !strings.Contains(text, "shop.example") {
		t.Errorf("the audit log says %s, want the address without its path", text)
	}
}

// Who may change a webhook sees its whole address, which may hold a key; who only sees the bot does not.
func TestWebhooks_address(t *testing.T) {
	h := newHouse(t)
	town := newTown(h, "address")
	hooked := webhook.Hook{URL: "https://shop.example/hook?key=s3cret"}
	path := h.do(call{method: "POST", path: "/api/v1/webhooks", token: town.people['M'].token, body: map[string]any{"bot": town.bot, "url": hooked.URL}}).wantAddress(201, hooked.URL)
	h.do(call{method: "PATCH", path: path, token: town.people['M'].token, body: map[string]any{"min_people": 1}}).wantAddress(200, hooked.URL)
	_, reads, err := h.gate.Issue(t.Context(), access.NewToken{Name: "reads", AccountID: town.people['M'].account, Scopes: []string{"read"}})
	must(t, err)
	for who, tt := range map[string]struct{ token, want string }{
		"the platform":             {town.people['P'].token, hooked.URL},
		"the bot's master":         {town.people['M'].token, hooked.URL},
		"his token that may read":  {reads, hooked.Shown()},
		"an operator":              {town.people['O'].token, hooked.Shown()},
		"the wallet's master":      {town.people['W'].token, hooked.Shown()},
		"a viewer of the bot":      {town.people['v'].token, hooked.Shown()},
		"the platform's that read": {h.token("read"), hooked.Shown()},
	} {
		t.Run(who, func(t *testing.T) {
			h := h.on(t)
			h.do(call{method: "GET", path: path, token: tt.token}).wantAddress(200, tt.want)
			wantAt(t, "GET webhooks", h.do(call{method: "GET", path: "/api/v1/webhooks", token: tt.token}).want(200), map[string]any{"items.0.url": tt.want, "items.1": nil})
		})
	}
}

// wantAddress fails unless a webhook is answered with an address; it returns its path.
func (r response) wantAddress(status int, url string) string {
	r.t.Helper()
	got := r.want(status)
	if got["url"] != url {
		r.t.Errorf("%s %s says the address %v, want %s", r.c.method, r.c.path, got["url"], url)
	}
	return "/api/v1/webhooks/" + got["id"].(string)
}

func TestWebhooks_refused(t *testing.T) {
	h := newHouse(t)
	_, _, botID := h.seed(0)
	tests := map[string]struct {
		body     map[string]any
		status   int
		code     string
		location string
	}{
		"plain http":       {map[string]any{"bot": botID, "url": "http://shop.example/"}, 422, "INVALID", "body.url"},
		"this machine":     {map[string]any{"bot": botID, "url": "https://127.0.0.1/"}, 422, "INVALID", "body.url"},
		"the cloud's own":  {map[string]any{"bot": botID, "url": "https://169.254.169.254/latest"}, 422, "INVALID", "body.url"},
		"a user name":      {map[string]any{"bot": botID, "url": "https://a:b@shop.example/"}, 422, "INVALID", "body.url"},
		"no address":       {map[string]any{"bot": botID}, 422, "INVALID", "body.url"},
		"an unknown event": {map[string]any{"bot": botID, "url": "https://shop.example/", "events": []string{"ping"}}, 422, "INVALID", "body.events[0]"},
		"below nobody":     {map[string]any{"bot": botID, "url": "https://shop.example/", "min_people": -1}, 422, "INVALID", "body.min_people"},
		"no bot":           {map[string]any{"bot": "none", "url": "https://shop.example/"}, 404, "NOT_FOUND", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h.on(t).do(call{method: "POST", path: "/api/v1/webhooks", body: tt.body}).wantProblem(tt.status, tt.code, tt.location)
		})
	}
}
