package intake

import "testing"

// The mails of a wallet are seen with what became of them, and go out once more when asked.
func TestMails_listedAndSentAgain(t *testing.T) {
	h := newHouse(t)
	account, walletID, _ := h.seed(1000) // a top-up, which is mailed
	path := "/api/v1/wallets/" + walletID + "/mails"
	list := h.do(call{method: "GET", path: path + "?state=waiting&case=topup"}).want(200)
	wantAt(t, "a mail that waits", list, map[string]any{
		"items.0.case": "topup", "items.0.account": account, "items.0.address": "haneul@hanbit.example", "items.0.state": "waiting", "items.0.attempts": 0,
	})
	if next := at(list, "items.0.next_at"); next == nil {
		t.Errorf("a mail that waits does not say when it is tried: %v", list)
	}
	if got := h.do(call{method: "GET", path: path + "?state=bounced"}).want(200)["items"].([]any); len(got) != 0 {
		t.Errorf("bounced mails = %v, want none", got)
	}
	for _, wrong := range []string{"?state=gone", "?case=weather"} {
		h.do(call{method: "GET", path: path + wrong}).want(422)
	}
	id := at(list, "items.0.id").(string)
	refused := h.do(call{method: "POST", path: path + "/" + id + "/resend", key: "again"}).want(409)
	wantAt(t, "one that still waits", refused, map[string]any{"code": "MAIL_UNDER_WAY"})
	h.do(call{method: "POST", path: path + "/mail_0/resend", key: "again-2"}).want(404)
}
