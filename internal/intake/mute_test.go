package intake

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/notice"
	"github.com/malgil/malgil/internal/store"
)

// Who mutes what for whom.
func TestMutes_whoMutes(t *testing.T) {
	h := newHouse(t)
	own := newTown(h, "own")
	path := func(letter rune, c string) string {
		return "/api/v1/wallets/" + own.wallet + "/mails/mutes/" + own.people[letter].account + "/" + c
	}
	for _, step := range []struct {
		name    string
		by, of  rune
		method  string
		c       string
		status  int
		problem string
	}{
		{"a worker for himself", 'K', 'K', "PUT", "topup", 204, ""},
		{"again", 'K', 'K', "PUT", "topup", 204, ""},
		{"the master of the bot for himself", 'M', 'M', "PUT", "low_balance", 204, ""},
		{"the master for a worker", 'W', 'K', "PUT", "refund_done", 204, ""},
		{"the platform for the master", 'P', 'W', "PUT", "topup", 204, ""},
		{"a worker for the master", 'K', 'W', "DELETE", "topup", 403, "FORBIDDEN"},
		{"a worker for another", 'K', 'M', "PUT", "topup", 403, "FORBIDDEN"},
		{"a viewer, who gets none", 'V', 'V', "PUT", "topup", 403, "FORBIDDEN"},
		{"a stranger", 'S', 'S', "PUT", "topup", 404, "NOT_FOUND"},
		{"the master for one who gets none", 'W', 'O', "PUT", "topup", 422, "INVALID"},
		{"what is always sent", 'K', 'K', "PUT", "unpaid", 422, "MAIL_ALWAYS_SENT"},
		{"invoices", 'W', 'W', "PUT", "invoice_issued", 422, "MAIL_ALWAYS_SENT"},
		{"no case", 'K', 'K', "PUT", "weather", 422, "INVALID"},
		{"a worker gets his again", 'K', 'K', "DELETE", "topup", 204, ""},
		{"again", 'K', 'K', "DELETE", "topup", 204, ""},
	} {
		got := h.do(call{method: step.method, path: path(step.of, step.c), token: own.people[step.by].token})
		if got.Code != step.status || !strings.Contains(got.Body.String(), step.problem) {
			t.Errorf("%s: %d %s, want %d %s", step.name, got.Code, got.Body, step.status, step.problem)
		}
	}
	list := h.do(call{method: "GET", path: "/api/v1/wallets/" + own.wallet + "/mails/mutes", token: own.people['V'].token}).want(200)
	got := map[string]bool{}
	for _, item := range list["items"].([]any) {
		got[at(item, "account").(string)+" "+at(item, "case").(string)] = at(item, "name") != "" && at(item, "since") != ""
	}
	for _, one := range []string{own.people['M'].account + " low_balance", own.people['K'].account + " refund_done", own.people['W'].account + " topup"} {
		if !got[one] || len(got) != 3 {
			t.Errorf("mutes = %v, want %s among three", got, one)
		}
	}
}

// The link of a mail shows a page and mutes by POST, from the page's button or by a mail program.
func TestMuteLink(t *testing.T) {
	h := newHouse(t)
	account, walletID, _ := h.seed(1000) // a top-up, which is mailed
	rows, err := h.store.Stamp(t.Context(), store.WorkMail, noon.Add(time.Minute), 10)
	must(t, err)
	var mail string
	for _, row := range rows {
		m, err := h.store.MuteOf(t.Context(), row.ID)
		must(t, err)
		if m.Case == notice.CaseTopUp {
			mail = row.ID
		}
	}
	link := strings.TrimPrefix(notice.NewMuteLinks("https://malgil.example", []byte("secret")).Of(notice.CaseTopUp, mail), "https://malgil.example")
	muted := func() int {
		list, err := h.store.Mutes(t.Context(), walletID)
		must(t, err)
		for _, m := range list {
			if m.AccountID != account || m.Case != notice.CaseTopUp {
				t.Errorf("muted is %+v, want the top-up mails of %s", m, account)
			}
		}
		return len(list)
	}
	form := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	multipart := map[string]string{"Content-Type": "multipart/form-data; boundary=b"}
	for _, step := range []struct {
		name, method, path, body string
		header                   map[string]string
		status                   int
		says                     string
		muted                    int
	}{
		{"a scanner opens it", "GET", link, "", nil, 200, "그만 받을까요?", 0},
		{"one click", "POST", link, "List-Unsubscribe=One-Click", form, 200, "더 이상 보내지 않습니다", 1},
		{"one click again, as multipart", "POST", link, "--b\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--b--\r\n", multipart, 200, "더 이상 보내지 않습니다", 1},
		{"opened again", "GET", link, "", nil, 200, "다시 받기", 1},
		{"the button to get them again", "POST", link, "again=1", form, 200, "다시 보내 드립니다", 0},
		{"the button", "POST", link, "again=0", form, 200, "더 이상 보내지 않습니다", 1},
		{"again", "POST", link, "again=1", form, 200, "다시 보내 드립니다", 0},
		{"without a body", "POST", link, "", nil, 200, "더 이상 보내지 않습니다", 1},
		{"a wrong token", "POST", link + "x", "again=1", form, 404, "찾을 수 없습니다", 1},
		{"a wrong token, opened", "GET", link[:len(link)-1], "", nil, 404, "찾을 수 없습니다", 1},
		{"the token of another mail", "POST", strings.Replace(link, mail, "mail_01AAAAAAAAAAAAAAAAAAAAAAAA", 1), "again=1", form, 404, "찾을 수 없습니다", 1},
	} {
		c := call{method: step.method, path: step.path, token: "-", header: step.header}
		if step.method == "POST" {
			c.body = step.body
		}
		page := h.do(c)
		if page.Code != step.status || !strings.Contains(page.Body.String(), step.says) || muted() != step.muted {
			t.Errorf("%s: %d with %d muted, want %d with %d and %q:\n%s", step.name, page.Code, muted(), step.status, step.muted, step.says, page.Body)
		}
		if page.Header().Get("Referrer-Policy") != "no-referrer" || !strings.Contains(page.Header().Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: headers = %v, want a page that loads nothing and tells nobody its address", step.name, page.Header())
		}
		if strings.Contains(page.Body.String(), "haneul@") {
			t.Errorf("%s: the page shows an address:\n%s", step.name, page.Body)
		}
	}
	if got := h.do(call{method: http.MethodDelete, path: link, token: "-"}); got.Code != 404 && got.Code != 405 {
		t.Errorf("DELETE of the link = %d, want it refused", got.Code)
	}
	audit := h.do(call{method: "GET", path: "/api/v1/audit?limit=200"}).want(200)
	found := 0
	for _, item := range audit["items"].([]any) {
		if at(item, "action") == "mute-mail" && at(item, "account") == account && at(item, "wallet") == walletID {
			found++
		}
	}
	if found != 5 {
		t.Errorf("the audit log keeps %d changes by the link, want 5", found)
	}
}
