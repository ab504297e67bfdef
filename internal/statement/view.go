// Package statement shows what became of a wallet over time: a day as JSON, a month as JSON, as
// CSV and as a workbook for Excel. It computes nothing: amounts are those of the ledger.
package statement

import (
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/store"
	"github.com/malgil/malgil/internal/wallet"
)

// Balances is what a wallet has and owes.
type Balances struct {
	Free      wallet.KRW `json:"free_krw"`
	Paid      wallet.KRW `json:"paid_krw"`
	Refunding wallet.KRW `json:"refunding_krw" doc:"Paid cash on its way back to the payer"`
	Accrual   wallet.KRW `json:"accrual_krw" doc:"Used and not paid yet"`
	Charging  wallet.KRW `json:"charging_krw" doc:"The part of it that a card is being asked for"`
}

// ViewBalances shows balances.
func ViewBalances(b wallet.Balances) Balances { return Balances(b) }

// Flow is what moved in a wallet.
type Flow struct {
	Messages int64      `json:"messages" doc:"Delivered and paid for"`
	Consumed Consumed   `json:"consumed"`
	ToppedUp ToppedUp   `json:"topped_up"`
	Granted  Granted    `json:"granted" doc:"Cash that the platform gave"`
	Expired  wallet.KRW `json:"expired_krw" doc:"Free cash that vanished"`
	Charges  Charges    `json:"charges" doc:"What cards were asked for"`
	Refunds  Refunds    `json:"refunds"`
}

// Consumed is the consumption by what paid for it.
type Consumed struct {
	Free    wallet.KRW `json:"free_krw"`
	Paid    wallet.KRW `json:"paid_krw"`
	Accrual wallet.KRW `json:"accrual_krw"`
	All     wallet.KRW `json:"all_krw"`
}

// ToppedUp is money that came in.
type ToppedUp struct {
	Supply wallet.KRW `json:"supply_krw"`
	VAT    wallet.KRW `json:"vat_krw"`
	Owed   wallet.KRW `json:"owed_krw" doc:"The part of supply_krw that paid the accrual"`
}

// Granted is cash that the platform gave.
type Granted struct {
	Free wallet.KRW `json:"free_krw" doc:"Free cash that began to count"`
	Paid wallet.KRW `json:"paid_krw"`
	Owed wallet.KRW `json:"owed_krw" doc:"The part of paid_krw that paid the accrual"`
}

// Charges is what cards were asked for.
type Charges struct {
	Opened wallet.KRW `json:"opened_krw"`
	Paid   wallet.KRW `json:"paid_krw"`
	VAT    wallet.KRW `json:"vat_krw" doc:"On paid_krw"`
	Failed wallet.KRW `json:"failed_krw" doc:"Accrual again"`
}

// Refunds is paid cash that goes back.
type Refunds struct {
	Opened   wallet.KRW `json:"opened_krw"`
	Returned wallet.KRW `json:"returned_krw"`
	VAT      wallet.KRW `json:"vat_krw" doc:"That went back with returned_krw"`
	Failed   wallet.KRW `json:"failed_krw" doc:"Paid cash again"`
}

func viewFlow(f wallet.Flow) Flow {
	return Flow{
		Messages: f.Messages,
		Consumed: Consumed{Free: f.UsedFree, Paid: f.UsedPaid, Accrual: f.UsedAccrual, All: f.Used()},
		ToppedUp: ToppedUp{Supply: f.TopUps, VAT: f.TopUpVAT, Owed: f.TopUpOwed},
		Granted:  Granted{Free: f.GrantedFree, Paid: f.GrantedPaid, Owed: f.GrantedOwed},
		Expired:  f.Expired,
		Charges:  Charges{Opened: f.ChargesOpened, Paid: f.ChargesPaid, VAT: f.ChargeVAT, Failed: f.ChargesFailed},
		Refunds:  Refunds{Opened: f.RefundsOpened, Returned: f.Refunded, VAT: f.RefundVAT, Failed: f.RefundsFailed},
	}
}

// Day is one day in Korea.
type Day struct {
	Day     string   `json:"day" doc:"In Korea, as 2026-11-24"`
	SoFar   bool     `json:"so_far,omitempty" doc:"It has not ended"`
	Opening Balances `json:"opening"`
	Flow
	Closing Balances `json:"closing"`
}

