package templates_test

import (
	"strings"
	"time"

	"github.com/malgil/malgil/internal/notice"
)

// init adds mails about cash that the platform gave.
func init() {
	at := midnight.Add(11 * time.Hour)
	extremes["free cash with a long reason"] = notice.FreeCashGranted{
		WalletName: strings.Repeat("가나다라마바사", 12), Amount: 1 << 50, Reason: "<b>" + strings.Repeat("아주긴이유", 40) + "\r\n■ 가짜 안내",
		GrantedAt: at, ExpiresAt: at.AddDate(10, 0, 0), Path: "/w",
	}
	extremes["paid cash with everything large"] = notice.PaidCashGranted{
		WalletName: strings.Repeat("LongName", 12), Amount: 1 << 50, Reason: strings.Repeat("W", 200), Settled: 1 << 49, Balance: 1 << 50,
		GrantedAt: at, Reconnect: true, Path: "/w",
	}
	extremes["free cash that ends with a hostile reason"] = notice.FreeCashExpiring{
		WalletName: strings.Repeat("가나다라마바사", 12), Amount: 1 << 50, Granted: 1 << 51, Reason: "<b>" + strings.Repeat("아주긴이유", 40) + "\r\n■ 가짜 안내",
		ExpiresAt: at.AddDate(10, 0, 0), Today: true, Path: "/w",
	}
	extremes["low balance of a hostile broadcast"] = notice.LowBalance{
		WalletName: strings.Repeat("LongName", 12), Broadcast: "</h1><script>" + strings.Repeat("긴이름", 60) + "\r\nBcc: thief@example.com",
		People: 1 << 40, Cost: 1 << 50, Spendable: -5, Balance: 1 << 40, HasCard: true, Path: "/w",
	}
	extremes["invoice with everything long"] = notice.InvoiceIssued{
		WalletName: strings.Repeat("가나다라마바사", 12), Month: at, Amount: notice.Amount{Supply: 1 << 50, VAT: 1 << 47, Total: 1<<50 + 1<<47},
		Number: "12345", Company: strings.Repeat("주식회사", 40) + "<img src=x>", SentTo: strings.Repeat("a", 240) + "@example.com",
		ApprovalNumber: strings.Repeat("7", 60), Amended: true, Why: strings.Repeat("W", 200), IssuedAt: at, Path: "/w",
	}
	extremes["failed invoice with everything long"] = notice.InvoiceFailed{
		WalletName: strings.Repeat("LongName", 12), Month: at, Amount: owed, Number: strings.Repeat("9", 80),
		Reason: "<a href=javascript:alert(1)>" + strings.Repeat("아주긴이유", 40), Deadline: at, FailedAt: at, Path: "/w",
	}
}
