package wallet

// VAT returns the value added tax (부가세) on a supply value: 10 %, rounded half up, and below 0 as much as
// above.
//
// What a payment moves in all, supply and VAT, tells both again: its VAT is a payment's eleventh,
// rounded to the nearest won, and the nearest won is never in doubt. Totals of 11n + 5 are those
// that no supply value has.
func VAT(supply KRW) KRW {
	if supply < 0 {
		return -VAT(-supply)
	}
	return (supply + 5) / 10
}

// Rounding returns what the account rounding carries where supply values whose VAT was rounded one
// by one are told of as one: the payments of a month by an invoice, the parts of a payment by the
// payment. It is the sum of their VAT less the VAT of their sum, so positive where rounding one by
// one took more; with n values it is from −(4n + 5)/10 to (5n + 4)/10.
func Rounding(supply, vat KRW) KRW { return vat - VAT(supply) }

// VATOfTotal returns the VAT in a total that is not negative: the whole number nearest to its eleventh.
func VATOfTotal(total KRW) KRW { return (total + 5) / 11 }
