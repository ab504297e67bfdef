package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/id"
	"github.com/malgil/malgil/internal/wallet"
)

// lost makes the answer of the first call get lost, after the card paid or before.
func (b *till) lost(paid bool) {
	first := true
	b.g.charge = func(r billing.ChargeRequest) (billing.Payment, error) {
		if !first {
			return paidFor(r), nil
		}
		first = false
		if paid {
			b.g.set(strings.TrimPrefix(r.SID, "sid-of-"), billing.CardStatus{Active: true, Available: true, LastApprovedAt: b.clock()})
		}
		return billing.Payment{}, failed(billing.MayHaveMoved, "")
	}
}

func TestResolve_theAnswerWasLost(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		t.Run("and the card paid", func(t *testing.T) {
			owing(t, s, "p", 1500, "p1", "p2")
			b := newTill(t, s, nil)
			b.lost(true)
			b.run()
			want(t, "attempts", b.attempts("p"), "p1 unknown ")
			b.pass(5 * time.Second)
			b.run()
			want(t, "attempts", b.attempts("p"), "p1 done ")
			want(t, "charges", b.charges("p"), "paid")
			want(t, "calls", b.g.calls(), "p1")
			want(t, "mails", b.mails("p"), "auto_pay_success")
			wantWallet(t, s, "p")
		})
		t.Run("and the card did not pay", func(t *testing.T) {
			owing(t, s, "n", 1500, "n1", "n2")
			b := newTill(t, s, nil)
			b.lost(false)
			b.run()
			for range 5 {
				b.pass(11 * time.Second)
				b.run()
				want(t, "attempts within a minute", b.attempts("n"), "n1 unknown ")
			}
			b.pass(5 * time.Second)
			b.run()
			want(t, "attempts after a minute", b.attempts("n"), "n1 declined lost", "n2 done ")
			want(t, "charges", b.charges("n"), "paid")
			want(t, "calls", b.g.calls(), "n1", "n2")
			wantWallet(t, s, "n")
		})
		t.Run("and look-ups are not answered", func(t *testing.T) {
			owing(t, s, "u", 1500, "u1", "u2")
			b := newTill(t, s, nil)
			b.lost(false)
			b.run()
			b.g.statusIs = func(string) (billing.CardStatus, error) { return billing.CardStatus{}, failed(billing.NotSent, "") }
			for range 50 {
				b.pass(time.Hour)
				b.run()
			}
			want(t, "charges after two days without an answer", b.charges("u"), "open")
			want(t, "calls", b.g.calls(), "u1")
			if got := wantWallet(t, s, "u"); got.PaymentState != wallet.Active || got.Charging != 1500 {
				t.Errorf("wallet = %s charging %d, want ACTIVE and 1500", got.PaymentState, got.Charging)
			}
			b.g.statusIs = nil
			b.pass(time.Hour)
			b.run()
			want(t, "charges once answered", b.charges("u"), "paid")
		})
	})
}

// The provider's clock is far ahead, so that an approval cannot be told from the one before.
func TestResolve_whatNobodyCanTellGoesToAPerson(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		owing(t, s, "w", 1500, "c1", "c2")
		b := newTill(t, s, nil)
		b.g.set("c1", billing.CardStatus{Active: true, Available: true, LastApprovedAt: t0.Add(time.Hour)})
		b.lost(false)
		b.run()
		for range 26 {
			b.pass(time.Hour)
			b.run()
		}
		want(t, "charges", b.charges("w"), "review")
		want(t, "attempts", b.attempts("w"), "c1 unknown ")
		reviews := 0
		for _, outcome := range b.outcomes {
			if outcome == billing.Review {
				reviews++
			}
		}
		if reviews != 1 {
			t.Errorf("a person was asked %d times, want once", reviews)
		}
		if got := wantWallet(t, s, "w"); got.PaymentState != wallet.Active || got.Charging != 1500 {
			t.Errorf("wallet = %s charging %d, want ACTIVE and 1500", got.PaymentState, got.Charging)
		}
		accrue(t, s, "w", 600_000, b.clock())
		b.run()
		want(t, "calls", b.g.calls(), "c1") // nothing more is charged

		b.g.set("c1", billing.CardStatus{Active: true, Available: true, LastApprovedAt: t0.Add(2 * time.Hour)})
		b.pass(24 * time.Hour)
		b.run() // the evidence came at last
		want(t, "charges", b.charges("w")[:1], "paid")
		wantWallet(t, s, "w")
	})
}

// Approvals of one card within one second could not be told apart, so the next call waits.
func TestCharge_waitsForTheProvidersNextSecond(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		owing(t, s, "w", 1500, "c1")
		b := newTill(t, s, nil)
		b.g.set("c1", billing.CardStatus{Active: true, Available: true, LastApprovedAt: t0.Add(-time.Second)})
		b.run()
		want(t, "calls at once", b.g.calls())
		b.pass(time.Second)
		b.run()
		want(t, "calls a second later", b.g.calls(), "c1")
	})
}

// The worker dies in the middle of the call: its attempt is unknown, and is looked up.
func TestResolve_theWorkerDied(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		owing(t, s, "w", 1500, "c1", "c2")
		b := newTill(t, s, nil)
		rows, err := s.Stamp(t.Context(), WorkWallet, t0, 1)
		if err != nil {
			t.Fatal(err)
		}
		opened, err := b.OpenDue(t.Context(), "w", rows[0].Epoch)
		if err != nil {
			t.Fatal(err)
		}
		row := opened.Next[0].Row
		claim := billing.Claim{ID: row.ID, Epoch: row.Epoch, At: t0, LeaseUntil: t0.Add(30 * time.Second)}
		if ok, err := s.ClaimAttempt(t.Context(), claim); !ok || err != nil {
			t.Fatalf("ClaimAttempt() = %v, %v, want true", ok, err)
		}
		if ok, err := s.ClaimAttempt(t.Context(), claim); ok || err != nil {
			t.Errorf("second ClaimAttempt() = %v, %v, want false", ok, err)
		}
		b.pass(29 * time.Second)
		b.run()
		want(t, "attempts within the lease", b.attempts("w"), "c1 calling ")
		b.pass(time.Second)
		b.run()
		want(t, "attempts after the lease", b.attempts("w"), "c1 unknown ")
		b.pass(time.Minute)
		b.run()
		want(t, "attempts when looked up", b.attempts("w"), "c1 declined lost", "c2 done ")
		wantWallet(t, s, "w")
	})
}

