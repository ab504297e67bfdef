package intake

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/store"
)

// wantRights is written by hand: who gets through to each route on an object of his own shop, and
// who is told that his role does not allow it (403). To everybody else the object does not exist
// (404). Each letter is a person:
//
//	P  a token of the platform's own     W  the master of the wallet
//	A  a platform admin                  K  a worker of the wallet
//	M  the master of the bot             V  a viewer of the wallet
//	O  an operator of the bot            v  a viewer of the bot
//	S  somebody who has to do with neither
//
// An account, a card, a checkout and a token are the person's own.
const wantRights = `
GET /api/v1/me PAMOWKVvS -
POST /api/v1/tokens PAMOWKVvS -
GET /api/v1/tokens PAMOWKVvS -
DELETE /api/v1/tokens/{id} PAMOWKVvS -
POST /api/v1/accounts PA MOWKVvS
GET /api/v1/accounts PAMOWKVvS -
GET /api/v1/accounts/{id} PAMOWKVvS -
PATCH /api/v1/accounts/{id} PA MOWKVvS
PUT /api/v1/accounts/{id}/admin PA MOWKVvS
DELETE /api/v1/accounts/{id}/admin PA MOWKVvS
POST /api/v1/accounts/{id}/cards PAMOWKVvS -
GET /api/v1/accounts/{id}/cards PAMOWKVvS -
GET /api/v1/cards/{id} PAMOWKVvS -
DELETE /api/v1/cards/{id} PAMOWKVvS -
POST /api/v1/wallets PAMOWKVvS -
GET /api/v1/wallets PAMOWKVvS -
GET /api/v1/wallets/{id} PAMWKV O
PATCH /api/v1/wallets/{id} PAW MOKV
DELETE /api/v1/wallets/{id} PAW MOKV
POST /api/v1/wallets/{id}/grants PA MOWKV
GET /api/v1/wallets/{id}/grants PAMWKV O
POST /api/v1/wallets/{id}/grants/{grant}/use PAWK MOV
PUT /api/v1/wallets/{id}/members/{account} PAMW OKV
DELETE /api/v1/wallets/{id}/members/{account} PAMW OKV
GET /api/v1/wallets/{id}/postings PAMWKV O
GET /api/v1/wallets/{id}/history PAMWKV O
GET /api/v1/wallets/{id}/days PAMWKV O
GET /api/v1/wallets/{id}/statements/{month} PAMWKV O
GET /api/v1/wallets/{id}/charges PAMWKV O
POST /api/v1/wallets/{id}/topups PAWK MOV
PUT /api/v1/wallets/{id}/cards PAWK MOV
POST /api/v1/wallets/{id}/cards PAWK MOV
DELETE /api/v1/wallets/{id}/cards/{card} PAWK MOV
GET /api/v1/wallets/{id}/cards PAMWKV O
POST /api/v1/wallets/{id}/refunds PAWK MOV
POST /api/v1/wallets/{id}/refunds/quote PAMWKV O
GET /api/v1/wallets/{id}/refunds PAMWKV O
GET /api/v1/wallets/{id}/refunds/{refund} PAMWKV O
POST /api/v1/wallets/{id}/refunds/{refund}/settle PA MOWKV
PUT /api/v1/wallets/{id}/refund-account PAWK MOV
GET /api/v1/wallets/{id}/refund-account PAMWKV O
PUT /api/v1/wallets/{id}/representative PA MOWKV
POST /api/v1/wallets/{id}/reconnect PAMWK OV
GET /api/v1/reviews PA MOWKVvS
POST /api/v1/charges/{id}/decide PA MOWKVvS
GET /api/v1/reviews/checkouts PA MOWKVvS
POST /api/v1/checkouts/{id}/decide PA MOWKVvS
GET /api/v1/wallets/{id}/why PAMWKV O
GET /api/v1/wallets/{id}/charges/{charge}/origins PAMWKV O
GET /api/v1/broadcasts/{id}/cost PAMOWKVv -
GET /api/v1/broadcasts/{id}/postings PAMOWKVv -
POST /api/v1/webhooks PAM OWKVv
GET /api/v1/webhooks PAMOWKVvS -
GET /api/v1/webhooks/{id} PAMOWKVv -
PATCH /api/v1/webhooks/{id} PAM OWKVv
DELETE /api/v1/webhooks/{id} PAM OWKVv
POST /api/v1/webhooks/{id}/ping PAMO WKVv
GET /api/v1/webhooks/{id}/deliveries PAMOWKVv -
POST /api/v1/webhooks/{id}/deliveries/{delivery}/replay PAMO WKVv
GET /api/v1/broadcasts/{id}/events PAMOWKVv -
GET /api/v1/bots/{id}/messages PAMO WKVv
GET /api/v1/broadcasts/{id}/results PAMO WKVv
GET /api/v1/broadcasts/{id}/people PAMO WKVv
GET /api/v1/reconciliation PA MOWKVvS
POST /api/v1/wallets/{id}/corrections PA MOWKV
GET /api/v1/checkouts/{id} PAMOWKVvS -
GET /api/v1/invoices PA MOWKVvS
GET /api/v1/wallets/{id}/invoices PAMWKV O
GET /api/v1/wallets/{id}/invoices/{invoice} PAMWKV O
GET /api/v1/wallets/{id}/invoices/{invoice}/document PAMWKV O
POST /api/v1/wallets/{id}/invoices/{invoice}/reissue PAW MOKV
POST /api/v1/wallets/{id}/invoices/{invoice}/amend PAW MOKV
POST /api/v1/wallets/{id}/invoices/{invoice}/settle PA MOWKV
POST /api/v1/wallets/{id}/invoices/{invoice}/send PAW MOKV
GET /api/v1/wallets/{id}/mails PAMWKV O
POST /api/v1/wallets/{id}/mails/{mail}/resend PAW MOKV
GET /api/v1/wallets/{id}/mails/mutes PAMWKV O
PUT /api/v1/wallets/{id}/mails/mutes/{account}/{case} PAW MOKV
DELETE /api/v1/wallets/{id}/mails/mutes/{account}/{case} PAW MOKV
POST /api/v1/bots PA MOWKVvS
GET /api/v1/bots PAMOWKVvS -
GET /api/v1/bots/{id} PAMOWKVv -
PATCH /api/v1/bots/{id} PAM OWKVv
POST /api/v1/bots/{id}/skill-key PAM OWKVv
POST /api/v1/bots/{id}/webhook-secret PAM OWKVv
POST /api/v1/bots/{id}/versions PAMO WKVv
POST /api/v1/bots/{id}/knowledge PAMO WKVv
GET /api/v1/bots/{id}/versions PAMOWKVv -
GET /api/v1/bots/{id}/versions/{version} PAMOWKVv -
GET /api/v1/bots/{id}/versions/{version}/diff PAMOWKVv -
GET /api/v1/bots/{id}/versions/{version}/content PAMOWKVv -
POST /api/v1/bots/{id}/versions/{version}/deploy PAMO WKVv
POST /api/v1/bots/{id}/rollback PAMO WKVv
GET /api/v1/bots/{id}/deploys PAMOWKVv -
GET /api/v1/bots/{id}/blocks PAMOWKVv -
GET /api/v1/bots/{id}/explain PAMOWKVv -
GET /api/v1/bots/{id}/utterances PAMO WKVv
GET /api/v1/bots/{id}/replay PAMO WKVv
GET /api/v1/bots/{id}/unanswered PAMO WKVv
PUT /api/v1/bots/{id}/channels/{side} PAM OWKVv
PATCH /api/v1/bots/{id}/channels/{side} PAM OWKVv
POST /api/v1/bots/{id}/channels/{side}/connect PAM OWKVv
POST /api/v1/bots/{id}/channels/{side}/disconnect PAM OWKVv
GET /api/v1/bots/{id}/purges PAMOWKVv -
GET /api/v1/bots/{id}/plugins PAMOWKVv -
POST /api/v1/bots/{id}/plugins PAM OWKVv
PATCH /api/v1/bots/{id}/plugins/{plugin} PAM OWKVv
DELETE /api/v1/bots/{id}/plugins/{plugin} PAM OWKVv
GET /api/v1/bots/{id}/certification-blocks PAMOWKVv -
PUT /api/v1/bots/{id}/certification-blocks/{block} PAM OWKVv
DELETE /api/v1/bots/{id}/certification-blocks/{block} PAM OWKVv
PUT /api/v1/apps/{id} PA MOWKVvS
GET /api/v1/apps PA MOWKVvS
POST /api/v1/bots/{id}/resume PAMO WKVv
POST /api/v1/broadcasts PAMO WKVv
GET /api/v1/broadcasts PAMOWKVvS -
GET /api/v1/broadcasts/{id} PAMOWKVv -
PUT /api/v1/broadcasts/{id}/recipients PAMO WKVv
POST /api/v1/broadcasts/{id}/seal PAMO WKVv
POST /api/v1/broadcasts/{id}/approve PAMO WKVv
POST /api/v1/broadcasts/{id}/pause PAMO WKVv
POST /api/v1/broadcasts/{id}/resume PAMO WKVv
POST /api/v1/broadcasts/{id}/cancel PAMO WKVv
POST /api/v1/broadcasts/{id}/retry PAMO WKVv
GET /api/v1/broadcasts/{id}/quote PAMOWKVv -
POST /api/v1/broadcasts/{id}/preview PAMO WKVv
POST /api/v1/broadcasts/{id}/test PAMO WKVv
POST /api/v1/broadcasts/{id}/decide PA MOWKVv
GET /api/v1/broadcasts/{id}/chunks PAMOWKVv -
GET /api/v1/broadcasts/{id}/failures PAMO WKVv
GET /api/v1/audit PAMOWKVvS -
GET /api/v1/audit/verify PA MOWKVvS
GET /api/v1/queues PA MOWKVvS
PUT /api/v1/queues/{queue}/pause PA MOWKVvS
DELETE /api/v1/queues/{queue}/pause PA MOWKVvS
GET /api/v1/dead-tasks PA MOWKVvS
GET /api/v1/dead-tasks/groups PA MOWKVvS
POST /api/v1/dead-tasks/retry PA MOWKVvS
POST /api/v1/dead-tasks/discard PA MOWKVvS
GET /api/v1/prices PAMOWKVvS -
POST /api/v1/prices PA MOWKVvS
GET /api/v1/bots/{id}/suppressions PAMO WKVv
PUT /api/v1/bots/{id}/suppressions PAMO WKVv
DELETE /api/v1/bots/{id}/suppressions PAMO WKVv
GET /api/v1/bots/{id}/consents PAMO WKVv
PUT /api/v1/bots/{id}/consents PAMO WKVv
DELETE /api/v1/bots/{id}/consents PAMO WKVv
GET /api/v1/bots/{id}/stance PAMO WKVv
POST /api/v1/bots/{id}/suppressions/import PAMO WKVv
POST /api/v1/bots/{id}/consents/import PAMO WKVv
GET /api/v1/bots/{id}/suppressions/export PAMO WKVv
GET /api/v1/bots/{id}/consents/export PAMO WKVv
POST /api/v1/audiences PAMO WKVv
GET /api/v1/audiences PAMOWKVvS -
GET /api/v1/audiences/{id} PAMOWKVv -
DELETE /api/v1/audiences/{id} PAMO WKVv
PUT /api/v1/audiences/{id}/recipients PAMO WKVv
POST /api/v1/broadcasts/{id}/recipients/from-audience PAMO WKVv
POST /api/v1/schedules PAMO WKVv
GET /api/v1/schedules PAMOWKVvS -
GET /api/v1/schedules/preview PAMOWKVvS -
GET /api/v1/schedules/{id} PAMOWKVv -
PATCH /api/v1/schedules/{id} PAMO WKVv
DELETE /api/v1/schedules/{id} PAMO WKVv
POST /api/v1/schedules/{id}/pause PAMO WKVv
POST /api/v1/schedules/{id}/resume PAMO WKVv
GET /api/v1/schedules/{id}/next PAMOWKVv -
GET /api/v1/schedules/{id}/runs PAMOWKVv -
POST /api/v1/quote PAMOWKV -
POST /v2/bots/{bot}/talk PAMO WKVv
POST /v2/bots/{bot}/group PAMO WKVv
GET /v1/tasks/{task} PAMO WKVv
`

