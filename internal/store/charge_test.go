package store

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/wallet"
)

// The first of two cards answers in every way there is.
func TestCharge_whatTheFirstCardAnswers(t *testing.T) {
	tests := map[string]struct {
		answer   func(r billing.ChargeRequest) (billing.Payment, error)
		outcome  billing.Outcome
		calls    []string
		attempts []string
		charge   billing.ChargeState
		accrual  wallet.KRW
		charging wallet.KRW
		next     time.Time // of the wallet; zero to leave it unchecked
		halted   bool
		mails    []string
	}{
		"paid": {
			answer:  func(r billing.ChargeRequest) (billing.Payment, error) { return paidFor(r), nil },
			outcome: billing.Paid, calls: []string{"c1"}, attempts: []string{"c1 done "}, charge: billing.ChargePaid,
			mails: []string{"auto_pay_success"},
		},
		"declined": {
			answer: func(billing.ChargeRequest) (billing.Payment, error) {
				return billing.Payment{}, failed(billing.CardDeclined, "한도초과")
			},
			outcome: billing.Paid, calls: []string{"c1", "c2"}, attempts: []string{"c1 declined declined", "c2 done "}, charge: billing.ChargePaid,
			mails: []string{"auto_pay_success"},
		},
		"gone": {
			answer: func(billing.ChargeRequest) (billing.Payment, error) {
				return billing.Payment{}, failed(billing.CardGone, "")
			},
			outcome: billing.Paid, calls: []string{"c1", "c2"}, attempts: []string{"c1 declined dead", "c2 done "}, charge: billing.ChargePaid,
			mails: []string{"auto_pay_success"},
		},
		"our access is broken": {
			answer: func(billing.ChargeRequest) (billing.Payment, error) {
				return billing.Payment{}, failed(billing.BadConfig, "")
			},
			outcome: billing.Halted, calls: []string{"c1"}, attempts: []string{"c1 declined config"}, charge: billing.ChargeHalted,
			accrual: 1500, next: t0.Add(10 * time.Minute), halted: true,
		},
		"the day's quota is used up": {
			answer: func(billing.ChargeRequest) (billing.Payment, error) {
				return billing.Payment{}, failed(billing.QuotaUsedUp, "")
			},
			outcome: billing.Halted, calls: []string{"c1"}, attempts: []string{"c1 declined config"}, charge: billing.ChargeHalted,
			accrual: 1500, next: clock.NextMidnight(t0), halted: true,
		},
		"the request is refused": {
			answer: func(billing.ChargeRequest) (billing.Payment, error) {
				return billing.Payment{}, failed(billing.BadRequest, "")
			},
			outcome: billing.Refused, calls: []string{"c1"}, attempts: []string{"c1 declined refused"}, charge: billing.ChargeHalted,
			accrual: 1500, next: t0.Add(time.Hour),
		},
		"it was not sent": {
			answer: func(billing.ChargeRequest) (billing.Payment, error) {
				return billing.Payment{}, failed(billing.NotSent, "")
			},
			outcome: billing.Postponed, calls: []string{"c1"}, attempts: []string{"c1 prepared "}, charge: billing.ChargeOpen, charging: 1500,
		},
		"it may have moved": {
			answer: func(billing.ChargeRequest) (billing.Payment, error) {
				return billing.Payment{}, failed(billing.MayHaveMoved, "")
			},
			outcome: billing.InDoubt, calls: []string{"c1"}, attempts: []string{"c1 unknown "}, charge: billing.ChargeOpen, charging: 1500,
		},
		"an error nobody classed": {
			answer:  func(billing.ChargeRequest) (billing.Payment, error) { return billing.Payment{}, errors.New("?") },
			outcome: billing.InDoubt, calls: []string{"c1"}, attempts: []string{"c1 unknown "}, charge: billing.ChargeOpen, charging: 1500,
		},
		"another amount": {
			answer: func(r billing.ChargeRequest) (billing.Payment, error) {
				p := paidFor(r)
				p.Total--
				return p, nil
			},
			outcome: billing.Review, calls: []string{"c1"}, attempts: []string{"c1 done mismatch"}, charge: billing.ChargeReview, charging: 1500,
		},
		"another order": {
			answer: func(r billing.ChargeRequest) (billing.Payment, error) {
				p := paidFor(r)
				p.OrderID = "att_0"
				return p, nil
			},
			outcome: billing.Review, calls: []string{"c1"}, attempts: []string{"c1 done mismatch"}, charge: billing.ChargeReview, charging: 1500,
		},
		"another payer": {
			answer: func(r billing.ChargeRequest) (billing.Payment, error) {
				p := paidFor(r)
				p.PayerID = "acc_0"
				return p, nil
			},
			outcome: billing.Review, calls: []string{"c1"}, attempts: []string{"c1 done mismatch"}, charge: billing.ChargeReview, charging: 1500,
		},
	}
	eachDatabase(t, func(t *testing.T, s *Store) {
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				w := strings.ReplaceAll(name, " ", "_")
				cards := []string{"c1", "c2"}
				owing(t, s, w, 1500, w+"_c1", w+"_c2")
				b := newTill(t, s, nil)
				b.g.charge = func(r billing.ChargeRequest) (billing.Payment, error) {
					if strings.HasSuffix(r.SID, cards[0]) {
						return tt.answer(r)
					}
					return paidFor(r), nil
				}
				b.run()
				if got := b.outcomes[len(b.outcomes)-1]; got != tt.outcome {
					t.Errorf("outcome = %s, want %s", got, tt.outcome)
				}
				short := func(all []string) []string {
					for i := range all {
						all[i] = strings.TrimPrefix(all[i], w+"_")
					}
					return all
				}
				want(t, "calls", short(b.g.calls()), tt.calls...)
				want(t, "attempts", short(b.attempts(w)), tt.attempts...)
				want(t, "charges", b.charges(w), string(tt.charge))
				want(t, "mails", b.mails(w), tt.mails...)
				got := wantWallet(t, s, w)
				if got.Accrual != tt.accrual || got.Charging != tt.charging || got.PaymentState != wallet.Active {
					t.Errorf("wallet = accrual %d, charging %d, %s, want %d, %d, ACTIVE", got.Accrual, got.Charging, got.PaymentState, tt.accrual, tt.charging)
				}
				if !tt.next.IsZero() && !b.nextCharge(w).Equal(tt.next) {
					t.Errorf("next charge at %v, want %v", b.nextCharge(w), tt.next)
				}
				if halts := texts(t, s, `SELECT name FROM halt`); (len(halts) == 1) != tt.halted {
					t.Errorf("halts = %q, want one: %v", halts, tt.halted)
				}
				exec(t, s, `DELETE FROM halt`)
				if req := b.g.charged[0]; req.Total != 1650 || req.VAT != 150 || req.PayerID != "acc_"+w {
					t.Errorf("Charge(%+v), want 1650 with 150 VAT from acc_%s", req, w)
				}
			})
		}
	})
}

