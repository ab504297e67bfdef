package main

import (
	"fmt"

	"github.com/malgil/malgil/internal/fault"
)

// changeWallet changes a wallet and shows it.
func (r remote) changeWallet(e *env, id string, change map[string]any) error {
	var w walletRow
	return r.call(e, "PATCH", walletPath(id), change, &w, func() { w.print(e) })
}

type walletStop struct {
	remote
	Wallet  string `arg:"" help:"Wallet."`
	Suspend bool   `help:"Suspend it by policy, so that no cash comes in either and only the platform ends it."`
}

// Run turns a wallet off.
func (c walletStop) Run(e *env) error {
	status := "stopped"
	if c.Suspend {
		status = "suspended"
	}
	return c.changeWallet(e, c.Wallet, map[string]any{"status": status})
}

type walletStart struct {
	remote
	Wallet string `arg:"" help:"Wallet."`
}

// Run turns a wallet on.
func (c walletStart) Run(e *env) error {
	return c.changeWallet(e, c.Wallet, map[string]any{"status": "in_use"})
}

type walletLimit struct {
	remote
	Wallet string `arg:"" help:"Wallet."`
	Limit  int64  `arg:"" help:"Most that its cards may owe per day in KRW: 1,000 to 100,000,000 in steps of 1,000."`
}

// Run sets the daily limit.
func (c walletLimit) Run(e *env) error {
	return c.changeWallet(e, c.Wallet, map[string]any{"daily_limit_krw": c.Limit})
}

type walletChange struct {
	remote
	Wallet         string `arg:"" help:"Wallet."`
	Name           string `help:"Name."`
	InvoiceEmail   string `help:"Where tax invoices go, of a business."`
	BusinessNumber string `help:"Business registration number (사업자등록번호); only the platform changes it."`
	businessData
}

// Run changes the name or the business data.
func (c walletChange) Run(e *env) error {
	change := map[string]any{}
	if c.Name != "" {
		change["name"] = c.Name
	}
	if c.InvoiceEmail != "" {
		change["invoice_email"] = c.InvoiceEmail
	}
	if c.BusinessNumber != "" {
		change["business_number"] = c.BusinessNumber
	}
	c.addTo(change)
	if len(change) == 0 {
		return fault.New(fault.Invalid, "there is nothing to change; give --name, --invoice-email, --business-number, --company, --address, --business-type or --business-item")
	}
	return c.changeWallet(e, c.Wallet, change)
}

type walletDelete struct {
	remote
	Wallet string `arg:"" help:"Wallet."`
	DryRun bool   `help:"Say what would happen, and do nothing."`
}

// Run deletes a wallet, or says everything that is in the way.
func (c walletDelete) Run(e *env) error {
	if c.DryRun {
		var w walletRow
		return c.call(e, "GET", walletPath(c.Wallet), nil, &w, func() {
			fmt.Fprintf(e.stdout, "would delete %s for good; nothing was done\n", w.ID)
			w.print(e)
		})
	}
	return c.call(e, "DELETE", walletPath(c.Wallet), nil, nil, nil)
}
