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

// A preview shows what goes to Kakao and no key; a test is a broadcast of its own that tells what it costs.
func TestBroadcasts_previewAndTest(t *testing.T) {
	h := newHouse(t)
	_, walletID, botID := h.seed(1000)
	b := h.do(call{method: "POST", path: "/api/v1/broadcasts", key: "b", body: map[string]any{
		"bot": botID, "event": map[string]any{"name": "restock_alert"}, "properties": map[string]any{"greeting": "#{name}님"},
	}}).want(202)["id"].(string)
	path := "/api/v1/broadcasts/" + b
	preview := func(body map[string]any) response {
		return h.do(call{method: "POST", path: path + "/preview", body: body})
	}
	preview(map[string]any{}).wantProblem(409, "NO_RECIPIENTS", "")
	h.do(call{method: "PUT", path: path + "/recipients", body: "id,name\nu1,하늘\nu_2,바다\n", header: csvHeader}).want(200)
	all := preview(map[string]any{"seed": 3}).want(200)
	wantAt(t, "a preview", all, map[string]any{
		"seed": 3, "requests.0.method": "POST", "requests.0.path": "/v2/bots/" + botID + "/talk", "requests.2": nil,
		"requests.0.body.event.name": "restock_alert", "requests.0.body.params.malgil_chunk": b + "-000001", "requests.0.body.user.1": nil,
	})
	wantAt(t, "a preview without a seed", preview(map[string]any{}).want(200), map[string]any{"seed": float64(atNoon().UnixMilli())})
	one := preview(map[string]any{"recipients": []any{map[string]any{"type": "botUserKey", "id": "u_2"}, map[string]any{"type": "botUserKey", "id": "me", "properties": map[string]any{"name": "나"}}}}).want(200)
	wantAt(t, "a preview of two", one, map[string]any{
		"seed": nil, "requests.0.body.user.0.properties.greeting": "바다님", "requests.1.body.user.0.properties.greeting": "나님",
	})
	preview(map[string]any{"recipients": []any{map[string]any{"type": "botUserKey", "id": "me"}}}).wantProblem(422, "INVALID", "body.recipients[0].properties.name")

	test := call{method: "POST", path: path + "/test", key: "t", body: map[string]any{"recipients": []any{map[string]any{"type": "botUserKey", "id": "u1"}}}}
	got := h.do(test).want(202)
	wantAt(t, "a test", got, map[string]any{
		"test_of": b, "state": "running", "counts.audience": 1, "cost.people": 1, "cost.price_krw": 15, "cost.supply_krw": 15, "cost.vat_krw": 2, "cost.total_krw": 17,
	})
	wantAt(t, "the test again", h.do(test).want(202), map[string]any{"id": got["id"]})
	test.body = map[string]any{"recipients": []any{map[string]any{"type": "botUserKey", "id": "u_2"}}}
	h.do(test).wantProblem(422, "IDEMPOTENCY_KEY_REUSED", keyHeader)
	wantAt(t, "the broadcast", h.do(call{method: "GET", path: path}).want(200), map[string]any{"state": "uploading", "counts.audience": 2, "test_of": nil})
	h.do(call{method: "PATCH", path: "/api/v1/wallets/" + walletID, body: map[string]any{"status": "stopped"}}).want(200)
	test.key = "t2"
	h.do(test).wantProblem(422, "WALLET_STOPPED", "")
}
