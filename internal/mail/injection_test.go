package mail

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	netmail "net/mail"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode"

	"golang.org/x/net/html"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/notice"
	"github.com/malgil/malgil/templates"
	"github.com/malgil/malgil/templates/sample"
)

// hostile are texts as people and their enemies write them, and how they are to be read.
var hostile = map[string]struct{ text, reads string }{
	"a header":            {"한빛\r\nBcc: x@y.example", "한빛 Bcc: x@y.example"},
	"a header and a body": {"a\r\nX-Evil: 1\r\n\r\n<b>body</b>\r\n.\r\nMAIL FROM:<x@y.example>", "a X-Evil: 1 <b>body</b> . MAIL FROM:<x@y.example>"},
	"a lone CR":           {"한빛\rBcc: x@y.example", "한빛 Bcc: x@y.example"},
	"a lone LF":           {"한빛\nBcc: x@y.example", "한빛 Bcc: x@y.example"},
	"a folded header":     {"한빛\r\n Bcc: x@y.example\r\n\tCc: z@y.example", "한빛 Bcc: x@y.example Cc: z@y.example"},
	"line separators":     {"한빛\u2028Bcc: x@y.example\u2029끝\u0085끝\v\f끝", "한빛 Bcc: x@y.example 끝 끝 끝"},
	"a NUL":               {"한빛\x00서점\x1b[31m", "한빛 서점 [31m"},
	"a bidi override":     {"\u202e점서빛한\u202c \u2066a\u061cbc\u2069\u200f", "점서빛한 abc"},
	"a script":            {`<script>alert(1)</script>`, `<script>alert(1)</script>`},
	"an image":            {`"><img src=x onerror=alert(1)>`, `"><img src=x onerror=alert(1)>`},
	"the end of a cell":   {`</td></tr></table></style><!-- <svg onload=alert(1)>`, `</td></tr></table></style><!-- <svg onload=alert(1)>`},
	"entities":            {`&lt;b&gt; &amp; &#60;i&#62; ' "`, `&lt;b&gt; &amp; &#60;i&#62; ' "`},
	"an address":          {`<a href="javascript:alert(1)">여기</a>`, `<a href="javascript:alert(1)">여기</a>`},
	"a template":          {`{{.}} {{template "layout"}} {{define "body"}}x{{end}}`, `{{.}} {{template "layout"}} {{define "body"}}x{{end}}`},
	"a variable":          {"${jndi:ldap://x.example} #{7*7} %s %n", "${jndi:ldap://x.example} #{7*7} %s %n"},
	"an encoded word":     {"=?utf-8?q?evil=0D=0ABcc:_x@y.example?=", "=?utf-8?q?evil=0D=0ABcc:_x@y.example?="},
	"an encoded word, b":  {"=?UTF-8?B?PHNjcmlwdD4=?= 한빛", "=?UTF-8?B?PHNjcmlwdD4=?= 한빛"},
	"an address list":     {`a@y.example>, "x" <b@y.example`, `a@y.example>, "x" <b@y.example`},
	"emoji":               {"한빛📚👩‍👩‍👧‍👦🇰🇷서점", "한빛📚👩‍👩‍👧‍👦🇰🇷서점"},
	"combining marks":     {"e\u0301\u0301\u0301가\u0301", "e\u0301\u0301\u0301가\u0301"},
	"broken UTF-8":        {"한빛\xff\xc3서점", "한빛\ufffd\ufffd서점"},
	"one long word":       {strings.Repeat("가나다라마바사", 200), strings.Repeat("가나다라마바사", 200)},
	"one long ASCII word": {strings.Repeat("abcdefghij", 150), strings.Repeat("abcdefghij", 150)},
	"10 kB":               {strings.TrimSpace(strings.Repeat("한빛 <b> ", 1000)), strings.TrimSpace(strings.Repeat("한빛 <b> ", 1000))},
	"10 kB of ASCII":      {strings.TrimSpace(strings.Repeat("word & ", 1500)), strings.TrimSpace(strings.Repeat("word & ", 1500))},
	"dots":                {".", "."},
}

