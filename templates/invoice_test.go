package templates

import (
	"bytes"
	"io"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/net/html"

	"github.com/malgil/malgil/internal/testserver"
	"github.com/malgil/malgil/templates/sample"
)

// A page is small, the same each time, and its text can be copied and found.
func TestInvoicePDF(t *testing.T) {
	reader, err := exec.LookPath("pdftotext")
	if err != nil {
		testserver.Missing(t, "pdftotext is not installed", "install Debian's package poppler-utils")
	}
	for _, one := range sample.Invoices() {
		t.Run(one.Name, func(t *testing.T) {
			first, err := InvoicePDF(one.Data)
			if err != nil {
				t.Fatal(err)
			}
			second, err := InvoicePDF(one.Data)
			if err != nil || !bytes.Equal(first, second) {
				t.Errorf("InvoicePDF twice = %d and %d bytes that differ, %v, want the same", len(first), len(second), err)
			}
			if len(first) >= 200<<10 {
				t.Errorf("InvoicePDF = %d bytes, want less than 200 KB", len(first))
			}
			c := exec.CommandContext(t.Context(), reader, "-raw", "-", "-")
			c.Stdin = bytes.NewReader(first)
			text, err := c.Output()
			if err != nil {
				t.Fatalf("pdftotext: %v", err)
			}
			if pages := bytes.Count(text, []byte("\f")); pages != 1 {
				t.Errorf("the document has %d pages, want 1", pages)
			}
			for _, want := range []string{"공급가액", "한빛서점 주식회사", one.Data.ItemName(), "1,234,500", "1,122,273", "112,227", "books@hanbit.example"} {
				if !bytes.Contains(text, []byte(want)) {
					t.Errorf("the text of the document lacks %q:\n%s", want, text)
				}
			}
		})
	}
}

// skeleton returns a document without what is in its streams.
func skeleton(pdf []byte) []byte {
	return regexp.MustCompile(`(?s)\nstream\n.*?\nendstream\n`).ReplaceAll(pdf, []byte("\n"))
}

// Whatever people write is text: no element, attribute or address of theirs gets into the page.
func TestInvoiceHTML_injection(t *testing.T) {
	elements := func(page []byte) map[string]bool {
		found := map[string]bool{}
		z := html.NewTokenizer(bytes.NewReader(page))
		for {
			switch z.Next() {
			case html.ErrorToken:
				if z.Err() != io.EOF {
					t.Fatal(z.Err())
				}
				return found
			case html.StartTagToken, html.SelfClosingTagToken:
				token := z.Token()
				for _, a := range token.Attr {
					if strings.HasPrefix(a.Key, "on") || a.Key == "href" || a.Key == "src" {
						t.Errorf("<%s> has %s=%q", token.Data, a.Key, a.Val)
					}
				}
				found[token.Data] = true
			}
		}
	}
	plain, err := InvoiceHTML(sample.Invoices()[0].Data)
	if err != nil {
		t.Fatal(err)
	}
	if outside := regexp.MustCompile(`url\(|@import|https?://[^w]`).Find(plain); outside != nil {
		t.Errorf("the page refers to something outside of it: %s", outside)
	}
	known := elements(plain)
	plainPDF, err := InvoicePDF(sample.Invoices()[0].Data)
	if err != nil {
		t.Fatal(err)
	}
	plainPDF = skeleton(plainPDF)
	for name, text := range corpus {
		t.Run(name, func(t *testing.T) {
			page, err := InvoiceHTML(hostile(text))
			if err != nil {
				t.Fatal(err)
			}
			for element := range elements(page) {
				if !known[element] {
					t.Errorf("the page has an element <%s> that another invoice has not", element)
				}
			}
			if !utf8.Valid(page) {
				t.Error("the page is not UTF-8")
			}
			pdf, err := InvoicePDF(hostile(text))
			if err != nil || len(pdf) >= 200<<10 {
				t.Fatalf("InvoicePDF = %d bytes, %v, want less than 200 KB and nil", len(pdf), err)
			}
			got := skeleton(pdf)
			if pages := bytes.Count(got, []byte("/Type /Page\n")); pages != 1 || !bytes.Contains(got, []byte("/Count 1\n")) {
				t.Errorf("the document has %d pages, want 1", pages)
			}
			if objects, want := bytes.Count(got, []byte("endobj")), bytes.Count(plainPDF, []byte("endobj")); objects != want {
				t.Errorf("the document has %d objects, want the %d of another invoice", objects, want)
			}
			for _, word := range []string{"/JavaScript", "/JS", "/Launch", "/URI", "/Annot", "/Filespec", "/SubmitForm"} {
				if bytes.Contains(got, []byte(word)) {
					t.Errorf("the document has a %s", word)
				}
			}
		})
	}
}