// A worker was frozen in its call and answers after its lease.
func TestResolve_lateAnswers(t *testing.T) {
	tests := map[string]struct {
		frozen   time.Duration
		outcome  billing.Outcome
		attempts []string
		paid     wallet.KRW
		mails    []string
	}{
		"before anybody looked": {0, billing.Paid, []string{"c1 done "}, 0, []string{"auto_pay_success"}},
		"after it was called lost and the next card paid": {2 * time.Minute, billing.Late,
			[]string{"c1 done late", "c2 done "}, 1500, []string{"auto_pay_success", "topup"}},
	}
	eachDatabase(t, func(t *testing.T, s *Store) {
		n := 0
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				n++
				w := fmt.Sprintf("w%d", n)
				owing(t, s, w, 1500, w+"_c1", w+"_c2")
				b := newTill(t, s, nil)
				entered, release := make(chan struct{}), make(chan struct{})
				b.g.charge = func(r billing.ChargeRequest) (billing.Payment, error) {
					if strings.HasSuffix(r.SID, "c1") {
						close(entered)
						<-release
					}
					return paidFor(r), nil
				}
				rows, err := s.Stamp(t.Context(), WorkWallet, t0, 1)
				if err != nil {
					t.Fatal(err)
				}
				opened, err := b.OpenDue(t.Context(), w, rows[0].Epoch)
				if err != nil {
					t.Fatal(err)
				}
				row := opened.Next[0].Row
				answered := make(chan billing.Outcome)
				go func() {
					result, err := b.RunAttempt(t.Context(), row.ID, row.Epoch)
					if err != nil {
						t.Error(err)
					}
					answered <- result.Outcome
				}()
				<-entered
				b.pass(31 * time.Second)
				if _, err := s.ExpireCalling(t.Context(), b.clock()); err != nil {
					t.Fatal(err)
				}
				if tt.frozen > 0 {
					b.pass(tt.frozen)
					b.run()
				}
				close(release)
				if got := <-answered; got != tt.outcome {
					t.Errorf("outcome = %s, want %s", got, tt.outcome)
				}
				got := b.attempts(w)
				for i := range got {
					got[i] = strings.TrimPrefix(got[i], w+"_")
				}
				want(t, "attempts", got, tt.attempts...)
				want(t, "charges", b.charges(w), "paid")
				want(t, "mails", b.mails(w), tt.mails...)
				if got := wantWallet(t, s, w); got.Paid != tt.paid || got.Accrual+got.Charging != 0 {
					t.Errorf("wallet = paid %d, owing %d, want %d, 0", got.Paid, got.Accrual+got.Charging, tt.paid)
				}
			})
		}
	})
}

// The database is away when the outcome is to be recorded, and comes back within the lease.
func TestRunAttempt_recordsAgain(t *testing.T) {
	s := openTest(t, sqliteAddress(t))
	owing(t, s, "w", 1500, "c1")
	b := newTill(t, s, nil)
	flaky := &flakyStore{Store: s, fails: 2}
	b.Service = billing.New(flaky, b.g, testKeys(t), id.New(b.clock, rand.Reader), rand.Reader, b.clock, billing.DefaultSettings)
	b.run()
	want(t, "charges", b.charges("w"), "paid")
	want(t, "calls", b.g.calls(), "c1")
	if flaky.fails != 0 {
		t.Errorf("%d failures were not met, want 0", flaky.fails)
	}
	wantWallet(t, s, "w")
}

// flakyStore fails to record payments for a while.
type flakyStore struct {
	*Store
	fails int
}

func (f *flakyStore) ChargePaid(ctx context.Context, r billing.Report) (billing.Result, error) {
	if f.fails > 0 {
		f.fails--
		return billing.Result{}, errors.New("database is away")
	}
	return f.Store.ChargePaid(ctx, r)
}

// Two slices are charged to one card, the second one's answer is lost, and the provider's clock
// is seconds off: its approval must still be told from that of the first.
func TestResolve_secondSliceUnderAnotherClock(t *testing.T) {
	for _, skew := range []time.Duration{-5 * time.Second, -2 * time.Second, 0, 2 * time.Second, 5 * time.Second} {
		t.Run(skew.String(), func(t *testing.T) {
			s := openTest(t, sqliteAddress(t))
			owing(t, s, "w", 1_000_000, "c1", "c2")
			b := newTill(t, s, nil)
			b.g.charge = func(r billing.ChargeRequest) (billing.Payment, error) {
				b.g.set("c1", billing.CardStatus{Active: true, Available: true, LastApprovedAt: b.clock().Add(skew).Truncate(time.Second)})
				if len(b.g.calls()) == 2 {
					return billing.Payment{}, failed(billing.MayHaveMoved, "")
				}
				return paidFor(r), nil
			}
			for range 30 {
				b.run()
				b.pass(5 * time.Second)
			}
			want(t, "calls", b.g.calls(), "c1", "c1")
			want(t, "charges", b.charges("w"), "paid", "paid")
			wantWallet(t, s, "w")
		})
	}
}
