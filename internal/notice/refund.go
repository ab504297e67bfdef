package notice

import (
	"time"

	"github.com/malgil/malgil/internal/wallet"
)

// CaseRefundDone is the mail of a refund that went back (환불 완료 안내). The name is stored.
const CaseRefundDone Case = "refund_done"

// RefundDone is unused paid cash that went back to who paid it.
type RefundDone struct {
	WalletName string      `json:"wallet_name"`
	Amount     Amount      `json:"amount"`             // that went back
	Kept       wallet.KRW  `json:"kept_krw,omitempty"` // supply value that could not go back and is paid cash again
	Ways       []RefundWay `json:"ways"`
	Balance    wallet.KRW  `json:"balance_krw"` // free and paid cash afterwards
	DoneAt     time.Time   `json:"done_at"`
	Path       string      `json:"path"`
}

// RefundWay is how one payment went back.
type RefundWay struct {
	Method string     `json:"method"`  // "카카오페이 결제 취소"
	PaidAt time.Time  `json:"paid_at"` // when it had been paid
	Total  wallet.KRW `json:"total_krw"`
}

// Case returns [CaseRefundDone].
func (RefundDone) Case() Case { return CaseRefundDone }
