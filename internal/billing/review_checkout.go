package billing

import (
	"context"
	"time"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/wallet"
)

// CheckoutDecision takes a top-up or the registration of a card out of review by a person's word.
type CheckoutDecision struct {
	CheckoutID string
	Finding    Finding
	TID        string     // of the payment; required when paid by card
	Paid       wallet.KRW // what was taken in all, when paid; 0 for what was asked for
	Reason     string     // why the person says so; required, one line
	Request    Request

	At time.Time // filled in by the service
}

// Why a decision on a checkout is refused.
var (
	ErrCheckoutNotInReview = fault.Coded(fault.Conflict, "NOT_IN_REVIEW", "the checkout is not in review (any more)")
	ErrCardKeyUnknown      = &fault.Error{Kind: fault.Invalid, Field: "finding",
		Message: "cannot be paid for the registration of a card, whose key nobody can tell; have KakaoPay give back what was taken and decide not_charged"}
)

// DecideCheckout takes a checkout out of review. Paid, what was taken becomes paid cash, also where
// it is not what was asked for; not charged, the checkout has failed. It is Invalid with the field
// named, and a Conflict ([ErrCheckoutNotInReview]) for one that is not in review. Repeated with the
// same request it changes nothing.
func (s *Service) DecideCheckout(ctx context.Context, d CheckoutDecision) error {
	c, err := s.store.Checkout(ctx, d.CheckoutID)
	if err != nil {
		return wrap(err, "read checkout")
	}
	if d.Finding == FoundPaid && c.Kind == CheckoutCard {
		return ErrCardKeyUnknown
	}
	if d.Paid > s.settings.TopUpMax+wallet.VAT(s.settings.TopUpMax) {
		return fault.Field("paid_krw", "is more than any top-up")
	}
	as := Decision{Finding: d.Finding, TID: d.TID, Paid: d.Paid, Reason: d.Reason}
	switch {
	case d.Finding == FoundNotCharged:
		as.Then = ThenFail // there is nothing else to follow
	case d.Finding == FoundPaid && c.Method == ByBank && d.TID == "":
		as.TID = c.AttemptID // a transfer has no tid
	}
	if err := as.check(); err != nil {
		return err
	}
	d.At = s.now()
	return wrap(s.store.DecideCheckout(ctx, d), "decide checkout %s", d.CheckoutID)
}
