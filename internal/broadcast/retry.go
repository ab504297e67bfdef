package broadcast

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/kakao"
)

// Missed is a part of those whom a broadcast did not reach.
type Missed struct {
	Failed     bool  `json:"failed,omitempty" doc:"People who failed"`
	ErrorTypes []int `json:"error_types,omitempty" doc:"Of those who failed, only people with one of Kakao's numbers, 0 for who has none; all, when left out"`
	Skipped    bool  `json:"skipped,omitempty" doc:"People who were not sent to, because it expired or was cancelled"`
}

// check returns what is wrong with a part, nil when nothing is.
func (m Missed) check() error {
	switch {
	case !m.Failed && len(m.ErrorTypes) > 0:
		return fault.Field("error_types", "are of those who failed; leave them out, or failed")
	case !m.Failed && !m.Skipped:
		return fault.Field("failed", "is false, and skipped too, so that nobody is left to send to")
	}
	return nil
}

// has reports whether somebody who was not reached is in the part.
func (m Missed) has(f kakao.SendFailure, skipped bool) bool {
	if skipped {
		return m.Skipped
	}
	return m.Failed && (len(m.ErrorTypes) == 0 || slices.Contains(m.ErrorTypes, f.ErrorType))
}

// overlaps reports whether somebody may be in both parts.
func (m Missed) overlaps(o Missed) bool {
	in := func(number int) bool { return slices.Contains(o.ErrorTypes, number) }
	return m.Skipped && o.Skipped ||
		m.Failed && o.Failed && (len(m.ErrorTypes) == 0 || len(o.ErrorTypes) == 0 || slices.ContainsFunc(m.ErrorTypes, in))
}

// Beside is a Conflict when a part may not be retried beside another retry of the same broadcast: it would be for the
// same people, or nobody knows yet for whom that one is.
func (m Missed) Beside(other Broadcast) error {
	switch {
	case m.overlaps(other.RetryFor):
		return fault.Coded(fault.Conflict, "RETRIED", "broadcast %s is retried by %s for some of these people; retry that one for those whom it did not reach, or ask for others: by error_types, or for the skipped alone", other.RetryOf, other.ID)
	case other.State == Uploading:
		return fault.Coded(fault.Conflict, "RETRIED", "broadcast %s is being retried by %s, which is not sealed; seal or cancel that one first", other.RetryOf, other.ID)
	}
	return nil
}

// RetryOrder asks for a broadcast to those whom another one did not reach.
type RetryOrder struct {
	Of ID
	Missed
	Name      string // that of the other, when empty
	StartAt   time.Time
	ExpiresAt time.Time
	Confirm   int    // how many people it has, as in [Sealing]
	By        string // who orders it, as in [Sealing]
}

// EndedChunks reads what became of chunks.
type EndedChunks interface {
	// EndedChunks lists chunks of a broadcast's audience in order, those after a seq, of which somebody was
	// not reached.
	EndedChunks(ctx context.Context, id ID, after, limit int) ([]PastChunk, error)
	// Retries lists the retries of a broadcast.
	Retries(ctx context.Context, id ID) ([]ID, error)
}

