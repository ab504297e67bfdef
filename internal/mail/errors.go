package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"os"
	"regexp"
	"strings"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/notice"
)

// step is where in a mail transaction something happened.
type step string

const (
	stepMail     step = "sender"
	stepReceiver step = "receiver"
	stepData     step = "start of the letter"
	stepContent  step = "letter"
	stepDot      step = "end of the letter"
)

type deliveryError struct {
	step step
	err  error
}

func (e *deliveryError) Error() string { return string(e.step) + ": " + e.err.Error() }
func (e *deliveryError) Unwrap() error { return e.err }

// policy matches the enhanced codes of RFC 3463 that speak of security and policy. They say that
// the server does not let us send, which is a setting to mend and not a mailbox that is gone.
var policy = regexp.MustCompile(`^5\.7\.\d+`)

// classify gives the outcome of a delivery its kind, as [Sender.Send] promises.
func classify(err error) error {
	if err == nil {
		return nil
	}
	var failed *deliveryError
	if !errors.As(err, &failed) {
		return fault.Wrap(fault.Unavailable, err, "send mail")
	}
	var answer *textproto.Error
	if !errors.As(err, &answer) {
		if failed.step == stepDot {
			return fault.Wrap(fault.InDoubt, cause(err), "the mail server did not answer after the %s", failed.step)
		}
		return fault.Wrap(fault.Unavailable, cause(err), "the mail server broke off at the %s", failed.step)
	}
	kind := fault.Unavailable
	switch {
	case answer.Code < 500:
		kind = fault.Throttled
	case failed.step != stepMail && !policy.MatchString(answer.Msg):
		kind = fault.Refused
	}
	if kind == fault.Refused && failed.step == stepReceiver && gone(answer) {
		return fault.Coded(kind, notice.CodeMailboxGone, "the mail server answered %s to the %s", said(answer), failed.step)
	}
	return fault.New(kind, "the mail server answered %s to the %s", said(answer), failed.step)
}

// enhanced matches the enhanced code of an answer, and mailbox those that speak of its address (RFC 3463).
var enhanced, mailbox = regexp.MustCompile(`^[245]\.\d+\.\d+`), regexp.MustCompile(`^5\.1\.\d+`)

// gone reports whether an answer says that nobody is at an address: one that is full or busy has an
// owner all the same.
func gone(answer *textproto.Error) bool {
	switch answer.Code {
	case 550, 551, 553:
		return mailbox.MatchString(answer.Msg) || !enhanced.MatchString(answer.Msg)
	}
	return false
}

// unreachable is the error for a connection that could not be opened.
func (s *Sender) unreachable(err error) error {
	var answer *textproto.Error
	if errors.As(err, &answer) {
		kind := fault.Unavailable
		if answer.Code < 500 {
			kind = fault.Throttled
		}
		return fault.New(kind, "the mail server %s did not let us in: %s", s.config.Host, said(answer))
	}
	return fault.Wrap(fault.Unavailable, cause(err), "the mail server %s could not be reached", s.config.Host)
}

// cause shortens errors of the network to what an operator can use.
func cause(err error) error {
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &certificate):
		return fmt.Errorf("its certificate is not trusted: %w", certificate.Err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return errors.New("no answer in time")
	case errors.Is(err, net.ErrClosed), errors.Is(err, context.Canceled):
		return errors.New("given up while waiting")
	}
	return err
}

// said returns an answer of a server as one line.
func said(answer *textproto.Error) string {
	text := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, answer.Msg)
	return fmt.Sprintf("%d %s", answer.Code, strings.Join(strings.Fields(text), " "))
}
