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
	known map[string]*knownSecret
}

// knownSecret is the secrets of a bot, as they were last found.
type knownSecret struct {
	found  bool // once, at least
	values secretValues
	err    error         // of the last look
	looked time.Time     // end of it
	news   chan struct{} // closed when the look under way has ended; nil when none is
}

type secretValues struct {
	current, former string // "" for none
	formerUntil     time.Time
}

// of returns what a bot's calls are signed with at a time: nothing, one secret, or the new one and the old.
func (s *secrets) of(ctx context.Context, botID string, now time.Time) ([]string, error) {
	values, err := s.valuesOf(ctx, botID)
	switch {
	case err != nil || values.current == "":
		return nil, err
	case values.former == "" || !now.Before(values.formerUntil):
		return []string{values.current}, nil
	}
	return []string{values.current, values.former}, nil
}

// valuesOf waits for the look under way, if any: one serves all who ask.
func (s *secrets) valuesOf(ctx context.Context, botID string) (secretValues, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.known[botID]
	if known == nil {
		known = &knownSecret{}
		s.known[botID] = known
	}
	if known.news == nil && (!known.found || time.Since(known.looked) >= secretTTL) {
		known.news = make(chan struct{})
		go s.renew(context.WithoutCancel(ctx), botID, known)
	}
	if news := known.news; news != nil {
		s.mu.Unlock()
		select {
		case <-news:
		case <-ctx.Done():
		}
		s.mu.Lock()
	}
	switch {
	case known.found:
		return known.values, nil
	case known.err != nil:
		return secretValues{}, known.err
	}
	return secretValues{}, fault.Wrap(fault.Unavailable, ctx.Err(), "the database does not answer")
}

// renew looks once. After a look that failed the values stand, and the next look is as far away: the database is
// not asked by every call.
func (s *secrets) renew(ctx context.Context, botID string, known *knownSecret) {
	values, err := s.look(ctx, botID)
	s.mu.Lock()
	defer s.mu.Unlock()
	if known.err, known.looked = err, time.Now(); err == nil {
		known.values, known.found = values, true
	}
	close(known.news)
	known.news = nil
}

func (s *secrets) look(ctx context.Context, botID string) (values secretValues, err error) {
	ctx, cancel := context.WithTimeout(ctx, secretTime)
	defer cancel()
	sealed, err := s.source.WebhookSecret(ctx, botID)
	if err != nil {
		return values, fault.Wrap(fault.Unavailable, err, "the database does not answer")
	}
	open := func(sealed []byte) (string, error) {
		if len(sealed) == 0 {
			return "", nil
		}
		plain, err := s.opener.Open(sealed, bot.WebhookSecretTable, botID)
		return string(plain), err
	}
	if values.current, err = open(sealed.Current); err != nil {
		return values, fault.Wrap(fault.Internal, err, "it does not open; see malgil doctor")
	}
	if values.former, err = open(sealed.Former); err != nil {
		return values, fault.Wrap(fault.Internal, err, "the one before it does not open; see malgil doctor")
	}
	values.formerUntil = sealed.FormerUntil()
	return values, nil
}
