package wallet

import (
	"time"

	"github.com/malgil/malgil/internal/fault"
)

// Why a wallet gives nothing back now.
var (
	ErrRefundOwing = fault.Coded(fault.Refused, "REFUND_WHILE_OWING", "the wallet owes money; pay the amount due, then ask for the refund")
	ErrRefundHeld  = fault.Coded(fault.Refused, "REFUND_WHILE_HELD", "money is held for messages on their way; ask for the refund when they have arrived")
	ErrRefundOpen  = fault.Coded(fault.Refused, "REFUND_OPEN", "a refund of this wallet is under way; ask again when it has ended")
)

// Refundable returns how much may be refunded (환불가능금액): unused paid cash, never free cash. It is
// 0 with the reason while anything is owed, charged or held, or another refund is under way. Every
// [Status] allows refunds (Kakao help centre, 월렛 상태).
func (w Wallet) Refundable() (KRW, error) {
	switch {
	case w.Refunding > 0:
		return 0, ErrRefundOpen
	case w.Accrual > 0 || w.Charging > 0:
		return 0, ErrRefundOwing
	case w.Held > 0:
		return 0, ErrRefundHeld
	}
	return w.Paid, nil
}

// OpenRefund takes paid cash aside for a refund.
func (w Wallet) OpenRefund(amount KRW, ref string, now time.Time) (Wallet, Posting) {
	w.Paid -= amount
	w.Refunding += amount
	return w, Posting{Kind: RefundOpened, Ref: ref, At: w.open(now), Paid: -amount, Refunding: amount}
}

// PayRefund records that a supply value went back to the payer with an amount of VAT, see
// [RefundVAT]. VAT is rounded once for it; what went back with it differs where a payment goes
// back in several parts.
func (w Wallet) PayRefund(supply, returned KRW, ref string, now time.Time) (Wallet, Posting) {
	w.Refunding -= supply
	vat := VAT(supply)
	return w, Posting{Kind: Refund, Ref: ref, At: w.open(now),
		Refunding: -supply, VAT: -vat, Rounding: vat - returned, Clearing: supply + returned}
}

// FailRefund moves what did not go back to paid cash.
func (w Wallet) FailRefund(amount KRW, ref string, now time.Time) (Wallet, Posting) {
	w.Refunding -= amount
	w.Paid += amount
	return w, Posting{Kind: RefundFailed, Ref: ref, At: w.open(now), Refunding: -amount, Paid: amount}
}

// Source is a top-up that a refund may give back.
type Source struct {
	Ref      string // of its posting
	Credited KRW    // supply value that became paid cash
	Refunded KRW    // supply value of it that went back before, or is on its way
	Returned KRW    // VAT that went with that
}

// Part is what goes back of one top-up.
type Part struct {
	Ref    string
	Supply KRW
	VAT    KRW // that goes back with it
}

// Allocate spreads a refund over top-ups in the order given: the newest first, so that what was
// used is what came in first. missing is what they do not cover.
func Allocate(amount KRW, newestFirst []Source) (parts []Part, missing KRW) {
	for _, s := range newestFirst {
		take := min(amount, s.Credited-s.Refunded)
		if take <= 0 {
			continue
		}
		parts = append(parts, Part{Ref: s.Ref, Supply: take, VAT: RefundVAT(take, s.Refunded, s.Returned)})
		amount -= take
	}
	return parts, amount
}

// RefundVAT returns the VAT that goes back with a part of a payment, of which a supply value was
// refunded and an amount of VAT returned before: all parts together return the VAT of their sum,
// so that never more goes back than was paid, and all of it when everything goes back.
func RefundVAT(supply, refunded, returned KRW) KRW {
	return max(VAT(refunded+supply)-returned, 0)
}
