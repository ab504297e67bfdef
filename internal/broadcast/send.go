package broadcast

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/kakao"
)

// ChunkParam is the key in params under which a chunk's id travels: a skill call that carries it
// proves that Kakao accepted the chunk.
const ChunkParam = "malgil_chunk"

// recordTimeout bounds one try of writing down an outcome, also while shutting down.
const recordTimeout = 10 * time.Second

// Work is everything one request needs.
type Work struct {
	Chunk      Chunk
	Message    Message
	Side       Side
	Recipients []Recipient
	// Sifted says that people may have to be left out: they are looked through when it is claimed.
	Sifted   bool
	RestKey  string // Kakao REST API key of the bot, empty when it does not open
	Rate     int    // messages a second that the bot may send
	InFlight int    // requests at a time that the bot may have open
}

// Outcome is what became of one request.
type Outcome string

// The outcomes of a request.
const (
	Accepted       Outcome = "accepted"
	NotSent        Outcome = "not_sent"   // certainly: it may go again after a delay
	Refused        Outcome = "refused"    // Kakao will never take it
	BadConfig      Outcome = "config"     // Kakao does not accept the bot's key; nothing was sent
	ProviderEmpty  Outcome = "provider"   // Kakao's own balance is empty; nothing was sent
	OutcomeInDoubt Outcome = "in_doubt"   // it may have gone out
	Stale          Outcome = "not_taken"  // another run has it, it was recalled, or it came too late
	GivenBack      Outcome = "given_back" // planned again: the bot may not send now, or the process stops
)

// Verdict is how a request ended and what is kept of it.
type Verdict struct {
	Outcome Outcome
	TaskID  string        // when accepted
	Delay   time.Duration // when not sent: how long to wait, at least
	Reason  string        // for the operator; no keys, no people
}

// ChunkStore moves chunks through a request.
type ChunkStore interface {
	// ChunkWork reads a queued chunk of this epoch; ok is false when there is none to do.
	ChunkWork(ctx context.Context, id ChunkID, epoch int) (w Work, ok bool, err error)
	// ClaimChunk moves a chunk of this epoch from queued to sending until the lease ends, before
	// its send_by only. ok is false when it may not be sent (any more), and when its people have to be
	// sifted by now.
	ClaimChunk(ctx context.Context, id ChunkID, epoch int, now, lease time.Time) (ok bool, err error)
	// ClaimSome is ClaimChunk for a chunk whose people are sifted: it returns those who may be sent to. ok is
	// false too when that is nobody.
	ClaimSome(ctx context.Context, id ChunkID, epoch int, now, lease time.Time) (people []Recipient, ok bool, err error)
	// GiveBack plans a queued chunk of this epoch again, to be dispatched after a delay at the
	// earliest, for which its broadcast waits. It counts as no attempt. ok is false when it is not queued
	// under this epoch.
	GiveBack(ctx context.Context, id ChunkID, epoch int, why Wait, delay time.Duration, now time.Time) (ok bool, err error)
	// RecordSend writes an outcome for the epoch that was claimed. Acceptance is also taken for a
	// chunk that was given up as in doubt meanwhile. ok is false when the fence was lost.
	RecordSend(ctx context.Context, id ChunkID, epoch int, v Verdict, now time.Time) (ok bool, err error)
}

// Events is Kakao's Event API.
type Events interface {
	Send(ctx context.Context, r kakao.SendRequest) (kakao.SendReceipt, error)
}

// Limiter lets a bot's requests through at its rate, for all workers together, and more slowly or not
// at all for a while when Kakao says so or does not answer.
type Limiter interface {
	// Acquire waits a moment until a request for so many messages may start, and returns what ends
	// it, to be told whether it was made and with what error. It is Throttled, with a time to come back,
	// when it would have to wait longer: with code "kakao" when that is because of how requests ended.
	Acquire(ctx context.Context, bot string, messages, perSecond, inFlight int) (end func(made bool, err error), err error)
}

