package broadcast

import (
	"context"
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/wallet"
)

// Finding is what a person found out about chunks that nobody else can tell of.
type Finding string

// The findings.
const (
	// FoundNotSent plans chunks again: they go out, and who got them after all gets them twice.
	FoundNotSent Finding = "not_sent"
	// FoundSent settles chunks as delivered to everybody, and has them paid.
	FoundSent Finding = "sent"
	// FoundNothing settles chunks as unknown; nobody pays, and nobody is sent to again.
	FoundNothing Finding = "release"
)

// MaxDecided is how many chunks one decision settles.
const MaxDecided = 1000

// Decision is what a person says of chunks in doubt, of parked ones, which only [FoundNotSent] takes, or of those
// that stay unconfirmed, which it does not take and which have to be named.
type Decision struct {
	Broadcast ID
	Chunks    []ChunkID // empty for all that are in doubt or, for FoundNotSent, parked
	Finding   Finding
	Note      string // how it was found out
	Confirm   int    // how many people are sent to again; 0 for nothing said: see [Checks.ConfirmAgain]
	At        time.Time
	Request   Request
}

// Decided is what a decision came to.
type Decided struct {
	Chunks   int        `json:"chunks"`
	People   int        `json:"people"`
	Captured wallet.KRW `json:"captured_krw"`
	More     bool       `json:"more"` // there are more of them, for another decision
	// Proven are chunks that are not sent again, because somebody answered to one of their messages, and
	// chunks that are settled by a correction, because a part of them was captured when their 72 hours
	// were over.
	Proven []ChunkID `json:"proven,omitempty"`
}

// Decider keeps what people decide.
type Decider interface {
	// DecideChunks does what a decision says in one transaction. A repeated request does nothing and
	// returns what the first one came to. It is NotFound when there is no such broadcast, and a Conflict
	// when a chunk that is named cannot be decided on so, and when the number of people has to be said and is
	// not, or is another.
	DecideChunks(ctx context.Context, d Decision) (Decided, error)
}

const maxNote = 300

// Decide does what a person found out about chunks.
func (d *Desk) Decide(ctx context.Context, o Decision) (Decided, error) {
	switch o.Finding {
	case FoundNotSent, FoundSent, FoundNothing:
	default:
		return Decided{}, fault.Field("finding", "must be not_sent, sent or release")
	}
	var err error
	if o.Note, err = fault.Line("note", o.Note, maxNote); err != nil {
		return Decided{}, err
	}
	if o.Note == "" {
		return Decided{}, fault.Field("note", "is missing; say how it was found out")
	}
	if len(o.Chunks) > MaxDecided {
		return Decided{}, fault.Field("chunks", "must be at most %d at a time", MaxDecided)
	}
	o.At = d.now()
	done, err := d.orders.DecideChunks(ctx, o)
	if err != nil {
		return Decided{}, fmt.Errorf("decide chunks of broadcast %s: %w", o.Broadcast, err)
	}
	return done, nil
}
