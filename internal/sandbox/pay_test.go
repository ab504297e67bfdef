package sandbox_test

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/kakaopay"
	"github.com/malgil/malgil/internal/sandbox"
	"github.com/malgil/malgil/internal/sandbox/pay"
)

const (
	once      = kakaopay.TestCIDOnce
	recurring = kakaopay.TestCIDRecurring
)

func readyFor(cid, order string, total int64) kakaopay.ReadyRequest {
	return kakaopay.ReadyRequest{
		CID: cid, OrderID: order, UserID: "payer-1", ItemName: "월렛 캐시 충전", Quantity: 1, TotalAmount: total,
		ApprovalURL: "http://127.0.0.1:1/pay/c/k?x=1", CancelURL: "http://127.0.0.1:1/pay/c/k/cancel", FailURL: "http://127.0.0.1:1/pay/c/k/fail",
	}
}

// payer acts at KakaoPay and returns where the browser goes.
func (w *world) payer(tid, body string) *url.URL {
	w.t.Helper()
	to, err := url.Parse(w.must("POST", "/sandbox/pay/"+tid, body)["redirect_url"].(string))
	if err != nil {
		w.t.Fatal(err)
	}
	return to
}

// authorize brings a payment to where it can be approved.
func (w *world) authorize(cid, order, card string, total int64) kakaopay.ApproveRequest {
	w.t.Helper()
	ready, err := w.pay.Ready(w.t.Context(), readyFor(cid, order, total))
	if err != nil {
		w.t.Fatalf("Ready() = %v", err)
	}
	token := w.payer(ready.TID, `{"card":"`+card+`"}`).Query().Get("pg_token")
	return kakaopay.ApproveRequest{CID: cid, TID: ready.TID, OrderID: order, UserID: "payer-1", PGToken: token}
}

// register returns the sid of a card.
func (w *world) register(card string) string {
	w.t.Helper()
	payment, err := w.pay.Approve(w.t.Context(), w.authorize(recurring, "reg-"+card, card, 0))
	if err != nil || payment.SID == "" {
		w.t.Fatalf("registering %s = %+v, %v, want a sid", card, payment, err)
	}
	return payment.SID
}

func chargeOf(sid, order string, total int64) kakaopay.SubscriptionRequest {
	return kakaopay.SubscriptionRequest{CID: recurring, SID: sid, OrderID: order, UserID: "payer-1", ItemName: "Event API 이용료", Quantity: 1, TotalAmount: total}
}

func classIs(t *testing.T, what string, err error, want kakaopay.Class, code int) {
	t.Helper()
	var got *kakaopay.Error
	if !errors.As(err, &got) || got.Class != want || got.Code != code {
		t.Errorf("%s = %v, want class %s, code %d", what, err, want, code)
	}
}

