package store

import (
	"context"
	"fmt"

	"github.com/malgil/malgil/internal/bot"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/seal"
)

// sealedColumns are where rows keep sealed secrets, and which rows still need theirs.
var sealedColumns = []struct{ table, column, needed string }{
	{"bot", "rest_key_sealed", `1 = 1`},
	{"card", "sid_sealed", `removed_at = 0`},
	{"webhook", "secret_sealed", `deleted_at = 0`},
	{bot.WebhookSecretTable, "secret_sealed", `1 = 1`},
	{bot.WebhookSecretTable, "former_sealed", `1 = 1`},
	{"attempt", "token_sealed", `state IN ('prepared', 'calling', 'unknown')`},
}

// Held says which keys a database cannot be without.
type Held struct {
	Sealed bool // a secret is sealed
	Hashed bool // a user key is hashed
}

// Held looks for what only the keys of this installation open, or find again.
func (s *Store) Held(ctx context.Context) (h Held, err error) {
	for _, c := range sealedColumns {
		var found bool
		err := s.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM `+c.table+` WHERE length(`+c.column+`) > 0)`).Scan(&found)
		if err != nil {
			return h, fmt.Errorf("look for sealed secrets: %w", err)
		}
		h.Sealed = h.Sealed || found
	}
	err = s.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM bot_user) OR EXISTS (SELECT 1 FROM utterance)
		OR EXISTS (SELECT 1 FROM chunk_evidence)`).Scan(&h.Hashed)
	if err != nil {
		return h, fmt.Errorf("look for hashed users: %w", err)
	}
	return h, nil
}

// UseKeys gives the store the keys that open what its rows keep, before anything else is done with
// it. It is Invalid when they do not: a secret is tried of every table and every key that one is
// sealed with.
func (s *Store) UseKeys(ctx context.Context, keys *seal.Box) error {
	for _, c := range sealedColumns {
		rows, err := s.read.QueryContext(ctx, `SELECT id, `+c.column+` FROM `+c.table+` WHERE id IN (SELECT MAX(id) FROM `+c.table+
			` WHERE `+c.needed+` AND length(`+c.column+`) > 0 GROUP BY substr(`+c.column+`, 1, 1))`)
		type secret struct {
			id     string
			sealed []byte
		}
		secrets, err := collect(rows, err, func(row scanner) (x secret, err error) {
			err = row.Scan(&x.id, &x.sealed)
			return x, err
		})
		if err != nil {
			return fmt.Errorf("read sealed secrets: %w", err)
		}
		for _, x := range secrets {
			if _, err := keys.Open(x.sealed, c.table, x.id); err != nil {
				return fault.Field("MALGIL_SEAL_KEYS", "does not open what this database holds; use the keys that belong to it, from the same backup: %v", err)
			}
		}
	}
	s.keys = keys
	return nil
}

// BotKey is the REST API key of a bot.
type BotKey struct {
	BotID, RestKey string // no key where the keys of the installation do not open it
	Paused         string // why the bot stands still; empty where it does not
}

// RestKeys lists the REST API keys of bots by id, so many at most.
// It needs [Store.UseKeys].
func (s *Store) RestKeys(ctx context.Context, limit int) ([]BotKey, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT id, rest_key_sealed, paused_reason FROM bot ORDER BY id LIMIT $1`, limit)
	keys, err := collect(rows, err, func(row scanner) (k BotKey, err error) {
		var sealed []byte
		err = row.Scan(&k.BotID, &sealed, &k.Paused)
		k.RestKey = s.restKey(k.BotID, sealed)
		return k, err
	})
	if err != nil {
		return nil, fmt.Errorf("read the keys of bots: %w", err)
	}
	return keys, nil
}
