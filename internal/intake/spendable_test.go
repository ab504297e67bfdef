package intake

import (
	"testing"
	"time"

	"github.com/malgil/malgil/internal/store"
	"github.com/malgil/malgil/internal/wallet"
)

// What a wallet's answer calls spendable is what a broadcast could take aside now.
func TestSpendable(t *testing.T) {
	now := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	rich := wallet.Wallet{Status: wallet.InUse, PaymentState: wallet.Active, Paid: 3000, Held: 1500}
	tests := map[string]struct {
		change func(*wallet.Wallet)
		want   wallet.KRW
	}{
		"pays":               {func(*wallet.Wallet) {}, 1500},
		"holds all of it":    {func(w *wallet.Wallet) { w.Held = 3000 }, 0},
		"holds more":         {func(w *wallet.Wallet) { w.Held = 3001 }, 0},
		"unpaid":             {func(w *wallet.Wallet) { w.PaymentState = wallet.Unpaid }, 0},
		"awaiting reconnect": {func(w *wallet.Wallet) { w.PaymentState = wallet.AwaitingReconnect }, 0},
		"stopped":            {func(w *wallet.Wallet) { w.Status = wallet.Stopped }, 0},
		"suspended":          {func(w *wallet.Wallet) { w.Status = wallet.Suspended }, 0},
	}
	s := &Server{config: Config{Now: func() time.Time { return now }}}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := rich
			tt.change(&w)
			if got := s.viewWallet(store.WalletView{Wallet: w}).Balance.Spendable; got != tt.want {
				t.Errorf("spendable_krw of a wallet that %s = %d, want %d", name, got, tt.want)
			}
			if _, err := w.Hold(tt.want+1, now); err == nil && w.Check() == nil {
				t.Errorf("Hold(%d) of it works, want no more than is spendable", tt.want+1)
			}
		})
	}
}
