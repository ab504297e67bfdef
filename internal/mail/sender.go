package mail

import (
	"bytes"
	"context"
	"crypto/tls"
	netmail "net/mail"
	"strings"
	"sync"
	"time"
	"unicode"

	gomail "github.com/wneessen/go-mail"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/notice"
)

const (
	// maxConns bounds the connections to the server; more letters wait for one. Public servers
	// begin to refuse at 10 to 20 from one address.
	maxConns = 4
	// maxLetters is how many letters go over one connection; many servers close after 100.
	maxLetters = 100
)

// Sender hands letters to one SMTP server over a few connections that it keeps for the next
// letter. It is safe for concurrent use. Close it at the end.
type Sender struct {
	config   Config
	tls      *tls.Config
	timeouts timeouts
	slots    chan struct{} // one for each connection that may be busy

	mu     sync.Mutex
	idle   []*conn
	closed bool
}

// New returns a sender. It connects when the first letter comes.
func New(config Config) *Sender {
	return newSender(config, defaultTimeouts)
}

func newSender(config Config, limits timeouts) *Sender {
	return &Sender{
		config:   config,
		tls:      &tls.Config{ServerName: config.Host, RootCAs: config.RootCAs, MinVersion: tls.VersionTLS12},
		timeouts: limits,
		slots:    make(chan struct{}, maxConns),
	}
}

// Send hands a letter to the server. nil means that the server took it.
//
//   - Refused: this receiver cannot get it, now or later (the server said 5xx to the receiver or
//     the letter, or the address is not one).
//   - Throttled: the server said 4xx.
//   - Unavailable: the server was not reached, broke off, or does not let us send: a wrong
//     password, a certificate that is not trusted, a sender or policy it does not accept.
//   - InDoubt: the letter was complete and no answer came. Sending again may deliver it twice,
//     under the same Message-ID.
//
// The message of an error says what the server said. Send gives up when ctx ends; without that,
// the longest wait is the ten minutes after the final dot.
func (s *Sender) Send(ctx context.Context, l notice.Letter) error {
	letter, to, err := s.compose(l)
	if err != nil {
		return err
	}
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return fault.Wrap(fault.Unavailable, ctx.Err(), "wait for a connection to the mail server")
	}
	defer func() { <-s.slots }()

	c, err := s.take(ctx)
	if err != nil {
		return s.unreachable(err)
	}
	stop := closeOnDone(ctx, c.raw)
	err = c.deliver(s.config.From, to, letter, s.timeouts)
	usable := c.usable(err, s.timeouts)
	if stop() && usable {
		s.put(c)
	} else {
		c.quit()
	}
	return classify(err)
}

// compose writes a letter as a message, and returns its receiver.
func (s *Sender) compose(l notice.Letter) (*gomail.Msg, netmail.Address, error) {
	to, err := netmail.ParseAddress(l.To.Address)
	if err != nil || !ascii(to.Address) {
		return nil, netmail.Address{}, fault.New(fault.Refused, "the receiver's address is not a mail address in ASCII")
	}
	to.Name = displayName(l.To.Name)
	from := s.config.From
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent(), gomail.WithEncoding(gomail.EncodingB64))
	msg.FromMailAddress(&from)
	msg.AddToMailAddress(to)
	msg.Subject(l.Mail.Subject)
	msg.SetDateWithValue(l.At)
	msg.SetMessageIDWithValue(l.ID + "@" + s.config.domain())
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: nobody's absence answers it
	if l.Mute != "" {
		// RFC 2369, and RFC 8058 for mail programs that do it in one click.
		msg.SetGenHeader("List-Unsubscribe", "<"+l.Mute+">")
		msg.SetGenHeader("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
	}
	msg.SetBodyString(gomail.TypeTextPlain, l.Mail.Text)
	msg.AddAlternativeString(gomail.TypeTextHTML, l.Mail.HTML)
	for _, f := range l.Mail.Files {
		err := msg.AttachReader(f.Name, bytes.NewReader(f.Body), gomail.WithFileContentType(gomail.ContentType(f.Type)))
		if err != nil {
			return nil, netmail.Address{}, fault.Wrap(fault.Internal, err, "attach %s", f.Name)
		}
	}
	return msg, *to, nil
}

// maxName is the most letters of a name before an address: it stands in one line of a header.
const maxName = 64

// displayName returns a name that somebody chose as it may stand before an address: one line, without
// what turns the reading direction, and without what a mail program would decode once more (RFC 2047).
func displayName(name string) string {
	name = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r) || r == '\u2028' || r == '\u2029':
			return ' '
		case unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, name) // what is no UTF-8 becomes U+FFFD
	letters := []rune(strings.ReplaceAll(strings.Join(strings.Fields(name), " "), "=?", "= ?"))
	return strings.TrimSpace(string(letters[:min(len(letters), maxName)]))
}

// take returns a connection that answers: one that was kept, or else a new one.
func (s *Sender) take(ctx context.Context) (*conn, error) {
	for {
		c := s.pop()
		if c == nil {
			return s.dial(ctx)
		}
		stop := closeOnDone(ctx, c.raw)
		alive := c.alive(s.timeouts)
		if stop() && alive {
			return c, nil
		}
		_ = c.raw.Close()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
}

func (s *Sender) pop() *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.idle) == 0 {
		return nil
	}
	c := s.idle[len(s.idle)-1]
	s.idle = s.idle[:len(s.idle)-1]
	c.expires.Stop()
	return c
}

// put keeps a connection for the next letter, for a while.
func (s *Sender) put(c *conn) {
	s.mu.Lock()
	keep := !s.closed && c.used < maxLetters
	if keep {
		c.expires = time.AfterFunc(s.timeouts.idle, func() { s.expire(c) })
		s.idle = append(s.idle, c)
	}
	s.mu.Unlock()
	if !keep {
		c.quit()
	}
}

func (s *Sender) expire(c *conn) {
	s.mu.Lock()
	found := false
	for i, other := range s.idle {
		if other == c {
			s.idle, found = append(s.idle[:i], s.idle[i+1:]...), true
			break
		}
	}
	s.mu.Unlock()
	if found {
		c.quit()
	}
}

// Close closes the kept connections. Letters on their way end first with their own result.
func (s *Sender) Close() {
	s.mu.Lock()
	idle := s.idle
	s.idle, s.closed = nil, true
	s.mu.Unlock()
	for _, c := range idle {
		c.expires.Stop()
		c.quit()
	}
}
