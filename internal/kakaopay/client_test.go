package kakaopay_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/kakaopay"
)

const secret = "DEV-secret-key-of-the-merchant"

func newClient(t *testing.T, address string, timeout time.Duration) *kakaopay.Client {
	t.Helper()
	c, err := kakaopay.New(address, secret, timeout)
	if err != nil {
		t.Fatalf("New(%q) = %v", address, err)
	}
	t.Cleanup(c.Close)
	return c
}

var (
	ready = kakaopay.ReadyRequest{
		CID: "TC0ONETIME", OrderID: "att_1", UserID: "wal_1", ItemName: "월렛 캐시 <충전>", Quantity: 1, TotalAmount: 110000,
		ApprovalURL: "https://m.example/pay/1/k", CancelURL: "https://m.example/pay/1/k/cancel", FailURL: "https://m.example/pay/1/k/fail",
	}
	vat    = int64(50000)
	charge = kakaopay.SubscriptionRequest{
		CID: "TCSUBSCRIP", SID: "S5A1C9D20E7F3B4810AA", OrderID: "chg-01JD9Z6Q3M-1", UserID: "wallet-4471",
		ItemName: "Event API 이용료", Quantity: 1, TotalAmount: 550000, VATAmount: &vat,
	}
	approve = kakaopay.ApproveRequest{CID: "TCSUBSCRIP", TID: "T1", OrderID: "att_1", UserID: "wal_1", PGToken: "pg-1"}
	order   = kakaopay.OrderRequest{CID: "TCSUBSCRIP", TID: "T1"}
	cancel  = kakaopay.CancelRequest{CID: "TCSUBSCRIP", TID: "T1", CancelAmount: 100}
	sid     = kakaopay.SIDRequest{CID: "TCSUBSCRIP", SID: "S5A1C9D20E7F3B4810AA"}
)

// calls makes each call and returns what it answers.
var calls = map[string]func(ctx context.Context, c *kakaopay.Client) (any, error){
	"ready":        func(ctx context.Context, c *kakaopay.Client) (any, error) { return c.Ready(ctx, ready) },
	"approve":      func(ctx context.Context, c *kakaopay.Client) (any, error) { return c.Approve(ctx, approve) },
	"subscription": func(ctx context.Context, c *kakaopay.Client) (any, error) { return c.Subscription(ctx, charge) },
	"order":        func(ctx context.Context, c *kakaopay.Client) (any, error) { return c.Order(ctx, order) },
	"cancel":       func(ctx context.Context, c *kakaopay.Client) (any, error) { return c.Cancel(ctx, cancel) },
	"sid_status":   func(ctx context.Context, c *kakaopay.Client) (any, error) { return c.SIDStatus(ctx, sid) },
	"sid_inactive": func(ctx context.Context, c *kakaopay.Client) (any, error) { return c.SIDInactive(ctx, sid) },
}

