package intake

import (
	"strings"
	"testing"

	"github.com/malgil/malgil/internal/access"
)

func TestGrants(t *testing.T) {
	h := newHouse(t)
	_, walletID, _ := h.seed(0)
	grants := "/api/v1/wallets/" + walletID + "/grants"
	gift := map[string]any{"amount_krw": 50_000, "expires_on": "2026-12-31", "reason": "첫 이용 축하"}
	given := h.do(call{method: "POST", path: grants, key: "g1", body: gift}).want(201)
	wantAt(t, "POST grants", given, map[string]any{
		"kind": "free", "state": "waiting", "amount_krw": 50_000, "remaining_krw": 50_000, "expires_on": "2026-12-31", "reason": "첫 이용 축하", "started_at": nil,
	})
	wantAt(t, "GET wallet", h.do(call{method: "GET", path: "/api/v1/wallets/" + walletID}).want(200), map[string]any{"balance.free_krw": 0, "balance.spendable_krw": 0})
	wantAt(t, "repeated POST grants", h.do(call{method: "POST", path: grants, key: "g1", body: gift}).want(201), map[string]any{"id": given["id"]})
	use := grants + "/" + given["id"].(string) + "/use"
	wantAt(t, "POST use", h.do(call{method: "POST", path: use, key: "u1"}).want(200), map[string]any{"state": "started", "started_at": "2026-11-24T03:00:00Z"})
	wantAt(t, "repeated POST use", h.do(call{method: "POST", path: use, key: "u1"}).want(200), map[string]any{"state": "started"})
	wantAt(t, "GET wallet", h.do(call{method: "GET", path: "/api/v1/wallets/" + walletID}).want(200), map[string]any{"balance.free_krw": 50_000, "balance.spendable_krw": 50_000})
	paid := h.do(call{method: "POST", path: grants, key: "g2", body: map[string]any{"kind": "paid", "amount_krw": 300, "reason": "보상"}}).want(201)
	wantAt(t, "POST grants of paid cash", paid, map[string]any{"kind": "paid", "state": "given", "expires_on": nil, "remaining_krw": nil})
	wantAt(t, "GET grants", h.do(call{method: "GET", path: grants}).want(200), map[string]any{"items.0.id": paid["id"], "items.1.id": given["id"], "items.1.state": "started", "items.2": nil})
	wantAt(t, "GET postings", h.do(call{method: "GET", path: "/api/v1/wallets/" + walletID + "/postings"}).want(200), map[string]any{
		"items.0.kind": "paid_granted", "items.0.paid_krw": 300, "items.0.promotion_krw": -300, "items.1.kind": "grant_started", "items.1.free_krw": 50_000,
	})

	refused := map[string]struct {
		call     call
		status   int
		code     string
		location string
	}{
		"no key":          {call{path: grants, body: gift}, 422, "IDEMPOTENCY_KEY_MISSING", "header.Idempotency-Key"},
		"another body":    {call{path: grants, key: "g1", body: map[string]any{"amount_krw": 1, "expires_on": "2026-12-31", "reason": "a"}}, 422, "IDEMPOTENCY_KEY_REUSED", "header.Idempotency-Key"},
		"a fraction":      {call{path: grants, key: "r1", body: map[string]any{"amount_krw": 1.5, "expires_on": "2026-12-31", "reason": "a"}}, 422, "INVALID", "body.amount_krw"},
		"less than none":  {call{path: grants, key: "r2", body: map[string]any{"amount_krw": -1, "expires_on": "2026-12-31", "reason": "a"}}, 422, "INVALID", "body.amount_krw"},
		"yesterday":       {call{path: grants, key: "r3", body: map[string]any{"amount_krw": 1, "expires_on": "2026-11-23", "reason": "a"}}, 422, "INVALID", "body.expires_on"},
		"no reason":       {call{path: grants, key: "r4", body: map[string]any{"amount_krw": 1, "expires_on": "2026-12-31"}}, 422, "INVALID", "body.reason"},
		"no such wallet":  {call{path: "/api/v1/wallets/wal_9/grants", key: "r5", body: gift}, 404, "NOT_FOUND", ""},
		"use without key": {call{path: use}, 422, "IDEMPOTENCY_KEY_MISSING", "header.Idempotency-Key"},
		"used again":      {call{path: use, key: "r6"}, 409, "GRANT_STARTED", ""},
		"use of paid":     {call{path: grants + "/" + paid["id"].(string) + "/use", key: "r7"}, 409, "GRANT_COUNTS", ""},
		"use of nothing":  {call{path: grants + "/grt_9/use", key: "r8"}, 404, "NOT_FOUND", ""},
	}
	for name, tt := range refused {
		t.Run(name, func(t *testing.T) {
			tt.call.method = "POST"
			h.on(t).do(tt.call).wantProblem(tt.status, tt.code, tt.location)
		})
	}
}

