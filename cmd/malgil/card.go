package main

import (
	"fmt"
	"net/url"

	"github.com/malgil/malgil/internal/fault"
)

// cardCommand keeps cards, at their owners and on wallets.
type cardCommand struct {
	List   cardList       `cmd:"" help:"List the cards of an account by time added, or of a wallet in the order of their use."`
	Add    accountAddCard `cmd:"" help:"Begin the registration of a card; the payer finishes it in a browser."`
	Remove accountForget  `cmd:"" help:"Forget a card and switch it off at KakaoPay."`
	Put    walletAddCard  `cmd:"" help:"Put a card on a wallet."`
	Take   walletDropCard `cmd:"" help:"Take a card off a wallet; those behind it move up."`
	Order  cardOrder      `cmd:"" help:"Say in which order a wallet's cards are asked: the payment card, then its backups."`
	Status cardStatus     `cmd:"" help:"Ask KakaoPay whether a card can be charged."`
}

type cardList struct {
	remote
	Account string `xor:"of" help:"Account."`
	Wallet  string `xor:"of" help:"Wallet."`
}

// Run lists cards.
func (c cardList) Run(e *env) error {
	switch {
	case c.Wallet != "":
		return walletCards{remote: c.remote, Wallet: c.Wallet}.Run(e)
	case c.Account != "":
		return accountCards{remote: c.remote, Account: c.Account}.Run(e)
	}
	return fault.Field("--account", "or --wallet: say whose cards")
}

type cardOrder struct {
	remote
	Wallet string   `arg:"" help:"Wallet."`
	Cards  []string `arg:"" help:"Every card of the wallet, in the order of their use."`
}

// Run orders the cards of a wallet. Unlike malgil wallet cards it neither adds nor takes off.
func (c cardOrder) Run(e *env) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	var there struct{ Items []cardRow }
	if err := client.Call(e.ctx, "GET", walletPath(c.Wallet)+"/cards", nil, &there); err != nil {
		return err
	}
	named := map[string]bool{}
	for _, id := range c.Cards {
		named[id] = true
	}
	for _, card := range there.Items {
		if !named[card.ID] {
			return fault.Field("cards", "must name every card of the wallet; %s is missing", card.ID)
		}
	}
	if len(c.Cards) != len(there.Items) {
		return fault.Field("cards", "must name the cards of the wallet, each once, and no others")
	}
	return walletCards{remote: c.remote, Wallet: c.Wallet, Cards: c.Cards}.Run(e)
}

type cardStatus struct {
	remote
	Card string `arg:"" help:"Card."`
}

// Run asks for the state of a card.
func (c cardStatus) Run(e *env) error {
	var card cardRow
	return c.call(e, "GET", "/api/v1/cards/"+url.PathEscape(c.Card), nil, &card, func() { fmt.Fprintln(e.stdout, card.standing()) })
}
