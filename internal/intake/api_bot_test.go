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
		"blocks": 0, "version": 0, "live_version": 0, "talking.minimum_accuracy": 70, "paused": nil,
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
	stored, err := h.store.BotHead(t.Context(), "77b2")
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
	wantAt(t, "PATCH talking", h.do(call{method: "PATCH", path: "/api/v1/bots/77b2", body: map[string]any{"talking": map[string]any{"minimum_accuracy": 90}}}).want(200),
		map[string]any{"talking.minimum_accuracy": 90, "talking.choose_within": 3, "talking.plain_user_keys": false, "name": "새 이름"})
	h.do(call{method: "PATCH", path: "/api/v1/bots/77b2", body: map[string]any{"talking": map[string]any{"minimum_accuracy": 101}}}).wantProblem(422, "INVALID", "body.talking.minimum_accuracy")
	h.do(call{method: "PATCH", path: "/api/v1/bots/77b2", body: map[string]any{"talking": map[string]any{"accuracy": 1}}}).wantProblem(422, "INVALID", "body.talking.accuracy")
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
