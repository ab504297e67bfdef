package intake

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// wantRoutes is written by hand from docs/api.md: what each route asks for: a scope, a permission,
// the object and where the call names it, and perhaps a second permission.
const wantRoutes = `
GET /api/v1/me any see_public platform
POST /api/v1/tokens admin keep_tokens account body.account
GET /api/v1/tokens admin list_own platform
DELETE /api/v1/tokens/{id} admin keep_tokens token path.id
POST /api/v1/accounts admin keep_platform platform
GET /api/v1/accounts read list_own platform
GET /api/v1/accounts/{id} read read_account account path.id
PATCH /api/v1/accounts/{id} admin keep_platform account path.id
PUT /api/v1/accounts/{id}/admin admin keep_platform account path.id
DELETE /api/v1/accounts/{id}/admin admin keep_platform account path.id
POST /api/v1/accounts/{id}/cards billing register_card account path.id
GET /api/v1/accounts/{id}/cards read read_cards account path.id
GET /api/v1/cards/{id} read read_cards card path.id
DELETE /api/v1/cards/{id} billing remove_card card path.id
POST /api/v1/wallets admin open_wallet account body.master
GET /api/v1/wallets read list_own platform
GET /api/v1/wallets/{id} read read_wallet wallet path.id
PATCH /api/v1/wallets/{id} billing change_wallet wallet path.id
DELETE /api/v1/wallets/{id} billing change_wallet wallet path.id
POST /api/v1/wallets/{id}/grants admin give_cash wallet path.id
GET /api/v1/wallets/{id}/grants read read_wallet wallet path.id
POST /api/v1/wallets/{id}/grants/{grant}/use billing use_cash wallet path.id
PUT /api/v1/wallets/{id}/members/{account} admin give_wallet_work wallet path.id
DELETE /api/v1/wallets/{id}/members/{account} admin leave_wallet wallet path.id
GET /api/v1/wallets/{id}/postings read read_wallet wallet path.id
GET /api/v1/wallets/{id}/history read read_wallet wallet path.id
GET /api/v1/wallets/{id}/days read read_wallet wallet path.id
GET /api/v1/wallets/{id}/statements/{month} read read_wallet wallet path.id
GET /api/v1/wallets/{id}/charges read read_wallet wallet path.id
POST /api/v1/wallets/{id}/topups billing top_up wallet path.id
PUT /api/v1/wallets/{id}/cards billing put_cards wallet path.id
POST /api/v1/wallets/{id}/cards billing put_cards wallet path.id
DELETE /api/v1/wallets/{id}/cards/{card} billing put_cards wallet path.id
GET /api/v1/wallets/{id}/cards read read_wallet wallet path.id
GET /api/v1/invoices read keep_platform platform
GET /api/v1/wallets/{id}/invoices read read_wallet wallet path.id
GET /api/v1/wallets/{id}/invoices/{invoice} read read_wallet wallet path.id
GET /api/v1/wallets/{id}/invoices/{invoice}/document read read_wallet wallet path.id
POST /api/v1/wallets/{id}/invoices/{invoice}/reissue billing change_wallet wallet path.id
POST /api/v1/wallets/{id}/invoices/{invoice}/amend billing change_wallet wallet path.id
POST /api/v1/wallets/{id}/invoices/{invoice}/settle billing keep_platform wallet path.id
POST /api/v1/wallets/{id}/invoices/{invoice}/send billing change_wallet wallet path.id
POST /api/v1/wallets/{id}/refunds billing ask_refund wallet path.id
POST /api/v1/wallets/{id}/refunds/quote read read_wallet wallet path.id
GET /api/v1/wallets/{id}/refunds read read_wallet wallet path.id
GET /api/v1/wallets/{id}/refunds/{refund} read read_wallet wallet path.id
POST /api/v1/wallets/{id}/refunds/{refund}/settle billing keep_platform wallet path.id
PUT /api/v1/wallets/{id}/refund-account billing ask_refund wallet path.id
GET /api/v1/wallets/{id}/refund-account read read_wallet wallet path.id
PUT /api/v1/wallets/{id}/representative admin keep_platform wallet path.id
POST /api/v1/wallets/{id}/reconnect billing reconnect wallet path.id
GET /api/v1/reviews read keep_platform platform
POST /api/v1/charges/{id}/decide billing keep_platform platform
GET /api/v1/reviews/checkouts read keep_platform platform
POST /api/v1/checkouts/{id}/decide billing keep_platform platform
GET /api/v1/wallets/{id}/why read read_wallet wallet path.id
GET /api/v1/wallets/{id}/charges/{charge}/origins read read_wallet wallet path.id
GET /api/v1/broadcasts/{id}/cost read read_broadcast broadcast path.id
GET /api/v1/broadcasts/{id}/postings read read_broadcast broadcast path.id
POST /api/v1/webhooks admin keep_bot bot body.bot
GET /api/v1/webhooks read list_own platform
GET /api/v1/webhooks/{id} read read_bot webhook path.id
PATCH /api/v1/webhooks/{id} admin keep_bot webhook path.id
DELETE /api/v1/webhooks/{id} admin keep_bot webhook path.id
POST /api/v1/webhooks/{id}/ping send steer_broadcast webhook path.id
GET /api/v1/webhooks/{id}/deliveries read read_bot webhook path.id
POST /api/v1/webhooks/{id}/deliveries/{delivery}/replay send steer_broadcast webhook path.id
GET /api/v1/broadcasts/{id}/events read read_broadcast broadcast path.id
GET /api/v1/bots/{id}/messages read read_people bot path.id
GET /api/v1/broadcasts/{id}/results read read_people broadcast path.id
GET /api/v1/broadcasts/{id}/people read read_people broadcast path.id
GET /api/v1/reconciliation read keep_platform platform
POST /api/v1/wallets/{id}/corrections billing keep_platform wallet path.id
GET /api/v1/checkouts/{id} read read_checkout checkout path.id
GET /api/v1/wallets/{id}/mails read read_wallet wallet path.id
POST /api/v1/wallets/{id}/mails/{mail}/resend billing change_wallet wallet path.id
GET /api/v1/wallets/{id}/mails/mutes read read_wallet wallet path.id
PUT /api/v1/wallets/{id}/mails/mutes/{account}/{case} billing mute_mails wallet path.id
DELETE /api/v1/wallets/{id}/mails/mutes/{account}/{case} billing mute_mails wallet path.id
POST /api/v1/bots admin keep_platform platform
GET /api/v1/bots read list_own platform
GET /api/v1/bots/{id} read read_bot bot path.id
PATCH /api/v1/bots/{id} admin keep_bot bot path.id and bill_wallet wallet body.wallet
POST /api/v1/bots/{id}/skill-key admin keep_bot bot path.id
POST /api/v1/bots/{id}/webhook-secret admin keep_bot bot path.id
POST /api/v1/bots/{id}/versions admin edit_blocks bot path.id
POST /api/v1/bots/{id}/knowledge admin edit_blocks bot path.id
GET /api/v1/bots/{id}/versions read read_bot bot path.id
GET /api/v1/bots/{id}/versions/{version} read read_bot bot path.id
GET /api/v1/bots/{id}/versions/{version}/diff read read_bot bot path.id
GET /api/v1/bots/{id}/versions/{version}/content read read_bot bot path.id
POST /api/v1/bots/{id}/versions/{version}/deploy admin edit_blocks bot path.id
POST /api/v1/bots/{id}/rollback admin edit_blocks bot path.id
GET /api/v1/bots/{id}/deploys read read_bot bot path.id
GET /api/v1/bots/{id}/blocks read read_bot bot path.id
GET /api/v1/bots/{id}/explain read read_bot bot path.id
GET /api/v1/bots/{id}/utterances read edit_blocks bot path.id
GET /api/v1/bots/{id}/replay read edit_blocks bot path.id
GET /api/v1/bots/{id}/unanswered read edit_blocks bot path.id
PUT /api/v1/bots/{id}/channels/{side} admin keep_bot bot path.id
PATCH /api/v1/bots/{id}/channels/{side} admin keep_bot bot path.id
POST /api/v1/bots/{id}/channels/{side}/connect admin keep_bot bot path.id
POST /api/v1/bots/{id}/channels/{side}/disconnect admin keep_bot bot path.id
GET /api/v1/bots/{id}/purges read read_bot bot path.id
GET /api/v1/bots/{id}/plugins read read_bot bot path.id
POST /api/v1/bots/{id}/plugins admin keep_bot bot path.id
PATCH /api/v1/bots/{id}/plugins/{plugin} admin keep_bot bot path.id
DELETE /api/v1/bots/{id}/plugins/{plugin} admin keep_bot bot path.id
GET /api/v1/bots/{id}/certification-blocks read read_bot bot path.id
PUT /api/v1/bots/{id}/certification-blocks/{block} admin keep_bot bot path.id
DELETE /api/v1/bots/{id}/certification-blocks/{block} admin keep_bot bot path.id
PUT /api/v1/apps/{id} admin keep_platform platform
GET /api/v1/apps read keep_platform platform
POST /api/v1/bots/{id}/resume admin resume_bot bot path.id
POST /api/v1/broadcasts send order_broadcast bot body.bot
GET /api/v1/broadcasts read list_own platform
GET /api/v1/broadcasts/{id} read read_broadcast broadcast path.id
PUT /api/v1/broadcasts/{id}/recipients send order_broadcast broadcast path.id
POST /api/v1/broadcasts/{id}/seal send order_broadcast broadcast path.id
POST /api/v1/broadcasts/{id}/approve send steer_broadcast broadcast path.id
POST /api/v1/broadcasts/{id}/pause send steer_broadcast broadcast path.id
POST /api/v1/broadcasts/{id}/resume send steer_broadcast broadcast path.id
POST /api/v1/broadcasts/{id}/cancel send steer_broadcast broadcast path.id
POST /api/v1/broadcasts/{id}/retry send order_broadcast broadcast path.id
GET /api/v1/broadcasts/{id}/quote read read_broadcast broadcast path.id
POST /api/v1/broadcasts/{id}/preview read read_people broadcast path.id
POST /api/v1/broadcasts/{id}/test send order_broadcast broadcast path.id
POST /api/v1/broadcasts/{id}/decide billing keep_platform broadcast path.id
GET /api/v1/broadcasts/{id}/chunks read read_broadcast broadcast path.id
GET /api/v1/broadcasts/{id}/failures read read_people broadcast path.id
GET /api/v1/audit read list_own platform
GET /api/v1/audit/verify read check_audit platform
GET /api/v1/queues read keep_platform platform
PUT /api/v1/queues/{queue}/pause admin keep_platform platform
DELETE /api/v1/queues/{queue}/pause admin keep_platform platform
GET /api/v1/dead-tasks read keep_platform platform
GET /api/v1/dead-tasks/groups read keep_platform platform
POST /api/v1/dead-tasks/retry admin keep_platform platform
POST /api/v1/dead-tasks/discard admin keep_platform platform
GET /api/v1/prices read see_public platform
POST /api/v1/prices admin keep_platform platform
GET /api/v1/bots/{id}/suppressions read read_people bot path.id
PUT /api/v1/bots/{id}/suppressions send order_broadcast bot path.id
DELETE /api/v1/bots/{id}/suppressions send order_broadcast bot path.id
GET /api/v1/bots/{id}/consents read read_people bot path.id
PUT /api/v1/bots/{id}/consents send order_broadcast bot path.id
DELETE /api/v1/bots/{id}/consents send order_broadcast bot path.id
GET /api/v1/bots/{id}/stance read read_people bot path.id
POST /api/v1/bots/{id}/suppressions/import send order_broadcast bot path.id
POST /api/v1/bots/{id}/consents/import send order_broadcast bot path.id
GET /api/v1/bots/{id}/suppressions/export read read_people bot path.id
GET /api/v1/bots/{id}/consents/export read read_people bot path.id
POST /api/v1/audiences send order_broadcast bot body.bot
GET /api/v1/audiences read list_own platform
GET /api/v1/audiences/{id} read read_broadcast audience path.id
DELETE /api/v1/audiences/{id} send order_broadcast audience path.id
PUT /api/v1/audiences/{id}/recipients send order_broadcast audience path.id
POST /api/v1/broadcasts/{id}/recipients/from-audience send order_broadcast broadcast path.id and order_broadcast audience body.audience
POST /api/v1/schedules send order_broadcast bot body.bot and order_broadcast audience body.audience
GET /api/v1/schedules read list_own platform
GET /api/v1/schedules/preview read see_public platform
GET /api/v1/schedules/{id} read read_broadcast schedule path.id
PATCH /api/v1/schedules/{id} send order_broadcast schedule path.id
DELETE /api/v1/schedules/{id} send order_broadcast schedule path.id
POST /api/v1/schedules/{id}/pause send steer_broadcast schedule path.id
POST /api/v1/schedules/{id}/resume send steer_broadcast schedule path.id
GET /api/v1/schedules/{id}/next read read_broadcast schedule path.id
GET /api/v1/schedules/{id}/runs read read_broadcast schedule path.id
POST /api/v1/quote read quote_wallet wallet body.wallet and read_bot bot body.bot
POST /v2/bots/{bot}/talk send order_broadcast bot path.bot
POST /v2/bots/{bot}/group send order_broadcast bot path.bot
GET /v1/tasks/{task} send read_people broadcast path.task
`

