package main

import (
	_ "embed"
	"fmt"
	"html/template"
	"os"
	"path/filepath"

	"github.com/malgil/malgil/templates"
	"github.com/malgil/malgil/templates/sample"
)

// mailCommand is about notification mails.
type mailCommand struct {
	Preview mailPreview `cmd:"" help:"Write every mail and tax invoice as files to look at, with the data of a shop that does not exist; asks no server."`
}

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