func TestClient_onTheWire(t *testing.T) {
	paid := kakaopay.Payment{
		AID: "A0F7701C2B9E4D55A1C3", TID: "T0F7701C2B9E4D55A1C2", CID: "TCSUBSCRIP", SID: "S5A1C9D20E7F3B4810AA",
		OrderID: "chg-01JD9Z6Q3M-1", UserID: "wallet-4471", Method: "CARD", ItemName: "Event API 이용료", Quantity: 1,
		Amount:     kakaopay.Amount{Total: 550000, VAT: 50000},
		Card:       kakaopay.CardInfo{IssuerCorp: "한빛카드", BIN: "944601", Type: "신용"},
		CreatedAt:  kakaopay.Time{Time: time.Date(2026, 11, 23, 15, 0, 3, 0, time.UTC)},
		ApprovedAt: kakaopay.Time{Time: time.Date(2026, 11, 23, 15, 0, 4, 0, time.UTC)},
	}
	tests := map[string]struct {
		path, answer string
		want         any
	}{
		"ready": {
			"/online/v1/payment/ready",
			`{"tid":"T1","next_redirect_app_url":"https://k/app","next_redirect_mobile_url":"https://k/m","next_redirect_pc_url":"https://k/pc","created_at":"2026-11-24T00:00:03"}`,
			kakaopay.ReadyAnswer{
				TID: "T1", RedirectAppURL: "https://k/app", RedirectMobileURL: "https://k/m", RedirectPCURL: "https://k/pc",
				CreatedAt: kakaopay.Time{Time: time.Date(2026, 11, 23, 15, 0, 3, 0, time.UTC)},
			},
		},
		"approve":      {"/online/v1/payment/approve", paymentJSON, paid},
		"subscription": {"/online/v1/payment/subscription", paymentJSON, paid},
		"order": {
			"/online/v1/payment/order",
			`{"tid":"T1","cid":"TCSUBSCRIP","status":"PART_CANCEL_PAYMENT","amount":{"total":300},"canceled_amount":{"total":100},"cancel_available_amount":{"total":200},"canceled_at":null,"payment_action_details":[{"aid":"A1","payment_action_type":"CANCEL","amount":100,"approved_at":"2026-11-24T09:00:00"}]}`,
			kakaopay.Order{
				TID: "T1", CID: "TCSUBSCRIP", Status: kakaopay.OrderPartCancelled, Amount: kakaopay.Amount{Total: 300},
				CancelledAmount: kakaopay.Amount{Total: 100}, Cancellable: kakaopay.Amount{Total: 200},
				Actions: []kakaopay.Action{{AID: "A1", Type: "CANCEL", Amount: 100, ApprovedAt: kakaopay.Time{Time: time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)}}},
			},
		},
		"cancel": {
			"/online/v1/payment/cancel",
			`{"aid":"A2","tid":"T1","status":"CANCEL_PAYMENT","approved_cancel_amount":{"total":100},"cancel_available_amount":{"total":0}}`,
			kakaopay.Cancellation{AID: "A2", TID: "T1", Status: kakaopay.OrderCancelled, Cancelled: kakaopay.Amount{Total: 100}},
		},
		"sid_status": {
			"/online/v1/payment/manage/subscription/status",
			`{"available":false,"cid":"TCSUBSCRIP","sid":"S1","status":"ACTIVE","payment_method_type":"CARD","last_approved_at":"2026-11-24T00:00:04"}`,
			kakaopay.SIDStatus{
				CID: "TCSUBSCRIP", SID: "S1", Status: kakaopay.SIDActive, Method: "CARD",
				LastApprovedAt: kakaopay.Time{Time: time.Date(2026, 11, 23, 15, 0, 4, 0, time.UTC)},
			},
		},
		"sid_inactive": {
			"/online/v1/payment/manage/subscription/inactive",
			`{"cid":"TCSUBSCRIP","sid":"S1","status":"INACTIVE","inactivated_at":"2026-11-24T00:00:04"}`,
			kakaopay.SIDStatus{
				CID: "TCSUBSCRIP", SID: "S1", Status: kakaopay.SIDInactive,
				InactivatedAt: kakaopay.Time{Time: time.Date(2026, 11, 23, 15, 0, 4, 0, time.UTC)},
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var target, key, body string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				content, _ := io.ReadAll(r.Body)
				target, key, body = r.Method+" "+r.RequestURI, r.Header.Get("Authorization"), string(content)
				_, _ = io.WriteString(w, tt.answer)
			}))
			t.Cleanup(server.Close)
			got, err := calls[name](t.Context(), newClient(t, server.URL, 0))
			if err != nil {
				t.Fatalf("%s = %v, want nil", name, err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
			if target != "POST "+tt.path || key != "SECRET_KEY "+secret {
				t.Errorf("%s called %q with %q, want POST %s with the secret key", name, target, key, tt.path)
			}
			want, err := os.ReadFile("testdata/" + name + ".json")
			if err != nil {
				t.Fatal(err)
			}
			if body != strings.TrimSpace(string(want)) {
				t.Errorf("%s body =\n%s\nwant\n%s", name, body, want)
			}
		})
	}
}

