package store

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/wallet"
)

// startTopUp begins a top-up and returns it with the key in the payer's way back.
func (b *till) startTopUp(walletID string, supply wallet.KRW, key string) (billing.Checkout, string) {
	b.t.Helper()
	c, err := b.StartTopUp(b.t.Context(), billing.TopUpOrder{
		AccountID: "acc_" + walletID, WalletID: walletID, Supply: supply,
		Request: billing.Request{Scope: "tok_1", Key: key, BodyHash: []byte(fmt.Sprint(supply))},
	})
	if err != nil {
		b.t.Fatalf("StartTopUp(%d) error = %v", supply, err)
	}
	return c, b.keyOf(c)
}

func (b *till) startCard(accountID, key string) (billing.Checkout, string) {
	b.t.Helper()
	c, err := b.StartCard(b.t.Context(), accountID, billing.Request{Scope: "tok_1", Key: key, BodyHash: []byte("card")})
	if err != nil {
		b.t.Fatalf("StartCard() error = %v", err)
	}
	return c, b.keyOf(c)
}

// keyOf reads the key from the address that the gateway was given for a checkout.
func (b *till) keyOf(c billing.Checkout) string {
	b.g.mu.Lock()
	defer b.g.mu.Unlock()
	prefix := "https://malgil.example/pay/" + c.ID + "/"
	for _, r := range b.g.readies {
		if key, ok := strings.CutPrefix(r.ApproveURL, prefix); ok {
			return key
		}
	}
	b.t.Fatalf("the gateway was given no way back for %s", c.ID)
	return ""
}

func (b *till) back(c billing.Checkout, key string) (billing.Checkout, billing.Result) {
	b.t.Helper()
	c, result, err := b.Return(b.t.Context(), c.ID, key, "pg-token")
	if err != nil {
		b.t.Fatalf("Return() error = %v", err)
	}
	return c, result
}

func TestTopUp(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		owing(t, s, "w", 0)
		b := newTill(t, s, nil)
		c, key := b.startTopUp("w", 100_000, "k1")
		if c.State != billing.CheckoutReady || c.VAT != 10_000 || c.Redirect.PC == "" {
			t.Errorf("StartTopUp(100000) = %s with VAT %d to %q, want ready, 10000 and an address", c.State, c.VAT, c.Redirect.PC)
		}
		if r := b.g.readies[0]; r.Total != 110_000 || r.Purpose != billing.OneTime || r.CancelURL != r.ApproveURL+"/cancel" || len(r.FailURL) > 255 {
			t.Errorf("Ready(%+v), want 110000 once, and addresses within 255 bytes", r)
		}
		again, _ := b.startTopUp("w", 100_000, "k1")
		if again.ID != c.ID || len(b.g.readies) != 1 {
			t.Errorf("StartTopUp repeated = %s after %d ready calls, want %s and 1", again.ID, len(b.g.readies), c.ID)
		}
		if _, _, err := b.Return(t.Context(), c.ID, "wrong", "pg-token"); fault.KindOf(err) != fault.NotFound {
			t.Errorf("Return with a wrong key error = %v, want NotFound", err)
		}
		if _, _, err := b.Return(t.Context(), c.ID, key, ""); fault.KindOf(err) != fault.Invalid {
			t.Errorf("Return without a token error = %v, want Invalid", err)
		}
		for range 2 {
			if got, _ := b.back(c, key); got.State != billing.CheckoutDone || got.Redirect != (billing.Redirect{}) {
				t.Errorf("Return() = %s to %q, want done and nowhere", got.State, got.Redirect.PC)
			}
		}
		if got, err := b.TurnBack(t.Context(), c.ID, key, false); err != nil || got.State != billing.CheckoutDone {
			t.Errorf("TurnBack() of a done one = %s, %v, want done", got.State, err)
		}
		want(t, "mails", b.mails("w"), "topup")
		if got := wantWallet(t, s, "w"); got.Paid != 100_000 || len(b.g.approves) != 1 {
			t.Errorf("paid %d after %d approvals, want 100000 after 1", got.Paid, len(b.g.approves))
		}
		if left := texts(t, s, `SELECT id FROM attempt WHERE token_sealed <> $1`, []byte{}); len(left) != 0 {
			t.Errorf("tokens kept by %q, want none", left)
		}
	})
}