func TestPay_topUpAndCancel(t *testing.T) {
	w := newWorld(t)
	request := w.authorize(once, "top-1", "hanbit", 110_000)
	paid, err := w.pay.Approve(t.Context(), request)
	if err != nil || paid.Amount.Total != 110_000 || paid.Amount.VAT != 10_000 || paid.SID != "" || paid.Card.IssuerCorp != "한빛카드" || paid.Card.BIN != "944601" {
		t.Fatalf("Approve() = %+v, %v, want 110000 paid with 한빛카드 and no sid", paid, err)
	}
	if gap := w.clock.Now().Sub(paid.ApprovedAt.Time); gap < 0 || gap > time.Minute {
		t.Errorf("Approve() at %v, want it now: times are KST", paid.ApprovedAt)
	}
	order, err := w.pay.Order(t.Context(), kakaopay.OrderRequest{CID: once, TID: paid.TID})
	if err != nil || order.Status != kakaopay.OrderPaid || order.Cancellable.Total != 110_000 || len(order.Actions) != 1 || order.Actions[0].Type != "PAYMENT" {
		t.Errorf("Order() = %+v, %v, want it paid", order, err)
	}
	part, err := w.pay.Cancel(t.Context(), kakaopay.CancelRequest{CID: once, TID: paid.TID, CancelAmount: 10_000})
	if err != nil || part.Status != kakaopay.OrderPartCancelled || part.Cancelled.Total != 10_000 || part.Cancellable.Total != 100_000 {
		t.Errorf("Cancel(10000) = %+v, %v, want a part of it back", part, err)
	}
	_, err = w.pay.Cancel(t.Context(), kakaopay.CancelRequest{CID: once, TID: paid.TID, CancelAmount: 100_001})
	classIs(t, "Cancel(more than is left)", err, kakaopay.Permanent, -710)
	_, err = w.pay.Cancel(t.Context(), kakaopay.CancelRequest{CID: once, TID: paid.TID, CancelAmount: 110_001})
	classIs(t, "Cancel(more than was paid)", err, kakaopay.Permanent, -711)
	stale := int64(110_000)
	_, err = w.pay.Cancel(t.Context(), kakaopay.CancelRequest{CID: once, TID: paid.TID, CancelAmount: 1, Available: &stale})
	classIs(t, "Cancel(with what was available before)", err, kakaopay.Permanent, -710)
	rest, err := w.pay.Cancel(t.Context(), kakaopay.CancelRequest{CID: once, TID: paid.TID, CancelAmount: 100_000})
	if err != nil || rest.Status != kakaopay.OrderCancelled || rest.CancelledAmount.Total != 110_000 {
		t.Errorf("Cancel(the rest) = %+v, %v, want all of it back", rest, err)
	}
	_, err = w.pay.Cancel(t.Context(), kakaopay.CancelRequest{CID: once, TID: paid.TID, CancelAmount: 1})
	classIs(t, "Cancel(again)", err, kakaopay.Lookup, -784)
	if truth := w.Truth().KakaoPay; truth.Payments != 1 || truth.PaidKRW != 110_000 || truth.CancelledKRW != 110_000 || truth.Registered != 0 {
		t.Errorf("Truth() = %+v, want one payment that was given back", truth)
	}
}

func TestPay_readyRules(t *testing.T) {
	w := newWorld(t)
	tests := map[string]struct {
		change func(*kakaopay.ReadyRequest)
		class  kakaopay.Class
		code   int
	}{
		"no order id":           {func(r *kakaopay.ReadyRequest) { r.OrderID = "" }, kakaopay.Permanent, -726},
		"a user id too long":    {func(r *kakaopay.ReadyRequest) { r.UserID = strings.Repeat("u", 101) }, kakaopay.Permanent, -726},
		"an address too long":   {func(r *kakaopay.ReadyRequest) { r.FailURL += strings.Repeat("x", 255) }, kakaopay.Permanent, -726},
		"a merchant of nowhere": {func(r *kakaopay.ReadyRequest) { r.CID = "TC00000000" }, kakaopay.Config, -731},
		"nothing to pay":        {func(r *kakaopay.ReadyRequest) { r.TotalAmount = 0 }, kakaopay.Permanent, -722},
		"more free than total":  {func(r *kakaopay.ReadyRequest) { r.TaxFreeAmount = r.TotalAmount + 1 }, kakaopay.Permanent, -722},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := readyFor(once, "o", 1000)
			tt.change(&r)
			_, err := w.pay.Ready(t.Context(), r)
			classIs(t, "Ready()", err, tt.class, tt.code)
		})
	}
	stranger, err := kakaopay.New(w.URL(), "another-key", 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stranger.Close)
	_, err = stranger.Ready(t.Context(), readyFor(once, "o", 1000))
	classIs(t, "Ready(another key)", err, kakaopay.Config, -401)
}