// filled returns data with every text in it that people or others write replaced: its strings, in
// whatever it is made of. The page to open and the words that are an enumeration are ours.
func filled(t *testing.T, data notice.Data, text string) notice.Data {
	t.Helper()
	copied := reflect.New(reflect.TypeOf(data)).Elem()
	copied.Set(reflect.ValueOf(data))
	replaced := 0
	var fill func(v reflect.Value)
	fill = func(v reflect.Value) {
		switch {
		case v.Type() == reflect.TypeFor[string]():
			v.SetString(text)
			replaced++
		case v.Kind() == reflect.Slice:
			own := reflect.MakeSlice(v.Type(), v.Len(), v.Len()) // the sample keeps its own
			reflect.Copy(own, v)
			v.Set(own)
			for i := range v.Len() {
				fill(v.Index(i))
			}
		case v.Kind() == reflect.Struct:
			for i := range v.NumField() {
				if f := v.Type().Field(i); f.IsExported() && f.Name != "Path" {
					fill(v.Field(i))
				}
			}
		}
	}
	fill(copied)
	if replaced == 0 {
		t.Fatalf("no text of a %s mail was replaced", data.Case())
	}
	return copied.Interface().(notice.Data)
}

const pages = "https://malgil.example.com"

// Whatever people write, a letter has the headers that we set and no other, goes to one receiver, and
// says the same in both of its parts; what they wrote is text there and nothing else.
func TestSender_Send_whatPeopleWrite(t *testing.T) {
	var mu sync.Mutex
	var receivers []string
	server := startServer(t, Clear, func(s *server) {
		s.onRcpt = func(to string) error {
			mu.Lock()
			defer mu.Unlock()
			receivers = append(receivers, to)
			return nil
		}
	})
	sender := server.newSender(nil)
	for _, one := range sample.Mails() {
		l := letter
		if !one.Data.Case().CanMute() {
			l.Mute = ""
		}
		plain := filled(t, one.Data, "가나다")
		harmless, err := templates.Render(plain, pages, l.Mute)
		if err != nil {
			t.Fatal(err)
		}
		for name, written := range hostile {
			t.Run(one.Name+" with "+name, func(t *testing.T) {
				l := l
				l.To.Name = written.text
				if l.Mail, err = templates.Render(filled(t, one.Data, written.text), pages, l.Mute); err != nil {
					t.Fatal(err)
				}
				before := len(server.got())
				if err := sender.Send(t.Context(), l); err != nil {
					t.Fatalf("Send error = %v, want nil", err)
				}
				got := server.got()
				mu.Lock()
				to := receivers
				receivers = nil
				mu.Unlock()
				if len(got) != before+1 || !slices.Equal(to, []string{l.To.Address}) {
					t.Fatalf("the server got %d letters for %q, want one for %s", len(got)-before, to, l.To.Address)
				}
				checkHeaders(t, l, written.reads, got[before].body)
				text, page := partsOf(t, got[before].body)
				if text != l.Mail.Text || page != l.Mail.HTML {
					t.Errorf("the parts came as %.300q and %.300q, want them as they were sent", text, page)
				}
				checkWords(t, l, harmless, written.reads)
			})
		}
	}
}

// An address that is more than one, or more than an address, gets nothing.
func TestSender_Send_whatPeopleCallAnAddress(t *testing.T) {
	server := startServer(t, Clear, nil)
	sender := server.newSender(nil)
	for name, address := range map[string]string{
		"two":                  "a@hanbit.example, b@hanbit.example",
		"two in brackets":      "<a@hanbit.example>,<b@hanbit.example>",
		"a group":              "all:a@hanbit.example,b@hanbit.example;",
		"a header":             "a@hanbit.example\r\nBcc: b@hanbit.example",
		"a command":            "a@hanbit.example>\r\nRCPT TO:<b@hanbit.example",
		"a command in quotes":  "\"a\r\nRCPT TO:<b@hanbit.example>\"@hanbit.example",
		"a parameter":          "a@hanbit.example> NOTIFY=SUCCESS <b@hanbit.example",
		"a NUL":                "a\x00@hanbit.example",
		"letters of Korea":     "한빛@hanbit.example",
		"a host of Korea":      "a@한빛.example",
		"nothing":              "",
		"no host":              "a",
		"ten thousand letters": strings.Repeat("a", 10_000),
	} {
		l := letter
		l.To.Address = address
		if err := sender.Send(t.Context(), l); fault.KindOf(err) != fault.Refused {
			t.Errorf("Send to %s error = %v, want Refused", name, err)
		}
	}
	if got := server.got(); len(got) != 0 || server.opened() != 0 {
		t.Errorf("the server got %d letters over %d connections, want none", len(got), server.opened())
	}
}

