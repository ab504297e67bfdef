package broadcast

import (
	"context"
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/kakao"
)

// Looked is a sent chunk whose result is to be looked up.
type Looked struct {
	Chunk   Chunk
	RestKey string // empty when it does not open
}

// Tally is how many people of a chunk ended how. The three sum to the chunk's people.
type Tally struct {
	Delivered int
	Failed    int // named by Kakao
	Unknown   int // counted by Kakao as failed, not named
}

// Settlement is the end of a chunk that was sent.
type Settlement struct {
	Tally  Tally
	Result []byte // Kakao's answer, raw JSON
}

// Postponement keeps a chunk waiting for its result.
type Postponement struct {
	NextAt      time.Time
	Answered    bool   // Kakao answered, but the result is not complete
	Unconfirmed bool   // answered look-ups for 24 h: shown to the operator
	Result      []byte // the incomplete answer, or nil
	Reason      string // why there was no answer
}

// ResultStore keeps what became of sent chunks.
type ResultStore interface {
	// SentChunk reads a sent chunk of this epoch; ok is false when there is nothing to look up.
	SentChunk(ctx context.Context, id ChunkID, epoch int) (l Looked, ok bool, err error)
	// SettleChunk captures what was delivered, releases the rest and ends the chunk. ok is false
	// when another run has settled it, and then nothing is captured.
	SettleChunk(ctx context.Context, id ChunkID, epoch int, s Settlement, now time.Time) (ok bool, err error)
	// PostponeResult sets the next look-up.
	PostponeResult(ctx context.Context, id ChunkID, epoch int, p Postponement) error
}

// ResultEvents is the look-up side of Kakao's Event API.
type ResultEvents interface {
	Result(ctx context.Context, restKey, taskID string) (kakao.SendResult, error)
}

// ResultMeter counts what people got.
type ResultMeter interface {
	Messages(outcome string, people int)
}

// Results looks up what became of sent chunks. It is safe for concurrent use.
type Results struct {
	chunks ResultStore
	events ResultEvents
	meter  ResultMeter
	now    func() time.Time
}

// NewResults returns a service that looks up results.
func NewResults(chunks ResultStore, events ResultEvents, meter ResultMeter, now func() time.Time) *Results {
	return &Results{chunks: chunks, events: events, meter: meter, now: now}
}

// FetchResult looks a sent chunk up once: a complete result settles it, anything else sets the
// time of the next look-up. It leaves alone a chunk that is settled or of another epoch.
func (r *Results) FetchResult(ctx context.Context, id ChunkID, epoch int) error {
	looked, ok, err := r.chunks.SentChunk(ctx, id, epoch)
	if err != nil || !ok {
		return err
	}
	answer, err := r.events.Result(ctx, looked.RestKey, looked.Chunk.TaskID)
	now := r.now()
	tally, complete := Tally{}, false
	if err == nil {
		tally, complete = TallyOf(answer, looked.Chunk.People)
	}
	if !complete {
		return r.chunks.PostponeResult(ctx, id, epoch, postpone(looked.Chunk, answer, err, now))
	}
	settled, err := r.chunks.SettleChunk(ctx, id, epoch, Settlement{Tally: tally, Result: answer.Raw}, now)
	if err != nil {
		return fmt.Errorf("settle chunk %s: %w", id, err)
	}
	if settled {
		r.meter.Messages("delivered", tally.Delivered)
		r.meter.Messages("failed", tally.Failed)
		r.meter.Messages("unknown", tally.Unknown)
	}
	return nil
}

// TallyOf reads a result by its counts. It is complete when every requested person is a success
// or a failure; counts that do not fit the chunk are never taken for complete.
func TallyOf(a kakao.SendResult, people int) (Tally, bool) {
	if a.AllRequestCount != people || a.SuccessCount < 0 || a.FailCount < 0 || a.SuccessCount+a.FailCount != people {
		return Tally{}, false
	}
	named := min(len(a.Failures), a.FailCount)
	return Tally{Delivered: a.SuccessCount, Failed: named, Unknown: a.FailCount - named}, true
}

// lookups are the pauses between look-ups, counted from the one before; then hourly.
var lookups = []time.Duration{5 * time.Second, 15 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour}

// FirstLookup is the pause between a send and the first look-up: most results are there by then.
const FirstLookup = 2 * time.Second

const unconfirmedAfter = 24 * time.Hour

func postpone(c Chunk, answer kakao.SendResult, err error, now time.Time) Postponement {
	delay := lookups[min(c.Attempts, len(lookups)-1)]
	p := Postponement{NextAt: now.Add(delay)}
	if err != nil {
		p.NextAt = now.Add(max(delay, fault.RetryAfter(err)))
		p.Reason = fault.MessageOf(err)
		return p
	}
	p.Answered, p.Result = true, answer.Raw
	p.Unconfirmed = now.Sub(c.SentAt) >= unconfirmedAfter
	return p
}