const paymentJSON = `{"aid":"A0F7701C2B9E4D55A1C3","tid":"T0F7701C2B9E4D55A1C2","cid":"TCSUBSCRIP","sid":"S5A1C9D20E7F3B4810AA",
"partner_order_id":"chg-01JD9Z6Q3M-1","partner_user_id":"wallet-4471","payment_method_type":"CARD","item_name":"Event API 이용료","quantity":1,
"amount":{"total":550000,"tax_free":0,"vat":50000,"point":0,"discount":0,"green_deposit":0},
"card_info":{"kakaopay_issuer_corp":"한빛카드","bin":"944601","card_type":"신용"},"tms_result":"x",
"created_at":"2026-11-24T00:00:03","approved_at":"2026-11-24T00:00:04"}`

func TestClient_answers(t *testing.T) {
	tests := map[string]struct {
		status int
		body   string
		want   kakaopay.Class
		code   int
	}{
		"an error code with status 400":          {400, `{"error_code":-782,"error_message":"subscription payment failure!","extras":{"method_result_code":"8326","method_result_message":"한도초과"}}`, kakaopay.Declined, -782},
		"an error code with status 200":          {200, `{"error_code":-751,"error_message":"inactive"}`, kakaopay.Dead, -751},
		"an error code with status 500":          {500, `{"error_code":-500,"error_message":"internal"}`, kakaopay.Unknown, -500},
		"the issuer is not sure":                 {400, `{"error_code":-782,"extras":{"method_result_code":"USER_LOCKED"}}`, kakaopay.Lookup, -782},
		"status 401 alone decides nothing":       {401, ``, kakaopay.Unknown, 0},
		"status 400 alone decides nothing":       {400, `bad`, kakaopay.Unknown, 0},
		"a payment with status 500":              {500, paymentJSON, kakaopay.Unknown, 0},
		"a success that is not JSON":             {200, `<html>`, kakaopay.Unknown, 0},
		"a success without ids":                  {200, `{}`, kakaopay.Unknown, 0},
		"a success with a field of another type": {200, `{"aid":"A1","tid":"T1","status":7,"sid":7}`, kakaopay.Unknown, 0},
		"a redirect":                             {302, ``, kakaopay.Unknown, 0},
	}
	for name, tt := range tests {
		for call, do := range calls {
			t.Run(call+"/"+name, func(t *testing.T) {
				var requests atomic.Int32
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					requests.Add(1)
					w.Header().Set("Location", "/elsewhere")
					w.WriteHeader(tt.status)
					_, _ = io.WriteString(w, tt.body)
				}))
				t.Cleanup(server.Close)
				_, err := do(t.Context(), newClient(t, server.URL, 0))
				var e *kakaopay.Error
				if !errors.As(err, &e) || e.Class != tt.want || e.Code != tt.code || e.Call != call || e.Status != tt.status {
					t.Errorf("%s = %v, want class %s, code %d", call, err, tt.want, tt.code)
				}
				if got := requests.Load(); got != 1 {
					t.Errorf("%s made %d requests, want 1", call, got)
				}
			})
		}
	}
}

func TestClient_withoutAnswer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + listener.Addr().String()
	_ = listener.Close()
	var requests atomic.Int32
	cut := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		requests.Add(1)
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(cut.Close)
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	t.Cleanup(silent.Close)
	tests := map[string]struct {
		address string
		timeout time.Duration
		want    kakaopay.Class
	}{
		"nobody listens":        {nobody, 0, kakaopay.NotSent},
		"cut after the request": {cut.URL, 0, kakaopay.Unknown},
		"no answer in time":     {silent.URL, 50 * time.Millisecond, kakaopay.Unknown},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := newClient(t, tt.address, tt.timeout).Subscription(t.Context(), charge)
			var got *kakaopay.Error
			if !errors.As(err, &got) || got.Class != tt.want {
				t.Errorf("Subscription() = %v (%T), want class %s", err, err, tt.want)
			}
		})
	}
	if got := requests.Load(); got != 1 {
		t.Errorf("a connection cut after the request saw %d requests, want 1", got)
	}
}

