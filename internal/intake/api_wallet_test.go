package intake

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/malgil/malgil/internal/billing"
)

func TestAccounts(t *testing.T) {
	h := newHouse(t)
	made := h.do(call{method: "POST", path: "/api/v1/accounts", body: map[string]any{"name": "김하늘", "email": "haneul@hanbit.example"}})
	account := made.want(201)
	wantAt(t, "POST /accounts", account, map[string]any{"name": "김하늘", "email": "haneul@hanbit.example", "created_at": "2026-11-24T03:00:00Z"})
	if got := made.Header().Get("Location"); got != "/api/v1/accounts/"+account["id"].(string) {
		t.Errorf("Location = %q, want the account", got)
	}
	wantAt(t, "GET /accounts/{id}", h.do(call{method: "GET", path: made.Header().Get("Location")}).want(200), map[string]any{"id": account["id"]})
	h.do(call{method: "POST", path: "/api/v1/accounts", body: map[string]any{"name": "다른 사람", "email": "HANEUL@hanbit.example"}}).wantProblem(409, "EMAIL_TAKEN", "body.email")
	h.do(call{method: "POST", path: "/api/v1/accounts", body: map[string]any{"name": "", "email": "a@b.example"}}).wantProblem(422, "INVALID", "body.name")
	h.do(call{method: "GET", path: "/api/v1/accounts/none"}).wantProblem(404, "NOT_FOUND", "")
}

func TestLists_goOnWhereThePageEnded(t *testing.T) {
	h := newHouse(t)
	for i := range 5 {
		h.do(call{method: "POST", path: "/api/v1/accounts", body: map[string]any{"name": fmt.Sprint(i), "email": fmt.Sprintf("%d@b.example", i)}}).want(201)
	}
	var got []string
	path := "/api/v1/accounts?limit=2"
	for pages := 1; ; pages++ {
		list := h.do(call{method: "GET", path: path}).want(200)
		for _, item := range list["items"].([]any) {
			got = append(got, at(item, "name").(string))
		}
		next, more := list["next_cursor"].(string)
		if !more {
			if pages != 3 {
				t.Errorf("five entries came on %d pages of two, want 3", pages)
			}
			break
		}
		path = "/api/v1/accounts?limit=2&cursor=" + next
	}
	if strings.Join(got, "") != "01234" {
		t.Errorf("the pages hold %v, want 0 to 4 once each", got)
	}
	if empty := h.do(call{method: "GET", path: "/api/v1/bots"}).Body.String(); strings.TrimSpace(empty) != `{"items":[]}` {
		t.Errorf("an empty list is %s, want {\"items\":[]}", empty)
	}
}

func TestWallets(t *testing.T) {
	h := newHouse(t)
	account, walletID, _ := h.seed(3000)
	wallet := "/api/v1/wallets/" + walletID
	wantAt(t, "GET /wallets/{id}", h.do(call{method: "GET", path: wallet}).want(200), map[string]any{
		"name": "한빛서점", "kind": "business", "business_number": "9998100015", "status": "in_use", "payment_state": "ACTIVE",
		"balance.free_krw": 0, "balance.paid_krw": 3000, "balance.accrual_krw": 0, "balance.charging_krw": 0, "balance.held_krw": 0,
		"balance.spendable_krw": 3000, "balance.due_krw": 0,
		"members.0.account": account, "members.0.role": "master", "members.0.email": "haneul@hanbit.example", "members.1": nil, "cards": nil,
	})
	wantAt(t, "GET /wallets", h.do(call{method: "GET", path: "/api/v1/wallets"}).want(200), map[string]any{
		"items.0.id": walletID, "items.0.balance.paid_krw": 3000, "items.0.members": nil, "items.1": nil,
	})
	wantAt(t, "GET postings", h.do(call{method: "GET", path: wallet + "/postings"}).want(200), map[string]any{
		"items.0.kind": "topup", "items.0.paid_krw": 3000, "items.0.vat_krw": 300, "items.0.clearing_krw": -3300, "items.0.free_krw": nil, "items.1": nil,
	})
	wantAt(t, "GET charges", h.do(call{method: "GET", path: wallet + "/charges"}).want(200), map[string]any{"items.0": nil})
	h.do(call{method: "GET", path: wallet + "9"}).wantProblem(404, "NOT_FOUND", "")
	for _, list := range []string{"/postings", "/charges", "/cards"} {
		h.do(call{method: "GET", path: wallet + "9" + list}).wantProblem(404, "NOT_FOUND", "")
	}

	good := map[string]any{"name": "a", "kind": "business", "business_number": "999-81-00015", "invoice_email": "a@b.example", "master": account}
	for name, tt := range map[string]struct {
		field    string
		value    any
		location string
	}{
		"a wrong check digit": {"business_number", "999-81-00016", "body.business_number"},
		"no such master":      {"master", "acc_9", "body.master"},
		"an odd limit":        {"daily_limit_krw", 1500, "body.daily_limit_krw"},
		"an unknown kind":     {"kind", "agency", "body.kind"},
		"a fraction of a won": {"daily_limit_krw", 1000.5, "body.daily_limit_krw"},
	} {
		body := map[string]any{}
		for k, v := range good {
			body[k] = v
		}
		body[tt.field] = tt.value
		h.do(call{method: "POST", path: "/api/v1/wallets", body: body}).wantProblem(422, "INVALID", tt.location)
		if t.Failed() {
			t.Fatal(name)
		}
	}
}

