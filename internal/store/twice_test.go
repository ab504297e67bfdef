package store

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/id"
)

// lateLook is a gateway whose first look at a card is answered when a test lets it.
type lateLook struct {
	*fakeGateway
	before func() (billing.CardStatus, error) // of the first look; nil once it was taken
}

func (g *lateLook) CardStatus(ctx context.Context, sid string) (billing.CardStatus, error) {
	if before := g.before; before != nil {
		g.before = nil
		return before()
	}
	return g.fakeGateway.CardStatus(ctx, sid)
}

// A task that runs twice at once: the first run looks at the card, and before it has its answer the
// second has taken the attempt and is charging. Whatever the first makes of its answer, the card is
// charged once, no other card is asked, and the payment counts.
func TestCharge_runTwiceAtOnce(t *testing.T) {
	status := func(s billing.CardStatus, err error) func(*till) (billing.CardStatus, error) {
		return func(*till) (billing.CardStatus, error) { return s, err }
	}
	tests := map[string]func(b *till) (billing.CardStatus, error){
		"it sees the approval": func(b *till) (billing.CardStatus, error) {
			return billing.CardStatus{Active: true, Available: true, LastApprovedAt: b.clock()}, nil
		},
		"it sees nothing":            status(billing.CardStatus{Active: true, Available: true}, nil),
		"it sees a dormant card":     status(billing.CardStatus{Active: true}, nil),
		"it sees a dead card":        status(billing.CardStatus{}, nil),
		"the card is gone":           status(billing.CardStatus{}, failed(billing.CardGone, "")),
		"its access is not accepted": status(billing.CardStatus{}, failed(billing.BadConfig, "")),
		"it gets no answer":          status(billing.CardStatus{}, failed(billing.MayHaveMoved, "")),
	}
	for name, sees := range tests {
		t.Run(name, func(t *testing.T) {
			eachDatabase(t, func(t *testing.T, s *Store) {
				b := newTill(t, s, nil)
				gateway := &lateLook{fakeGateway: b.g}
				settings := billing.DefaultSettings
				b.Service = billing.New(s, gateway, testKeys(t), id.New(b.clock, rand.Reader), rand.Reader, b.clock, settings)
				owing(t, s, "w", 1_500, "c1", "c2")
				charging, answer := make(chan struct{}), make(chan struct{})
				b.g.charge = func(r billing.ChargeRequest) (billing.Payment, error) {
					close(charging)
					<-answer
					return paidFor(r), nil
				}
				rows, err := s.Stamp(t.Context(), WorkWallet, b.clock(), 1)
				if err != nil || len(rows) != 1 {
					t.Fatalf("Stamp() = %v, %v, want the wallet", rows, err)
				}
				opened, err := b.OpenDue(t.Context(), rows[0].ID, rows[0].Epoch)
				if err != nil || len(opened.Next) != 1 {
					t.Fatalf("OpenDue() = %+v, %v, want an attempt", opened, err)
				}
				task := opened.Next[0].Row
				second := make(chan billing.Result, 1)
				gateway.before = func() (billing.CardStatus, error) {
					go func() {
						result, err := b.RunAttempt(context.WithoutCancel(t.Context()), task.ID, task.Epoch)
						if err != nil {
							t.Errorf("second RunAttempt() error = %v", err)
						}
						second <- result
					}()
					<-charging
					return sees(b)
				}
				first, err := b.RunAttempt(t.Context(), task.ID, task.Epoch)
				if err != nil || first.Outcome != billing.Skipped {
					t.Errorf("first RunAttempt() = %s, %v, want skipped", first.Outcome, err)
				}
				close(answer)
				if result := <-second; result.Outcome != billing.Paid {
					t.Errorf("second RunAttempt() = %s, want paid", result.Outcome)
				}
				b.g.charge = nil
				b.pass(time.Hour)
				b.run()
				want(t, "cards charged", b.g.calls(), "c1")
				want(t, "attempts", b.attempts("w"), "c1 done ")
				want(t, "charges", b.charges("w"), "paid")
			})
		})
	}
}
