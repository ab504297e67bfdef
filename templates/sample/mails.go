// Package sample holds mails and tax invoices of a shop that does not exist, in all their variants.
// The golden files and the previews show them.
package sample

import (
	"time"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/notice"
)

// Mail is one variant of a case.
type Mail struct {
	Name string // names its files: the case, and what is special about it
	Data notice.Data
}

const (
	shop   = "한빛서점"
	wallet = "/console/wallets/wal_01JD9Z6Q3M"
)

var (
	midnight = time.Date(2026, 11, 24, 0, 0, 3, 0, clock.Seoul).UTC()
	nextTry  = time.Date(2026, 11, 25, 0, 0, 0, 0, clock.Seoul).UTC()
	november = time.Date(2026, 11, 1, 0, 0, 0, 0, clock.Seoul).UTC()
	owed     = notice.Amount{Supply: 500000, VAT: 50000, Total: 550000}

	declined = notice.CardTry{Slot: 1, Number: "5365-10**-****-1234", Issuer: "신한카드", Outcome: notice.CardDeclined, Reason: "한도초과"}
	dormant  = notice.CardTry{Slot: 2, Number: "9410-02**-****-7781", Issuer: "국민카드", Outcome: notice.CardDormant}
	dead     = notice.CardTry{Slot: 3, Number: "4579-73**-****-0092", Issuer: "현대카드", Outcome: notice.CardDead, Reason: "등록이 해지된 카드입니다"}
	first    = notice.CardTry{Slot: 1, Number: "5365-10**-****-1234", Issuer: "신한카드", Outcome: notice.CardPaid}
	backup   = notice.CardTry{Slot: 2, Number: "9410-02**-****-7781", Issuer: "국민카드", Outcome: notice.CardPaid}
)

// Mails returns every case, in the order of the documentation, with its variants.
func Mails() []Mail {
	var all []Mail
	for _, some := range [][]Mail{balanceMails(), cashMails(), cardMails(), refundMails(), invoiceMails(), broadcastMails()} {
		all = append(all, some...)
	}
	return all
}

// balanceMails are about wallets that cannot pay, and about channels whose messages they pay for.
func balanceMails() []Mail {
	soon := notice.LowBalance{
		WalletName: shop, Broadcast: "가을 신간 안내", People: 12000, StartsAt: nextTry.Add(10 * time.Hour),
		Cost: 180000, Spendable: 64500, Balance: 64500, Path: wallet,
	}
	waiting := soon
	waiting.StartsAt, waiting.People, waiting.Cost, waiting.Spendable, waiting.Balance, waiting.HasCard = time.Time{}, 7700, 115500, 40, 40, true
	connected := notice.ChannelConnected{
		WalletName: shop, Bot: "한빛서점 챗봇", Channel: shop, ConnectedAt: midnight.Add(10 * time.Hour), Path: wallet,
	}
	development := connected
	development.Channel, development.Development = "한빛서점 시험", true
	return []Mail{
		{"low_balance", soon},
		{"low_balance_waiting", waiting},
		{"unpaid", notice.Unpaid{
			WalletName: shop, Due: owed, Bots: []string{"한빛서점 챗봇", "한빛서점 주문봇"}, Since: midnight, NextTryAt: nextTry, Path: wallet,
		}},
		{"channel_connected", connected},
		{"channel_connected_development", development},
	}
}

// cashMails are about cash that came or goes.
func cashMails() []Mail {
	at := midnight.Add(11 * time.Hour)
	expires := time.Date(2027, 1, 1, 0, 0, 0, 0, clock.Seoul).UTC()
	expiring := notice.FreeCashExpiring{WalletName: shop, Amount: 32000, Granted: 50000, Reason: "첫 이용 축하", ExpiresAt: expires, Path: wallet}
	today := expiring
	today.Today = true
	return []Mail{
		{"free_cash_granted", notice.FreeCashGranted{
			WalletName: shop, Amount: 50000, Reason: "첫 이용 축하", GrantedAt: at, ExpiresAt: expires, Path: wallet,
		}},
		{"paid_cash_granted", notice.PaidCashGranted{
			WalletName: shop, Amount: 30000, Reason: "발송 장애 보상", Balance: 130000, GrantedAt: at, Path: wallet,
		}},
		{"paid_cash_granted_ends_unpaid", notice.PaidCashGranted{
			WalletName: shop, Amount: 600000, Reason: "발송 장애 보상", Settled: 500000, Balance: 100000, GrantedAt: at, Reconnect: true, Path: wallet,
		}},
		{"free_cash_expiring", expiring},
		{"free_cash_expiring_today", today},
	}
}

// cardMails are about what cards paid or did not.
func cardMails() []Mail {
	return []Mail{
		{"auto_pay_success", notice.AutoPaySuccess{
			WalletName: shop, Amount: owed, PaidAt: midnight, Cards: []notice.CardTry{first}, Path: wallet + "/charges",
		}},
		{"auto_pay_success_backup", notice.AutoPaySuccess{
			WalletName: shop, Amount: owed, PaidAt: midnight, Cards: []notice.CardTry{declined, backup}, Reconnect: true, Path: wallet + "/charges",
		}},
		{"auto_pay_failure", notice.AutoPayFailure{
			WalletName: shop, Amount: owed, Cards: []notice.CardTry{declined, dormant, dead}, FailedAt: midnight, NextTryAt: nextTry, Path: wallet + "/cards",
		}},
		{"auto_pay_failure_one_card", notice.AutoPayFailure{
			WalletName: shop, Amount: owed, Cards: []notice.CardTry{declined}, FailedAt: midnight, NextTryAt: nextTry, Path: wallet + "/cards",
		}},
		{"long_term_failure", notice.LongTermFailure{
			WalletName: shop, Due: owed, Days: 5, Since: midnight, NextTryAt: nextTry.Add(5 * 24 * time.Hour), Path: wallet,
		}},
		{"topup", notice.TopUp{
			WalletName: shop, Amount: notice.Amount{Supply: 1122273, VAT: 112227, Total: 1234500}, Method: "카카오페이 신한카드",
			Balance: 1640773, PaidAt: midnight.Add(14*time.Hour + 5*time.Minute), Path: wallet,
		}},
		{"topup_ends_unpaid", notice.TopUp{
			WalletName: shop, Amount: notice.Amount{Supply: 600000, VAT: 60000, Total: 660000}, Method: "카카오페이 신한카드",
			Settled: 500000, Balance: 100000, PaidAt: midnight.Add(9 * time.Hour), Reconnect: true, Path: wallet,
		}},
	}
}

func refundMails() []Mail {
	cancelled := notice.RefundWay{Method: "카카오페이 결제 취소", PaidAt: midnight.Add(-40 * time.Hour), Total: 110000}
	return []Mail{
		{"refund_done", notice.RefundDone{
			WalletName: shop, Amount: notice.Amount{Supply: 100000, VAT: 10000, Total: 110000}, Balance: 540773,
			DoneAt: midnight.Add(11 * time.Hour), Path: wallet, Ways: []notice.RefundWay{cancelled},
		}},
		{"refund_done_partly", notice.RefundDone{
			WalletName: shop, Amount: notice.Amount{Supply: 150000, VAT: 15000, Total: 165000}, Kept: 50000, Balance: 50000,
			DoneAt: midnight.Add(11 * time.Hour), Path: wallet,
			Ways: []notice.RefundWay{cancelled, {Method: "계좌 이체 한빛은행 ********5678", PaidAt: midnight.Add(-90 * time.Hour), Total: 55000}},
		}},
	}
}
