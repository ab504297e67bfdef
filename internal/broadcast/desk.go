package broadcast

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/malgil/malgil/internal/fault"
)

// Order asks for a broadcast.
type Order struct {
	BotID     string
	Side      Side // Live when empty
	Name      string
	Message   Message
	StartAt   time.Time // zero for at once
	IfPast    IfPast    // what is done about a StartAt that has passed
	ExpiresAt time.Time // zero for never
	OnDoubt   OnDoubt   // HoldDoubt when empty
	Purpose   Purpose   // Info when empty
	Caution   Caution
	RetryOf   ID // see [Desk.Retry]
	RetryFor  Missed
	TestOf    ID // see [Desk.Test]
	Personal  Personal
	Confirm   int    // how many people come with it, as in [Sealing]
	By        string // who orders it, as in [Sealing]
	asIs      bool   // nothing of the message or its people is filled in: it was before, or is a call of the Event API
}

// IfPast says what is done about a start that has passed.
type IfPast string

// RefusePast is what is done when nothing is said.
const (
	RefusePast IfPast = "refuse"
	SendNow    IfPast = "send_now"
)

// Request carries what makes a call repeatable: the same scope and key with the same body gets
// the first answer, another body is refused. The zero value is a call that may not be repeated.
type Request struct {
	Scope    string // who calls, such as a token's id
	Key      string // the caller's Idempotency-Key
	BodyHash []byte
}

// Orders keeps broadcasts and what their owners say of them.
type Orders interface {
	// CreateBroadcast stores an order and its chunks in one transaction and fills in the wallet of
	// its bot and what a message costs now. It is a Conflict when the bot may not send, whatever its
	// orders wait for, and with chunks when the number of their people has to be said, and said, 0 for nothing, is another.
	// A repeated request returns the broadcast that the first one made.
	CreateBroadcast(ctx context.Context, b Broadcast, chunks []Packed, said int, r Request) (created Broadcast, repeated bool, err error)
	// CreateAtOnce is CreateBroadcast for an order that may not wait, of one chunk: it is refused, with
	// everything that is in the way, unless its bot may send now and its wallet can pay for it.
	CreateAtOnce(ctx context.Context, b Broadcast, chunk Packed, r Request) (Broadcast, error)
	// RepeatedBroadcast returns the broadcast that an earlier call with the same request made.
	RepeatedBroadcast(ctx context.Context, r Request) (b Broadcast, repeated bool, err error)
	Broadcast(ctx context.Context, id ID) (Broadcast, error)
	// Seal ends the upload: uploading → running, and fixes what a message costs: the price that is
	// valid at that moment. Sealed again it changes nothing. See [Checks].
	Seal(ctx context.Context, id ID, o Sealing, now time.Time) (Broadcast, error)
	// Approve lets a broadcast go that waits for it: see [Broadcast.Approve].
	Approve(ctx context.Context, id ID, account string, now time.Time) (Broadcast, error)
	// Pause stops dispatch and recalls what is queued. Paused again it changes nothing.
	Pause(ctx context.Context, id ID, now time.Time) (Broadcast, error)
	// Resume goes on where Pause stopped, or behind a canary: see [Broadcast.Resume]. Resumed again it
	// changes nothing.
	Resume(ctx context.Context, id ID, now time.Time) (Broadcast, error)
	// Cancel ends a broadcast: queued chunks are recalled, planned ones are cancelled.
	Cancel(ctx context.Context, id ID, now time.Time) (Broadcast, error)
	Decider
}

// Desk takes orders for broadcasts. It is safe for concurrent use.
type Desk struct {
	orders  Orders
	uploads Uploads
	ended   EndedChunks

	audiences Audiences
	now       func() time.Time
	newID     func(prefix string) string
}

// NewDesk returns a desk.
func NewDesk(orders Orders, uploads Uploads, ended EndedChunks, audiences Audiences, now func() time.Time, newID func(prefix string) string) *Desk {
	return &Desk{orders: orders, uploads: uploads, ended: ended, audiences: audiences, now: now, newID: newID}
}

// Create stores an order; its recipients come with [Desk.Upload]. An order that breaks a rule is
// Invalid and names the field.
func (d *Desk) Create(ctx context.Context, o Order, r Request) (Broadcast, error) {
	return d.create(ctx, o, nil, r)
}

// create stores a checked order, sealed when it has people, or returns what an earlier call with
// the same request made: also when the order, once good, breaks a rule now because its start has
// passed.
func (d *Desk) create(ctx context.Context, o Order, people []Recipient, r Request) (Broadcast, error) {
	b, invalid := d.check(o)
	if invalid != nil {
		b, repeated, err := d.orders.RepeatedBroadcast(ctx, r)
		switch {
		case err != nil:
			return Broadcast{}, fmt.Errorf("look for an earlier call: %w", err)
		case repeated:
			return b, nil
		}
		return Broadcast{}, invalid
	}
	var chunks []Packed
	if len(people) > 0 {
		packed, err := packAll(people, b.Caution.Canary.People)
		if err != nil {
			return Broadcast{}, err
		}
		chunks, b = packed.ready, b.sealedWith(packed.ready, packed.report, o.By)
	}
	created, _, err := d.orders.CreateBroadcast(ctx, b, chunks, o.Confirm, r)
	if err != nil {
		return Broadcast{}, fmt.Errorf("create broadcast: %w", err)
	}
	return created, nil
}

