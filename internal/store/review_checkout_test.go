package store

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/reconcile"
	"github.com/malgil/malgil/internal/wallet"
)

// A top-up of which KakaoPay says another amount, or of which nobody could find out, is credited as a
// person finds it, once, or fails.
func TestDecideCheckout(t *testing.T) {
	paid := billing.CheckoutDecision{Finding: billing.FoundPaid, TID: "T-1", Reason: "in KakaoPay's list"}
	not := billing.CheckoutDecision{Finding: billing.FoundNotCharged, Reason: "given back"}
	of := func(won wallet.KRW) billing.CheckoutDecision { d := paid; d.Paid = won; return d }
	tests := map[string]struct {
		unknown     bool // nobody could find out, rather than another amount
		decision    billing.CheckoutDecision
		state       billing.CheckoutState
		supply, vat wallet.KRW
		attempt     string
	}{
		"more was taken":         {false, of(11_010), billing.CheckoutDone, 10_009, 1_001, " done mismatch"},
		"less was taken":         {false, of(1_100), billing.CheckoutDone, 1_000, 100, " done mismatch"},
		"it was right after all": {false, paid, billing.CheckoutDone, 10_000, 1_000, " done "},
		"it was given back":      {false, not, billing.CheckoutFailed, 0, 0, " declined mismatch"},
		"found after all":        {true, paid, billing.CheckoutDone, 10_000, 1_000, " done "},
		"never taken":            {true, not, billing.CheckoutFailed, 0, 0, " declined lost"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			eachDatabase(t, func(t *testing.T, s *Store) {
				b, c := checkoutInReview(t, s, tt.unknown)
				if list, err := s.CheckoutsInReview(t.Context(), "", 10); err != nil || len(list) != 1 || list[0].ID != c.ID || list[0].AttemptID == "" {
					t.Errorf("CheckoutsInReview() = %+v, %v, want the top-up with its order", list, err)
				}
				tt.decision.CheckoutID = c.ID
				tt.decision.Request = billing.Request{Scope: "tok_1", Key: "decide", BodyHash: []byte("it")}
				var both sync.WaitGroup // a double click
				for range 2 {
					both.Go(func() {
						if err := b.DecideCheckout(t.Context(), tt.decision); err != nil {
							t.Errorf("DecideCheckout() error = %v", err)
						}
					})
				}
				both.Wait()
				got, err := s.Checkout(t.Context(), c.ID)
				if err != nil || got.State != tt.state {
					t.Errorf("the checkout is %s, %v, want %s", got.State, err, tt.state)
				}
				if w := wantWallet(t, s, "w"); w.Paid != tt.supply {
					t.Errorf("the wallet has %d, want %d", w.Paid, tt.supply)
				}
				want(t, "vat", texts(t, s, `SELECT CAST(COALESCE(SUM(vat), 0) AS TEXT) FROM posting`), fmt.Sprint(tt.vat))
				want(t, "attempts", b.attempts("w"), tt.attempt)
				tt.decision.Request.Key = "again"
				if err := b.DecideCheckout(t.Context(), tt.decision); !errors.Is(err, billing.ErrCheckoutNotInReview) {
					t.Errorf("DecideCheckout() with another key error = %v, want %v", err, billing.ErrCheckoutNotInReview)
				}
			})
		})
	}
}

// checkoutInReview brings a top-up of 11,000 KRW into review.
func checkoutInReview(t *testing.T, s *Store, unknown bool) (*till, billing.Checkout) {
	t.Helper()
	owing(t, s, "w", 0)
	b := newTill(t, s, nil)
	c, key := b.startTopUp("w", 10_000, "k1")
	b.g.approve = func(r billing.ApproveRequest) (billing.Payment, error) {
		if unknown {
			return billing.Payment{}, failed(billing.MayHaveMoved, "")
		}
		p := approvedFor(r)
		p.Total += 10
		return p, nil
	}
	b.g.order = func(string) (billing.Order, error) { return billing.Order{}, failed(billing.BadRequest, "") }
	b.back(c, key)
	for range 60 {
		b.pass(time.Hour)
		b.run()
	}
	c, err := s.Checkout(t.Context(), c.ID)
	if err != nil || c.State != billing.CheckoutReview || wantWallet(t, s, "w").Paid != 0 {
		t.Fatalf("the top-up is %s, %v, want it in review and nothing credited", c.State, err)
	}
	return b, c
}

