package templates_test

import (
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/malgil/malgil/internal/notice"
	"github.com/malgil/malgil/internal/testserver"
)

var screenshots = flag.String("screenshots", "", "directory for pictures of the mails, to look at them")

const phoneWidth = 360 // CSS pixels of a small phone

// measure is run in the page. It returns the size of what sticks out to the right, every text
// whose contrast with what lies under it is below 4.5 (WCAG 2.2, 1.4.3), and how much it read.
const measure = `(() => {
  const parse = c => { const m = c.match(/[\d.]+/g).map(Number); return {r: m[0], g: m[1], b: m[2], a: m.length > 3 ? m[3] : 1}; };
  const over = (top, under) => ({r: top.r*top.a + under.r*(1-top.a), g: top.g*top.a + under.g*(1-top.a), b: top.b*top.a + under.b*(1-top.a), a: 1});
  const luminance = c => { const f = v => { v /= 255; return v <= 0.04045 ? v/12.92 : ((v+0.055)/1.055)**2.4; }; return 0.2126*f(c.r) + 0.7152*f(c.g) + 0.0722*f(c.b); };
  const background = el => {
    const layers = [];
    for (let e = el; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c.a > 0) layers.push(c); if (c.a === 1) break; }
    let c = matchMedia('(prefers-color-scheme: dark)').matches ? {r: 18, g: 18, b: 18, a: 1} : {r: 255, g: 255, b: 255, a: 1};
    while (layers.length) c = over(layers.pop(), c);
    return c;
  };
  const out = {texts: 0, dim: [], wide: [], width: innerWidth, scrollWidth: document.documentElement.scrollWidth, page: luminance(background(document.body))};
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const node = texts.currentNode, el = node.parentElement, text = node.data.trim();
    if (!text || !el.checkVisibility()) continue;
    out.texts++;
    const under = background(el), a = luminance(over(parse(getComputedStyle(el).color), under)), b = luminance(under);
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) out.dim.push(contrast.toFixed(2) + ' ' + text);
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const box of range.getClientRects()) if (box.right > innerWidth + 0.5 || box.left < -0.5) out.wide.push(Math.round(box.right) + 'px ' + text);
  }
  return out;
})()`

type measured struct {
	Texts       int      `json:"texts"`
	Dim         []string `json:"dim"`
	Wide        []string `json:"wide"`
	Width       int      `json:"width"`
	ScrollWidth int      `json:"scrollWidth"`
	Page        float64  `json:"page"`
}

// Every mail reads well on a small phone: nothing sticks out and every text stands out from
// what is under it, by day and by night.
func TestRender_onAPhone(t *testing.T) {
	browser := startBrowser(t)
	for _, set := range []map[string]notice.Data{mails, extremes} {
		for name, data := range set {
			html := render(t, data).HTML
			for _, scheme := range []string{"light", "dark"} {
				t.Run(name+" "+scheme, func(t *testing.T) {
					m := browser.measure(t, html, scheme, strings.ReplaceAll(name, " ", "_")+"_"+scheme+".png")
					if m.Texts < 10 {
						t.Errorf("the browser shows %d texts, want at least 10", m.Texts)
					}
					if m.Width != phoneWidth || m.ScrollWidth > phoneWidth {
						t.Errorf("the page is %d px wide in a window of %d px, want at most %d", m.ScrollWidth, m.Width, phoneWidth)
					}
					for _, text := range m.Wide {
						t.Errorf("sticks out of the window: %s", text)
					}
					for _, text := range m.Dim {
						t.Errorf("contrast below 4.5: %s", text)
					}
					if dark := m.Page < 0.1; dark != (scheme == "dark") {
						t.Errorf("luminance of the page in %s mode = %.3f", scheme, m.Page)
					}
				})
			}
		}
	}
}

type browser struct{ ctx context.Context }

// startBrowser starts a headless Chromium for one test. Without one on this machine the test is
// skipped, see [testserver.Missing].
func startBrowser(t *testing.T) browser {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		testserver.Missing(t, "mails are measured in Chromium, which is not installed", "install Debian's packages chromium and fonts-noto-cjk")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.Flag("disable-dev-shm-usage", true))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	return browser{ctx: ctx}
}

func (b browser) measure(t *testing.T, html, scheme, picture string) measured {
	t.Helper()
	file := filepath.Join(t.TempDir(), "mail.html")
	if err := os.WriteFile(file, []byte(html), 0o600); err != nil {
		t.Fatal(err)
	}
	size := emulation.SetDeviceMetricsOverrideParams{Width: phoneWidth, Height: 740, DeviceScaleFactor: 2, Mobile: true}
	if _, err := chromedp.Call(b.ctx, emulation.SetDeviceMetricsOverride, size); err != nil {
		t.Fatalf("set the size of the window: %v", err)
	}
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, media); err != nil {
		t.Fatalf("set the colour scheme: %v", err)
	}
	if err := chromedp.Do(b.ctx, chromedp.Navigate("file://"+file)); err != nil {
		t.Fatalf("open the mail: %v", err)
	}
	m, err := chromedp.Run(b.ctx, chromedp.Evaluate[measured](measure))
	if err != nil {
		t.Fatalf("measure the mail: %v", err)
	}
	if *screenshots != "" {
		png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
		if err != nil {
			t.Fatalf("take a picture of the mail: %v", err)
		}
		if err := os.WriteFile(filepath.Join(*screenshots, picture), png, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return m
}