func TestWalletMembers(t *testing.T) {
	h := newHouse(t)
	account, walletID, _ := h.seed(0)
	worker := h.do(call{method: "POST", path: "/api/v1/accounts", body: map[string]any{"name": "이바다", "email": "bada@hanbit.example"}}).want(201)["id"].(string)
	members := "/api/v1/wallets/" + walletID + "/members/"
	wantAt(t, "PUT member", h.do(call{method: "PUT", path: members + worker, body: map[string]any{"role": "worker"}}).want(200),
		map[string]any{"account": worker, "name": "이바다", "role": "worker"})
	h.do(call{method: "DELETE", path: members + account}).wantProblem(409, "LAST_MASTER", "")
	h.do(call{method: "PUT", path: members + account, body: map[string]any{"role": "worker"}}).wantProblem(409, "LAST_MASTER", "")
	h.do(call{method: "PUT", path: members + "acc_9", body: map[string]any{"role": "worker"}}).wantProblem(404, "NOT_FOUND", "")
	h.do(call{method: "PUT", path: members + worker, body: map[string]any{"role": "owner"}}).wantProblem(422, "INVALID", "body.role")
	h.do(call{method: "PUT", path: members + worker, body: map[string]any{"role": "master"}}).want(200)
	h.do(call{method: "DELETE", path: members + account}).want(204)
	h.do(call{method: "DELETE", path: members + account}).wantProblem(404, "NOT_FOUND", "")
	wantAt(t, "GET wallet", h.do(call{method: "GET", path: "/api/v1/wallets/" + walletID}).want(200),
		map[string]any{"members.0.account": worker, "members.0.role": "master", "members.1": nil})
}

