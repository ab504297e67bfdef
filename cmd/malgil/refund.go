package main

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/apiclient"
	"github.com/malgil/malgil/internal/fault"
)

// transferRow is an account that money is transferred to.
type transferRow struct {
	Bank   string `json:"bank"`
	Number string `json:"number"`
	Holder string `json:"holder"`
}

func (t transferRow) String() string {
	return strings.TrimSpace(t.Bank + " " + t.Number + " " + t.Holder)
}

// refundRow is a refund, or what one would be.
type refundRow struct {
	ID       string       `json:"id"`
	State    string       `json:"state"`
	Supply   int64        `json:"supply_krw"`
	VAT      int64        `json:"vat_krw"`
	Total    int64        `json:"total_krw"`
	To       *transferRow `json:"to"`
	Lines    []lineRow    `json:"lines"`
	OpenedAt time.Time    `json:"opened_at"`
}

type lineRow struct {
	TopUp  string    `json:"topup"`
	Method string    `json:"method"`
	PaidAt time.Time `json:"paid_at"`
	Supply int64     `json:"supply_krw"`
	VAT    int64     `json:"vat_krw"`
	Total  int64     `json:"total_krw"`
	State  string    `json:"state"`
	Reason string    `json:"reason"`
}

func (r refundRow) print(e *env) {
	to := ""
	if r.To != nil {
		to = r.To.String()
	}
	facts(e.stdout, "refund", r.ID, "state", r.State, "supply", won(r.Supply)+" KRW", "VAT", won(r.VAT)+" KRW",
		"goes back", won(r.Total)+" KRW", "transfers to", to)
	var rows [][]string
	for _, l := range r.Lines {
		rows = append(rows, []string{l.TopUp, l.Method, when(l.PaidAt), won(l.Supply), won(l.VAT), won(l.Total), strings.TrimSpace(l.State + " " + l.Reason)})
	}
	_ = table(e.stdout, []string{"TOP-UP", "METHOD", "PAID", "SUPPLY", "VAT", "GOES BACK", "STATE"}, rows) // as any print to a terminal
}

type walletRefund struct {
	remote
	once
	Wallet string `arg:"" help:"Wallet."`
	Amount int64  `arg:"" optional:"" help:"KRW without VAT, which goes back with it; everything that may be refunded, when left out."`
}

// Run begins a refund; a dry run shows which top-ups it would give back, and with how much VAT.
func (c walletRefund) Run(e *env) error {
	body := map[string]any{}
	if c.Amount != 0 {
		body["amount_krw"] = c.Amount
	}
	path := walletPath(c.Wallet) + "/refunds"
	var refund refundRow
	if c.DryRun {
		return c.call(e, "POST", path+"/quote", body, &refund, func() {
			refund.State = "" // none was opened
			for i := range refund.Lines {
				refund.Lines[i].State = ""
			}
			refund.print(e)
			fmt.Fprintln(e.stdout, "nothing was done")
		})
	}
	key, told := c.key()
	return told(c.call(e, "POST", path, body, &refund, func() { refund.print(e) }, apiclient.IdempotencyKey(key)))
}

type walletRefunds struct {
	remote
	list
	Wallet string `arg:"" help:"Wallet."`
}

// Run lists refunds.
func (c walletRefunds) Run(e *env) error {
	header := []string{"OPENED", "ID", "STATE", "SUPPLY", "VAT", "GOES BACK", "BY"}
	return listAll(c.remote, e, c.list, walletPath(c.Wallet)+"/refunds", header, func(r refundRow) []string {
		var ways []string
		for _, l := range r.Lines {
			ways = append(ways, strings.TrimSpace(l.Method+" "+l.State+" "+l.Reason))
		}
		return []string{when(r.OpenedAt), r.ID, r.State, won(r.Supply), won(r.VAT), won(r.Total), strings.Join(ways, ", ")}
	})
}

type walletSettleRefund struct {
	remote
	once
	Wallet   string `arg:"" help:"Wallet."`
	Refund   string `arg:"" help:"Refund in review."`
	WentBack bool   `help:"The gateway or the bank shows that the money went back."`
	Kept     bool   `help:"It shows that the money did not; it is paid cash again."`
}

// Run ends a refund in review.
func (c walletSettleRefund) Run(e *env) error {
	if c.WentBack == c.Kept {
		return fault.New(fault.Invalid, "say --went-back or --kept, as the gateway or the bank shows it")
	}
	path := walletPath(c.Wallet) + "/refunds/" + url.PathEscape(c.Refund)
	var refund refundRow
	if c.DryRun {
		return c.call(e, "GET", path, nil, &refund, func() {
			refund.print(e)
			what := "is paid cash again"
			if c.WentBack {
				what = "went back"
			}
			fmt.Fprintf(e.stdout, "would say that the money of its open lines %s; nothing was done\n", what)
		})
	}
	key, told := c.key()
	return told(c.call(e, "POST", path+"/settle", map[string]any{"went_back": c.WentBack}, &refund, func() { refund.print(e) }, apiclient.IdempotencyKey(key)))
}

type walletRefundAccount struct {
	remote
	Wallet string `arg:"" help:"Wallet."`
	Bank   string `help:"Name of the bank; with --number and --holder, to set the account."`
	Number string `help:"Number of the account."`
	Holder string `help:"Who holds it: the business or its representative."`
}

// Run shows or sets where refunds of bank transfers go.
func (c walletRefundAccount) Run(e *env) error {
	var account transferRow
	show := func() { fmt.Fprintln(e.stdout, account) }
	path := walletPath(c.Wallet) + "/refund-account"
	if c.Bank == "" && c.Number == "" && c.Holder == "" {
		return c.call(e, "GET", path, nil, &account, show)
	}
	return c.call(e, "PUT", path, transferRow{Bank: c.Bank, Number: c.Number, Holder: c.Holder}, &account, show)
}

type walletRepresentative struct {
	remote
	Wallet string `arg:"" help:"Wallet."`
	Name   string `arg:"" help:"Name on the business registration (대표자)."`
}

// Run sets the representative of a business.
func (c walletRepresentative) Run(e *env) error {
	var w walletRow
	return c.call(e, "PUT", walletPath(c.Wallet)+"/representative", map[string]string{"name": c.Name}, &w, func() { w.print(e) })
}
