package scenario

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/malgil/malgil/internal/fault"
)

// Bots finds a bot by its id, without the development mark. It is NotFound when there is none.
type Bots interface {
	// Head returns what may change of it at any time.
	Head(ctx context.Context, id string) (Head, error)
	// Bot returns one of its sides, [Live] or [Development]. A side that runs no version says nothing.
	Bot(ctx context.Context, id, side string) (Bot, error)
}

// Visit is what is known of a user who speaks.
type Visit struct {
	First bool // they had never spoken to the bot before, on either side, when this was said
	State State
}

// Users remembers who has spoken to a bot, apart from the log of utterances.
type Users interface {
	// Visit remembers a user of a bot and returns what is known of them on one of its sides. Of several
	// calls at once for one new user, those of one time say that they are: an utterance may be answered twice.
	Visit(ctx context.Context, botID, side string, userHash []byte, at time.Time) (Visit, error)
	// Keep replaces the state of a user who has visited.
	Keep(ctx context.Context, botID, side string, userHash []byte, state State) error
	// RecordEvidence keeps that a chunk's message arrived, once per user. Evidence for a chunk
	// that is not of the bot is ignored.
	RecordEvidence(ctx context.Context, e Evidence) error
}

// userTime is what asking about a user may cost of an answer's time, and what remembering may.
const userTime = 300 * time.Millisecond

// Service answers utterances for every edge. It is safe for concurrent use.
type Service struct {
	bots  Bots
	users Users
	key   []byte

	backend Backend
}

// NewService returns a service that calls no skill server; see [Service.WithBackend]. The
// installation key hides user keys; see [UserHash].
func NewService(bots Bots, users Users, installationKey []byte) *Service {
	return &Service{bots: bots, users: users, key: installationKey}
}

// WithBackend has blocks with a webhook call their servers; without one they answer their fallback.
// Call it before the first use.
func (s *Service) WithBackend(backend Backend) *Service {
	s.backend = backend
	return s
}

// Answer answers a question as [Answer] does. It is NotFound when there is no such bot; a
// panic on the way comes back as an error.
func (s *Service) Answer(ctx context.Context, q Question) (reply Reply, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fault.New(fault.Internal, "answering panicked: %v\n%s", p, debug.Stack())
		}
	}()
	bot, err := s.bots.Bot(ctx, q.BotID, q.side())
	if err != nil {
		return Reply{}, fmt.Errorf("load bot %s: %w", q.BotID, err)
	}
	entry, userErr := s.entry(ctx, q)
	turn := decide(bot, q, entry)
	if !entry.Nobody && !turn.state.Equal(entry.State) { // before the answer: the user may be quick
		turn.state.By = q.ID
		userErr = s.keep(ctx, q, turn.state)
	}
	reply, err = turn.answer(ctx, s.backend)
	reply.UserErr = userErr
	return reply, err
}

// entry asks who speaks. A message that we sent is no entry of theirs, and says nothing of theirs.
func (s *Service) entry(ctx context.Context, q Question) (Entry, error) {
	user := UserHash(s.key, q.Request.UserKey())
	if user == nil || q.ChunkID() != "" {
		return Entry{Nobody: true}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, userTime)
	defer cancel()
	visit, err := s.users.Visit(ctx, q.BotID, q.side(), user, q.At)
	if err != nil {
		return Entry{Nobody: true}, fmt.Errorf("ask whether the user is new: %w", err)
	}
	return Entry{First: visit.First, State: visit.State}, nil
}

func (s *Service) keep(ctx context.Context, q Question, state State) error {
	ctx, cancel := context.WithTimeout(ctx, userTime)
	defer cancel()
	if err := s.users.Keep(ctx, q.BotID, q.side(), UserHash(s.key, q.Request.UserKey()), state); err != nil {
		return fmt.Errorf("remember where the user is: %w", err)
	}
	return nil
}

// Witness keeps the evidence that a question carries, if any. It is safe to repeat.
func (s *Service) Witness(ctx context.Context, q Question) error {
	user := UserHash(s.key, q.Request.UserKey())
	if q.ChunkID() == "" || user == nil {
		return nil
	}
	err := s.users.RecordEvidence(ctx, Evidence{BotID: q.BotID, ChunkID: q.ChunkID(), UserHash: user, At: q.At})
	if err != nil {
		return fmt.Errorf("record evidence for chunk %s: %w", q.ChunkID(), err)
	}
	return nil
}

// Utterance returns what is kept of a question and its reply.
func (s *Service) Utterance(q Question, reply Reply, outcome Outcome, budgetLeft time.Duration) Utterance {
	u := Utterance{
		ID: q.ID, BotID: q.BotID, Side: q.side(),
		UserHash: UserHash(s.key, q.Request.UserKey()),
		Asked:    stored(q.Request.Utterance, maxAsked), BlockID: reply.BlockID, Item: stored(reply.Item, maxAsked),
		Why: reply.Why, Score: reply.Score, Matches: matchesJSON(reply.Matches), Offered: reply.Handoff != "",
		Outcome: outcome, BudgetLeft: budgetLeft, At: q.At,
	}
	if reply.PlainUser {
		u.UserKey = stored(q.Request.UserKey(), maxUserKey)
	}
	return u
}
