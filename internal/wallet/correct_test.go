package wallet_test

import (
	"testing"
	"time"

	"github.com/malgil/malgil/internal/wallet"
)

// A correction moves the wallet by its legs, which sum to 0, and makes nothing negative.
func TestWallet_corrections(t *testing.T) {
	now := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	grant := []wallet.GrantUse{{GrantID: "grt_1", Amount: 40}}
	more := func(amount wallet.KRW) func(wallet.Wallet) (wallet.Wallet, wallet.Posting) {
		return func(w wallet.Wallet) (wallet.Wallet, wallet.Posting) {
			return w.CorrectUse(amount, []wallet.Grant{{ID: "grt_1", Remaining: w.Free}}, "r", now)
		}
	}
	back := func(amount wallet.KRW, used wallet.Used) func(wallet.Wallet) (wallet.Wallet, wallet.Posting) {
		return func(w wallet.Wallet) (wallet.Wallet, wallet.Posting) { return w.GiveBack(amount, used, "r", now) }
	}
	payment := func(total wallet.KRW) func(wallet.Wallet) (wallet.Wallet, wallet.Posting) {
		return func(w wallet.Wallet) (wallet.Wallet, wallet.Posting) { return w.CorrectPayment(total, "r", now) }
	}
	tests := map[string]struct {
		wallet  wallet.Wallet
		correct func(wallet.Wallet) (wallet.Wallet, wallet.Posting)
		want    wallet.Posting // its legs
	}{
		"more use: free, paid, accrual": {
			wallet.Wallet{Free: 10, Paid: 20}, more(45), wallet.Posting{Free: -10, Paid: -20, Accrual: -15, Revenue: 45}},
		"less use pays what is owed first": {
			wallet.Wallet{Accrual: 30, AccrualOld: 30}, back(45, wallet.Used{Cash: 100}), wallet.Posting{Accrual: 30, Paid: 15, Revenue: -45}},
		"less use: money before free cash": {
			wallet.Wallet{}, back(45, wallet.Used{Cash: 15, Free: 40, Grants: grant}), wallet.Posting{Paid: 15, Free: 30, Revenue: -45}},
		"free cash of a grant that is over is gone": {
			wallet.Wallet{}, back(45, wallet.Used{Free: 60}), wallet.Posting{Promotion: 45, Revenue: -45}},
		"part of it of a grant that counts": {
			wallet.Wallet{}, back(45, wallet.Used{Free: 60, Grants: grant}), wallet.Posting{Free: 40, Promotion: 5, Revenue: -45}},
		"no more than was used": {
			wallet.Wallet{}, back(45, wallet.Used{Cash: 10, Free: 5, Grants: grant}), wallet.Posting{Paid: 10, Free: 5, Revenue: -15}},
		"money came in": {
			wallet.Wallet{Accrual: 300}, payment(1_100), wallet.Posting{Accrual: 300, Paid: 700, VAT: 100, Clearing: -1_100}},
		"money went back, out of paid cash": {
			wallet.Wallet{Paid: 5_000}, payment(-1_100), wallet.Posting{Paid: -1_000, VAT: -100, Clearing: 1_100}},
		"and what is not there is owed": {
			wallet.Wallet{Paid: 400}, payment(-1_100), wallet.Posting{Paid: -400, Accrual: -600, VAT: -100, Clearing: 1_100}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			after, p := tt.correct(tt.wallet)
			tt.want.Kind, tt.want.Ref, tt.want.At = wallet.Correction, "r", now
			grants := p.Grants
			p.Grants = nil
			if p.Sum() != 0 || p.Kind != tt.want.Kind || p.Free != tt.want.Free || p.Paid != tt.want.Paid || p.Accrual != tt.want.Accrual ||
				p.Revenue != tt.want.Revenue || p.VAT != tt.want.VAT || p.Clearing != tt.want.Clearing || p.Promotion != tt.want.Promotion {
				t.Errorf("posting = %+v with sum %d, want %+v", p, p.Sum(), tt.want)
			}
			var byGrants wallet.KRW
			for _, g := range grants {
				byGrants -= g.Amount
			}
			if byGrants != p.Free {
				t.Errorf("grants move %d, the leg is %d", byGrants, p.Free)
			}
			before := tt.wallet
			if after.Free != before.Free+p.Free || after.Paid != before.Paid+p.Paid || after.Accrual != before.Accrual-p.Accrual {
				t.Errorf("wallet = %+v after legs %+v on %+v", after, p, before)
			}
			if after.Free < 0 || after.Paid < 0 || after.Accrual < 0 || after.AccrualOld > after.Accrual || after.AccrualOld < 0 {
				t.Errorf("wallet = %+v, want nothing negative", after)
			}
		})
	}
}