func TestPay_approveRules(t *testing.T) {
	w := newWorld(t)
	other := int64(999)
	tests := map[string]struct {
		change func(*kakaopay.ApproveRequest)
		class  kakaopay.Class
		code   int
	}{
		"another order id": {func(r *kakaopay.ApproveRequest) { r.OrderID = "x" }, kakaopay.Permanent, -706},
		"another user id":  {func(r *kakaopay.ApproveRequest) { r.UserID = "x" }, kakaopay.Permanent, -707},
		"another token":    {func(r *kakaopay.ApproveRequest) { r.PGToken = "x" }, kakaopay.Permanent, -708},
		"another payment":  {func(r *kakaopay.ApproveRequest) { r.TID = "T000" }, kakaopay.Permanent, -721},
		"another merchant": {func(r *kakaopay.ApproveRequest) { r.CID = recurring }, kakaopay.Permanent, -721},
		"another amount":   {func(r *kakaopay.ApproveRequest) { r.TotalAmount = &other }, kakaopay.Permanent, -722},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := w.authorize(once, "order", "hanbit", 1000)
			tt.change(&r)
			_, err := w.pay.Approve(t.Context(), r)
			classIs(t, "Approve()", err, tt.class, tt.code)
		})
	}
	ready, err := w.pay.Ready(t.Context(), readyFor(once, "early", 1000))
	if err != nil {
		t.Fatal(err)
	}
	early := kakaopay.ApproveRequest{CID: once, TID: ready.TID, OrderID: "early", UserID: "payer-1", PGToken: "x"}
	_, err = w.pay.Approve(t.Context(), early)
	classIs(t, "Approve(before the payer)", err, kakaopay.Permanent, -701)

	r := w.authorize(once, "twice", "hanbit", 1000)
	if _, err := w.pay.Approve(t.Context(), r); err != nil {
		t.Fatalf("Approve() = %v, want nil", err)
	}
	_, err = w.pay.Approve(t.Context(), r)
	classIs(t, "Approve(again)", err, kakaopay.Lookup, -702)

	r = w.authorize(once, "no-money", "declined", 1000)
	_, err = w.pay.Approve(t.Context(), r)
	classIs(t, "Approve(a card that declines)", err, kakaopay.Declined, -780)
	order, err := w.pay.Order(t.Context(), kakaopay.OrderRequest{CID: once, TID: r.TID})
	if err != nil || order.Status != kakaopay.OrderFailed {
		t.Errorf("Order(declined) = %s, %v, want %s", order.Status, err, kakaopay.OrderFailed)
	}

	r = w.authorize(once, "late", "hanbit", 1000)
	w.must("PUT", "/sandbox/clock", `{"advance":"16m"}`)
	_, err = w.pay.Approve(t.Context(), r)
	classIs(t, "Approve(after 16 minutes)", err, kakaopay.Permanent, -723)
	if got := w.Truth().KakaoPay.Payments; got != 1 {
		t.Errorf("%d payments, want the one that was approved", got)
	}
}

func TestPay_payerTurnsBack(t *testing.T) {
	w := newWorld(t)
	for action, want := range map[string]struct{ path, status string }{
		"cancel": {"/pay/c/k/cancel", kakaopay.OrderQuit},
		"fail":   {"/pay/c/k/fail", kakaopay.OrderFailedPassword},
	} {
		ready, err := w.pay.Ready(t.Context(), readyFor(once, action, 1000))
		if err != nil {
			t.Fatal(err)
		}
		if to := w.payer(ready.TID, `{"action":"`+action+`"}`); to.Path != want.path {
			t.Errorf("%s leads to %s, want %s", action, to, want.path)
		}
		order, err := w.pay.Order(t.Context(), kakaopay.OrderRequest{CID: once, TID: ready.TID})
		if err != nil || order.Status != want.status {
			t.Errorf("Order(%s) = %s, %v, want %s", action, order.Status, err, want.status)
		}
		if status, _ := w.do("POST", "/sandbox/pay/"+ready.TID, `{"card":"hanbit"}`); status != http.StatusConflict {
			t.Errorf("paying after %s = %d, want 409", action, status)
		}
	}
}

