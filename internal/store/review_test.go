package store

import (
	"errors"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/wallet"
)

// inReview brings a charge of 1,500 KRW into review: its payment is of another amount, or nobody
// could find out for a day.
func inReview(t *testing.T, s *Store, mismatch bool) (b *till, charge string) {
	t.Helper()
	b = newTill(t, s, nil)
	owing(t, s, "w", 1_500, "c1", "c2")
	b.g.charge = func(r billing.ChargeRequest) (billing.Payment, error) {
		b.g.charge = nil
		if !mismatch {
			return billing.Payment{}, failed(billing.MayHaveMoved, "")
		}
		p := paidFor(r)
		p.Total += 10
		return p, nil
	}
	b.run()
	if !mismatch {
		b.g.statusIs = func(string) (billing.CardStatus, error) { return billing.CardStatus{}, failed(billing.CardGone, "") }
		for range 60 {
			b.pass(time.Hour)
			b.run()
		}
		b.g.statusIs = nil
	}
	want(t, "charges", b.charges("w"), "review")
	if got := wantWallet(t, s, "w"); got.PaymentState != wallet.Active || got.Charging != 1_500 {
		t.Fatalf("wallet = %s with %d under way, want ACTIVE with 1500", got.PaymentState, got.Charging)
	}
	return b, texts(t, s, `SELECT id FROM charge`)[0]
}

func TestDecide(t *testing.T) {
	paid := billing.Decision{Finding: billing.FoundPaid, TID: "T-1", Reason: "in KakaoPay's list", By: "acc_w"}
	not := billing.Decision{Finding: billing.FoundNotCharged, Then: billing.ThenNextCard, Reason: "not in KakaoPay's list", By: "acc_w"}
	with := func(d billing.Decision, change func(*billing.Decision)) billing.Decision {
		change(&d)
		return d
	}
	tests := map[string]struct {
		mismatch bool
		decision billing.Decision
		outcome  billing.Outcome
		attempts []string
		charges  []string
		wallet   wallet.Wallet // payment state, paid cash and accrual afterwards
		took     wallet.KRW    // as the ledger has it
		mails    []string
	}{
		"nobody knew, it was paid": {
			decision: paid, outcome: billing.Paid, attempts: []string{"c1 done "}, charges: []string{"paid"},
			wallet: wallet.Wallet{PaymentState: wallet.Active}, took: 1_650, mails: []string{"auto_pay_success"},
		},
		"nobody knew, it was not charged, the next card pays": {
			decision: not, outcome: billing.NextCard, attempts: []string{"c1 declined lost", "c2 done "}, charges: []string{"paid"},
			wallet: wallet.Wallet{PaymentState: wallet.Active}, took: 1_650, mails: []string{"auto_pay_success"},
		},
		"nobody knew, it was not charged, it fails": {
			decision: with(not, func(d *billing.Decision) { d.Then = billing.ThenFail }), outcome: billing.AllFailed,
			attempts: []string{"c1 declined lost"}, charges: []string{"failed"},
			wallet: wallet.Wallet{PaymentState: wallet.Unpaid, Accrual: 1_500}, mails: []string{"auto_pay_failure", "unpaid"},
		},
		"another amount, and it stays": {
			mismatch: true, decision: with(paid, func(d *billing.Decision) { d.Paid = 1_660 }), outcome: billing.Paid,
			attempts: []string{"c1 done mismatch"}, charges: []string{"paid"},
			wallet: wallet.Wallet{PaymentState: wallet.Active, Paid: 9}, took: 1_660, mails: []string{"auto_pay_success", "topup"},
		},
		"another amount, given back, the next card pays": {
			mismatch: true, decision: not, outcome: billing.NextCard, attempts: []string{"c1 declined mismatch", "c2 done "}, charges: []string{"paid"},
			wallet: wallet.Wallet{PaymentState: wallet.Active}, took: 1_650, mails: []string{"auto_pay_success"},
		},
		"the difference was given back": {
			mismatch: true, decision: paid, outcome: billing.Paid, attempts: []string{"c1 done "}, charges: []string{"paid"},
			wallet: wallet.Wallet{PaymentState: wallet.Active}, took: 1_650, mails: []string{"auto_pay_success"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := openTest(t, sqliteAddress(t))
			b, charge := inReview(t, s, tt.mismatch)
			tt.decision.ChargeID = charge
			tt.decision.Request = billing.Request{Scope: "tok", Key: "k1", BodyHash: []byte("x")}
			for range 2 { // the second is a repetition
				result, err := b.Decide(t.Context(), tt.decision)
				if err != nil || result.Outcome != tt.outcome {
					t.Fatalf("Decide() = %s, %v, want %s", result.Outcome, err, tt.outcome)
				}
				for _, next := range result.Next {
					b.attempt(next.Row)
				}
				tt.outcome = billing.Skipped
			}
			b.pass(time.Minute)
			b.run()
			want(t, "attempts", b.attempts("w"), tt.attempts...)
			want(t, "charges", b.charges("w"), tt.charges...)
			want(t, "mails", b.mails("w"), tt.mails...)
			w := wantWallet(t, s, "w")
			if w.PaymentState != tt.wallet.PaymentState || w.Paid != tt.wallet.Paid || w.Accrual != tt.wallet.Accrual || w.Charging != 0 {
				t.Errorf("wallet = %s with %d paid, owing %d, %d under way; want %s, %d, %d, 0", w.PaymentState, w.Paid, w.Accrual, w.Charging,
					tt.wallet.PaymentState, tt.wallet.Paid, tt.wallet.Accrual)
			}
			books, err := s.Books(t.Context(), "w")
			if err != nil || -books.Clearing != tt.took {
				t.Errorf("the ledger took %d, %v, want %d", -books.Clearing, err, tt.took)
			}
			view, err := s.Charge(t.Context(), charge)
			if err != nil || view.DecidedBy != "acc_w" || view.Reason != tt.decision.Reason || view.WalletID != "w" {
				t.Errorf("Charge() = decided by %q because %q, %v", view.DecidedBy, view.Reason, err)
			}
			tt.decision.Request.Key = "k2"
			if _, err := b.Decide(t.Context(), tt.decision); !errors.Is(err, billing.ErrNotInReview) {
				t.Errorf("Decide() again = %v, want %v", err, billing.ErrNotInReview)
			}
		})
	}
}

