package main

import (
	_ "embed"
	"fmt"
	"html/template"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/apiclient"
	"github.com/malgil/malgil/templates"
	"github.com/malgil/malgil/templates/sample"
)

// mailCommand is about notification mails.
type mailCommand struct {
	List    mailList    `cmd:"" help:"List the mails of a wallet, newest first."`
	Resend  mailResend  `cmd:"" help:"Send a mail of a wallet once more."`
	Mutes   mailMutes   `cmd:"" help:"List which mails of a wallet its people do without."`
	Mute    mailMute    `cmd:"" help:"Have somebody do without the mails of a case."`
	Unmute  mailUnmute  `cmd:"" help:"Let somebody get the mails of a case again."`
	Preview mailPreview `cmd:"" help:"Write every mail and tax invoice as files to look at, with the data of a shop that does not exist; asks no server."`
}

type mailRow struct {
	ID        string    `json:"id"`
	Case      string    `json:"case"`
	Name      string    `json:"name"`
	Address   string    `json:"address"`
	State     string    `json:"state"`
	Attempts  int       `json:"attempts"`
	NextAt    time.Time `json:"next_at"`
	Reason    string    `json:"reason"`
	CreatedAt time.Time `json:"created_at"`
}

type mailList struct {
	remote
	list
	Wallet string `arg:"" help:"Wallet."`
	State  string `enum:",waiting,sending,sent,bounced,failed" default:"" help:"Only mails in a state: waiting, sending, sent, bounced or failed."`
	Case   string `help:"Only mails of a case, such as unpaid."`
}

// Run lists mails.
func (c mailList) Run(e *env) error {
	narrow := url.Values{}
	if c.State != "" {
		narrow.Set("state", c.State)
	}
	if c.Case != "" {
		narrow.Set("case", c.Case)
	}
	header := []string{"MADE", "ID", "CASE", "TO", "STATE", "TRIES", "NEXT TRY", "WHY NOT"}
	return listAll(c.remote, e, c.list, walletPath(c.Wallet)+"/mails?"+narrow.Encode(), header, func(m mailRow) []string {
		return []string{when(m.CreatedAt), m.ID, m.Case, strings.TrimSpace(m.Name + " " + m.Address), m.State, fmt.Sprint(m.Attempts), when(m.NextAt), m.Reason}
	})
}

type mailResend struct {
	remote
	Key    string `help:"Idempotency-Key; a command that was cut short is repeated with the key that it told. Left out, a new one."`
	Wallet string `arg:"" help:"Wallet."`
	Mail   string `arg:"" help:"Mail, by its id."`
}

// Run writes a mail once more.
func (c mailResend) Run(e *env) error {
	key, told := once{Key: c.Key}.key()
	var m mailRow
	return told(c.call(e, "POST", walletPath(c.Wallet)+"/mails/"+url.PathEscape(c.Mail)+"/resend", nil, &m, func() {
		fmt.Fprintf(e.stdout, "%s goes to %s\n", m.ID, strings.TrimSpace(m.Name+" "+m.Address))
	}, apiclient.IdempotencyKey(key)))
}

type mailMutes struct {
	remote
	list
	Wallet string `arg:"" help:"Wallet."`
}

// Run lists who does without what.
func (c mailMutes) Run(e *env) error {
	type row struct {
		Account string    `json:"account"`
		Name    string    `json:"name"`
		Case    string    `json:"case"`
		Since   time.Time `json:"since"`
	}
	return listAll(c.remote, e, c.list, walletPath(c.Wallet)+"/mails/mutes", []string{"SINCE", "CASE", "ACCOUNT", "NAME"}, func(r row) []string {
		return []string{when(r.Since), r.Case, r.Account, r.Name}
	})
}

// muted is who does without what.
type muted struct {
	remote
	Wallet  string `arg:"" help:"Wallet."`
	Account string `arg:"" help:"Account; for another than oneself whoever may change the wallet."`
	Case    string `arg:"" help:"Case, such as topup. What tells of unpaid wallets, long failures and tax invoices is always sent."`
}

func (c muted) set(e *env, method, done string) error {
	path := walletPath(c.Wallet) + "/mails/mutes/" + url.PathEscape(c.Account) + "/" + url.PathEscape(c.Case)
	return c.call(e, method, path, nil, nil, func() { fmt.Fprintf(e.stdout, "%s %s mails of the case %s\n", c.Account, done, c.Case) })
}

type mailMute struct{ muted }

// Run mutes.
func (c mailMute) Run(e *env) error { return c.set(e, "PUT", "gets no more") }

type mailUnmute struct{ muted }

// Run lets mails come again.
func (c mailUnmute) Run(e *env) error { return c.set(e, "DELETE", "gets again") }

//go:embed preview.html
var previewHTML string

var previewPage = template.Must(template.New("preview").Parse(previewHTML))

type mailPreview struct {
	Out string `default:"mail-preview" help:"Folder for the files; made when it is not there, files of the same names are replaced."`
}

// previewed is one mail or document as the index shows it.
type previewed struct {
	Name, Korean, Subject string
	Files                 []string // the page first
}

// Run writes each mail as page and text, each invoice as page and PDF, and an index of them.
func (c mailPreview) Run(e *env) error {
	if err := os.MkdirAll(c.Out, 0o755); err != nil {
		return fmt.Errorf("make the folder of the previews: %w", err)
	}
	var all []previewed
	for _, m := range sample.Mails() {
		const public = "https://malgil.example"
		mute := ""
		if m.Data.Case().CanMute() {
			mute = public + "/mute/mail_01JD9Z6Q3M/c2FtcGxl"
		}
		mail, err := templates.Render(m.Data, public, mute)
		if err != nil {
			return err
		}
		one := previewed{Name: m.Name, Korean: m.Data.Case().Korean(), Subject: mail.Subject, Files: []string{m.Name + ".html", m.Name + ".txt"}}
		if err := c.write(one.Files, []byte(mail.HTML), []byte(mail.Text)); err != nil {
			return err
		}
		all = append(all, one)
	}
	for _, i := range sample.Invoices() {
		page, err := templates.InvoiceHTML(i.Data)
		if err != nil {
			return err
		}
		document, err := templates.InvoicePDF(i.Data)
		if err != nil {
			return err
		}
		one := previewed{Name: i.Name, Korean: "세금계산서", Subject: i.Data.ItemName(), Files: []string{i.Name + ".html", i.Name + ".pdf"}}
		if err := c.write(one.Files, page, document); err != nil {
			return err
		}
		all = append(all, one)
	}
	index, err := os.Create(filepath.Join(c.Out, "index.html"))
	if err != nil {
		return fmt.Errorf("write the index of the previews: %w", err)
	}
	defer index.Close() // closed below; again where writing failed
	if err := previewPage.Execute(index, all); err != nil {
		return fmt.Errorf("write the index of the previews: %w", err)
	}
	if err := index.Close(); err != nil {
		return fmt.Errorf("write the index of the previews: %w", err)
	}
	fmt.Fprintf(e.stdout, "%d mails and invoices; open %s\n", len(all), index.Name())
	return nil
}

func (c mailPreview) write(names []string, bodies ...[]byte) error {
	for i, name := range names {
		if err := os.WriteFile(filepath.Join(c.Out, name), bodies[i], 0o644); err != nil {
			return fmt.Errorf("write a preview: %w", err)
		}
	}
	return nil
}
