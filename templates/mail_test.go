package templates_test

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/notice"
	"github.com/malgil/malgil/internal/wallet"
	"github.com/malgil/malgil/templates"
	"github.com/malgil/malgil/templates/sample"
)

var update = flag.Bool("update", false, "write the golden files of the mails")

const (
	publicURL = "https://malgil.example.com"
	muteURL   = publicURL + "/mute/mail_01JD9Z6Q3M/c2lnbmVk"
)

var (
	midnight = time.Date(2026, 11, 24, 0, 0, 3, 0, clock.Seoul).UTC()
	nextTry  = time.Date(2026, 11, 25, 0, 0, 0, 0, clock.Seoul).UTC()
	owed     = notice.Amount{Supply: 500000, VAT: 50000, Total: 550000}
)

// mails are the mails that the golden files hold, by file name.
var mails = func() map[string]notice.Data {
	all := make(map[string]notice.Data)
	for _, m := range sample.Mails() {
		all[m.Name] = m.Data
	}
	return all
}()

// extremes are mails with the longest and strangest data that can come.
var extremes = map[string]notice.Data{
	"topup with everything large": notice.TopUp{
		WalletName: strings.Repeat("가나다라마바사", 12), Method: strings.Repeat("LongMethodName", 8),
		Amount:  notice.Amount{Supply: 90909090909091, VAT: 9090909090909, Total: 100000000000000},
		Settled: 99999999999999, Balance: 99999999999999, PaidAt: midnight, Reconnect: true, Path: "/w",
	},
	"failure with hostile names": notice.AutoPayFailure{
		WalletName: "<script>alert(1)</script>\r\nBcc: thief@example.com", Amount: owed, FailedAt: midnight, NextTryAt: nextTry, Path: "/w",
		Cards: []notice.CardTry{{Slot: 3, Number: "\u202e4321", Issuer: `"><img src=x>`, Outcome: notice.CardDeclined,
			Reason: "{{.D}}\n\n■ 가짜 안내\n" + strings.Repeat("긴이유", 60)}},
	},
	"failure without a card": notice.AutoPayFailure{
		WalletName: "한빛서점", Amount: owed, FailedAt: midnight, NextTryAt: nextTry, Path: "/w",
	},
	"unpaid with many bots": notice.Unpaid{
		WalletName: "W" + strings.Repeat("w", 90), Due: notice.Amount{Supply: wallet.KRW(1) << 50, VAT: 1, Total: 1<<50 + 1},
		Bots: strings.Split(strings.Repeat("아주아주긴이름의챗봇 <b>,", 30), ","), Since: midnight, NextTryAt: nextTry, Path: "/w",
	},
}

// muteOf is where a reader of a mail mutes its kind.
func muteOf(data notice.Data) string {
	if data.Case().CanMute() {
		return muteURL
	}
	return ""
}

func render(t *testing.T, data notice.Data) notice.Mail {
	t.Helper()
	mail, err := templates.Render(data, publicURL, muteOf(data))
	if err != nil {
		t.Fatalf("Render(%s) error = %v, want nil", data.Case(), err)
	}
	return mail
}

func TestRender_golden(t *testing.T) {
	for name, data := range mails {
		t.Run(name, func(t *testing.T) {
			mail := render(t, data)
			compareGolden(t, name+".html", mail.HTML)
			compareGolden(t, name+".txt", "Subject: "+mail.Subject+"\n\n"+mail.Text)
		})
	}
}

func compareGolden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("mail", "testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs from its golden file; run `go test ./templates -update` if that is meant (-want +got):\n%s", path, diff)
	}
}

func TestRender_everyCaseHasAGoldenMail(t *testing.T) {
	seen := make(map[notice.Case]bool)
	for _, data := range mails {
		seen[data.Case()] = true
	}
	for _, c := range notice.Cases() {
		if !seen[c] {
			t.Errorf("no golden mail of case %s", c)
		}
	}
}

// Whatever HTML shows, plain text says too, and in the same words.
func TestRender_textSaysWhatHTMLShows(t *testing.T) {
	for _, set := range []map[string]notice.Data{mails, extremes} {
		for name, data := range set {
			t.Run(name, func(t *testing.T) {
				mail := render(t, data)
				text := strings.Join(strings.Fields(mail.Text), " ")
				shown := shownTexts(t, mail.HTML)
				if len(shown) < 10 {
					t.Fatalf("HTML shows %d texts, want at least 10", len(shown))
				}
				for _, want := range shown {
					if !strings.Contains(text, want) {
						t.Errorf("the text part lacks %q", want)
					}
				}
			})
		}
	}
}

