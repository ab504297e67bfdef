package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/malgil/malgil/internal/fault"
)

type walletStatement struct {
	remote
	Wallet string `arg:"" help:"Wallet."`
	Month  string `required:"" placeholder:"2026-11" help:"Month, in Korea."`
	Out    string `placeholder:"FILE" help:"Where to: a file that ends in .xlsx, .csv or .json, or - for CSV on stdout. Left out, the month is shown."`
	Force  bool   `help:"Overwrite the file."`
}

// statementRow is a month as far as a terminal shows it.
type statementRow struct {
	Wallet struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"wallet"`
	From    string      `json:"from"`
	To      string      `json:"to"`
	Opening balancesRow `json:"opening"`
	Totals  flowRow     `json:"totals"`
	Invoice struct {
		Supply int64 `json:"supply_krw"`
		VAT    int64 `json:"vat_krw"`
		Total  int64 `json:"total_krw"`
	} `json:"invoice"`
	Closing balancesRow `json:"closing"`
	Days    []dayRow    `json:"days"`
}

// Run writes a statement, or shows it.
func (c walletStatement) Run(e *env) error {
	path := walletPath(c.Wallet) + "/statements/" + url.PathEscape(c.Month)
	switch c.Out {
	case "":
		var st statementRow
		return c.call(e, "GET", path, nil, &st, func() { st.print(e) })
	case "-":
		return c.download(e, path+"?format=csv", e.stdout)
	}
	format := strings.TrimPrefix(filepath.Ext(c.Out), ".")
	if !slices.Contains([]string{"xlsx", "csv", "json"}, format) {
		return fault.Field("--out", "must end in .xlsx, .csv or .json")
	}
	err := writeFile(c.Out, c.Force, func(to io.Writer) error { return c.download(e, path+"?format="+format, to) })
	if err == nil {
		fmt.Fprintln(e.stdout, c.Out)
	}
	return err
}

func (c walletStatement) download(e *env, path string, to io.Writer) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	return lines(client.Call(e.ctx, "GET", path, nil, to))
}

func (st statementRow) print(e *env) {
	b := func(r balancesRow) string {
		return fmt.Sprintf("free %s, paid %s, accrual %s, charging %s", won(r.Free), won(r.Paid), won(r.Accrual), won(r.Charging))
	}
	withVAT := func(supply, vat int64) string { return won(supply) + " and " + won(vat) + " of VAT" }
	t := st.Totals
	facts(e.stdout, "wallet", st.Wallet.Name+" "+st.Wallet.ID, "from", st.From, "to", st.To, "opening", b(st.Opening),
		"messages", won(t.Messages), "consumed", won(t.Consumed.All)+", of it free cash "+won(t.Consumed.Free),
		"to invoice", withVAT(st.Invoice.Supply, st.Invoice.VAT)+": "+won(st.Invoice.Total),
		"topped up", withVAT(t.ToppedUp.Supply, t.ToppedUp.VAT), "granted", "free "+won(t.Granted.Free)+", paid "+won(t.Granted.Paid), "expired", won(t.Expired),
		"charged", withVAT(t.Charges.Paid, t.Charges.VAT), "refunded", withVAT(t.Refunds.Returned, t.Refunds.VAT), "closing", b(st.Closing))
	fmt.Fprintln(e.stdout)
	printDays(e, st.Days)
}

// writeFile makes a file, whole or not at all. One that is there stays as it is unless force says
// otherwise.
func writeFile(path string, force bool, write func(io.Writer) error) error {
	if _, err := os.Lstat(path); err == nil && !force {
		return fault.Field("--out", "%s is there already; --force overwrites it", path)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	part, err := os.CreateTemp(filepath.Dir(path), ".malgil-*")
	if err != nil {
		return fmt.Errorf("make a file beside %s: %w", path, err)
	}
	defer os.Remove(part.Name()) // when it has not become the file
	if err := errors.Join(write(part), part.Close()); err != nil {
		return err
	}
	if !force { // a file that came meanwhile stays too, where the file system has links
		if err := os.Link(part.Name(), path); err == nil || errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return os.Rename(part.Name(), path)
}