// person is somebody who calls: his account, and a token of his with every scope.
type person struct{ account, token string }

// town is a shop with everybody who has to do with it.
type town struct {
	h                      *house
	people                 map[rune]person // by the letters of wantRights
	wallet, bot, broadcast string
	audiences              int                  // so many were made
	cards                  map[person][2]string // a card that somebody registered, and its checkout
}

// newTown opens a shop. Its people and ids are named after it.
func newTown(h *house, name string) *town {
	h.t.Helper()
	t := &town{h: h, people: map[rune]person{}, bot: "bot-" + name, cards: map[person][2]string{}}
	for _, letter := range "AMOWKVvS" {
		t.people[letter] = h.person(fmt.Sprintf("%s-%c-%t", name, letter, letter < 'a'))
	}
	t.people['P'] = person{account: h.person(name + "-platform").account, token: h.token(allScopes)}
	must(h.t, h.store.SetAdmin(h.t.Context(), t.people['A'].account, true))

	t.wallet = h.do(call{method: "POST", path: "/api/v1/wallets", body: map[string]any{
		"name": name, "kind": "personal", "master": t.people['W'].account, "daily_limit_krw": 1_000_000,
	}}).want(201)["id"].(string)
	for letter, role := range map[rune]string{'K': "worker", 'V': "viewer"} {
		h.do(call{method: "PUT", path: "/api/v1/wallets/" + t.wallet + "/members/" + t.people[letter].account, body: map[string]any{"role": role}}).want(200)
	}
	h.do(call{method: "POST", path: "/api/v1/bots", body: map[string]any{
		"id": t.bot, "name": name, "rest_api_key": "key", "wallet": t.wallet, "members": []any{
			map[string]any{"account": t.people['M'].account, "role": "master"},
			map[string]any{"account": t.people['O'].account, "role": "operator"},
			map[string]any{"account": t.people['v'].account, "role": "viewer"},
		},
	}}).want(201)
	t.broadcast = h.do(call{method: "POST", path: "/api/v1/broadcasts", key: name, body: map[string]any{
		"bot": t.bot, "event": map[string]any{"name": "restock_alert"},
	}}).want(202)["id"].(string)
	return t
}

