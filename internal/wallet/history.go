package wallet

import (
	"maps"
	"slices"
)

// HistoryKind is what an entry of a wallet's history (이용내역) is to its owner.
type HistoryKind string

// The kinds of entries of a history: the four of Kakao's cash management tab, and two for what it
// shows elsewhere.
const (
	HistoryTopUp       HistoryKind = "topup"       // 충전: cash came in, paid for or given
	HistoryConsumption HistoryKind = "consumption" // 소진: delivered messages were paid for
	HistoryRestitution HistoryKind = "restitution" // 환급: what had left the wallet came back to it
	HistoryRefund      HistoryKind = "refund"      // 환불: paid cash goes back to the payer
	HistoryCharge      HistoryKind = "charge"      // 자동결제: a card is asked for the accrual
	HistoryExpiry      HistoryKind = "expiry"      // 소멸: free cash vanished
)

// historyKinds says what each kind of posting is in a history, but for corrections, which are what
// they do. A hold that ends is no posting, so it is no restitution: nothing had left the wallet.
var historyKinds = map[PostingKind]HistoryKind{
	TopUp: HistoryTopUp, GrantStarted: HistoryTopUp, PaidGranted: HistoryTopUp,
	Capture:      HistoryConsumption,
	RefundFailed: HistoryRestitution,
	RefundOpened: HistoryRefund, Refund: HistoryRefund,
	ChargeOpened: HistoryCharge, ChargePaid: HistoryCharge, ChargeFailed: HistoryCharge,
	GrantExpired: HistoryExpiry,
}

// InHistory returns what a posting is in a history; empty for one that moves nothing of its owner's and
// is in none.
func (p Posting) InHistory() HistoryKind {
	kind, known := historyKinds[p.Kind]
	switch {
	case p.Kind == MonthRounded:
		return ""
	case known:
		return kind
	case p.Revenue > 0:
		return HistoryConsumption
	case p.Revenue < 0:
		return HistoryRestitution
	case p.Clearing < 0:
		return HistoryTopUp
	}
	return HistoryRefund
}

// Postings returns the kinds of postings that are of this kind in a history whatever they do, sorted;
// none for a word that is no kind.
func (k HistoryKind) Postings() []PostingKind {
	var kinds []PostingKind
	for _, posting := range slices.Sorted(maps.Keys(historyKinds)) {
		if historyKinds[posting] == k {
			kinds = append(kinds, posting)
		}
	}
	return kinds
}

// Balances is what a wallet has and owes at a moment, or a change of it.
type Balances struct {
	Free, Paid, Refunding KRW // what it has
	Accrual, Charging     KRW // what it owes
}

// Balances returns what the wallet has and owes.
func (w Wallet) Balances() Balances {
	return Balances{Free: w.Free, Paid: w.Paid, Refunding: w.Refunding, Accrual: w.Accrual, Charging: w.Charging}
}

// Plus returns balances after a change.
func (b Balances) Plus(c Balances) Balances {
	return Balances{Free: b.Free + c.Free, Paid: b.Paid + c.Paid, Refunding: b.Refunding + c.Refunding,
		Accrual: b.Accrual + c.Accrual, Charging: b.Charging + c.Charging}
}

// Minus returns balances before a change.
func (b Balances) Minus(c Balances) Balances {
	return Balances{Free: b.Free - c.Free, Paid: b.Paid - c.Paid, Refunding: b.Refunding - c.Refunding,
		Accrual: b.Accrual - c.Accrual, Charging: b.Charging - c.Charging}
}

// Cash is the total balance (총 캐시 잔액): started free cash and paid cash.
func (b Balances) Cash() KRW { return b.Free + b.Paid }

// Change returns what a posting, or a sum of postings, changes of the balances. What is owed grows
// by debits, so its legs change their sign.
func (p Posting) Change() Balances {
	return Balances{Free: p.Free, Paid: p.Paid, Refunding: p.Refunding, Accrual: -p.Accrual, Charging: -p.Charging}
}

// Amount returns the supply value that a posting is about, which is never negative: what came in,
// was used, charged, given back or lost.
func (p Posting) Amount() KRW {
	switch p.Kind {
	case Refund:
		return -p.Refunding // its other legs are VAT and money outside
	case MonthRounded:
		return max(p.Rounding, -p.Rounding) // it is about VAT alone
	}
	var amount KRW
	for _, leg := range []KRW{p.Free, p.Paid, p.Refunding, p.Accrual, p.Charging, p.Revenue, p.Promotion} {
		amount += max(leg, 0)
	}
	return max(amount, -(p.Paid + p.Accrual))
}