// Send stores an order with its recipients, sealed, in one transaction: one call for an audience
// that fits in a request. Repeating it with the same request is safe.
func (d *Desk) Send(ctx context.Context, o Order, people []Recipient, r Request) (Broadcast, error) {
	if len(people) == 0 {
		return Broadcast{}, fault.Field("recipients", "must name at least one person")
	}
	people, err := o.Personal.fillAll(people)
	if err != nil {
		return Broadcast{}, err
	}
	return d.create(ctx, o, people, r)
}

// check turns an order into a broadcast that may be stored.
func (d *Desk) check(o Order) (Broadcast, error) {
	now := d.now()
	if o.Side == "" {
		o.Side = Live
	}
	if o.StartAt.IsZero() {
		o.StartAt = now
	}
	if o.OnDoubt == "" {
		o.OnDoubt = HoldDoubt
	}
	if o.Purpose == "" {
		o.Purpose = Info
	}
	if o.IfPast == SendNow && o.StartAt.Before(now) {
		o.StartAt = now
	}
	caution, err := o.Caution.check()
	switch {
	case err != nil:
		return Broadcast{}, err
	case o.BotID == "" || !plain(o.BotID):
		return Broadcast{}, fault.Field("bot", "is missing; name the bot that speaks")
	case o.Side != Live && o.Side != Development:
		return Broadcast{}, fault.Field("channel", "must be live or development")
	case strings.TrimSpace(o.Message.Event) == "":
		return Broadcast{}, fault.Field("event.name", "is missing; use the event name set on the block")
	case utf8.RuneCountInString(o.Message.Event) > 100:
		return Broadcast{}, fault.Field("event.name", "must be at most 100 characters")
	case !plain(o.Message.Event):
		return Broadcast{}, fault.Field("event.name", "must be UTF-8 without control characters")
	case !plain(o.Name):
		return Broadcast{}, fault.Field("name", "must be UTF-8 without control characters")
	case utf8.RuneCountInString(o.Name) > 200:
		return Broadcast{}, fault.Field("name", "must be at most 200 characters")
	case o.StartAt.Before(now.Add(-time.Minute)):
		return Broadcast{}, fault.Field("start_at", "is in the past; leave it out to start at once, or say if_past: send_now")
	case o.IfPast != "" && o.IfPast != RefusePast && o.IfPast != SendNow:
		return Broadcast{}, fault.Field("if_past", "must be refuse or send_now")
	case o.Purpose != Info && o.Purpose != Ad:
		return Broadcast{}, fault.Field("purpose", "must be info or ad; advertising is ad")
	case o.OnDoubt != HoldDoubt && o.OnDoubt != AssumeSent:
		return Broadcast{}, fault.Field("on_doubt", "must be hold or assume_sent")
	case !o.ExpiresAt.IsZero() && !o.ExpiresAt.After(o.StartAt):
		return Broadcast{}, fault.Field("expires_at", "must be later than start_at")
	}
	if _, taken := o.Message.Params[ChunkParam]; taken {
		return Broadcast{}, fault.Field("params."+ChunkParam, "is reserved; choose another key")
	}
	if !o.asIs {
		if err := o.Personal.check(); err != nil {
			return Broadcast{}, err
		}
		if o.Message, err = o.Personal.message(o.Message); err != nil {
			return Broadcast{}, err
		}
	}
	return Broadcast{
		ID: ID(d.newID("brd")), BotID: o.BotID, Side: o.Side, Name: o.Name, Message: o.Message,
		State: Uploading, Wait: WaitUploading,
		StartAt: o.StartAt, ExpiresAt: o.ExpiresAt, CreatedAt: now, OnDoubt: o.OnDoubt, Purpose: o.Purpose, Caution: caution, RetryOf: o.RetryOf, RetryFor: o.RetryFor, TestOf: o.TestOf, Personal: o.Personal,
	}, nil
}

// plain reports whether a name can be stored and shown on one line.
func plain(name string) bool {
	return utf8.ValidString(name) && !strings.ContainsFunc(name, unicode.IsControl)
}

// Broadcast reads one broadcast. It is NotFound when there is none.
func (d *Desk) Broadcast(ctx context.Context, id ID) (Broadcast, error) {
	return d.orders.Broadcast(ctx, id)
}

// Seal ends the upload and lets the broadcast go out, or wait for a second person. It is a Conflict when nobody
// was uploaded, and with code CONFIRMATION_NEEDED when the number of people has to be said and is not, or is
// another.
func (d *Desk) Seal(ctx context.Context, id ID, o Sealing) (Broadcast, error) {
	return d.orders.Seal(ctx, id, o, d.now())
}

// Pause stops a broadcast; chunks that are already at Kakao's door still arrive.
func (d *Desk) Pause(ctx context.Context, id ID) (Broadcast, error) {
	return d.orders.Pause(ctx, id, d.now())
}

// Resume lets a paused broadcast go on exactly where it stopped, and one whose canary waits for a person
// go on behind it.
func (d *Desk) Resume(ctx context.Context, id ID) (Broadcast, error) {
	return d.orders.Resume(ctx, id, d.now())
}

// Cancel ends a broadcast for good. People who were not sent to yet count as skipped.
func (d *Desk) Cancel(ctx context.Context, id ID) (Broadcast, error) {
	return d.orders.Cancel(ctx, id, d.now())
}