// checkHeaders checks that a message has our headers, each once, and what they say.
func checkHeaders(t *testing.T, l notice.Letter, name string, body []byte) {
	t.Helper()
	for n, line := range bytes.Split(body[:bytes.Index(body, []byte("\r\n\r\n"))], []byte("\r\n")) {
		if len(line) > 998 || bytes.ContainsAny(line, "\r\n\x00") || slices.ContainsFunc(line, func(b byte) bool { return b >= 0x80 }) {
			t.Errorf("line %d of the header has %d bytes, or what is not ASCII (RFC 5322, 2.1.1): %.200q", n+1, len(line), line)
		}
	}
	msg, err := netmail.ReadMessage(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"Auto-Submitted", "Content-Type", "Date", "From", "List-Unsubscribe", "List-Unsubscribe-Post", "Message-Id", "Mime-Version", "Subject", "To"}
	if l.Mute == "" {
		want = slices.DeleteFunc(want, func(name string) bool { return strings.HasPrefix(name, "List-") })
	}
	if got := slices.Sorted(maps.Keys(msg.Header)); !slices.Equal(got, want) {
		t.Errorf("headers are %q, want %q", got, want)
	}
	for name, values := range msg.Header {
		if len(values) != 1 {
			t.Errorf("header %s comes %d times, want once: %q", name, len(values), values)
		}
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(msg.Header.Get("Subject"))
	if err != nil || subject != strings.ToValidUTF8(l.Mail.Subject, "\ufffd") || strings.ContainsFunc(subject, unicode.IsControl) {
		t.Errorf("Subject = %.300q, %v, want the one line %.300q", subject, err, l.Mail.Subject)
	}
	if strings.Contains(msg.Header.Get("Subject"), "evil") {
		t.Errorf("Subject = %q, want what looks like an encoded word encoded itself", msg.Header.Get("Subject"))
	}
	letters := []rune(strings.ReplaceAll(name, "=?", "= ?")) // or it would be decoded once more
	name = strings.TrimSpace(string(letters[:min(len(letters), 64)]))
	to, err := msg.Header.AddressList("To")
	if err != nil || len(to) != 1 || *to[0] != (netmail.Address{Name: name, Address: l.To.Address}) {
		t.Errorf("To = %.300q, %v, want %s alone under the name %q", msg.Header.Get("To"), err, l.To.Address, name)
	}
	decoded := msg.Header.Get("To")
	for range 3 {
		if decoded, err = new(mime.WordDecoder).DecodeHeader(decoded); err != nil || strings.ContainsFunc(decoded, breaks) {
			t.Errorf("To = %.300q decodes to %.300q, %v, want one line however often it is decoded", msg.Header.Get("To"), decoded, err)
		}
	}
	if id := msg.Header.Get("Message-Id"); id != "<"+l.ID+"@malgil.example.com>" {
		t.Errorf("Message-ID = %q, want that of %s", id, l.ID)
	}
	if mute := msg.Header.Get("List-Unsubscribe"); l.Mute != "" && mute != "<"+l.Mute+">" {
		t.Errorf("List-Unsubscribe = %q, want %q", mute, l.Mute)
	}
}

// breaks reports whether a letter begins another line or turns the reading direction.
func breaks(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r)
}

// partsOf returns the text and the page of a message, which has no other part.
func partsOf(t *testing.T, body []byte) (text, page string) {
	t.Helper()
	msg, err := netmail.ReadMessage(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	kind, params, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("Content-Type = %q, %v, want multipart/alternative", kind, err)
	}
	parts := multipart.NewReader(msg.Body, params["boundary"])
	for _, want := range []struct {
		kind string
		to   *string
	}{{"text/plain", &text}, {"text/html", &page}} {
		part, err := parts.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		if kind, _, err := mime.ParseMediaType(part.Header.Get("Content-Type")); err != nil || kind != want.kind || len(part.Header) != 2 {
			t.Errorf("a part has the headers %q, want %s and its encoding alone", part.Header, want.kind)
		}
		content, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, part))
		if err != nil {
			t.Fatal(err)
		}
		*want.to = string(content)
	}
	if _, err := parts.NextPart(); err != io.EOF {
		t.Errorf("after two parts: %v, want EOF", err)
	}
	return text, page
}