// What KakaoPay quotes back must not reach an error's text. The server shows that it got them.
func TestClient_errorsTellNoSecrets(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Errorf("read the request: %v", err)
		}
		echo := r.Header.Get("Authorization")
		for _, name := range []string{"sid", "pg_token", "cid_secret"} {
			if value, ok := body[name].(string); ok {
				echo += " " + value
			}
		}
		w.WriteHeader(400)
		_ = json.NewEncoder(w).Encode(map[string]any{
			"error_code": -750, "error_message": echo, "extras": map[string]string{"method_result_code": echo, "method_result_message": echo},
		})
	}))
	t.Cleanup(server.Close)
	for name, do := range calls {
		_, err := do(t.Context(), newClient(t, server.URL, 0))
		if err == nil || !strings.Contains(err.Error(), "***") {
			t.Fatalf("%s = %v, want an error that hides what was quoted", name, err)
		}
		for _, word := range []string{secret, charge.SID, approve.PGToken} {
			if strings.Contains(err.Error(), word) {
				t.Errorf("%s error tells %q: %v", name, word, err)
			}
		}
	}
}

func TestNew(t *testing.T) {
	for name, tt := range map[string]struct{ address, key string }{
		"no key":             {"https://open-api.kakaopay.com", ""},
		"a key with newline": {"https://open-api.kakaopay.com", "key\n"},
		"no host":            {"https://", "key"},
	} {
		if _, err := kakaopay.New(tt.address, tt.key, 0); err == nil {
			t.Errorf("New(%s) = nil, want an error", name)
		}
	}
}

func TestTime(t *testing.T) {
	tests := map[string]struct {
		text string
		want time.Time
		bad  bool
	}{
		"without a zone":      {`"2026-11-24T00:00:03"`, time.Date(2026, 11, 23, 15, 0, 3, 0, time.UTC), false},
		"with a zone":         {`"2026-11-24T00:00:03+09:00"`, time.Date(2026, 11, 23, 15, 0, 3, 0, time.UTC), false},
		"null":                {`null`, time.Time{}, false},
		"empty":               {`""`, time.Time{}, false},
		"a date":              {`"2026-11-24"`, time.Time{}, true},
		"a number of seconds": {`1795490000`, time.Time{}, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var got kakaopay.Time
			if err := json.Unmarshal([]byte(tt.text), &got); (err != nil) != tt.bad || !got.Time.Equal(tt.want) {
				t.Errorf("Unmarshal(%s) = %v, %v, want %v", tt.text, got, err, tt.want)
			}
		})
	}
	for at, want := range map[kakaopay.Time]string{
		{}: "null",
		{Time: time.Date(2026, 11, 23, 15, 0, 3, 0, time.UTC)}: `"2026-11-24T00:00:03"`,
	} {
		if got, err := json.Marshal(at); err != nil || string(got) != want {
			t.Errorf("Marshal(%v) = %s, %v, want %s", at, got, err, want)
		}
	}
}

func TestSIDStatus_Dormant(t *testing.T) {
	for name, tt := range map[string]struct {
		status kakaopay.SIDStatus
		want   bool
	}{
		"usable":   {kakaopay.SIDStatus{Available: true, Status: kakaopay.SIDActive}, false},
		"dormant":  {kakaopay.SIDStatus{Status: kakaopay.SIDActive}, true},
		"inactive": {kakaopay.SIDStatus{Status: kakaopay.SIDInactive}, false},
	} {
		if got := tt.status.Dormant(); got != tt.want {
			t.Errorf("Dormant(%s) = %t, want %t", name, got, tt.want)
		}
	}
}
