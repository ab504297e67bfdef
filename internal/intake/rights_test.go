package intake

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/malgil/malgil/internal/access"
)

// ids reads the values of a field of every entry of a list.
func ids(list map[string]any, field string) []string {
	var all []string
	items, _ := list["items"].([]any)
	for _, item := range items {
		all = append(all, fmt.Sprint(at(item, field)))
	}
	return all
}

// A list holds what its reader may see, and nothing else.
func TestLists_showWhatOneMaySee(t *testing.T) {
	h := newHouse(t)
	own, foreign := newTown(h, "own"), newTown(h, "foreign")
	both := func(pick func(*town) string) []string {
		all := []string{pick(own), pick(foreign)}
		slices.Sort(all)
		return all
	}
	for path, pick := range map[string]func(*town) string{
		"/api/v1/wallets":    func(t *town) string { return t.wallet },
		"/api/v1/bots":       func(t *town) string { return t.bot },
		"/api/v1/broadcasts": func(t *town) string { return t.broadcast },
	} {
		sees := map[string]string{"/api/v1/wallets": "PAMWKV", "/api/v1/bots": "PAMOWKVv", "/api/v1/broadcasts": "PAMOWKVv"}[path]
		for letter, p := range own.people {
			var want []string
			switch {
			case strings.ContainsRune("PA", letter):
				want = both(pick)
			case strings.ContainsRune(sees, letter):
				want = []string{pick(own)}
			}
			got := ids(h.do(call{method: "GET", path: path, token: p.token}).want(200), "id")
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("GET %s by %c = %v, want %v", path, letter, got, want)
			}
		}
	}
	// A filter does not open what its reader may not see.
	if got := h.do(call{method: "GET", path: "/api/v1/broadcasts?wallet=" + foreign.wallet, token: own.people['M'].token}).want(200); len(ids(got, "id")) != 0 {
		t.Errorf("broadcasts of a foreign wallet = %v, want none", ids(got, "id"))
	}
	for letter, p := range own.people {
		accounts := ids(h.do(call{method: "GET", path: "/api/v1/accounts?limit=200", token: p.token}).want(200), "id")
		if all := strings.ContainsRune("PA", letter); all != (len(accounts) > 1) || !slices.Contains(accounts, p.account) {
			t.Errorf("accounts that %c sees = %v, want himself, or all: %v", letter, accounts, all)
		}
		tokens := ids(h.do(call{method: "GET", path: "/api/v1/tokens?limit=200", token: p.token}).want(200), "account")
		if !strings.ContainsRune("PA", letter) && (len(tokens) == 0 || slices.ContainsFunc(tokens, func(a string) bool { return a != p.account })) {
			t.Errorf("tokens that %c sees stand for %v, want himself alone", letter, tokens)
		}
		audit := h.do(call{method: "GET", path: "/api/v1/audit?limit=200", token: p.token}).want(200)
		for _, item := range audit["items"].([]any) {
			theirs := at(item, "account") == p.account ||
				letter == 'W' && at(item, "wallet") == own.wallet || letter == 'M' && at(item, "subject.id") == own.bot
			if !strings.ContainsRune("PA", letter) && !theirs {
				t.Errorf("the audit log shows %c %v", letter, item)
			}
		}
		if n := len(audit["items"].([]any)); strings.ContainsRune("WM", letter) && n == 0 {
			t.Errorf("the audit log shows %c nothing of his own wallet or bot", letter)
		}
	}
}

