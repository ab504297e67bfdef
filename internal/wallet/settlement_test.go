package wallet_test

import (
	"testing"
	"time"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/wallet"
)

func korea(text string) time.Time {
	t, err := time.ParseInLocation("2006-01-02 15:04:05.999", text, clock.Seoul)
	if err != nil {
		panic(err)
	}
	return t
}

func TestSettlement_Moment(t *testing.T) {
	tests := map[string]struct {
		policy   wallet.Policy
		at, want string
	}{
		"no policy is daily":            {"", "2026-11-24 12:00:00", "2026-11-24 00:00:00"},
		"daily at midnight":             {wallet.ThresholdOrDaily, "2026-11-24 00:00:00", "2026-11-24 00:00:00"},
		"daily just before":             {wallet.ThresholdOrDaily, "2026-11-23 23:59:59.999", "2026-11-23 00:00:00"},
		"daily at the end of a year":    {wallet.ThresholdOrDaily, "2027-01-01 00:00:01", "2027-01-01 00:00:00"},
		"monthly within a month":        {wallet.ThresholdOrMonthEnd, "2026-11-24 12:00:00", "2026-11-01 00:00:00"},
		"monthly just before its end":   {wallet.ThresholdOrMonthEnd, "2026-11-30 23:59:59.999", "2026-11-01 00:00:00"},
		"monthly at its end":            {wallet.ThresholdOrMonthEnd, "2026-12-01 00:00:00", "2026-12-01 00:00:00"},
		"monthly at the end of a year":  {wallet.ThresholdOrMonthEnd, "2027-01-01 00:00:00", "2027-01-01 00:00:00"},
		"monthly on a leap day":         {wallet.ThresholdOrMonthEnd, "2028-02-29 23:59:59.999", "2028-02-01 00:00:00"},
		"monthly on the day after that": {wallet.ThresholdOrMonthEnd, "2028-03-01 00:00:00", "2028-03-01 00:00:00"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := wallet.Settlement{Policy: tt.policy}.Moment(korea(tt.at))
			if !got.Equal(korea(tt.want)) {
				t.Errorf("Moment(%s) = %s, want %s", tt.at, got.In(clock.Seoul), tt.want)
			}
		})
	}
}

func TestWallet_Due_inTurn(t *testing.T) {
	spread := wallet.Settlement{Threshold: 500_000, Spread: 10 * time.Minute}
	yesterday := clock.Midnight(korea("2026-11-23 12:00:00"))
	owing := func(place int) wallet.Wallet {
		return wallet.Wallet{PaymentState: wallet.Active, Settlement: spread, Place: place, Accrual: 1_500, AccrualDay: yesterday}
	}
	unpaid := owing(wallet.Places - 1)
	unpaid.PaymentState = wallet.Unpaid
	much := owing(wallet.Places - 1)
	much.Accrual = 500_000
	today := owing(wallet.Places / 2)
	today.Accrual, today.AccrualOld, today.AccrualDay = 1_515, 1_500, clock.Midnight(korea("2026-11-24 00:00:01"))
	tests := map[string]struct {
		wallet wallet.Wallet
		at     string
		want   wallet.KRW
	}{
		"nobody's turn has come at midnight":     {owing(0), "2026-11-24 00:00:00", 0},
		"the first one's has a moment later":     {owing(0), "2026-11-24 00:00:00.010", 1_500},
		"half of them wait for half the time":    {owing(wallet.Places / 2), "2026-11-24 00:05:00", 0},
		"and not longer":                         {owing(wallet.Places / 2), "2026-11-24 00:05:00.010", 1_500},
		"the last one waits for all of it":       {owing(wallet.Places - 1), "2026-11-24 00:09:59", 0},
		"and then everybody's turn has come":     {owing(wallet.Places - 1), "2026-11-24 00:10:00", 1_500},
		"the threshold does not wait":            {much, "2026-11-24 00:00:00", 500_000},
		"an unpaid wallet does not wait":         {unpaid, "2026-11-24 00:00:00", 1_500},
		"use of the new day changes no turn":     {today, "2026-11-24 00:04:00", 0},
		"and is not charged with the day before": {today, "2026-11-24 00:06:00", 1_500},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := tt.wallet.Due(korea(tt.at)); got != tt.want {
				t.Errorf("Due(%s) = %d, want %d", tt.at, got, tt.want)
			}
		})
	}
}

// Places spread evenly enough that a minute of ten takes about a tenth of the wallets.
func TestPlace(t *testing.T) {
	const wallets, parts = 10_000, 10
	var count [parts]int
	for i := range wallets {
		id := "wal_01JD" + string(rune('A'+i%26)) + time.Unix(int64(i), 0).UTC().Format("150405.000000")
		place := wallet.Place(id)
		if place < 0 || place >= wallet.Places || place != wallet.Place(id) {
			t.Fatalf("Place(%s) = %d, want always the same below %d", id, place, wallet.Places)
		}
		count[place*parts/wallet.Places]++
	}
	for i, n := range count {
		if n < wallets/parts*7/10 || n > wallets/parts*13/10 {
			t.Errorf("part %d of %d has %d of %d wallets, want about %d", i, parts, n, wallets, wallets/parts)
		}
	}
}
