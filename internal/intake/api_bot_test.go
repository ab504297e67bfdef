package intake

import (
	"crypto/sha256"
	"strings"
	"testing"
)

func TestBots(t *testing.T) {
	h := newHouse(t)
	account, walletID, _ := h.seed(0)
	const key = "4f1c9a7e5b3d2f61"
	made := h.do(call{method: "POST", path: "/api/v1/bots", body: map[string]any{
		"id": "77b2", "name": "강남점 도우미", "rest_api_key": key, "wallet": walletID, "rate_per_second": 100,
		"members": []any{map[string]any{"account": account, "role": "master"}},
	}})
	bot := made.want(201)
	wantAt(t, "POST bots", bot, map[string]any{
		"id": "77b2", "wallet": walletID, "rate_per_second": 100, "in_flight": 8, "members.0.account": account, "members.0.role": "master",
		"blocks": 0, "version": 1, "paused": nil,
	})
	skillURL := bot["skill_url"].(string)
	skillKey, ours := strings.CutPrefix(skillURL, "https://malgil.example/skill/77b2/")
	if !ours || len(skillKey) != 32 {
		t.Errorf("skill_url = %q, want the public address with a key", skillURL)
	}
	shown := h.do(call{method: "GET", path: made.Header().Get("Location")})
	wantAt(t, "GET bot", shown.want(200), map[string]any{"id": "77b2", "skill_url": nil, "rest_api_key": nil})
	hash := sha256.Sum256([]byte(skillKey))
	for _, secret := range []string{key, skillKey, string(hash[:])} {
		if strings.Contains(shown.Body.String(), secret) {
			t.Errorf("GET bot shows a secret: %s", shown.Body)
		}
	}
	stored, err := h.store.Bot(t.Context(), "77b2")
	if err != nil || string(stored.SkillKeyHash) != string(hash[:]) {
		t.Errorf("the key of skill_url does not open the bot: %v", err)
	}
	rotated := h.do(call{method: "POST", path: "/api/v1/bots/77b2/skill-key"}).want(200)["skill_url"].(string)
	if rotated == skillURL || !strings.HasPrefix(rotated, "https://malgil.example/skill/77b2/") {
		t.Errorf("skill-key = %q, want another than %q", rotated, skillURL)
	}
	first := h.do(call{method: "POST", path: "/api/v1/bots/77b2/webhook-secret"}).want(200)
	second := h.do(call{method: "POST", path: "/api/v1/bots/77b2/webhook-secret"}).want(200)
	if !strings.HasPrefix(first["secret"].(string), "whsec_") || first["secret"] == second["secret"] || first["former_until"] != nil || second["former_until"] == nil {
		t.Errorf("webhook-secret = %v, then %v, want another secret and a day for the first", first, second)
	}
	h.do(call{method: "POST", path: "/api/v1/bots/none/webhook-secret"}).wantProblem(404, "NOT_FOUND", "")

	h.do(call{method: "POST", path: "/api/v1/bots", body: map[string]any{"id": "77b2", "name": "a", "rest_api_key": key}}).wantProblem(409, "BOT_EXISTS", "body.id")
	h.do(call{method: "POST", path: "/api/v1/bots", body: map[string]any{"id": "77b3!", "name": "a", "rest_api_key": key}}).wantProblem(422, "INVALID", "body.id")
	h.do(call{method: "POST", path: "/api/v1/bots", body: map[string]any{"id": "77b3", "name": "a", "rest_api_key": key, "wallet": "wal_9"}}).wantProblem(422, "INVALID", "body.wallet")
	h.do(call{method: "POST", path: "/api/v1/bots", body: map[string]any{"id": "77b3", "name": "a", "rest_api_key": key, "members": []any{
		map[string]any{"account": "acc_9", "role": "operator"}}}}).wantProblem(422, "INVALID", "body.members[0].account")

	wantAt(t, "PATCH bot", h.do(call{method: "PATCH", path: "/api/v1/bots/77b2", body: map[string]any{"name": "새 이름", "members": []any{}}}).want(200),
		map[string]any{"name": "새 이름", "rate_per_second": 100, "wallet": walletID, "members": nil})
	h.do(call{method: "PATCH", path: "/api/v1/bots/77b2", body: map[string]any{"in_flight": 0}}).wantProblem(422, "INVALID", "body.in_flight")
	h.do(call{method: "PATCH", path: "/api/v1/bots/77b2", body: map[string]any{"id": "77b4"}}).wantProblem(422, "INVALID", "body.id")
	h.do(call{method: "PATCH", path: "/api/v1/bots/none", body: map[string]any{}}).wantProblem(404, "NOT_FOUND", "")
	wantAt(t, "GET bots", h.do(call{method: "GET", path: "/api/v1/bots"}).want(200), map[string]any{"items.1.id": "77b2", "items.2": nil})

	channel := "/api/v1/bots/77b2/channels/"
	wantAt(t, "PUT channel", h.do(call{method: "PUT", path: channel + "live", body: map[string]any{"name": "한빛서점"}}).want(200),
		map[string]any{"side": "live", "name": "한빛서점", "state": "connected"})
	h.do(call{method: "PUT", path: channel + "test", body: map[string]any{"name": "한빛서점"}}).wantProblem(404, "NOT_FOUND", "")
	wantAt(t, "resume", h.do(call{method: "POST", path: "/api/v1/bots/77b2/resume"}).want(200), map[string]any{"paused": nil, "channels.0.side": "live"})
	h.do(call{method: "POST", path: "/api/v1/bots/none/resume"}).wantProblem(404, "NOT_FOUND", "")
}

