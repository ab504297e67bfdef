package billing

import (
	"context"
	"time"

	"github.com/malgil/malgil/internal/fault"
)

// approve finishes a checkout whose payer is back.
func (s *Service) approve(ctx context.Context, a Attempt) (Result, error) {
	if len(a.Token) == 0 { // nobody came back
		r := s.report(a)
		r.Reason = ReasonExpired
		return s.store.CheckoutFailed(ctx, r, "")
	}
	if a.Kind == CardAttempt && a.CardsLeft < 1 {
		r := s.report(a)
		r.Reason = ReasonFull
		return s.store.CheckoutFailed(ctx, r, "")
	}
	token, err := s.sealer.Open(a.Token, tableAttempt, a.ID)
	if err != nil {
		return Result{}, wrap(err, "approve attempt %s", a.ID)
	}
	lease, ok, err := s.claim(ctx, &a, time.Time{})
	if err != nil || !ok {
		return Result{Outcome: Skipped, WalletID: a.WalletID}, err
	}
	callCtx, cancel := s.called(ctx)
	payment, err := s.gateway.Approve(callCtx, ApproveRequest{
		Purpose: a.purpose(), TID: a.TID, OrderID: a.ID, PayerID: a.PayerID, Token: string(token), Total: a.Total,
	})
	cancel()
	if err == nil {
		return s.approved(ctx, a, s.report(a), payment, lease)
	}
	return s.record(ctx, a, lease, func(ctx context.Context) (Result, error) {
		return s.notApproved(ctx, a, asGateway(err))
	})
}

// approved keeps what an approval brought.
func (s *Service) approved(ctx context.Context, a Attempt, r Report, p Payment, lease time.Time) (Result, error) {
	r.TID, r.PaidAt, r.Method = p.TID, p.ApprovedAt, "카카오페이"
	if p.Issuer != "" {
		r.Method += " " + p.Issuer
	}
	what := mismatch(a, p)
	if what == "" && a.Kind == CardAttempt && p.SID == "" {
		what = "the answer has no sid"
	}
	if what != "" {
		r.Reason, r.Message = ReasonMismatch, what
		return s.record(ctx, a, lease, func(ctx context.Context) (Result, error) { return s.store.CheckoutMismatch(ctx, r) })
	}
	if a.Kind == TopUpAttempt {
		return s.record(ctx, a, lease, func(ctx context.Context) (Result, error) { return s.store.TopUpPaid(ctx, r) })
	}
	return s.keepCard(ctx, a, r, p, lease)
}

func (s *Service) keepCard(ctx context.Context, a Attempt, r Report, p Payment, lease time.Time) (Result, error) {
	card := Card{
		ID: s.ids.Next("crd"), AccountID: a.PayerID, PayerID: a.PayerID,
		Masked: mask(p.BIN), Issuer: p.Issuer, State: CardUsable, AddedAt: r.At,
	}
	if card.Issuer == "" && card.Masked == "" {
		card.Issuer = "카카오페이머니"
	}
	var err error
	if card.SealedSID, err = s.sealer.Seal([]byte(p.SID), tableCard, card.ID); err != nil {
		return Result{}, wrap(err, "seal card %s", card.ID)
	}
	cancelID := s.cancelID(a)
	result, err := s.record(ctx, a, lease, func(ctx context.Context) (Result, error) {
		return s.store.CardApproved(ctx, r, card, cancelID)
	})
	if err == nil && result.Reason == ReasonFull {
		callCtx, cancel := s.called(ctx)
		defer cancel()
		if err := s.deactivate(callCtx, p.SID); err != nil {
			return result, fault.Wrap(fault.Refused, err, "switch off the card of attempt %s, which no longer fits its account", a.ID)
		}
	}
	return result, err
}

// cancelID returns the id of the attempt that gives a registration's cost back; none when it
// cost nothing.
func (s *Service) cancelID(a Attempt) string {
	if a.Total == 0 {
		return ""
	}
	return s.ids.Next("att")
}

// mask returns a card's number as it may be shown.
func mask(bin string) string {
	if len(bin) < 6 {
		return ""
	}
	return bin[:4] + "-" + bin[4:6] + "**"
}