func TestCharge_nobodyIsChargedWhileHalted(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		owing(t, s, "w1", 1500, "a1")
		owing(t, s, "w2", 1500, "b1")
		b := newTill(t, s, nil)
		b.g.charge = func(billing.ChargeRequest) (billing.Payment, error) {
			return billing.Payment{}, failed(billing.BadConfig, "")
		}
		b.run()
		if calls := b.g.calls(); len(calls) > 2 { // both charges may have been open when the first was refused
			t.Errorf("calls = %q, want at most one a wallet", calls)
		}
		before := len(b.g.calls())
		b.pass(9 * time.Minute)
		b.run()
		if got := len(b.g.calls()); got != before {
			t.Errorf("calls while halted = %d, want %d", got, before)
		}
		b.g.charge = nil
		b.pass(time.Minute)
		b.run()
		for _, w := range []string{"w1", "w2"} {
			if got := wantWallet(t, s, w); got.Accrual+got.Charging != 0 || got.PaymentState != wallet.Active {
				t.Errorf("after the halt %s owes %d and is %s, want 0 and ACTIVE", w, got.Accrual+got.Charging, got.PaymentState)
			}
		}
	})
}

func TestCharge_inSlices(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		owing(t, s, "w", 0, "c1")
		accrue(t, s, "w", 499_999, t0)
		b := newTill(t, s, nil)
		b.run()
		want(t, "charges under the threshold", b.charges("w"))
		accrue(t, s, "w", 700_001, t0)
		for range 4 { // two seconds lie between approvals of one card
			b.run()
			b.pass(2 * time.Second)
		}
		want(t, "charges", b.charges("w"), "paid", "paid")
		if got := wantWallet(t, s, "w"); got.Accrual != 200_000 { // today's, under the threshold again
			t.Errorf("accrual = %d, want 200000", got.Accrual)
		}
		b.pass(24 * time.Hour)
		b.run()
		want(t, "charges after midnight", b.charges("w"), "paid", "paid", "paid")
		if got := wantWallet(t, s, "w"); got.Accrual != 0 {
			t.Errorf("accrual after midnight = %d, want 0", got.Accrual)
		}
	})
}

