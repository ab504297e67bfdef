package store

import (
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/wallet"
)

// Every card declines, night after night, until a new card pays and a person reconnects.
func TestCharge_unpaidSpell(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		owing(t, s, "w", 1500, "c1", "c2", "c3")
		b := newTill(t, s, nil)
		decline := true
		b.g.charge = func(r billing.ChargeRequest) (billing.Payment, error) {
			if decline {
				return billing.Payment{}, failed(billing.CardDeclined, "한도초과")
			}
			return paidFor(r), nil
		}
		b.run()
		want(t, "calls", b.g.calls(), "c1", "c2", "c3")
		want(t, "charges", b.charges("w"), "failed")
		want(t, "mails", b.mails("w"), "auto_pay_failure", "unpaid")
		want(t, "channels", b.channels("w"), "disconnected", "disconnected")
		if got := wantWallet(t, s, "w"); got.PaymentState != wallet.Unpaid || got.Accrual != 1500 || got.Charging != 0 {
			t.Errorf("wallet = %s with %d, want UNPAID with 1500", got.PaymentState, got.Accrual)
		}
		since := texts(t, s, `SELECT CAST(unpaid_since AS TEXT) FROM wallet WHERE id = 'w'`)

		b.pass(time.Hour)
		b.run()
		if n := len(b.g.calls()); n != 3 {
			t.Errorf("calls on the same day = %d, want 3", n)
		}
		b.pass(24 * time.Hour)
		b.run()
		want(t, "charges after midnight", b.charges("w"), "failed", "failed")
		want(t, "mails after midnight", b.mails("w"), "auto_pay_failure", "unpaid", "auto_pay_failure")
		want(t, "start of the spell", texts(t, s, `SELECT CAST(unpaid_since AS TEXT) FROM wallet WHERE id = 'w'`), since...)
		if err := b.Reconnect(t.Context(), "w"); fault.KindOf(err) != fault.Conflict {
			t.Errorf("Reconnect of an unpaid wallet error = %v, want a Conflict", err)
		}

		decline = false
		for _, detach := range []string{"c1", "c2"} {
			if err := b.DetachCard(t.Context(), "w", "", detach); err != nil {
				t.Fatal(err)
			}
		}
		newCard(t, s, "c4", "acc_w", "", 0)
		if err := b.AttachCard(t.Context(), "w", "acc_w", "c4"); err != nil {
			t.Fatal(err)
		}
		b.run() // at once, not at midnight
		want(t, "charges with a new card", b.charges("w"), "failed", "failed", "paid")
		want(t, "channels when paid", b.channels("w"), "awaiting_reconnect", "awaiting_reconnect")
		if got := wantWallet(t, s, "w"); got.PaymentState != wallet.AwaitingReconnect || got.Accrual != 0 {
			t.Errorf("wallet = %s with %d, want AWAITING_RECONNECT with 0", got.PaymentState, got.Accrual)
		}
		for range 2 {
			if err := b.Reconnect(t.Context(), "w"); err != nil {
				t.Fatal(err)
			}
		}
		want(t, "channels when reconnected", b.channels("w"), "connected", "connected")
		if got := wantWallet(t, s, "w"); got.PaymentState != wallet.Active {
			t.Errorf("wallet = %s, want ACTIVE", got.PaymentState)
		}
		want(t, "end of the spell", texts(t, s, `SELECT CAST(unpaid_since AS TEXT) FROM wallet WHERE id = 'w'`), "0")
	})
}

func TestCharge_withoutACard(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		owing(t, s, "w", 1500)
		b := newTill(t, s, nil)
		b.run()
		want(t, "charges", b.charges("w"), "failed")
		want(t, "mails", b.mails("w"), "auto_pay_failure", "unpaid")
		if got := wantWallet(t, s, "w"); got.PaymentState != wallet.Unpaid || got.Accrual != 1500 {
			t.Errorf("wallet = %s with %d, want UNPAID with 1500", got.PaymentState, got.Accrual)
		}
	})
}

