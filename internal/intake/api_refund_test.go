package intake

import "testing"

// What is wrong with a refund or a transfer is told by its field or code, and nothing happens.
func TestRefund_badInput(t *testing.T) {
	h := newHouse(t)
	master := h.person("master").account
	wallet := h.do(call{method: "POST", path: "/api/v1/wallets", body: map[string]any{
		"name": "한빛서점", "kind": "business", "business_number": "999-81-00015", "invoice_email": "tax@hanbit.example", "master": master,
	}}).want(201)["id"].(string)
	path := "/api/v1/wallets/" + wallet
	tests := map[string]struct {
		call
		status         int
		code, location string
	}{
		"no key":           {call{method: "POST", path: path + "/refunds", body: map[string]any{"amount_krw": 1}}, 422, "IDEMPOTENCY_KEY_MISSING", "header.Idempotency-Key"},
		"zero won":         {call{method: "POST", path: path + "/refunds", key: "k", body: map[string]any{"amount_krw": 0}}, 422, "INVALID", "body.amount_krw"},
		"less than zero":   {call{method: "POST", path: path + "/refunds", key: "k", body: map[string]any{"amount_krw": -1}}, 422, "INVALID", "body.amount_krw"},
		"half a won":       {call{method: "POST", path: path + "/refunds", key: "k", body: `{"amount_krw":1.5}`}, 422, "INVALID", "body.amount_krw"},
		"a text":           {call{method: "POST", path: path + "/refunds", key: "k", body: `{"amount_krw":"1"}`}, 422, "INVALID", "body.amount_krw"},
		"too many won":     {call{method: "POST", path: path + "/refunds", key: "k", body: `{"amount_krw":99999999999999999999}`}, 422, "INVALID", "body.amount_krw"},
		"another field":    {call{method: "POST", path: path + "/refunds", key: "k", body: map[string]any{"sum": 1}}, 422, "INVALID", "body.sum"},
		"an empty wallet":  {call{method: "POST", path: path + "/refunds", key: "k", body: map[string]any{}}, 422, "NOTHING_TO_REFUND", ""},
		"no such refund":   {call{method: "GET", path: path + "/refunds/rfd_none"}, 404, "NOT_FOUND", ""},
		"nothing settled":  {call{method: "POST", path: path + "/refunds/rfd_none/settle", key: "k", body: map[string]any{"went_back": true}}, 404, "NOT_FOUND", ""},
		"no account yet":   {call{method: "GET", path: path + "/refund-account"}, 404, "NOT_FOUND", ""},
		"no number":        {call{method: "PUT", path: path + "/refund-account", body: map[string]any{"bank": "한빛은행", "number": "1", "holder": "한빛서점"}}, 422, "INVALID", "body.number"},
		"somebody else's":  {call{method: "PUT", path: path + "/refund-account", body: map[string]any{"bank": "한빛은행", "number": "110222345678", "holder": "박노을"}}, 422, "REFUND_ACCOUNT_HOLDER", "body.holder"},
		"no name":          {call{method: "PUT", path: path + "/representative", body: map[string]any{"name": " "}}, 422, "INVALID", "body.name"},
		"no bank":          {call{method: "POST", path: path + "/topups", key: "k", body: map[string]any{"amount_krw": 1000, "method": "bank"}}, 422, "BANK_NOT_CONFIGURED", ""},
		"an unknown way":   {call{method: "POST", path: path + "/topups", key: "k", body: map[string]any{"amount_krw": 1000, "method": "cheque"}}, 422, "INVALID", "body.method"},
		"less than may be": {call{method: "POST", path: path + "/topups", key: "k", body: map[string]any{"amount_krw": 999, "method": "bank"}}, 422, "INVALID", "body.amount_krw"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h.on(t).do(tt.call).wantProblem(tt.status, tt.code, tt.location)
		})
	}
}

// A refund of a card's payment through the API, and again with its key.
func TestRefund(t *testing.T) {
	h := newHouse(t)
	master := h.person("master").account
	wallet := h.do(call{method: "POST", path: "/api/v1/wallets", body: map[string]any{"name": "한빛서점", "kind": "personal", "master": master}}).want(201)["id"].(string)
	path := "/api/v1/wallets/" + wallet
	h.pay(h.do(call{method: "POST", path: path + "/topups", key: "t", body: map[string]any{"amount_krw": 10_000}}).want(202))
	wantAt(t, "the quote", h.do(call{method: "POST", path: path + "/refunds/quote", body: map[string]any{"amount_krw": 1_005}}).want(200),
		map[string]any{"id": nil, "supply_krw": 1005, "vat_krw": 101, "total_krw": 1106, "lines.0.method": "card", "lines.0.total_krw": 1106, "lines.1": nil})
	opened := h.do(call{method: "POST", path: path + "/refunds", key: "r", body: map[string]any{"amount_krw": 1_005}})
	refund := opened.want(202)
	if got := opened.Header().Get("Location"); got != path+"/refunds/"+refund["id"].(string) {
		t.Errorf("Location = %s, want that of the refund", got)
	}
	again := h.do(call{method: "POST", path: path + "/refunds", key: "r", body: map[string]any{"amount_krw": 1_005}}).want(202)
	wantAt(t, "the refund again", again, map[string]any{"id": refund["id"], "state": "open"})
	h.do(call{method: "POST", path: path + "/refunds", key: "r", body: map[string]any{"amount_krw": 1_006}}).wantProblem(422, "IDEMPOTENCY_KEY_REUSED", "header.Idempotency-Key")
	h.do(call{method: "POST", path: path + "/refunds", key: "r2", body: map[string]any{}}).wantProblem(422, "REFUND_OPEN", "")
	wantAt(t, "the wallet", h.do(call{method: "GET", path: path}).want(200),
		map[string]any{"balance.paid_krw": 8995, "balance.refunding_krw": 1005, "balance.refundable_krw": 0, "balance.spendable_krw": 8995})
	wantAt(t, "the list", h.do(call{method: "GET", path: path + "/refunds"}).want(200), map[string]any{"items.0.id": refund["id"], "items.1": nil})
	other := h.do(call{method: "POST", path: "/api/v1/wallets", body: map[string]any{"name": "달빛문구", "kind": "personal", "master": master}}).want(201)["id"].(string)
	h.do(call{method: "GET", path: "/api/v1/wallets/" + other + "/refunds/" + refund["id"].(string)}).wantProblem(404, "NOT_FOUND", "")
}
