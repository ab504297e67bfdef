package sandbox_test

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/sandbox"
)

// teller calls the bank of a sandbox that listens nowhere.
type teller struct {
	t       *testing.T
	sandbox *sandbox.Sandbox
	clock   *clock.Clock
}

func newTeller(t *testing.T) *teller {
	t.Helper()
	clk := &clock.Clock{}
	s := sandbox.New(sandbox.Options{Clock: clk, BankSecret: "s3", TaxSecret: "s3"})
	t.Cleanup(func() {
		if err := s.Close(t.Context()); err != nil {
			t.Errorf("Close() = %v", err)
		}
	})
	return &teller{t: t, sandbox: s, clock: clk}
}

// call makes a call with a secret and returns its status and answer.
func (b *teller) call(secret, method, path, body string) (int, map[string]any) {
	b.t.Helper()
	r := httptest.NewRequestWithContext(b.t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+secret)
	w := httptest.NewRecorder()
	b.sandbox.ServeHTTP(w, r)
	var answer map[string]any
	_ = json.Unmarshal(w.Body.Bytes(), &answer) // a fault answers with a page
	return w.Code, answer
}

// want makes a call and compares parts of the answer.
func (b *teller) want(method, path, body string, status int, parts map[string]any) map[string]any {
	b.t.Helper()
	got, answer := b.call("s3", method, path, body)
	if got != status {
		b.t.Fatalf("%s %s = %d %v, want %d", method, path, got, answer, status)
	}
	for name, want := range parts {
		if answer[name] != want {
			b.t.Errorf("%s %s: %s = %v, want %v", method, path, name, answer[name], want)
		}
	}
	return answer
}

func (b *teller) order(in time.Duration) string {
	return `{"amount_krw":1100,"holder":"(주)카카오","expires_at":"` + b.clock.Now().Add(in).UTC().Format(time.RFC3339) + `"}`
}

func TestBank_account(t *testing.T) {
	b := newTeller(t)
	order := b.order(time.Hour)
	if status, _ := b.call("wrong", "PUT", "/v1/accounts/o-1", order); status != 401 {
		t.Errorf("a wrong secret = %d, want 401", status)
	}
	opened := b.want("PUT", "/v1/accounts/o-1", order, 200, map[string]any{"state": "open", "holder": "(주)카카오", "amount_krw": 1100.0})
	number := opened["number"].(string)
	b.want("PUT", "/v1/accounts/o-1", order, 200, map[string]any{"number": number})
	b.want("PUT", "/v1/accounts/o-1", strings.Replace(order, "1100", "2200", 1), 409, map[string]any{"code": "OTHER_ORDER"})
	b.want("PUT", "/v1/accounts/o-2", strings.Replace(order, "1100", "0", 1), 400, map[string]any{"code": "BAD_ORDER"})
	b.want("PUT", "/v1/accounts/o-2", b.order(-time.Hour), 400, map[string]any{"code": "BAD_ORDER"})
	b.want("PUT", "/v1/accounts/o-2", `{"amount":1}`, 400, map[string]any{"code": "BAD_ORDER"})
	b.want("GET", "/v1/accounts/o-2", "", 404, map[string]any{"code": "NO_ORDER"})

	deposit := "/sandbox/bank/" + number + "/deposit"
	b.want("POST", "/sandbox/bank/1/deposit", `{"amount":1}`, 404, nil)
	b.want("POST", deposit, `{"amount":0}`, 400, map[string]any{"field": "amount"})
	b.want("POST", deposit, `{"amount":1099}`, 201, map[string]any{"returned": "amount"})
	b.want("GET", "/v1/accounts/o-1", "", 200, map[string]any{"state": "open"})
	b.want("POST", deposit, `{"amount":1100}`, 201, map[string]any{"returned": nil})
	b.want("POST", deposit, `{"amount":1100}`, 201, map[string]any{"returned": "again"})
	if paid := b.want("GET", "/v1/accounts/o-1", "", 200, map[string]any{"state": "paid"}); paid["paid_at"] == nil {
		t.Error("a paid account does not say since when")
	}
	late := b.want("PUT", "/v1/accounts/o-3", b.order(time.Minute), 200, nil)["number"].(string)
	if err := b.clock.MoveTo(b.clock.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	b.want("POST", "/sandbox/bank/"+late+"/deposit", `{"amount":1100}`, 201, map[string]any{"returned": "late"})
	b.want("GET", "/v1/accounts/o-3", "", 200, map[string]any{"state": "closed"})
	if got := b.sandbox.Truth().Bank; got.Accounts != 2 || got.Paid != 1 || got.PaidKRW != 1100 || got.ReturnedKRW != 1099+1100+1100 {
		t.Errorf("Truth() = %+v, want one of two paid with 1100, 3299 returned", got)
	}
	all := b.want("GET", "/sandbox/truth/bank/accounts", "", 200, nil)["items"].([]any)
	if len(all) != 2 || all[0].(map[string]any)["order_id"] != "o-1" {
		t.Errorf("accounts = %v, want both, the older first", all)
	}
}

func TestBank_transfer(t *testing.T) {
	b := newTeller(t)
	const order = `{"bank":"한빛은행","number":"110222345678","holder":"한빛서점","amount_krw":2200,"memo":"캐시 환불"}`
	b.want("PUT", "/v1/transfers/o-1", order, 200, map[string]any{"state": "done", "amount_krw": 2200.0})
	b.want("PUT", "/v1/transfers/o-1", order, 200, map[string]any{"state": "done"})
	b.want("PUT", "/v1/transfers/o-1", strings.Replace(order, "2200", "2201", 1), 409, map[string]any{"code": "OTHER_ORDER"})
	b.want("PUT", "/v1/transfers/o-2", strings.Replace(order, "2200", "-1", 1), 400, map[string]any{"code": "BAD_ORDER"})
	b.want("GET", "/v1/transfers/o-2", "", 404, map[string]any{"code": "NO_ORDER"})
	b.want("PUT", "/sandbox/bank/110222345678/holder", `{"holder":"박노을"}`, 204, nil)
	b.want("PUT", "/v1/transfers/o-3", order, 200, map[string]any{"state": "failed", "reason": "예금주 불일치"})
	b.want("GET", "/v1/transfers/o-3", "", 200, map[string]any{"state": "failed"})
	if got := b.sandbox.Truth().Bank; got.Transfers != 1 || got.SentKRW != 2200 {
		t.Errorf("Truth() = %+v, want one transfer of 2200", got)
	}
	if all := b.want("GET", "/sandbox/truth/bank/transfers?limit=1", "", 200, nil); len(all["items"].([]any)) != 1 || all["next_cursor"] != "1" {
		t.Errorf("the first page of transfers = %v, want one and a cursor", all)
	}
}

// A fault before does nothing, one after does it all; the answer is lost either way.
func TestBank_faults(t *testing.T) {
	for kind, opened := range map[string]int{"error_before": 0, "error_after": 1, "garbage": 1, "refuse": 0, "throttle": 0, "unauthorized": 0} {
		t.Run(kind, func(t *testing.T) {
			b := newTeller(t)
			b.want("POST", "/sandbox/faults", `{"target":"bank.issue","fault":"`+kind+`"}`, 201, nil)
			b.call("s3", "PUT", "/v1/accounts/o-1", b.order(time.Hour))
			if got := b.sandbox.Truth().Bank.Accounts; got != opened {
				t.Errorf("%d accounts after %s, want %d", got, kind, opened)
			}
			b.want("PUT", "/v1/accounts/o-1", b.order(2*time.Hour), map[int]int{0: 200, 1: 409}[opened], nil)
		})
	}
}