func TestDecideCheckout_badInput(t *testing.T) {
	s := openTest(t, sqliteAddress(t))
	b, c := checkoutInReview(t, s, false)
	for name, tt := range map[string]struct {
		d     billing.CheckoutDecision
		field string
	}{
		"no finding":       {billing.CheckoutDecision{Reason: "x"}, "finding"},
		"no payment":       {billing.CheckoutDecision{Finding: billing.FoundPaid, Reason: "x"}, "tid"},
		"no reason":        {billing.CheckoutDecision{Finding: billing.FoundPaid, TID: "T"}, "reason"},
		"a negative":       {billing.CheckoutDecision{Finding: billing.FoundPaid, TID: "T", Paid: -1, Reason: "x"}, "paid_krw"},
		"more than may be": {billing.CheckoutDecision{Finding: billing.FoundPaid, TID: "T", Paid: 1 << 62, Reason: "x"}, "paid_krw"},
		"paid and not":     {billing.CheckoutDecision{Finding: billing.FoundNotCharged, Paid: 1, Reason: "x"}, "paid_krw"},
	} {
		tt.d.CheckoutID = c.ID
		var e *fault.Error
		if err := b.DecideCheckout(t.Context(), tt.d); !errors.As(err, &e) || e.Field != tt.field {
			t.Errorf("%s: DecideCheckout() error = %v, want it to name %s", name, err, tt.field)
		}
	}
	exec(t, s, `UPDATE checkout SET method = 'bank' WHERE id = $1`, c.ID) // whose transfers have no tid
	var e *fault.Error
	d := billing.CheckoutDecision{CheckoutID: c.ID, Finding: billing.FoundPaid, Paid: 1 << 62, Reason: "x"}
	if err := b.DecideCheckout(t.Context(), d); !errors.As(err, &e) || e.Field != "paid_krw" {
		t.Errorf("DecideCheckout() of more than may be by bank error = %v, want it to name paid_krw", err)
	}
	if err := b.DecideCheckout(t.Context(), billing.CheckoutDecision{CheckoutID: "cko_none"}); fault.KindOf(err) != fault.NotFound {
		t.Errorf("DecideCheckout(none) error = %v, want NotFound", err)
	}
}

// Money that a correction has posted for a top-up that was given up is not posted again when the answer
// of the call comes after all.
func TestTopUpPaid_afterItsCorrection(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		b, c := checkoutInReview(t, s, true)
		not := billing.CheckoutDecision{CheckoutID: c.ID, Finding: billing.FoundNotCharged, Reason: "not in the list"}
		if err := b.DecideCheckout(t.Context(), not); err != nil {
			t.Fatal(err)
		}
		found := reconcile.Correction{WalletID: "w", Kind: reconcile.Provider, Subject: c.AttemptID, Difference: 11_000, At: b.clock()}
		if p, _, err := s.CorrectPayment(t.Context(), found, 11_000); err != nil || p == nil {
			t.Fatalf("CorrectPayment() = %v, %v, want a posting", p, err)
		}
		r, err := s.TopUpPaid(t.Context(), billing.Report{ID: c.AttemptID, At: b.clock(), TID: "T-1", Method: "카카오페이"})
		if err != nil || r.Outcome != billing.Skipped {
			t.Errorf("TopUpPaid() = %s, %v, want it skipped", r.Outcome, err)
		}
		if w := wantWallet(t, s, "w"); w.Paid != 10_000 {
			t.Errorf("the wallet has %d, want the 10,000 of the correction", w.Paid)
		}
	})
}