func TestChangeWallet(t *testing.T) {
	h := newHouse(t)
	account, walletID, _ := h.seed(1000)
	path := "/api/v1/wallets/" + walletID
	patch := func(token string, body map[string]any) response {
		return h.do(call{method: "PATCH", path: path, body: body, token: token})
	}
	_, master, err := h.gate.Issue(t.Context(), access.NewToken{Name: "master", AccountID: account, Scopes: []string{"billing", "read"}})
	must(t, err)
	wantAt(t, "PATCH", patch(master, map[string]any{"name": "달빛문구", "invoice_email": "new@dalbit.example", "daily_limit_krw": 5000, "status": "stopped"}).want(200),
		map[string]any{"name": "달빛문구", "invoice_email": "new@dalbit.example", "daily_limit_krw": 5000, "status": "stopped", "balance.paid_krw": 1000})
	wantAt(t, "PATCH of one field", patch(master, map[string]any{"status": "in_use"}).want(200), map[string]any{"status": "in_use", "daily_limit_krw": 5000})
	patch(master, map[string]any{"status": "suspended"}).wantProblem(403, "FORBIDDEN", "")
	wantAt(t, "PATCH by the platform", patch("", map[string]any{"status": "suspended"}).want(200), map[string]any{"status": "suspended"})
	h.do(call{method: "POST", path: path + "/topups", key: "t1", body: map[string]any{"amount_krw": 1000}}).wantProblem(422, "WALLET_SUSPENDED", "")
	wantAt(t, "quote", h.do(call{method: "POST", path: "/api/v1/quote", body: map[string]any{"people": 1, "wallet": walletID}}).want(200),
		map[string]any{"wallet.enough": false, "wallet.reason": "WALLET_SUSPENDED", "wallet.people_now": 0})
	patch(master, map[string]any{"status": "stopped"}).wantProblem(403, "FORBIDDEN", "")
	patch("", map[string]any{"status": "stopped"}).want(200)
	h.do(call{method: "POST", path: path + "/topups", key: "t2", body: map[string]any{"amount_krw": 1000}}).want(202) // a stopped one takes it

	for name, tt := range map[string]struct {
		body     map[string]any
		location string
	}{
		"an odd limit":        {map[string]any{"daily_limit_krw": 1500}, "body.daily_limit_krw"},
		"no limit":            {map[string]any{"daily_limit_krw": 0}, "body.daily_limit_krw"},
		"too high a limit":    {map[string]any{"daily_limit_krw": 100_001_000}, "body.daily_limit_krw"},
		"a fraction of a won": {map[string]any{"daily_limit_krw": 1000.5}, "body.daily_limit_krw"},
		"an unknown status":   {map[string]any{"status": "deleted"}, "body.status"},
		"no address":          {map[string]any{"invoice_email": "x"}, "body.invoice_email"},
		"an unknown field":    {map[string]any{"kind": "personal"}, "body.kind"},
		"nothing":             {map[string]any{}, ""},
	} {
		patch("", tt.body).wantProblem(422, "INVALID", tt.location)
		if t.Failed() {
			t.Fatal(name)
		}
	}
	personal := h.do(call{method: "POST", path: "/api/v1/wallets", body: map[string]any{"name": "개인", "kind": "personal", "master": account}}).want(201)["id"].(string)
	h.do(call{method: "PATCH", path: "/api/v1/wallets/" + personal, body: map[string]any{"invoice_email": "a@b.example"}}).wantProblem(422, "INVALID", "body.invoice_email")
	h.do(call{method: "PATCH", path: path + "9", body: map[string]any{"name": "x"}}).wantProblem(404, "NOT_FOUND", "")

	problem := h.do(call{method: "DELETE", path: path}).wantProblem(409, "WALLET_NOT_DELETABLE", "wallet.paid_krw")
	if len(problem.Errors) != 2 || problem.Errors[1].Location != "wallet.payments" || !strings.Contains(problem.Detail, "wallet.payments") {
		t.Errorf("DELETE errors = %+v, want the paid cash and the top-up that is open", problem.Errors)
	}
	h.do(call{method: "DELETE", path: "/api/v1/wallets/" + personal}).wantProblem(409, "WALLET_NOT_DELETABLE", "wallet.status")
	h.do(call{method: "PATCH", path: "/api/v1/wallets/" + personal, body: map[string]any{"status": "stopped"}}).want(200)
	for range 2 {
		h.do(call{method: "DELETE", path: "/api/v1/wallets/" + personal}).want(204)
	}
	shown := h.do(call{method: "GET", path: "/api/v1/wallets/" + personal}).want(200)
	wantAt(t, "GET of a deleted wallet", shown, map[string]any{"status": "deleted", "deleted_at": "2026-11-24T03:00:00Z"})
	wantAt(t, "GET wallets", h.do(call{method: "GET", path: "/api/v1/wallets"}).want(200), map[string]any{"items.0.id": walletID, "items.1": nil})
	h.do(call{method: "PATCH", path: "/api/v1/wallets/" + personal, body: map[string]any{"status": "in_use"}}).wantProblem(409, "WALLET_DELETED", "")
	h.do(call{method: "POST", path: "/api/v1/wallets/" + personal + "/topups", key: "t3", body: map[string]any{"amount_krw": 1000}}).wantProblem(409, "WALLET_DELETED", "")
	h.do(call{method: "POST", path: "/api/v1/bots", body: map[string]any{"id": "b9", "name": "봇", "rest_api_key": "key", "wallet": personal}}).wantProblem(422, "INVALID", "body.wallet")
}

