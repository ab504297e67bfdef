package notice

import (
	"time"

	"github.com/malgil/malgil/internal/wallet"
)

// The cases of cash that the platform gives (유/무상캐시 지급 안내).
const (
	CaseFreeCashGranted Case = "free_cash_granted" // 무상캐시 지급 안내
	CasePaidCashGranted Case = "paid_cash_granted" // 유상캐시 지급 안내
)

// FreeCashGranted is free cash that the platform gave. It does not count until somebody presses use.
type FreeCashGranted struct {
	WalletName string     `json:"wallet_name"`
	Amount     wallet.KRW `json:"amount_krw"`
	Reason     string     `json:"reason"`
	GrantedAt  time.Time  `json:"granted_at"`
	ExpiresAt  time.Time  `json:"expires_at"` // the end of its last day
	Path       string     `json:"path"`
}

// LastDay returns a moment of the last day on which the cash can be used.
func (d FreeCashGranted) LastDay() time.Time { return d.ExpiresAt.Add(-time.Second) }

// PaidCashGranted is paid cash that the platform gave. It counts at once.
type PaidCashGranted struct {
	WalletName string     `json:"wallet_name"`
	Amount     wallet.KRW `json:"amount_krw"`
	Reason     string     `json:"reason"`
	Settled    wallet.KRW `json:"settled_krw,omitempty"` // the part that paid what was owed
	Balance    wallet.KRW `json:"balance_krw"`           // free and paid cash afterwards
	GrantedAt  time.Time  `json:"granted_at"`
	Reconnect  bool       `json:"reconnect,omitempty"` // as in TopUp
	Path       string     `json:"path"`
}

// Case returns [CaseFreeCashGranted].
func (FreeCashGranted) Case() Case { return CaseFreeCashGranted }

// Case returns [CasePaidCashGranted].
func (PaidCashGranted) Case() Case { return CasePaidCashGranted }
