package tax_test

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

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/invoice"
	"github.com/malgil/malgil/internal/tax"
)

const secret = "tax-secret"

var (
	at       = time.Date(2026, 12, 2, 1, 0, 0, 0, time.UTC)
	november = invoice.Invoice{
		ID: "inv_1", WalletID: "wal_1", WalletName: "한빛서점 <본점>", Month: time.Date(2026, 11, 1, 0, 0, 0, 0, clock.Seoul), Revision: 1,
		Supplier:  invoice.Party{Number: "3908100125", Name: "(주)모래상사", Representative: "김모래", Address: "제주시 첨단로 1", Type: "서비스", Item: "소프트웨어", Email: "tax@sand.example"},
		Recipient: invoice.Party{Number: "1208147521", Name: "한빛서점", Representative: "이한빛", Email: "books@hanbit.example"},
		Supply:    1_234_505, VAT: 123_451, Messages: 82_300, WrittenOn: time.Date(2026, 11, 30, 0, 0, 0, 0, clock.Seoul),
	}
	amended = func() invoice.Invoice {
		i := november
		i.Revision, i.Amends, i.AmendsNo, i.Why = 2, "inv_0", "202612024100000112345678", "상호 정정"
		return i
	}()
)

// calls makes each call and returns what it answers.
var calls = map[string]func(ctx context.Context, c *tax.Client) (any, error){
	"issue":   func(ctx context.Context, c *tax.Client) (any, error) { return c.IssueInvoice(ctx, "att_1", november) },
	"amend":   func(ctx context.Context, c *tax.Client) (any, error) { return c.IssueInvoice(ctx, "att_1", amended) },
	"look up": func(ctx context.Context, c *tax.Client) (any, error) { return c.Issue(ctx, "att_1") },
}