func TestTopUp(t *testing.T) {
	h := newHouse(t)
	account, walletID, _ := h.seed(0)
	topups := "/api/v1/wallets/" + walletID + "/topups"
	order := call{method: "POST", path: topups, key: "k1", body: map[string]any{"amount_krw": 100_000}}

	begun := h.do(order)
	checkout := begun.want(202)
	wantAt(t, "POST topups", checkout, map[string]any{
		"kind": "topup", "state": "ready", "account": account, "wallet": walletID, "supply_krw": 100_000, "vat_krw": 10_000, "total_krw": 110_000,
		"redirect.pc": "https://pay.example/pc", "redirect.mobile": "https://pay.example/m", "expires_at": "2026-11-24T03:15:00Z",
	})
	status := begun.Header().Get("Location")
	if status != "/api/v1/checkouts/"+checkout["id"].(string) {
		t.Errorf("Location = %q, want the checkout", status)
	}
	wantAt(t, "repeated POST topups", h.do(order).want(202), map[string]any{"id": checkout["id"], "redirect.pc": "https://pay.example/pc"})
	if n := h.gateway.readyCount(); n != 1 {
		t.Errorf("the gateway was asked %d times, want once", n)
	}

	refused := map[string]struct {
		call     call
		status   int
		code     string
		location string
	}{
		"no key":         {call{method: "POST", path: topups, body: map[string]any{"amount_krw": 1000}}, 422, "IDEMPOTENCY_KEY_MISSING", "header.Idempotency-Key"},
		"another body":   {call{method: "POST", path: topups, key: "k1", body: map[string]any{"amount_krw": 1000}}, 422, "IDEMPOTENCY_KEY_REUSED", "header.Idempotency-Key"},
		"another route":  {call{method: "POST", path: "/api/v1/accounts/" + account + "/cards", key: "k1"}, 422, "IDEMPOTENCY_KEY_REUSED", "header.Idempotency-Key"},
		"a space in key": {call{method: "POST", path: topups, key: "k 1", body: map[string]any{"amount_krw": 1000}}, 422, "INVALID", "header.Idempotency-Key"},
		"a long key":     {call{method: "POST", path: topups, key: strings.Repeat("k", 256), body: map[string]any{"amount_krw": 1000}}, 422, "INVALID", "header.Idempotency-Key"},
		"too little":     {call{method: "POST", path: topups, key: "k2", body: map[string]any{"amount_krw": 999}}, 422, "INVALID", "body.amount_krw"},
		"a stranger":     {call{method: "POST", path: topups, key: "k3", body: map[string]any{"amount_krw": 1000, "account": "acc_9"}}, 422, "NOT_A_MEMBER", "body.account"},
		"no such wallet": {call{method: "POST", path: "/api/v1/wallets/wal_9/topups", key: "k4", body: map[string]any{"amount_krw": 1000}}, 404, "NOT_FOUND", ""},
	}
	for name, tt := range refused {
		t.Run(name, func(t *testing.T) { h.on(t).do(tt.call).wantProblem(tt.status, tt.code, tt.location) })
	}

	h.gateway.down = true
	down := call{method: "POST", path: topups, key: "k5", body: map[string]any{"amount_krw": 1000}}
	h.do(down).wantProblem(503, "UNAVAILABLE", "")
	h.gateway.down = false
	h.do(down).want(202) // the same key goes on where it broke off

	page := h.pay(checkout)
	if page.Code != 200 || !strings.Contains(page.Body.String(), "충전이 완료되었습니다") || !strings.Contains(page.Body.String(), "110,000원") {
		t.Errorf("the payer reads %d %s, want that the top-up is done", page.Code, page.Body)
	}
	again := h.pay(checkout)
	if again.Code != 200 || again.Body.String() != page.Body.String() {
		t.Errorf("the payer who loads the page again reads %d %s, want the same", again.Code, again.Body)
	}
	wantAt(t, "GET checkout", h.do(call{method: "GET", path: status}).want(200), map[string]any{"state": "done", "redirect": nil})
	wantAt(t, "GET wallet", h.do(call{method: "GET", path: "/api/v1/wallets/" + walletID}).want(200), map[string]any{"balance.paid_krw": 100_000})
	wantAt(t, "POST topups after it is done", h.do(order).want(202), map[string]any{"id": checkout["id"], "state": "done"})
}

// Many callers send one order at once: one checkout is begun, and all hear of it.
func TestTopUp_repeatedAtOnce(t *testing.T) {
	h := newHouse(t)
	_, walletID, _ := h.seed(0)
	h.token(allScopes)
	ids := make([]any, 16)
	var group sync.WaitGroup
	for i := range ids {
		group.Go(func() {
			got := h.do(call{method: "POST", path: "/api/v1/wallets/" + walletID + "/topups", key: "k", body: map[string]any{"amount_krw": 5000}})
			if got.Code != 202 {
				t.Errorf("call %d = %d %s, want 202", i, got.Code, got.Body)
				return
			}
			ids[i] = got.want(202)["id"]
		})
	}
	group.Wait()
	for i, id := range ids {
		if id == nil || id != ids[0] {
			t.Errorf("call %d got checkout %v, call 0 %v, want one for all", i, id, ids[0])
		}
	}
}

