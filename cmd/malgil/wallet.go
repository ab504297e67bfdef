package main

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/wallet"
)

// walletCommand keeps wallets: their money, people and cards.
type walletCommand struct {
	Create    walletCreate    `cmd:"" help:"Open a wallet."`
	List      walletList      `cmd:"" help:"List wallets."`
	Show      walletShow      `cmd:"" help:"Balance, people and cards of a wallet."`
	Member    walletMember    `cmd:"" help:"Give a person a role on a wallet, or take it away."`
	AddCard   walletAddCard   `cmd:"" help:"Put a card of your own on a wallet."`
	DropCard  walletDropCard  `cmd:"" help:"Take a card off a wallet."`
	Cards     walletCards     `cmd:"" help:"Say which cards a wallet is charged on: the payment card, then its backups."`
	Grant     walletGrant     `cmd:"" help:"Give a wallet free or paid cash."`
	Grants    walletGrants    `cmd:"" help:"The cash that a wallet was given, newest first."`
	Use       walletUse       `cmd:"" help:"Make free cash count."`
	Stop      walletStop      `cmd:"" help:"Turn a wallet off; what it has queued is taken back."`
	Start     walletStart     `cmd:"" help:"Turn a wallet on."`
	Limit     walletLimit     `cmd:"" help:"Say how much a wallet's cards may owe per day."`
	Change    walletChange    `cmd:"" help:"Change the name or the business data of a wallet."`
	Delete    walletDelete    `cmd:"" help:"Delete a wallet that is stopped and settled."`
	Topup     walletTopup     `cmd:"" help:"Begin a top-up; the payer finishes it in a browser, or by bank transfer."`
	Checkout  walletCheckout  `cmd:"" help:"How a top-up or a card registration goes."`
	History   walletHistory   `cmd:"" help:"What happened to a wallet, newest first, with its balances."`
	Days      walletDays      `cmd:"" help:"A wallet day by day."`
	Statement walletStatement `cmd:"" help:"A month of a wallet, as a file for people or programs."`
	Postings  walletPostings  `cmd:"" help:"The ledger of a wallet, newest first."`
	Why       walletWhy       `cmd:"" help:"Why was I charged this: what caused a posting or a charge, what a broadcast cost, and what paid it."`
	Charges   walletCharges   `cmd:"" help:"Charges with the cards that were tried, newest first."`
	Review    walletReview    `cmd:"" help:"List charges that wait for a person, or take one out of review."`
	Reconnect walletReconnect `cmd:"" help:"Connect the channels of a wallet that has paid."`
	Quote     walletQuote     `cmd:"" help:"What a broadcast would cost, and whether a wallet can pay it."`

	Refund         walletRefund         `cmd:"" help:"Give unused paid cash back, the newest top-up first."`
	Refunds        walletRefunds        `cmd:"" help:"Refunds, newest first."`
	SettleRefund   walletSettleRefund   `cmd:"" help:"Say what became of a refund in review."`
	RefundAccount  walletRefundAccount  `cmd:"" help:"Where refunds of bank transfers go."`
	Representative walletRepresentative `cmd:"" help:"Set the representative of a business, who may hold its refund account."`
}

type walletRow struct {
	ID           string    `json:"id"`
	Name         string    `json:"name"`
	Kind         string    `json:"kind"`
	Status       string    `json:"status"`
	PaymentState string    `json:"payment_state"`
	UnpaidSince  time.Time `json:"unpaid_since"`
	Balance      struct {
		Free      int64 `json:"free_krw"`
		Paid      int64 `json:"paid_krw"`
		Accrual   int64 `json:"accrual_krw"`
		Charging  int64 `json:"charging_krw"`
		Held      int64 `json:"held_krw"`
		Spendable int64 `json:"spendable_krw"`
		Due       int64 `json:"due_krw"`

		Refunding  int64 `json:"refunding_krw"`
		Refundable int64 `json:"refundable_krw"`
	} `json:"balance"`
	DailyLimit int64 `json:"daily_limit_krw"`
	Members    []struct {
		Account string `json:"account"`
		Name    string `json:"name"`
		Role    string `json:"role"`
	} `json:"members"`
	Cards []cardRow `json:"cards"`
}