func TestBlocks(t *testing.T) {
	h := newHouse(t)
	_, _, botID := h.seed(0)
	blocks := "/api/v1/bots/" + botID + "/blocks"
	hello := map[string]any{"outputs": []any{map[string]any{"simpleText": map[string]any{"text": "안녕하세요"}}}}
	put := func(list ...any) response {
		return h.do(call{method: "PUT", path: blocks, body: map[string]any{"blocks": list}})
	}
	block := func(id string, more map[string]any) map[string]any {
		b := map[string]any{"id": id, "name": "블록 " + id, "kind": "normal", "answer": hello}
		for k, v := range more {
			b[k] = v
		}
		return b
	}
	wantAt(t, "PUT blocks", put(block("a", map[string]any{"kind": "welcome"}), block("b", map[string]any{
		"event_name": "restock_alert", "callback": true, "delay_ms": 2000,
	})).want(200), map[string]any{"version": 2, "blocks": 2})
	wantAt(t, "GET blocks", h.do(call{method: "GET", path: blocks}).want(200), map[string]any{
		"items.0.kind": "welcome", "items.0.answer.outputs.0.simpleText.text": "안녕하세요", "items.0.event_name": nil,
		"items.1.event_name": "restock_alert", "items.1.callback": true, "items.1.delay_ms": 2000, "items.2": nil,
	})
	long := map[string]any{"outputs": []any{map[string]any{"simpleText": map[string]any{"text": strings.Repeat("가", 1001)}}}}
	p := put(block("a", nil), block("b", map[string]any{"answer": long}), block("c", map[string]any{"answer": map[string]any{"outputs": []any{}}})).
		wantProblem(422, "INVALID", "body.blocks[1].answer.outputs[0].simpleText.text")
	if len(p.Errors) != 2 || p.Errors[1].Location != "body.blocks[2].answer.outputs" {
		t.Errorf("errors = %+v, want those of both answers", p.Errors)
	}
	put(block("a", map[string]any{"delay_ms": 50001})).wantProblem(422, "INVALID", "body.blocks[0].delay_ms")
	put(block("a", map[string]any{"kind": "exit"})).wantProblem(422, "INVALID", "body.blocks[0].kind")
	put(block("a", map[string]any{"evnt_name": "e"})).wantProblem(422, "INVALID", "body.blocks[0].evnt_name")
	put(block("a", nil), block("a", nil)).wantProblem(422, "INVALID", "body.blocks[1].id")
	h.do(call{method: "PUT", path: "/api/v1/bots/none/blocks", body: map[string]any{"blocks": []any{}}}).wantProblem(404, "NOT_FOUND", "")
	wantAt(t, "GET blocks", h.do(call{method: "GET", path: blocks}).want(200), map[string]any{"items.1.id": "b", "items.2": nil})
	wantAt(t, "GET bot", h.do(call{method: "GET", path: "/api/v1/bots/" + botID}).want(200), map[string]any{"blocks": 2, "version": 2})
	put().wantProblem(422, "INVALID", "body.blocks") // null is no list
	wantAt(t, "PUT of no blocks", h.do(call{method: "PUT", path: blocks, body: `{"blocks":[]}`}).want(200), map[string]any{"version": 3, "blocks": 0})
}
