package wallet_test

import (
	"errors"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/wallet"
)

var (
	noon   = time.Date(2026, 11, 24, 12, 0, 0, 0, clock.Seoul)
	limits = wallet.Limits{AccrualCap: 10_000_000}
)

func TestWallet_Hold(t *testing.T) {
	tests := map[string]struct {
		wallet  wallet.Wallet
		wantErr error
	}{
		"free and paid cash together":   {wallet: wallet.Wallet{Free: 500, Paid: 1000}},
		"one won short":                 {wallet: wallet.Wallet{Paid: 1499}, wantErr: wallet.ErrInsufficientFunds},
		"no cash, card up to its limit": {wallet: wallet.Wallet{HasCard: true, Limits: wallet.Limits{AccrualCap: 1500}}},
		"accrual uses up the room":      {wallet: wallet.Wallet{HasCard: true, Accrual: 1, Limits: wallet.Limits{AccrualCap: 1500}}, wantErr: wallet.ErrInsufficientFunds},
		"charging uses up the room":     {wallet: wallet.Wallet{HasCard: true, Charging: 1, Limits: wallet.Limits{AccrualCap: 1500}}, wantErr: wallet.ErrInsufficientFunds},
		"no card, no room":              {wallet: wallet.Wallet{Paid: 100, Limits: limits}, wantErr: wallet.ErrInsufficientFunds},
		"cash held by another chunk":    {wallet: wallet.Wallet{Paid: 1500, Held: 15}, wantErr: wallet.ErrInsufficientFunds},
		"daily limit used up today": {wallet: wallet.Wallet{HasCard: true, Limits: limits, DailyLimit: 2000,
			Accrued: 501, Accrual: 501, AccrualDay: clock.Midnight(noon)}, wantErr: wallet.ErrDailyLimit},
		"daily limit used up yesterday": {wallet: wallet.Wallet{HasCard: true, Limits: limits, DailyLimit: 1500,
			Accrued: 1500, Accrual: 1500, AccrualDay: clock.Midnight(noon.Add(-24 * time.Hour))}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := tt.wallet.Hold(1500, noon)
			if !errors.Is(err, tt.wantErr) {
				t.Fatalf("Hold(1500) error = %v, want %v", err, tt.wantErr)
			}
			want := tt.wallet.Held
			if err == nil {
				want += 1500
			}
			if got.Held != want {
				t.Errorf("Hold(1500) held = %d, want %d", got.Held, want)
			}
		})
	}
}

func TestWallet_Capture_order(t *testing.T) {
	grants := []wallet.Grant{{ID: "g1", Remaining: 10}, {ID: "g2", Remaining: 100}}
	w := wallet.Wallet{Free: 110, Paid: 3000, Held: 4500}
	got, p := w.Capture(4500, 4500, grants, "chunk", noon)
	if p.Free != -110 || p.Paid != -3000 || p.Accrual != -1390 || p.Revenue != 4500 || p.Sum() != 0 {
		t.Errorf("Capture(4500) = %+v, want 110 free, 3000 paid, 1390 accrual", p)
	}
	if got.Free != 0 || got.Paid != 0 || got.Accrual != 1390 || got.Held != 0 {
		t.Errorf("Capture(4500) left %+v, want only 1390 accrual", got)
	}
	if len(p.Grants) != 2 || p.Grants[0] != (wallet.GrantUse{GrantID: "g1", Amount: 10}) {
		t.Errorf("Capture(4500) used grants %v, want g1 first", p.Grants)
	}
}

func TestWallet_Due(t *testing.T) {
	today, yesterday := clock.Midnight(noon), clock.Midnight(noon.Add(-24*time.Hour))
	tests := map[string]struct {
		wallet wallet.Wallet
		want   wallet.KRW
	}{
		"today's, under the threshold": {wallet.Wallet{Accrual: 499_999, AccrualDay: today}, 0},
		"the threshold":                {wallet.Wallet{Accrual: 500_000, AccrualDay: today}, 500_000},
		"yesterday's":                  {wallet.Wallet{Accrual: 15, AccrualDay: yesterday}, 15},
		"yesterday's beside today's":   {wallet.Wallet{Accrual: 45, AccrualOld: 15, AccrualDay: today}, 15},
		"nothing":                      {wallet.Wallet{}, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.wallet.Settlement.Threshold = 500_000
			if got := tt.wallet.Due(noon); got != tt.want {
				t.Errorf("Due(noon) = %d, want %d", got, tt.want)
			}
		})
	}
}

func TestWallet_unpaidUntilNothingIsDue(t *testing.T) {
	w := wallet.Wallet{PaymentState: wallet.Unpaid, Accrual: 1000, AccrualDay: clock.Midnight(noon).Add(-24 * time.Hour)}
	partly, _ := w.TopUp(400, 40, "a", noon)
	if partly.PaymentState != wallet.Unpaid || partly.Accrual != 600 || partly.Paid != 0 {
		t.Errorf("TopUp(400) of 1000 due = %+v, want UNPAID with 600", partly)
	}
	whole, p := partly.TopUp(700, 70, "b", noon)
	if whole.PaymentState != wallet.AwaitingReconnect || whole.Accrual != 0 || whole.Paid != 100 || p.Sum() != 0 {
		t.Errorf("TopUp(700) of 600 due = %+v, want AWAITING_RECONNECT with 100 paid", whole)
	}
}