func (w walletRow) print(e *env) {
	limit := ""
	if w.DailyLimit > 0 {
		limit = won(w.DailyLimit)
	}
	unpaid := w.PaymentState
	if !w.UnpaidSince.IsZero() {
		unpaid += " since " + when(w.UnpaidSince)
	}
	pairs := []string{"wallet", w.ID, "name", w.Name, "kind", w.Kind, "status", w.Status, "payment", unpaid,
		"spendable", won(w.Balance.Spendable), "free cash", won(w.Balance.Free), "paid cash", won(w.Balance.Paid),
		"accrual", won(w.Balance.Accrual), "charging", won(w.Balance.Charging), "held", won(w.Balance.Held),
		"due now", won(w.Balance.Due), "refundable", won(w.Balance.Refundable), "going back", won(w.Balance.Refunding), "daily limit", limit}
	for _, m := range w.Members {
		pairs = append(pairs, m.Role, m.Name+" "+m.Account)
	}
	for _, c := range w.Cards {
		pairs = append(pairs, c.Role, strings.Join(strings.Fields(c.Issuer+" "+c.Masked+" "+c.standing()+" "+c.ID), " "))
	}
	facts(e.stdout, pairs...)
}

func walletPath(id string) string { return "/api/v1/wallets/" + url.PathEscape(id) }

type walletCreate struct {
	remote
	Name           string `arg:"" help:"Name of the wallet."`
	Master         string `required:"" help:"Account that owns it."`
	Kind           string `enum:"business,personal" default:"business" help:"business or personal."`
	BusinessNumber string `help:"Business registration number, of a business."`
	InvoiceEmail   string `help:"Where tax invoices go, of a business."`
	businessData
	DailyLimit int64 `help:"Most that its cards may owe per day, in KRW; needed before it gets one."`
}

// Run opens a wallet.
func (c walletCreate) Run(e *env) error {
	body := map[string]any{"name": c.Name, "kind": c.Kind, "master": c.Master}
	for name, value := range map[string]string{"business_number": c.BusinessNumber, "invoice_email": c.InvoiceEmail} {
		if value != "" {
			body[name] = value
		}
	}
	c.addTo(body)
	if c.DailyLimit != 0 {
		body["daily_limit_krw"] = c.DailyLimit
	}
	var made walletRow
	return c.call(e, "POST", "/api/v1/wallets", body, &made, func() { fmt.Fprintln(e.stdout, made.ID) })
}

// businessData is what stands on the tax invoices of a business beside its number.
type businessData struct {
	Company      *string `help:"Its name on tax invoices (상호), where it is not the wallet's."`
	Address      *string `help:"Its address on tax invoices (사업장 주소)."`
	BusinessType *string `help:"Its type of business on tax invoices (업태)."`
	BusinessItem *string `help:"Its line of business on tax invoices (종목)."`
}

func (b businessData) addTo(body map[string]any) {
	for name, value := range map[string]*string{"company": b.Company, "address": b.Address, "business_type": b.BusinessType, "business_item": b.BusinessItem} {
		if value != nil {
			body[name] = *value
		}
	}
}

type walletList struct {
	remote
	list
}

// Run lists wallets.
func (c walletList) Run(e *env) error {
	return listAll(c.remote, e, c.list, "/api/v1/wallets", []string{"ID", "NAME", "STATUS", "PAYMENT", "SPENDABLE", "ACCRUAL", "HELD"},
		func(w walletRow) []string {
			return []string{w.ID, w.Name, w.Status, w.PaymentState, won(w.Balance.Spendable), won(w.Balance.Accrual), won(w.Balance.Held)}
		})
}

type walletShow struct {
	remote
	Wallet string `arg:"" help:"Wallet."`
}

// Run shows a wallet.
func (c walletShow) Run(e *env) error {
	var w walletRow
	return c.call(e, "GET", walletPath(c.Wallet), nil, &w, func() { w.print(e) })
}

type walletMember struct {
	remote
	Wallet  string `arg:"" help:"Wallet."`
	Account string `arg:"" help:"Account."`
	Role    string `enum:"master,worker,viewer" default:"worker" help:"master, worker or viewer; a new master makes the one so far a worker."`
	Remove  bool   `help:"Take the person and his cards off the wallet."`
}