// serve answers every request with a status and a body, and tells what it was asked.
func serve(t *testing.T, status int, answer string) (*tax.Client, func() string) {
	t.Helper()
	asked := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked <- r.Method + " " + r.URL.EscapedPath() + " " + r.Header.Get("Authorization") + " " + string(body)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	c, err := tax.New(server.URL, secret, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, func() string { return <-asked }
}

const put = `PUT /v1/invoices/att_1 Bearer tax-secret {"written_on":"2026-11-30",` +
	`"supplier":{"number":"3908100125","name":"(주)모래상사","representative":"김모래","address":"제주시 첨단로 1","type":"서비스","item":"소프트웨어","email":"tax@sand.example"},` +
	`"recipient":{"number":"1208147521","name":"한빛서점","representative":"이한빛","address":"","type":"","item":"","email":"books@hanbit.example"},` +
	`"supply_krw":1234505,"vat_krw":123451,"total_krw":1357956,` +
	`"items":[{"name":"챗봇 메시지 발송료 2026년 11월","quantity":82300,"supply_krw":1234505,"vat_krw":123451}],"remark":"월렛 한빛서점 <본점>`

func TestClient_onTheWire(t *testing.T) {
	done := billing.Issue{OrderID: "att_1", Number: "1208147521", Total: 1_357_956, State: billing.IssueDone, At: at, ApprovalNumber: "202612024100000112345678"}
	tests := map[string]struct {
		call, asked, answer string
		want                billing.Issue
	}{
		"issue": {"issue", put + `"}`,
			`{"order_id":"att_1","number":"1208147521","total_krw":1357956,"state":"issued","issued_at":"2026-12-02T01:00:00Z","approval_number":"202612024100000112345678","more":1}`, done},
		"amend": {"amend", put + ` / 수정 상호 정정 / 당초 승인번호 202612024100000112345678","amends":{"approval_number":"202612024100000112345678","reason":"상호 정정"}}`,
			`{"order_id":"att_1","number":"1208147521","total_krw":1357956,"state":"issued","issued_at":"2026-12-02T10:00:00+09:00","approval_number":"20261202-41000001-12345678"}`,
			func() billing.Issue { d := done; d.At = time.Date(2026, 12, 2, 10, 0, 0, 0, clock.Seoul); return d }()},
		"pending": {"look up", `GET /v1/invoices/att_1 Bearer tax-secret `,
			`{"order_id":"att_1","number":"1208147521","total_krw":1357956,"state":"pending"}`,
			billing.Issue{OrderID: "att_1", Number: "1208147521", Total: 1_357_956, State: billing.IssuePending}},
		"refused": {"look up", `GET /v1/invoices/att_1 Bearer tax-secret `,
			`{"order_id":"att_1","number":"1208147521","total_krw":1357956,"state":"refused","code":"CLOSED_BUSINESS","message":"폐업한 사업자입니다"}`,
			billing.Issue{OrderID: "att_1", Number: "1208147521", Total: 1_357_956, State: billing.IssueRefused, Code: "CLOSED_BUSINESS", Message: "폐업한 사업자입니다"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c, asked := serve(t, http.StatusOK, tt.answer)
			got, err := calls[tt.call](t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(any(tt.want), got, cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.call, diff)
			}
			if got := asked(); got != tt.asked {
				t.Errorf("%s asks %s\nwant %s", tt.call, got, tt.asked)
			}
		})
	}
}

// What is not clear is in doubt: it is looked up, and never handed over under another order.
func TestClient_refused(t *testing.T) {
	tests := map[string]struct {
		status int
		answer string
		want   billing.Class
	}{
		"the secret is wrong":            {401, `{"code":"WRONG_SECRET","detail":"` + secret + ` is wrong"}`, billing.BadConfig},
		"not allowed":                    {403, ``, billing.BadConfig},
		"too many":                       {429, ``, billing.NotSent},
		"a bad order":                    {400, `{"code":"BAD_ORDER","detail":"supply_krw"}`, billing.BadRequest},
		"another order":                  {409, `{"code":"OTHER_ORDER","detail":"amount"}`, billing.BadRequest},
		"a refusal of something between": {400, `<html>bad gateway</html>`, billing.MayHaveMoved},
		"not found by something between": {404, `<html>no such page</html>`, billing.MayHaveMoved},
		"a broken carrier":               {500, `{"code":"BROKEN"}`, billing.MayHaveMoved},
		"a page":                         {200, `<html>점검 중입니다</html>`, billing.MayHaveMoved},
		"a state that nobody knows":      {200, `{"order_id":"att_1","state":"sent"}`, billing.MayHaveMoved},
		"issued under no number":         {200, `{"order_id":"att_1","state":"issued","issued_at":"2026-12-02T01:00:00Z"}`, billing.MayHaveMoved},
		"issued under half a number":     {200, `{"order_id":"att_1","state":"issued","issued_at":"2026-12-02T01:00:00Z","approval_number":"20261202"}`, billing.MayHaveMoved},
		"issued under a script":          {200, `{"order_id":"att_1","state":"issued","issued_at":"2026-12-02T01:00:00Z","approval_number":"<script>alert(1)</script"}`, billing.MayHaveMoved},
		"issued at no time":              {200, `{"order_id":"att_1","state":"issued","approval_number":"202612024100000112345678"}`, billing.MayHaveMoved},
		"of another order":               {200, `{"order_id":"att_2","state":"pending"}`, billing.MayHaveMoved},
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

// Only a look-up is told that an order never arrived, and only in the carrier's own words.
func TestClient_noOrder(t *testing.T) {
	for call, make := range calls {
		t.Run(call, func(t *testing.T) {
			c, _ := serve(t, http.StatusNotFound, `{"code":"NO_ORDER","detail":"there is no such order"}`)
			_, err := make(t.Context(), c)
			if want := call == "look up"; errors.Is(err, billing.ErrNoOrder) != want {
				t.Errorf("%s answered NO_ORDER = %v, want ErrNoOrder: %v", call, err, want)
			}
		})
	}
}

func TestClient_unreachable(t *testing.T) {
	c, err := tax.New("http://127.0.0.1:1", secret, time.Second)
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

// An order id is one step of a path, whatever is in it.
func TestClient_escapes(t *testing.T) {
	c, asked := serve(t, http.StatusOK, `{}`)
	_, _ = c.Issue(t.Context(), "../admin?x=1")
	if got, want := asked(), "GET /v1/invoices/..%2Fadmin%3Fx=1 Bearer tax-secret "; got != want {
		t.Errorf("Issue asks %s, want %s", got, want)
	}
}

func TestNew_refuses(t *testing.T) {
	for name, tt := range map[string]struct{ address, secret string }{
		"no secret":        {"https://tax.example", ""},
		"a line in it":     {"https://tax.example", "a\nb"},
		"no address":       {"", secret},
		"a password in it": {"https://a:b@tax.example", secret},
	} {
		if _, err := tax.New(tt.address, tt.secret, 0); err == nil {
			t.Errorf("New with %s: error = nil, want one", name)
		}
	}
}
