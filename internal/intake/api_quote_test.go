package intake

import "testing"

// A broadcast is quoted by its audience, price, wallet and bot; numbers by what is named.
func TestQuote_broadcast(t *testing.T) {
	h := newHouse(t)
	_, walletID, botID := h.seed(1000)
	h.do(call{method: "PATCH", path: "/api/v1/bots/" + botID, body: map[string]any{"rate_per_second": 50}}).want(200)
	b := h.do(call{method: "POST", path: "/api/v1/broadcasts", key: "b", body: map[string]any{"bot": botID, "event": map[string]any{"name": "restock_alert"}}}).want(202)["id"].(string)
	path := "/api/v1/broadcasts/" + b
	quote := func() map[string]any { return h.do(call{method: "GET", path: path + "/quote"}).want(200) }
	wantAt(t, "a quote of nobody", quote(), map[string]any{"people": 0, "total_krw": 0, "seconds": nil, "wallet.enough": true})
	file := "id\n"
	for i := range 101 {
		file += string(rune('a'+i%26)) + string(rune('a'+i/26)) + "\n"
	}
	h.do(call{method: "PUT", path: path + "/recipients", body: file, header: csvHeader}).want(200)
	wantAt(t, "a quote", quote(), map[string]any{
		"people": 101, "price_krw": 15, "supply_krw": 1515, "vat_krw": 152, "total_krw": 1667, "rate_per_second": 50, "seconds": 3,
		"wallet.enough": false, "wallet.missing_krw": 515, "wallet.spendable_krw": 1000, "wallet.people_now": 0,
	})
	numbers := func(body map[string]any) map[string]any {
		return h.do(call{method: "POST", path: "/api/v1/quote", body: body}).want(200)
	}
	wantAt(t, "numbers", numbers(map[string]any{"people": 100, "bot": botID, "wallet": walletID}), map[string]any{"seconds": 2, "rate_per_second": 50, "wallet.missing_krw": 500})
	wantAt(t, "numbers of no bot", numbers(map[string]any{"people": 100}), map[string]any{"seconds": nil, "rate_per_second": nil, "wallet": nil})
	h.do(call{method: "POST", path: "/api/v1/quote", body: map[string]any{"people": 1, "bot": "none"}}).wantProblem(404, "NOT_FOUND", "")
}

// Whoever sees a bot and has no part in its wallet sees what a broadcast costs, and not what the wallet has.
func TestQuote_broadcastWithoutItsWallet(t *testing.T) {
	town := newTown(newHouse(t), "quote")
	path := "/api/v1/broadcasts/" + town.broadcast + "/quote"
	for letter, shown := range map[rune]bool{'M': true, 'V': true, 'v': false} {
		view := town.h.do(call{method: "GET", path: path, token: town.people[letter].token}).want(200)
		if _, there := view["wallet"]; there != shown || view["price_krw"] == nil {
			t.Errorf("%c is quoted %v, want the wallet in it: %v", letter, view, shown)
		}
	}
}
