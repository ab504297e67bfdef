package notice

import (
	"time"

	"github.com/malgil/malgil/internal/wallet"
)

// The cases of reminders. The names are stored.
const (
	CaseLowBalance       Case = "low_balance"        // 월렛 잔액부족 안내
	CaseFreeCashExpiring Case = "free_cash_expiring" // 무상캐시 만료 안내
)

// LowBalance is a wallet that cannot pay for the broadcast it has to send next.
type LowBalance struct {
	WalletName string     `json:"wallet_name"`
	Broadcast  string     `json:"broadcast"` // its name
	People     int64      `json:"people"`
	StartsAt   time.Time  `json:"starts_at,omitzero"` // zero for one that waits already
	Cost       wallet.KRW `json:"cost_krw"`           // supply value of what is still to send
	Spendable  wallet.KRW `json:"spendable_krw"`
	Balance    wallet.KRW `json:"balance_krw"` // free and paid cash
	HasCard    bool       `json:"has_card,omitempty"`
	Path       string     `json:"path"`
}

// Missing returns the supply value that is missing.
func (d LowBalance) Missing() wallet.KRW { return d.Cost - d.Spendable }

// FreeCashExpiring is free cash that vanishes soon if it is not used.
type FreeCashExpiring struct {
	WalletName string     `json:"wallet_name"`
	Amount     wallet.KRW `json:"amount_krw"` // what is left of it
	Granted    wallet.KRW `json:"granted_krw"`
	Reason     string     `json:"reason"`          // it was given for
	ExpiresAt  time.Time  `json:"expires_at"`      // the end of its last day
	Today      bool       `json:"today,omitempty"` // that is the end of this day
	Path       string     `json:"path"`
}

// LastDay returns a moment of the last day on which the cash can be used.
func (d FreeCashExpiring) LastDay() time.Time { return d.ExpiresAt.Add(-time.Second) }

// Case returns [CaseLowBalance].
func (LowBalance) Case() Case { return CaseLowBalance }

// Case returns [CaseFreeCashExpiring].
func (FreeCashExpiring) Case() Case { return CaseFreeCashExpiring }
