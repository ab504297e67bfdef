package billing

import (
	"context"
	"time"
)

const (
	// lostAfter is how long an approval may take to show in the card's status.
	lostAfter = time.Minute
	// reviewAfter is how long answered look-ups may leave an outcome open before a person is asked.
	reviewAfter = 24 * time.Hour
	// lookAgain is the pause after a look-up that was not answered.
	lookAgain = time.Minute
)

// ResolveAttempt looks up what became of an attempt whose outcome is unknown. Until it is known
// no other card is asked; what cannot be known for a day goes to a person. It leaves alone an
// attempt that is resolved or not yet due, or that is of another epoch.
func (s *Service) ResolveAttempt(ctx context.Context, id string, epoch int) (Result, error) {
	now := s.now()
	a, err := s.store.Attempt(ctx, id, now)
	if err != nil {
		return Result{}, wrap(err, "read attempt %s", id)
	}
	if a.State != Unknown || a.Epoch != epoch || now.Before(a.NextAt) {
		return Result{Outcome: Skipped, WalletID: a.WalletID}, nil
	}
	var result Result
	switch {
	case a.Kind == RefundAttempt:
		result, err = s.resolveRefund(ctx, a)
	case a.Kind == InvoiceAttempt:
		result, err = s.resolveInvoice(ctx, a)
	case a.Method == ByBank:
		result, err = s.resolveAccount(ctx, a)
	case a.TID != "":
		result, err = s.resolveByOrder(ctx, a)
	default:
		result, err = s.resolveByCard(ctx, a)
	}
	return result.about(a), wrap(err, "resolve attempt %s", id)
}

func (s *Service) fenced(a Attempt) Report {
	r := s.report(a)
	r.Fenced = true
	return r
}

// resolveByOrder asks for the payment by its tid.
func (s *Service) resolveByOrder(ctx context.Context, a Attempt) (Result, error) {
	askCtx, cancel := s.asked(ctx)
	order, err := s.gateway.Order(askCtx, a.purpose(), a.TID)
	cancel()
	if err != nil {
		return s.later(ctx, a, asGateway(err).Class == BadRequest, time.Time{})
	}
	switch a.Kind {
	case ChargeAttempt:
		return s.chargeOrder(ctx, a, order)
	case TopUpAttempt, CardAttempt:
		return s.checkoutOrder(ctx, a, order)
	case CancelAttempt:
		return s.cancelOrder(ctx, a, order)
	case RefundAttempt, InvoiceAttempt: // see resolveRefund and resolveInvoice
	}
	return s.later(ctx, a, true, time.Time{})
}

func (s *Service) chargeOrder(ctx context.Context, a Attempt, order Order) (Result, error) {
	switch order.Status {
	case OrderPaid:
		return s.chargeAnswered(ctx, a, s.fenced(a), order.Payment)
	case OrderFailed:
		return s.decline(ctx, a, ReasonDeclined, &GatewayError{})
	case OrderCancelled, OrderPartly:
		r := s.fenced(a)
		r.Reason, r.Message = ReasonMismatch, "the payment was cancelled at the provider"
		return s.store.ChargeMismatch(ctx, r)
	case OrderOpen:
	}
	return s.later(ctx, a, true, time.Time{})
}

// resolveByCard compares the card's last approval with the one before the call: the provider has
// no other look-up for a charge whose answer was lost. Only our charges move it, and one card has
// one attempt at a time.
func (s *Service) resolveByCard(ctx context.Context, a Attempt) (Result, error) {
	sid, err := s.sealer.Open(a.SealedSID, tableCard, a.CardID)
	if err != nil {
		return Result{}, err
	}
	status, err := s.cardStatus(ctx, string(sid))
	if err != nil {
		return s.later(ctx, a, asGateway(err).Class == CardGone, time.Time{})
	}
	if status.LastApprovedAt.After(a.CardApprovedAt) {
		r := s.fenced(a)
		r.PaidAt = status.LastApprovedAt
		return s.store.ChargePaid(ctx, r)
	}
	lost := a.CalledAt.Add(lostAfter)
	if s.now().Before(lost) || !apart(a.CalledAt, a.CardApprovedAt) {
		return s.later(ctx, a, true, lost)
	}
	return s.decline(ctx, a, ReasonLost, &GatewayError{})
}

// later leaves an attempt unknown and looks again: after a pause that grows with each answer, and
// at the time given when that is sooner.
func (s *Service) later(ctx context.Context, a Attempt, answered bool, at time.Time) (Result, error) {
	r := s.fenced(a)
	r.Answered = answered
	switch {
	case !answered:
		r.NextAt = r.At.Add(lookAgain)
	case r.At.Sub(a.CalledAt) >= reviewAfter:
		r.Review, r.NextAt = !a.InReview, r.At.Add(reviewAfter)
	default:
		r.NextAt = r.At.Add(backoff(a.Tries + 1))
		if at.After(r.At) && at.Before(r.NextAt) {
			r.NextAt = at
		}
	}
	return s.store.DoubtAttempt(ctx, r)
}
