package intake

import (
	"testing"

	"github.com/malgil/malgil/internal/recipient"
)

// An order takes words for everybody and for each person; what the Event API cannot carry is refused with
// its field, and rows that lack a word with their lines.
func TestBroadcasts_personalText(t *testing.T) {
	h := newHouse(t)
	_, _, botID := h.seed(0)
	order := func(key string, change map[string]any) call {
		body := map[string]any{
			"bot": botID, "event": map[string]any{"name": "restock_alert", "data": map[string]any{"title": "#{campaign} 세일"}},
			"variables": map[string]any{"campaign": "겨울"}, "properties": map[string]any{"greeting": "#{name}님, #{campaign}입니다"},
		}
		for field, value := range change {
			body[field] = value
		}
		return call{method: "POST", path: "/api/v1/broadcasts", key: key, body: body}
	}
	h.do(order("1", map[string]any{"variables": nil})).wantProblem(422, "INVALID", "body.event.data.title")
	h.do(order("2", map[string]any{"params": map[string]any{"to": []any{"#{name|고객}"}}})).wantProblem(422, "INVALID", "body.params.to[0]")
	h.do(order("3", map[string]any{"properties": map[string]any{"a": "#{"}})).wantProblem(422, "INVALID", "body.properties.a")
	h.do(order("4", map[string]any{"recipients": []any{map[string]any{"type": "botUserKey", "id": "u1"}}})).wantProblem(422, "INVALID", "body.recipients[0].properties.name")

	got := h.do(order("5", nil)).want(202)
	wantAt(t, "POST broadcasts", got, map[string]any{
		"event.data.title": "겨울 세일", "variables.campaign": "겨울", "properties.greeting": "#{name}님, #{campaign}입니다",
	})
	b := "/api/v1/broadcasts/" + got["id"].(string)
	p := h.do(call{method: "PUT", path: b + "/recipients", body: "id,name\nu1,하늘\nu2,\nu3,바다\nu4,\n", header: csvHeader}).wantProblem(422, "INVALID", "body.line[3]")
	if len(p.Errors) != 2 || p.Errors[0].Column != "name" || p.Errors[0].Line != 3 || p.Errors[1].Line != 5 {
		t.Errorf("the rows that lack a name are told as %+v, want lines 3 and 5", p.Errors)
	}
	wantAt(t, "a dry run", h.do(call{method: "PUT", path: b + "/recipients?dry_run=true", body: "id,name\nu1,하늘\nu2,\n", header: csvHeader}).want(200),
		map[string]any{"audience": 1, "bad_rows": 1, "problems.0.line": 3, "problems.0.column": "name"})
	wantAt(t, "without bad rows", h.do(call{method: "PUT", path: b + "/recipients?skip_bad_rows=true", body: "id,name\nu1,하늘\nu2,\n", header: csvHeader}).want(200),
		map[string]any{"audience": 1, "bad_rows": 1})

	audience := h.do(call{method: "POST", path: "/api/v1/audiences", body: map[string]any{"bot": botID, "name": "단골"}}).want(201)["id"].(string)
	h.do(call{method: "PUT", path: "/api/v1/audiences/" + audience + "/recipients", body: `{"id":"u1","properties":{"name":"하늘"}}` + "\n" + `{"id":"u2"}` + "\n",
		header: map[string]string{"Content-Type": recipient.NDJSON.MediaType()}}).want(200)
	use := call{method: "POST", path: b + "/recipients/from-audience", body: map[string]any{"audience": audience}}
	h.do(use).wantProblem(422, "INVALID", "body.line[2]")
	use.body = map[string]any{"audience": audience, "skip_bad_rows": true}
	wantAt(t, "an audience without bad rows", h.do(use).want(200), map[string]any{"audience": 1, "bad_rows": 1})
}