func TestDecide_refused(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		b, charge := inReview(t, s, true)
		good := billing.Decision{ChargeID: charge, Finding: billing.FoundPaid, TID: "T-1", Reason: "seen", By: "acc_w",
			Request: billing.Request{Scope: "tok", Key: "k", BodyHash: []byte("x")}}
		tests := map[string]struct {
			change func(*billing.Decision)
			kind   fault.Kind
			field  string
		}{
			"no finding":               {func(d *billing.Decision) { d.Finding = "" }, fault.Invalid, "finding"},
			"paid without a tid":       {func(d *billing.Decision) { d.TID = "" }, fault.Invalid, "tid"},
			"paid and then":            {func(d *billing.Decision) { d.Then = billing.ThenFail }, fault.Invalid, "then"},
			"not charged, and then?":   {func(d *billing.Decision) { d.Finding, d.TID = billing.FoundNotCharged, "" }, fault.Invalid, "then"},
			"a negative amount":        {func(d *billing.Decision) { d.Paid = -1 }, fault.Invalid, "paid_krw"},
			"less than the charge":     {func(d *billing.Decision) { d.Paid = 1_649 }, fault.Invalid, "paid_krw"},
			"no reason":                {func(d *billing.Decision) { d.Reason = " " }, fault.Invalid, "reason"},
			"a reason of two lines":    {func(d *billing.Decision) { d.Reason = "a\nb" }, fault.Invalid, "reason"},
			"a charge that is not":     {func(d *billing.Decision) { d.ChargeID = "chg_none" }, fault.NotFound, ""},
			"a tid with a space in it": {func(d *billing.Decision) { d.TID = "T 1" }, fault.Invalid, "tid"},
		}
		for name, tt := range tests {
			d := good
			tt.change(&d)
			_, err := b.Decide(t.Context(), d)
			var wrong *fault.Error
			if errors.As(err, &wrong); fault.KindOf(err) != tt.kind || tt.field != "" && wrong.Field != tt.field {
				t.Errorf("Decide() with %s = %v, want %v of %q", name, err, tt.kind, tt.field)
			}
		}
		want(t, "charges", b.charges("w"), "review")
		list, err := s.ChargesInReview(t.Context(), "", 10)
		if err != nil || len(list) != 1 || list[0].ID != charge || len(list[0].Attempts) != 1 {
			t.Errorf("ChargesInReview() = %+v, %v, want the charge with its attempt", list, err)
		}
		if _, err := b.Decide(t.Context(), good); err != nil {
			t.Fatal(err)
		}
		good.Request.BodyHash = []byte("y")
		if _, err := b.Decide(t.Context(), good); fault.KindOf(err) != fault.Invalid {
			t.Errorf("Decide() with another body = %v, want it refused", err)
		}
		if list, err := s.ChargesInReview(t.Context(), "", 10); err != nil || len(list) != 0 {
			t.Errorf("ChargesInReview() = %+v, %v, want none any more", list, err)
		}
	})
}
