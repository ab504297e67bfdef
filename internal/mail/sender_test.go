package mail

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	netmail "net/mail"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/notice"
)

var letter = notice.Letter{
	ID: "mail_01JD9Z6Q3MV8C2W4XK5T7N9PAB",
	To: notice.Receiver{AccountID: "acc_1", Name: "김한빛", Address: "hanbit@example.com"},
	At: time.Date(2026, 11, 23, 15, 0, 3, 0, time.UTC),
	Mail: notice.Mail{
		Subject: "[말길] 자동결제 실패: 3개 카드 모두 승인되지 않았습니다 (한빛서점)",
		HTML:    "<p>결제하지 못한 금액</p>\n<p>550,000원</p>\n",
		Text:    "결제하지 못한 금액\n.\n550,000원\n",
	},
	Mute: "https://malgil.example.com/mute/mail_01JD9Z6Q3MV8C2W4XK5T7N9PAB/u-s4vjqQA_MD3scgkk8YZY1lD34Ud1VWGE1OCt4dbGY",
}

func TestSender_Send(t *testing.T) {
	for _, security := range []Security{Clear, STARTTLS, TLS} {
		t.Run(string(security), func(t *testing.T) {
			server := startServer(t, security, nil)
			if err := server.newSender(nil).Send(t.Context(), letter); err != nil {
				t.Fatalf("Send error = %v, want nil", err)
			}
			got := server.got()
			if len(got) != 1 {
				t.Fatalf("the server has %d letters, want 1", len(got))
			}
			if r := got[0]; r.from != "no-reply@malgil.example.com" || r.to != "hanbit@example.com" || r.user != "malgil" || r.encrypted != (security != Clear) {
				t.Errorf("envelope = from %q to %q as %q encrypted %v", r.from, r.to, r.user, r.encrypted)
			}
			checkMessage(t, got[0].body)
		})
	}
}

func checkMessage(t *testing.T, body []byte) {
	t.Helper()
	msg, err := netmail.ReadMessage(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	decode := func(name string) string {
		text, err := new(mime.WordDecoder).DecodeHeader(msg.Header.Get(name))
		if err != nil {
			t.Errorf("header %s = %q: %v", name, msg.Header.Get(name), err)
		}
		return text
	}
	for name, want := range map[string]string{
		"Subject":        letter.Mail.Subject,
		"From":           `"말길" <no-reply@malgil.example.com>`,
		"To":             `"김한빛" <hanbit@example.com>`,
		"Message-ID":     "<mail_01JD9Z6Q3MV8C2W4XK5T7N9PAB@malgil.example.com>",
		"Date":           "Mon, 23 Nov 2026 15:00:03 +0000",
		"Auto-Submitted": "auto-generated",

		"List-Unsubscribe":      "<" + letter.Mute + ">",
		"List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
	} {
		if got := decode(name); strings.ReplaceAll(got, `"`, "") != strings.ReplaceAll(want, `"`, "") {
			t.Errorf("header %s = %q, want %q", name, got, want)
		}
	}
	kind, params, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("Content-Type = %q, %v, want multipart/alternative", kind, err)
	}
	parts := multipart.NewReader(msg.Body, params["boundary"])
	for _, want := range []struct{ kind, body string }{
		{"text/plain", letter.Mail.Text}, {"text/html", letter.Mail.HTML}, // the best comes last (RFC 2046)
	} {
		part, err := parts.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		kind, _, _ := mime.ParseMediaType(part.Header.Get("Content-Type"))
		content, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, part))
		if err != nil {
			t.Fatal(err)
		}
		if kind != want.kind || string(content) != want.body {
			t.Errorf("part = %s %q, want %s %q", kind, content, want.kind, want.body)
		}
	}
	if _, err := parts.NextPart(); err != io.EOF {
		t.Errorf("after two parts: %v, want EOF", err)
	}
}

func answer(code int, enhanced smtp.EnhancedCode, text string) error {
	return &smtp.SMTPError{Code: code, EnhancedCode: enhanced, Message: text}
}

