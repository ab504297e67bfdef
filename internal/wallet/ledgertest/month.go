package ledgertest

import (
	"time"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/wallet"
)

// Month returns what came in from outside, less what went out and without VAT, in the month in Korea that
// a time falls in, and what was posted as VAT for it.
func (l *Ledger) Month(at time.Time) (supply, vat wallet.KRW) {
	m := l.months[clock.Month(at)]
	return m.supply, m.vat
}

// moved is what moved outside, in less out, without its VAT, and what was posted as VAT for it.
type moved struct{ supply, vat wallet.KRW }

// rounding is what rounding one by one took more than the VAT of the sum, which is a tenth of the
// supply value, rounded half up, away from 0.
func (m moved) rounding() wallet.KRW {
	supply, sign := m.supply, wallet.KRW(1)
	if supply < 0 {
		supply, sign = -supply, -1
	}
	tenth := supply / 10
	if supply%10 >= 5 {
		tenth++
	}
	return m.vat - sign*tenth
}

// monthEnded reports whether a ref is a month in Korea that had ended at a time.
func monthEnded(ref string, at time.Time) bool {
	month, err := clock.ParseMonth(ref)
	return err == nil && !at.Before(month.AddDate(0, 1, 0))
}
