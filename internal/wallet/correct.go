package wallet

import (
	"fmt"
	"time"
)

// Correction is the kind of a posting that mends another one (정정). Its ref is a [CorrectionRef].
const Correction PostingKind = "correction"

// What a correction corrects, as its ref says it.
const (
	CorrectsCapture = "capture" // of a chunk
	CorrectsPayment = "payment" // by an attempt
)

// CorrectionRef returns the ref of the n-th correction of something, counted from 1: what kind of
// thing, its id, and the number, with slashes between.
func CorrectionRef(what, id string, n int) string { return fmt.Sprintf("%s/%s/%d", what, id, n) }

// CorrectUse pays for messages that were delivered and not captured, as [Wallet.Capture] does:
// it cannot fail.
func (w Wallet) CorrectUse(amount KRW, grants []Grant, ref string, now time.Time) (Wallet, Posting) {
	w, p := w.Capture(0, amount, grants, ref, now)
	p.Kind = Correction
	return w, p
}

// Used is where the money for messages came from.
type Used struct {
	Free   KRW
	Cash   KRW        // paid cash and accrual
	Grants []GrantUse // whose free cash it was, of those that still count; the rest of Free is gone
}

// GiveBack takes back what was captured for messages that were not delivered (환급): first what was
// paid for, in money or on account, then free cash. Money pays what is owed first, the rest is paid
// cash. Free cash goes back to its grants; that of a grant that is over would have vanished unused,
// so it goes back to the platform. An amount beyond what was used gives back what was used.
func (w Wallet) GiveBack(amount KRW, used Used, ref string, now time.Time) (Wallet, Posting) {
	cash := min(amount, used.Cash)
	free := min(amount-cash, used.Free)
	owed := min(cash, w.Accrual)
	p := Posting{Kind: Correction, Ref: ref, At: w.open(now), Revenue: -(cash + free), Accrual: owed, Paid: cash - owed}
	for _, g := range used.Grants {
		if give := min(free, g.Amount); give > 0 {
			p.Grants = append(p.Grants, GrantUse{GrantID: g.GrantID, Amount: -give})
			p.Free += give
			free -= give
		}
	}
	p.Promotion = free
	w = w.payAccrual(owed)
	w.Paid += p.Paid
	w.Free += p.Free
	return w.paidUp(now), p
}

// CorrectPayment posts money that a provider took and the ledger does not know, or, below 0, that it
// gave back to the payer. What came in is as a [Wallet.TopUp]; what left takes paid cash first and
// the rest is owed, so that no balance becomes negative. total is with VAT.
func (w Wallet) CorrectPayment(total KRW, ref string, now time.Time) (Wallet, Posting) {
	if total >= 0 {
		vat := VATOfTotal(total)
		w, p := w.TopUp(total-vat, vat, ref, now)
		p.Kind = Correction
		return w, p
	}
	vat := VATOfTotal(-total)
	supply := -total - vat
	paid := min(supply, w.Paid)
	p := Posting{Kind: Correction, Ref: ref, At: w.open(now), Paid: -paid, Accrual: paid - supply, VAT: -vat, Clearing: -total}
	w.Paid -= paid
	w.Accrual -= p.Accrual
	w.AccrualOld -= p.Accrual // it is due: it had been paid once
	return w, p
}
