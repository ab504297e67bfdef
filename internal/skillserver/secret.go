package skillserver

import (
	"context"
	"sync"
	"time"

	"github.com/malgil/malgil/internal/bot"
	"github.com/malgil/malgil/internal/fault"
)

const (
	secretTTL  = 5 * time.Second // after which a bot's secrets are looked at again
	secretTime = time.Second     // one look
)

// secrets are those of bots, kept for a short time, and for as long as the database is away. They are
// safe for concurrent use.
type secrets struct {
	source Secrets
	opener Opener

	mu    sync.Mutex
	known map[string]knownSecret
}

type knownSecret struct {
	current, former string // "" for none
	formerUntil     time.Time
	looked          time.Time
}

// of returns what a bot's calls are signed with at a time: nothing, one secret, or the new one and the old.
func (s *secrets) of(ctx context.Context, botID string, now time.Time) ([]string, error) {
	s.mu.Lock()
	known, found := s.known[botID]
	s.mu.Unlock()
	if !found || time.Since(known.looked) >= secretTTL {
		fresh, err := s.look(ctx, botID)
		if err != nil && !found {
			return nil, err
		}
		if err == nil {
			known = fresh
		}
		known.looked = time.Now() // also of a look that failed: the database is not asked by every call
		s.mu.Lock()
		s.known[botID] = known
		s.mu.Unlock()
	}
	switch {
	case known.current == "":
		return nil, nil
	case known.former == "" || !now.Before(known.formerUntil):
		return []string{known.current}, nil
	}
	return []string{known.current, known.former}, nil
}

func (s *secrets) look(ctx context.Context, botID string) (known knownSecret, err error) {
	ctx, cancel := context.WithTimeout(ctx, secretTime)
	defer cancel()
	sealed, err := s.source.WebhookSecret(ctx, botID)
	if err != nil {
		return known, fault.Wrap(fault.Unavailable, err, "the database does not answer")
	}
	open := func(sealed []byte) (string, error) {
		if len(sealed) == 0 {
			return "", nil
		}
		plain, err := s.opener.Open(sealed, bot.WebhookSecretTable, botID)
		return string(plain), err
	}
	if known.current, err = open(sealed.Current); err != nil {
		return known, fault.Wrap(fault.Internal, err, "it does not open; see malgil doctor")
	}
	if known.former, err = open(sealed.Former); err != nil {
		return known, fault.Wrap(fault.Internal, err, "the one before it does not open; see malgil doctor")
	}
	known.formerUntil = sealed.FormerUntil()
	return known, nil
}