// Who gives and takes which role on a wallet.
func TestMembers_whoGivesWhat(t *testing.T) {
	h := newHouse(t)
	own := newTown(h, "own")
	member := func(letter rune) string {
		return "/api/v1/wallets/" + own.wallet + "/members/" + own.people[letter].account
	}
	for _, step := range []struct {
		name   string
		by, to rune
		role   string // "" to take it away
		status int
		code   string
	}{
		{"the master of the bot gives its operator the permission", 'M', 'O', "worker", 200, ""},
		{"and takes it away", 'M', 'O', "", 204, ""},
		{"not to a stranger", 'M', 'S', "worker", 422, "NOT_AN_OPERATOR"},
		{"not to a viewer of the bot", 'M', 'v', "worker", 422, "NOT_AN_OPERATOR"},
		{"the master of the bot hands the wallet over", 'M', 'O', "master", 403, "FORBIDDEN"},
		{"the master of the bot lets somebody look", 'M', 'O', "viewer", 403, "FORBIDDEN"},
		{"the master of the bot makes a viewer a worker", 'M', 'V', "worker", 403, "FORBIDDEN"},
		{"the master of the bot sends a viewer away", 'M', 'V', "", 403, "FORBIDDEN"},
		{"the master of the bot sends the master of the wallet away", 'M', 'W', "", 403, "FORBIDDEN"},
		{"the master of the wallet gives the permission", 'W', 'O', "worker", 200, ""},
		{"not to a stranger either", 'W', 'S', "worker", 422, "NOT_AN_OPERATOR"},
		{"a stranger may look", 'W', 'S', "viewer", 200, ""},
		{"the platform gives it to anybody", 'P', 'S', "worker", 200, ""},
		{"a platform admin too", 'A', 'v', "worker", 200, ""},
		{"a worker gives it", 'K', 'v', "worker", 403, "FORBIDDEN"},
		{"a worker sends another away", 'K', 'O', "", 403, "FORBIDDEN"},
		{"a worker leaves", 'K', 'K', "", 204, ""},
		{"and does not know the wallet any more", 'K', 'K', "", 404, "NOT_FOUND"},
		{"a viewer leaves", 'V', 'V', "", 204, ""},
		{"the master leaves", 'W', 'W', "", 409, "LAST_MASTER"},
		{"the wallet goes to somebody who is not on it", 'W', 'K', "master", 422, "NOT_A_MEMBER"},
		{"the wallet goes to a worker", 'W', 'O', "master", 200, ""},
		{"who was master is a worker", 'W', 'v', "", 403, "FORBIDDEN"},
	} {
		c := call{method: "PUT", path: member(step.to), token: own.people[step.by].token, body: map[string]any{"role": step.role}}
		if step.role == "" {
			c.method, c.body = "DELETE", nil
		}
		got := h.do(c)
		if got.Code != step.status || !strings.Contains(got.Body.String(), step.code) {
			t.Errorf("%s: %d %s, want %d %s", step.name, got.Code, got.Body, step.status, step.code)
		}
	}
}

