package templates_test

import (
	"strings"
	"time"

	"github.com/malgil/malgil/internal/notice"
)

// refunds are mails of refunds that the golden files hold.
func init() {
	mails["refund_done"] = notice.RefundDone{
		WalletName: "한빛서점", Amount: notice.Amount{Supply: 100000, VAT: 10000, Total: 110000}, Balance: 540773,
		DoneAt: midnight.Add(11 * time.Hour), Path: "/console/wallets/wal_01JD9Z6Q3M",
		Ways: []notice.RefundWay{{Method: "카카오페이 결제 취소", PaidAt: midnight.Add(-40 * time.Hour), Total: 110000}},
	}
	mails["refund_done_partly"] = notice.RefundDone{
		WalletName: "한빛서점", Amount: notice.Amount{Supply: 150000, VAT: 15000, Total: 165000}, Kept: 50000, Balance: 50000,
		DoneAt: midnight.Add(11 * time.Hour), Path: "/console/wallets/wal_01JD9Z6Q3M",
		Ways: []notice.RefundWay{
			{Method: "카카오페이 결제 취소", PaidAt: midnight.Add(-40 * time.Hour), Total: 110000},
			{Method: "계좌 이체 한빛은행 ********5678", PaidAt: midnight.Add(-90 * time.Hour), Total: 55000},
		},
	}
	extremes["refund with hostile ways"] = notice.RefundDone{
		WalletName: "<b>한빛</b>", Amount: owed, Kept: 1, Balance: 1, DoneAt: midnight, Path: "/w",
		Ways: []notice.RefundWay{{Method: "계좌 이체 <script>\r\n\u202e 1234" + strings.Repeat("긴이름", 30), PaidAt: midnight, Total: 1 << 50}},
	}
}
