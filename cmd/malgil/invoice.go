package main

import (
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/apiclient"
	"github.com/malgil/malgil/internal/fault"
)

// invoiceCommand is about tax invoices.
type invoiceCommand struct {
	List     invoiceList     `cmd:"" help:"List the tax invoices of a wallet, newest first; without one those of all wallets that are not issued, the most urgent first."`
	Show     invoiceShow     `cmd:"" help:"Show a tax invoice."`
	Download invoiceDownload `cmd:"" help:"Write the document of a tax invoice to a file."`
	Reissue  invoiceReissue  `cmd:"" help:"Ask for a tax invoice that failed once more, under the wallet's business data of now."`
	Amend    invoiceAmend    `cmd:"" help:"Issue an amended tax invoice in place of one, under the wallet's business data of now."`
	Settle   invoiceSettle   `cmd:"" help:"Say what became of a tax invoice that is not issued, or that none will be."`
	Send     invoiceSend     `cmd:"" help:"Mail a tax invoice once more, to the wallet's address for invoices."`
}

type partyRow struct {
	Number         string `json:"number"`
	Name           string `json:"name"`
	Representative string `json:"representative"`
	Address        string `json:"address"`
	Email          string `json:"email"`
}

type invoiceRow struct {
	ID             string    `json:"id"`
	Wallet         string    `json:"wallet"`
	Month          string    `json:"month"`
	Revision       int       `json:"revision"`
	Amends         string    `json:"amends"`
	Why            string    `json:"reason"`
	State          string    `json:"state"`
	Supply         int64     `json:"supply_krw"`
	VAT            int64     `json:"vat_krw"`
	Total          int64     `json:"total_krw"`
	Free           int64     `json:"free_krw"`
	Messages       int64     `json:"messages"`
	Recipient      partyRow  `json:"recipient"`
	NextAt         time.Time `json:"next_at"`
	Deadline       time.Time `json:"deadline"`
	IssuedAt       time.Time `json:"issued_at"`
	ApprovalNumber string    `json:"approval_number"`
	Code           string    `json:"code"`
	Failure        string    `json:"failure"`
}

// next says what happens with an invoice, or what happened.
func (i invoiceRow) next() string {
	switch i.State {
	case "waiting":
		return strings.TrimSpace(when(i.NextAt) + " " + i.Code)
	case "issued":
		return i.ApprovalNumber
	}
	return strings.TrimSpace(i.Code + " " + i.Failure)
}

func (i invoiceRow) print(e *env) {
	of := ""
	if i.Revision > 1 {
		of = fmt.Sprintf("%d, in place of %s: %s", i.Revision, i.Amends, i.Why)
	}
	facts(e.stdout, "invoice", i.ID, "wallet", i.Wallet, "month", i.Month, "revision", of, "state", i.State,
		"supply", won(i.Supply)+" KRW", "VAT", won(i.VAT)+" KRW", "total", won(i.Total)+" KRW", "messages", won(i.Messages), "free cash beside", won(i.Free)+" KRW",
		"to", i.Recipient.Number+" "+i.Recipient.Name, "representative", i.Recipient.Representative, "address", i.Recipient.Address, "mail", i.Recipient.Email,
		"next try", when(i.NextAt), "late from", when(i.Deadline), "issued", when(i.IssuedAt), "approval number", i.ApprovalNumber, "not issued", strings.TrimSpace(i.Code+" "+i.Failure))
}

type invoiceList struct {
	remote
	list
	Wallet string `arg:"" optional:"" help:"Wallet."`
}

// Run lists invoices.
func (c invoiceList) Run(e *env) error {
	header := []string{"MONTH", "ID", "STATE", "TOTAL", "TO", "LATE FROM", "APPROVAL, NEXT TRY OR WHY NOT"}
	row := func(i invoiceRow) []string {
		month := i.Month
		if i.Revision > 1 {
			month = fmt.Sprintf("%s/%d", month, i.Revision)
		}
		return []string{month, i.ID, i.State, won(i.Total), i.Recipient.Number + " " + i.Recipient.Name, when(i.Deadline), i.next()}
	}
	if c.Wallet == "" {
		return listAll(c.remote, e, c.list, "/api/v1/invoices", append([]string{"WALLET"}, header...), func(i invoiceRow) []string {
			return append([]string{i.Wallet}, row(i)...)
		})
	}
	return listAll(c.remote, e, c.list, walletPath(c.Wallet)+"/invoices", header, row)
}

