package templates_test

import (
	"strings"

	"github.com/malgil/malgil/internal/notice"
)

// init adds a mail of a refund.
func init() {
	extremes["refund with hostile ways"] = notice.RefundDone{
		WalletName: "<b>한빛</b>", Amount: owed, Kept: 1, Balance: 1, DoneAt: midnight, Path: "/w",
		Ways: []notice.RefundWay{{Method: "계좌 이체 <script>\r\n\u202e 1234" + strings.Repeat("긴이름", 30), PaidAt: midnight, Total: 1 << 50}},
	}
}