// Run gives or takes a role.
func (c walletMember) Run(e *env) error {
	path := walletPath(c.Wallet) + "/members/" + url.PathEscape(c.Account)
	if c.Remove {
		return c.call(e, "DELETE", path, nil, nil, nil)
	}
	var m struct{ Name, Role string }
	return c.call(e, "PUT", path, map[string]string{"role": c.Role}, &m, func() { fmt.Fprintln(e.stdout, m.Name, "is", m.Role) })
}

type walletTopup struct {
	remote
	once
	Wallet  string `arg:"" help:"Wallet."`
	Amount  int64  `arg:"" help:"KRW without VAT, which is added."`
	Account string `help:"Who pays; the master of the wallet, when left out."`
	Method  string `enum:"card,bank" default:"card" help:"card, or bank for a transfer (무통장입금)."`
}

// Run begins a top-up and says where to send the payer, or the money.
func (c walletTopup) Run(e *env) error {
	if c.DryRun {
		vat := int64(wallet.VAT(wallet.KRW(c.Amount)))
		fmt.Fprintf(e.stdout, "would top up %s by %s with %s KRW and %s KRW of VAT: %s KRW to pay; nothing was done\n",
			c.Wallet, c.Method, won(c.Amount), won(vat), won(c.Amount+vat))
		return nil
	}
	body := map[string]any{"amount_krw": c.Amount, "method": c.Method}
	if c.Account != "" {
		body["account"] = c.Account
	}
	return c.checkout(e, c.once, walletPath(c.Wallet)+"/topups", body)
}

type walletCheckout struct {
	remote
	Checkout string `arg:"" help:"Checkout."`
}

// Run shows a checkout.
func (c walletCheckout) Run(e *env) error {
	var checkout checkoutRow
	return c.call(e, "GET", "/api/v1/checkouts/"+url.PathEscape(c.Checkout), nil, &checkout, func() { checkout.print(e) })
}

type postingRow struct {
	Kind     string    `json:"kind"`
	Ref      string    `json:"ref"`
	At       time.Time `json:"at"`
	Free     int64     `json:"free_krw"`
	Paid     int64     `json:"paid_krw"`
	Accrual  int64     `json:"accrual_krw"`
	Charging int64     `json:"charging_krw"`
	Revenue  int64     `json:"revenue_krw"`
	Clearing int64     `json:"clearing_krw"`
	VAT      int64     `json:"vat_krw"`

	Refunding int64 `json:"refunding_krw"`
	Rounding  int64 `json:"rounding_krw"`
	Promotion int64 `json:"promotion_krw"`
}

type walletPostings struct {
	remote
	list
	Wallet string `arg:"" help:"Wallet."`
}

// Run lists postings.
func (c walletPostings) Run(e *env) error {
	header := []string{"AT", "KIND", "REF", "FREE", "PAID", "REFUNDING", "ACCRUAL", "CHARGING", "REVENUE", "CLEARING", "VAT", "ROUNDING", "PROMOTION"}
	return listAll(c.remote, e, c.list, walletPath(c.Wallet)+"/postings", header, func(p postingRow) []string {
		return []string{when(p.At), p.Kind, p.Ref, won(p.Free), won(p.Paid), won(p.Refunding), won(p.Accrual), won(p.Charging),
			won(p.Revenue), won(p.Clearing), won(p.VAT), won(p.Rounding), won(p.Promotion)}
	})
}

type chargeRow struct {
	ID       string    `json:"id"`
	State    string    `json:"state"`
	Total    int64     `json:"total_krw"`
	OpenedAt time.Time `json:"opened_at"`
	Attempts []struct {
		Slot    int    `json:"slot"`
		Masked  string `json:"masked"`
		Outcome string `json:"outcome"`
		Reason  string `json:"reason"`
	} `json:"attempts"`
}

type walletCharges struct {
	remote
	list
	Wallet string `arg:"" help:"Wallet."`
}

// Run lists charges, each with the cards that were tried.
func (c walletCharges) Run(e *env) error {
	return listAll(c.remote, e, c.list, walletPath(c.Wallet)+"/charges", []string{"OPENED", "ID", "STATE", "TOTAL", "TRIED"}, func(r chargeRow) []string {
		var tried []string
		for _, a := range r.Attempts {
			tried = append(tried, strings.Join(strings.Fields(fmt.Sprintf("%d %s %s %s", a.Slot, a.Masked, a.Outcome, a.Reason)), " "))
		}
		return []string{when(r.OpenedAt), r.ID, r.State, won(r.Total), strings.Join(tried, ", ")}
	})
}

