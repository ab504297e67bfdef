package bot

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"time"
)

// WebhookSecret is what calls of a bot's skill servers are signed with, sealed.
type WebhookSecret struct {
	Current []byte // empty while the bot has none
	Former  []byte // that before it; empty when there was none
	MadeAt  time.Time
}

// WebhookSecretTable is what the secrets are sealed for, with the id of their bot.
const WebhookSecretTable = "bot_webhook_secret"

// formerFor is how long calls are signed with the former secret too, so that a server can be told
// the new one without a call that it does not know.
const formerFor = 24 * time.Hour

// FormerUntil is until when calls are signed with the former secret too, zero when there is none.
func (s WebhookSecret) FormerUntil() time.Time {
	if len(s.Former) == 0 {
		return time.Time{}
	}
	return s.MadeAt.Add(formerFor)
}

// RotateWebhookSecret gives a bot a new secret that calls of its skill servers are signed with, and
// returns it; afterwards nobody is shown it again. The one before signs too until formerUntil, which is
// zero for the first; one before that ends at once.
func (a *Admin) RotateWebhookSecret(ctx context.Context, id string) (secret string, formerUntil time.Time, err error) {
	raw := make([]byte, 32)
	if _, err := io.ReadFull(a.random, raw); err != nil {
		return "", time.Time{}, fmt.Errorf("draw a webhook secret: %w", err)
	}
	secret = "whsec_" + base64.RawURLEncoding.EncodeToString(raw)
	sealed, err := a.sealer.Seal([]byte(secret), WebhookSecretTable, id)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("seal the webhook secret of bot %s: %w", id, err)
	}
	kept, err := a.store.SetWebhookSecret(ctx, id, sealed, a.now())
	if err != nil {
		return "", time.Time{}, fmt.Errorf("set the webhook secret of bot %s: %w", id, err)
	}
	return secret, kept.FormerUntil(), nil
}