// Retry sends a broadcast's message once more, to those alone of whom it is certain that they did not
// get it: whom Kakao names, and whose request it refused. Who is unknown or in doubt is left out. It is a
// broadcast of its own, which names the other. Several may be retries of one broadcast when their parts do not
// overlap, and then each may be retried itself, so that nobody who got it gets it again. It is a Conflict while the
// other is not finished, when it is retried for some of these people already, when there is nobody to send to, and when
// the number of people has to be said and is not: then it stays open, until it is sealed or cancelled.
func (d *Desk) Retry(ctx context.Context, o RetryOrder, r Request) (Broadcast, error) {
	if b, repeated, err := d.orders.RepeatedBroadcast(ctx, r); err != nil || repeated && b.State != Uploading {
		return b, err // whatever has become of the other; one that was cut short goes on
	}
	if err := o.check(); err != nil {
		return Broadcast{}, err
	}
	of, err := d.orders.Broadcast(ctx, o.Of)
	if err != nil {
		return Broadcast{}, err
	}
	if of.FinishedAt.IsZero() {
		return Broadcast{}, fault.Coded(fault.Conflict, "NOT_FINISHED", "broadcast %s is not finished; wait until everyone has an outcome, or cancel it", o.Of)
	}
	order := Order{BotID: of.BotID, Side: of.Side, Name: of.Name, Message: of.Message, StartAt: o.StartAt, ExpiresAt: o.ExpiresAt,
		OnDoubt: of.OnDoubt, Purpose: of.Purpose, Caution: Caution{StopAbove: of.Caution.StopAbove}, RetryOf: of.ID, RetryFor: o.Missed, asIs: true}
	if o.Name != "" {
		order.Name = o.Name
	}
	missed := missedPeople{ctx: ctx, desk: d, order: o}
	look := missed
	look.taken = crowd{}                      // who is in another retry is refused as that
	if _, err := look.Next(); err == io.EOF { // nothing is made for nobody
		return Broadcast{}, nobodyToRetry(o.Of)
	} else if err != nil {
		return Broadcast{}, fmt.Errorf("look for people to retry: %w", err)
	}
	b, err := d.Create(ctx, order, r)
	if err != nil || b.State != Uploading {
		return b, err // a repeated call finds it sealed, unless the first one was cut short
	}
	missed.self = b.ID
	report, err := d.Upload(ctx, b.ID, &missed, UploadOptions{asIs: true})
	if err != nil {
		return b, err
	}
	if report.Audience == 0 { // all of them have come to be in other retries
		if _, err := d.Cancel(ctx, b.ID); err != nil {
			return b, err
		}
		return Broadcast{}, nobodyToRetry(o.Of)
	}
	return d.Seal(ctx, b.ID, Sealing{People: o.Confirm, By: o.By})
}

func nobodyToRetry(id ID) error {
	return fault.Coded(fault.Conflict, "NOBODY_TO_RETRY", "nobody of broadcast %s is known not to have got it, or none for that reason", id)
}

// missedPeople are the people whom a broadcast is known not to have reached, and who are in no other retry of it.
type missedPeople struct {
	ctx   context.Context
	desk  *Desk
	order RetryOrder
	self  ID // the retry that they are for

	taken crowd // by other retries; nil before they were looked at
	after int
	ready []Recipient
	line  int
	over  bool
}

const endedAtOnce = 100

// Next implements [Rows].
func (m *missedPeople) Next() (Recipient, error) {
	if err := m.begin(); err != nil {
		return Recipient{}, err
	}
	for len(m.ready) == 0 {
		if m.over {
			return Recipient{}, io.EOF
		}
		chunks, err := m.desk.ended.EndedChunks(m.ctx, m.order.Of, m.after, endedAtOnce)
		if err != nil {
			return Recipient{}, err
		}
		m.over = len(chunks) < endedAtOnce
		for _, c := range chunks {
			people, err := m.of(c)
			if err != nil {
				return Recipient{}, fmt.Errorf("read chunk %d of broadcast %s: %w", c.Seq, m.order.Of, err)
			}
			m.ready, m.after = append(m.ready, people...), c.Seq
		}
	}
	next := m.ready[0]
	m.ready, m.line = m.ready[1:], m.line+1
	return next, nil
}

// begin looks, once, at who is in other retries: a correction may have moved somebody from their parts into this one.
func (m *missedPeople) begin() error {
	if m.taken != nil {
		return nil
	}
	retries, err := m.desk.ended.Retries(m.ctx, m.order.Of)
	if err != nil {
		return err
	}
	m.taken = crowd{}
	for _, id := range retries {
		if id == m.self {
			continue
		}
		if err := m.desk.gather(m.ctx, id, m.taken, PastChunk.people); err != nil {
			return fmt.Errorf("read whom %s is for: %w", id, err)
		}
	}
	return nil
}

// Line implements [Rows]: it is the place in the retry.
func (m *missedPeople) Line() int { return m.line }

// of returns the people of a chunk who are sent to again.
func (m *missedPeople) of(c PastChunk) ([]Recipient, error) {
	all, err := c.people()
	if err != nil {
		return nil, err
	}
	missed := c.missed(all)
	skipped := c.State == Expired || c.State == ChunkCancelled
	var some []Recipient
	for i, person := range all {
		f, is := missed[i]
		if !is || !m.order.has(f, skipped) {
			continue
		}
		if _, taken := m.taken[keyOf(person)]; !taken {
			some = append(some, person)
		}
	}
	return some, nil
}