// oneInvoice names an invoice.
type oneInvoice struct {
	remote
	Wallet  string `arg:"" help:"Wallet."`
	Invoice string `arg:"" help:"Tax invoice, by its id."`
}

func (c oneInvoice) path() string {
	return walletPath(c.Wallet) + "/invoices/" + url.PathEscape(c.Invoice)
}

type invoiceShow struct{ oneInvoice }

// Run shows an invoice.
func (c invoiceShow) Run(e *env) error {
	var i invoiceRow
	return c.call(e, "GET", c.path(), nil, &i, func() { i.print(e) })
}

type invoiceDownload struct {
	oneInvoice
	Out   string `required:"" help:"File to write: .pdf or .html."`
	Force bool   `help:"Overwrite a file that is there."`
}

// Run writes the document of an invoice.
func (c invoiceDownload) Run(e *env) error {
	var format string
	switch {
	case strings.HasSuffix(c.Out, ".pdf"):
		format = "pdf"
	case strings.HasSuffix(c.Out, ".html"):
		format = "html"
	default:
		return fault.Field("--out", "must end in .pdf or .html")
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	err = writeFile(c.Out, c.Force, func(to io.Writer) error {
		return client.Call(e.ctx, "GET", c.path()+"/document?format="+format, nil, to)
	})
	if err == nil {
		fmt.Fprintln(e.stdout, c.Out)
	}
	return err
}

// ask asks something of an invoice, or shows it where nothing is to be done.
func (c oneInvoice) ask(e *env, o once, verb string, body any, would string) error {
	var i invoiceRow
	if o.DryRun {
		return c.call(e, "GET", c.path(), nil, &i, func() {
			i.print(e)
			fmt.Fprintf(e.stdout, "would %s; nothing was done\n", would)
		})
	}
	key, told := o.key()
	return told(c.call(e, "POST", c.path()+"/"+verb, body, &i, func() { i.print(e) }, apiclient.IdempotencyKey(key)))
}

type invoiceReissue struct {
	oneInvoice
	once
}

// Run asks for an invoice once more.
func (c invoiceReissue) Run(e *env) error {
	return c.ask(e, c.once, "reissue", nil, "ask for it once more, under the wallet's business data of now")
}

type invoiceAmend struct {
	oneInvoice
	once
	Why string `required:"" help:"What was wrong, as it stands on the invoice, such as 사업자등록번호 정정."`
}

// Run amends an invoice.
func (c invoiceAmend) Run(e *env) error {
	return c.ask(e, c.once, "amend", map[string]string{"reason": c.Why}, "issue an amended one in its place, under the wallet's business data of now")
}

type invoiceSettle struct {
	oneInvoice
	once
	IssuedAs  string `placeholder:"NUMBER" help:"It is issued, under this approval number (승인번호): its people are mailed." xor:"finding"`
	NotIssued bool   `help:"Nothing was issued; it may be asked for again." xor:"finding"`
	None      bool   `help:"None will be issued here, as where a business is closed for good." xor:"finding"`
	Note      string `required:"" help:"How it was found out, one line; it stands in the audit log."`
}

// Run settles an invoice.
func (c invoiceSettle) Run(e *env) error {
	body, would := map[string]string{"note": c.Note}, ""
	switch {
	case c.IssuedAs != "":
		body["finding"], body["approval_number"], would = "issued", c.IssuedAs, "take it as issued, and mail it"
	case c.NotIssued:
		body["finding"], would = "not_issued", "take it as not issued"
	case c.None:
		body["finding"], would = "none", "let it be"
	default:
		return fault.New(fault.Invalid, "say --issued-as=NUMBER, --not-issued or --none")
	}
	return c.ask(e, c.once, "settle", body, would)
}

type invoiceSend struct {
	oneInvoice
	once
}

// Run mails an invoice once more.
func (c invoiceSend) Run(e *env) error {
	return c.ask(e, c.once, "send", nil, "mail it once more, to the wallet's address for invoices")
}