func TestTopUp_refused(t *testing.T) {
	tests := map[string]struct {
		wallet string
		supply wallet.KRW
		kind   fault.Kind
	}{
		"too little":    {"w", 999, fault.Invalid},
		"too much":      {"w", 100_000_001, fault.Invalid},
		"no wallet":     {"none", 1000, fault.NotFound},
		"suspended one": {"bad", 1000, fault.Refused},
	}
	eachDatabase(t, func(t *testing.T, s *Store) {
		owing(t, s, "w", 0)
		owing(t, s, "bad", 0)
		exec(t, s, `UPDATE wallet SET status = 'suspended' WHERE id = 'bad'`)
		b := newTill(t, s, nil)
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				_, err := b.StartTopUp(t.Context(), billing.TopUpOrder{AccountID: "acc_w", WalletID: tt.wallet, Supply: tt.supply})
				if fault.KindOf(err) != tt.kind {
					t.Errorf("StartTopUp(%s, %d) error = %v, want %v", tt.wallet, tt.supply, err, tt.kind)
				}
			})
		}
		if len(b.g.readies) != 0 {
			t.Errorf("%d ready calls, want none", len(b.g.readies))
		}
	})
}

func TestTopUp_whatApproveAnswers(t *testing.T) {
	tests := map[string]struct {
		err     error
		change  func(p *billing.Payment)
		order   billing.OrderStatus
		state   billing.CheckoutState // when the payer is back
		after   billing.CheckoutState // when looked up
		paid    wallet.KRW
		outcome billing.Outcome
	}{
		"approved":            {state: billing.CheckoutDone, after: billing.CheckoutDone, paid: 5000, outcome: billing.Paid},
		"declined":            {err: failed(billing.CardDeclined, "한도초과"), state: billing.CheckoutFailed, after: billing.CheckoutFailed, outcome: billing.Closed},
		"a wrong token":       {err: failed(billing.BadRequest, ""), state: billing.CheckoutFailed, after: billing.CheckoutFailed, outcome: billing.Closed},
		"our access is wrong": {err: failed(billing.BadConfig, ""), state: billing.CheckoutFailed, after: billing.CheckoutFailed, outcome: billing.Closed},
		"another amount": {change: func(p *billing.Payment) { p.Total++ }, state: billing.CheckoutReview,
			after: billing.CheckoutReview, outcome: billing.Review},
		"not sent": {err: failed(billing.NotSent, ""), state: billing.CheckoutApproving, after: billing.CheckoutDone, paid: 5000, outcome: billing.Postponed},
		"lost, and paid": {err: failed(billing.MayHaveMoved, ""), order: billing.OrderPaid, state: billing.CheckoutApproving,
			after: billing.CheckoutDone, paid: 5000, outcome: billing.InDoubt},
		"lost, and failed": {err: failed(billing.MayHaveMoved, ""), order: billing.OrderFailed, state: billing.CheckoutApproving,
			after: billing.CheckoutFailed, outcome: billing.InDoubt},
		"lost on the way": {err: failed(billing.MayHaveMoved, ""), order: billing.OrderOpen, state: billing.CheckoutApproving,
			after: billing.CheckoutDone, paid: 5000, outcome: billing.InDoubt},
		"lost, and cancelled there": {err: failed(billing.MayHaveMoved, ""), order: billing.OrderCancelled, state: billing.CheckoutApproving,
			after: billing.CheckoutReview, outcome: billing.InDoubt},
	}
	eachDatabase(t, func(t *testing.T, s *Store) {
		n := 0
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				n++
				w := fmt.Sprintf("w%d", n)
				owing(t, s, w, 0)
				b := newTill(t, s, nil)
				first := true
				var asked billing.ApproveRequest
				b.g.approve = func(r billing.ApproveRequest) (billing.Payment, error) {
					asked = r
					p := approvedFor(r)
					if !first {
						return p, nil
					}
					first = false
					if tt.change != nil {
						tt.change(&p)
					}
					return p, tt.err
				}
				b.g.order = func(tid string) (billing.Order, error) {
					p := approvedFor(asked)
					return billing.Order{Status: tt.order, Payment: p}, nil
				}
				c, key := b.startTopUp(w, 5000, "key-"+w)
				got, result := b.back(c, key)
				if got.State != tt.state || result.Outcome != tt.outcome {
					t.Errorf("Return() = %s, %s, want %s, %s", got.State, result.Outcome, tt.state, tt.outcome)
				}
				b.pass(10 * time.Second)
				b.run()
				if got, err := b.Checkout(t.Context(), c.ID); err != nil || got.State != tt.after {
					t.Errorf("checkout later = %s, %v, want %s", got.State, err, tt.after)
				}
				if got := wantWallet(t, s, w); got.Paid != tt.paid {
					t.Errorf("paid = %d, want %d", got.Paid, tt.paid)
				}
			})
		}
	})
}

