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
	Charge     string `arg:"" optional:"" help:"Charge to take out of review; none to list those that wait."`
	Paid       bool   `help:"KakaoPay has the payment, and it stays." xor:"finding"`
	NotCharged bool   `help:"KakaoPay took nothing, or gave it back." xor:"finding"`
	TID        string `name:"tid" help:"The payment, with --paid."`
	Amount     int64  `help:"What was taken, with VAT, where it is more than was asked for; the rest becomes paid cash."`
	Fail       bool   `help:"With --not-charged: fail the charge instead of asking the next card."`
}

// Run lists charges in review, or decides one.
func (c walletReview) Run(e *env) error {
	if c.Charge == "" {
		return listAll(c.remote, e, c.list, "/api/v1/reviews", []string{"OPENED", "CHARGE", "WALLET", "TOTAL", "ORDER", "WHY"}, func(r reviewRow) []string {
			order, why := r.waits()
			return []string{when(r.OpenedAt), r.ID, r.Wallet, won(r.Total), order, why}
		})
	}
	body := map[string]any{"reason": c.Why} // how it was found out
	switch {
	case c.Paid:
		body["finding"], body["tid"] = "paid", c.TID
		if c.Amount != 0 {
			body["paid_krw"] = c.Amount
		}
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
	var decided reviewRow
	key, told := c.key()
	return told(c.call(e, "POST", "/api/v1/charges/"+url.PathEscape(c.Charge)+"/decide", body, &decided, func() {
		fmt.Fprintln(e.stdout, decided.ID, "is", decided.State)
	}, apiclient.IdempotencyKey(key)))
}