// person makes an account and a token that stands for it.
func (h *house) person(name string) person {
	h.t.Helper()
	account := h.do(call{method: "POST", path: "/api/v1/accounts", body: map[string]any{"name": name, "email": name + "@hanbit.example"}}).want(201)["id"].(string)
	_, secret, err := h.gate.Issue(h.t.Context(), access.NewToken{Name: name, AccountID: account, Scopes: strings.Fields(allScopes)})
	must(h.t, err)
	return person{account: account, token: secret}
}

// card registers a card for somebody and returns its id and that of the checkout.
func (h *house) card(p person) (card, checkout string) {
	h.t.Helper()
	begun := h.do(call{method: "POST", path: "/api/v1/accounts/" + p.account + "/cards", key: "card-" + fmt.Sprint(h.gateway.readyCount())}).want(202)
	checkout = begun["id"].(string)
	h.pay(begun)
	return h.do(call{method: "GET", path: "/api/v1/checkouts/" + checkout}).want(200)["card"].(string), checkout
}

// card returns a card of somebody that is there, and a checkout of his.
func (t *town) card(p person) (card, checkout string) {
	t.h.t.Helper()
	if _, err := t.h.store.Card(t.h.t.Context(), t.cards[p][0]); err != nil {
		card, checkout = t.h.card(p)
		t.cards[p] = [2]string{card, checkout}
	}
	return t.cards[p][0], t.cards[p][1]
}

