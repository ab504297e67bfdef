package acceptance_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/malgil/malgil/internal/apiclient"
)

func TestReconcile(t *testing.T) {
	show(t, map[string]func(*testing.T){
		"a_payment_cancelled_behind_our_back": reconcileCancelled,
		"a_whole_day_agrees":                  reconcileAgrees,
	})
}

// difference is one difference of the books as the API shows it.
type difference struct {
	Wallet      string `json:"wallet"`
	Day         string `json:"day"`
	Kind        string `json:"kind"`
	Subject     string `json:"subject"`
	Want        int64  `json:"want_krw"`
	Got         int64  `json:"got_krw"`
	Difference  int64  `json:"difference_krw"`
	Correctable bool   `json:"correctable"`
}

// reconcile compares all books and returns what differs, and how many payments were looked up.
func (h *house) reconcile() (found []difference, asked int) {
	h.t.Helper()
	cursor := ""
	for {
		var part struct {
			Items   []difference `json:"items"`
			Asked   int          `json:"asked"`
			Unasked int          `json:"unasked"`
			Next    string       `json:"next_cursor"`
		}
		h.get("/api/v1/reconciliation"+cursor, &part)
		if part.Unasked != 0 {
			h.t.Errorf("%d payments were not looked up, want all", part.Unasked)
		}
		found, asked = append(found, part.Items...), asked+part.Asked
		if part.Next == "" {
			return found, asked
		}
		cursor = "?cursor=" + part.Next
	}
}

// paidAt returns the newest payment that the gateway has as paid.
func (h *house) paidAtGateway() (p struct {
	TID   string `json:"tid"`
	Order string `json:"order_id"`
	CID   string `json:"cid"`
	Total int64  `json:"total_krw"`
}) {
	h.t.Helper()
	var list struct {
		Items []json.RawMessage `json:"items"`
	}
	h.ask("/sandbox/truth/payments?status=SUCCESS_PAYMENT", &list)
	for _, text := range list.Items {
		one := p
		if err := json.Unmarshal(text, &one); err != nil {
			h.t.Fatal(err)
		}
		if one.Total > 0 {
			p = one
		}
	}
	if p.TID == "" {
		h.t.Fatal("the gateway has no payment")
	}
	return p
}

// cancelAtGateway gives money back as the gateway's own page would: Malgil is not told.
func (h *house) cancelAtGateway(cid, tid string, amount int64) {
	h.t.Helper()
	body, err := json.Marshal(map[string]any{"cid": cid, "tid": tid, "cancel_amount": amount, "cancel_tax_free_amount": 0})
	if err != nil {
		h.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(h.t.Context(), "POST", h.sandboxURL+"/online/v1/payment/cancel", bytes.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	request.Header.Set("Authorization", "SECRET_KEY "+paySecret)
	request.Header.Set("Content-Type", "application/json")
	if got := h.send(request); got.status != http.StatusOK {
		h.t.Fatalf("cancel at the gateway = %d %s, want 200", got.status, got.body)
	}
}

// Somebody gives a part of a top-up back at the gateway: reconcile sees it, a correction brings the
// ledger in line, once however often it is asked for, and the books agree again.
func reconcileCancelled(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(1)
	s.topUp(10_000)
	s.deliver(3) // 45
	if found, asked := h.reconcile(); len(found) != 0 || asked != 1 {
		t.Fatalf("reconcile = %+v after %d look-ups, want no difference after 1", found, asked)
	}
	p := h.paidAtGateway()
	h.cancelAtGateway(p.CID, p.TID, 10_000)

	found, _ := h.reconcile()
	want := difference{Wallet: s.wallet, Day: h.now().In(seoul).Format("2006-01-02"), Kind: "provider", Subject: p.Order,
		Want: 1_000, Got: 11_000, Difference: -10_000, Correctable: true}
	if len(found) != 1 || found[0] != want {
		t.Fatalf("reconcile = %+v, want %+v", found, want)
	}
	if b := s.see().Balance; b.Paid != 9_955 {
		t.Errorf("paid cash = %d after a comparison, want 9955 as before", b.Paid)
	}
	path, body := "/api/v1/wallets/"+s.wallet+"/corrections", map[string]any{"kind": want.Kind, "subject": want.Subject, "difference_krw": want.Difference}
	for i, corrects := range []bool{true, false} {
		var told struct {
			Corrected bool `json:"corrected"`
		}
		h.do("POST", path, body, &told, apiclient.IdempotencyKey(rand.Text()), apiclient.Reason("취소 확인"))
		if told.Corrected != corrects {
			t.Errorf("correction %d corrected %t, want %t", i+1, told.Corrected, corrects)
		}
	}
	// 10,000 with VAT is 9,091 of supply value.
	if b := s.see().Balance; b.Paid != 9_955-9_091 || b.Accrual != 0 {
		t.Errorf("wallet = %+v, want 864 of paid cash", b)
	}
	if found, _ := h.reconcile(); len(found) != 0 {
		t.Errorf("reconcile after the correction = %+v, want no difference", found)
	}
	newest := s.postings()[0]
	if newest.Kind != "correction" || newest.Clearing != 10_000 {
		t.Errorf("newest posting = %+v, want a correction of 10000", newest)
	}
	var audit struct {
		Items []struct {
			Action string `json:"action"`
			Reason string `json:"reason"`
		} `json:"items"`
	}
	h.get("/api/v1/audit?wallet="+s.wallet, &audit)
	corrections := 0
	for _, line := range audit.Items {
		if line.Action == "correct-books" {
			corrections++
			if line.Reason != "취소 확인" {
				t.Errorf("the audit log gives the reason %q, want 취소 확인", line.Reason)
			}
		}
	}
	if corrections != 1 {
		t.Errorf("the audit log has %d corrections, want 1", corrections)
	}
}

// Cash, cards, a charge at midnight, a refund: after a day like that nothing differs.
func reconcileAgrees(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(1)
	s.topUp(1_000)
	s.deliver(100) // 1,500: 500 are owed
	h.midnight()
	s.charged(1, "paid")
	s.topUp(2_000)
	s.refunded(s.refund(map[string]any{"amount_krw": 700}), "done")
	found, asked := h.reconcile()
	if len(found) != 0 || asked != 3 {
		t.Errorf("reconcile = %+v after %d look-ups, want no difference after 3", found, asked)
	}
	if err := h.api.Call(t.Context(), "GET", fmt.Sprintf("/api/v1/reconciliation?wallet=%s&from=2026-13-01", s.wallet), nil, nil); err == nil {
		t.Error("reconcile from the 13th month is answered, want a refusal")
	}
}
