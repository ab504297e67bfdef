package wallet_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/malgil/malgil/internal/wallet"
)

func TestVAT(t *testing.T) {
	for supply, want := range map[wallet.KRW]wallet.KRW{0: 0, 4: 0, 5: 1, 15: 2, 1500: 150, 500_000: 50_000, -4: 0, -5: -1, -15: -2, -1500: -150} {
		if got := wallet.VAT(supply); got != want {
			t.Errorf("VAT(%d) = %d, want %d", supply, got, want)
		}
	}
}

// The VAT on a supply value is the whole number nearest to an eleventh of the total: eleven times
// it lies within 5 of the total, where the next one would lie 6 away or more. So gateways that
// are told only a total, and round its eleventh, come to the same won as we do; and a supply value
// is found again from its total.
func TestVAT_isTheNearestEleventhOfTheTotal(t *testing.T) {
	const most = 1_000_000
	var before wallet.KRW = -1
	for supply := range wallet.KRW(most + 1) {
		vat := wallet.VAT(supply)
		total := supply + vat
		if off := 11*vat - total; off < -5 || off > 5 {
			t.Fatalf("VAT(%d) = %d, want the nearest to %d/11", supply, vat, total)
		}
		if off := 10*vat - supply; off <= -5 || off > 5 { // half up, and by one rounding only
			t.Fatalf("VAT(%d) = %d, want the nearest to %d/10, half up", supply, vat, supply)
		}
		if got := wallet.VATOfTotal(total); got != vat {
			t.Fatalf("VATOfTotal(%d) = %d, want %d, that of the supply %d", total, got, vat, supply)
		}
		if total%11 == 5 {
			t.Fatalf("VAT(%d) makes a total of %d, of which no eleventh is nearest to a supply's", supply, total)
		}
		if step := total - before; step != 1 && (step != 2 || total%11 != 6) {
			t.Fatalf("the total before %d is %d, want every total but those of 11n + 5", total, before)
		}
		before = total
	}
}

// However a month is paid, in however many payments, the VAT that each of them was rounded to is
// the VAT of the one invoice and what rounding carries.
func TestRounding_explainsManyAgainstOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := wallet.KRW(rapid.SampledFrom([]int{1, 2, 7, 31, 200}).Draw(t, "payments"))
		var w wallet.Wallet
		var supply, vat, clearing wallet.KRW
		for i := range n {
			one := wallet.KRW(rapid.Int64Range(1, 500_000).Draw(t, "amount"))
			var p wallet.Posting
			if i%2 == 0 {
				w, p = w.TopUp(one, wallet.VAT(one), "r", noon)
			} else {
				w, _ = w.Capture(0, w.Paid+one, nil, "r", noon) // nothing is left, one is owed
				w, _ = w.OpenCharge(one, "r", noon)
				w, p = w.PayCharge(one, wallet.VAT(one), "r", noon)
			}
			supply += one
			vat += p.VAT
			clearing -= p.Clearing
		}
		carried := wallet.Rounding(supply, vat)
		if vat != wallet.VAT(supply)+carried || clearing != supply+wallet.VAT(supply)+carried {
			t.Fatalf("%d payments of %d with %d VAT, together %d, carry %d; want the VAT of one, %d, beside it", n, supply, vat, clearing, carried, wallet.VAT(supply))
		}
		if 10*carried < -(4*n+5) || 10*carried > 5*n+4 {
			t.Fatalf("%d payments carry %d, want from -(4n + 5)/10 to (5n + 4)/10", n, carried)
		}
		if n == 1 && carried != 0 {
			t.Fatalf("one payment carries %d, want 0", carried)
		}
	})
}

func TestRounding(t *testing.T) {
	tests := map[string]struct {
		supply wallet.KRW
		times  int
		want   wallet.KRW
	}{
		"nothing":                     {0, 1, 0},
		"fives are rounded up":        {5, 200, 100},
		"fours are rounded down":      {4, 200, -80},
		"tens are exact":              {1500, 200, 0},
		"one against one":             {5, 1, 0},
		"as much as five can take":    {5, 5, 2},
		"the threshold over a month":  {500_000, 30, 0},
		"a message a day, for a week": {15, 7, 3},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			n := wallet.KRW(tt.times)
			if got := wallet.Rounding(n*tt.supply, n*wallet.VAT(tt.supply)); got != tt.want {
				t.Errorf("Rounding of %d times %d = %d, want %d", tt.times, tt.supply, got, tt.want)
			}
		})
	}
}
