package templates

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/invoice"
	"github.com/malgil/malgil/templates/sample"
)

// hostile is an invoice of which every text is as people and their enemies write it.
func hostile(text string) invoice.Invoice {
	i := sample.Invoices()[1].Data
	var fill func(v reflect.Value)
	fill = func(v reflect.Value) {
		switch {
		case v.Type() == reflect.TypeFor[string]():
			v.SetString(text)
		case v.Type() == reflect.TypeFor[time.Time]():
		case v.Kind() == reflect.Struct:
			for n := range v.NumField() {
				fill(v.Field(n))
			}
		}
	}
	fill(reflect.ValueOf(&i).Elem())
	i.Supply, i.VAT, i.Messages = 9_999_999_999_999, 999_999_999_999, 1_000_000_000_000
	return i
}

var corpus = map[string]string{
	"markup":           `<script>alert(1)</script><img src=x onerror=alert(1)>"'&`,
	"a template":       `{{.Form}}{{template "x"}}`,
	"lines":            "한빛\r\nBcc: x@y.example\n\n\x00서점\u2028끝",
	"turned around":    "\u202e점서빛한\u2066abc\u200f",
	"one long word":    strings.Repeat("가나다라마바사", 60),
	"many words":       strings.Repeat("한빛 서점 ", 200),
	"letters it lacks": "🐸𠮷 ⌘ ۞",
	"combining marks":  "e\u0301\u0301\u0301\u0301가\u0301",
	"nothing":          "",
	"spaces":           " \t  ",
	"a close of text":  "</text></svg><svg onload=alert(1)>",
	"an encoded word":  "=?utf-8?B?PHNjcmlwdD4=?=",
	"a variable":       "${jndi:ldap://x.example} #{7*7} %s %n",
	"a lone CR":        "한빛\rBcc: x@y.example\v\f\u0085끝",
	"a mark of Arabic": "abc\u061c\u200e한빛",
	"PDF":              ") Tj ET endstream endobj 9 0 obj << /S /JavaScript /JS (app.alert(1)) >> (",
	"a comment":        "<!-- ]]> --> <![CDATA[ <?xml",
	"an address":       `<a xlink:href="javascript:alert(1)">여기</a> url(https://x.example)`,
	"broken UTF-8":     "한빛\xff\xc3서점\xed\xa0\x80",
	"10 kB":            strings.Repeat("한빛 <b> ", 1_000),
	"10 kB of letters": strings.Repeat("가", 3_400),
	"many letters":     everySyllable(),
}

// everySyllable has every letter of the font's Hangul, so that a document embeds all of them.
func everySyllable() string {
	var all strings.Builder
	for r := '가'; r <= '힣'; r++ {
		all.WriteRune(r)
	}
	return all.String()
}

// Whatever the texts are, each stays within its cell and every cell within the sheet.
func TestLayOut_staysInItsCells(t *testing.T) {
	pdf, err := newPDF()
	if err != nil {
		t.Fatal(err)
	}
	invoices := map[string]invoice.Invoice{"empty": {}, "first": sample.Invoices()[0].Data, "amended": sample.Invoices()[1].Data}
	for name, text := range corpus {
		invoices[name] = hostile(text)
	}
	for name, i := range invoices {
		t.Run(name, func(t *testing.T) {
			const grain = 0.01 // of a millimetre
			f, lines := layOut(i, measureWith(pdf)), 0
			for _, c := range f.Cells {
				if c.X < 0 || c.X+c.W > formWidth+grain || c.Y < 0 || c.Y+c.H > f.Height+grain || f.Height > 297-2*pageMargin {
					t.Errorf("cell %q at %.1f,%.1f of %.1f×%.1f leaves the sheet of %.1f×%.1f", c.text, c.X, c.Y, c.W, c.H, formWidth, f.Height)
				}
				for _, l := range c.Lines {
					lines++
					if l.X < c.X-grain || l.X+l.Width > c.X+c.W+grain || l.Y > c.Y+c.H+grain || l.Y-l.Size*pointMM < c.Y-grain {
						t.Errorf("line %q at %.1f,%.1f, %.1f wide, leaves its cell at %.1f,%.1f of %.1f×%.1f", l.Text, l.X, l.Y, l.Width, c.X, c.Y, c.W, c.H)
					}
					if strings.ContainsAny(l.Text, "\n\r\x00\u061c\u200e\u202e\u2066\u200f\u2028") {
						t.Errorf("line %q holds what turns or breaks text", l.Text)
					}
				}
			}
			if lines < 35 {
				t.Errorf("the form says %d lines, want at least the 35 of its labels", lines)
			}
		})
	}
}

// The words of a bookkeeper and what belongs to them.
func TestLayOut_says(t *testing.T) {
	pdf, err := newPDF()
	if err != nil {
		t.Fatal(err)
	}
	i := sample.Invoices()[1].Data
	i.WrittenOn = time.Date(2026, 12, 1, 0, 0, 0, 0, clock.Seoul).Add(-time.Second) // still 30 November in Korea
	var all strings.Builder
	for _, c := range layOut(i, measureWith(pdf)).Cells {
		all.WriteString("|" + strings.ReplaceAll(c.text, "\n", "") + "|")
	}
	for _, want := range []string{
		"공급자", "공급받는자", "등록번호", "220-81-62517", "101-81-76293", "상호(법인명)", "한빛서점 주식회사", "성명", "김하늘", "사업장주소", "업태", "도소매업", "종목",
		"작성일자", "2026/11/30", "공급가액", "1,122,273", "세액", "112,227", "합계금액", "1,234,500", "품목", "비고", "수정사유", "사업자등록번호 정정",
		"승인번호", "20261207-41000123-00009012", "이 금액을 (청구) 함",
	} {
		if !strings.Contains(all.String(), "|"+want+"|") {
			t.Errorf("the form has no cell %q: %s", want, &all)
		}
	}
	if !strings.Contains(all.String(), "당초 승인번호 "+i.AmendsNo) {
		t.Errorf("the form does not name the invoice that it amends: %s", &all)
	}
}
