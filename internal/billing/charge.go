package billing

import (
	"context"
	"time"

	"github.com/malgil/malgil/internal/wallet"
)

// ItemCharge is what the owner of a card reads on the receipt of a charge.
const ItemCharge = "Event API 이용료"

// refusedPause is how long a wallet is left alone after the provider refused a charge that is no
// card's fault.
const refusedPause = time.Hour

// Opening is an order to open a charge for what a wallet owes.
type Opening struct {
	WalletID  string
	Epoch     int
	ChargeID  string
	AttemptID string
	At        time.Time
	Slice     wallet.KRW // most supply value of one charge
}

// ChargeStore moves charges. Each method is one transaction that also writes the postings, the
// state of the wallet and its channels, and the mails that follow from it.
type ChargeStore interface {
	// OpenCharge moves what is due, a slice at most, from accrual to a charge and prepares the
	// attempt on the payment card. A wallet without a card fails at once. Nothing happens when
	// nothing is due, a charge is open, or the wallet is of another epoch.
	OpenCharge(ctx context.Context, o Opening) (Result, error)
	// ChargePaid ends a charge. Money for an attempt that was given up as declined pays what the
	// wallet owes, the rest is paid cash ([Late]). Reported twice it changes nothing.
	ChargePaid(ctx context.Context, r Report) (Result, error)
	// ChargeMismatch puts a charge in review: money moved, but not what was asked for.
	ChargeMismatch(ctx context.Context, r Report) (Result, error)
	// ChargeDeclined ends an attempt and prepares the one on the next card under nextID. With no
	// card left the charge fails: its amount is owed again and the wallet is unpaid until the
	// next run, 00:00 in Korea. A decline too many for the guard halts charging for everyone;
	// while that is so, a charge without a card left is halted instead ([ChargeHalted]).
	ChargeDeclined(ctx context.Context, r Report, nextID string, guard StormGuard) (Result, error)
	// ChargeHalted ends a charge that no card is to blame for; its amount is owed again and asked
	// for after retryAt. With a halt nobody is charged before its end.
	ChargeHalted(ctx context.Context, r Report, h *Halt, retryAt time.Time) (Result, error)
	// DecideCharge takes a charge out of review; see [Service.Decide].
	DecideCharge(ctx context.Context, d Decision) (Result, error)
	// Reconnect makes a wallet that waits for it active and connects its channels. An active
	// wallet stays as it is; an unpaid one is a Conflict.
	Reconnect(ctx context.Context, walletID string) error
}

// OpenDue opens a charge for a wallet that owes something due and returns the attempt to make.
// It does nothing for another epoch, when nothing is due, or when a charge is open already.
func (s *Service) OpenDue(ctx context.Context, walletID string, epoch int) (Result, error) {
	result, err := s.store.OpenCharge(ctx, Opening{
		WalletID: walletID, Epoch: epoch, ChargeID: s.ids.Next("chg"), AttemptID: s.ids.Next("att"),
		At: s.now(), Slice: s.settings.Slice,
	})
	return result, wrap(err, "open a charge for wallet %s", walletID)
}

// Reconnect connects the channels of a wallet that has paid (연결 대기중 → 사용중). Kakao asks
// for a person to do that. It is a Conflict while the wallet is unpaid; an active wallet stays as
// it is.
func (s *Service) Reconnect(ctx context.Context, walletID string) error {
	return wrap(s.store.Reconnect(ctx, walletID), "reconnect wallet %s", walletID)
}

// chargeCard asks one card. Whether it can be charged is asked first, because a claim allows no
// second thought: a dormant card (휴면) is passed over and used again once it is revived.
func (s *Service) chargeCard(ctx context.Context, a Attempt) (Result, error) {
	now := s.now()
	switch {
	case a.HaltedUntil.After(now):
		return s.postpone(ctx, a, a.HaltedUntil, ReasonConfig)
	case !a.OnWallet:
		return s.decline(ctx, a, ReasonDetached, &GatewayError{})
	case s.settings.Declines > 0 && a.Declines >= s.settings.Declines:
		return s.decline(ctx, a, ReasonLimit, &GatewayError{})
	}
	sid, err := s.sealer.Open(a.SealedSID, tableCard, a.CardID)
	if err != nil {
		return Result{}, wrap(err, "charge attempt %s", a.ID)
	}
	status, err := s.cardStatus(ctx, string(sid))
	if err != nil {
		return s.statusFailed(ctx, a, asGateway(err))
	}
	if err := s.saveState(ctx, a.CardID, a.CardState, status.State()); err != nil {
		return Result{}, err
	}
	switch status.State() {
	case CardDormant:
		return s.decline(ctx, a, ReasonDormant, &GatewayError{})
	case CardDead:
		return s.decline(ctx, a, ReasonDead, &GatewayError{})
	case CardUsable:
	}
	if wait := settle(now, status.LastApprovedAt, a.CardPaidAt); wait > 0 {
		return s.postpone(ctx, a, now.Add(wait), "")
	}
	lease, ok, err := s.claim(ctx, &a, status.LastApprovedAt)
	if err != nil || !ok {
		return Result{Outcome: Skipped, WalletID: a.WalletID}, err
	}
	callCtx, cancel := s.called(ctx)
	payment, err := s.gateway.Charge(callCtx, ChargeRequest{
		SID: string(sid), OrderID: a.ID, PayerID: a.PayerID, Item: ItemCharge, Total: a.Total, VAT: a.VAT,
	})
	cancel()
	return s.record(ctx, a, lease, func(ctx context.Context) (Result, error) {
		if err != nil {
			return s.chargeRefused(ctx, a, asGateway(err))
		}
		return s.chargeAnswered(ctx, a, s.report(a), payment)
	})
}

