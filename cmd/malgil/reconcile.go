package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"

	"github.com/malgil/malgil/internal/apiclient"
)

// reconcileCommand compares the books. It changes nothing without --apply.
type reconcileCommand struct {
	remote
	From      string `help:"First day, in Korea, as 2026-11-23; a week ago, when left out."`
	To        string `help:"Last day; today, when left out."`
	Wallet    string `help:"One wallet; all, when left out."`
	Providers bool   `default:"true" negatable:"" help:"Look payments up at the card gateway and the bank, too."`
	Recount   bool   `help:"Ask Kakao for the count of every chunk, too: one look-up each."`
	Apply     bool   `help:"Post the corrections that are proposed." xor:"apply"`
	DryRun    bool   `help:"Only say what differs; so it is without --apply." xor:"apply"`
}

// difference is one difference of the books.
type difference struct {
	Wallet      string `json:"wallet"`
	Day         string `json:"day,omitempty"`
	Kind        string `json:"kind"`
	Subject     string `json:"subject"`
	Want        int64  `json:"want_krw"`
	Got         int64  `json:"got_krw"`
	Difference  int64  `json:"difference_krw"`
	Note        string `json:"note"`
	Correctable bool   `json:"correctable"`
	// Outcome is what became of it: proposed, corrected, agreed (mended meanwhile), or why it was not
	// corrected; empty for what no posting mends.
	Outcome string `json:"outcome,omitempty"`
}

// open reports whether the books still differ.
func (d difference) open() bool { return d.Outcome != "corrected" && d.Outcome != "agreed" }

// compared is the parts of a comparison together.
type compared struct {
	Items   []difference `json:"items"`
	Wallets int          `json:"wallets"`
	Asked   int          `json:"asked"`
	Unasked int          `json:"unasked"`
	NoID    int          `json:"no_id"`
	Next    string       `json:"next_cursor,omitempty"`
}

// Run compares, prints what differs, and ends with 3 where anything still does.
func (c reconcileCommand) Run(e *env) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	all, err := c.compare(e, client)
	if err != nil {
		return err
	}
	open := 0
	for i := range all.Items {
		d := &all.Items[i]
		if d.Correctable {
			d.Outcome = "proposed"
			if c.Apply {
				d.Outcome = c.correct(e, client, *d)
			}
		}
		if d.open() {
			open++
		}
	}
	if err := c.print(e, all); err != nil {
		return err
	}
	switch {
	case open > 0:
		return partlyDone{fmt.Errorf("the books differ in %d places", open)}
	case all.Unasked > all.NoID:
		return fmt.Errorf("%d look-ups were not answered; try again", all.Unasked-all.NoID)
	}
	return nil
}

// compare reads all parts of a comparison.
func (c reconcileCommand) compare(e *env, client *apiclient.Client) (all compared, err error) {
	all.Items = []difference{}
	query := url.Values{"providers": {fmt.Sprint(c.Providers)}, "recount": {fmt.Sprint(c.Recount)}}
	for name, value := range map[string]string{"from": c.From, "to": c.To, "wallet": c.Wallet} {
		if value != "" {
			query.Set(name, value)
		}
	}
	for {
		var part compared
		if err := client.Call(e.ctx, "GET", "/api/v1/reconciliation?"+query.Encode(), nil, &part); err != nil {
			return all, lines(err)
		}
		all.Items, all.Wallets, all.Asked = append(all.Items, part.Items...), all.Wallets+part.Wallets, all.Asked+part.Asked
		all.Unasked, all.NoID = all.Unasked+part.Unasked, all.NoID+part.NoID
		if part.Next == "" {
			return all, nil
		}
		query.Set("cursor", part.Next)
	}
}

// correct has one correction posted and tells what became of it. It may be asked for twice: the
// server posts what differs then.
func (c reconcileCommand) correct(e *env, client *apiclient.Client, d difference) string {
	key, _ := once{}.key()
	var told struct {
		Corrected bool `json:"corrected"`
	}
	err := client.Call(e.ctx, "POST", "/api/v1/wallets/"+url.PathEscape(d.Wallet)+"/corrections",
		map[string]any{"kind": d.Kind, "subject": d.Subject, "difference_krw": d.Difference}, &told,
		apiclient.IdempotencyKey(key), apiclient.Reason(c.Why))
	var p *apiclient.Problem
	switch {
	case errors.As(err, &p) && p.Code != "":
		return p.Code
	case err != nil:
		return err.Error()
	case told.Corrected:
		return "corrected"
	}
	return "agreed"
}

// print prints one line when all agree, else what differs and what is or would be posted.
func (c reconcileCommand) print(e *env, all compared) error {
	if c.JSON {
		return json.NewEncoder(e.stdout).Encode(all)
	}
	summary := fmt.Sprintf("%d wallets compared, %d look-ups", all.Wallets, all.Asked)
	if all.Unasked > 0 {
		summary += fmt.Sprintf(", %d not (%d without an id at the provider)", all.Unasked, all.NoID)
	}
	if len(all.Items) == 0 {
		_, err := fmt.Fprintln(e.stdout, "the books agree: "+summary)
		return err
	}
	rows := make([][]string, len(all.Items))
	proposed := 0
	for i, d := range all.Items {
		outcome := d.Outcome
		switch {
		case outcome == "":
			outcome = "LOOK AT IT"
		case outcome == "proposed":
			outcome = "post " + signed(d.Difference)
			proposed++
		}
		rows[i] = []string{d.Wallet, d.Day, d.Kind, d.Subject, won(d.Want), won(d.Got), signed(d.Difference), outcome, d.Note}
	}
	if err := table(e.stdout, []string{"WALLET", "DAY", "KIND", "WHAT", "SHOULD BE", "IS", "DIFFERENCE", "CORRECTION", "WHY"}, rows); err != nil {
		return err
	}
	if proposed > 0 {
		summary += fmt.Sprintf("; %d corrections are proposed: post them with --apply --reason=…", proposed)
	}
	_, err := fmt.Fprintln(e.stdout, summary)
	return err
}

// signed writes an amount with its sign.
func signed(amount int64) string {
	if amount < 0 {
		return won(amount)
	}
	return "+" + won(amount)
}
