// Package broadcast holds the rules of broadcasts: Event API messages to many people. One chunk
// of at most 100 recipients is one row, one task, one request, one hold and one posting.
package broadcast

import (
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/wallet"
)

// MaxPeople is how many recipients one Event API request takes (Kakao help centre, Event API).
const MaxPeople = 100

// ID identifies a broadcast.
type ID string

// ChunkID identifies a chunk: its broadcast and its place in it.
type ChunkID string

// NewChunkID returns the identifier of the chunk with a sequence number, counted from 1; an upload
// that replaces another goes on counting.
func NewChunkID(broadcast ID, seq int) ChunkID {
	return ChunkID(fmt.Sprintf("%s-%06d", broadcast, seq))
}

// Side is the channel of a bot that a broadcast goes out through.
type Side string

// The two sides of a bot. Event API messages are billed on both.
const (
	Live        Side = "live"        // 운영채널
	Development Side = "development" // 개발채널
)

// State is where a broadcast stands.
type State string

// The states of a broadcast.
const (
	Uploading State = "uploading" // recipients may still be replaced; nothing is sent
	Running   State = "running"   // sealed; its chunks go out when they may
	Paused    State = "paused"    // by a person, or by itself after refusals in a row
	Cancelled State = "cancelled" // nothing more is sent; what is on its way is still settled
	Finished  State = "finished"  // everyone is delivered, failed, unknown, skipped or in doubt
)

// OnDoubt says what becomes by itself of a chunk that nobody knows of whether it went out. The names are
// stored.
type OnDoubt string

// What becomes of doubts.
const (
	HoldDoubt  OnDoubt = "hold"        // its money is held for 72 hours, and a person may say what became of it
	AssumeSent OnDoubt = "assume_sent" // everybody counts as delivered and is paid for at once
)

// Purpose is what a broadcast is for. The words are stored.
type Purpose string

// The purposes of a broadcast.
const (
	Info Purpose = "info" // notices and alerts, at any time
	// Ad is advertising (영리목적의 광고성 정보): labelled, not at night, and not to who has refused it.
	Ad Purpose = "ad"
)

// LeftOut says why people of a broadcast were left out when it was their turn. The words are stored.
type LeftOut string

// Why people are left out.
const (
	OptedOut  LeftOut = "opted_out"  // they have refused such messages
	NoConsent LeftOut = "no_consent" // their bot asks for recorded consent to advertising, and there is none (any more)
	Capped    LeftOut = "capped"     // they have got as many messages of the bot as it writes to one person
)

// Wait says in one word why a broadcast does not move.
type Wait string

// The reasons for which a broadcast waits.
const (
	NotWaiting     Wait = ""
	WaitUploading  Wait = "uploading"
	WaitScheduled  Wait = "scheduled"
	WaitFunds      Wait = "funds"
	WaitDailyLimit Wait = "daily_limit"
	WaitRate       Wait = "rate"   // the bot sends as much as it may, until then
	WaitKakao      Wait = "kakao"  // Kakao asked for a pause, does not answer, or was not reached; tried again then
	WaitWindow     Wait = "window" // outside the hours of its bot, or advertising at night
	WaitCanary     Wait = "canary" // the first ones have no outcome yet, or their time is not over, or a person has to say
	WaitPaused     Wait = "paused"
	WaitApproval   Wait = "approval" // a second person has to approve what it costs
	WaitUnpaid     Wait = "unpaid"   // unpaid, or paid again and not reconnected yet
	WaitStopped    Wait = "stopped"  // its wallet was turned off or suspended
	// WaitDisconnected is a channel that an operator disconnected, or has not connected again.
	WaitDisconnected Wait = "disconnected"
	WaitConfig       Wait = "config"   // Kakao does not accept the bot's key
	WaitProvider     Wait = "provider" // Kakao's own balance is empty

	// WaitQueue is a queue that an operator paused. It is told of a broadcast that else would move, and stands
	// in no row.
	WaitQueue Wait = "queue"
)

// Waits are all reasons for which a broadcast waits of itself.
var Waits = []Wait{WaitUploading, WaitScheduled, WaitFunds, WaitDailyLimit, WaitRate, WaitKakao, WaitWindow, WaitCanary,
	WaitPaused, WaitApproval, WaitUnpaid, WaitStopped, WaitDisconnected, WaitConfig, WaitProvider}

// ChunkState is where a chunk stands.
type ChunkState string

// The states of a chunk. Money is held in queued, sending, sent and in_doubt, and only there.
const (
	Planned        ChunkState = "planned"
	Queued         ChunkState = "queued"
	Sending        ChunkState = "sending"
	Sent           ChunkState = "sent"     // accepted, Kakao's taskId known
	InDoubt        ChunkState = "in_doubt" // nobody knows whether it went out; never sent again by itself
	Settled        ChunkState = "settled"
	Rejected       ChunkState = "rejected"
	Expired        ChunkState = "expired"
	ChunkCancelled ChunkState = "cancelled"
	Parked         ChunkState = "parked" // its tasks were found dead three times
)