// shownTexts returns the texts of the body of a page that are not hidden.
func shownTexts(t *testing.T, page string) []string {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	var walk func(n *html.Node)
	walk = func(n *html.Node) {
		if n.Type == html.ElementNode {
			if n.Data == "head" {
				return
			}
			for _, a := range n.Attr {
				if a.Key == "style" && strings.Contains(a.Val, "display:none") {
					return
				}
			}
		}
		if n.Type == html.TextNode {
			if text := strings.Join(strings.Fields(n.Data), " "); text != "" {
				texts = append(texts, text)
			}
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c)
		}
	}
	walk(root)
	return texts
}

// A charge may be a slice of what is owed; only paying everything ends the unpaid state.
func TestRender_failedSlice(t *testing.T) {
	data := mails["auto_pay_failure"].(notice.AutoPayFailure)
	data.Due = notice.Amount{Supply: 800000, VAT: 80000, Total: 880000}
	text := render(t, data).Text
	for _, want := range []string{"결제하지 못한 금액: 550,000원", "캐시를 880,000원 이상 충전해 주세요"} {
		if !strings.Contains(text, want) {
			t.Errorf("the text lacks %q:\n%s", want, text)
		}
	}
}

func TestRender_hostileData(t *testing.T) {
	mail := render(t, extremes["failure with hostile names"])
	if strings.ContainsAny(mail.Subject, "\r\n") {
		t.Errorf("Subject = %q, want one line", mail.Subject)
	}
	for _, bad := range []string{"<script", "<img", "\u202e"} {
		if strings.Contains(mail.HTML, bad) {
			t.Errorf("HTML contains %q", bad)
		}
	}
	if regexp.MustCompile(`(?m)^(Bcc|■ 가짜)`).MatchString(mail.Text) {
		t.Errorf("data began a line of its own in the text part:\n%s", mail.Text)
	}
}

func TestRender_subjects(t *testing.T) {
	tests := map[string]struct {
		data notice.Data
		want string
	}{
		"three cards": {mails["auto_pay_failure"], "[말길] 자동결제 실패: 3개 카드 모두 승인되지 않았습니다 (한빛서점)"},
		"one card":    {mails["auto_pay_failure_one_card"], "[말길] 자동결제 실패: 카드가 승인되지 않았습니다 (한빛서점)"},
		"no card":     {extremes["failure without a card"], "[말길] 자동결제 실패: 결제할 수 있는 카드가 없습니다 (한빛서점)"},
		"paid":        {mails["auto_pay_success"], "[말길] 자동결제 완료: 550,000원 (한빛서점)"},
		"top-up":      {mails["topup"], "[말길] 캐시 충전 완료: 1,234,500원 (한빛서점)"},
		"unpaid":      {mails["unpaid"], "[말길] 요금 미납: 550,000원이 결제되지 않아 발송이 멈췄습니다 (한빛서점)"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := render(t, tt.data).Subject; got != tt.want {
				t.Errorf("Subject = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestRender_links(t *testing.T) {
	tests := map[string]struct {
		publicURL, path string
		want            string
		wantKind        fault.Kind
	}{
		"root":              {publicURL: "https://malgil.example.com", path: "/console/w", want: "https://malgil.example.com/console/w"},
		"below a path":      {publicURL: "https://example.com/malgil/", path: "/console/w", want: "https://example.com/malgil/console/w"},
		"loopback":          {publicURL: "http://127.0.0.1:8080", path: "/w", want: "http://127.0.0.1:8080/w"},
		"no scheme":         {publicURL: "malgil.example.com", path: "/w", wantKind: fault.Invalid},
		"script":            {publicURL: "javascript:alert(1)", path: "/w", wantKind: fault.Invalid},
		"path of elsewhere": {publicURL: "https://malgil.example.com", path: ".evil.example/w", wantKind: fault.Invalid},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			mail, err := templates.Render(notice.TopUp{WalletName: "한빛서점", PaidAt: midnight, Path: tt.path}, tt.publicURL, "")
			if tt.want == "" {
				if err == nil || fault.KindOf(err) != tt.wantKind {
					t.Fatalf("Render(%q, %q) error = %v, want kind %v", tt.publicURL, tt.path, err, tt.wantKind)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(mail.HTML, `href="`+tt.want+`"`) || !strings.Contains(mail.Text, "\n"+tt.want+"\n") {
				t.Errorf("Render(%q, %q) does not link to %s in both parts:\n%s", tt.publicURL, tt.path, tt.want, mail.Text)
			}
		})
	}
}

// Where nothing serves the pages, a mail leads nowhere rather than astray.
func TestRender_withoutPages(t *testing.T) {
	for name, data := range mails {
		got, err := templates.Render(data, "", "")
		if err != nil {
			t.Fatalf("Render(%s) error = %v", name, err)
		}
		for _, part := range []string{"/console/", "href=", `class="button"`, "://"} {
			if strings.Contains(got.HTML, part) && part != "://" || strings.Contains(got.Text, part) {
				t.Errorf("Render(%s) without pages holds %q:\n%s", name, part, got.Text)
			}
		}
	}
}
