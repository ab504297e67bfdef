package main

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/malgil/malgil/internal/intake"
)

// callsOf is the routes of the API that each command calls. What they ask of a caller stands in the
// help of the command.
var callsOf = map[string][]string{
	"token create":          {"POST /api/v1/tokens"},
	"token list":            {"GET /api/v1/tokens"},
	"token revoke":          {"DELETE /api/v1/tokens/{id}"},
	"audit list":            {"GET /api/v1/audit"},
	"audit verify":          {"GET /api/v1/audit/verify"},
	"account create":        {"POST /api/v1/accounts"},
	"account list":          {"GET /api/v1/accounts"},
	"account change":        {"PATCH /api/v1/accounts/{id}"},
	"account admin":         {"PUT /api/v1/accounts/{id}/admin", "DELETE /api/v1/accounts/{id}/admin"},
	"account cards":         {"GET /api/v1/accounts/{id}/cards"},
	"account add-card":      {"POST /api/v1/accounts/{id}/cards"},
	"account forget-card":   {"DELETE /api/v1/cards/{id}"},
	"card list":             {"GET /api/v1/accounts/{id}/cards", "GET /api/v1/wallets/{id}/cards"},
	"card add":              {"POST /api/v1/accounts/{id}/cards"},
	"card remove":           {"DELETE /api/v1/cards/{id}"},
	"card put":              {"POST /api/v1/wallets/{id}/cards", "GET /api/v1/wallets/{id}"},
	"card take":             {"DELETE /api/v1/wallets/{id}/cards/{card}"},
	"card order":            {"GET /api/v1/wallets/{id}/cards", "PUT /api/v1/wallets/{id}/cards"},
	"card status":           {"GET /api/v1/cards/{id}"},
	"wallet create":         {"POST /api/v1/wallets"},
	"wallet list":           {"GET /api/v1/wallets"},
	"wallet show":           {"GET /api/v1/wallets/{id}"},
	"wallet member":         {"PUT /api/v1/wallets/{id}/members/{account}", "DELETE /api/v1/wallets/{id}/members/{account}"},
	"wallet add-card":       {"POST /api/v1/wallets/{id}/cards", "GET /api/v1/wallets/{id}"},
	"wallet drop-card":      {"DELETE /api/v1/wallets/{id}/cards/{card}"},
	"wallet cards":          {"GET /api/v1/wallets/{id}/cards", "PUT /api/v1/wallets/{id}/cards", "GET /api/v1/wallets/{id}"},
	"wallet grant":          {"POST /api/v1/wallets/{id}/grants"},
	"wallet grants":         {"GET /api/v1/wallets/{id}/grants"},
	"wallet use":            {"POST /api/v1/wallets/{id}/grants/{grant}/use"},
	"wallet stop":           {"PATCH /api/v1/wallets/{id}"},
	"wallet start":          {"PATCH /api/v1/wallets/{id}"},
	"wallet limit":          {"PATCH /api/v1/wallets/{id}"},
	"wallet change":         {"PATCH /api/v1/wallets/{id}"},
	"wallet delete":         {"DELETE /api/v1/wallets/{id}", "GET /api/v1/wallets/{id}"},
	"wallet topup":          {"POST /api/v1/wallets/{id}/topups"},
	"wallet checkout":       {"GET /api/v1/checkouts/{id}"},
	"wallet history":        {"GET /api/v1/wallets/{id}/history"},
	"wallet days":           {"GET /api/v1/wallets/{id}/days"},
	"wallet statement":      {"GET /api/v1/wallets/{id}/statements/{month}"},
	"wallet postings":       {"GET /api/v1/wallets/{id}/postings"},
	"wallet why":            {"GET /api/v1/wallets/{id}/why", "GET /api/v1/wallets/{id}/charges/{charge}/origins", "GET /api/v1/broadcasts/{id}/cost", "GET /api/v1/broadcasts/{id}/postings"},
	"wallet charges":        {"GET /api/v1/wallets/{id}/charges"},
	"wallet review":         {"GET /api/v1/reviews", "GET /api/v1/reviews/checkouts", "POST /api/v1/charges/{id}/decide", "POST /api/v1/checkouts/{id}/decide"},
	"wallet reconnect":      {"POST /api/v1/wallets/{id}/reconnect", "GET /api/v1/wallets/{id}"},
	"wallet quote":          {"POST /api/v1/quote"},
	"wallet refund":         {"POST /api/v1/wallets/{id}/refunds", "POST /api/v1/wallets/{id}/refunds/quote"},
	"invoice list":          {"GET /api/v1/wallets/{id}/invoices", "GET /api/v1/invoices"},
	"invoice show":          {"GET /api/v1/wallets/{id}/invoices/{invoice}"},
	"invoice download":      {"GET /api/v1/wallets/{id}/invoices/{invoice}/document"},
	"invoice reissue":       {"POST /api/v1/wallets/{id}/invoices/{invoice}/reissue", "GET /api/v1/wallets/{id}/invoices/{invoice}"},
	"invoice amend":         {"POST /api/v1/wallets/{id}/invoices/{invoice}/amend", "GET /api/v1/wallets/{id}/invoices/{invoice}"},
	"invoice settle":        {"POST /api/v1/wallets/{id}/invoices/{invoice}/settle", "GET /api/v1/wallets/{id}/invoices/{invoice}"},
	"invoice send":          {"POST /api/v1/wallets/{id}/invoices/{invoice}/send", "GET /api/v1/wallets/{id}/invoices/{invoice}"},
	"mail list":             {"GET /api/v1/wallets/{id}/mails"},
	"mail resend":           {"POST /api/v1/wallets/{id}/mails/{mail}/resend"},
	"mail mutes":            {"GET /api/v1/wallets/{id}/mails/mutes"},
	"mail mute":             {"PUT /api/v1/wallets/{id}/mails/mutes/{account}/{case}"},
	"mail unmute":           {"DELETE /api/v1/wallets/{id}/mails/mutes/{account}/{case}"},
	"wallet refunds":        {"GET /api/v1/wallets/{id}/refunds"},
	"wallet settle-refund":  {"POST /api/v1/wallets/{id}/refunds/{refund}/settle", "GET /api/v1/wallets/{id}/refunds/{refund}"},
	"wallet refund-account": {"GET /api/v1/wallets/{id}/refund-account", "PUT /api/v1/wallets/{id}/refund-account"},
	"wallet representative": {"PUT /api/v1/wallets/{id}/representative"},
	"reconcile":             {"GET /api/v1/reconciliation", "POST /api/v1/wallets/{id}/corrections"},
	"queue list":            {"GET /api/v1/queues"},
	"queue pause":           {"PUT /api/v1/queues/{queue}/pause"},
	"queue resume":          {"DELETE /api/v1/queues/{queue}/pause"},
	"queue dead":            {"GET /api/v1/dead-tasks", "GET /api/v1/dead-tasks/groups"},
	"queue retry":           {"POST /api/v1/dead-tasks/retry", "GET /api/v1/dead-tasks/groups"},
	"queue discard":         {"POST /api/v1/dead-tasks/discard", "GET /api/v1/dead-tasks/groups"},
	"price list":            {"GET /api/v1/prices"},
	"price set":             {"POST /api/v1/prices"},
	"bot create":            {"POST /api/v1/bots"},
	"bot list":              {"GET /api/v1/bots"},
	"bot show":              {"GET /api/v1/bots/{id}"},
	"bot change":            {"PATCH /api/v1/bots/{id}"},
	"bot member":            {"GET /api/v1/bots/{id}", "PATCH /api/v1/bots/{id}"},
	"bot import":            {"POST /api/v1/bots/{id}/versions"},
	"bot teach":             {"POST /api/v1/bots/{id}/knowledge"},
	"bot versions":          {"GET /api/v1/bots/{id}/versions"},
	"bot diff":              {"GET /api/v1/bots/{id}/versions/{version}/diff", "GET /api/v1/bots/{id}"},
	"bot export":            {"GET /api/v1/bots/{id}/versions/{version}/content", "GET /api/v1/bots/{id}"},
	"bot deploy":            {"POST /api/v1/bots/{id}/versions/{version}/deploy", "GET /api/v1/bots/{id}/versions/{version}/diff", "GET /api/v1/bots/{id}"},
	"bot rollback":          {"POST /api/v1/bots/{id}/rollback"},
	"bot deploys":           {"GET /api/v1/bots/{id}/deploys"},
	"bot blocks":            {"GET /api/v1/bots/{id}/blocks"},
	"bot channel":           {"PUT /api/v1/bots/{id}/channels/{side}", "PATCH /api/v1/bots/{id}/channels/{side}", "POST /api/v1/bots/{id}/channels/{side}/connect", "POST /api/v1/bots/{id}/channels/{side}/disconnect"},
	"bot explain":           {"GET /api/v1/bots/{id}/explain"},
	"bot utterances":        {"GET /api/v1/bots/{id}/utterances"},
	"bot replay":            {"GET /api/v1/bots/{id}/replay"},
	"bot unanswered":        {"GET /api/v1/bots/{id}/unanswered"},
	"bot plugin list":       {"GET /api/v1/bots/{id}/plugins"},
	"bot plugin request":    {"POST /api/v1/bots/{id}/plugins"},
	"bot plugin review":     {"PATCH /api/v1/bots/{id}/plugins/{plugin}"},
	"bot plugin remove":     {"DELETE /api/v1/bots/{id}/plugins/{plugin}"},
	"bot plugin blocks":     {"GET /api/v1/bots/{id}/certification-blocks"},
	"bot plugin certify":    {"PUT /api/v1/bots/{id}/certification-blocks/{block}", "DELETE /api/v1/bots/{id}/certification-blocks/{block}"},
	"bot purges":            {"GET /api/v1/bots/{id}/purges"},
	"bot app":               {"PUT /api/v1/apps/{id}"},
	"bot apps":              {"GET /api/v1/apps"},
	"bot resume":            {"POST /api/v1/bots/{id}/resume"},
	"bot skill-key":         {"POST /api/v1/bots/{id}/skill-key"},
	"bot webhook-secret":    {"POST /api/v1/bots/{id}/webhook-secret"},
	"broadcast send":        {"POST /api/v1/broadcasts", "PUT /api/v1/broadcasts/{id}/recipients", "POST /api/v1/broadcasts/{id}/seal", "GET /api/v1/broadcasts/{id}", "GET /api/v1/bots/{id}", "POST /api/v1/quote", "POST /api/v1/broadcasts/{id}/recipients/from-audience", "GET /api/v1/audiences/{id}", "GET /api/v1/broadcasts/{id}/events"},
	"broadcast list":        {"GET /api/v1/broadcasts"},
	"broadcast show":        {"GET /api/v1/broadcasts/{id}"},
	"broadcast watch":       {"GET /api/v1/broadcasts/{id}/events", "GET /api/v1/broadcasts/{id}"},
	"broadcast upload":      {"PUT /api/v1/broadcasts/{id}/recipients", "POST /api/v1/broadcasts/{id}/recipients/from-audience"},
	"audience create":       {"POST /api/v1/audiences"},
	"audience list":         {"GET /api/v1/audiences"},
	"audience show":         {"GET /api/v1/audiences/{id}"},
	"audience upload":       {"PUT /api/v1/audiences/{id}/recipients"},
	"audience delete":       {"DELETE /api/v1/audiences/{id}"},
	"optout add":            {"PUT /api/v1/bots/{id}/suppressions"},
	"optout remove":         {"DELETE /api/v1/bots/{id}/suppressions"},
	"optout list":           {"GET /api/v1/bots/{id}/suppressions"},
	"optout import":         {"POST /api/v1/bots/{id}/suppressions/import"},
	"optout export":         {"GET /api/v1/bots/{id}/suppressions/export"},
	"consent add":           {"PUT /api/v1/bots/{id}/consents"},
	"consent remove":        {"DELETE /api/v1/bots/{id}/consents"},
	"consent list":          {"GET /api/v1/bots/{id}/consents"},
	"consent show":          {"GET /api/v1/bots/{id}/stance"},
	"consent import":        {"POST /api/v1/bots/{id}/consents/import"},
	"consent export":        {"GET /api/v1/bots/{id}/consents/export"},
	"schedule create":       {"POST /api/v1/schedules", "GET /api/v1/schedules/preview"},
	"schedule list":         {"GET /api/v1/schedules"},
	"schedule show":         {"GET /api/v1/schedules/{id}"},
	"schedule change":       {"PATCH /api/v1/schedules/{id}"},
	"schedule pause":        {"POST /api/v1/schedules/{id}/pause"},
	"schedule resume":       {"POST /api/v1/schedules/{id}/resume"},
	"schedule delete":       {"DELETE /api/v1/schedules/{id}"},
	"schedule runs":         {"GET /api/v1/schedules/{id}/runs"},
	"schedule next":         {"GET /api/v1/schedules/{id}/next", "GET /api/v1/schedules/preview"},
	"broadcast seal":        {"POST /api/v1/broadcasts/{id}/seal", "GET /api/v1/broadcasts/{id}"},
	"webhook create":        {"POST /api/v1/webhooks"},
	"webhook list":          {"GET /api/v1/webhooks"},
	"webhook change":        {"PATCH /api/v1/webhooks/{id}"},
	"webhook delete":        {"DELETE /api/v1/webhooks/{id}"},
	"webhook ping":          {"POST /api/v1/webhooks/{id}/ping"},
	"webhook deliveries":    {"GET /api/v1/webhooks/{id}/deliveries"},
	"webhook replay":        {"POST /api/v1/webhooks/{id}/deliveries/{delivery}/replay"},
	"broadcast approve":     {"POST /api/v1/broadcasts/{id}/approve"},
	"broadcast pause":       {"POST /api/v1/broadcasts/{id}/pause"},
	"broadcast resume":      {"POST /api/v1/broadcasts/{id}/resume"},
	"broadcast cancel":      {"POST /api/v1/broadcasts/{id}/cancel"},
	"broadcast chunks":      {"GET /api/v1/broadcasts/{id}/chunks"},
	"broadcast decide":      {"POST /api/v1/broadcasts/{id}/decide", "GET /api/v1/broadcasts/{id}", "GET /api/v1/broadcasts/{id}/chunks"},
	"broadcast person":      {"GET /api/v1/bots/{id}/messages"},
	"broadcast results":     {"GET /api/v1/broadcasts/{id}/results"},
	"broadcast quote":       {"GET /api/v1/broadcasts/{id}/quote"},
	"broadcast preview":     {"POST /api/v1/broadcasts/{id}/preview"},
	"broadcast test":        {"POST /api/v1/broadcasts/{id}/test", "GET /api/v1/broadcasts/{id}", "POST /api/v1/quote"},
	"broadcast retry":       {"POST /api/v1/broadcasts/{id}/retry", "GET /api/v1/broadcasts/{id}"},
	"broadcast failures":    {"GET /api/v1/broadcasts/{id}/failures"},
}

// permissions adds to the help of every command of the API what it asks of its caller.
func permissions() kong.Option {
	return kong.PostBuild(func(k *kong.Kong) error {
		for _, leaf := range k.Model.Leaves(false) {
			calls, is := callsOf[leaf.Path()]
			if !is {
				continue
			}
			var needs []string
			for _, route := range calls {
				scope, permission, known := intake.Needs(route)
				if !known {
					return fmt.Errorf("command %q calls %s, which is no route", leaf.Path(), route)
				}
				if scope == "" {
					scope = "any"
				}
				if text := permission + " (scope " + scope + ")"; !strings.Contains(strings.Join(needs, ", ")+",", text+",") {
					needs = append(needs, text)
				}
			}
			leaf.Detail = strings.TrimSpace(leaf.Detail + "\n\nNeeds the permission " + strings.Join(needs, ", ") + "; see People and rights in docs/api.md.")
		}
		return nil
	})
}