// webhook makes a webhook of the bot; one that is there already is taken.
func (t *town) webhook() string {
	t.h.t.Helper()
	hooks, err := t.h.store.Hooks(t.h.t.Context(), store.HookFilter{BotID: t.bot}, "", 1)
	must(t.h.t, err)
	if len(hooks) > 0 {
		return hooks[0].ID
	}
	return t.h.do(call{method: "POST", path: "/api/v1/webhooks", body: bodies["POST /api/v1/webhooks"](t.bot)}).want(201)["id"].(string)
}

// audience makes a named audience of the bot.
func (t *town) audience() string {
	t.h.t.Helper()
	t.audiences++
	return t.h.do(call{method: "POST", path: "/api/v1/audiences", body: map[string]any{"bot": t.bot, "name": fmt.Sprint(t.audiences)}}).want(201)["id"].(string)
}

// schedule makes a schedule of the bot.
func (t *town) schedule() string {
	t.h.t.Helper()
	audience := t.audience()
	return t.h.do(call{method: "POST", path: "/api/v1/schedules", key: audience, body: map[string]any{
		"bot": t.bot, "event": map[string]any{"name": "restock_alert"}, "audience": audience, "cron": "0 9 * * 1",
	}}).want(201)["id"].(string)
}

// oneChunk orders a broadcast of one chunk, which is a task in Kakao's words, and returns it; always the
// same one.
func (t *town) oneChunk() string {
	t.h.t.Helper()
	return t.h.do(call{method: "POST", path: "/api/v1/broadcasts", key: t.bot + "-task", body: map[string]any{
		"bot": t.bot, "event": map[string]any{"name": "restock_alert"}, "recipients": people(1),
	}}).want(202)["id"].(string)
}

