package templates_test

import (
	"strings"
	"time"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/notice"
)

// init adds the mails about cash that the platform gave.
func init() {
	at := midnight.Add(11 * time.Hour)
	mails["free_cash_granted"] = notice.FreeCashGranted{
		WalletName: "한빛서점", Amount: 50000, Reason: "첫 이용 축하", GrantedAt: at, ExpiresAt: time.Date(2027, 1, 1, 0, 0, 0, 0, clock.Seoul).UTC(),
		Path: "/console/wallets/wal_01JD9Z6Q3M",
	}
	mails["paid_cash_granted"] = notice.PaidCashGranted{
		WalletName: "한빛서점", Amount: 30000, Reason: "발송 장애 보상", Balance: 130000, GrantedAt: at, Path: "/console/wallets/wal_01JD9Z6Q3M",
	}
	mails["paid_cash_granted_ends_unpaid"] = notice.PaidCashGranted{
		WalletName: "한빛서점", Amount: 600000, Reason: "발송 장애 보상", Settled: 500000, Balance: 100000, GrantedAt: at, Reconnect: true,
		Path: "/console/wallets/wal_01JD9Z6Q3M",
	}
	extremes["free cash with a long reason"] = notice.FreeCashGranted{
		WalletName: strings.Repeat("가나다라마바사", 12), Amount: 1 << 50, Reason: "<b>" + strings.Repeat("아주긴이유", 40) + "\r\n■ 가짜 안내",
		GrantedAt: at, ExpiresAt: at.AddDate(10, 0, 0), Path: "/w",
	}
	extremes["paid cash with everything large"] = notice.PaidCashGranted{
		WalletName: strings.Repeat("LongName", 12), Amount: 1 << 50, Reason: strings.Repeat("W", 200), Settled: 1 << 49, Balance: 1 << 50,
		GrantedAt: at, Reconnect: true, Path: "/w",
	}
}