// Whose cards come on a wallet and off it.
func TestWalletCards_whoseTheyAre(t *testing.T) {
	h := newHouse(t)
	own := newTown(h, "own")
	cards := "/api/v1/wallets/" + own.wallet + "/cards"
	ofWorker, ofMaster, ofOperator := own.object(access.OfCard, own.people['K']), own.object(access.OfCard, own.people['W']), own.object(access.OfCard, own.people['O'])
	by := func(letter rune, method, path string, body any) response {
		return h.do(call{method: method, path: path, body: body, token: own.people[letter].token})
	}
	list := func(ids ...string) any { return map[string]any{"cards": ids} }

	by('O', "POST", cards, map[string]any{"card": ofOperator}).wantProblem(403, "FORBIDDEN", "")
	by('K', "POST", cards, map[string]any{"card": ofMaster}).wantProblem(403, "NOT_YOUR_CARD", "")
	by('W', "POST", cards, map[string]any{"card": ofWorker}).wantProblem(403, "NOT_YOUR_CARD", "")
	by('K', "POST", cards, map[string]any{}).wantProblem(422, "INVALID", "body.card")
	wantAt(t, "POST cards", by('K', "POST", cards, map[string]any{"card": ofWorker}).want(201), map[string]any{"items.0.id": ofWorker, "items.0.role": "payment"})
	by('W', "POST", cards, map[string]any{"card": ofMaster}).want(201)
	h.do(call{method: "POST", path: cards, body: map[string]any{"card": ofOperator}}).wantProblem(422, "NOT_A_MEMBER", "")

	by('K', "PUT", cards, list(ofWorker)).wantProblem(403, "NOT_YOUR_CARD", "")
	by('K', "DELETE", cards+"/"+ofMaster, nil).wantProblem(403, "NOT_YOUR_CARD", "")
	wantAt(t, "PUT cards", by('K', "PUT", cards, list(ofMaster, ofWorker)).want(200), map[string]any{"items.0.id": ofMaster, "items.1.id": ofWorker})
	by('W', "DELETE", "/api/v1/cards/"+ofWorker, nil).wantProblem(403, "FORBIDDEN", "")
	by('S', "DELETE", "/api/v1/cards/"+ofWorker, nil).wantProblem(404, "NOT_FOUND", "")
	by('W', "DELETE", cards+"/"+ofWorker, nil).want(204)
	by('W', "DELETE", cards+"/"+ofWorker, nil).wantProblem(404, "NOT_FOUND", "")
	by('K', "POST", cards, map[string]any{"card": ofWorker}).want(201)
	by('K', "DELETE", "/api/v1/cards/"+ofWorker, nil).want(204)
	wantAt(t, "GET cards", by('K', "GET", cards, nil).want(200), map[string]any{"items.0.id": ofMaster, "items.1": nil})

	// A worker who may only look from now on takes his cards along.
	again, _ := h.card(own.people['K'])
	by('K', "POST", cards, map[string]any{"card": again}).want(201)
	by('W', "PUT", "/api/v1/wallets/"+own.wallet+"/members/"+own.people['K'].account, map[string]any{"role": "viewer"}).want(200)
	wantAt(t, "GET cards", by('W', "GET", cards, nil).want(200), map[string]any{"items.0.id": ofMaster, "items.1": nil})
	by('K', "POST", cards, map[string]any{"card": again}).wantProblem(403, "FORBIDDEN", "")
}

// A bot is put on a wallet by those who may have it billed, and its people lose the wallet
// permission with it.
func TestBots_walletAndPeople(t *testing.T) {
	h := newHouse(t)
	own, foreign := newTown(h, "own"), newTown(h, "foreign")
	bot := "/api/v1/bots/" + own.bot
	by := func(letter rune, body map[string]any) response {
		return h.do(call{method: "PATCH", path: bot, body: body, token: own.people[letter].token})
	}
	by('M', map[string]any{"wallet": foreign.wallet}).wantProblem(404, "NOT_FOUND", "")
	by('M', map[string]any{"wallet": own.wallet}).wantProblem(403, "FORBIDDEN", "")
	by('W', map[string]any{"wallet": own.wallet}).wantProblem(403, "FORBIDDEN", "")

	worker := own.people['O']
	member := "/api/v1/wallets/" + own.wallet + "/members/" + worker.account
	cards := "/api/v1/wallets/" + own.wallet + "/cards"
	h.do(call{method: "PUT", path: member, body: map[string]any{"role": "worker"}}).want(200)
	card, _ := h.card(worker)
	h.do(call{method: "POST", path: cards, body: map[string]any{"card": card}, token: worker.token}).want(201)
	by('M', map[string]any{"members": []any{map[string]any{"account": own.people['M'].account, "role": "master"}}}).want(200)
	h.do(call{method: "GET", path: cards, token: worker.token}).wantProblem(404, "NOT_FOUND", "")
	wantAt(t, "GET cards", h.do(call{method: "GET", path: cards}).want(200), map[string]any{"items.0": nil})
	entry := h.do(call{method: "GET", path: "/api/v1/audit?action=change-bot&limit=1", token: own.people['W'].token}).want(200)
	wantAt(t, "audit", entry, map[string]any{
		"items.0.subject.id": own.bot, "items.0.account": own.people['M'].account, "items.0.wallet": own.wallet,
		"items.0.after.left_the_wallet.0.account": worker.account, "items.0.after.left_the_wallet.0.cards_before.0": card,
	})
	// One who was never of the bot stays, whatever becomes of it.
	if v := h.do(call{method: "GET", path: "/api/v1/wallets/" + own.wallet}).want(200); !strings.Contains(fmt.Sprint(v["members"]), own.people['K'].account) {
		t.Errorf("members = %v, want the worker who is of no bot among them", v["members"])
	}
}

