package wallet

import (
	"time"

	"github.com/malgil/malgil/internal/clock"
)

// MonthRounded carries the difference between the VAT of the payments of a month, each rounded, and
// that of their sum. Its ref is the month.
const MonthRounded PostingKind = "month_rounded"

// open returns when a posting counts that comes now: no earlier than the first moment that is not
// closed, so that what an invoice tells of a month stays what the ledger tells of it.
func (w Wallet) open(now time.Time) time.Time {
	if now.Before(w.ClosedTo) {
		return w.ClosedTo
	}
	return now
}

// RoundMonth returns the posting that a month comes to when it is closed, by what moved in it; false when
// its payments were rounded as one.
func (w Wallet) RoundMonth(f Flow, month, now time.Time) (Posting, bool) {
	supply := f.ChargesPaid + f.TopUps - f.Refunded
	vat := f.ChargeVAT + f.TopUpVAT - f.RefundVAT
	rounding := Rounding(supply, vat)
	if supply < 0 { // more went back than came in
		rounding = -Rounding(-supply, -vat)
	}
	return Posting{Kind: MonthRounded, Ref: month.In(clock.Seoul).Format("2006-01"), At: w.open(now), VAT: -rounding, Rounding: rounding}, rounding != 0
}