// SendMeter counts outcomes of requests.
type SendMeter interface {
	ChunkSent(outcome string, people int)
}

// Sender sends chunks. It is safe for concurrent use.
type Sender struct {
	chunks  ChunkStore
	events  Events
	limiter Limiter
	meter   SendMeter
	now     func() time.Time
	lease   time.Duration
}

// NewSender returns a sender. lease is how long a chunk stays in sending before it is given up
// as in doubt; it is at least twice the time limit of the Event API client.
func NewSender(chunks ChunkStore, events Events, limiter Limiter, meter SendMeter, lease time.Duration, now func() time.Time) *Sender {
	return &Sender{chunks: chunks, events: events, limiter: limiter, meter: meter, now: now, lease: lease}
}

// SendChunk sends a queued chunk in one request, at most once.
//
// It leaves alone a chunk that another run has taken, was recalled, or is of another epoch. The
// money was taken aside when the chunk was queued; the outcome decides what becomes of it. A chunk
// whose bot sends as much as it may is given back: a worker waits for no bot.
//
// begin is ctx, or a context of it that ends earlier: after that no request begins, and the chunk
// is given back for another process to send.
func (s *Sender) SendChunk(ctx, begin context.Context, id ChunkID, epoch int) error {
	work, ok, err := s.chunks.ChunkWork(ctx, id, epoch)
	if err != nil {
		return fmt.Errorf("prepare chunk %s: %w", id, err)
	}
	if !ok {
		s.meter.ChunkSent(string(Stale), 0)
		return nil
	}
	end, err := s.limiter.Acquire(begin, work.Chunk.BotID, work.Chunk.People, work.Rate, work.InFlight)
	switch {
	case begin.Err() != nil:
		if err == nil {
			end(false, nil)
		}
		return s.giveBack(ctx, id, epoch, NotWaiting, 0)
	case fault.KindOf(err) == fault.Throttled && fault.CodeOf(err) == string(WaitKakao):
		return s.giveBack(ctx, id, epoch, WaitKakao, fault.RetryAfter(err))
	case fault.KindOf(err) == fault.Throttled:
		return s.giveBack(ctx, id, epoch, WaitRate, fault.RetryAfter(err))
	case err != nil:
		return fmt.Errorf("wait for the rate of bot %s: %w", work.Chunk.BotID, err)
	}
	defer end(false, nil) // does nothing after a request

	// The lease is counted by the clock that the store is given, the patience by the machine's.
	claimedAt, leaseEnd := s.now(), time.Now().Add(s.lease)
	var claimed bool
	if !work.Sifted {
		claimed, err = s.chunks.ClaimChunk(ctx, id, epoch, claimedAt, claimedAt.Add(s.lease))
	}
	if err == nil && !claimed { // also where somebody has refused since it was read
		work.Recipients, claimed, err = s.chunks.ClaimSome(ctx, id, epoch, claimedAt, claimedAt.Add(s.lease))
	}
	if err != nil {
		return fmt.Errorf("claim chunk %s: %w", id, err)
	}
	if !claimed {
		s.meter.ChunkSent(string(Stale), 0)
		return nil
	}
	var verdict Verdict
	switch {
	case begin.Err() != nil:
		verdict = Verdict{Outcome: NotSent, Reason: "the process stopped before it was sent"}
	case !s.now().Before(claimedAt.Add(s.lease/2)) || !work.Chunk.SendBy.IsZero() && !s.now().Before(work.Chunk.SendBy): // half of it is for the request
		verdict = Verdict{Outcome: NotSent, Reason: "the database answered too late to send"}
	case work.RestKey == "":
		verdict = Verdict{Outcome: BadConfig, Reason: "the bot's REST API key does not open with MALGIL_SEAL_KEYS; set the key again"}
	default:
		receipt, err := s.events.Send(ctx, buildRequest(work))
		end(true, err)
		verdict = outcomeOf(receipt, err)
	}
	s.meter.ChunkSent(string(verdict.Outcome), len(work.Recipients))

	// The messages may be out: record that even while shutting down.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), max(time.Until(leaseEnd), recordTimeout))
	defer cancel()
	return s.record(ctx, id, epoch, verdict)
}

