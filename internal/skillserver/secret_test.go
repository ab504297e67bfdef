package skillserver

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/malgil/malgil/internal/bot"
)

// slowSecrets takes half a second for a look.
type slowSecrets struct {
	looks atomic.Int64
	err   error
}

func (s *slowSecrets) WebhookSecret(ctx context.Context, _ string) (bot.WebhookSecret, error) {
	s.looks.Add(1)
	select {
	case <-time.After(500 * time.Millisecond):
	case <-ctx.Done():
		return bot.WebhookSecret{}, ctx.Err()
	}
	return bot.WebhookSecret{Current: []byte("sealed")}, s.err
}

func (s *slowSecrets) Open(sealed []byte, _, _ string) ([]byte, error) { return sealed, nil }

// One look serves all calls of a bot, the first ones and those after its time, also one that fails.
func TestSecrets_looksOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &slowSecrets{}
		s := &secrets{source: source, opener: source, known: map[string]*knownSecret{}}
		ask := func() (known int) {
			var all sync.WaitGroup
			var got atomic.Int64
			for range 20 {
				all.Go(func() {
					keys, err := s.of(t.Context(), "b1", time.Now())
					if err == nil && len(keys) == 1 && keys[0] == "sealed" {
						got.Add(1)
					}
				})
			}
			all.Wait()
			return int(got.Load())
		}
		for i, step := range []struct {
			rest  time.Duration
			err   error
			known int
			looks int64
		}{
			{0, errors.New("database is away"), 0, 1},
			{0, nil, 20, 2},
			{secretTTL - time.Millisecond, nil, 20, 2},
			{time.Millisecond, nil, 20, 3},
			{secretTTL, errors.New("database is away"), 20, 4},
			{0, nil, 20, 4}, // after one that failed, too
		} {
			time.Sleep(step.rest)
			source.err = step.err
			if known := ask(); known != step.known || source.looks.Load() != step.looks {
				t.Errorf("step %d: %d of 20 know the secret after %d looks, want %d after %d", i, known, source.looks.Load(), step.known, step.looks)
			}
		}
	})
}

// Whose time is over first does not end the look of the others.
func TestSecrets_ofOneWhoLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &slowSecrets{}
		s := &secrets{source: source, opener: source, known: map[string]*knownSecret{}}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := s.of(ctx, "b1", time.Now()); err == nil {
			t.Error("of() knows a secret before anybody could")
		}
		if keys, err := s.of(t.Context(), "b1", time.Now()); err != nil || len(keys) != 1 || source.looks.Load() != 1 {
			t.Errorf("of() = %d keys, %v after %d looks, want one of the first look", len(keys), err, source.looks.Load())
		}
	})
}
