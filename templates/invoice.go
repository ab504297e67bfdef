package templates

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"sync"
	"time"

	"codeberg.org/go-pdf/fpdf"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/invoice"
)

//go:embed invoice/invoice.html
var invoicePage string

// invoiceFont is NanumGothic, under the SIL Open Font License; see invoice/OFL.txt.
//
//go:embed invoice/NanumGothic.ttf.gz
var invoiceFont []byte

const (
	fontName    = "nanumgothic"
	pageMargin  = 12.0 // millimetres
	frameWidth  = 0.2
	boldOutline = 0.12 // of the letters of labels: the one weight that is embedded, drawn with a stroke
)

var invoiceHTML = template.Must(template.New("invoice").Funcs(template.FuncMap{
	"mm":    func(v float64) string { return fmt.Sprintf("%.2f", v) },
	"size":  func(points float64) string { return fmt.Sprintf("%.3f", points*pointMM) },
	"label": func(c cell) bool { return c.Kind == label },
	"bold":  func(c cell) bool { return c.Kind == label || c.Kind == title },
	"frame": func(c cell) bool { return c.Kind != note },
	"month": month,
}).Parse(invoicePage))

var fontBytes = sync.OnceValues(func() ([]byte, error) {
	zipped, err := gzip.NewReader(bytes.NewReader(invoiceFont))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(zipped)
})

// InvoiceHTML returns a tax invoice as a page of its own, which refers to nothing outside of it. One
// without an approval number says that it is not issued yet. The same invoice always gives the same page.
func InvoiceHTML(i invoice.Invoice) ([]byte, error) {
	pdf, err := newPDF()
	if err != nil {
		return nil, err
	}
	var page bytes.Buffer
	if err := invoiceHTML.Execute(&page, struct {
		Form    form
		Invoice invoice.Invoice
	}{layOut(i, measureWith(pdf)), i}); err != nil {
		return nil, fmt.Errorf("render the HTML of invoice %s: %w", i.ID, err)
	}
	return page.Bytes(), nil
}

// InvoicePDF returns what [InvoiceHTML] shows as a PDF of one page of A4, with the letters that it uses.
// The same invoice always gives the same bytes.
func InvoicePDF(i invoice.Invoice) ([]byte, error) {
	pdf, err := newPDF()
	if err != nil {
		return nil, err
	}
	f := layOut(i, measureWith(pdf))
	pdf.AddPage()
	at := i.IssuedAt
	if at.IsZero() {
		at = i.WrittenOn
	}
	if at.IsZero() {
		at = time.Unix(0, 0) // a zero time would be the clock's
	}
	pdf.SetCreationDate(at.UTC())
	pdf.SetModificationDate(at.UTC())
	pdf.SetTitle(line(fmt.Sprintf("%s %s %s", f.Title, month(i.Month), printable(i.Recipient.Name))), true)
	pdf.SetLang("ko-KR")
	for _, c := range f.Cells {
		drawCell(pdf, c)
	}
	var out bytes.Buffer
	if err := pdf.Output(&out); err != nil {
		return nil, fmt.Errorf("render the PDF of invoice %s: %w", i.ID, err)
	}
	return out.Bytes(), nil
}

// newPDF returns a document without a page: on a page each size that is measured would be written down.
func newPDF() (*fpdf.Fpdf, error) {
	font, err := fontBytes()
	if err != nil {
		return nil, fmt.Errorf("unpack the font of invoices: %w", err)
	}
	pdf := fpdf.New("P", "mm", "A4", "")
	pdf.SetCatalogSort(true)
	pdf.SetAutoPageBreak(false, 0)
	pdf.AddUTF8FontFromBytes(fontName, "", font)
	pdf.SetFont(fontName, "", valueSize)
	if err := pdf.Error(); err != nil {
		return nil, fmt.Errorf("read the font of invoices: %w", err)
	}
	return pdf, nil
}

func measureWith(pdf *fpdf.Fpdf) measure {
	return func(text string, size float64) float64 {
		pdf.SetFontSize(size)
		return pdf.GetStringWidth(text)
	}
}

func drawCell(pdf *fpdf.Fpdf, c cell) {
	x, y := c.X+pageMargin, c.Y+pageMargin
	pdf.SetDrawColor(0x2b, 0x4a, 0xb8)
	pdf.SetFillColor(0xed, 0xf1, 0xfd)
	pdf.SetLineWidth(frameWidth)
	switch c.Kind {
	case label:
		pdf.Rect(x, y, c.W, c.H, "FD")
	case value, title:
		pdf.Rect(x, y, c.W, c.H, "D")
	case note:
	}
	bold := c.Kind == label || c.Kind == title
	pdf.SetTextColor(0x11, 0x11, 0x11)
	if bold {
		pdf.SetTextColor(0x2b, 0x4a, 0xb8)
		pdf.SetLineWidth(boldOutline)
		pdf.SetTextRenderingMode(2)
	}
	for _, l := range c.Lines {
		pdf.SetFontSize(l.Size)
		pdf.Text(l.X+pageMargin, l.Y+pageMargin, l.Text)
	}
	pdf.SetTextRenderingMode(0)
}

// InvoiceFileName returns what the PDF of an invoice is called, such as "세금계산서-2026-11.pdf".
func InvoiceFileName(i invoice.Invoice) string {
	name := "세금계산서"
	if i.Revision > 1 {
		name = "수정" + name
	}
	return name + "-" + clock.Month(i.Month) + ".pdf"
}
