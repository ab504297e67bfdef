package templates_test

import (
	"bytes"
	"cmp"
	"flag"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/malgil/malgil/internal/notice"
	"github.com/malgil/malgil/templates"
	"github.com/malgil/malgil/templates/sample"
)

var takePictures = flag.Bool("pictures", false, "take the pictures of the documentation anew")

const (
	pictures     = "../docs/pictures"
	mailDocs     = "../docs/mails.md"
	desktopWidth = 820
	mostPicture  = 60 << 10 // bytes of one
)

// shot is one picture of the documentation.
type shot struct {
	name   string
	html   []byte
	width  int64
	scheme string
}

// The documentation shows every case and the invoice, in pictures that are small.
func TestDocs_showEveryMail(t *testing.T) {
	if *takePictures {
		b := startBrowser(t)
		for _, s := range shots(t) {
			b.take(t, s)
		}
		takePDF(t)
	}
	docs, err := os.ReadFile(mailDocs)
	if err != nil {
		t.Fatal(err)
	}
	var wanted []string
	for _, c := range notice.Cases() {
		wanted = append(wanted, string(c)+".png")
	}
	for _, name := range append(wanted, "unpaid_dark.png", "auto_pay_failure_dark.png", "broadcast_report_dark.png", "broadcast_report_desktop.png", "invoice_issued_desktop.png", "invoice_desktop.png", "invoice_phone.png", "invoice_pdf.png") {
		if !strings.Contains(string(docs), "(pictures/"+name+")") {
			t.Errorf("docs/mails.md does not show %s", name)
		}
		picture, err := os.ReadFile(filepath.Join(pictures, name))
		if err != nil {
			t.Errorf("%v; take it by: go test ./templates -run TestDocs -pictures", err)
			continue
		}
		config, err := png.DecodeConfig(bytes.NewReader(picture))
		if err != nil || len(picture) > mostPicture || config.Width < phoneWidth {
			t.Errorf("%s is %d bytes and %d wide, %v, want a picture of at most %d bytes", name, len(picture), config.Width, err, mostPicture)
		}
	}
}

func shots(t *testing.T) []shot {
	var all []shot
	for _, c := range notice.Cases() {
		data, ok := mails[string(c)]
		if !ok {
			t.Fatalf("there is no sample of %s", c)
		}
		page := []byte(render(t, data).HTML)
		all = append(all, shot{string(c), page, phoneWidth, "light"})
		switch c {
		case notice.CaseUnpaid, notice.CaseAutoPayFailure, notice.CaseBroadcastReport:
			all = append(all, shot{string(c) + "_dark", page, phoneWidth, "dark"})
		}
		switch c {
		case notice.CaseInvoiceIssued, notice.CaseBroadcastReport:
			all = append(all, shot{string(c) + "_desktop", page, desktopWidth, "light"})
		}
	}
	page, err := templates.InvoiceHTML(sample.Invoices()[0].Data)
	if err != nil {
		t.Fatal(err)
	}
	return append(all, shot{"invoice_desktop", page, desktopWidth, "light"}, shot{"invoice_phone", page, phoneWidth, "light"})
}

func (b browser) take(t *testing.T, s shot) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(file, s.html, 0o600); err != nil {
		t.Fatal(err)
	}
	size := emulation.SetDeviceMetricsOverrideParams{Width: s.width, Height: 400, DeviceScaleFactor: 1.5, Mobile: s.width == phoneWidth}
	if _, err := chromedp.Call(b.ctx, emulation.SetDeviceMetricsOverride, size); err != nil {
		t.Fatal(err)
	}
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: s.scheme}}}
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, media); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Do(b.ctx, chromedp.Navigate("file://"+file)); err != nil {
		t.Fatal(err)
	}
	picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		t.Fatalf("take a picture of %s: %v", s.name, err)
	}
	keep(t, s.name, picture)
}

// takePDF takes the picture of the PDF with a reader that knows nothing of how it was made.
func takePDF(t *testing.T) {
	t.Helper()
	document, err := templates.InvoicePDF(sample.Invoices()[0].Data)
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), "pdftoppm", "-png", "-r", "80", "-singlefile", "-x", "0", "-y", "0", "-W", "662", "-H", "560", "-")
	c.Stdin = bytes.NewReader(document)
	picture, err := c.Output()
	if err != nil {
		t.Fatalf("pdftoppm: %v", err)
	}
	keep(t, "invoice_pdf", picture)
}

// keep writes a picture with its commonest colours, as many as leave it small: pages have few.
func keep(t *testing.T, name string, picture []byte) {
	t.Helper()
	full, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		t.Fatal(err)
	}
	var out []byte
	for colours := 64; colours >= 16; colours /= 2 {
		if out = reduced(t, full, colours); len(out) <= mostPicture {
			break
		}
	}
	if err := os.MkdirAll(pictures, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(pictures, name+".png"), out, 0o644); err != nil {
		t.Fatal(err)
	}
}

// reduced returns a picture as PNG with so many of its commonest colours.
func reduced(t *testing.T, full image.Image, colours int) []byte {
	t.Helper()
	bounds := full.Bounds()
	count := map[color.RGBA]int{}
	each := func(do func(x, y int, c color.RGBA)) {
		for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
			for x := bounds.Min.X; x < bounds.Max.X; x++ {
				do(x, y, color.RGBAModel.Convert(full.At(x, y)).(color.RGBA))
			}
		}
	}
	each(func(_, _ int, c color.RGBA) { count[c]++ })
	var palette color.Palette
	for c := range count {
		palette = append(palette, c)
	}
	slices.SortFunc(palette, func(a, b color.Color) int {
		p, q := a.(color.RGBA), b.(color.RGBA)
		return cmp.Or(count[q]-count[p], cmp.Compare(uint32(p.R)<<16|uint32(p.G)<<8|uint32(p.B), uint32(q.R)<<16|uint32(q.G)<<8|uint32(q.B)))
	})
	palette = palette[:min(len(palette), colours)]
	small := image.NewPaletted(bounds, palette)
	nearest := map[color.RGBA]uint8{}
	each(func(x, y int, c color.RGBA) {
		i, known := nearest[c]
		if !known {
			i = uint8(palette.Index(c))
			nearest[c] = i
		}
		small.SetColorIndex(x, y, i)
	})
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, small); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