func TestTopUp_thePayerTurnsBackOrStaysAway(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		owing(t, s, "w", 0)
		b := newTill(t, s, nil)
		for _, failed := range []bool{false, true} {
			c, key := b.startTopUp("w", 1000, fmt.Sprint("turn", failed))
			got, err := b.TurnBack(t.Context(), c.ID, key, failed)
			wanted := map[bool]billing.CheckoutState{false: billing.CheckoutCancelled, true: billing.CheckoutFailed}[failed]
			if err != nil || got.State != wanted {
				t.Errorf("TurnBack(failed %v) = %s, %v, want %s", failed, got.State, err, wanted)
			}
			if got, _ := b.back(c, key); got.State != wanted {
				t.Errorf("Return() after it = %s, want %s", got.State, wanted)
			}
		}
		c, _ := b.startTopUp("w", 1000, "away")
		b.pass(billing.CheckoutLife)
		b.run()
		if got, _ := b.Checkout(t.Context(), c.ID); got.State != billing.CheckoutReady {
			t.Errorf("checkout after 15 minutes = %s, want ready", got.State)
		}
		b.pass(5 * time.Minute)
		b.run()
		if got, _ := b.Checkout(t.Context(), c.ID); got.State != billing.CheckoutCancelled || got.Reason != billing.ReasonExpired {
			t.Errorf("checkout after 20 minutes = %s %s, want cancelled, expired", got.State, got.Reason)
		}
		if len(b.g.approves) != 0 {
			t.Errorf("%d approvals, want none", len(b.g.approves))
		}
		wantWallet(t, s, "w")
	})
}

func TestTopUp_paysAnUnpaidWallet(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		owing(t, s, "w", 1500, "c1")
		b := newTill(t, s, nil)
		b.g.charge = func(billing.ChargeRequest) (billing.Payment, error) {
			return billing.Payment{}, failed(billing.CardDeclined, "")
		}
		b.run()
		little, key := b.startTopUp("w", 1000, "little")
		b.back(little, key)
		if got := wantWallet(t, s, "w"); got.PaymentState != wallet.Unpaid || got.Accrual != 500 {
			t.Errorf("wallet = %s owing %d, want UNPAID owing 500", got.PaymentState, got.Accrual)
		}
		if got := b.nextCharge("w"); !got.Equal(t0) {
			t.Errorf("next charge at %v, want at once", got)
		}
		rest, key := b.startTopUp("w", 2000, "rest")
		b.back(rest, key)
		if got := wantWallet(t, s, "w"); got.PaymentState != wallet.AwaitingReconnect || got.Accrual != 0 || got.Paid != 1500 {
			t.Errorf("wallet = %s owing %d with %d, want AWAITING_RECONNECT, 0, 1500", got.PaymentState, got.Accrual, got.Paid)
		}
		want(t, "channels", b.channels("w"), "awaiting_reconnect", "awaiting_reconnect")
	})
}

func TestStartCard(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		newAccount(t, s, "acc")
		b := newTill(t, s, nil)
		c, key := b.startCard("acc", "k1")
		if r := b.g.readies[0]; r.Total != 0 || r.Purpose != billing.Recurring {
			t.Errorf("Ready(%+v), want 0 won, recurring", r)
		}
		for range 2 {
			if got, _ := b.back(c, key); got.State != billing.CheckoutDone || got.CardID == "" {
				t.Errorf("Return() = %s with card %q, want done with one", got.State, got.CardID)
			}
		}
		cards, err := b.AccountCards(t.Context(), "acc")
		if err != nil || len(cards) != 1 || cards[0].Masked != "5409-12**" || cards[0].Issuer != "신한카드" || cards[0].PayerID != "acc" {
			t.Fatalf("AccountCards() = %+v, %v, want one 신한카드 5409-12**", cards, err)
		}
		var sealed []byte
		if err := s.read.QueryRowContext(t.Context(), `SELECT sid_sealed FROM card`).Scan(&sealed); err != nil {
			t.Fatal(err)
		}
		if plain, err := s.keys.Open(sealed, "card", cards[0].ID); err != nil || string(plain) != "sid-new-"+c.AttemptID || bytes.Contains(sealed, plain) {
			t.Errorf("stored key opens as %q, %v, want it sealed", plain, err)
		}
		if len(b.g.cancels) != 0 {
			t.Errorf("cancels = %q, want none", b.g.cancels)
		}
	})
}