// A token hands out what it has itself, to whom it stands for.
func TestTokens_handOutWhatTheyHave(t *testing.T) {
	h := newHouse(t)
	own := newTown(h, "own")
	me := own.people['K']
	_, secret, err := h.gate.Issue(t.Context(), access.NewToken{Name: "short", AccountID: me.account, Scopes: []string{"admin", "read"}, ExpiresAt: noon.AddDate(0, 0, 7)})
	must(t, err)
	make := func(token string, body map[string]any) response {
		body["name"] = "t"
		return h.do(call{method: "POST", path: "/api/v1/tokens", token: token, body: body})
	}
	week, later := noon.AddDate(0, 0, 7), noon.AddDate(0, 0, 8)
	made := make(secret, map[string]any{"scopes": []string{"read"}, "expires_at": week}).want(201)
	wantAt(t, "POST tokens", made, map[string]any{"account": me.account})
	wantAt(t, "GET me", h.do(call{method: "GET", path: "/api/v1/me", token: made["secret"].(string)}).want(200), map[string]any{"account": me.account, "admin": nil})
	make(secret, map[string]any{"scopes": []string{"read", "send"}, "expires_at": week}).wantProblem(403, "FORBIDDEN", "")
	make(secret, map[string]any{"scopes": []string{"read"}}).wantProblem(422, "INVALID", "body.expires_at")
	make(secret, map[string]any{"scopes": []string{"read"}, "expires_at": later}).wantProblem(422, "INVALID", "body.expires_at")
	make(secret, map[string]any{"scopes": []string{"read"}, "expires_at": week, "account": own.people['W'].account}).wantProblem(404, "NOT_FOUND", "")
	make(h.token("admin"), map[string]any{"scopes": []string{"billing"}}).wantProblem(403, "FORBIDDEN", "")
	make(h.token(allScopes), map[string]any{"scopes": []string{"billing"}, "account": "acc_none"}).wantProblem(422, "INVALID", "body.account")
	made = make(h.token(allScopes), map[string]any{"scopes": []string{"billing"}}).want(201)
	wantAt(t, "POST tokens", made, map[string]any{"account": nil})
	// The scopes bound the role: a master whose token may only read does not write.
	reads := make(own.people['W'].token, map[string]any{"scopes": []string{"read"}}).want(201)["secret"].(string)
	h.do(call{method: "GET", path: "/api/v1/wallets/" + own.wallet, token: reads}).want(200)
	h.do(call{method: "POST", path: "/api/v1/wallets/" + own.wallet + "/reconnect", token: reads}).wantProblem(403, "FORBIDDEN", "")
}