type walletReconnect struct {
	remote
	Wallet string `arg:"" help:"Wallet."`
	DryRun bool   `help:"Say what would happen, and do nothing."`
}

// Run reconnects a wallet.
func (c walletReconnect) Run(e *env) error {
	var w walletRow
	if c.DryRun {
		return c.call(e, "GET", walletPath(c.Wallet), nil, &w, func() {
			would := "would connect the channels of " + w.ID + " again, and what waits on them would go out"
			switch w.PaymentState {
			case "ACTIVE":
				would = w.ID + " is ACTIVE already"
			case "UNPAID":
				would = fmt.Sprintf("%s is UNPAID and would be refused: %s KRW are due", w.ID, won(w.Balance.Due))
			}
			fmt.Fprintf(e.stdout, "%s; nothing was done\n", would)
		})
	}
	return c.call(e, "POST", walletPath(c.Wallet)+"/reconnect", nil, &w, func() { w.print(e) })
}

// quoteRow is what a broadcast would cost.
type quoteRow struct {
	People  int   `json:"people"`
	Price   int64 `json:"price_krw"`
	Supply  int64 `json:"supply_krw"`
	VAT     int64 `json:"vat_krw"`
	Total   int64 `json:"total_krw"`
	Seconds int64 `json:"seconds"`
	Wallet  *struct {
		Spendable  int64     `json:"spendable_krw"`
		Enough     bool      `json:"enough"`
		Missing    int64     `json:"missing_krw"`
		Reason     string    `json:"reason"`
		PeopleNow  int       `json:"people_now"`
		ResumesAt  time.Time `json:"resumes_at"`
		DailyLimit int64     `json:"daily_limit_krw"`
		DailyLeft  int64     `json:"daily_left_krw"`
		After      struct {
			Free    int64 `json:"free_krw"`
			Paid    int64 `json:"paid_krw"`
			Accrual int64 `json:"accrual_krw"`
		} `json:"after"`
	} `json:"wallet"`
}

func (q quoteRow) print(e *env) {
	pairs := []string{"people", won(int64(q.People)), "price", won(q.Price), "supply", won(q.Supply), "VAT", won(q.VAT), "total", won(q.Total)}
	switch w := q.Wallet; {
	case w == nil:
	case w.Enough:
		pairs = append(pairs, "spendable", won(w.Spendable)+", enough")
	default:
		pairs = append(pairs, "spendable", won(w.Spendable)+", not enough", "missing", won(w.Missing), "reason", w.Reason,
			"at once", won(int64(w.PeopleNow)), "the rest", when(w.ResumesAt))
	}
	if q.Seconds > 0 {
		pairs = append(pairs, "takes", (time.Duration(q.Seconds) * time.Second).String())
	}
	if w := q.Wallet; w != nil {
		if w.DailyLimit > 0 {
			pairs = append(pairs, "limit", won(w.DailyLimit)+" a day, "+won(w.DailyLeft)+" left today")
		}
		pairs = append(pairs, "after", "free "+won(w.After.Free)+", paid "+won(w.After.Paid)+", accrual "+won(w.After.Accrual))
	}
	facts(e.stdout, pairs...)
}

type walletQuote struct {
	remote
	People int    `arg:"" help:"How many people."`
	Wallet string `help:"Wallet that would pay."`
	Bot    string `help:"Bot that would speak: how long it takes."`
}

// Run quotes.
func (c walletQuote) Run(e *env) error {
	var q quoteRow
	return c.call(e, "POST", "/api/v1/quote", quoteOf(c.People, c.Wallet, c.Bot), &q, func() { q.print(e) })
}

// quoteOf asks for a quote of messages on a wallet through a bot; an empty one is left out.
func quoteOf(people int, wallet, bot string) map[string]any {
	body := map[string]any{"people": people}
	if wallet != "" {
		body["wallet"] = wallet
	}
	if bot != "" {
		body["bot"] = bot
	}
	return body
}