// secondsApart is how far from the card's last approval a call must be, so that its own approval
// can be told from that one: the provider says when in whole seconds.
const secondsApart = 2 * time.Second

// apart reports whether an approval of a call made at a time must differ from the one before.
func apart(called, approved time.Time) bool {
	return approved.IsZero() || called.Truncate(time.Second).Sub(approved) >= secondsApart
}

// settle returns how long to wait until a call is apart from the card's last approval, by the
// provider's clock and by ours. A provider's clock that is far ahead is not waited for; such a
// call is told by look-up when its approval differs, and goes to a person when it does not.
func settle(now, approved, paid time.Time) time.Duration {
	var wait time.Duration
	for _, last := range []time.Time{approved, paid} {
		if left := last.Truncate(time.Second).Add(secondsApart).Sub(now.Truncate(time.Second)); !last.IsZero() && left < 10*time.Second {
			wait = max(wait, left)
		}
	}
	return wait
}

func (s *Service) cardStatus(ctx context.Context, sid string) (CardStatus, error) {
	ctx, cancel := s.asked(ctx)
	defer cancel()
	return s.gateway.CardStatus(ctx, sid)
}

// statusFailed goes on after the card's status could not be had. Nothing was charged.
func (s *Service) statusFailed(ctx context.Context, a Attempt, e *GatewayError) (Result, error) {
	switch e.Class {
	case CardGone:
		if err := s.saveState(ctx, a.CardID, a.CardState, CardDead); err != nil {
			return Result{}, err
		}
		return s.decline(ctx, a, ReasonDead, e)
	case BadConfig, QuotaUsedUp:
		return s.halt(ctx, a, e)
	case NotSent, MayHaveMoved, CardDeclined, BadRequest:
		return s.postpone(ctx, a, s.now().Add(backoff(a.Tries)), "")
	}
	return s.postpone(ctx, a, s.now().Add(backoff(a.Tries)), "")
}

// chargeAnswered checks what the provider says it took.
func (s *Service) chargeAnswered(ctx context.Context, a Attempt, r Report, p Payment) (Result, error) {
	r.TID, r.PaidAt = p.TID, p.ApprovedAt
	if what := mismatch(a, p); what != "" {
		r.Reason, r.Message = ReasonMismatch, what
		return s.store.ChargeMismatch(ctx, r)
	}
	return s.store.ChargePaid(ctx, r)
}

// mismatch says what of a payment differs from what was asked for, or nothing.
func mismatch(a Attempt, p Payment) string {
	switch {
	case p.TID == "":
		return "the answer has no tid"
	case a.TID != "" && p.TID != a.TID:
		return "the answer is of another tid"
	case p.OrderID != a.ID:
		return "the answer is of another order"
	case p.PayerID != a.PayerID:
		return "the answer is of another payer"
	case p.Total != a.Total:
		return "the amount differs"
	}
	return ""
}

// chargeRefused goes on after the call failed.
func (s *Service) chargeRefused(ctx context.Context, a Attempt, e *GatewayError) (Result, error) {
	switch e.Class {
	case NotSent:
		return s.postpone(ctx, a, s.now().Add(backoff(a.Tries)), "")
	case CardDeclined:
		return s.decline(ctx, a, ReasonDeclined, e)
	case CardGone:
		if err := s.saveState(ctx, a.CardID, a.CardState, CardDead); err != nil {
			return Result{}, err
		}
		return s.decline(ctx, a, ReasonDead, e)
	case BadConfig, QuotaUsedUp:
		return s.halt(ctx, a, e)
	case BadRequest:
		return s.store.ChargeHalted(ctx, s.failure(a, ReasonRefused, e), nil, s.now().Add(refusedPause))
	case MayHaveMoved:
	}
	r := s.failure(a, "", e)
	r.NextAt = s.now().Add(backoff(0))
	return s.store.DoubtAttempt(ctx, r)
}

// decline ends an attempt that certainly took nothing; the next card is the next attempt.
func (s *Service) decline(ctx context.Context, a Attempt, reason string, e *GatewayError) (Result, error) {
	result, err := s.store.ChargeDeclined(ctx, s.failure(a, reason, e), s.ids.Next("att"), s.settings.Storm)
	return result, wrap(err, "decline attempt %s", a.ID)
}

func (s *Service) halt(ctx context.Context, a Attempt, e *GatewayError) (Result, error) {
	h := haltFor(e.Class, e, s.now())
	result, err := s.store.ChargeHalted(ctx, s.failure(a, ReasonConfig, e), &h, h.Until)
	return result, wrap(err, "halt at attempt %s", a.ID)
}

func (s *Service) saveState(ctx context.Context, cardID string, was, is CardState) error {
	if was == is {
		return nil
	}
	return wrap(s.store.SaveCardState(ctx, cardID, is, s.now()), "save the state of card %s", cardID)
}