// giveBack plans a chunk again that may not be sent now, also while shutting down. One that cannot
// be given back stays queued, and its task is tried again.
func (s *Sender) giveBack(ctx context.Context, id ChunkID, epoch int, why Wait, delay time.Duration) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	ok, err := s.chunks.GiveBack(ctx, id, epoch, why, delay, s.now())
	switch {
	case err != nil:
		return fmt.Errorf("give chunk %s back: %w", id, err)
	case !ok:
		s.meter.ChunkSent(string(Stale), 0)
	default:
		s.meter.ChunkSent(string(GivenBack), 0)
	}
	return nil
}

// record writes an outcome down, again and again until ctx ends with the lease: after that the
// sweep has made the chunk in doubt, and only acceptance still changes it.
func (s *Sender) record(ctx context.Context, id ChunkID, epoch int, verdict Verdict) error {
	for try := 1; ; try++ {
		err := s.recordOnce(ctx, id, epoch, verdict)
		if err == nil {
			return nil
		}
		select {
		case <-time.After(min(time.Duration(try)*200*time.Millisecond, 2*time.Second)):
		case <-ctx.Done():
			return err
		}
	}
}

func (s *Sender) recordOnce(ctx context.Context, id ChunkID, epoch int, verdict Verdict) error {
	ctx, cancel := context.WithTimeout(ctx, recordTimeout)
	defer cancel()
	if _, err := s.chunks.RecordSend(ctx, id, epoch, verdict, s.now()); err != nil {
		return fmt.Errorf("record chunk %s as %s: %w", id, verdict.Outcome, err)
	}
	return nil
}

// buildRequest makes the one request of a chunk. The chunk's id travels in params.
func buildRequest(w Work) kakao.SendRequest {
	params := maps.Clone(w.Message.Params)
	if params == nil {
		params = make(map[string]any, 1)
	}
	params[ChunkParam] = string(w.Chunk.ID)
	request := kakao.SendRequest{
		BotID: w.Chunk.BotID, Development: w.Side == Development, RestKey: w.RestKey,
		Event:  kakao.Event{Name: w.Message.Event, Data: w.Message.Data},
		Params: params, Option: w.Message.Option,
	}
	for _, r := range w.Recipients {
		if r.Type == Room {
			request.Rooms = append(request.Rooms, kakao.EventRoom{Type: r.Type, ID: r.ID})
		} else {
			request.Users = append(request.Users, kakao.EventUser{Type: r.Type, ID: r.ID, Properties: r.Properties})
		}
	}
	return request
}

// outcomeOf turns an answer of the Event API client into what becomes of the chunk.
func outcomeOf(receipt kakao.SendReceipt, err error) Verdict {
	if err == nil {
		return Verdict{Outcome: Accepted, TaskID: receipt.TaskID}
	}
	verdict := Verdict{Outcome: OutcomeInDoubt, Reason: fault.MessageOf(err)}
	switch fault.KindOf(err) {
	case fault.Throttled, fault.Unavailable:
		verdict.Outcome, verdict.Delay = NotSent, fault.RetryAfter(err)
	case fault.Refused:
		switch fault.CodeOf(err) {
		case "config":
			verdict.Outcome = BadConfig
		case "provider":
			verdict.Outcome = ProviderEmpty
		default:
			verdict.Outcome = Refused
		}
	case fault.Invalid:
		verdict.Outcome = Refused
	case fault.InDoubt, fault.Internal, fault.NotFound, fault.Conflict, fault.Forbidden, fault.Unauthenticated:
	}
	return verdict
}
