package wallet

import "time"

// PostingKind names what a posting records. Stored names never change meaning.
type PostingKind string

// The kinds of postings.
const (
	Capture      PostingKind = "capture"       // delivered messages are paid for (소진)
	TopUp        PostingKind = "topup"         // money came in (충전)
	GrantStarted PostingKind = "grant_started" // free cash began to count (사용하기)
	ChargeOpened PostingKind = "charge_opened" // accrual moved to a charge
	ChargePaid   PostingKind = "charge_paid"   // a card paid it
	ChargeFailed PostingKind = "charge_failed" // it moved back to the accrual
	RefundOpened PostingKind = "refund_opened" // paid cash was taken aside for a refund
	Refund       PostingKind = "refund"        // a part of it went back to the payer (환불)
	RefundFailed PostingKind = "refund_failed" // a part of it moved back to paid cash
)

// PostingKinds lists every kind of posting.
var PostingKinds = []PostingKind{
	Capture, TopUp, GrantStarted, GrantExpired, PaidGranted, ChargeOpened, ChargePaid, ChargeFailed, RefundOpened, Refund, RefundFailed, Correction,
	MonthRounded,
}

// Posting is one entry of the ledger. Its legs are fields: an amount is a credit when positive
// and a debit when negative, and the legs sum to 0. Free, Paid and Refunding are owed to the
// customer, so they grow by credits; Accrual and Charging are owed by the customer, so they grow by debits.
// A posting is never edited; a mistake is reversed by another.
type Posting struct {
	Kind PostingKind
	Ref  string // what caused it; unique for one wallet and kind
	At   time.Time

	Free, Paid, Refunding, Accrual, Charging KRW // accounts of the wallet
	Revenue                                  KRW // used up by messages
	Clearing                                 KRW // money that moved outside: cards, bank
	VAT                                      KRW
	Rounding                                 KRW // one rounding against many
	Promotion                                KRW // free cash given away

	Grants []GrantUse // which grants Free came from
}

// GrantUse is the part of a posting's free cash that one grant pays.
type GrantUse struct {
	GrantID string
	Amount  KRW
}

// Grant is started free cash (무상캐시) of one gift.
type Grant struct {
	ID        string
	Remaining KRW
	ExpiresAt time.Time
}

// Sum returns the sum of the legs; it is 0 for every posting that may be stored.
func (p Posting) Sum() KRW {
	return p.Free + p.Paid + p.Refunding + p.Accrual + p.Charging + p.Revenue + p.Clearing + p.VAT + p.Rounding + p.Promotion
}

// Capture ends a hold: used is paid for, the rest of it is released. It cannot fail: what free
// cash (in the order of grants given: earliest expiry first) and paid cash do not cover becomes
// accrual, even over the limit. used may exceed held when a hold was settled before.
func (w Wallet) Capture(held, used KRW, grants []Grant, ref string, now time.Time) (Wallet, Posting) {
	p := Posting{Kind: Capture, Ref: ref, At: w.open(now), Revenue: used}
	rest := used
	for _, g := range grants {
		if take := min(rest, g.Remaining); take > 0 {
			p.Grants = append(p.Grants, GrantUse{GrantID: g.ID, Amount: take})
			p.Free -= take
			rest -= take
		}
	}
	if take := min(rest, w.Paid); take > 0 {
		p.Paid -= take
		rest -= take
	}
	p.Accrual -= rest

	w.Held -= held
	w.Free += p.Free
	w.Paid += p.Paid
	return w.accrue(rest, now), p
}

// TopUp adds paid cash for a supply value that arrived with its VAT. It pays the accrual first
// (the minus is settled at once), the rest is balance.
func (w Wallet) TopUp(supply, vat KRW, ref string, now time.Time) (Wallet, Posting) {
	owed := min(supply, w.Accrual)
	p := Posting{Kind: TopUp, Ref: ref, At: w.open(now),
		Accrual: owed, Paid: supply - owed, VAT: vat, Clearing: -(supply + vat)}
	w = w.payAccrual(owed)
	w.Paid += p.Paid
	return w.paidUp(now), p
}

// StartGrant makes free cash count.
func (w Wallet) StartGrant(amount KRW, ref string, now time.Time) (Wallet, Posting) {
	w.Free += amount
	return w, Posting{Kind: GrantStarted, Ref: ref, At: w.open(now), Free: amount, Promotion: -amount}
}

// OpenCharge moves an amount from the accrual to a charge.
func (w Wallet) OpenCharge(amount KRW, ref string, now time.Time) (Wallet, Posting) {
	w = w.payAccrual(amount)
	w.Charging += amount
	return w, Posting{Kind: ChargeOpened, Ref: ref, At: w.open(now), Accrual: amount, Charging: -amount}
}

// PayCharge records that a card paid a charge. An unpaid wallet that owes nothing due any more
// becomes [AwaitingReconnect].
func (w Wallet) PayCharge(supply, vat KRW, ref string, now time.Time) (Wallet, Posting) {
	w.Charging -= supply
	return w.paidUp(now), Posting{Kind: ChargePaid, Ref: ref, At: w.open(now),
		Charging: supply, VAT: vat, Clearing: -(supply + vat)}
}

// FailCharge moves the amount of a charge back to the accrual, where it counts as due.
func (w Wallet) FailCharge(amount KRW, ref string, now time.Time) (Wallet, Posting) {
	w.Charging -= amount
	w.Accrual += amount
	w.AccrualOld += amount
	return w, Posting{Kind: ChargeFailed, Ref: ref, At: w.open(now), Charging: amount, Accrual: -amount}
}

// payAccrual takes from the accrual, the oldest part first.
func (w Wallet) payAccrual(amount KRW) Wallet {
	w.Accrual -= amount
	w.AccrualOld = max(w.AccrualOld-amount, 0)
	return w
}

// paidUp ends the unpaid state when nothing of it is left. It does not reconnect: Kakao asks
// for a person to do that.
func (w Wallet) paidUp(now time.Time) Wallet {
	if w.PaymentState == Unpaid && w.Charging == 0 && w.overdue(now) == 0 {
		w.PaymentState = AwaitingReconnect
	}
	return w
}