// Holds reports whether money is held for a chunk in this state.
func (s ChunkState) Holds() bool {
	switch s {
	case Queued, Sending, Sent, InDoubt:
		return true
	case Planned, Settled, Rejected, Expired, ChunkCancelled, Parked:
		return false
	}
	return false
}

// Final reports whether a chunk never leaves this state by itself.
func (s ChunkState) Final() bool {
	switch s {
	case Settled, Rejected, Expired, ChunkCancelled:
		return true
	case Planned, Queued, Sending, Sent, InDoubt, Parked:
		return false
	}
	return false
}

// Message is what a broadcast says: the event that fires a block, and what the block may read.
type Message struct {
	Event  string            // event name set on the block; must match exactly
	Data   map[string]string // reaches the block as {{#current.event.data.<key>}}
	Params map[string]any    // becomes userRequest.params of a skill call
	Option map[string]any    // switches that Kakao does not document, passed on as they are
}

// Broadcast is one order to send a message to an audience.
type Broadcast struct {
	ID       ID
	WalletID string
	BotID    string
	Side     Side
	Name     string
	Message  Message
	Personal Personal
	// Unreadable says why the stored message could not be read, which is then empty.
	Unreadable string
	Price      wallet.KRW // per delivered message, without VAT; fixed when it is sealed
	State      State
	Wait       Wait
	WaitUntil  time.Time // when the wait ends by itself, zero when that is not known
	LookAt     time.Time // dispatch leaves it alone until then while it waits for rate or kakao
	Note       string    // why it paused itself, or why a request was refused last
	OnDoubt    OnDoubt
	Purpose    Purpose
	Caution    Caution
	Watch      Watch
	RetryOf    ID // the broadcast whose missed people this one is for, or empty
	RetryFor   Missed
	TestOf     ID // the broadcast whose message this one shows a few people beforehand, or empty
	StartAt    time.Time
	ExpiresAt  time.Time // chunks not sent by then expire uncharged; zero for never
	Counts     Counts

	Chunks, PlannedChunks int
	Captured              wallet.KRW
	Refusals              int // refused requests in a row
	UploadEpoch           int // counts uploads; the latest may be under way
	UploadAfter           int // the latest upload numbers its chunks from here
	AudienceEpoch         int // the upload that its audience is from, 0 for none yet

	CreatedAt, SealedAt, StartedAt, FinishedAt time.Time

	SealedBy   string // account, or a token that stands for nobody; a schedule's: of who ordered that
	ApprovedBy string // the second person's account, empty where none was needed
	ApprovedAt time.Time
	// StayPaused says that somebody paused it while it waits for approval: approved, it is paused.
	StayPaused bool
}

// Counts counts people. Each of the audience ends in exactly one of the other five.
type Counts struct {
	Audience   int
	Duplicates int // left out of the audience: named twice in the upload
	BadRows    int // left out of the audience: skipped on request
	Excluded   int // left out of the audience: reached by an earlier broadcast
	Delivered  int
	Failed     int
	Unknown    int // Kakao counts them as failed and does not name them
	Skipped    int // expired, cancelled or left out
	InDoubt    int
}

// Done returns how many of the audience have an outcome.
func (c Counts) Done() int { return c.Delivered + c.Failed + c.Unknown + c.Skipped + c.InDoubt }

// Seal ends the upload of a broadcast: its chunks may go out from its start on.
func (b Broadcast) Seal(now time.Time) Broadcast {
	b.State, b.SealedAt, b.PlannedChunks = Running, now, b.Chunks
	b.Wait, b.WaitUntil = NotWaiting, time.Time{}
	if b.StartAt.After(now) {
		b.Wait, b.WaitUntil = WaitScheduled, b.StartAt
	}
	return b
}

// Finish ends a broadcast in which everyone has an outcome; a cancelled one keeps its state.
// Called on every change of the counts, it also takes back the end when somebody's outcome is
// open again: planned once more, or accepted after all.
func (b Broadcast) Finish(now time.Time) Broadcast {
	done := b.Counts.Done() == b.Counts.Audience
	switch {
	case done && b.FinishedAt.IsZero() && b.State != Uploading:
		b.FinishedAt, b.Wait, b.WaitUntil = now, NotWaiting, time.Time{}
		if b.State != Cancelled {
			b.State = Finished
		}
	case !done && !b.FinishedAt.IsZero():
		b.FinishedAt = time.Time{}
		if b.State == Finished {
			b.State = Running
		}
	}
	return b
}

// Chunk is a part of a broadcast that goes out in one request.
type Chunk struct {
	ID        ChunkID
	Broadcast ID
	WalletID  string
	BotID     string
	State     ChunkState
	Epoch     int // a fence: every dispatch and every re-queue raises it
	People    int
	Hold      wallet.KRW
	TaskID    string // Kakao's receipt
	Attempts  int
	SentAt    time.Time
	SendBy    time.Time
}

// Row points at a row that needs a task.
type Row struct {
	ID    string
	Epoch int
	Trace string // what its work belongs to, a traceparent of W3C Trace Context; or empty
}
