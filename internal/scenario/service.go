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
	Bot(ctx context.Context, id string) (Bot, error)
}

// Users remembers who has spoken to a bot, apart from the log of utterances.
type Users interface {
	// FirstSeen remembers a user and reports whether they were new. Of several calls at once
	// for one user, one answers true.
	FirstSeen(ctx context.Context, botID string, userHash []byte, at time.Time) (first bool, err error)
	// RecordEvidence keeps that a chunk's message arrived, once per user. Evidence for a chunk
	// that is not of the bot is ignored.
	RecordEvidence(ctx context.Context, e Evidence) error
}

// firstSeenTime is what asking whether a user is new may cost of an answer's time.
const firstSeenTime = 300 * time.Millisecond

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
	bot, err := s.bots.Bot(ctx, q.BotID)
	if err != nil {
		return Reply{}, fmt.Errorf("load bot %s: %w", q.BotID, err)
	}
	first, userErr := s.first(ctx, q)
	reply, err = Answer(ctx, bot, q, Entry{First: first}, s.backend)
	reply.UserErr = userErr
	return reply, err
}

// first reports whether the user enters for the first time. A message that we sent is no entry
// of theirs.
func (s *Service) first(ctx context.Context, q Question) (bool, error) {
	user := UserHash(s.key, q.Request.UserKey())
	if user == nil || q.ChunkID() != "" {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, firstSeenTime)
	defer cancel()
	first, err := s.users.FirstSeen(ctx, q.BotID, user, q.At)
	if err != nil {
		return false, fmt.Errorf("ask whether the user is new: %w", err)
	}
	return first, nil
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
	return Utterance{
		ID: q.ID, BotID: q.BotID, Side: q.side(),
		UserHash: UserHash(s.key, q.Request.UserKey()),
		Asked:    asked(q.Request.Utterance), BlockID: reply.BlockID,
		Outcome: outcome, BudgetLeft: budgetLeft, At: q.At,
	}
}
