package wallet_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/wallet"
)

func TestPrices_At(t *testing.T) {
	newYear := time.Date(2027, 1, 1, 0, 0, 0, 0, clock.Seoul)
	list := wallet.Prices{{Item: wallet.EventMessage, KRW: 15}, {Item: wallet.EventMessage, KRW: 17, ValidFrom: newYear}}
	tests := map[string]struct {
		at   time.Time
		want wallet.KRW
	}{
		"long ago":                    {time.Unix(1, 0), 15},
		"the last moment of the year": {newYear.Add(-time.Millisecond), 15},
		"the first of the next":       {newYear, 17},
		"later":                       {newYear.AddDate(1, 0, 0), 17},
	}
	for name, tt := range tests {
		if got, known := list.At(wallet.EventMessage, tt.at); !known || got.KRW != tt.want {
			t.Errorf("%s: At = %+v, %v, want %d", name, got, known, tt.want)
		}
	}
	if got, known := list.At("fax", newYear); known {
		t.Errorf("At(fax) = %+v, want none", got)
	}
}

// priceStore remembers what it is told to keep.
type priceStore []wallet.Price

func (s *priceStore) PutPrice(_ context.Context, p wallet.Price) error {
	*s = append(*s, p)
	return nil
}

func TestPriceSetter_Set(t *testing.T) {
	tests := map[string]struct {
		item      wallet.Item
		price     wallet.KRW
		validFrom string
		field     string // at fault, or empty
	}{
		"tomorrow":           {wallet.EventMessage, 16, "2026-11-25", ""},
		"for nothing":        {wallet.EventMessage, 0, "2028-02-29", ""},
		"today":              {wallet.EventMessage, 16, "2026-11-24", "valid_from"},
		"no such day":        {wallet.EventMessage, 16, "2027-02-29", "valid_from"},
		"a time":             {wallet.EventMessage, 16, "2026-11-25T00:00:00Z", "valid_from"},
		"less than nothing":  {wallet.EventMessage, -1, "2026-11-25", "price_krw"},
		"a slip of the hand": {wallet.EventMessage, 15_000, "2026-11-25", "price_krw"},
		"another thing":      {"chat", 1, "2026-11-25", "item"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := &priceStore{}
			p, err := wallet.NewPriceSetter(s, func() time.Time { return noon }).Set(t.Context(), tt.item, tt.price, tt.validFrom)
			var f *fault.Error
			switch {
			case tt.field == "" && (err != nil || len(*s) != 1 || (*s)[0] != p || clock.Midnight(p.ValidFrom) != p.ValidFrom):
				t.Errorf("Set(%s) = %+v, %v, stored %v, want it from 00:00 in Korea", tt.validFrom, p, err, *s)
			case tt.field != "" && (!errors.As(err, &f) || f.Field != tt.field || len(*s) != 0):
				t.Errorf("Set(%s) = %v, stored %v, want Invalid %s", tt.validFrom, err, *s, tt.field)
			}
		})
	}
}

func TestWallet_Forecast(t *testing.T) {
	card := wallet.Wallet{PaymentState: wallet.Active, HasCard: true, DailyLimit: 10_000, Limits: limits}
	with := func(change func(*wallet.Wallet)) wallet.Wallet {
		w := card
		change(&w)
		return w
	}
	midnight := clock.NextMidnight(noon)
	tests := map[string]struct {
		wallet              wallet.Wallet
		people, now         int
		err                 error
		until               time.Time
		free, paid, accrual wallet.KRW // afterwards
	}{
		"free, paid and card in one": {with(func(w *wallet.Wallet) { w.Free, w.Paid = 100, 1000 }), 100, 100, nil, time.Time{}, 0, 0, 400},
		"cash alone":                 {wallet.Wallet{Free: 20, Paid: 1480, PaymentState: wallet.Active}, 100, 100, nil, time.Time{}, 0, 0, 0},
		"one won short":              {wallet.Wallet{Paid: 1499, PaymentState: wallet.Active}, 100, 0, wallet.ErrInsufficientFunds, time.Time{}, 0, 1499, 0},
		"people go by the hundred":   {wallet.Wallet{Paid: 4000, PaymentState: wallet.Active}, 300, 200, wallet.ErrInsufficientFunds, time.Time{}, 0, 1000, 0},
		"to the daily limit":         {card, 1000, 600, wallet.ErrDailyLimit, midnight, 0, 0, 9000},
		"cash goes beyond the limit": {with(func(w *wallet.Wallet) { w.Paid = 100_000 }), 7000, 7000, nil, time.Time{}, 0, 0, 5000},
		"the limit is used up": {with(func(w *wallet.Wallet) {
			w.Accrual, w.Accrued, w.AccrualDay = 10_000, 10_000, clock.Midnight(noon)
		}), 1, 0, wallet.ErrDailyLimit, midnight, 0, 0, 10_000},
		"it was used up yesterday": {with(func(w *wallet.Wallet) {
			w.Accrual, w.Accrued, w.AccrualDay = 10_000, 10_000, clock.Midnight(noon).Add(-24*time.Hour)
		}), 1, 1, nil, time.Time{}, 0, 0, 10_015},
		"what is held is not there": {wallet.Wallet{Paid: 3000, Held: 1501, PaymentState: wallet.Active}, 100, 0, wallet.ErrInsufficientFunds, time.Time{}, 0, 3000, 0},
		"stopped":                   {wallet.Wallet{Paid: 3000, Status: wallet.Stopped}, 100, 0, wallet.ErrStopped, time.Time{}, 0, 3000, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := tt.wallet.Forecast(tt.people, 100, 15, noon)
			if f.People != tt.now || !errors.Is(f.Err, tt.err) || !f.Until.Equal(tt.until) {
				t.Errorf("Forecast(%d) = %d people, %v, until %v; want %d, %v, %v", tt.people, f.People, f.Err, f.Until, tt.now, tt.err, tt.until)
			}
			if f.After.Free != tt.free || f.After.Paid != tt.paid || f.After.Accrual != tt.accrual {
				t.Errorf("Forecast(%d) leaves %d, %d, %d; want %d, %d, %d", tt.people, f.After.Free, f.After.Paid, f.After.Accrual, tt.free, tt.paid, tt.accrual)
			}
		})
	}
	if f := card.Forecast(10_000_000, 100, 0, noon); f.Err != nil || f.People != 10_000_000 {
		t.Errorf("Forecast for nothing = %+v, want everybody", f)
	}
	short := wallet.Wallet{Paid: 100, Held: 300, PaymentState: wallet.Active} // a limit was lowered below what is held
	if f := short.Forecast(100, 100, 0, noon); !errors.Is(f.Err, wallet.ErrInsufficientFunds) || f.People != 0 {
		t.Errorf("Forecast for nothing of a wallet that has less than it holds = %+v, want nobody", f)
	}
}