// object returns what a route is about, of a person in a town, and the body that a call needs to be
// understood.
func (t *town) object(kind access.Kind, p person) string {
	switch kind {
	case access.OfWallet:
		return t.wallet
	case access.OfBot:
		return t.bot
	case access.OfBroadcast:
		return t.broadcast
	case access.OfAudience:
		return t.audience()
	case access.OfSchedule:
		return t.schedule()
	case access.OfWebhook:
		return t.webhook()
	case access.OfAccount:
		return p.account
	case access.OfCard:
		card, _ := t.card(p)
		return card
	case access.OfCheckout:
		_, checkout := t.card(p)
		return checkout
	case access.OfToken:
		token, _, err := t.h.gate.Issue(t.h.t.Context(), access.NewToken{Name: "spare", AccountID: p.account, Scopes: []string{"read"}})
		must(t.h.t, err)
		return token.ID
	}
	return ""
}

// bodies are of the routes that name their object in the body: such a call must be whole, so that
// the guard is asked at all.
var bodies = map[string]func(id string) map[string]any{
	"POST /api/v1/tokens": func(id string) map[string]any {
		return map[string]any{"name": "t", "scopes": []string{"read"}, "account": id}
	},
	"POST /api/v1/wallets": func(id string) map[string]any { return map[string]any{"name": "w", "kind": "personal", "master": id} },
	"POST /api/v1/broadcasts": func(id string) map[string]any {
		return map[string]any{"bot": id, "event": map[string]any{"name": "restock_alert"}}
	},
	"POST /api/v1/schedules": func(id string) map[string]any {
		return map[string]any{"bot": id, "event": map[string]any{"name": "restock_alert"}, "audience": "", "cron": "@daily"}
	},
	"POST /api/v1/webhooks": func(id string) map[string]any {
		return map[string]any{"bot": id, "url": "https://shop.example/hook"}
	},
	"POST /api/v1/audiences": func(id string) map[string]any { return map[string]any{"bot": id, "name": id + " all"} },
	"POST /api/v1/quote":     func(id string) map[string]any { return map[string]any{"people": 1, "wallet": id} },
}

