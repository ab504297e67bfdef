package webhook

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
)

const (
	// postTimeout ends one try. The task of a delivery lives for a minute.
	postTimeout = 15 * time.Second
	// lease is how long a claimed delivery is left to its worker.
	lease = 50 * time.Second
	// recordTimeout bounds writing down an outcome, also while shutting down.
	recordTimeout = 10 * time.Second
	// longestPause is how long a receiver may ask to be left alone.
	longestPause = time.Hour
)

// retryDelays are the pauses between the tries of a delivery, over about a day. A receiver that says no gets
// the first [triesRefused] tries only: what it will not take now it will hardly take tomorrow.
var retryDelays = [...]time.Duration{
	10 * time.Second, time.Minute, 5 * time.Minute, 30 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour, 13 * time.Hour,
}

// MaxTries is how often a delivery is tried before it is given up.
const MaxTries = len(retryDelays) + 1

const triesRefused = 5

// How many deliveries are under way at a time, queued ones among them. Programs that do not answer hold a worker for
// [postTimeout] each; those of one bot leave most workers to others.
const (
	PerHook = 4
	PerBot  = 8
)

// MaxOpen is how many deliveries of a webhook may wait. Beyond it those with the oldest news are given up.
const MaxOpen = 100_000

// State is where a delivery stands. The names are stored.
type State string

// The states of a delivery.
const (
	Waiting   State = "waiting" // for its first or next try
	Sending   State = "sending" // a worker has it until its lease ends
	Delivered State = "delivered"
	Failed    State = "failed" // given up
)

// Delivery is news on its way to one webhook.
type Delivery struct {
	ID, HookID string
	Event      Event
	Subject    string
	Body       []byte
	State      State
	Attempts   int
	NextAt     time.Time // of the next try, while it waits
	Status     int       // HTTP status of the last try, 0 for no answer
	Error      string    // why the last try failed
	CreatedAt  time.Time
	DoneAt     time.Time
}

// Claim is a delivery that this worker may make.
type Claim struct {
	ID, HookID, BotID string
	Event             Event
	URL               string
	Sealed            []byte // the secret of the webhook
	Body              []byte
	Attempts          int // tries before this one
}

// Result is the outcome of one try.
type Result struct {
	Event    Event
	State    State // Delivered, Failed, or Waiting until NextAt
	Attempts int
	NextAt   time.Time
	Status   int
	Reason   string // why it was not delivered
}

// Post is one request to a webhook.
type Post struct {
	URL    string
	Header map[string]string
	Body   []byte
}

// Poster posts to addresses of strangers. It follows no redirect, and calls public addresses only.
type Poster interface {
	// Post returns the status of the answer. Refused means that the address may not be called; RetryAfter
	// of the error of a status that is not 2xx is when the receiver asked to come back.
	Post(ctx context.Context, p Post) (status int, err error)
}

// Outbox keeps deliveries.
type Outbox interface {
	// ClaimDelivery moves a delivery of this epoch that waits, and whose time has come, to sending. ok is false
	// when there is nothing to claim.
	ClaimDelivery(ctx context.Context, id string, epoch int, now, leaseUntil time.Time) (c Claim, ok bool, err error)
	// RecordDelivery writes the outcome of a try and raises the epoch, unless the delivery is not sending in
	// this epoch any more.
	RecordDelivery(ctx context.Context, id string, epoch int, at time.Time, r Result) error
	// StampNext marks the deliveries of a bot that may get tasks now, within [PerHook] and [PerBot].
	StampNext(ctx context.Context, botID string, now time.Time) ([]broadcast.Row, error)
}

// Opener opens what a [Sealer] sealed.
type Opener interface {
	Open(sealed []byte, table, id string) ([]byte, error)
}

// Deliverer makes deliveries that changes left in the store. It is safe for concurrent use.
type Deliverer struct {
	outbox Outbox
	poster Poster
	opener Opener
	now    func() time.Time
}

// NewDeliverer returns a deliverer.
func NewDeliverer(outbox Outbox, poster Poster, opener Opener, now func() time.Time) *Deliverer {
	return &Deliverer{outbox: outbox, poster: poster, opener: opener, now: now}
}

// Deliver tries once and records what came of it, which it returns with the deliveries of the same bot that may be
// made next: the caller enqueues them. The result is zero when there was nothing
// to do: it was delivered, taken by another worker, not yet due or of another epoch. What could not be
// delivered is a result, not an error; an error means that the store failed, perhaps after the result was recorded.
//
// News arrives at least once: a worker that dies before it records leaves a lease, and after that it is
// posted again with the same id.
func (d *Deliverer) Deliver(ctx context.Context, id string, epoch int) (r Result, next []broadcast.Row, err error) {
	now := d.now()
	claim, ok, err := d.outbox.ClaimDelivery(ctx, id, epoch, now, now.Add(lease))
	if err != nil {
		return Result{}, nil, fmt.Errorf("claim delivery %s: %w", id, err)
	}
	if !ok {
		return Result{}, nil, nil
	}
	status, postErr := d.post(ctx, claim, now)
	at := d.now()
	stopping := ctx.Err() != nil
	r = outcome(claim, status, postErr, at)
	if postErr != nil && stopping {
		// We are shutting down: the receiver was not at fault, so the try does not count.
		r = Result{Event: claim.Event, State: Waiting, Attempts: claim.Attempts, NextAt: at, Reason: cut(fault.MessageOf(postErr))}
	}

	// It may have arrived: record that even while shutting down.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	if err := d.outbox.RecordDelivery(ctx, id, epoch, at, r); err != nil {
		return Result{}, nil, fmt.Errorf("record delivery %s as %s: %w", id, r.State, err)
	}
	if stopping {
		return r, nil, nil // the next is for those who go on
	}
	if next, err = d.outbox.StampNext(ctx, claim.BotID, at); err != nil {
		return r, nil, fmt.Errorf("look for what is next after delivery %s: %w", id, err)
	}
	return r, next, nil
}

func (d *Deliverer) post(ctx context.Context, c Claim, now time.Time) (status int, err error) {
	secret, err := d.opener.Open(c.Sealed, Table, c.HookID)
	if err != nil {
		return 0, fault.Wrap(fault.Internal, err, "the secret of the webhook does not open; see malgil doctor")
	}
	timestamp := strconv.FormatInt(now.Unix(), 10)
	ctx, cancel := context.WithTimeout(ctx, postTimeout)
	defer cancel()
	return d.poster.Post(ctx, Post{URL: c.URL, Body: c.Body, Header: map[string]string{
		"Content-Type": "application/json",
		HeaderID:       c.ID, HeaderEvent: string(c.Event),
		HeaderTimestamp: timestamp, HeaderSignature: Sign(string(secret), timestamp, c.Body),
	}})
}

// gone is the status by which a receiver says that it wants nothing more (410 Gone).
const gone = 410

// outcome tells what becomes of a delivery after a try.
func outcome(c Claim, status int, err error, at time.Time) Result {
	r := Result{Event: c.Event, State: Delivered, Attempts: c.Attempts + 1, Status: status}
	if err == nil {
		return r
	}
	r.Reason = cut(fault.MessageOf(err)) // and nothing of its cause, which may quote the address
	tries := MaxTries
	if status >= 300 && status < 500 && status != 408 && status != 429 {
		tries = triesRefused
	}
	if r.Attempts >= tries || status == gone || fault.KindOf(err) == fault.Refused {
		r.State = Failed
		return r
	}
	r.State = Waiting
	r.NextAt = at.Add(max(retryDelays[c.Attempts], min(fault.RetryAfter(err), longestPause)))
	return r
}