func TestStartCard_costIsGivenBack(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		newAccount(t, s, "acc")
		b := newTill(t, s, func(c *billing.Settings) { c.CardAmount = 100 })
		lost := true
		b.g.cancel = func(r billing.CancelRequest) (wallet.KRW, error) {
			if lost {
				return 0, failed(billing.MayHaveMoved, "")
			}
			return r.Amount, nil
		}
		b.g.order = func(tid string) (billing.Order, error) { return billing.Order{Status: billing.OrderPaid}, nil }
		c, key := b.startCard("acc", "k1")
		got, result := b.back(c, key)
		if got.State != billing.CheckoutDone || len(result.Next) != 1 {
			t.Fatalf("Return() = %s, next %v, want done and the cancel", got.State, result.Next)
		}
		b.attempt(result.Next[0].Row)
		lost = false
		b.pass(10 * time.Second)
		b.run() // looked up: still paid, so it goes again
		b.pass(time.Minute)
		b.run()
		if wanted := fmt.Sprintf("%s 100", got.TID); len(b.g.cancels) != 2 || b.g.cancels[1] != wanted {
			t.Errorf("cancels = %q, want %q twice", b.g.cancels, wanted)
		}
		want(t, "attempts", b.attempts(""), got.CardID+" done ", " done ")
	})
}

// The answer to the approval is lost, and with it the card's key.
func TestStartCard_keyIsLost(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		newAccount(t, s, "acc")
		b := newTill(t, s, func(c *billing.Settings) { c.CardAmount = 100 })
		b.g.approve = func(billing.ApproveRequest) (billing.Payment, error) {
			return billing.Payment{}, failed(billing.MayHaveMoved, "")
		}
		b.g.order = func(string) (billing.Order, error) { return billing.Order{Status: billing.OrderPaid}, nil }
		c, key := b.startCard("acc", "k1")
		if got, _ := b.back(c, key); got.State != billing.CheckoutApproving {
			t.Errorf("Return() = %s, want approving", got.State)
		}
		b.pass(10 * time.Second)
		b.run()
		if got, err := b.Checkout(t.Context(), c.ID); err != nil || got.State != billing.CheckoutFailed || got.Reason != billing.ReasonLost {
			t.Errorf("checkout = %s %s, %v, want failed, lost", got.State, got.Reason, err)
		}
		if len(b.g.cancels) != 1 {
			t.Errorf("cancels = %q, want one", b.g.cancels)
		}
		if cards, err := b.AccountCards(t.Context(), "acc"); err != nil || len(cards) != 0 {
			t.Errorf("AccountCards() = %v, %v, want none", cards, err)
		}
	})
}

// An account has nine cards and adds two at once.
func TestStartCard_atMostTen(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		newAccount(t, s, "acc")
		for i := range 9 {
			newCard(t, s, fmt.Sprintf("c%d", i), "acc", "", 0)
		}
		b := newTill(t, s, nil)
		var both, wait sync.WaitGroup
		both.Add(2)
		b.g.approve = func(r billing.ApproveRequest) (billing.Payment, error) {
			both.Done()
			both.Wait() // nobody goes on before both are here
			return approvedFor(r), nil
		}
		for i := range 2 {
			c, key := b.startCard("acc", fmt.Sprint(i))
			wait.Go(func() {
				if _, _, err := b.Return(t.Context(), c.ID, key, "pg-token"); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		cards, err := b.AccountCards(t.Context(), "acc")
		if err != nil || len(cards) != billing.MaxAccountCards {
			t.Errorf("cards = %d, %v, want %d", len(cards), err, billing.MaxAccountCards)
		}
		want(t, "checkouts", texts(t, s, `SELECT state || ' ' || reason FROM checkout ORDER BY state`), "done ", "failed full")
		if len(b.g.off) != 1 {
			t.Errorf("switched off = %q, want the eleventh", b.g.off)
		}
		_, err = b.StartCard(t.Context(), "acc", billing.Request{})
		if fault.KindOf(err) != fault.Refused || fault.CodeOf(err) != "CARD_LIMIT" {
			t.Errorf("StartCard() of the eleventh error = %v, want CARD_LIMIT", err)
		}
	})
}
