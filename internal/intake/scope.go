package intake

import "github.com/malgil/malgil/internal/access"

// anyToken is the scope of routes for which every good token will do.
const anyToken access.Scope = ""

// scopes is what each route of the API asks of a token. A route that is not in it answers nobody.
var scopes = map[string]access.Scope{
	"GET /api/v1/me":             anyToken,
	"POST /api/v1/tokens":        access.Admin,
	"GET /api/v1/tokens":         access.Admin,
	"DELETE /api/v1/tokens/{id}": access.Admin,

	"POST /api/v1/accounts":            access.Admin,
	"GET /api/v1/accounts":             access.Read,
	"GET /api/v1/accounts/{id}":        access.Read,
	"POST /api/v1/accounts/{id}/cards": access.Billing,
	"GET /api/v1/accounts/{id}/cards":  access.Read,
	"DELETE /api/v1/cards/{id}":        access.Billing,

	"POST /api/v1/wallets":                          access.Admin,
	"GET /api/v1/wallets":                           access.Read,
	"GET /api/v1/wallets/{id}":                      access.Read,
	"PUT /api/v1/wallets/{id}/members/{account}":    access.Admin,
	"DELETE /api/v1/wallets/{id}/members/{account}": access.Admin,
	"GET /api/v1/wallets/{id}/postings":             access.Read,
	"GET /api/v1/wallets/{id}/charges":              access.Read,
	"POST /api/v1/wallets/{id}/topups":              access.Billing,
	"PUT /api/v1/wallets/{id}/cards":                access.Billing,
	"GET /api/v1/wallets/{id}/cards":                access.Read,
	"POST /api/v1/wallets/{id}/reconnect":           access.Billing,
	"GET /api/v1/checkouts/{id}":                    access.Read,

	"POST /api/v1/bots":                     access.Admin,
	"GET /api/v1/bots":                      access.Read,
	"GET /api/v1/bots/{id}":                 access.Read,
	"PATCH /api/v1/bots/{id}":               access.Admin,
	"POST /api/v1/bots/{id}/skill-key":      access.Admin,
	"PUT /api/v1/bots/{id}/blocks":          access.Admin,
	"GET /api/v1/bots/{id}/blocks":          access.Read,
	"PUT /api/v1/bots/{id}/channels/{side}": access.Admin,
	"POST /api/v1/bots/{id}/resume":         access.Admin,

	"POST /api/v1/broadcasts":                access.Send,
	"GET /api/v1/broadcasts":                 access.Read,
	"GET /api/v1/broadcasts/{id}":            access.Read,
	"PUT /api/v1/broadcasts/{id}/recipients": access.Send,
	"POST /api/v1/broadcasts/{id}/seal":      access.Send,
	"POST /api/v1/broadcasts/{id}/pause":     access.Send,
	"POST /api/v1/broadcasts/{id}/resume":    access.Send,
	"POST /api/v1/broadcasts/{id}/cancel":    access.Send,
	"GET /api/v1/broadcasts/{id}/chunks":     access.Read,
	"GET /api/v1/broadcasts/{id}/failures":   access.Read,

	"GET /api/v1/prices": access.Read,
	"POST /api/v1/quote": access.Read,
}
