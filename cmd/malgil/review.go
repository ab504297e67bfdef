package main

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/malgil/malgil/internal/apiclient"
	"github.com/malgil/malgil/internal/fault"
)

// reviewRow is a charge that waits for a person, or did.
type reviewRow struct {
	chargeRow
	Wallet   string `json:"wallet"`
	Attempts []struct {
		ID              string `json:"id"`
		Slot            int    `json:"slot"`
		Masked          string `json:"masked"`
		Outcome         string `json:"outcome"`
		Reason          string `json:"reason"`
		ProviderMessage string `json:"provider_message"`
	} `json:"attempts"`
}

// waits says which attempt is the reason, by the order id under which KakaoPay has it.
func (r reviewRow) waits() (order, why string) {
	for _, a := range r.Attempts {
		if a.Outcome == "unknown" || a.Reason == "mismatch" {
			order, why = a.ID, strings.TrimSpace(a.Outcome+" "+a.Reason+" "+a.ProviderMessage)
		}
	}
	return order, why
}

type walletReview struct {
	remote
	once
	list
	Charge     string `arg:"" optional:"" help:"Charge, or checkout, to take out of review; none to list those that wait."`
	Checkouts  bool   `help:"List top-ups and registrations of cards instead of charges."`
	Paid       bool   `help:"KakaoPay has the payment, and it stays." xor:"finding"`
	NotCharged bool   `help:"KakaoPay took nothing, or gave it back." xor:"finding"`
	TID        string `name:"tid" help:"The payment, with --paid."`
	Amount     int64  `help:"What was taken, with VAT, where it is not what was asked for; what is beyond a charge, and all of a top-up, becomes paid cash."`
	Fail       bool   `help:"With --not-charged: fail the charge instead of asking the next card."`
}

// Run lists what is in review, or decides one.
func (c walletReview) Run(e *env) error {
	ofCheckout := strings.HasPrefix(c.Charge, "cko_")
	switch {
	case c.Charge == "" && c.Checkouts:
		return listAll(c.remote, e, c.list, "/api/v1/reviews/checkouts", []string{"BEGUN", "CHECKOUT", "KIND", "WALLET", "TOTAL", "ORDER", "WHY"}, func(r checkoutRow) []string {
			return []string{when(r.CreatedAt), r.ID, r.Kind, r.Wallet, won(r.Total), r.Order, r.Reason}
		})
	case c.Charge == "":
		return listAll(c.remote, e, c.list, "/api/v1/reviews", []string{"OPENED", "CHARGE", "WALLET", "TOTAL", "ORDER", "WHY"}, func(r reviewRow) []string {
			order, why := r.waits()
			return []string{when(r.OpenedAt), r.ID, r.Wallet, won(r.Total), order, why}
		})
	}
	body := map[string]any{"reason": c.Why} // how it was found out
	switch {
	case c.Paid:
		body["finding"] = "paid"
		if c.TID != "" || !ofCheckout {
			body["tid"] = c.TID
		}
		if c.Amount != 0 {
			body["paid_krw"] = c.Amount
		}
	case c.NotCharged && ofCheckout:
		body["finding"] = "not_charged"
	case c.NotCharged && c.Fail:
		body["finding"], body["then"] = "not_charged", "fail"
	case c.NotCharged:
		body["finding"], body["then"] = "not_charged", "next_card"
	default:
		return fault.Field("--paid", "or --not-charged: say what KakaoPay's list of payments shows")
	}
	if c.DryRun {
		fmt.Fprintf(e.stdout, "would decide %s: %s; nothing was done\n", c.Charge, body["finding"])
		return nil
	}
	key, told := c.key()
	if ofCheckout {
		var decided checkoutRow
		return told(c.call(e, "POST", "/api/v1/checkouts/"+url.PathEscape(c.Charge)+"/decide", body, &decided, func() {
			decided.print(e)
		}, apiclient.IdempotencyKey(key)))
	}
	var decided reviewRow
	return told(c.call(e, "POST", "/api/v1/charges/"+url.PathEscape(c.Charge)+"/decide", body, &decided, func() {
		fmt.Fprintln(e.stdout, decided.ID, "is", decided.State)
	}, apiclient.IdempotencyKey(key)))
}
