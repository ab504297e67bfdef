package notice

import (
	"context"
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/fault"
)

const (
	// sendTimeout ends one delivery: the commands, and the ten minutes that a server may take
	// after the final dot (RFC 5321 section 4.5.3.2.6). The task of a mail lives for 15 minutes.
	sendTimeout = 13 * time.Minute
	// mailLease is how long a claimed mail is left to its worker.
	mailLease = 14 * time.Minute
	// recordTimeout bounds writing down an outcome, also while shutting down.
	recordTimeout = 10 * time.Second
	// maxReason bounds a stored reason in bytes.
	maxReason = 300
)

// MaxTries is how often a mail is tried before it is given up.
const MaxTries = len(retryDelays) + 1

// retryDelays are the pauses between the tries of a mail, over about a day.
var retryDelays = [...]time.Duration{
	time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour, 13 * time.Hour,
}

// State is where a mail stands. The names are stored.
type State string

// The states of a mail.
const (
	Waiting State = "waiting" // for its first or next try
	Sending State = "sending" // a worker has it until its lease ends
	Sent    State = "sent"    // the server took it
	Bounced State = "bounced" // the server refused its receiver for good
	Failed  State = "failed"  // every try failed
)

// Claim is a mail that this worker may send.
type Claim struct {
	ID       string
	Case     Case
	Data     []byte // as [Encode] wrote it
	To       Receiver
	Attempts int // tries before this one
}

// Result is the outcome of one try.
type Result struct {
	Case     Case  // of the mail
	State    State // Sent, Bounced, Failed, or Waiting until NextAt
	Attempts int
	NextAt   time.Time
	Reason   string // why it was not sent, for the operator; empty when it was
	Gone     bool   // nobody is at the address, for any mail
}

// Store keeps the mails.
type Store interface {
	// ClaimMail moves a mail of this epoch that waits, and whose time has come, to sending. ok is
	// false when there is nothing to claim.
	ClaimMail(ctx context.Context, id string, epoch int, now, leaseUntil time.Time) (c Claim, ok bool, err error)
	// RecordMail writes the outcome of a try and raises the epoch, unless the mail is not sending
	// in this epoch any more: then its lease was over and somebody else tries.
	RecordMail(ctx context.Context, id string, epoch int, at time.Time, r Result) error
}

// Mail is what a mail says, in both of its parts.
type Mail struct {
	Subject string
	HTML    string
	Text    string
	Files   []File // attached
}

// File is a document that is attached to a mail.
type File struct {
	Name string // such as "세금계산서-2026-11.pdf"
	Type string // media type
	Body []byte
}

// Letter is a mail on its way to one receiver. Its ID makes the Message-ID, the same on every try.
type Letter struct {
	ID   string
	To   Receiver
	At   time.Time
	Mail Mail
	Mute string // address at which its receiver mutes such mails, empty where he cannot
}

// CodeMailboxGone is the code of a refusal that says that nobody is at the receiver's address.
const CodeMailboxGone = "MAILBOX_GONE"

// Mailer hands a letter to a mail server. Refused means that this receiver can never get it, with
// [CodeMailboxGone] no other letter either; every other error may pass later. It gives up when ctx ends.
type Mailer interface {
	Send(ctx context.Context, l Letter) error
}

// Render writes the mail of a case. mute is the address at which its receiver mutes such mails,
// empty where he cannot.
type Render func(ctx context.Context, data Data, mute string) (Mail, error)

// Service sends the mails that events left in the store. It is safe for concurrent use.
type Service struct {
	store  Store
	mailer Mailer
	render Render
	mutes  MuteLinks
	now    func() time.Time
}

// New returns a service.
func New(store Store, mailer Mailer, render Render, mutes MuteLinks, now func() time.Time) *Service {
	return &Service{store: store, mailer: mailer, render: render, mutes: mutes, now: now}
}

// Send tries once to send a mail and records what came of it, which it returns. The result is
// zero when there was nothing to do: the mail was sent, taken by another worker, not yet due or
// of another epoch. A mail that could not be sent is a result, not an error; an error means that
// the store failed.
//
// A mail goes out at least once: a worker that dies before it records leaves a lease, and after
// that the mail is sent again with the same Message-ID.
func (s *Service) Send(ctx context.Context, id string, epoch int) (Result, error) {
	now := s.now()
	claim, ok, err := s.store.ClaimMail(ctx, id, epoch, now, now.Add(mailLease))
	if err != nil {
		return Result{}, fmt.Errorf("claim mail %s: %w", id, err)
	}
	if !ok {
		return Result{}, nil
	}
	sendErr := s.deliver(ctx, claim)
	at := s.now()
	result := outcome(claim, sendErr, at)
	if sendErr != nil && ctx.Err() != nil {
		// We are shutting down: the mail was not at fault, so the try does not count.
		result = Result{Case: claim.Case, State: Waiting, Attempts: claim.Attempts, NextAt: at, Reason: reason(sendErr)}
	}

	// The mail may be out: record that even while shutting down.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	if err := s.store.RecordMail(ctx, id, epoch, at, result); err != nil {
		return Result{}, fmt.Errorf("record mail %s as %s: %w", id, result.State, err)
	}
	return result, nil
}

func (s *Service) deliver(ctx context.Context, c Claim) error {
	data, err := Decode(c.Case, c.Data)
	if err != nil {
		return err
	}
	mute := s.mutes.Of(c.Case, c.ID)
	content, err := s.render(ctx, data, mute)
	if err != nil {
		return fmt.Errorf("render: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	return s.mailer.Send(ctx, Letter{ID: c.ID, To: c.To, At: s.now(), Mail: content, Mute: mute})
}

// outcome tells what becomes of a mail after a try. Only a refused receiver is final at once;
// a mail that cannot be rendered waits too, as a newer program may know how.
func outcome(c Claim, err error, at time.Time) Result {
	r := Result{Case: c.Case, State: Sent, Attempts: c.Attempts + 1}
	if err == nil {
		return r
	}
	r.Reason = reason(err)
	switch {
	case fault.KindOf(err) == fault.Refused:
		r.State, r.Gone = Bounced, fault.CodeOf(err) == CodeMailboxGone
	case r.Attempts >= MaxTries:
		r.State = Failed
	default:
		r.State, r.NextAt = Waiting, at.Add(retryDelays[c.Attempts])
	}
	return r
}

// reason returns an error as one stored line.
func reason(err error) string {
	text := err.Error()
	if len(text) > maxReason {
		cut := maxReason
		for cut > 0 && text[cut]&0xC0 == 0x80 { // not inside a letter
			cut--
		}
		text = text[:cut]
	}
	return text
}