// ViewDay shows a day as it stands now.
func ViewDay(d wallet.DaySummary, now time.Time) Day {
	return Day{
		Day: day(d.Start), SoFar: now.Before(clock.NextMidnight(d.Start)),
		Opening: ViewBalances(d.Opening), Flow: viewFlow(d.Flow), Closing: ViewBalances(d.Closing),
	}
}

// Invoice is what a tax invoice on a month says.
type Invoice struct {
	Supply wallet.KRW `json:"supply_krw" doc:"Consumption without free cash"`
	VAT    wallet.KRW `json:"vat_krw" doc:"Rounded once"`
	Total  wallet.KRW `json:"total_krw"`
}

// invoiceOf may be below 0: where more came back by corrections than was used.
func invoiceOf(f wallet.Flow) Invoice {
	supply := f.Invoiceable()
	vat := wallet.VAT(supply)
	return Invoice{Supply: supply, VAT: vat, Total: supply + vat}
}

// Broadcast is what one broadcast used in a month.
type Broadcast struct {
	ID       broadcast.ID   `json:"id"`
	Name     string         `json:"name,omitempty"`
	Bot      string         `json:"bot,omitempty"`
	BotName  string         `json:"bot_name,omitempty"`
	Channel  broadcast.Side `json:"channel,omitempty"`
	Month    string         `json:"month" doc:"In which the messages were captured"`
	First    time.Time      `json:"first_captured_at"`
	Last     time.Time      `json:"last_captured_at"`
	Messages int64          `json:"messages"`
	Price    wallet.KRW     `json:"price_krw"`
	Supply   wallet.KRW     `json:"supply_krw"`
	Free     wallet.KRW     `json:"free_krw" doc:"The part of supply_krw that free cash paid"`
}

func viewBroadcast(l store.BroadcastLine, month string) Broadcast {
	return Broadcast{ID: l.ID, Name: l.Name, Bot: l.BotID, BotName: l.Bot, Channel: l.Side, Month: month, First: l.First, Last: l.Last,
		Messages: l.Messages, Price: l.Price, Supply: l.Used, Free: l.Free}
}

// Head is a statement without its lines.
type Head struct {
	Wallet struct {
		ID             string            `json:"id"`
		Name           string            `json:"name"`
		Kind           access.WalletKind `json:"kind"`
		BusinessNumber string            `json:"business_number,omitempty"`
	} `json:"wallet"`
	Month   string    `json:"month" doc:"In Korea, as 2026-11"`
	From    string    `json:"from"`
	To      string    `json:"to"`
	SoFar   time.Time `json:"so_far,omitzero" doc:"Up to when, where the month has not ended"`
	Opening Balances  `json:"opening"`
	Totals  Flow      `json:"totals"`
	Invoice Invoice   `json:"invoice" doc:"What a tax invoice on the month says"`
	Closing Balances  `json:"closing"`
	Days    []Day     `json:"days" nullable:"false"`
}

// Statement is a statement as JSON has it.
type Statement struct {
	Head
	Broadcasts []Broadcast `json:"broadcasts" nullable:"false"`
}

func viewHead(st store.Statement) Head {
	h := Head{
		Month: clock.Month(st.Month), From: day(st.Month), To: day(lastDay(st)), SoFar: st.SoFar,
		Opening: ViewBalances(st.Opening), Totals: viewFlow(st.Total), Invoice: invoiceOf(st.Total), Closing: ViewBalances(st.Closing),
		Days: make([]Day, 0, len(st.Days)),
	}
	h.Wallet.ID, h.Wallet.Name, h.Wallet.Kind, h.Wallet.BusinessNumber = st.Wallet.ID, st.Wallet.Name, st.Wallet.Kind, st.Wallet.BusinessNumber
	for _, d := range st.Days {
		h.Days = append(h.Days, ViewDay(d, now(st)))
	}
	return h
}

// now is up to when a statement goes.
func now(st store.Statement) time.Time {
	if st.SoFar.IsZero() {
		return clock.NextMonth(st.Month)
	}
	return st.SoFar
}

// lastDay is the last day of the month, or the last one that has begun.
func lastDay(st store.Statement) time.Time { return st.Days[len(st.Days)-1].Start }

func day(t time.Time) string { return t.In(clock.Seoul).Format(time.DateOnly) }
