package main

import (
	"fmt"
	"net/url"
	"time"

	"github.com/malgil/malgil/internal/apiclient"
)

// grantRow is cash that the platform gave.
type grantRow struct {
	ID        string    `json:"id"`
	Kind      string    `json:"kind"`
	State     string    `json:"state"`
	Amount    int64     `json:"amount_krw"`
	Remaining int64     `json:"remaining_krw"`
	Expired   int64     `json:"expired_krw"`
	Reason    string    `json:"reason"`
	ExpiresOn string    `json:"expires_on"`
	CreatedAt time.Time `json:"created_at"`
}

func (g grantRow) print(e *env) {
	left := ""
	if g.Kind == "free" {
		left = won(g.Remaining)
	}
	facts(e.stdout, "grant", g.ID, "kind", g.Kind, "state", g.State, "amount", won(g.Amount), "left", left, "last day", g.ExpiresOn, "reason", g.Reason)
}

func grantsPath(wallet string) string { return walletPath(wallet) + "/grants" }

type walletGrant struct {
	remote
	once
	Wallet    string `arg:"" help:"Wallet."`
	Amount    int64  `arg:"" help:"KRW."`
	ExpiresOn string `placeholder:"2027-01-31" help:"Last day of free cash: what is left vanishes at 24:00 in Korea."`
	For       string `required:"" help:"What it is for; the wallet's people read it."`
	Paid      bool   `help:"Paid cash, which counts at once and does not expire, instead of free cash that waits for use."`
}

// Run gives cash.
func (c walletGrant) Run(e *env) error {
	body := map[string]any{"amount_krw": c.Amount, "reason": c.For}
	what := "free cash to " + c.ExpiresOn + " that waits for use"
	if c.Paid {
		body["kind"], what = "paid", "paid cash"
	}
	if c.ExpiresOn != "" {
		body["expires_on"] = c.ExpiresOn
	}
	if c.DryRun {
		fmt.Fprintf(e.stdout, "would give %s %s KRW of %s; nothing was done\n", c.Wallet, won(c.Amount), what)
		return nil
	}
	key, told := c.key()
	var g grantRow
	return told(c.call(e, "POST", grantsPath(c.Wallet), body, &g, func() { g.print(e) }, apiclient.IdempotencyKey(key)))
}

type walletGrants struct {
	remote
	list
	Wallet string `arg:"" help:"Wallet."`
}

// Run lists the cash that a wallet was given.
func (c walletGrants) Run(e *env) error {
	header := []string{"GIVEN", "ID", "KIND", "STATE", "AMOUNT", "LEFT", "VANISHED", "LAST DAY", "REASON"}
	return listAll(c.remote, e, c.list, grantsPath(c.Wallet), header, func(g grantRow) []string {
		return []string{when(g.CreatedAt), g.ID, g.Kind, g.State, won(g.Amount), won(g.Remaining), won(g.Expired), g.ExpiresOn, g.Reason}
	})
}

type walletUse struct {
	remote
	once
	Wallet string `arg:"" help:"Wallet."`
	Grant  string `arg:"" help:"Free cash that waits for use."`
}

// Run makes free cash count.
func (c walletUse) Run(e *env) error {
	if c.DryRun {
		fmt.Fprintf(e.stdout, "would make %s count on %s, which cannot be undone; nothing was done\n", c.Grant, c.Wallet)
		return nil
	}
	key, told := c.key()
	var g grantRow
	path := grantsPath(c.Wallet) + "/" + url.PathEscape(c.Grant) + "/use"
	return told(c.call(e, "POST", path, nil, &g, func() { g.print(e) }, apiclient.IdempotencyKey(key)))
}