// notApproved goes on after the approval failed.
func (s *Service) notApproved(ctx context.Context, a Attempt, e *GatewayError) (Result, error) {
	switch e.Class {
	case NotSent:
		return s.postpone(ctx, a, s.now().Add(backoff(a.Tries)), "")
	case CardDeclined:
		return s.store.CheckoutFailed(ctx, s.failure(a, ReasonDeclined, e), "")
	case CardGone:
		return s.store.CheckoutFailed(ctx, s.failure(a, ReasonDead, e), "")
	case BadConfig, QuotaUsedUp:
		return s.store.CheckoutFailed(ctx, s.failure(a, ReasonConfig, e), "")
	case BadRequest:
		return s.store.CheckoutFailed(ctx, s.failure(a, ReasonRefused, e), "")
	case MayHaveMoved:
	}
	r := s.failure(a, "", e)
	r.NextAt = s.now().Add(backoff(0))
	return s.store.DoubtAttempt(ctx, r)
}

// checkoutOrder goes on with what a look-up says of a checkout's payment.
func (s *Service) checkoutOrder(ctx context.Context, a Attempt, order Order) (Result, error) {
	now := s.now()
	r := s.fenced(a)
	switch order.Status {
	case OrderPaid:
		if a.Kind == CardAttempt && order.Payment.SID == "" {
			// The card's key was in the answer that was lost; nobody tells it again.
			r.Reason = ReasonLost
			return s.store.CheckoutFailed(ctx, r, s.cancelID(a))
		}
		return s.approved(ctx, a, r, order.Payment, now.Add(s.settings.Lease))
	case OrderFailed:
		r.Reason = ReasonDeclined
		return s.store.CheckoutFailed(ctx, r, "")
	case OrderCancelled, OrderPartly:
		r.Reason, r.Message = ReasonMismatch, "the payment was cancelled at the provider"
		return s.store.CheckoutMismatch(ctx, r)
	case OrderOpen:
	}
	if now.Before(a.CreatedAt.Add(CheckoutLife)) {
		return s.postpone(ctx, a, now, "") // the approval did not arrive; one tid pays once, so it may go again
	}
	if end := a.CreatedAt.Add(CheckoutEnd); now.Before(end) {
		return s.later(ctx, a, true, end)
	}
	r.Reason = ReasonExpired
	return s.store.CheckoutFailed(ctx, r, "")
}

// giveBack cancels the payment that a card registration cost.
func (s *Service) giveBack(ctx context.Context, a Attempt) (Result, error) {
	lease, ok, err := s.claim(ctx, &a, time.Time{})
	if err != nil || !ok {
		return Result{Outcome: Skipped}, err
	}
	callCtx, cancel := s.called(ctx)
	_, err = s.gateway.Cancel(callCtx, CancelRequest{Purpose: a.purpose(), TID: a.TID, Amount: a.Total, VAT: a.VAT, Left: a.Total})
	cancel()
	return s.record(ctx, a, lease, func(ctx context.Context) (Result, error) {
		if err == nil {
			return s.store.CancelEnded(ctx, s.report(a), Done)
		}
		switch e := asGateway(err); e.Class {
		case NotSent:
			return s.postpone(ctx, a, s.now().Add(backoff(a.Tries)), "")
		case BadConfig, QuotaUsedUp:
			return s.postpone(ctx, a, haltFor(e.Class, e, s.now()).Until, ReasonConfig)
		case BadRequest, CardDeclined, CardGone:
			return s.store.CancelEnded(ctx, s.failure(a, ReasonRefused, e), Declined)
		case MayHaveMoved:
		}
		r := s.failure(a, "", asGateway(err))
		r.NextAt = s.now().Add(backoff(0))
		return s.store.DoubtAttempt(ctx, r)
	})
}

// cancelOrder goes on with what a look-up says of a payment that was to be given back.
func (s *Service) cancelOrder(ctx context.Context, a Attempt, order Order) (Result, error) {
	switch order.Status {
	case OrderCancelled:
		return s.store.CancelEnded(ctx, s.fenced(a), Done)
	case OrderPaid:
		return s.postpone(ctx, a, s.now().Add(backoff(a.Tries)), "") // it was not given back
	case OrderOpen, OrderFailed, OrderPartly:
	}
	return s.later(ctx, a, true, time.Time{})
}
