package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/bot"
)

// WebhookSecret reads what calls of a bot's skill servers are signed with: nothing when nobody made a
// secret, or when there is no such bot.
func (s *Store) WebhookSecret(ctx context.Context, botID string) (bot.WebhookSecret, error) {
	return webhookSecretOf(ctx, s.read, botID)
}

func webhookSecretOf(ctx context.Context, q querier, botID string) (w bot.WebhookSecret, err error) {
	err = q.QueryRowContext(ctx, `SELECT secret_sealed, former_sealed, made_at FROM bot_webhook_secret WHERE id = $1`, botID).
		Scan(&w.Current, &w.Former, at(&w.MadeAt))
	if errors.Is(err, sql.ErrNoRows) {
		return bot.WebhookSecret{}, nil
	}
	return w, err
}

// SetWebhookSecret puts a sealed secret in the place of a bot's, which becomes the former one, and returns both.
func (s *Store) SetWebhookSecret(ctx context.Context, id string, sealed []byte, now time.Time) (w bot.WebhookSecret, err error) {
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		if _, err := s.lockBot(ctx, tx, id); err != nil {
			return err
		}
		before, err := webhookSecretOf(ctx, tx, id)
		if err != nil {
			return err
		}
		w = bot.WebhookSecret{Current: sealed, Former: before.Current, MadeAt: now}
		if w.Former == nil {
			w.Former = []byte{}
		}
		made := func(w bot.WebhookSecret) any {
			if w.MadeAt.IsZero() {
				return nil
			}
			return map[string]any{"webhook_secret_made_at": w.MadeAt}
		}
		access.DeedOf(ctx).Did(access.Object{Kind: access.OfBot, ID: id}, made(before), made(w))
		_, err = tx.ExecContext(ctx, `INSERT INTO bot_webhook_secret (id, secret_sealed, former_sealed, made_at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (id) DO UPDATE SET secret_sealed = excluded.secret_sealed, former_sealed = excluded.former_sealed, made_at = excluded.made_at`,
			id, w.Current, w.Former, millis(now))
		return err
	})
	return w, err
}
