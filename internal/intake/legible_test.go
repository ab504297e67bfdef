package intake

import (
	"strings"
	"testing"
)

// What a caller sends is refused with the field named, and in words that know nothing of how the
// program is written.
func TestBadInput_namesTheField(t *testing.T) {
	h := newHouse(t)
	account, walletID, botID := h.seed(0)
	topUp, accounts := "/api/v1/wallets/"+walletID+"/topups", "/api/v1/accounts"
	for name, tt := range map[string]struct{ path, body, location string }{
		"a float that is whole":     {topUp, `{"amount_krw":1000.0}`, "body.amount_krw"},
		"a float":                   {topUp, `{"amount_krw":1000.5}`, "body.amount_krw"},
		"an exponent":               {topUp, `{"amount_krw":1e3}`, "body.amount_krw"},
		"an overflow":               {topUp, `{"amount_krw":99999999999999999999}`, "body.amount_krw"},
		"a negative":                {topUp, `{"amount_krw":-1000}`, "body.amount_krw"},
		"the most that fits":        {topUp, `{"amount_krw":9223372036854775807}`, "body.amount_krw"},
		"no number":                 {topUp, `{"amount_krw":null}`, "body.amount_krw"},
		"another spelling":          {topUp, `{"amount_krw":1000,"Amount_KRW":9000}`, "body.Amount_KRW"},
		"a limit that overflows":    {"/api/v1/wallets", `{"name":"x","kind":"personal","master":"` + account + `","daily_limit_krw":1e30}`, "body.daily_limit_krw"},
		"a NUL":                     {accounts, `{"name":"a\u0000b","email":"a@b.example"}`, "body.name"},
		"a NUL below":               {"/api/v1/broadcasts", `{"bot":"` + botID + `","event":{"name":"x","data":{"title":"a\u0000"}}}`, "body.event.data.title"},
		"a NUL in a list":           {"/api/v1/broadcasts", `{"bot":"` + botID + `","event":{"name":"x"},"recipients":[{"type":"botUserKey","id":"\u0000"}]}`, "body.recipients[0].id"},
		"a name of two lines":       {accounts, `{"name":"a\nb","email":"a@b.example"}`, "body.name"},
		"a name that paints":        {accounts, `{"name":"a\u001b[31m","email":"a@b.example"}`, "body.name"},
		"a name that turns around":  {accounts, `{"name":"\u202eab","email":"a@b.example"}`, "body.name"},
		"a token of two lines":      {"/api/v1/tokens", `{"name":"a\r\nb","scopes":["read"]}`, "body.name"},
		"an escape that is no NUL":  {accounts, `{"name":"a\\u0000","email":"nobody"}`, "body.email"},
		"a wallet with a bell":      {"/api/v1/wallets", `{"name":"\u0007x","kind":"personal","master":"` + account + `"}`, "body.name"},
		"a bot with a line of tabs": {"/api/v1/bots", `{"id":"66a1f0c2d4b7e83f5a9c1dff","name":"a\tb","rest_api_key":"k"}`, "body.name"},
	} {
		t.Run(name, func(t *testing.T) {
			p := h.on(t).do(call{method: "POST", path: tt.path, body: tt.body, key: "k-" + strings.ReplaceAll(name, " ", "-")}).wantProblem(422, "INVALID", tt.location)
			for _, inner := range []string{"Go ", "wallet.KRW", "struct", "json:"} {
				if strings.Contains(p.Detail+p.Errors[0].Message, inner) {
					t.Errorf("the answer says %q: %s", inner, p.Detail)
				}
			}
		})
	}
	if list := h.do(call{method: "GET", path: "/api/v1/wallets/" + walletID + "/postings"}).want(200); len(list["items"].([]any)) > 1 {
		t.Errorf("postings after input that was refused: %v, want none", list)
	}
}

// An address that is no text reaches no database: PostgreSQL would make an error of it.
func TestBadInput_addresses(t *testing.T) {
	h := newHouse(t)
	for path, want := range map[string]struct {
		status         int
		code, location string
	}{
		"/api/v1/wallets/wal%00":             {404, "NOT_FOUND", ""},
		"/api/v1/wallets/%ff":                {404, "NOT_FOUND", ""},
		"/pay/cko%00/key":                    {404, "NOT_FOUND", ""},
		"/api/v1/audit?subject=a%00b":        {422, "INVALID", "query.subject"},
		"/api/v1/broadcasts?wallet=%ff":      {422, "INVALID", "query.wallet"},
		"/api/v1/wallets?cursor=Ilx1MDAwMCI": {422, "INVALID", "query.cursor"}, // "\u0000"
	} {
		h.do(call{method: "GET", path: path}).wantProblem(want.status, want.code, want.location)
	}
}