// The page is what a person in the demo uses: a form that leads back to the merchant.
func TestPay_page(t *testing.T) {
	w := newWorld(t, func(o *sandbox.Options) {
		o.Cards = []pay.Card{{Name: "mine", Issuer: "내<카드>", BIN: "123456"}}
	})
	ready, err := w.pay.Ready(t.Context(), readyFor(recurring, "card", 0))
	if err != nil || ready.RedirectPCURL != w.URL()+"/sandbox/pay/"+ready.TID {
		t.Fatalf("Ready() = %+v, %v, want the payer sent to the sandbox", ready, err)
	}
	page, err := http.Get(ready.RedirectPCURL)
	if err != nil {
		t.Fatal(err)
	}
	defer page.Body.Close()
	html, _ := io.ReadAll(page.Body)
	for _, want := range []string{"월렛 캐시 충전", "카드 등록", "내&lt;카드&gt;", "취소"} {
		if !strings.Contains(string(html), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := browser.PostForm(ready.RedirectPCURL, url.Values{"card": {"mine"}, "action": {"pay"}})
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	to, err := answer.Location()
	if err != nil || answer.StatusCode != http.StatusSeeOther || to.Query().Get("pg_token") == "" || to.Query().Get("x") != "1" {
		t.Fatalf("the form leads to %v (%d, %v), want the approval URL with pg_token and its own query", to, answer.StatusCode, err)
	}
	again, err := http.Get(ready.RedirectPCURL)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Body.Close()
	if html, _ := io.ReadAll(again.Body); !strings.Contains(string(html), "이미 끝났거나") {
		t.Error("a page that was used is still open")
	}
	unknown, err := http.Get(w.URL() + "/sandbox/pay/T0")
	if err != nil {
		t.Fatal(err)
	}
	defer unknown.Body.Close()
	if unknown.StatusCode != http.StatusNotFound {
		t.Errorf("a page of no payment = %d, want 404", unknown.StatusCode)
	}
}

func TestPay_chargeACard(t *testing.T) {
	w := newWorld(t)
	sid := w.register("hanbit")
	first, err := w.pay.SIDStatus(t.Context(), kakaopay.SIDRequest{CID: recurring, SID: sid})
	if err != nil || !first.Available || first.Status != kakaopay.SIDActive {
		t.Fatalf("SIDStatus() = %+v, %v, want it usable", first, err)
	}
	w.must("PUT", "/sandbox/clock", `{"advance":"1h"}`)
	paid, err := w.pay.Subscription(t.Context(), chargeOf(sid, "att-1", 550_000))
	if err != nil || paid.Amount.Total != 550_000 || paid.Amount.VAT != 50_000 || paid.SID != sid || paid.OrderID != "att-1" {
		t.Fatalf("Subscription() = %+v, %v, want 550000 paid", paid, err)
	}
	second, err := w.pay.SIDStatus(t.Context(), kakaopay.SIDRequest{CID: recurring, SID: sid})
	if err != nil || !second.LastApprovedAt.Equal(paid.ApprovedAt.Time) || !second.LastApprovedAt.After(first.LastApprovedAt.Time) {
		t.Errorf("last approval %v, before %v, want that of the charge %v", second.LastApprovedAt, first.LastApprovedAt, paid.ApprovedAt)
	}
	tests := map[string]struct {
		change func(*kakaopay.SubscriptionRequest)
		class  kakaopay.Class
		code   int
	}{
		"the same order id":  {func(*kakaopay.SubscriptionRequest) {}, kakaopay.Lookup, -785},
		"another sid":        {func(r *kakaopay.SubscriptionRequest) { r.SID = "S000" }, kakaopay.Dead, -750},
		"another payer":      {func(r *kakaopay.SubscriptionRequest) { r.UserID = "payer-2" }, kakaopay.Config, -753},
		"the wrong merchant": {func(r *kakaopay.SubscriptionRequest) { r.CID = once }, kakaopay.Config, -731},
		"nothing to pay":     {func(r *kakaopay.SubscriptionRequest) { r.OrderID, r.TotalAmount = "att-2", 0 }, kakaopay.Permanent, -722},
		"no item":            {func(r *kakaopay.SubscriptionRequest) { r.OrderID, r.ItemName = "att-2", "" }, kakaopay.Permanent, -726},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := chargeOf(sid, "att-1", 550_000)
			tt.change(&r)
			_, err := w.pay.Subscription(t.Context(), r)
			classIs(t, "Subscription()", err, tt.class, tt.code)
		})
	}
	gone, err := w.pay.SIDInactive(t.Context(), kakaopay.SIDRequest{CID: recurring, SID: sid})
	if err != nil || gone.Status != kakaopay.SIDInactive || gone.InactivatedAt.IsZero() {
		t.Errorf("SIDInactive() = %+v, %v, want it inactive", gone, err)
	}
	_, err = w.pay.Subscription(t.Context(), chargeOf(sid, "att-3", 1000))
	classIs(t, "Subscription(inactive)", err, kakaopay.Dead, -751)
	_, err = w.pay.SIDInactive(t.Context(), kakaopay.SIDRequest{CID: recurring, SID: sid})
	classIs(t, "SIDInactive(again)", err, kakaopay.Dead, -751)
	payments := w.items("/sandbox/truth/payments?card=hanbit&order=att-1")
	if len(payments) != 1 || payments[0].(map[string]any)["total_krw"] != 550_000.0 || payments[0].(map[string]any)["recurring"] != true {
		t.Errorf("truth of att-1 = %v, want one charge of 550000", payments)
	}
}
