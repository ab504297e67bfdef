package billing_test

import (
	"testing"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/wallet"
)

func TestResult_Posted(t *testing.T) {
	tests := map[string]struct {
		result billing.Result
		kind   wallet.PostingKind
		amount wallet.KRW
	}{
		"a charge was opened":      {billing.Result{Outcome: billing.Opened, Supply: 1500}, wallet.ChargeOpened, 1500},
		"a card paid a charge":     {billing.Result{Outcome: billing.Paid, Kind: billing.ChargeAttempt, Supply: 1500}, wallet.ChargePaid, 1500},
		"a payer topped up":        {billing.Result{Outcome: billing.Paid, Kind: billing.TopUpAttempt, Supply: 1500}, wallet.TopUp, 1500},
		"money nobody waited for":  {billing.Result{Outcome: billing.Late, Kind: billing.ChargeAttempt, Supply: 1500}, wallet.TopUp, 1500},
		"no card paid":             {billing.Result{Outcome: billing.AllFailed, Kind: billing.ChargeAttempt, Supply: 1500}, wallet.ChargeFailed, 1500},
		"the next card is asked":   {billing.Result{Outcome: billing.NextCard, Kind: billing.ChargeAttempt, Supply: 1500}, "", 0},
		"the outcome is not known": {billing.Result{Outcome: billing.InDoubt, Kind: billing.ChargeAttempt, Supply: 1500}, "", 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if kind, amount := tt.result.Posted(); kind != tt.kind || amount != tt.amount {
				t.Errorf("Posted() = %q, %d, want %q, %d", kind, amount, tt.kind, tt.amount)
			}
		})
	}
}