func expectedScopes() map[string]string {
	want := map[string]string{}
	for line := range strings.Lines(strings.TrimSpace(wantRoutes)) {
		fields := strings.Fields(line)
		want[fields[0]+" "+fields[1]] = fields[2]
	}
	return want
}

// Every route has a permission, on an object, and it is the one that was thought of.
func TestRoutes_askForTheirPermission(t *testing.T) {
	expected := map[string]string{}
	for line := range strings.Lines(strings.TrimSpace(wantRoutes)) {
		fields := strings.Fields(line)
		expected[fields[0]+" "+fields[1]] = strings.Join(fields[3:], " ")
	}
	for pattern, g := range routes {
		got := strings.Join(strings.Fields(string(g.right)+" "+string(g.on.kind)+" "+g.on.in), " ")
		if g.and != nil {
			got += " and " + string(g.and.right) + " " + string(g.and.on.kind) + " " + g.and.on.in
		}
		if g.right == "" || got != expected[pattern] {
			t.Errorf("%s asks for %q, want %q", pattern, got, expected[pattern])
		}
	}
}

func TestRoutes_areThoseExpected(t *testing.T) {
	h := newHouse(t)
	want := expectedScopes()
	for _, pattern := range h.server.patterns {
		if _, route, _ := strings.Cut(pattern, " "); !isGuarded(route) {
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
	for pattern := range routes {
		if _, expected := want[pattern]; !expected {
			t.Errorf("the table of routes has %s, which is no route", pattern)
		}
	}
}

// isGuarded reports whether an address is of an API, by hand.
func isGuarded(path string) bool {
	return strings.HasPrefix(path, "/api/v1/") || isKakaos(path)
}

// isKakaos reports whether an address is one of Kakao's own, which refuse in Kakao's shape.
func isKakaos(path string) bool {
	return strings.HasPrefix(path, "/v1/") || strings.HasPrefix(path, "/v2/")
}

// Each route is called without a token, with every scope but its own, and with its own alone.
func TestRoutes_askForTheirScope(t *testing.T) {
	h := newHouse(t)
	for pattern, scope := range expectedScopes() {
		t.Run(pattern, func(t *testing.T) {
			h := h.on(t)
			method, path, _ := strings.Cut(pattern, " ")
			path = strings.NewReplacer("{id}", "none", "{account}", "none", "{card}", "none", "{refund}", "none", "{grant}", "none", "{side}", "live", "{month}", "2026-11", "{bot}", "none", "{task}", "none").Replace(path)
			refused := func(token string, status int, code string) string {
				t.Helper()
				if !isKakaos(path) {
					return h.do(call{method: method, path: path, token: token}).wantProblem(status, code, "").Detail
				}
				return h.kakao(method, path, token, nil).wantFail(status)
			}
			refused("-", http.StatusUnauthorized, "UNAUTHENTICATED")
			refused("mlg_"+strings.Repeat("A", 43), http.StatusUnauthorized, "UNAUTHENTICATED")
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
			if detail := refused(h.token(strings.Join(others, " ")), http.StatusForbidden, "FORBIDDEN"); !strings.Contains(detail, `"`+scope+`"`) {
				t.Errorf("detail = %q, want it to name the scope %q", detail, scope)
			}
			c := call{method: method, path: path, token: h.token(scope)}
			if isKakaos(path) {
				c.header = map[string]string{"Authorization": "KakaoAK " + c.token}
			}
			if got := h.do(c); got.Code == http.StatusUnauthorized || got.Code == http.StatusForbidden {
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
	h.server.HandleFunc("GET /v2/forgotten", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	h.kakao("GET", "/v2/forgotten", h.token(allScopes), nil).wantFail(http.StatusForbidden)
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
