package intake

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// wantScopes is written by hand from docs/api.md: what each route asks for.
const wantScopes = `
GET /api/v1/me any
POST /api/v1/tokens admin
GET /api/v1/tokens admin
DELETE /api/v1/tokens/{id} admin
POST /api/v1/accounts admin
GET /api/v1/accounts read
GET /api/v1/accounts/{id} read
POST /api/v1/accounts/{id}/cards billing
GET /api/v1/accounts/{id}/cards read
DELETE /api/v1/cards/{id} billing
POST /api/v1/wallets admin
GET /api/v1/wallets read
GET /api/v1/wallets/{id} read
PUT /api/v1/wallets/{id}/members/{account} admin
DELETE /api/v1/wallets/{id}/members/{account} admin
GET /api/v1/wallets/{id}/postings read
GET /api/v1/wallets/{id}/charges read
POST /api/v1/wallets/{id}/topups billing
PUT /api/v1/wallets/{id}/cards billing
GET /api/v1/wallets/{id}/cards read
POST /api/v1/wallets/{id}/reconnect billing
GET /api/v1/checkouts/{id} read
POST /api/v1/bots admin
GET /api/v1/bots read
GET /api/v1/bots/{id} read
PATCH /api/v1/bots/{id} admin
POST /api/v1/bots/{id}/skill-key admin
PUT /api/v1/bots/{id}/blocks admin
GET /api/v1/bots/{id}/blocks read
PUT /api/v1/bots/{id}/channels/{side} admin
POST /api/v1/bots/{id}/resume admin
POST /api/v1/broadcasts send
GET /api/v1/broadcasts read
GET /api/v1/broadcasts/{id} read
PUT /api/v1/broadcasts/{id}/recipients send
POST /api/v1/broadcasts/{id}/seal send
POST /api/v1/broadcasts/{id}/pause send
POST /api/v1/broadcasts/{id}/resume send
POST /api/v1/broadcasts/{id}/cancel send
GET /api/v1/broadcasts/{id}/chunks read
GET /api/v1/broadcasts/{id}/failures read
GET /api/v1/prices read
POST /api/v1/quote read
`

func expectedScopes() map[string]string {
	want := map[string]string{}
	for line := range strings.Lines(strings.TrimSpace(wantScopes)) {
		fields := strings.Fields(line)
		want[fields[0]+" "+fields[1]] = fields[2]
	}
	return want
}

func TestRoutes_areThoseExpected(t *testing.T) {
	h := newHouse(t)
	want := expectedScopes()
	for _, pattern := range h.server.patterns {
		if _, route, _ := strings.Cut(pattern, " "); !strings.HasPrefix(route, "/api/v1/") {
			continue
		}
		if _, expected := want[pattern]; !expected {
			t.Errorf("route %s is not expected: say here which scope it asks for", pattern)
		}
	}
	for pattern := range want {
		if !slices.Contains(h.server.patterns, pattern) {
			t.Errorf("route %s does not exist", pattern)
		}
	}
	for pattern := range scopes {
		if _, expected := want[pattern]; !expected {
			t.Errorf("the table of scopes has %s, which is no route", pattern)
		}
	}
}

// Each route is called without a token, with every scope but its own, and with its own alone.
func TestRoutes_askForTheirScope(t *testing.T) {
	h := newHouse(t)
	for pattern, scope := range expectedScopes() {
		t.Run(pattern, func(t *testing.T) {
			h := h.on(t)
			method, path, _ := strings.Cut(pattern, " ")
			path = strings.NewReplacer("{id}", "none", "{account}", "none", "{side}", "live").Replace(path)
			h.do(call{method: method, path: path, token: "-"}).wantProblem(http.StatusUnauthorized, "UNAUTHENTICATED", "")
			h.do(call{method: method, path: path, token: "mlg_" + strings.Repeat("A", 43)}).wantProblem(http.StatusUnauthorized, "UNAUTHENTICATED", "")
			if scope == "any" {
				h.do(call{method: method, path: path, token: h.token("send")}).want(http.StatusOK)
				return
			}
			var others []string
			for _, other := range strings.Fields(allScopes) {
				if other != scope {
					others = append(others, other)
				}
			}
			p := h.do(call{method: method, path: path, token: h.token(strings.Join(others, " "))}).wantProblem(http.StatusForbidden, "FORBIDDEN", "")
			if !strings.Contains(p.Detail, `"`+scope+`"`) {
				t.Errorf("detail = %q, want it to name the scope %q", p.Detail, scope)
			}
			if got := h.do(call{method: method, path: path, token: h.token(scope)}); got.Code == http.StatusUnauthorized || got.Code == http.StatusForbidden {
				t.Errorf("%s with its scope alone = %d %s, want it admitted", pattern, got.Code, got.Body)
			}
		})
	}
}

// A route that somebody forgets to put in the table answers nobody.
func TestRoutes_withoutAScopeAreClosed(t *testing.T) {
	h := newHouse(t)
	h.server.HandleFunc("GET /api/v1/forgotten", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	h.do(call{method: "GET", path: "/api/v1/forgotten"}).wantProblem(http.StatusForbidden, "FORBIDDEN", "")
}

func TestToken_expiredOrRevoked(t *testing.T) {
	h := newHouse(t)
	made := h.do(call{method: "POST", path: "/api/v1/tokens", body: map[string]any{"name": "서점", "scopes": []string{"read"}}}).want(201)
	secret, id := made["secret"].(string), made["id"].(string)
	me := h.do(call{method: "GET", path: "/api/v1/me", token: secret}).want(200)
	wantAt(t, "GET /me", me, map[string]any{"id": id, "name": "서점", "scopes.0": "read", "scopes.1": nil})
	list := h.do(call{method: "GET", path: "/api/v1/tokens"})
	if strings.Contains(list.Body.String(), secret) {
		t.Error("the list of tokens shows a secret")
	}
	h.do(call{method: "DELETE", path: "/api/v1/tokens/" + id}).want(204)
	h.do(call{method: "GET", path: "/api/v1/me", token: secret}).wantProblem(401, "UNAUTHENTICATED", "")
	h.do(call{method: "DELETE", path: "/api/v1/tokens/none"}).wantProblem(404, "NOT_FOUND", "")
	for _, header := range []string{"", "Basic " + secret, secret, "Bearer"} {
		got := h.do(call{method: "GET", path: "/api/v1/me", token: "-", header: map[string]string{"Authorization": header}})
		got.wantProblem(401, "UNAUTHENTICATED", "")
		if got.Header().Get("WWW-Authenticate") == "" {
			t.Errorf("Authorization %.6q: no WWW-Authenticate", header)
		}
	}
}
