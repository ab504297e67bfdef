package wallet_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/wallet"
)

// declaredKinds reads the kinds of postings from the source, so that a new one cannot be forgotten.
func declaredKinds(t *testing.T) map[string]wallet.PostingKind {
	t.Helper()
	paths, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]wallet.PostingKind{}
	for _, path := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if typ, ok := spec.Type.(*ast.Ident); !ok || typ.Name != "PostingKind" || len(spec.Values) == 0 {
				return true
			}
			word, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			kinds[spec.Names[0].Name] = wallet.PostingKind(word)
			return true
		})
	}
	return kinds
}

// Every kind of posting is of one kind in a history, and that kind lists it, but for corrections.
func TestInHistory(t *testing.T) {
	declared := declaredKinds(t)
	if len(declared) < 11 {
		t.Fatalf("the source declares %d kinds of postings, want at least 11: %v", len(declared), declared)
	}
	for name, kind := range declared {
		if kind == wallet.Correction {
			continue
		}
		if kind == wallet.MonthRounded { // in none
			for _, in := range everyHistoryKind {
				if slices.Contains(in.Postings(), kind) || (wallet.Posting{Kind: kind}).InHistory() == in {
					t.Errorf("%s is in a history as %s, want in none", name, in)
				}
			}
			continue
		}
		want := wallet.Posting{Kind: kind}.InHistory()
		for _, in := range everyHistoryKind {
			found := 0
			for _, listed := range in.Postings() {
				if listed == kind {
					found++
				}
			}
			if (in == want) != (found == 1) || found > 1 {
				t.Errorf("%s is %s in a history, and %s lists it %d times; want it listed once, there", name, want, in, found)
			}
		}
	}
	if got := wallet.HistoryKind("deposit").Postings(); got != nil {
		t.Errorf("Postings() of an unknown kind = %v, want none", got)
	}
}

var everyHistoryKind = []wallet.HistoryKind{wallet.HistoryTopUp, wallet.HistoryConsumption, wallet.HistoryRestitution,
	wallet.HistoryRefund, wallet.HistoryCharge, wallet.HistoryExpiry}