func TestSender_Send_refusals(t *testing.T) {
	tests := map[string]struct {
		security Security
		server   func(*server)
		config   func(*Config)
		letter   func(*notice.Letter)
		want     fault.Kind
		says     string
		code     string
	}{
		"mailbox unknown": {
			server: func(s *server) {
				s.onRcpt = func(string) error { return answer(550, smtp.EnhancedCode{5, 1, 1}, "no such user") }
			},
			want: fault.Refused, says: "550 5.1.1 no such user to the receiver", code: notice.CodeMailboxGone,
		},
		"mailbox unknown to an old server": {
			server: func(s *server) {
				s.onRcpt = func(string) error { return answer(550, smtp.NoEnhancedCode, "no such user") }
			},
			want: fault.Refused, says: "550 no such user to the receiver", code: notice.CodeMailboxGone,
		},
		"mailbox full": {
			server: func(s *server) {
				s.onRcpt = func(string) error { return answer(552, smtp.EnhancedCode{5, 2, 2}, "mailbox full") }
			},
			want: fault.Refused, says: "552 5.2.2 mailbox full",
		},
		"mailbox switched off for now": {
			server: func(s *server) {
				s.onRcpt = func(string) error { return answer(550, smtp.EnhancedCode{5, 2, 1}, "mailbox disabled") }
			},
			want: fault.Refused, says: "550 5.2.1 mailbox disabled",
		},
		"mailbox busy": {
			server: func(s *server) {
				s.onRcpt = func(string) error { return answer(450, smtp.EnhancedCode{4, 2, 1}, "greylisted") }
			},
			want: fault.Throttled, says: "450 4.2.1 greylisted",
		},
		"relaying denied is a setting": {
			server: func(s *server) {
				s.onRcpt = func(string) error { return answer(554, smtp.EnhancedCode{5, 7, 1}, "relay access denied") }
			},
			want: fault.Unavailable, says: "relay access denied",
		},
		"sender not accepted is a setting": {
			server: func(s *server) {
				s.onMail = func(string) error { return answer(553, smtp.EnhancedCode{5, 1, 8}, "who are you") }
			},
			want: fault.Unavailable, says: "553 5.1.8 who are you to the sender",
		},
		"letter refused for good": {
			server: func(s *server) {
				s.onData = func(*smtp.Conn, io.Reader) error { return answer(552, smtp.EnhancedCode{5, 2, 2}, "mailbox full") }
			},
			want: fault.Refused, says: "552 5.2.2 mailbox full",
		},
		"letter refused for now": {
			server: func(s *server) {
				s.onData = func(*smtp.Conn, io.Reader) error { return answer(451, smtp.EnhancedCode{4, 3, 0}, "try again") }
			},
			want: fault.Throttled, says: "451 4.3.0 try again",
		},
		"cut in the middle of the letter": {
			server: func(s *server) {
				s.onData = func(c *smtp.Conn, letter io.Reader) error {
					_, _ = io.ReadFull(letter, make([]byte, 10))
					_ = c.Conn().Close()
					return io.ErrUnexpectedEOF
				}
			},
			want: fault.InDoubt, says: "did not answer",
		},
		"cut after the final dot": {
			server: func(s *server) {
				s.onData = func(c *smtp.Conn, letter io.Reader) error {
					_, _ = io.Copy(io.Discard, letter)
					_ = c.Conn().Close()
					return io.ErrUnexpectedEOF
				}
			},
			want: fault.InDoubt, says: "did not answer",
		},
		"the server goes away": {
			server: func(s *server) {
				s.onMail = func(string) error { return answer(421, smtp.EnhancedCode{4, 3, 2}, "shutting down") }
			},
			want: fault.Throttled, says: "421 4.3.2 shutting down to the sender",
		},
		"wrong password": {
			security: STARTTLS,
			config:   func(c *Config) { c.Password = "correct horse" },
			want:     fault.Unavailable, says: "535",
		},
		"no STARTTLS offered": {
			server: nil,
			config: func(c *Config) { c.Security = STARTTLS },
			want:   fault.Unavailable, says: "does not support STARTTLS",
		},
		"certificate of a stranger": {
			security: TLS,
			config:   func(c *Config) { c.RootCAs = nil },
			want:     fault.Unavailable, says: "certificate is not trusted",
		},
		"certificate of a stranger after STARTTLS": {
			security: STARTTLS,
			config:   func(c *Config) { c.RootCAs = nil },
			want:     fault.Unavailable, says: "certificate is not trusted",
		},
		"nobody listens": {
			config: func(c *Config) { c.Port = 1 },
			want:   fault.Unavailable, says: "could not be reached",
		},
		"not an address": {
			letter: func(l *notice.Letter) { l.To.Address = "hanbit@example.com\r\nRCPT TO:<thief@example.com>" },
			want:   fault.Refused, says: "not a mail address",
		},
		"address outside ASCII": {
			letter: func(l *notice.Letter) { l.To.Address = "한빛@example.com" },
			want:   fault.Refused, says: "not a mail address",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			security := tt.security
			if security == "" {
				security = Clear
			}
			server := startServer(t, security, tt.server)
			if tt.config != nil {
				tt.config(&server.config)
			}
			l := letter
			if tt.letter != nil {
				tt.letter(&l)
			}
			err := server.newSender(nil).Send(t.Context(), l)
			if err == nil || fault.KindOf(err) != tt.want || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("Send error = %v (%v), want %v saying %q", err, fault.KindOf(err), tt.want, tt.says)
			}
			if code := fault.CodeOf(err); code != tt.code {
				t.Errorf("Send error = %v with code %q, want %q", err, code, tt.code)
			}
			if err != nil && (strings.Contains(err.Error(), server.config.Password) || strings.ContainsAny(err.Error(), "\r\n")) {
				t.Errorf("Send error = %q, want one line without the password", err)
			}
			if got := server.got(); len(got) != 0 {
				t.Errorf("the server kept %d letters, want none", len(got))
			}
		})
	}
}

