package wallet_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/malgil/malgil/internal/wallet"
)

func TestWallet_Refundable(t *testing.T) {
	tests := map[string]struct {
		wallet  wallet.Wallet
		want    wallet.KRW
		wantErr error
	}{
		"unused paid cash":               {wallet: wallet.Wallet{Paid: 3000}, want: 3000},
		"free cash never":                {wallet: wallet.Wallet{Free: 5000}},
		"free cash does not stand in":    {wallet: wallet.Wallet{Free: 5000, Paid: 10}, want: 10},
		"stopped by its master":          {wallet: wallet.Wallet{Paid: 3000, Status: wallet.Stopped}, want: 3000},
		"suspended by policy":            {wallet: wallet.Wallet{Paid: 3000, Status: wallet.Suspended}, want: 3000},
		"one won owed":                   {wallet: wallet.Wallet{Paid: 3000, Accrual: 1}, wantErr: wallet.ErrRefundOwing},
		"a card is being asked":          {wallet: wallet.Wallet{Paid: 3000, Charging: 1}, wantErr: wallet.ErrRefundOwing},
		"messages on their way":          {wallet: wallet.Wallet{Paid: 3000, Held: 15}, wantErr: wallet.ErrRefundHeld},
		"another refund is on its way":   {wallet: wallet.Wallet{Paid: 3000, Refunding: 1}, wantErr: wallet.ErrRefundOpen},
		"nothing there, nothing refused": {},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := tt.wallet.Refundable()
			if got != tt.want || !errors.Is(err, tt.wantErr) {
				t.Errorf("Refundable() = %d, %v, want %d, %v", got, err, tt.want, tt.wantErr)
			}
		})
	}
}

func TestAllocate(t *testing.T) {
	tests := map[string]struct {
		amount  wallet.KRW
		sources []wallet.Source
		want    []wallet.Part
		missing wallet.KRW
	}{
		"all of one": {1000, []wallet.Source{{Ref: "a", Credited: 1000}}, []wallet.Part{{Ref: "a", Supply: 1000, VAT: 100}}, 0},
		"the newest first, a part of the next": {1500, []wallet.Source{{Ref: "new", Credited: 1000}, {Ref: "old", Credited: 1000}},
			[]wallet.Part{{Ref: "new", Supply: 1000, VAT: 100}, {Ref: "old", Supply: 500, VAT: 50}}, 0},
		"what went back before is passed over": {600, []wallet.Source{{Ref: "new", Credited: 1000, Refunded: 1000, Returned: 100}, {Ref: "old", Credited: 1000, Refunded: 500, Returned: 50}},
			[]wallet.Part{{Ref: "old", Supply: 500, VAT: 50}}, 100},
		"the last part returns what is left of the VAT": {5, []wallet.Source{{Ref: "a", Credited: 1000, Refunded: 995, Returned: 100}},
			[]wallet.Part{{Ref: "a", Supply: 5, VAT: 0}}, 0},
		"no top-up": {10, nil, nil, 10},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, missing := wallet.Allocate(tt.amount, tt.sources)
			if diff := cmp.Diff(tt.want, got); diff != "" || missing != tt.missing {
				t.Errorf("Allocate(%d) left %d, want %d (-want +got):\n%s", tt.amount, missing, tt.missing, diff)
			}
		})
	}
}

// However a top-up goes back, in whatever parts, some of which fail: never more than was paid goes
// out, nothing but the whole payment once all of it went back, every posting sums to 0, and rounding
// carries what the parts were rounded to beyond their sum.
func TestRefundVAT_neverMoreThanWasPaid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		supply := wallet.KRW(rapid.IntRange(1, 5000).Draw(t, "supply"))
		w, in := wallet.Wallet{}.TopUp(supply, wallet.VAT(supply), "top-up", noon)
		sums := in
		source := wallet.Source{Ref: "top-up", Credited: supply}
		failed := false
		for n := 0; w.Paid > 0 && n < 200; n++ {
			amount := wallet.KRW(rapid.IntRange(1, int(w.Paid)).Draw(t, "amount"))
			if n == 199 {
				amount = w.Paid
			}
			parts, missing := wallet.Allocate(amount, []wallet.Source{source})
			if missing != 0 || len(parts) != 1 {
				t.Fatalf("Allocate(%d) of %+v = %v, %d missing", amount, source, parts, missing)
			}
			var posting wallet.Posting
			w, posting = w.OpenRefund(amount, fmt.Sprint("open", n), noon)
			sums = add(sums, posting)
			if rapid.IntRange(0, 9).Draw(t, "fails") == 0 && n < 190 {
				failed = true
				w, posting = w.FailRefund(amount, fmt.Sprint("part", n), noon)
			} else {
				w, posting = w.PayRefund(amount, parts[0].VAT, fmt.Sprint("part", n), noon)
				source.Refunded += amount
				source.Returned += parts[0].VAT
			}
			if posting.Sum() != 0 {
				t.Fatalf("%+v sums to %d, want 0", posting, posting.Sum())
			}
			sums = add(sums, posting)
			if sums.Paid != w.Paid || sums.Refunding != w.Refunding {
				t.Fatalf("legs say %d and %d, balances %d and %d", sums.Paid, sums.Refunding, w.Paid, w.Refunding)
			}
			if vat := -(sums.VAT - in.VAT); sums.Rounding != wallet.Rounding(source.Refunded, vat) || source.Returned != wallet.VAT(source.Refunded) {
				t.Fatalf("of %d with %d VAT, %d went back and %d are rounding, want the VAT of one part and the rest of it", source.Refunded, vat, source.Returned, sums.Rounding)
			}
			if sums.Clearing > 0 {
				t.Fatalf("%d more went back than was paid", sums.Clearing)
			}
		}
		if !failed && w.Paid == 0 && sums.Clearing != 0 {
			t.Fatalf("all went back and %d of the payment stayed", -sums.Clearing)
		}
	})
}

func add(a, b wallet.Posting) wallet.Posting {
	a.Paid += b.Paid
	a.Refunding += b.Refunding
	a.Clearing += b.Clearing
	a.VAT += b.VAT
	a.Rounding += b.Rounding
	return a
}
