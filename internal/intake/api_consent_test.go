package intake

import (
	"strings"
	"testing"
)

func TestPeopleLists(t *testing.T) {
	h := newHouse(t)
	_, _, botID := h.seed(0)
	bot := "/api/v1/bots/" + botID
	do := func(method, path string, body any) response {
		return h.do(call{method: method, path: bot + path, body: body})
	}
	put := func(path string, want bool, body map[string]any) {
		t.Helper()
		wantAt(t, "PUT "+path, do("PUT", path, body).want(200), map[string]any{"changed": want})
	}
	put("/consents", true, map[string]any{"id": "u1", "at": "2026-01-02T00:00:00+09:00", "night_at": "2026-01-03T00:00:00+09:00", "source": "앱 설정"})
	put("/consents", true, map[string]any{"id": "7", "type": "appUserId"})
	wantAt(t, "GET consents", do("GET", "/consents", nil).want(200), map[string]any{
		"items.0.type": "appUserId", "items.0.id": "7", "items.0.at": "2026-11-24T03:00:00Z", "items.0.night_at": nil, "items.0.scope": nil,
		"items.1.id": "u1", "items.1.at": "2026-01-01T15:00:00Z", "items.1.night_at": "2026-01-02T15:00:00Z",
		"items.1.source": "앱 설정", "items.0.source": nil, "items.2": nil,
	})
	put("/consents", true, map[string]any{"id": "old", "at": "2024-11-24T03:00:00Z"})
	for query, want := range map[string]map[string]any{
		"?id=u1":               {"consent.at": "2026-01-01T15:00:00Z", "consent_valid": true, "consent_valid_at_night": true, "suppression": nil},
		"?id=7&type=appUserId": {"consent.id": "7", "consent_valid": true, "consent_valid_at_night": false},
		"?id=7":                {"consent": nil, "suppression": nil, "consent_valid": false},
		"?id=old":              {"consent.id": "old", "consent_valid": false},
	} {
		wantAt(t, "GET stance"+query, do("GET", "/stance"+query, nil).want(200), want)
	}
	do("DELETE", "/consents?id=old", nil)
	put("/suppressions", false, map[string]any{"id": "u1", "at": "2026-01-02T00:00:00Z"}) // he agreed later, for the night
	put("/suppressions", true, map[string]any{"id": "u1"})
	put("/suppressions", true, map[string]any{"id": "u2", "scope": "all"})
	put("/suppressions", false, map[string]any{"id": "u2", "scope": "all"})
	wantAt(t, "GET consents, one refused", do("GET", "/consents", nil).want(200), map[string]any{"items.0.id": "7", "items.1": nil})
	wantAt(t, "GET stance of who refuses", do("GET", "/stance?id=u2", nil).want(200), map[string]any{"suppression.scope": "all", "consent": nil})
	first := do("GET", "/suppressions?limit=1", nil).want(200)
	wantAt(t, "the first page", first, map[string]any{"items.0.id": "u1", "items.0.scope": "ad", "items.1": nil})
	wantAt(t, "the second", do("GET", "/suppressions?limit=1&cursor="+first["next_cursor"].(string), nil).want(200),
		map[string]any{"items.0.id": "u2", "items.0.scope": "all", "items.1": nil, "next_cursor": nil})
	if got := do("DELETE", "/suppressions?id=u2", nil); got.Code != 204 {
		t.Errorf("DELETE = %d %s, want 204", got.Code, got.Body)
	}
	do("DELETE", "/suppressions?id=u2", nil).wantProblem(404, "NOT_FOUND", "")
	do("DELETE", "/consents?type=appUserId&id=u1", nil).wantProblem(404, "NOT_FOUND", "")
	do("GET", "/stance?type=phone&id=u1", nil).wantProblem(422, "INVALID", "query.type")
	do("DELETE", "/consents?type=phone&id=u1", nil).wantProblem(422, "INVALID", "query.type")
	do("PUT", "/suppressions", map[string]any{"id": ""}).wantProblem(422, "INVALID", "body.id")
	do("PUT", "/suppressions", map[string]any{"id": "r1", "type": "botGroupKey"}).wantProblem(422, "INVALID", "body.type")
	do("PUT", "/suppressions", map[string]any{"id": "u1", "at": "2026-11-24T03:00:01Z"}).wantProblem(422, "INVALID", "body.at")
	do("PUT", "/suppressions", map[string]any{"id": "u1", "source": "two\nlines"}).wantProblem(422, "INVALID", "body.source")
	do("PUT", "/consents", map[string]any{"id": "u1", "night_at": "2026-11-24T03:00:01Z"}).wantProblem(422, "INVALID", "body.night_at")

	audit := h.do(call{method: "GET", path: "/api/v1/audit?limit=200"})
	for action, times := range map[string]int{"put-consent": 3, "put-suppression": 2, "delete-suppression": 1, "delete-consent": 1} {
		if got := strings.Count(audit.Body.String(), `"`+action+`"`); got != times {
			t.Errorf("the audit log has %s %d times, want %d", action, got, times)
		}
	}
	if strings.Contains(audit.Body.String(), `"u2"`) || strings.Contains(h.log.String(), `u2`) {
		t.Error("the audit log or the log names a person")
	}
}