// Two workers have the task of one attempt: the card is asked once.
func TestCharge_twoWorkersMakeOneCall(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		owing(t, s, "w", 1500, "c1")
		b := newTill(t, s, nil)
		entered, release := make(chan struct{}, 2), make(chan struct{})
		b.g.charge = func(r billing.ChargeRequest) (billing.Payment, error) {
			entered <- struct{}{}
			<-release
			return paidFor(r), nil
		}
		rows, err := s.Stamp(t.Context(), WorkWallet, t0, 1)
		if err != nil {
			t.Fatal(err)
		}
		opened, err := b.OpenDue(t.Context(), "w", rows[0].Epoch)
		if err != nil {
			t.Fatal(err)
		}
		row := opened.Next[0].Row
		outcomes := make(chan billing.Outcome, 2)
		for range 2 {
			go func() {
				result, err := b.RunAttempt(t.Context(), row.ID, row.Epoch)
				if err != nil {
					t.Error(err)
				}
				outcomes <- result.Outcome
			}()
		}
		<-entered
		if got := <-outcomes; got != billing.Skipped {
			t.Errorf("the other worker's outcome = %s, want skipped", got)
		}
		close(release)
		if got := <-outcomes; got != billing.Paid {
			t.Errorf("outcome = %s, want paid", got)
		}
		want(t, "calls", b.g.calls(), "c1")
		want(t, "charges", b.charges("w"), "paid")
		wantWallet(t, s, "w")
	})
}

func TestCharge_mailTellsEveryCard(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		owing(t, s, "w", 1500, "c1", "c2")
		b := newTill(t, s, nil)
		b.g.charge = func(r billing.ChargeRequest) (billing.Payment, error) {
			if r.SID == "sid-of-c1" {
				return billing.Payment{}, failed(billing.CardDeclined, "한도초과")
			}
			return paidFor(r), nil
		}
		b.run()
		data := texts(t, s, `SELECT data FROM mail WHERE wallet_id = 'w'`)
		if len(data) != 1 || !strings.Contains(data[0], `"outcome":"declined","reason":"한도초과"`) || !strings.Contains(data[0], `"slot":2`) ||
			!strings.Contains(data[0], `"total_krw":1650`) || !strings.Contains(data[0], `"path":"/console/wallets/w/charges"`) {
			t.Errorf("mail data = %q, want both cards, the reason and the total", data)
		}
		if slices.ContainsFunc(data, func(d string) bool { return strings.Contains(d, "sid-of") }) {
			t.Errorf("mail data = %q, want no card key", data)
		}
	})
}
