package main

import (
	"fmt"
	"net/url"
	"strings"
)

type walletCards struct {
	remote
	Wallet string   `arg:"" help:"Wallet."`
	Cards  []string `arg:"" optional:"" help:"Cards in the order of their use, 1 to 3; none to list those that are there."`
	DryRun bool     `help:"Say what would happen, and do nothing."`
}

// Run lists or sets the cards of a wallet.
func (c walletCards) Run(e *env) error {
	var cards struct{ Items []cardRow }
	show := func() { printCards(e, cards.Items) }
	if len(c.Cards) == 0 {
		return c.call(e, "GET", walletPath(c.Wallet)+"/cards", nil, &cards, show)
	}
	if c.DryRun {
		return c.wouldPut(e, c.Wallet, "ask "+strings.Join(c.Cards, ", ")+" in this order")
	}
	return c.call(e, "PUT", walletPath(c.Wallet)+"/cards", map[string]any{"cards": c.Cards}, &cards, show)
}

// wouldPut says what cards that are put on a wallet would do: an unpaid one is charged at once.
func (r remote) wouldPut(e *env, wallet, what string) error {
	var w walletRow
	return r.call(e, "GET", walletPath(wallet), nil, &w, func() {
		if w.PaymentState == "UNPAID" {
			what += fmt.Sprintf(", and charge the %s KRW that are due (without VAT) at once", won(w.Balance.Due))
		}
		fmt.Fprintf(e.stdout, "would %s for %s; nothing was done\n", what, w.ID)
	})
}

type walletAddCard struct {
	remote
	Wallet string `arg:"" help:"Wallet."`
	Card   string `arg:"" help:"Card."`
	DryRun bool   `help:"Say what would happen, and do nothing."`
}

// Run puts a card on a wallet.
func (c walletAddCard) Run(e *env) error {
	if c.DryRun {
		return c.wouldPut(e, c.Wallet, "ask "+c.Card+" too")
	}
	var cards struct{ Items []cardRow }
	return c.call(e, "POST", walletPath(c.Wallet)+"/cards", map[string]string{"card": c.Card}, &cards, func() { printCards(e, cards.Items) })
}

type walletDropCard struct {
	remote
	Wallet string `arg:"" help:"Wallet."`
	Card   string `arg:"" help:"Card."`
}

// Run takes a card off a wallet.
func (c walletDropCard) Run(e *env) error {
	return c.call(e, "DELETE", walletPath(c.Wallet)+"/cards/"+url.PathEscape(c.Card), nil, nil, nil)
}

// printCards prints the cards of a wallet in the order of their use.
func printCards(e *env, cards []cardRow) {
	var rows [][]string
	for _, card := range cards {
		rows = append(rows, []string{card.Role, card.ID, card.Issuer, card.Masked, card.standing(), card.Account})
	}
	_ = table(e.stdout, []string{"ROLE", "ID", "ISSUER", "CARD", "STATE", "ACCOUNT"}, rows) // as any print to a terminal
}
