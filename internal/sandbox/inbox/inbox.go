// Package inbox is a mail server that keeps what it is given: real SMTP over the wire, every
// receiver taken, faults on request.
package inbox

import (
	"bytes"
	"context"
	"io"
	"log"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/sandbox/answer"
	"github.com/malgil/malgil/internal/sandbox/trouble"
)

// Faults are the faults of the target "smtp": refuse is 550 for one receiver, throttle 451 for
// one receiver, error_before and error_after are 451 after the letter, which is kept by the
// latter only; stall keeps it and does not answer.
var Faults = map[string][]trouble.Kind{"smtp": append(append([]trouble.Kind{}, atReceiver...), atLetter...)}

var (
	atReceiver = []trouble.Kind{trouble.Refuse, trouble.Throttle}
	atLetter   = []trouble.Kind{trouble.ErrorBefore, trouble.ErrorAfter, trouble.CutBefore, trouble.CutAfter,
		trouble.StallBefore, trouble.Stall, trouble.Slow}
)

const (
	maxLetter  = 8 << 20
	idleLimit  = 5 * time.Minute
	stallLimit = 5 * time.Minute
)

// Inbox is the mail server. It is safe for concurrent use.
type Inbox struct {
	clock  *clock.Clock
	faults *trouble.Book
	server *smtp.Server
	ctx    context.Context
	stop   context.CancelFunc
	once   sync.Once
	closed error

	mu   sync.Mutex
	last int
	mail []Mail
	bell answer.Bell
}

// New returns an empty inbox that listens nowhere.
func New(c *clock.Clock, faults *trouble.Book) *Inbox {
	ctx, stop := context.WithCancel(context.Background())
	b := &Inbox{clock: c, faults: faults, ctx: ctx, stop: stop}
	b.server = smtp.NewServer(smtp.BackendFunc(func(conn *smtp.Conn) (smtp.Session, error) {
		return &session{inbox: b, conn: conn}, nil
	}))
	b.server.Domain = "sandbox.localhost"
	b.server.MaxMessageBytes = maxLetter
	b.server.MaxRecipients = 100
	b.server.ReadTimeout, b.server.WriteTimeout = idleLimit, idleLimit
	b.server.EnableSMTPUTF8 = true
	b.server.ErrorLog = log.New(io.Discard, "", 0) // it would tell of every client that leaves
	return b
}

// Serve takes letters on a listener until [Inbox.Close].
func (b *Inbox) Serve(l net.Listener) error { return b.server.Serve(l) }

// Close ends the server and every session. Closing twice does nothing more.
func (b *Inbox) Close() error {
	b.once.Do(func() {
		b.stop()
		b.closed = b.server.Close()
	})
	return b.closed
}

// keep takes a letter in for the receivers of its envelope.
func (b *Inbox) keep(from string, to []string, letter []byte) {
	parsed := parse(letter)
	parsed.EnvelopeFrom, parsed.To, parsed.At = from, to, b.clock.Now()
	b.mu.Lock()
	b.last++
	parsed.ID = strconv.Itoa(b.last)
	b.mail = append(b.mail, parsed)
	b.mu.Unlock()
	b.bell.Ring()
}

// session is one SMTP conversation.
type session struct {
	inbox *Inbox
	conn  *smtp.Conn
	from  string
	to    []string
}

func (s *session) Reset()        { s.from, s.to = "", nil }
func (s *session) Logout() error { return nil }

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.from = from
	return nil
}

var (
	errNoMailbox = &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such mailbox"}
	errLater     = &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "try again later"}
)

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	switch s.inbox.faults.Take("smtp", trouble.Subject{To: to}, atReceiver...).Kind {
	case trouble.Refuse:
		return errNoMailbox
	case trouble.Throttle:
		return errLater
	}
	s.to = append(s.to, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	letter, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	hit := s.fault()
	switch hit.Kind {
	case trouble.ErrorBefore:
		return errLater
	case trouble.CutBefore:
		return s.conn.Conn().Close()
	case trouble.StallBefore:
		hit.Wait(s.inbox.ctx, stallLimit)
		return s.conn.Conn().Close()
	}
	s.inbox.keep(s.from, s.to, bytes.Clone(letter))
	switch hit.Kind {
	case trouble.ErrorAfter:
		return errLater
	case trouble.CutAfter:
		return s.conn.Conn().Close()
	case trouble.Stall:
		hit.Wait(s.inbox.ctx, stallLimit)
		return s.conn.Conn().Close()
	case trouble.Slow:
		hit.Wait(s.inbox.ctx, time.Second)
	}
	return nil
}

// fault returns the fault that hits the letter for one of its receivers.
func (s *session) fault() trouble.Fault {
	for _, to := range s.to {
		if hit := s.inbox.faults.Take("smtp", trouble.Subject{To: to}, atLetter...); hit.Kind != "" {
			return hit
		}
	}
	return trouble.Fault{}
}

// Find returns the letters to an address whose subject holds a text; empty is any.
func (b *Inbox) Find(to, subject string) []Mail {
	b.mu.Lock()
	defer b.mu.Unlock()
	found := []Mail{}
	for _, m := range b.mail {
		if m.isTo(to) && strings.Contains(m.Subject, subject) {
			found = append(found, m)
		}
	}
	return found
}
