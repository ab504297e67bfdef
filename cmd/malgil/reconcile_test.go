package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// One line while all agree; a table and exit 3 where the gateway changed its books; --apply mends it
// once.
func TestReconcile(t *testing.T) {
	d := wholeProgram(t)
	if err := d.World.TopUp(t.Context(), d.Ready.Wallet, 3_000); err != nil {
		t.Fatal(err)
	}
	if got := ok(t, "reconcile"); strings.Count(got, "\n") != 1 || !strings.HasPrefix(got, "the books agree: ") || !strings.HasSuffix(got, "look-ups\n") {
		t.Errorf("reconcile of books that agree = %q, want one line", got)
	}

	var list struct {
		Items []struct {
			TID   string `json:"tid"`
			CID   string `json:"cid"`
			Total int64  `json:"total_krw"`
		} `json:"items"`
	}
	if err := d.World.Sandbox.Call(t.Context(), "GET", "/sandbox/truth/payments?status=SUCCESS_PAYMENT", nil, &list); err != nil {
		t.Fatal(err)
	}
	var cancel []byte
	for _, p := range list.Items {
		if p.Total == 3_300 {
			var err error
			if cancel, err = json.Marshal(map[string]any{"cid": p.CID, "tid": p.TID, "cancel_amount": 1_100, "cancel_tax_free_amount": 0}); err != nil {
				t.Fatal(err)
			}
		}
	}
	request, err := http.NewRequestWithContext(t.Context(), "POST", d.Ready.Sandbox+"/online/v1/payment/cancel", bytes.NewReader(cancel))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "SECRET_KEY demo-kakaopay-secret")
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("cancel at the gateway = %v, %v, want 200", response, err)
	}
	_ = response.Body.Close()

	for range 2 { // saying what differs changes nothing
		got := malgil(t, "reconcile", "--dry-run", "--wallet", d.Ready.Wallet)
		if got.code != exitPartly || !strings.Contains(got.stdout, "provider") || !strings.Contains(got.stdout, "-1,100") || !strings.Contains(got.stdout, "--apply") {
			t.Errorf("reconcile = exit %d, %s%s, want 3 and the difference of 1,100", got.code, got.stdout, got.stderr)
		}
	}
	if got := malgil(t, "reconcile", "--no-providers"); got.code != exitOK {
		t.Errorf("reconcile --no-providers = exit %d, %s%s, want 0: only the gateway differs", got.code, got.stdout, got.stderr)
	}
	var told compared
	applied := ok(t, "reconcile", "--apply", "--reason", "취소 확인", "--json")
	if err := json.Unmarshal([]byte(applied), &told); err != nil || len(told.Items) != 1 || told.Items[0].Outcome != "corrected" {
		t.Errorf("reconcile --apply = %s, %v, want one correction", applied, err)
	}
	if got := ok(t, "reconcile", "--apply"); !strings.HasPrefix(got, "the books agree: ") {
		t.Errorf("reconcile --apply again = %q, want that the books agree", got)
	}
	var ledger struct{ Items []postingRow }
	if err := json.Unmarshal([]byte(ok(t, "wallet", "postings", d.Ready.Wallet, "--json")), &ledger); err != nil || len(ledger.Items) == 0 {
		t.Fatalf("wallet postings = %+v, %v", ledger, err)
	}
	for _, p := range ledger.Items {
		got := ok(t, "wallet", "why", d.Ready.Wallet, p.Kind+"/"+p.Ref)
		if !strings.HasPrefix(got, p.Kind+" "+p.Ref+", ") || p.Kind == "correction" && !strings.Contains(got, "3,300 KRW by card, done: order ") {
			t.Errorf("wallet why %s/%s = %s, want its cause", p.Kind, p.Ref, got)
		}
	}
	if got := malgil(t, "wallet", "why", d.Ready.Wallet, "cko_none"); got.code != exitFailed || !strings.Contains(got.stderr, "no posting") {
		t.Errorf("wallet why of nothing = exit %d, %q, want 1 and why", got.code, got.stderr)
	}
	if got := malgil(t, "reconcile", "--from", "2026-11-31"); got.code != exitFailed {
		t.Errorf("reconcile --from=2026-11-31 = exit %d, want 1", got.code)
	}
}