// Each rule's posting changes the balances as the rule changed the wallet, and a flow says the same.
func TestFlow_explainsEveryPosting(t *testing.T) {
	now := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	full := wallet.Wallet{Free: 700, Paid: 1_000, Accrual: 300, Charging: 200, Refunding: 100}
	grants := []wallet.Grant{{ID: "grt_1", Remaining: 700, ExpiresAt: now}}
	expire := func() (wallet.Wallet, wallet.Posting) {
		w, p, _ := full.ExpireGrant(grants[0], now)
		return w, p
	}
	tests := map[string]struct {
		step   func() (wallet.Wallet, wallet.Posting)
		amount wallet.KRW
		want   wallet.Flow
	}{
		"capture":       {func() (wallet.Wallet, wallet.Posting) { return full.Capture(0, 1_800, grants, "c", now) }, 1_800, wallet.Flow{UsedFree: 700, UsedPaid: 1_000, UsedAccrual: 100}},
		"top-up":        {func() (wallet.Wallet, wallet.Posting) { return full.TopUp(1_000, 100, "p", now) }, 1_000, wallet.Flow{TopUps: 1_000, TopUpVAT: 100, TopUpOwed: 300}},
		"use":           {func() (wallet.Wallet, wallet.Posting) { return full.StartGrant(50, "g", now) }, 50, wallet.Flow{GrantedFree: 50}},
		"expiry":        {expire, 700, wallet.Flow{Expired: 700}},
		"paid gift":     {func() (wallet.Wallet, wallet.Posting) { return full.GivePaid(400, "g", now) }, 400, wallet.Flow{GrantedPaid: 400, GrantedOwed: 300}},
		"charge opened": {func() (wallet.Wallet, wallet.Posting) { return full.OpenCharge(300, "c", now) }, 300, wallet.Flow{ChargesOpened: 300}},
		"charge paid":   {func() (wallet.Wallet, wallet.Posting) { return full.PayCharge(200, 20, "c", now) }, 200, wallet.Flow{ChargesPaid: 200, ChargeVAT: 20}},
		"charge failed": {func() (wallet.Wallet, wallet.Posting) { return full.FailCharge(200, "c", now) }, 200, wallet.Flow{ChargesFailed: 200}},
		"refund opened": {func() (wallet.Wallet, wallet.Posting) { return full.OpenRefund(600, "r", now) }, 600, wallet.Flow{RefundsOpened: 600}},
		"refund":        {func() (wallet.Wallet, wallet.Posting) { return full.PayRefund(95, 9, "r", now) }, 95, wallet.Flow{Refunded: 95, RefundVAT: 9}},
		"refund failed": {func() (wallet.Wallet, wallet.Posting) { return full.FailRefund(100, "r", now) }, 100, wallet.Flow{RefundsFailed: 100}},
		"another":       {corrected(full, wallet.Posting{Charging: -15, Accrual: 15}), 15, wallet.Flow{Other: wallet.Balances{Charging: 15, Accrual: -15}}},
		// Corrections are what they correct.
		"used, not captured": {corrected(full, wallet.Posting{Free: -5, Paid: -10, Accrual: -15, Revenue: 30}), 30, wallet.Flow{UsedFree: 5, UsedPaid: 10, UsedAccrual: 15}},
		"captured, not used": {corrected(full, wallet.Posting{Free: 5, Paid: 10, Accrual: 15, Promotion: 30, Revenue: -60}), 60, wallet.Flow{UsedFree: -35, UsedPaid: -10, UsedAccrual: -15, Expired: 30}},
		"paid, not posted":   {corrected(full, wallet.Posting{Paid: 100, Accrual: 50, VAT: 15, Clearing: -165}), 150, wallet.Flow{TopUps: 150, TopUpOwed: 50, TopUpVAT: 15}},
		"posted, not paid":   {corrected(full, wallet.Posting{Paid: -100, Accrual: -50, VAT: -15, Clearing: 165}), 150, wallet.Flow{TopUps: -150, TopUpOwed: -50, TopUpVAT: -15}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			after, p := tt.step()
			if got := full.Balances().Plus(p.Change()); got != after.Balances() {
				t.Errorf("balances with the posting's change = %+v, want those of the wallet %+v", got, after.Balances())
			}
			if got := after.Balances().Minus(p.Change()); got != full.Balances() {
				t.Errorf("balances without the posting's change = %+v, want those before %+v", got, full.Balances())
			}
			got := wallet.Flow{}.Add(p)
			if got != tt.want || got.Change() != p.Change() {
				t.Errorf("flow = %+v that changes %+v, want %+v and %+v", got, got.Change(), tt.want, p.Change())
			}
			if twice := got.Plus(got); twice != (wallet.Flow{}).Add(p).Add(p) || twice.Used() != 2*got.Used() {
				t.Errorf("the flow twice = %+v, want that of two postings", twice)
			}
			if p.Amount() != tt.amount {
				t.Errorf("Amount() = %d, want %d", p.Amount(), tt.amount)
			}
		})
	}
	if got := (wallet.Flow{UsedFree: 5, UsedPaid: 30, UsedAccrual: 40}).Invoiceable(); got != 70 {
		t.Errorf("Invoiceable() = %d, want 70: free cash is not invoiced", got)
	}
}

// corrected is a wallet with a posting that no rule here makes.
func corrected(w wallet.Wallet, p wallet.Posting) func() (wallet.Wallet, wallet.Posting) {
	p.Kind = wallet.Correction
	w.Free, w.Paid, w.Refunding, w.Accrual, w.Charging = w.Free+p.Free, w.Paid+p.Paid, w.Refunding+p.Refunding, w.Accrual-p.Accrual, w.Charging-p.Charging
	return func() (wallet.Wallet, wallet.Posting) { return w, p }
}

// What a correction is in a history depends on what it does.
func TestInHistory_corrections(t *testing.T) {
	for want, p := range map[wallet.HistoryKind]wallet.Posting{
		wallet.HistoryConsumption: {Paid: -15, Revenue: 15},
		wallet.HistoryRestitution: {Paid: 15, Revenue: -15},
		wallet.HistoryTopUp:       {Paid: 10, VAT: 1, Clearing: -11},
		wallet.HistoryRefund:      {Paid: -10, VAT: -1, Clearing: 11},
	} {
		p.Kind = wallet.Correction
		if got := p.InHistory(); got != want {
			t.Errorf("InHistory() of %+v = %s, want %s", p, got, want)
		}
	}
}