func TestPutCards_needADailyLimit(t *testing.T) {
	h := newHouse(t)
	account, _, _ := h.seed(0)
	personal := h.do(call{method: "POST", path: "/api/v1/wallets", body: map[string]any{"name": "개인", "kind": "personal", "master": account}}).want(201)["id"].(string)
	begun := h.do(call{method: "POST", path: "/api/v1/accounts/" + account + "/cards", key: "c1"})
	h.pay(begun.want(202))
	card := h.do(call{method: "GET", path: begun.Header().Get("Location")}).want(200)["card"]
	put := call{method: "PUT", path: "/api/v1/wallets/" + personal + "/cards", body: map[string]any{"cards": []any{card}}}
	h.do(put).wantProblem(422, "DAILY_LIMIT_MISSING", "body.daily_limit_krw")
	h.do(call{method: "PATCH", path: "/api/v1/wallets/" + personal, body: map[string]any{"daily_limit_krw": 1000}}).want(200)
	h.do(put).want(200)
	wantAt(t, "quote", h.do(call{method: "POST", path: "/api/v1/quote", body: map[string]any{"people": 67, "wallet": personal}}).want(200), map[string]any{
		"wallet.enough": false, "wallet.reason": "DAILY_LIMIT_REACHED", "wallet.daily_limit_krw": 1000, "wallet.daily_left_krw": 1000,
		"wallet.people_now": 0, "wallet.resumes_at": "2026-11-24T15:00:00Z",
	})
	wantAt(t, "quote within it", h.do(call{method: "POST", path: "/api/v1/quote", body: map[string]any{"people": 66, "wallet": personal}}).want(200), map[string]any{
		"wallet.enough": true, "wallet.people_now": 66, "wallet.after.accrual_krw": 990, "wallet.after.spendable_krw": 10, "wallet.resumes_at": nil,
	})
}

func TestSetPrice(t *testing.T) {
	h := newHouse(t)
	set := func(price any, from string) response {
		return h.do(call{method: "POST", path: "/api/v1/prices", body: map[string]any{"item": "event_message", "price_krw": price, "valid_from": from}})
	}
	wantAt(t, "POST prices", set(16, "2026-11-25").want(201), map[string]any{
		"price_krw": 15, "list.0.price_krw": 15, "list.0.state": "valid", "list.0.valid_from": nil,
		"list.1.price_krw": 16, "list.1.state": "coming", "list.1.valid_from": "2026-11-25", "list.2": nil,
	})
	set(17, "2026-11-25").want(201)
	wantAt(t, "GET prices", h.do(call{method: "GET", path: "/api/v1/prices"}).want(200), map[string]any{
		"items.0.price_krw": 15, "items.0.list.1.price_krw": 17, "items.0.list.2": nil, "items.1.item": "chat", "items.1.list": nil,
	})
	wantAt(t, "quote", h.do(call{method: "POST", path: "/api/v1/quote", body: map[string]any{"people": 100}}).want(200), map[string]any{"price_krw": 15, "supply_krw": 1500})
	set(16, "2026-11-24").wantProblem(422, "INVALID", "body.valid_from")
	set(16, "24.11.2027").wantProblem(422, "INVALID", "body.valid_from")
	set(-1, "2026-11-25").wantProblem(422, "INVALID", "body.price_krw")
	set(15.5, "2026-11-25").wantProblem(422, "INVALID", "body.price_krw")
	set(10_001, "2026-11-25").wantProblem(422, "INVALID", "body.price_krw")
	h.do(call{method: "POST", path: "/api/v1/prices", body: map[string]any{"item": "chat", "price_krw": 1, "valid_from": "2026-11-25"}}).wantProblem(422, "INVALID", "body.item")
}