// A subject cannot add a header, whatever it holds.
func TestSender_Send_subjectWithLines(t *testing.T) {
	server := startServer(t, Clear, nil)
	l := letter
	l.Mail.Subject = "hello\r\nBcc: thief@example.com\r\n\r\nbody"
	l.To.Name = "Kim\r\nBcc: thief@example.com"
	if err := server.newSender(nil).Send(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	msg, err := netmail.ReadMessage(bytes.NewReader(server.got()[0].body))
	if err != nil {
		t.Fatal(err)
	}
	if bcc := msg.Header.Get("Bcc"); bcc != "" {
		t.Errorf("Bcc = %q, want none", bcc)
	}
	if got := msg.Header.Get("Message-ID"); !strings.Contains(got, letter.ID) {
		t.Errorf("Message-ID = %q, want the letter's", got)
	}
}

// What is attached comes whole, under its name, beside both texts.
func TestSender_Send_files(t *testing.T) {
	server := startServer(t, STARTTLS, nil)
	l := letter
	document := bytes.Repeat([]byte("%PDF-1.7\r\n.\r\n\x00\xff"), 5_000)
	l.Mail.Files = []notice.File{{Name: "세금계산서-2026-11.pdf", Type: "application/pdf", Body: document}}
	if err := server.newSender(nil).Send(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	msg, err := netmail.ReadMessage(bytes.NewReader(server.got()[0].body))
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	var read func(kind string, header func(string) string, body io.Reader)
	read = func(kind string, header func(string) string, body io.Reader) {
		media, params, err := mime.ParseMediaType(kind)
		if err != nil {
			t.Fatalf("Content-Type %q: %v", kind, err)
		}
		kinds = append(kinds, media)
		if strings.HasPrefix(media, "multipart/") {
			parts := multipart.NewReader(body, params["boundary"])
			for {
				part, err := parts.NextPart()
				if err == io.EOF {
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				read(part.Header.Get("Content-Type"), part.Header.Get, part)
			}
		}
		if media != "application/pdf" {
			return
		}
		disposition, params, err := mime.ParseMediaType(header("Content-Disposition"))
		if err != nil {
			t.Fatalf("Content-Disposition %q: %v", header("Content-Disposition"), err)
		}
		name, err := new(mime.WordDecoder).DecodeHeader(params["filename"])
		if err != nil || disposition != "attachment" || name != "세금계산서-2026-11.pdf" {
			t.Errorf("attached as %s %q, %v, want an attachment of its name", disposition, name, err)
		}
		got, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, body))
		if err != nil || !bytes.Equal(got, document) {
			t.Errorf("the file has %d bytes, %v, want the %d of the document", len(got), err, len(document))
		}
	}
	read(msg.Header.Get("Content-Type"), msg.Header.Get, msg.Body)
	want := []string{"multipart/mixed", "multipart/alternative", "text/plain", "text/html", "application/pdf"}
	if !slices.Equal(kinds, want) {
		t.Errorf("the letter is made of %q, want %q", kinds, want)
	}
}

func TestSender_Send_keepsItsConnection(t *testing.T) {
	refuse := true
	server := startServer(t, Clear, func(s *server) {
		s.onRcpt = func(string) error {
			if refuse {
				refuse = false
				return answer(550, smtp.EnhancedCode{5, 1, 1}, "no such user")
			}
			return nil
		}
	})
	sender := server.newSender(nil)
	if err := sender.Send(t.Context(), letter); fault.KindOf(err) != fault.Refused {
		t.Fatalf("first Send error = %v, want Refused", err)
	}
	for range 3 {
		if err := sender.Send(t.Context(), letter); err != nil {
			t.Fatalf("Send after a refusal error = %v, want nil", err)
		}
	}
	if opened, got := server.opened(), len(server.got()); opened != 1 || got != 3 {
		t.Errorf("%d letters over %d connections, want 3 over 1", got, opened)
	}
	sender.Close()
	wait(t, server.left, "the connection to be closed by Close")
}

func TestSender_Send_afterTheServerHungUp(t *testing.T) {
	var last *smtp.Conn
	server := startServer(t, Clear, func(s *server) {
		s.onData = func(c *smtp.Conn, _ io.Reader) error { last = c; return nil }
	})
	sender := server.newSender(nil)
	if err := sender.Send(t.Context(), letter); err != nil {
		t.Fatal(err)
	}
	if err := last.Conn().Close(); err != nil {
		t.Fatal(err)
	}
	wait(t, server.left, "the server to hang up")
	if err := sender.Send(t.Context(), letter); err != nil {
		t.Fatalf("Send after the server hung up error = %v, want nil", err)
	}
	if opened, got := server.opened(), len(server.got()); opened != 2 || got != 2 {
		t.Errorf("%d letters over %d connections, want 2 over 2", got, opened)
	}
}

func TestSender_Send_closesIdleConnections(t *testing.T) {
	server := startServer(t, Clear, nil)
	sender := server.newSender(func(l *timeouts) { l.idle = time.Millisecond })
	if err := sender.Send(t.Context(), letter); err != nil {
		t.Fatal(err)
	}
	wait(t, server.left, "the idle connection to be closed")
}

func TestSender_Send_limitsItsConnections(t *testing.T) {
	arrived, release := make(chan struct{}, 100), make(chan struct{})
	server := startServer(t, Clear, func(s *server) {
		s.onData = func(*smtp.Conn, io.Reader) error {
			arrived <- struct{}{}
			<-release
			return nil
		}
	})
	sender := server.newSender(nil)
	const letters = 3 * maxConns
	errs := make(chan error, letters)
	var group sync.WaitGroup
	for range letters {
		group.Go(func() { errs <- sender.Send(t.Context(), letter) })
	}
	for range maxConns {
		wait(t, arrived, "a letter in transmission")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := sender.Send(ctx, letter); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("Send on a cancelled ctx with every connection busy error = %v, want Unavailable", err)
	}
	close(release)
	group.Wait()
	for range letters {
		if err := <-errs; err != nil {
			t.Errorf("Send error = %v, want nil", err)
		}
	}
	if server.peak != maxConns || server.opened() != maxConns {
		t.Errorf("%d letters at once over %d connections, want %d over %d", server.peak, server.opened(), maxConns, maxConns)
	}
}

func TestSender_Send_stalledServer(t *testing.T) {
	tests := map[string]struct {
		stallAt string
		limits  func(*timeouts)
		cancel  bool
		want    fault.Kind
		says    string
	}{
		"at the receiver":            {stallAt: "receiver", limits: func(l *timeouts) { l.command = 50 * time.Millisecond }, want: fault.Unavailable, says: "no answer in time"},
		"after the final dot":        {stallAt: "dot", limits: func(l *timeouts) { l.dot = 50 * time.Millisecond }, want: fault.InDoubt, says: "no answer in time"},
		"cancelled at the receiver":  {stallAt: "receiver", cancel: true, want: fault.Unavailable, says: "given up"},
		"cancelled after the dot":    {stallAt: "dot", cancel: true, want: fault.InDoubt, says: "given up"},
		"cancelled in the greeting":  {stallAt: "greeting", cancel: true, want: fault.Unavailable, says: "given up"},
		"too slow with its greeting": {stallAt: "greeting", limits: func(l *timeouts) { l.dial = 50 * time.Millisecond }, want: fault.Unavailable, says: "no answer in time"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			stalled, release := make(chan struct{}, 10), make(chan struct{})
			stall := func() { stalled <- struct{}{}; <-release }
			server := startServer(t, Clear, func(s *server) {
				switch tt.stallAt {
				case "receiver":
					s.onRcpt = func(string) error { stall(); return nil }
				case "dot":
					s.onData = func(_ *smtp.Conn, letter io.Reader) error {
						_, err := io.Copy(io.Discard, letter)
						stall()
						return err
					}
				}
			})
			t.Cleanup(func() { close(release) })
			if tt.stallAt == "greeting" {
				server.config.Port = silentPort(t, stalled)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if tt.cancel {
				go func() { <-stalled; cancel() }()
			}
			err := server.newSender(tt.limits).Send(ctx, letter)
			if fault.KindOf(err) != tt.want || !strings.Contains(fmt.Sprint(err), tt.says) {
				t.Errorf("Send error = %v (%v), want %v saying %q", err, fault.KindOf(err), tt.want, tt.says)
			}
		})
	}
}

func wait(t *testing.T, c <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(10 * time.Second):
		t.Fatalf("waited 10 s for %s", what)
	}
}