// checkWords compares a mail with one in whose place of hostile texts stands a harmless one: the page is
// made of the same elements, the text of the same lines, and both say what was written.
func checkWords(t *testing.T, l notice.Letter, harmless notice.Mail, reads string) {
	t.Helper()
	elements, shown := read(t, l.Mail.HTML)
	want, _ := read(t, harmless.HTML)
	if !slices.Equal(elements, want) {
		t.Errorf("the page is made of %d elements, the harmless one of %d; the first that differs is %s", len(elements), len(want), firstOther(elements, want))
	}
	if got, want := strings.Count(l.Mail.Text, "\n"), strings.Count(harmless.Text, "\n"); got != want {
		t.Errorf("the text has %d lines, want %d as without what was written:\n%.2000s", got, want, l.Mail.Text)
	}
	if strings.ContainsFunc(strings.ReplaceAll(l.Mail.Text, "\n", ""), breaks) || strings.ContainsFunc(strings.Join(shown, ""), breaks) {
		t.Error("a part holds what breaks a line or turns the reading direction")
	}
	text := strings.Join(strings.Fields(strings.ToValidUTF8(l.Mail.Text, "\ufffd")), " ")
	for _, one := range shown {
		if !strings.Contains(text, one) {
			t.Errorf("the page shows %.300q, and the text does not", one)
		}
	}
	all := strings.Join(shown, " ")
	for line := range strings.Lines(l.Mail.Text) {
		for _, word := range words(line) {
			if !strings.Contains(line, "https://") && !strings.Contains(all, word) {
				t.Errorf("the text says %.100q in %.300q, and the page does not", word, line)
			}
		}
	}
	if !strings.Contains(all, reads) || !strings.Contains(text, reads) {
		t.Errorf("what was written does not read %.300q:\n%.2000s", reads, l.Mail.Text)
	}
	if !strings.Contains(strings.ToValidUTF8(l.Mail.Subject, "\ufffd"), reads) {
		t.Errorf("Subject = %.300q, want %.300q in it", l.Mail.Subject, reads)
	}
}

// words are the words of a line without the marks of its layout.
func words(line string) []string {
	line = strings.TrimLeft(strings.TrimSpace(line), "■-0123456789. ")
	var kept []string
	for _, word := range strings.Fields(strings.ToValidUTF8(line, "\ufffd")) {
		if word = strings.Trim(word, "[]():,█▒▓░"); word != "" { // the last are what a bar is drawn with
			kept = append(kept, word)
		}
	}
	return kept
}

// read returns every tag of a page with its attributes, and the texts that it shows.
func read(t *testing.T, page string) (elements, shown []string) {
	t.Helper()
	z := html.NewTokenizer(strings.NewReader(page))
	hidden := 0 // tags in what is not shown
	for {
		switch kind := z.Next(); kind {
		case html.ErrorToken:
			if z.Err() != io.EOF {
				t.Fatal(z.Err())
			}
			return elements, shown
		case html.TextToken:
			if text := strings.Join(strings.Fields(html.UnescapeString(string(z.Raw()))), " "); text != "" && hidden == 0 {
				shown = append(shown, text)
			}
		default:
			token := z.Token()
			elements = append(elements, fmt.Sprintf("%v %s %v", token.Type, token.Data, token.Attr))
			if token.Data == "head" || token.Data == "div" {
				if kind == html.StartTagToken {
					hidden++
				} else {
					hidden--
				}
			}
		}
	}
}

func firstOther(got, want []string) string {
	for n := range min(len(got), len(want)) {
		if got[n] != want[n] {
			return fmt.Sprintf("%.300q, want %.300q", got[n], want[n])
		}
	}
	return "the end of one"
}
