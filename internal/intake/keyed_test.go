package intake

import (
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
)

// keyedRoutes is every call that moves money or sends messages, by hand.
var keyedRoutes = []string{
	"POST /api/v1/broadcasts",
	"POST /api/v1/broadcasts/{id}/decide",
	"POST /api/v1/broadcasts/{id}/retry",
	"POST /api/v1/broadcasts/{id}/test",
	"POST /api/v1/schedules",
	"POST /api/v1/accounts/{id}/cards",
	"POST /api/v1/charges/{id}/decide",
	"POST /api/v1/checkouts/{id}/decide",
	"POST /api/v1/wallets/{id}/topups",
	"POST /api/v1/wallets/{id}/grants",
	"POST /api/v1/wallets/{id}/grants/{grant}/use",
	"POST /api/v1/wallets/{id}/mails/{mail}/resend",
	"POST /api/v1/wallets/{id}/invoices/{invoice}/reissue",
	"POST /api/v1/wallets/{id}/invoices/{invoice}/amend",
	"POST /api/v1/wallets/{id}/invoices/{invoice}/settle",
	"POST /api/v1/wallets/{id}/invoices/{invoice}/send",
	"POST /api/v1/wallets/{id}/refunds",
	"POST /api/v1/wallets/{id}/refunds/{refund}/settle",
	"POST /api/v1/wallets/{id}/corrections",
}

// mayBeKeyed is every call that takes a key and does without: Kakao's own know none.
var mayBeKeyed = []string{"POST /v2/bots/{bot}/talk", "POST /v2/bots/{bot}/group"}

// Nothing that moves money is done without a key, and the description of the API says which calls
// take one: these and no others.
func TestKeyedRoutes(t *testing.T) {
	h := newHouse(t)
	account, walletID, botID := h.seed(0)
	bodies := map[string]string{
		"POST /api/v1/schedules":                              `{"bot":"` + botID + `","event":{"name":"x"},"audience":"","cron":"@daily"}`,
		"POST /api/v1/broadcasts/{id}/test":                   `{"recipients":[{"type":"botUserKey","id":"u1"}]}`,
		"POST /api/v1/broadcasts/{id}/retry":                  `{}`,
		"POST /api/v1/broadcasts/{id}/decide":                 `{"finding":"release","note":"x"}`,
		"POST /api/v1/broadcasts":                             `{"bot":"` + botID + `","event":{"name":"x"}}`,
		"POST /api/v1/checkouts/{id}/decide":                  `{"finding":"not_charged","reason":"x"}`,
		"POST /api/v1/charges/{id}/decide":                    `{"finding":"not_charged","reason":"x"}`,
		"POST /api/v1/wallets/{id}/topups":                    `{"amount_krw":1000}`,
		"POST /api/v1/wallets/{id}/corrections":               `{"kind":"messages","subject":"x","difference_krw":15}`,
		"POST /api/v1/wallets/{id}/grants":                    `{"amount_krw":1000,"kind":"paid","reason":"x"}`,
		"POST /api/v1/wallets/{id}/invoices/{invoice}/settle": `{"finding":"none","note":"x"}`,
		"POST /api/v1/wallets/{id}/invoices/{invoice}/amend":  `{"reason":"상호 정정"}`,
		"POST /api/v1/wallets/{id}/refunds":                   `{"amount_krw":1000}`,
		"POST /api/v1/wallets/{id}/refunds/{refund}/settle":   `{"went_back":true}`,
	}
	want := map[string]bool{}
	for _, route := range keyedRoutes {
		want[route] = true
		t.Run(route, func(t *testing.T) {
			method, path, _ := strings.Cut(route, " ")
			id := walletID
			if strings.Contains(route, "/accounts/") {
				id = account
			}
			path = strings.NewReplacer("{id}", id, "{grant}", "grt_none", "{refund}", "rfd_none", "{invoice}", "inv_none").Replace(path)
			c := call{method: method, path: path}
			if text := bodies[route]; text != "" {
				c.body = text
			}
			h.on(t).do(c).wantProblem(422, "IDEMPOTENCY_KEY_MISSING", keyHeader)
		})
	}
	for _, route := range mayBeKeyed {
		want[route] = true
	}
	for path, item := range h.server.api.OpenAPI().Paths {
		for method, op := range map[string]*huma.Operation{"GET": item.Get, "POST": item.Post, "PUT": item.Put, "PATCH": item.Patch, "DELETE": item.Delete} {
			if op == nil {
				continue
			}
			takes := false
			for _, p := range op.Parameters {
				takes = takes || p.Name == "Idempotency-Key"
			}
			if route := method + " " + path; takes != want[route] {
				t.Errorf("%s takes a key = %v, want %v", route, takes, want[route])
			}
		}
	}
}
