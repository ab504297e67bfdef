package bank_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/bank"
	"github.com/malgil/malgil/internal/billing"
)

const secret = "bank-secret"

var (
	deadline = time.Date(2026, 12, 1, 3, 0, 0, 0, time.UTC)
	account  = billing.AccountOrder{OrderID: "att_1", Total: 110_000, Holder: "(주)카카오", Deadline: deadline}
	send     = billing.SendOrder{OrderID: "att_2", To: billing.OneTimeAccount{Bank: "한빛은행", Number: "110222345678", Holder: "한빛서점"}, Total: 22_000, Memo: "캐시 환불"}
)

// calls makes each call and returns what it answers.
var calls = map[string]func(ctx context.Context, c *bank.Client) (any, error){
	"open":    func(ctx context.Context, c *bank.Client) (any, error) { return c.OpenAccount(ctx, account) },
	"account": func(ctx context.Context, c *bank.Client) (any, error) { return c.Account(ctx, "att_1") },
	"send":    func(ctx context.Context, c *bank.Client) (any, error) { return c.Send(ctx, send) },
	"sent":    func(ctx context.Context, c *bank.Client) (any, error) { return c.Sent(ctx, "att_2") },
}

// serve answers every request with a status and a body, and tells what it was asked.
func serve(t *testing.T, status int, answer string) (*bank.Client, func() string) {
	t.Helper()
	asked := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked <- r.Method + " " + r.URL.Path + " " + r.Header.Get("Authorization") + " " + string(body)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	c, err := bank.New(server.URL, secret, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, func() string { return <-asked }
}

func TestClient_onTheWire(t *testing.T) {
	opened := billing.BankAccount{
		OneTimeAccount: billing.OneTimeAccount{Bank: "모래은행", Number: "79012345678901", Holder: "(주)카카오"},
		OrderID:        "att_1", Total: 110_000, State: billing.AccountOpen,
	}
	paid := opened
	paid.State, paid.PaidAt = billing.AccountPaid, deadline
	tests := map[string]struct {
		call, asked, answer string
		want                any
	}{
		"open": {"open", `PUT /v1/accounts/att_1 Bearer bank-secret {"amount_krw":110000,"holder":"(주)카카오","expires_at":"2026-12-01T03:00:00Z"}`,
			`{"order_id":"att_1","bank":"모래은행","number":"79012345678901","holder":"(주)카카오","amount_krw":110000,"state":"open"}`, opened},
		"account": {"account", `GET /v1/accounts/att_1 Bearer bank-secret `,
			`{"order_id":"att_1","bank":"모래은행","number":"79012345678901","holder":"(주)카카오","amount_krw":110000,"state":"paid","paid_at":"2026-12-01T03:00:00Z","more":1}`, paid},
		"send": {"send", `PUT /v1/transfers/att_2 Bearer bank-secret {"bank":"한빛은행","number":"110222345678","holder":"한빛서점","amount_krw":22000,"memo":"캐시 환불"}`,
			`{"order_id":"att_2","amount_krw":22000,"state":"pending"}`, billing.Sending{OrderID: "att_2", Total: 22_000, State: billing.SendingPending}},
		"sent": {"sent", `GET /v1/transfers/att_2 Bearer bank-secret `,
			`{"order_id":"att_2","amount_krw":22000,"state":"failed","reason":"예금주 불일치"}`,
			billing.Sending{OrderID: "att_2", Total: 22_000, State: billing.SendingFailed, Reason: "예금주 불일치"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c, asked := serve(t, http.StatusOK, tt.answer)
			got, err := calls[tt.call](t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.call, diff)
			}
			if got := asked(); got != tt.asked {
				t.Errorf("%s asks %s, want %s", tt.call, got, tt.asked)
			}
		})
	}
}

func TestClient_refused(t *testing.T) {
	tests := map[string]struct {
		status int
		answer string
		want   billing.Class
	}{
		"the secret is wrong":            {401, `{"code":"WRONG_SECRET","detail":"` + secret + ` is wrong"}`, billing.BadConfig},
		"not allowed":                    {403, ``, billing.BadConfig},
		"too many":                       {429, ``, billing.NotSent},
		"a bad order":                    {400, `{"code":"BAD_ORDER","detail":"amount"}`, billing.BadRequest},
		"another order":                  {409, `{"code":"OTHER_ORDER","detail":"amount"}`, billing.BadRequest},
		"a refusal of something between": {400, `<html>bad gateway</html>`, billing.MayHaveMoved},
		"not found by something between": {404, `<html>no such page</html>`, billing.MayHaveMoved},
		"a broken bank":                  {500, `{"code":"BROKEN"}`, billing.MayHaveMoved},
		"a page":                         {200, `<html>점검 중입니다</html>`, billing.MayHaveMoved},
		"a state that nobody knows":      {200, `{"order_id":"att_1","state":"frozen"}`, billing.MayHaveMoved},
		"nothing":                        {200, `{}`, billing.MayHaveMoved},
	}
	for name, tt := range tests {
		for call, make := range calls {
			t.Run(name+" "+call, func(t *testing.T) {
				c, _ := serve(t, tt.status, tt.answer)
				_, err := make(t.Context(), c)
				var e *billing.GatewayError
				if !errors.As(err, &e) || e.Class != tt.want {
					t.Fatalf("%s answered %d = %v, want class %d", call, tt.status, err, tt.want)
				}
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error %q holds the secret", err)
				}
			})
		}
	}
}

// Only a look-up is told that an order never arrived, and only in the bank's own words.
func TestClient_noOrder(t *testing.T) {
	for call, make := range calls {
		t.Run(call, func(t *testing.T) {
			c, _ := serve(t, http.StatusNotFound, `{"code":"NO_ORDER","detail":"there is no such order"}`)
			_, err := make(t.Context(), c)
			lookUp := call == "account" || call == "sent"
			if errors.Is(err, billing.ErrNoOrder) != lookUp {
				t.Errorf("%s answered NO_ORDER = %v, want ErrNoOrder: %v", call, err, lookUp)
			}
		})
	}
}

func TestClient_unreachable(t *testing.T) {
	c, err := bank.New("http://127.0.0.1:1", secret, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	for call, make := range calls {
		_, err := make(t.Context(), c)
		var e *billing.GatewayError
		if !errors.As(err, &e) || e.Class != billing.NotSent {
			t.Errorf("%s of nobody = %v, want NotSent", call, err)
		}
	}
}

func TestNew_refuses(t *testing.T) {
	for name, tt := range map[string]struct{ address, secret string }{
		"no secret":        {"https://bank.example", ""},
		"spaces in it":     {"https://bank.example", "a b"},
		"a line in it":     {"https://bank.example", "a\nb"},
		"no address":       {"", secret},
		"another protocol": {"ftp://bank.example", secret},
		"a password in it": {"https://a:b@bank.example", secret},
	} {
		if _, err := bank.New(tt.address, tt.secret, 0); err == nil {
			t.Errorf("New with %s: error = nil, want one", name)
		}
	}
}
