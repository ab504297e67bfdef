package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	netmail "net/mail"
	"net/textproto"
	"time"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"
)

// timeouts bound the steps of a delivery. A server that is busy with a mail after its final dot
// is waited for longest: leaving early would make it send the mail twice (RFC 5321 section
// 4.5.3.2 asks for 10 minutes there).
type timeouts struct {
	dial    time.Duration // connect, TLS, EHLO and sign in together
	command time.Duration
	content time.Duration
	dot     time.Duration
	idle    time.Duration // an unused connection is closed after this
}

var defaultTimeouts = timeouts{
	dial: 30 * time.Second, command: time.Minute, content: 3 * time.Minute, dot: 10 * time.Minute, idle: 30 * time.Second,
}

// conn is one signed-in connection, used by one delivery at a time.
type conn struct {
	raw     net.Conn
	smtp    *smtp.Client
	used    int // letters sent over it
	expires *time.Timer
}

// dial opens a connection and signs in.
func (s *Sender) dial(ctx context.Context) (*conn, error) {
	c := &conn{}
	stop := func() bool { return true }
	defer func() { stop() }()
	dialer := func(dialCtx context.Context, network, address string) (net.Conn, error) {
		raw, err := (&net.Dialer{}).DialContext(dialCtx, network, address)
		if err != nil {
			return nil, err
		}
		c.raw = raw
		// go-mail listens to ctx only until here; after that, closing is what ends a wait.
		stop = closeOnDone(ctx, raw)
		if s.config.Security != TLS {
			return raw, nil
		}
		secured := tls.Client(raw, s.tls)
		return secured, secured.HandshakeContext(dialCtx)
	}
	options := []gomail.Option{
		gomail.WithPort(s.config.Port),
		gomail.WithHELO(s.config.domain()),
		gomail.WithTimeout(s.timeouts.dial),
		gomail.WithTLSConfig(s.tls),
		gomail.WithDialContextFunc(dialer),
		gomail.WithoutSMTPUTF8(), // our addresses are ASCII, and not every next hop takes the extension
	}
	mechanisms := []gomail.SMTPAuthType{gomail.SMTPAuthSCRAMSHA256PLUS, gomail.SMTPAuthSCRAMSHA256,
		gomail.SMTPAuthPlain, gomail.SMTPAuthLogin, gomail.SMTPAuthCramMD5}
	switch s.config.Security {
	case STARTTLS:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	case TLS:
		options = append(options, gomail.WithSSL())
	case Clear:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
		mechanisms = []gomail.SMTPAuthType{gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthCramMD5,
			gomail.SMTPAuthPlainNoEnc, gomail.SMTPAuthLoginNoEnc}
	}
	if s.config.User != "" {
		options = append(options, gomail.WithOpportunisticSMTPAuth(mechanisms...),
			gomail.WithUsername(s.config.User), gomail.WithPassword(s.config.Password))
	}
	client, err := gomail.NewClient(s.config.Host, options...)
	if err != nil {
		return nil, err
	}
	c.smtp, err = client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		if c.raw != nil {
			_ = c.raw.Close()
		}
		return nil, err
	}
	return c, nil
}

// deliver runs one mail transaction.
func (c *conn) deliver(from, to netmail.Address, letter *gomail.Msg, limit timeouts) error {
	c.used++
	from.Name, to.Name = "", "" // String is then the address in brackets, quoted where it must be
	steps := []struct {
		step  step
		limit time.Duration
		run   func() error
	}{
		{stepMail, limit.command, func() error { return c.smtp.Mail(from.String()) }},
		{stepReceiver, limit.command, func() error { return c.smtp.Rcpt(to.String()) }},
	}
	for _, s := range steps {
		c.allow(s.limit)
		if err := s.run(); err != nil {
			return &deliveryError{step: s.step, err: err}
		}
	}
	c.allow(limit.command)
	body, err := c.smtp.Data()
	if err != nil {
		return &deliveryError{step: stepData, err: err}
	}
	c.allow(limit.content)
	if _, err := letter.WriteTo(body); err != nil {
		return &deliveryError{step: stepContent, err: err}
	}
	c.allow(limit.dot)
	if err := body.Close(); err != nil {
		return &deliveryError{step: stepDot, err: err}
	}
	return nil
}

// closeOnDone closes a connection when ctx ends, unless the returned function is called first.
func closeOnDone(ctx context.Context, raw net.Conn) (stop func() bool) {
	return context.AfterFunc(ctx, func() { _ = raw.Close() })
}

// usable tells whether the connection can carry another letter: after a success, or after the
// server has said no and forgotten the transaction.
func (c *conn) usable(after error, limit timeouts) bool {
	if after == nil {
		return true
	}
	var answer *textproto.Error
	if !errors.As(after, &answer) || answer.Code == 421 {
		return false
	}
	c.allow(limit.command)
	return c.smtp.Reset() == nil
}

// alive asks the server whether it still listens.
func (c *conn) alive(limit timeouts) bool {
	c.allow(limit.command)
	return c.smtp.Noop() == nil
}

// allow gives the next command this much time. A failed call shows in that command.
func (c *conn) allow(limit time.Duration) { _ = c.raw.SetDeadline(time.Now().Add(limit)) }

// quit says goodbye for at most a second and closes.
func (c *conn) quit() {
	c.allow(time.Second)
	_ = c.smtp.Quit()
	_ = c.raw.Close()
}
