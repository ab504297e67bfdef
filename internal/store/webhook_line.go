package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/webhook"
)

// pickDeliveries picks deliveries that are due and have no task: of each webhook the first of its line, as many as
// [webhook.PerHook] leaves beside those under way, of each bot as many as [webhook.PerBot] leaves, and before
// others those of webhooks with the fewest under way. $1 is the time now, $2 the most rows; which says of
// which webhooks.
//
// It takes a few steps in the index for each webhook, however long a line is.
func pickDeliveries(which string) string {
	var line strings.Builder
	for n := range webhook.PerHook {
		if n > 0 {
			line.WriteString(` UNION ALL `)
		}
		fmt.Fprintf(&line, `SELECT bot_id, bot_busy, busy + %[1]d AS ahead, (SELECT o.id FROM webhook_delivery o
				WHERE o.state IN ('waiting', 'sending') AND o.webhook_id = hook.id AND o.enqueued_at = 0 AND o.next_at <= $1 AND o.state = 'waiting'
				ORDER BY o.next_at, o.id LIMIT 1 OFFSET %[1]d) AS id FROM hook WHERE busy + %[1]d < %[2]d`, n, webhook.PerHook)
	}
	return fmt.Sprintf(`SELECT id FROM webhook_delivery WHERE enqueued_at = 0 AND id IN (
		WITH hook AS (SELECT id, bot_id, busy, SUM(busy) OVER (PARTITION BY bot_id) AS bot_busy
			FROM (SELECT h.id, h.bot_id, (SELECT COUNT(*) FROM webhook_delivery o
				WHERE o.state IN ('waiting', 'sending') AND o.webhook_id = h.id AND o.enqueued_at > 0) AS busy
				FROM webhook h WHERE h.deleted_at = 0 AND %s AND EXISTS (SELECT 1 FROM webhook_delivery o
					WHERE o.state IN ('waiting', 'sending') AND o.state = 'waiting' AND o.enqueued_at = 0 AND o.next_at <= $1)) AS all_hooks),
		line AS (%s)
		SELECT id FROM (SELECT id, bot_busy + ROW_NUMBER() OVER (PARTITION BY bot_id ORDER BY ahead, id) AS place FROM line WHERE id IS NOT NULL) AS turn
		WHERE place <= %d)
		ORDER BY next_at, id LIMIT $2`, which, line.String(), webhook.PerBot)
}

var (
	pickOfAll = pickDeliveries(`TRUE`)
	pickOfBot = pickDeliveries(`h.bot_id = $3`)
)

// StampNext is [Store.Stamp] for the deliveries of one bot: one of them has ended, and the next should not wait for
// the sweep. The sweep beside it may pass the bounds by a few.
func (s *Store) StampNext(ctx context.Context, botID string, now time.Time) (next []broadcast.Row, err error) {
	args := []any{millis(now), webhook.PerBot, botID}
	waits, err := s.anyPicked(ctx, pickOfBot, args)
	if err != nil || !waits {
		return nil, err
	}
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		// One at a time: the bot's first webhook stands for all of them. Nothing is waited for after that.
		_, err := tx.ExecContext(ctx, `SELECT id FROM webhook WHERE bot_id = $1 AND deleted_at = 0 ORDER BY id LIMIT 1`+s.dialect.lock, botID)
		if err != nil {
			return fmt.Errorf("lock the line of bot %s: %w", botID, err)
		}
		next, err = s.stampPicked(ctx, tx, workTables[WorkWebhook], pickOfBot, args)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("stamp the next deliveries of bot %s: %w", botID, err)
	}
	return next, nil
}