func TestPay_pages(t *testing.T) {
	var ran []string
	h := newHouse(t, func(s *Services) {
		s.Ran = func(_ context.Context, _ string, r billing.Result) {
			if r.Outcome != billing.Skipped {
				ran = append(ran, string(r.Kind)+" "+string(r.Outcome))
			}
		}
	})
	account, walletID, _ := h.seed(0)
	n := 0
	begin := func(path string, body any) map[string]any {
		n++
		return h.do(call{method: "POST", path: path, key: fmt.Sprint(n), body: body}).want(202)
	}
	topUp := func() map[string]any {
		return begin("/api/v1/wallets/"+walletID+"/topups", map[string]any{"amount_krw": 1000})
	}
	card := func() map[string]any { return begin("/api/v1/accounts/"+account+"/cards", nil) }
	visit := func(checkout map[string]any, how string) response {
		return h.do(call{method: "GET", path: h.gateway.wayBack(checkout["id"].(string), how), token: "-"})
	}
	declined := topUp()
	tests := map[string]struct {
		page   func() response
		status int
		text   string
		state  string // of the checkout
	}{
		"a top-up cancelled":   {func() response { return visit(topUp(), "cancel") }, 200, "충전을 취소했습니다", ""},
		"a top-up failed":      {func() response { return visit(topUp(), "fail") }, 200, "충전하지 못했습니다", ""},
		"a card registered":    {func() response { return h.pay(card()) }, 200, "카드가 등록되었습니다", ""},
		"a card cancelled":     {func() response { return visit(card(), "cancel") }, 200, "카드 등록을 취소했습니다", ""},
		"a card failed":        {func() response { return visit(card(), "fail") }, 200, "카드를 등록하지 못했습니다", ""},
		"no token of KakaoPay": {func() response { return visit(topUp(), "approve") }, 422, "결제를 확인할 수 없습니다", ""},
		"a wrong key": {func() response {
			return h.do(call{method: "GET", path: "/pay/" + topUp()["id"].(string) + "/wrong-key?pg_token=pg", token: "-"})
		}, 404, "결제를 찾을 수 없습니다", ""},
		"no such checkout": {func() response { return h.do(call{method: "GET", path: "/pay/pay_9/wrong-key/cancel", token: "-"}) }, 404, "결제를 찾을 수 없습니다", ""},
		"a payment not granted": {func() response {
			h.gateway.decline = true
			defer func() { h.gateway.decline = false }()
			return h.pay(declined)
		}, 200, "충전하지 못했습니다", "failed"},
	}
	for name, tt := range tests {
		page := tt.page()
		if page.Code != tt.status || !strings.Contains(page.Body.String(), "<h1>"+tt.text+"</h1>") {
			t.Errorf("%s: the payer reads %d %s, want %d %s", name, page.Code, page.Body, tt.status, tt.text)
		}
		if page.Header().Get("Referrer-Policy") != "no-referrer" || !strings.Contains(page.Header().Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: headers %v, want no referrer and a policy that allows nothing", name, page.Header())
		}
		if strings.Contains(page.Body.String(), "/pay/") || strings.Contains(page.Body.String(), "pg_token") {
			t.Errorf("%s: the page holds the address with its key", name)
		}
	}
	wantAt(t, "GET checkout", h.do(call{method: "GET", path: "/api/v1/checkouts/" + declined["id"].(string)}).want(200), map[string]any{"state": "failed"})
	slices.Sort(ran)
	if want := []string{"card registered", "topup closed"}; !slices.Equal(ran, want) {
		t.Errorf("told of the runs %q, want %q: only what came back with a token runs", ran, want)
	}
}

