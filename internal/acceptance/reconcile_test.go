package acceptance_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/malgil/malgil/internal/apiclient"
)

func TestReconcile(t *testing.T) {
	show(t, map[string]func(*testing.T){
		"a_payment_cancelled_behind_our_back": reconcileCancelled,
		"a_whole_day_agrees":                  reconcileAgrees,
		"kakao_counts_anew":                   reconcileRecount,
	})
}

func TestWhy(t *testing.T) {
	show(t, map[string]func(*testing.T){"from_a_message_to_the_card_and_back": whyWasICharged})
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
func (h *house) reconcile(options ...string) (found []difference, asked int) {
	h.t.Helper()
	cursor := "?" + strings.Join(options, "&")
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
		cursor = "?" + strings.Join(append(options, "cursor="+part.Next), "&")
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

// Kakao changes its mind about a send, both ways: reconcile sees it when it is told to ask, and what is
// corrected is what Kakao says now.
func reconcileRecount(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(0)
	s.topUp(1_000)
	b := s.deliver(5) // 75
	var tasks struct {
		Items []struct {
			ID string `json:"id"`
		} `json:"items"`
	}
	h.ask("/sandbox/truth/tasks?bot="+s.bot, &tasks)
	if len(tasks.Items) != 1 {
		t.Fatalf("the sandbox has %d sends, want 1", len(tasks.Items))
	}
	if found, asked := h.reconcile("recount=true"); len(found) != 0 || asked != 2 {
		t.Errorf("reconcile = %+v after %d look-ups, want no difference after 2", found, asked)
	}
	for _, count := range []int{2, 4} {
		before := s.look(b).Counts.Delivered
		h.tell("PUT", "/sandbox/results/"+tasks.Items[0].ID, map[string]any{"delivered": count}, nil)
		if found, _ := h.reconcile(); len(found) != 0 {
			t.Errorf("reconcile that does not ask Kakao = %+v, want no difference", found)
		}
		found, _ := h.reconcile("recount=true")
		differs := int64(15 * (count - before))
		if len(found) != 1 || found[0].Kind != "recount" || found[0].Subject != b.ID+"-000001" || found[0].Difference != differs {
			t.Fatalf("reconcile = %+v, want a recount of %d", found, differs)
		}
		h.do("POST", "/api/v1/wallets/"+s.wallet+"/corrections", map[string]any{"kind": "recount", "subject": found[0].Subject, "difference_krw": differs},
			nil, apiclient.IdempotencyKey(rand.Text()))
		if b := s.look(b); b.Counts.Delivered != count || b.Counts.Failed != 5-count || b.Captured != int64(15*count) {
			t.Errorf("broadcast = %+v, want %d delivered for %d", b, count, 15*count)
		}
		if balance := s.see().Balance; balance.Paid != int64(1_000-15*count) {
			t.Errorf("paid cash = %d, want %d", balance.Paid, 1_000-15*count)
		}
		if found, _ := h.reconcile("recount=true"); len(found) != 0 {
			t.Errorf("reconcile after the correction = %+v, want no difference", found)
		}
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

// paidBy is what paid for accrual, as the API shows it.
type paidBy struct {
	Kind   string `json:"kind"`
	Ref    string `json:"ref"`
	Amount int64  `json:"amount_krw"`
	State  string `json:"state"`
}

// 100 messages, 1,500 KRW: 600 of free cash, 400 of paid cash and 500 that a card paid at midnight. From
// one person to the posting, from the posting to the charge, and from the charge back to the messages.
func whyWasICharged(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(1)
	var grant struct {
		ID string `json:"id"`
	}
	h.do("POST", "/api/v1/wallets/"+s.wallet+"/grants", map[string]any{"amount_krw": 600, "expires_on": h.now().AddDate(0, 1, 0).Format("2006-01-02"), "reason": "첫 이용 축하"},
		&grant, apiclient.IdempotencyKey(rand.Text()))
	h.do("POST", "/api/v1/wallets/"+s.wallet+"/grants/"+grant.ID+"/use", nil, nil, apiclient.IdempotencyKey(rand.Text()))
	s.topUp(1_000)
	first := s.deliver(40) // 600
	second := s.deliver(100)
	h.midnight()
	charged := s.charged(1, "paid")

	var cost struct {
		Captured int64    `json:"captured_krw"`
		Free     int64    `json:"free_krw"`
		Paid     int64    `json:"paid_krw"`
		Accrual  int64    `json:"accrual_krw"`
		PaidBy   []paidBy `json:"paid_by"`
		Unpaid   int64    `json:"unpaid_krw"`
	}
	h.get("/api/v1/broadcasts/"+first.ID+"/cost", &cost)
	if cost.Captured != 600 || cost.Free != 600 || len(cost.PaidBy) != 0 {
		t.Errorf("the first broadcast cost %+v, want 600 of free cash", cost)
	}
	h.get("/api/v1/broadcasts/"+second.ID+"/cost", &cost)
	byCard := paidBy{Kind: "charge_opened", Ref: charged.ID, Amount: 500, State: "paid"}
	if cost.Captured != 1_500 || cost.Paid != 1_000 || cost.Accrual != 500 || len(cost.PaidBy) != 1 || cost.PaidBy[0] != byCard || cost.Unpaid != 0 {
		t.Errorf("the second broadcast cost %+v, want 1000 of paid cash and 500 paid by %+v", cost, byCard)
	}

	var people struct {
		Items []struct {
			ID       string `json:"id"`
			Outcome  string `json:"outcome"`
			Captured int64  `json:"captured_krw"`
			Posting  string `json:"posting"`
		} `json:"items"`
	}
	last := fmt.Sprintf("reader-%s-%d", s.bot[20:], s.people)
	h.get("/api/v1/broadcasts/"+second.ID+"/people?type=botUserKey&person="+last, &people)
	if len(people.Items) != 1 || people.Items[0].ID != last || people.Items[0].Outcome != "delivered" || people.Items[0].Captured != 15 {
		t.Fatalf("%s = %+v, want delivered for 15", last, people.Items)
	}
	kind, ref, _ := strings.Cut(people.Items[0].Posting, "/")
	var why struct {
		Messages struct {
			Broadcast string `json:"broadcast"`
			Delivered int    `json:"delivered"`
		} `json:"messages"`
		Grants []struct {
			Grant  string `json:"grant"`
			Amount int64  `json:"amount_krw"`
		} `json:"grants"`
		PaidBy  []paidBy `json:"paid_by"`
		Payment struct {
			Order string `json:"order"`
			TID   string `json:"tid"`
		} `json:"payment"`
	}
	h.get("/api/v1/wallets/"+s.wallet+"/why?kind="+kind+"&ref="+ref, &why)
	if why.Messages.Broadcast != second.ID || why.Messages.Delivered != 100 || len(why.PaidBy) != 1 || why.PaidBy[0] != byCard || len(why.Grants) != 0 {
		t.Errorf("why %s = %+v, want the second broadcast and the charge", ref, why)
	}
	h.get("/api/v1/wallets/"+s.wallet+"/why?ref="+first.ID+"-000001", &why)
	if len(why.Grants) != 1 || why.Grants[0].Grant != grant.ID || why.Grants[0].Amount != 600 {
		t.Errorf("grants of the first capture = %+v, want 600 of %s", why.Grants, grant.ID)
	}
	var origins struct {
		Items []struct {
			Ref     string `json:"ref"`
			Accrued int64  `json:"accrued_krw"`
			Paid    int64  `json:"paid_krw"`
		} `json:"items"`
	}
	h.get("/api/v1/wallets/"+s.wallet+"/charges/"+charged.ID+"/origins", &origins)
	if len(origins.Items) != 1 || origins.Items[0].Ref != ref || origins.Items[0].Accrued != 500 || origins.Items[0].Paid != 500 {
		t.Errorf("the charge pays %+v, want 500 of %s", origins.Items, ref)
	}
	for _, p := range s.postings() {
		if p.Kind == "topup" {
			h.get("/api/v1/wallets/"+s.wallet+"/why?kind=topup&ref="+p.Ref, &why)
			if at := h.paidAtGateway(); why.Payment.TID == "" || at.TID == "" {
				t.Errorf("top-up %s = %+v, want its payment at the gateway", p.Ref, why.Payment)
			}
		}
	}

	// Whoever keeps the books sees the money and not the people.
	bookkeeper := h.account("bookkeeper")
	s.member(bookkeeper, "viewer")
	his := h.as(bookkeeper)
	his.get("/api/v1/broadcasts/"+second.ID+"/cost", &cost)
	his.get("/api/v1/wallets/"+s.wallet+"/why?ref="+ref, &why)
	his.refusal("a viewer of the wallet lists people", "GET", "/api/v1/broadcasts/"+second.ID+"/people", nil, 403, "FORBIDDEN")
	stranger := h.as(h.account("stranger"))
	stranger.refusal("a stranger asks why", "GET", "/api/v1/wallets/"+s.wallet+"/why?ref="+ref, nil, 404, "NOT_FOUND")
}
