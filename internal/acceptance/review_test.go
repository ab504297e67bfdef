package acceptance_test

import (
	"crypto/rand"
	"errors"
	"path"
	"testing"

	"github.com/malgil/malgil/internal/apiclient"
)

// KakaoPay approves another amount of a top-up than was asked for: nothing is credited, people are
// alerted, and what a person finds in KakaoPay's own list is credited, once.
func reviewTopUp(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(1)
	s.behave("wrong_amount", s.cards[0])
	var begun struct {
		ID       string            `json:"id"`
		Order    string            `json:"order"`
		Redirect map[string]string `json:"redirect"`
	}
	h.do("POST", "/api/v1/wallets/"+s.wallet+"/topups", map[string]any{"amount_krw": 10_000}, &begun, apiclient.IdempotencyKey(rand.Text()))
	var back struct {
		URL string `json:"redirect_url"`
	}
	h.tell("POST", "/sandbox/pay/"+path.Base(begun.Redirect["pc"]), map[string]any{"card": s.cards[0].plastic}, &back)
	for range 2 { // a payer who looks again
		if _, err := page(t.Context(), back.URL); err != nil {
			t.Fatal(err)
		}
	}
	if b := s.see().Balance; b.Paid != 0 {
		t.Errorf("the wallet has %d before anybody looked, want 0", b.Paid)
	}
	h.until("people are alerted", func() (bool, any) { n := h.metric("malgil_charges_in_review"); return n == 1, n })
	var list struct {
		Items []struct{ ID, State, Reason, Order string }
	}
	h.get("/api/v1/reviews/checkouts", &list)
	if len(list.Items) != 1 || list.Items[0].ID != begun.ID || list.Items[0].State != "review" || list.Items[0].Reason != "mismatch" || list.Items[0].Order != begun.Order {
		t.Fatalf("checkouts in review = %+v, want %s of order %s", list.Items, begun.ID, begun.Order)
	}
	var payments struct {
		Items []struct {
			TID   string `json:"tid"`
			Total int64  `json:"total_krw"`
		}
	}
	h.ask("/sandbox/truth/payments?order="+begun.Order, &payments)
	if len(payments.Items) != 1 || payments.Items[0].Total != 11_010 {
		t.Fatalf("KakaoPay has %+v for the order, want one payment of 11010", payments.Items)
	}
	found := map[string]any{"finding": "paid", "tid": payments.Items[0].TID, "paid_krw": payments.Items[0].Total, "reason": "카카오페이 결제 내역에서 확인"}
	for range 2 {
		var decided struct{ State string }
		h.do("POST", "/api/v1/checkouts/"+begun.ID+"/decide", found, &decided, apiclient.IdempotencyKey("decision-1"))
		if decided.State != "done" {
			t.Errorf("the decided top-up is %s, want done", decided.State)
		}
	}
	var p *apiclient.Problem
	err := h.api.Call(t.Context(), "POST", "/api/v1/checkouts/"+begun.ID+"/decide", found, nil, apiclient.IdempotencyKey("decision-2"))
	if !errors.As(err, &p) || p.Code != "NOT_IN_REVIEW" {
		t.Errorf("a second decision is answered %v, want NOT_IN_REVIEW", err)
	}
	if b := s.see().Balance; b.Paid != 10_009 {
		t.Errorf("the wallet has %d, want the 10009 that came with 1001 of VAT", b.Paid)
	}
	h.until("nobody is alerted any more", func() (bool, any) { n := h.metric("malgil_charges_in_review"); return n == 0, n })
	h.balance()
}
