package main

import (
	"fmt"
	"net/url"
	"time"

	"github.com/malgil/malgil/internal/apiclient"
	"github.com/malgil/malgil/internal/fault"
)

// accountCommand keeps accounts of people and their cards.
type accountCommand struct {
	Create  accountCreate  `cmd:"" help:"Make an account."`
	List    accountList    `cmd:"" help:"List accounts."`
	Change  accountChange  `cmd:"" help:"Change the name or e-mail address of a person."`
	Admin   accountAdmin   `cmd:"" help:"Make a person a platform admin, or end that."`
	Cards   accountCards   `cmd:"" help:"List the cards of an account."`
	AddCard accountAddCard `cmd:"" help:"Begin the registration of a card; the payer finishes it in a browser."`
	Forget  accountForget  `cmd:"" name:"forget-card" help:"Forget a card and switch it off at KakaoPay."`
}

type accountRow struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Email     string    `json:"email"`
	Admin     bool      `json:"admin"`
	CreatedAt time.Time `json:"created_at"`

	EmailRefused string `json:"email_refused"`
}

type accountCreate struct {
	remote
	Name  string `arg:"" help:"Name of the person."`
	Email string `arg:"" help:"Where mails go."`
}

// Run makes an account.
func (c accountCreate) Run(e *env) error {
	var made accountRow
	return c.call(e, "POST", "/api/v1/accounts", map[string]any{"name": c.Name, "email": c.Email}, &made, func() {
		fmt.Fprintln(e.stdout, made.ID)
	})
}

type accountList struct {
	remote
	list
}

// Run lists accounts.
func (c accountList) Run(e *env) error {
	return listAll(c.remote, e, c.list, "/api/v1/accounts", []string{"ID", "NAME", "EMAIL", "MADE", "ADMIN", "NO MAILS, AS"}, func(a accountRow) []string {
		admin := ""
		if a.Admin {
			admin = "yes"
		}
		return []string{a.ID, a.Name, a.Email, when(a.CreatedAt), admin, a.EmailRefused}
	})
}

type accountChange struct {
	remote
	Account string  `arg:"" help:"Account."`
	Name    *string `help:"Name."`
	Email   *string `help:"Where mails go from now on."`
}

// Run changes name or address.
func (c accountChange) Run(e *env) error {
	change := map[string]any{}
	for name, value := range map[string]*string{"name": c.Name, "email": c.Email} {
		if value != nil {
			change[name] = *value
		}
	}
	if len(change) == 0 {
		return fault.New(fault.Invalid, "there is nothing to change; give --name or --email")
	}
	var a accountRow
	return c.call(e, "PATCH", "/api/v1/accounts/"+url.PathEscape(c.Account), change, &a, func() { fmt.Fprintln(e.stdout, a.ID, a.Name, a.Email) })
}

type accountAdmin struct {
	remote
	Account string `arg:"" help:"Account."`
	End     bool   `help:"Make him a person like others again."`
}

// Run makes a platform admin, or ends that.
func (c accountAdmin) Run(e *env) error {
	method := "PUT"
	if c.End {
		method = "DELETE"
	}
	return c.call(e, method, "/api/v1/accounts/"+url.PathEscape(c.Account)+"/admin", nil, nil, nil)
}

type cardRow struct {
	ID           string    `json:"id"`
	Account      string    `json:"account"`
	Masked       string    `json:"masked"`
	Issuer       string    `json:"issuer"`
	State        string    `json:"state"`
	DormantSince time.Time `json:"dormant_since"`
	AddedAt      time.Time `json:"added_at"`
	Wallet       string    `json:"wallet"`
	Role         string    `json:"role"`
}

// standing says whether a card can be charged, and since when not.
func (c cardRow) standing() string {
	if c.DormantSince.IsZero() {
		return c.State
	}
	return c.State + " since " + when(c.DormantSince)
}

type accountCards struct {
	remote
	Account string `arg:"" help:"Account."`
}

// Run lists the cards of an account.
func (c accountCards) Run(e *env) error {
	var cards struct{ Items []cardRow }
	return c.call(e, "GET", "/api/v1/accounts/"+url.PathEscape(c.Account)+"/cards", nil, &cards, func() {
		var rows [][]string
		for _, card := range cards.Items {
			rows = append(rows, []string{card.ID, card.Issuer, card.Masked, card.standing(), when(card.AddedAt), card.Wallet})
		}
		_ = table(e.stdout, []string{"ID", "ISSUER", "CARD", "STATE", "ADDED", "WALLET"}, rows) // as any print to a terminal
	})
}

// checkoutRow is a payment that its payer approves in a browser.
type checkoutRow struct {
	ID       string `json:"id"`
	Kind     string `json:"kind"`
	Wallet   string `json:"wallet"`
	Order    string `json:"order"`
	State    string `json:"state"`
	Reason   string `json:"reason"`
	Total    int64  `json:"total_krw"`
	Redirect struct {
		PC     string `json:"pc"`
		Mobile string `json:"mobile"`
	} `json:"redirect"`
	Transfer  *transferRow `json:"transfer"`
	Method    string       `json:"method"`
	CreatedAt time.Time    `json:"created_at"`
	ExpiresAt time.Time    `json:"expires_at"`
}

func (c checkoutRow) print(e *env) {
	transfer := ""
	switch {
	case c.Transfer != nil:
		transfer = c.Transfer.String()
	case c.Method == "bank" && c.State == "ready":
		transfer = "the bank has not answered yet; see malgil wallet checkout " + c.ID
	}
	facts(e.stdout, "checkout", c.ID, "state", c.State, "reason", c.Reason, "total", won(c.Total)+" KRW",
		"on a computer", c.Redirect.PC, "on a phone", c.Redirect.Mobile, "transfer to", transfer, "until", when(c.ExpiresAt))
}

type accountAddCard struct {
	remote
	once
	Account string `arg:"" help:"Account."`
}

// Run begins a registration and says where to send the payer.
func (c accountAddCard) Run(e *env) error {
	if c.DryRun {
		fmt.Fprintf(e.stdout, "would ask KakaoPay for the registration of a card of %s; nothing was done\n", c.Account)
		return nil
	}
	return c.checkout(e, c.once, "/api/v1/accounts/"+url.PathEscape(c.Account)+"/cards", nil)
}

// checkout begins a checkout and prints where to send the payer.
func (r remote) checkout(e *env, o once, path string, in any) error {
	var begun checkoutRow
	key, told := o.key()
	return told(r.call(e, "POST", path, in, &begun, func() { begun.print(e) }, apiclient.IdempotencyKey(key)))
}

type accountForget struct {
	remote
	Card string `arg:"" help:"Card."`
}

// Run forgets a card.
func (c accountForget) Run(e *env) error {
	return c.call(e, "DELETE", "/api/v1/cards/"+url.PathEscape(c.Card), nil, nil, nil)
}