// verdict calls a route and tells how its guard answers: "let in", "forbidden" or "unknown".
func (t *town) verdict(pattern, token, id string, nth int) string {
	method, path, _ := strings.Cut(pattern, " ")
	c := call{method: method, token: token, key: fmt.Sprint("matrix-", nth)}
	c.path = strings.NewReplacer("{id}", cmp.Or(id, "none"), "{account}", "none", "{card}", "none", "{refund}", "none", "{grant}", "none", "{charge}", "none", "{side}", "live", "{month}", "2026-11", "{case}", "topup", "{mail}", "none", "{delivery}", "none", "{version}", "1",
		"{bot}", cmp.Or(id, "none"), "{task}", cmp.Or(broadcast.ID(id).Receipt(), "none")).Replace(path)
	if isKakaos(c.path) {
		c.header = map[string]string{"Authorization": "KakaoAK " + token}
	}
	if body := bodies[pattern]; body != nil {
		c.body = body(id)
	} else if method != "GET" && method != "DELETE" {
		c.body = map[string]any{}
	}
	got := t.h.do(c)
	unknown := fmt.Sprintf(`there is no %s \"%s\"`, routes[pattern].on.kind, id)
	if pattern == "GET /v1/tasks/{task}" {
		unknown = "there is no such task"
	}
	switch {
	case got.Code == http.StatusForbidden:
		return "forbidden"
	case got.Code == http.StatusNotFound && strings.Contains(got.Body.String(), unknown):
		return "unknown"
	case got.Code == http.StatusUnauthorized || got.Code >= 500:
		return fmt.Sprint(got.Code, " ", got.Body)
	}
	return "let in"
}

// Every route of the table is called by everybody, on an object of his own and on a foreign one.
func TestMatrix(t *testing.T) {
	h := newHouse(t)
	h.server.feeds.end() // who is let in to watch is not kept
	own, foreign := newTown(h, "own"), newTown(h, "foreign")
	expected := map[string][2]string{}
	for line := range strings.Lines(strings.TrimSpace(wantRights)) {
		f := strings.Fields(line)
		expected[f[0]+" "+f[1]] = [2]string{f[2], f[3]}
	}
	calls := 0
	for _, pattern := range h.server.patterns {
		if !ofAPI(pattern) {
			continue
		}
		want, known := expected[pattern]
		if !known {
			t.Errorf("%s: say in wantRights who may", pattern)
			continue
		}
		kind := routes[pattern].on.kind
		for letter, p := range own.people {
			calls++
			expect := func(town *town, object person, want string) {
				t.Helper()
				id := town.object(kind, object)
				if pattern == "GET /v1/tasks/{task}" {
					id = town.oneChunk()
				}
				if got := town.verdict(pattern, p.token, id, calls); got != want {
					t.Errorf("%s by %c on %s %q is %s, want %s", pattern, letter, kind, id, got, want)
				}
				for letter, p := range town.people { // should the call have changed that
					must(t, h.store.SetAdmin(t.Context(), p.account, letter == 'A'))
				}
			}
			of := func(letters string) bool { return strings.ContainsRune(letters, letter) }
			switch {
			case of(want[0]):
				expect(own, p, "let in")
			case of(want[1]):
				expect(own, p, "forbidden")
			default:
				expect(own, p, "unknown")
			}
			switch { // a foreign object is there for the platform only
			case kind == access.Platform:
			case of("PA"):
				calls++
				expect(foreign, foreign.people['M'], "let in")
			default:
				calls++
				expect(foreign, foreign.people['M'], "unknown")
			}
		}
	}
	for pattern := range expected {
		if _, is := routes[pattern]; !is {
			t.Errorf("wantRights has %s, which is no route", pattern)
		}
	}
	t.Logf("%d calls", calls)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
