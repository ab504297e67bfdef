package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
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
	// The outer conditions are looked at again when the row is locked, which may have changed since it was picked.
	return fmt.Sprintf(`SELECT id FROM webhook_delivery WHERE enqueued_at = 0 AND state = 'waiting' AND next_at <= $1 AND id IN (
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

// dropAtOnce bounds what one transaction gives up.
const dropAtOnce = 1000

// DropDeliveries gives up the deliveries with the oldest news of webhooks that have more than so many open, notes with the
// webhook how many, and returns that by webhook, also beside an error. What is being sent is let end. What a deleted
// webhook was told of while it was deleted is given up too, and not counted.
func (s *Store) DropDeliveries(ctx context.Context, most int, now time.Time) (dropped map[string]int, err error) {
	deleted, err := s.read.QueryContext(ctx, `SELECT h.id FROM webhook h WHERE h.deleted_at > 0 AND EXISTS
		(SELECT 1 FROM webhook_delivery o WHERE o.state IN ('waiting', 'sending') AND o.webhook_id = h.id) ORDER BY h.id`)
	gone, err := collect(deleted, err, func(row scanner) (id string, err error) {
		err = row.Scan(&id)
		return id, err
	})
	if err != nil {
		return nil, fmt.Errorf("list deleted webhooks with open deliveries: %w", err)
	}
	for _, id := range gone {
		if err := s.giveUp(ctx, id, now); err != nil {
			return nil, fmt.Errorf("give up the deliveries of webhook %s: %w", id, err)
		}
	}
	type long struct {
		hookID string
		open   int
	}
	rows, err := s.read.QueryContext(ctx, `SELECT webhook_id, COUNT(*) FROM webhook_delivery WHERE state IN ('waiting', 'sending')
		GROUP BY webhook_id HAVING COUNT(*) > $1 ORDER BY webhook_id`, most)
	lines, err := collect(rows, err, func(row scanner) (l long, err error) {
		err = row.Scan(&l.hookID, &l.open)
		return l, err
	})
	if err != nil {
		return nil, fmt.Errorf("count open deliveries: %w", err)
	}
	dropped = map[string]int{}
	for _, l := range lines {
		for excess := l.open - most; excess > 0; {
			n, err := s.drop(ctx, l.hookID, min(excess, dropAtOnce), now)
			if err != nil {
				return dropped, fmt.Errorf("drop deliveries of webhook %s: %w", l.hookID, err)
			}
			if n == 0 {
				break
			}
			dropped[l.hookID] += n
			excess -= n
		}
	}
	return dropped, nil
}

func (s *Store) drop(ctx context.Context, hookID string, most int, now time.Time) (n int, err error) {
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		if _, err := hookOf(ctx, tx, hookID, s.dialect.lock); err != nil {
			if fault.KindOf(err) == fault.NotFound {
				return nil // deleted meanwhile, which gives up all
			}
			return err
		}
		result, err := tx.ExecContext(ctx, `UPDATE webhook_delivery SET state = 'failed', epoch = epoch + 1, enqueued_at = 0, done_at = $2,
			error = 'too many others waited: the oldest was dropped' WHERE state = 'waiting' AND id IN
			(SELECT o.id FROM webhook_delivery o WHERE o.state IN ('waiting', 'sending') AND o.webhook_id = $1 AND o.state = 'waiting' ORDER BY o.id LIMIT $3)`,
			hookID, millis(now), most)
		if err != nil {
			return err
		}
		gone, err := result.RowsAffected()
		if err != nil || gone == 0 {
			return err
		}
		n = int(gone)
		_, err = tx.ExecContext(ctx, `UPDATE webhook SET dropped = dropped + $2, dropped_at = $3 WHERE id = $1`, hookID, n, millis(now))
		return err
	})
	return n, err
}
