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

// RetryOrder asks for a broadcast to those whom another one did not reach.
type RetryOrder struct {
	Of         ID
	Name       string // that of the other, when empty
	ErrorTypes []int  // only people who failed with one of Kakao's numbers; all who failed, when empty
	Skipped    bool   // people too who were not sent to, because it expired or was cancelled
	StartAt    time.Time
	ExpiresAt  time.Time
	By         string // who orders it, as in [Sealing]
}

// EndedChunks reads what became of chunks.
type EndedChunks interface {
	// EndedChunks lists chunks of a broadcast's audience in order, those after a seq, of which somebody was
	// not reached.
	EndedChunks(ctx context.Context, id ID, after, limit int) ([]PastChunk, error)
}

// Retry sends a broadcast's message once more, to those alone of whom it is certain that they did not
// get it: whom Kakao names, and whose request it refused. Who is unknown or in doubt is left out. It is a
// broadcast of its own, which names the other; each is retried once, and then its retry may be, so that
// nobody who got it gets it again. It is a Conflict while the other is not finished, when it is retried
// already, and when there is nobody to send to.
func (d *Desk) Retry(ctx context.Context, o RetryOrder, r Request) (Broadcast, error) {
	if b, repeated, err := d.orders.RepeatedBroadcast(ctx, r); err != nil || repeated && b.State != Uploading {
		return b, err // whatever has become of the other; one that was cut short goes on
	}
	of, err := d.orders.Broadcast(ctx, o.Of)
	if err != nil {
		return Broadcast{}, err
	}
	if of.FinishedAt.IsZero() {
		return Broadcast{}, fault.Coded(fault.Conflict, "NOT_FINISHED", "broadcast %s is not finished; wait until everyone has an outcome, or cancel it", o.Of)
	}
	order := Order{BotID: of.BotID, Side: of.Side, Name: of.Name, Message: of.Message, StartAt: o.StartAt, ExpiresAt: o.ExpiresAt,
		OnDoubt: of.OnDoubt, Purpose: of.Purpose, Caution: Caution{StopAbove: of.Caution.StopAbove}, RetryOf: of.ID, asIs: true}
	if o.Name != "" {
		order.Name = o.Name
	}
	missed := &missedPeople{ctx: ctx, chunks: d.ended, order: o}
	if _, err := missed.Next(); err == io.EOF { // nothing is made for nobody
		return Broadcast{}, fault.Coded(fault.Conflict, "NOBODY_TO_RETRY", "nobody of broadcast %s is known not to have got it, or none for that reason", o.Of)
	} else if err != nil {
		return Broadcast{}, fmt.Errorf("look for people to retry: %w", err)
	}
	b, err := d.Create(ctx, order, r)
	if err != nil || b.State != Uploading {
		return b, err // a repeated call finds it sealed, unless the first one was cut short
	}
	report, err := d.Upload(ctx, b.ID, &missedPeople{ctx: ctx, chunks: d.ended, order: o}, UploadOptions{asIs: true})
	if err != nil {
		return b, err
	}
	return d.Seal(ctx, b.ID, Sealing{People: report.Audience, By: o.By})
}

// missedPeople are the people whom a broadcast is known not to have reached.
type missedPeople struct {
	ctx    context.Context
	chunks EndedChunks
	order  RetryOrder

	after int
	ready []Recipient
	line  int
	over  bool
}

const endedAtOnce = 100

// Next implements [Rows].
func (m *missedPeople) Next() (Recipient, error) {
	for len(m.ready) == 0 {
		if m.over {
			return Recipient{}, io.EOF
		}
		chunks, err := m.chunks.EndedChunks(m.ctx, m.order.Of, m.after, endedAtOnce)
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
		if f, is := missed[i]; is && m.order.takes(f, skipped) {
			some = append(some, person)
		}
	}
	return some, nil
}

// takes reports whether the order is for somebody who was not reached.
func (o RetryOrder) takes(f kakao.SendFailure, skipped bool) bool {
	if skipped {
		return o.Skipped
	}
	return len(o.ErrorTypes) == 0 || slices.Contains(o.ErrorTypes, f.ErrorType)
}
