package wallet

import "time"

// Flow is what moved in a wallet in some time, by its postings. Amounts are supply value, but for
// those of VAT, and positive, unless corrections took back more than there was: a correction counts as
// what it corrects, on its own day.
type Flow struct {
	Messages int64 // delivered and paid for

	UsedFree, UsedPaid, UsedAccrual KRW // consumption (소진) by what paid for it, less what came back

	TopUps, TopUpVAT KRW // money that came in (충전)
	TopUpOwed        KRW // the part of TopUps that paid the accrual instead of becoming paid cash

	GrantedFree KRW // free cash that began to count
	GrantedPaid KRW // paid cash that the platform gave
	GrantedOwed KRW // the part of GrantedPaid that paid the accrual
	Expired     KRW // free cash that vanished

	ChargesOpened, ChargesPaid, ChargesFailed KRW // accrual that cards were asked for, paid, did not pay
	ChargeVAT                                 KRW // on ChargesPaid

	RefundsOpened, Refunded, RefundsFailed KRW // paid cash taken aside, gone back, not gone back
	RefundVAT                              KRW // that went back with Refunded

	Other Balances // what postings changed that are none of these
}

// Add returns the flow with a posting, or a sum of postings of one kind whose revenue has one sign.
func (f Flow) Add(p Posting) Flow {
	switch p.Kind {
	case Capture:
		return f.use(p)
	case TopUp:
		return f.topUp(p)
	case GrantStarted:
		f.GrantedFree += p.Free
	case PaidGranted:
		f.GrantedPaid += p.Paid + p.Accrual
		f.GrantedOwed += p.Accrual
	case GrantExpired:
		f.Expired -= p.Free
	case ChargeOpened:
		f.ChargesOpened += p.Accrual
	case ChargePaid:
		f.ChargesPaid += p.Charging
		f.ChargeVAT += p.VAT
	case ChargeFailed:
		f.ChargesFailed += p.Charging
	case RefundOpened:
		f.RefundsOpened += p.Refunding
	case Refund:
		f.Refunded -= p.Refunding
		f.RefundVAT += p.Clearing + p.Refunding // what went back beyond the supply value
	case RefundFailed:
		f.RefundsFailed += p.Paid
	default:
		after := f
		switch {
		case p.Revenue != 0:
			after = f.use(p)
		case p.Clearing != 0:
			after = f.topUp(p)
		}
		after.Other = after.Other.Plus(f.Change().Plus(p.Change()).Minus(after.Change()))
		return after
	}
	return f
}

// use adds consumption, or takes it back. Free cash that comes back too late to be used vanishes at once.
func (f Flow) use(p Posting) Flow {
	f.UsedFree -= p.Free + p.Promotion
	f.UsedPaid -= p.Paid
	f.UsedAccrual -= p.Accrual
	f.Expired += p.Promotion
	return f
}

// topUp adds money that came in, or takes it back.
func (f Flow) topUp(p Posting) Flow {
	f.TopUps += p.Paid + p.Accrual
	f.TopUpVAT += p.VAT
	f.TopUpOwed += p.Accrual
	return f
}

// Plus returns two flows together.
func (f Flow) Plus(g Flow) Flow {
	return Flow{
		Messages: f.Messages + g.Messages,
		UsedFree: f.UsedFree + g.UsedFree, UsedPaid: f.UsedPaid + g.UsedPaid, UsedAccrual: f.UsedAccrual + g.UsedAccrual,
		TopUps: f.TopUps + g.TopUps, TopUpVAT: f.TopUpVAT + g.TopUpVAT, TopUpOwed: f.TopUpOwed + g.TopUpOwed,
		GrantedFree: f.GrantedFree + g.GrantedFree, GrantedPaid: f.GrantedPaid + g.GrantedPaid, GrantedOwed: f.GrantedOwed + g.GrantedOwed,
		Expired:       f.Expired + g.Expired,
		ChargesOpened: f.ChargesOpened + g.ChargesOpened, ChargesPaid: f.ChargesPaid + g.ChargesPaid,
		ChargesFailed: f.ChargesFailed + g.ChargesFailed, ChargeVAT: f.ChargeVAT + g.ChargeVAT,
		RefundsOpened: f.RefundsOpened + g.RefundsOpened, Refunded: f.Refunded + g.Refunded,
		RefundsFailed: f.RefundsFailed + g.RefundsFailed, RefundVAT: f.RefundVAT + g.RefundVAT,
		Other: f.Other.Plus(g.Other),
	}
}

// Change returns what the flow changes of the balances.
func (f Flow) Change() Balances {
	return f.Other.Plus(Balances{
		Free:      f.GrantedFree - f.UsedFree - f.Expired,
		Paid:      f.TopUps - f.TopUpOwed + f.GrantedPaid - f.GrantedOwed - f.UsedPaid - f.RefundsOpened + f.RefundsFailed,
		Refunding: f.RefundsOpened - f.Refunded - f.RefundsFailed,
		Accrual:   f.UsedAccrual - f.TopUpOwed - f.GrantedOwed - f.ChargesOpened + f.ChargesFailed,
		Charging:  f.ChargesOpened - f.ChargesPaid - f.ChargesFailed,
	})
}

// Used returns the consumption, whatever paid for it.
func (f Flow) Used() KRW { return f.UsedFree + f.UsedPaid + f.UsedAccrual }

// Invoiceable returns the supply value of a tax invoice on the consumption: free cash is a discount
// and not invoiced. Its VAT is rounded once, see [VAT].
func (f Flow) Invoiceable() KRW { return f.UsedPaid + f.UsedAccrual }

// DaySummary is what happened to a wallet on one day in Korea: its opening balances and what moved give
// its closing balances, which are the opening balances of the next day.
type DaySummary struct {
	Start            time.Time // 00:00 in Korea
	Opening, Closing Balances
	Flow
}
