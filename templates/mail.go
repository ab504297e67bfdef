// Package templates holds the documents that people read: the words of the mails and the
// layouts around them. They are embedded and parsed when the program starts.
package templates

import (
	"embed"
	"fmt"
	"html/template"
	"net/url"
	"regexp"
	"strings"
	texttemplate "text/template"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/notice"
)

//go:embed mail/*.tmpl mail/layout.html mail/layout.txt
var mailFiles embed.FS

// A case has one file of words. It is read twice, with the layout of HTML and with that of plain
// text, so the two parts of a mail cannot say different things.
var mails = map[notice.Case]mailTemplate{
	notice.CaseTopUp:          parseMail("topup"),
	notice.CaseAutoPaySuccess: parseMail("auto_pay_success"),
	notice.CaseAutoPayFailure: parseMail("auto_pay_failure"),
	notice.CaseUnpaid:         parseMail("unpaid"),
	notice.CaseRefundDone:     parseMail("refund_done"),

	notice.CaseChannelConnected: parseMail("channel_connected"),
	notice.CaseLongTermFailure:  parseMail("long_term_failure"),
	notice.CaseFreeCashGranted:  parseMail("free_cash_granted"),
	notice.CasePaidCashGranted:  parseMail("paid_cash_granted"),

	notice.CaseLowBalance:       parseMail("low_balance"),
	notice.CaseFreeCashExpiring: parseMail("free_cash_expiring"),
	notice.CaseInvoiceIssued:    parseMail("invoice_issued"),
	notice.CaseInvoiceFailed:    parseMail("invoice_failed"),
	notice.CaseBroadcastReport:  parseMail("broadcast_report"),
	notice.CaseScheduleMissed:   parseMail("schedule_missed"),
}

type mailTemplate struct {
	html *template.Template
	text *texttemplate.Template
}

func parseMail(name string) mailTemplate {
	words := []string{"mail/words.tmpl", "mail/" + name + ".tmpl"}
	return mailTemplate{
		html: template.Must(template.New(name).Funcs(mailFuncs).ParseFS(mailFiles, append(words, "mail/layout.html")...)),
		text: texttemplate.Must(texttemplate.New(name).Funcs(mailFuncs).ParseFS(mailFiles, append(words, "mail/layout.txt")...)),
	}
}

// mailPage is what a template sees.
type mailPage struct {
	Subject string
	D       notice.Data
	Link    string
	Mute    string
}

var blankLines = regexp.MustCompile(`\n{3,}`)

// Render writes the mail for an event's data. pages is where people reach the pages of this
// installation ("https://malgil.example.com"); a button leads to the data's path below it. Empty,
// as where nothing serves them, the mail has no button. mute is the address at which its reader mutes
// such mails, empty where he cannot. The subject is one line whatever the data holds. The same data
// always gives the same mail.
func Render(data notice.Data, pages, mute string) (notice.Mail, error) {
	mail, ok := mails[data.Case()]
	if !ok {
		return notice.Mail{}, fault.New(fault.Internal, "no mail template for case %q", data.Case())
	}
	link, err := linkTo(pages, pathOf(data))
	if err != nil {
		return notice.Mail{}, err
	}
	page := mailPage{D: data, Link: link, Mute: mute}
	if page.Subject, err = mail.execute("subject", page); err != nil {
		return notice.Mail{}, err
	}
	page.Subject = line(page.Subject)
	text, err := mail.execute("layout", page)
	if err != nil {
		return notice.Mail{}, err
	}
	var html strings.Builder
	if err := mail.html.ExecuteTemplate(&html, "layout", page); err != nil {
		return notice.Mail{}, fmt.Errorf("render the HTML of a %s mail: %w", data.Case(), err)
	}
	return notice.Mail{
		Subject: page.Subject,
		HTML:    html.String(),
		Text:    blankLines.ReplaceAllString(strings.TrimSpace(text), "\n\n") + "\n",
	}, nil
}

func (m mailTemplate) execute(part string, page mailPage) (string, error) {
	var out strings.Builder
	if err := m.text.ExecuteTemplate(&out, part, page); err != nil {
		return "", fmt.Errorf("render the %s of a %s mail: %w", part, page.D.Case(), err)
	}
	return out.String(), nil
}

func pathOf(data notice.Data) string {
	switch d := data.(type) {
	case notice.TopUp:
		return d.Path
	case notice.AutoPaySuccess:
		return d.Path
	case notice.AutoPayFailure:
		return d.Path
	case notice.Unpaid:
		return d.Path
	case notice.RefundDone:
		return d.Path
	case notice.ChannelConnected:
		return d.Path
	case notice.LongTermFailure:
		return d.Path
	case notice.FreeCashGranted:
		return d.Path
	case notice.PaidCashGranted:
		return d.Path
	case notice.LowBalance:
		return d.Path
	case notice.FreeCashExpiring:
		return d.Path
	case notice.InvoiceIssued:
		return d.Path
	case notice.InvoiceFailed:
		return d.Path
	case notice.BroadcastReport:
		return d.Path
	case notice.ScheduleMissed:
		return d.Path
	}
	return ""
}

// linkTo returns the address of a page of this installation; none without pages.
func linkTo(pages, path string) (string, error) {
	if pages == "" {
		return "", nil
	}
	base, err := url.Parse(pages)
	if err != nil || (base.Scheme != "https" && base.Scheme != "http") || base.Host == "" {
		return "", fault.New(fault.Invalid, "the public URL %q is not an http or https address; set MALGIL_PUBLIC_URL", pages)
	}
	if path != "" && !strings.HasPrefix(path, "/") {
		return "", fault.New(fault.Invalid, "the page %q of a mail does not begin with a slash", path)
	}
	return strings.TrimRight(base.String(), "/") + path, nil
}
