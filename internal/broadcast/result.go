package broadcast

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/kakao"
)

// Looked is a sent chunk whose result is to be looked up.
type Looked struct {
	Chunk      Chunk
	Recipients []byte // JSON array of [Recipient]
	RestKey    string // empty when it does not open
}

// Tally is how many people of a chunk ended how. The three sum to the chunk's people.
type Tally struct {
	Delivered int
	Failed    int // named by Kakao
	Unknown   int // counted by Kakao as failed, not named
}

// Reached returns how many people of a chunk got the message when so many are evident: their skill calls say that
// Kakao took it. That is not that they got it, so whom Kakao names as failed may be among them.
func (t Tally) Reached(people, evident int) int {
	return max(t.Delivered, min(evident, people)-t.Failed)
}

// Settlement is the end of a chunk that was sent.
type Settlement struct {
	Tally  Tally
	Missed []Recipient // who failed, where that is certain
	Result []byte      // Kakao's answer, raw JSON
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
	// SettleChunk captures what was delivered, releases the rest and ends a chunk, as SentChunk read it. ok is
	// false when another run has settled it, and then nothing is captured.
	SettleChunk(ctx context.Context, c Chunk, s Settlement, now time.Time) (ok bool, err error)
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
	end, complete := Settlement{}, false
	if err == nil {
		end, complete = Settle(answer, looked.Chunk.People, looked.Recipients)
	}
	if !complete {
		return r.chunks.PostponeResult(ctx, id, epoch, postpone(looked.Chunk, answer, err, now))
	}
	settled, err := r.chunks.SettleChunk(ctx, looked.Chunk, end, now)
	if err != nil {
		return fmt.Errorf("settle chunk %s: %w", id, err)
	}
	tally := end.Tally
	if settled {
		r.meter.Messages("delivered", tally.Delivered)
		r.meter.Messages("failed", tally.Failed)
		r.meter.Messages("unknown", tally.Unknown)
	}
	return nil
}

// Settle reads a result by its counts; recipients are the JSON array of the chunk's people. It is complete when every
// requested person is a success or a failure; counts that do not fit the chunk are never taken for complete. Who failed
// is named, once, and in the chunk; the others of the count are unknown, and so are all where the chunk cannot be read.
func Settle(a kakao.SendResult, people int, recipients []byte) (Settlement, bool) {
	if a.AllRequestCount != people || a.SuccessCount < 0 || a.FailCount < 0 || a.SuccessCount+a.FailCount != people {
		return Settlement{}, false
	}
	var all []Recipient
	if len(a.Failures) > 0 { // of most chunks nobody's name is needed
		_ = json.Unmarshal(recipients, &all) // the counts stand all the same
	}
	named := Named(a.Failures, all)
	failed := min(len(named), a.FailCount)
	end := Settlement{Tally: Tally{Delivered: a.SuccessCount, Failed: failed, Unknown: a.FailCount - failed}, Result: a.Raw}
	if failed == len(named) {
		for i := range named {
			end.Missed = append(end.Missed, all[i])
		}
	}
	return end, true
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