func TestCards(t *testing.T) {
	h := newHouse(t)
	account, walletID, _ := h.seed(0)
	register := func(account, key string) string {
		t.Helper()
		begun := h.do(call{method: "POST", path: "/api/v1/accounts/" + account + "/cards", key: key})
		checkout := begun.want(202)
		wantAt(t, "POST cards", checkout, map[string]any{"kind": "card", "total_krw": 0, "wallet": nil})
		h.pay(checkout)
		done := h.do(call{method: "GET", path: begun.Header().Get("Location")}).want(200)
		wantAt(t, "GET checkout", done, map[string]any{"state": "done"})
		return done["card"].(string)
	}
	a, b, c, d := register(account, "a"), register(account, "b"), register(account, "c"), register(account, "d")
	listed := h.do(call{method: "GET", path: "/api/v1/accounts/" + account + "/cards"})
	wantAt(t, "GET account cards", listed.want(200), map[string]any{
		"items.0.id": a, "items.0.account": account, "items.0.state": "usable", "items.0.issuer": "한빛카드", "items.0.wallet": nil, "items.3.id": d, "items.4": nil,
	})
	if strings.Contains(strings.ToLower(listed.Body.String()), "sid") {
		t.Errorf("the list of cards %s speaks of a sid", listed.Body)
	}

	cards := "/api/v1/wallets/" + walletID + "/cards"
	put := func(ids ...string) response {
		return h.do(call{method: "PUT", path: cards, body: map[string]any{"cards": ids}})
	}
	wantAt(t, "PUT cards", put(b, a, c).want(200), map[string]any{
		"items.0.id": b, "items.0.slot": 1, "items.0.role": "payment", "items.1.id": a, "items.1.role": "backup_1", "items.2.id": c, "items.2.role": "backup_2",
	})
	wantAt(t, "PUT cards again", put(d, b).want(200), map[string]any{"items.0.id": d, "items.1.id": b, "items.1.slot": 2, "items.2": nil})
	wantAt(t, "GET wallet", h.do(call{method: "GET", path: "/api/v1/wallets/" + walletID}).want(200),
		map[string]any{"cards.0.id": d, "cards.0.role": "payment", "balance.spendable_krw": 10_000_000})
	put(a, b, c, d).wantProblem(422, "INVALID", "body.cards")
	put().wantProblem(422, "INVALID", "body.cards")
	put(a, a).wantProblem(422, "INVALID", "body.cards")
	put("crd_9").wantProblem(404, "NOT_FOUND", "")

	stranger := h.do(call{method: "POST", path: "/api/v1/accounts", body: map[string]any{"name": "이바다", "email": "bada@hanbit.example"}}).want(201)["id"].(string)
	foreign := register(stranger, "e")
	put(foreign).wantProblem(422, "NOT_A_MEMBER", "")
	other := h.do(call{method: "POST", path: "/api/v1/wallets", body: map[string]any{"name": "개인", "kind": "personal", "master": account}}).want(201)["id"].(string)
	h.do(call{method: "PUT", path: "/api/v1/wallets/" + other + "/cards", body: map[string]any{"cards": []string{d}}}).wantProblem(409, "CARD_ELSEWHERE", "")

	h.do(call{method: "DELETE", path: "/api/v1/cards/" + d}).want(204)
	h.do(call{method: "DELETE", path: "/api/v1/cards/" + d}).wantProblem(404, "NOT_FOUND", "")
	wantAt(t, "GET wallet cards", h.do(call{method: "GET", path: cards}).want(200), map[string]any{"items.0.id": b, "items.0.slot": 1, "items.1": nil})
	h.do(call{method: "POST", path: "/api/v1/accounts/acc_9/cards", key: "f"}).wantProblem(404, "NOT_FOUND", "")
	h.do(call{method: "POST", path: "/api/v1/accounts/" + account + "/cards"}).wantProblem(422, "IDEMPOTENCY_KEY_MISSING", "header.Idempotency-Key")
	h.do(call{method: "GET", path: "/api/v1/accounts/acc_9/cards"}).wantProblem(404, "NOT_FOUND", "")
}

func TestReconnect(t *testing.T) {
	h := newHouse(t)
	_, walletID, _ := h.seed(0)
	wantAt(t, "POST reconnect", h.do(call{method: "POST", path: "/api/v1/wallets/" + walletID + "/reconnect"}).want(200), map[string]any{"payment_state": "ACTIVE"})
	h.do(call{method: "POST", path: "/api/v1/wallets/wal_9/reconnect"}).wantProblem(404, "NOT_FOUND", "")
}

func TestPrices(t *testing.T) {
	h := newHouse(t)
	_, walletID, _ := h.seed(3000)
	wantAt(t, "GET prices", h.do(call{method: "GET", path: "/api/v1/prices"}).want(200), map[string]any{
		"items.0.item": "event_message", "items.0.price_krw": 15, "items.0.vat_percent": 10, "items.1.item": "chat", "items.1.price_krw": 0,
	})
	quote := func(body map[string]any) map[string]any {
		t.Helper()
		return h.do(call{method: "POST", path: "/api/v1/quote", body: body}).want(200)
	}
	wantAt(t, "quote", quote(map[string]any{"people": 100}), map[string]any{"supply_krw": 1500, "vat_krw": 150, "total_krw": 1650, "wallet": nil})
	wantAt(t, "quote of one", quote(map[string]any{"people": 1}), map[string]any{"supply_krw": 15, "vat_krw": 2, "total_krw": 17})
	wantAt(t, "quote of what there is", quote(map[string]any{"people": 200, "wallet": walletID}),
		map[string]any{"wallet.spendable_krw": 3000, "wallet.enough": true, "wallet.missing_krw": nil, "wallet.reason": nil})
	wantAt(t, "quote of one too many", quote(map[string]any{"people": 201, "wallet": walletID}),
		map[string]any{"wallet.enough": false, "wallet.missing_krw": 15, "wallet.reason": "INSUFFICIENT_BALANCE"})
	h.do(call{method: "POST", path: "/api/v1/quote", body: map[string]any{"people": 0}}).wantProblem(422, "INVALID", "body.people")
	h.do(call{method: "POST", path: "/api/v1/quote", body: map[string]any{"people": 1, "wallet": "wal_9"}}).wantProblem(404, "NOT_FOUND", "")
}