func TestCharge_dormantCards(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		owing(t, s, "w", 1500, "c1", "c2", "c3")
		b := newTill(t, s, nil)
		dormant := billing.CardStatus{Active: true}
		for _, card := range []string{"c1", "c2", "c3"} {
			b.g.set(card, dormant)
		}
		b.run()
		want(t, "calls", b.g.calls())
		want(t, "attempts", b.attempts("w"), "c1 declined dormant", "c2 declined dormant", "c3 declined dormant")
		want(t, "mails", b.mails("w"), "auto_pay_failure", "unpaid")
		cards, err := b.WalletCards(t.Context(), "w")
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cards {
			if c.State != billing.CardDormant || !c.DormantSince.Equal(t0) {
				t.Errorf("card %s is %s since %v, want dormant since %v", c.ID, c.State, c.DormantSince, t0)
			}
		}

		b.g.set("c2", billing.CardStatus{Active: true, Available: true}) // revived
		b.g.set("c1", billing.CardStatus{})                              // switched off
		b.pass(24 * time.Hour)
		b.run()
		want(t, "calls once revived", b.g.calls(), "c2")
		want(t, "attempts", b.attempts("w")[3:], "c1 declined dead", "c2 done ")
		if got, err := s.Card(t.Context(), "c2"); err != nil || got.State != billing.CardUsable || !got.DormantSince.IsZero() {
			t.Errorf("revived card = %s since %v, %v, want usable", got.State, got.DormantSince, err)
		}
		if got := wantWallet(t, s, "w"); got.PaymentState != wallet.AwaitingReconnect {
			t.Errorf("wallet = %s, want AWAITING_RECONNECT", got.PaymentState)
		}
	})
}

func TestCharge_statusCannotBeHad(t *testing.T) {
	tests := map[string]struct {
		err      error
		attempts []string
		charge   string
	}{
		"no answer":     {failed(billing.MayHaveMoved, ""), []string{"c1 prepared "}, "open"},
		"not sent":      {failed(billing.NotSent, ""), []string{"c1 prepared "}, "open"},
		"no such sid":   {failed(billing.CardGone, ""), []string{"c1 declined dead"}, "failed"},
		"broken access": {failed(billing.BadConfig, ""), []string{"c1 declined config"}, "halted"},
	}
	eachDatabase(t, func(t *testing.T, s *Store) {
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				w := strings.ReplaceAll(name, " ", "_")
				owing(t, s, w, 1500, w+"_c1")
				b := newTill(t, s, nil)
				b.g.statusIs = func(string) (billing.CardStatus, error) { return billing.CardStatus{}, tt.err }
				b.run()
				want(t, "calls", b.g.calls())
				got := b.attempts(w)
				for i := range got {
					got[i] = strings.TrimPrefix(got[i], w+"_")
				}
				want(t, "attempts", got, tt.attempts...)
				want(t, "charges", b.charges(w), tt.charge)
				wantWallet(t, s, w)
				exec(t, s, `DELETE FROM halt`)
			})
		}
	})
}

func TestCharge_cardTakenOffBeforeItIsAsked(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		owing(t, s, "w", 1500, "c1", "c2")
		b := newTill(t, s, nil)
		rows, err := s.Stamp(t.Context(), WorkWallet, t0, 1)
		if err != nil || len(rows) != 1 {
			t.Fatalf("Stamp() = %v, %v, want one wallet", rows, err)
		}
		opened, err := b.OpenDue(t.Context(), "w", rows[0].Epoch)
		if err != nil || opened.Outcome != billing.Opened {
			t.Fatalf("OpenDue() = %v, %v, want opened", opened.Outcome, err)
		}
		if err := b.DetachCard(t.Context(), "w", "", "c1"); err != nil {
			t.Fatal(err)
		}
		if got := b.attempt(opened.Next[0].Row); got.Outcome != billing.Paid {
			t.Errorf("outcome = %s, want paid", got.Outcome)
		}
		want(t, "attempts", b.attempts("w"), "c1 declined detached", "c2 done ")
		again, err := b.OpenDue(t.Context(), "w", rows[0].Epoch)
		if err != nil || again.Outcome != billing.Skipped {
			t.Errorf("OpenDue() run twice = %v, %v, want skipped", again.Outcome, err)
		}
	})
}

func TestCharge_cardDeclinedTooOften(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		owing(t, s, "w", 1500, "c1")
		b := newTill(t, s, func(c *billing.Settings) { c.Declines = 3 })
		b.g.charge = func(billing.ChargeRequest) (billing.Payment, error) {
			return billing.Payment{}, failed(billing.CardDeclined, "")
		}
		for range 5 {
			b.run()
			b.pass(24 * time.Hour)
		}
		if n := len(b.g.calls()); n != 3 {
			t.Errorf("calls in five days = %d, want 3", n)
		}
		b.pass(26 * 24 * time.Hour) // the first declines no longer count
		b.run()
		if n := len(b.g.calls()); n != 4 {
			t.Errorf("calls after thirty days = %d, want 4", n)
		}
	})
}
