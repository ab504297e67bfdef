package intake

import (
	"context"
	"net/http"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/store"
	"github.com/malgil/malgil/internal/wallet"
)

// decidedView is who took a charge out of review, and why.
type decidedView struct {
	By     string `json:"by" doc:"The account of the person, or the token that he used"`
	Reason string `json:"reason"`
}

func (s *Server) addReviews() {
	const group = "Reviews"
	add(s, operation{route: "GET /api/v1/reviews", id: "list-reviews", group: group, summary: "List the charges that wait for a person, the oldest first"}, s.listReviews)
	add(s, operation{route: "POST /api/v1/charges/{id}/decide", id: "decide-charge", group: group, summary: "Take a charge out of review", errors: []int{http.StatusNotFound, http.StatusConflict}}, s.decideCharge)
	add(s, operation{route: "GET /api/v1/reviews/checkouts", id: "list-checkout-reviews", group: group, summary: "List the top-ups and registrations that wait for a person, the oldest first"}, s.listCheckoutReviews)
	add(s, operation{route: "POST /api/v1/checkouts/{id}/decide", id: "decide-checkout", group: group, summary: "Take a top-up or registration out of review", errors: []int{http.StatusNotFound, http.StatusConflict}}, s.decideCheckout)
}

func (s *Server) listReviews(ctx context.Context, in *Paged) (*body[page[chargeView]], error) {
	var after string
	if err := in.after(&after); err != nil {
		return nil, err
	}
	charges, err := s.services.Read.ChargesInReview(ctx, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return pageOf(*in, charges, func(c store.ChargeView) any { return c.ID }, viewCharge)
}

type decideChargeInput struct {
	ByID
	Keyed
	RawBody []byte
	Body    struct {
		Finding string     `json:"finding" doc:"paid or not_charged, as KakaoPay's own list of payments shows"`
		TID     string     `json:"tid,omitempty" doc:"Of the payment; required when paid"`
		Paid    wallet.KRW `json:"paid_krw,omitempty" doc:"What was taken, with VAT; what was asked for, when left out. What is beyond it becomes paid cash"`
		Then    string     `json:"then,omitempty" doc:"When nothing was charged: next_card, or fail as if every card had declined"`
		Reason  string     `json:"reason" doc:"How it was found out, one line"`
	}
}

func (s *Server) decideCharge(ctx context.Context, in *decideChargeInput) (*body[chargeView], error) {
	r, err := in.request(ctx, "decide "+in.ID, in.RawBody)
	if err != nil {
		return nil, err
	}
	result, err := s.services.Billing.Decide(ctx, billing.Decision{
		ChargeID: in.ID, Finding: billing.Finding(in.Body.Finding), TID: in.Body.TID, Paid: in.Body.Paid, Then: billing.Then(in.Body.Then),
		Reason: in.Body.Reason, By: actorOf(ctx), Request: billing.Request(r),
	})
	if err != nil {
		return nil, err
	}
	s.ran(ctx, in.ID, result)
	c, err := s.services.Read.Charge(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return reply(viewCharge(c)), nil
}

func (s *Server) listCheckoutReviews(ctx context.Context, in *Paged) (*body[page[checkoutView]], error) {
	var after string
	if err := in.after(&after); err != nil {
		return nil, err
	}
	checkouts, err := s.services.Read.CheckoutsInReview(ctx, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return pageOf(*in, checkouts, func(c billing.Checkout) any { return c.ID }, viewCheckout)
}

type decideCheckoutInput struct {
	ByID
	Keyed
	RawBody []byte
	Body    struct {
		Finding string     `json:"finding" doc:"paid or not_charged, as KakaoPay's own list of payments, or the bank, shows"`
		TID     string     `json:"tid,omitempty" doc:"Of the payment; required when paid by card"`
		Paid    wallet.KRW `json:"paid_krw,omitempty" doc:"What was taken, with VAT; what was asked for, when left out. All of it becomes paid cash"`
		Reason  string     `json:"reason" doc:"How it was found out, one line"`
	}
}

func (s *Server) decideCheckout(ctx context.Context, in *decideCheckoutInput) (*body[checkoutView], error) {
	r, err := in.request(ctx, "decide "+in.ID, in.RawBody)
	if err != nil {
		return nil, err
	}
	err = s.services.Billing.DecideCheckout(ctx, billing.CheckoutDecision{
		CheckoutID: in.ID, Finding: billing.Finding(in.Body.Finding), TID: in.Body.TID, Paid: in.Body.Paid, Reason: in.Body.Reason, Request: billing.Request(r),
	})
	if err != nil {
		return nil, err
	}
	return s.getCheckout(ctx, &in.ByID)
}