// What somebody does is in the audit log once, with who, why, before and after; what had no effect
// is not, and no secret is.
func TestAudit(t *testing.T) {
	h := newHouse(t)
	own := newTown(h, "own")
	last := func() map[string]any {
		return h.do(call{method: "GET", path: "/api/v1/audit?limit=1"}).want(200)["items"].([]any)[0].(map[string]any)
	}
	member := "/api/v1/wallets/" + own.wallet + "/members/" + own.people['O'].account
	give := call{method: "PUT", path: member, token: own.people['M'].token, body: map[string]any{"role": "worker"},
		header: map[string]string{"Malgil-Reason": "%ED%9C%B4%EA%B0%80 %EB%8C%80%EC%B2%B4"}}
	h.do(give).want(200)
	entry := last()
	wantAt(t, "after a gift", entry, map[string]any{
		"action": "put-member", "account": own.people['M'].account, "subject.kind": "wallet", "subject.id": own.wallet,
		"wallet": own.wallet, "reason": "휴가 대체", "before.role": "", "after.role": "worker", "after.account": own.people['O'].account,
	})
	h.do(give).want(200)
	if again := last(); again["seq"] != entry["seq"] {
		t.Errorf("what stood already is written again: %v", again)
	}
	h.do(call{method: "PUT", path: member, body: map[string]any{"role": "worker"}, header: map[string]string{"Malgil-Reason": strings.Repeat("x", 201)}}).
		wantProblem(422, "INVALID", "header.Malgil-Reason")

	topUp := call{method: "POST", path: "/api/v1/wallets/" + own.wallet + "/topups", key: "k", token: own.people['K'].token, body: map[string]any{"amount_krw": 1000}}
	first := h.do(topUp).want(202)
	entry = last()
	wantAt(t, "after an order", entry, map[string]any{"action": "top-up", "subject.id": first["id"], "wallet": own.wallet, "after.supply_krw": 1000})
	h.do(topUp).want(202)
	if again := last(); again["seq"] != entry["seq"] {
		t.Errorf("a repeated call is written again: %v", again)
	}
	h.do(call{method: "POST", path: "/api/v1/broadcasts/" + own.broadcast + "/cancel", token: own.people['O'].token}).want(200)
	wantAt(t, "after a cancel", last(), map[string]any{
		"action": "cancel-broadcast", "subject.id": own.broadcast, "account": own.people['O'].account, "wallet": own.wallet,
		"before.state": "uploading", "after.state": "cancelled",
	})
	h.do(call{method: "PATCH", path: "/api/v1/bots/" + own.bot, body: map[string]any{"rest_api_key": "planted-secret", "name": "새 이름"}}).want(200)
	wantAt(t, "after a change", last(), map[string]any{"action": "change-bot", "before.name": "own", "after.name": "새 이름", "after.rest_api_key": "replaced"})
	h.do(call{method: "POST", path: "/api/v1/bots/" + own.bot + "/skill-key"}).want(200)
	rotated := last()
	wantAt(t, "after a new key", rotated, map[string]any{"action": "rotate-skill-key", "subject.id": own.bot, "wallet": own.wallet})
	if before, after := at(rotated, "before.skill_key"), at(rotated, "after.skill_key"); before == nil || after == nil || before == after {
		t.Errorf("a new key is noted as %v → %v, want a fingerprint of each", before, after)
	}
	made := h.do(call{method: "POST", path: "/api/v1/tokens", body: map[string]any{"name": "t", "scopes": []string{"read"}}}).want(201)
	wantAt(t, "after a token", last(), map[string]any{"action": "create-token", "subject.id": made["id"], "after.scopes.0": "read"})

	log := h.do(call{method: "GET", path: "/api/v1/audit?limit=200"}).want(200)
	text, err := json.Marshal(log)
	must(t, err)
	for _, secret := range []string{"planted-secret", made["secret"].(string), "pg_token"} {
		if strings.Contains(string(text), secret) {
			t.Errorf("the audit log holds the secret %.6s…", secret)
		}
	}
	// It ends with the newest, whose number is how many there are.
	report := h.do(call{method: "GET", path: "/api/v1/audit/verify"}).want(200)
	wantAt(t, "verify", report, map[string]any{"holds": true, "entries": int(at(log, "items.0.seq").(float64)), "broken": nil})
	page := h.do(call{method: "GET", path: "/api/v1/audit?limit=2&subject=" + own.wallet}).want(200)
	next := h.do(call{method: "GET", path: "/api/v1/audit?limit=2&subject=" + own.wallet + "&cursor=" + page["next_cursor"].(string)}).want(200)
	if at(next, "items.0.seq").(float64) >= at(page, "items.1.seq").(float64) {
		t.Errorf("the second page begins with %v, want what is older than %v", at(next, "items.0.seq"), at(page, "items.1.seq"))
	}
}
