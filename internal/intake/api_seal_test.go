package intake

import (
	"testing"

	"github.com/malgil/malgil/internal/broadcast"
)

// Whatever orders a broadcast is known by who did it: the person, or the token where it stands for nobody, which
// tells who made it, also when a token did.
func TestAuthors(t *testing.T) {
	h := newHouse(t)
	_, _, botID := h.seed(10_000)
	admin := h.person("admin")
	must(t, h.store.SetAdmin(t.Context(), admin.account, true))
	grown := h.do(call{method: "POST", path: "/api/v1/tokens", token: admin.token, body: map[string]any{"name": "a", "scopes": []string{"send", "read", "admin"}}}).want(201)
	child := h.do(call{method: "POST", path: "/api/v1/tokens", token: grown["secret"].(string), body: map[string]any{"name": "b", "scopes": []string{"send"}}}).want(201)
	for _, made := range []map[string]any{grown, child} {
		wantAt(t, "a token of the platform", made, map[string]any{"account": nil, "issued_by": admin.account})
	}
	audience := h.do(call{method: "POST", path: "/api/v1/audiences", body: map[string]any{"bot": botID, "name": "단골"}}).want(201)["id"].(string)
	event, people := map[string]any{"name": "restock_alert"}, []any{map[string]any{"type": "botUserKey", "id": "u1"}}
	for author, token := range map[string]string{admin.account: admin.token, child["id"].(string): child["secret"].(string)} {
		ordered := h.do(call{method: "POST", path: "/api/v1/broadcasts", key: "b", token: token, body: map[string]any{"bot": botID, "event": event, "recipients": people}}).want(202)
		wantAt(t, "an order with its people", ordered, map[string]any{"sealed_by": author})
		test := h.do(call{method: "POST", path: "/api/v1/broadcasts/" + ordered["id"].(string) + "/test", key: "t", token: token, body: map[string]any{"recipients": people}}).want(202)
		wantAt(t, "a test", test, map[string]any{"sealed_by": author})
		wantAt(t, "a schedule", h.do(call{method: "POST", path: "/api/v1/schedules", key: "s", token: token, body: map[string]any{
			"bot": botID, "event": event, "audience": audience, "cron": "@daily",
		}}).want(201), map[string]any{"created_by": author})
		task := h.kakao("POST", "/v2/bots/"+botID+"/talk", token, map[string]any{"event": event, "user": people}).want(200)["taskId"].(string)
		id, _ := broadcast.OfReceipt(task)
		if b, err := h.store.Broadcast(t.Context(), id); err != nil || b.SealedBy != author {
			t.Errorf("a call of the Event API is by %q, %v, want %s", b.SealedBy, err, author)
		}
	}
}
