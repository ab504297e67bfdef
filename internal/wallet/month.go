package wallet

import (
	"time"

	"github.com/malgil/malgil/internal/clock"
)

// MonthRounded carries the difference between the VAT of the payments of a month, each rounded, and
// that of their sum. Its ref is the month.
const MonthRounded PostingKind = "month_rounded"

// Month is what moved in a wallet in a month that is closed.
type Month struct {
	Start time.Time // 00:00 in Korea of the 1st
	Flow
	VAT KRW // sum of the legs of the account, but for what rounded the month before
}

// Add returns the month with a posting, or a sum of postings as [Flow.Add] takes it.
func (m Month) Add(p Posting) Month {
	m.Flow = m.Flow.Add(p)
	if p.Kind != MonthRounded {
		m.VAT += p.VAT
	}
	return m
}

// open returns when a posting counts that comes now: no earlier than the first moment that is not
// closed, so that what an invoice tells of a month stays what the ledger tells of it.
func (w Wallet) open(now time.Time) time.Time {
	if now.Before(w.ClosedTo) {
		return w.ClosedTo
	}
	return now
}

// RoundMonth returns the posting that a month comes to when it is closed, after which its VAT is that of
// what came in, less what went back; false when it is already.
func (w Wallet) RoundMonth(m Month, now time.Time) (Posting, bool) {
	supply := m.ChargesPaid + m.TopUps - m.Refunded
	rounding := Rounding(supply, m.VAT) // below 0 where more went back
	return Posting{Kind: MonthRounded, Ref: clock.Month(m.Start), At: w.open(now), VAT: -rounding, Rounding: rounding}, rounding != 0
}
