package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/retention"
)

// PurgesDue lists bots that there were at a moment and whose purge of it has not ended, by id.
func (s *Store) PurgesDue(ctx context.Context, moment time.Time) ([]retention.Bot, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT id, settings FROM bot WHERE created_at <= $1
		AND NOT EXISTS (SELECT 1 FROM purge_receipt p WHERE p.bot_id = bot.id AND p.day = $2 AND p.ended_at > 0) ORDER BY id`,
		millis(moment), retention.Day(moment))
	return collect(rows, err, func(row scanner) (b retention.Bot, err error) {
		var text string
		if err := row.Scan(&b.ID, &text); err != nil {
			return b, err
		}
		settings, err := talking(text)
		b.Level = retention.Level(settings.SecurityLevel)
		return b, err
	})
}

// PurgeUtterances removes the oldest utterances of a bot and notes that on the receipt of the day, whose row
// keeps a second one waiting.
func (s *Store) PurgeUtterances(ctx context.Context, b retention.Batch) (removed int, done bool, err error) {
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		mine, err := changed(tx.ExecContext(ctx, `INSERT INTO purge_receipt (bot_id, day, level, cutoff, removed, oldest, newest, began_at, ended_at)
			VALUES ($1, $2, $3, $4, 0, 0, 0, $5, 0)
			ON CONFLICT (bot_id, day) DO UPDATE SET level = excluded.level, cutoff = excluded.cutoff WHERE purge_receipt.ended_at = 0`,
			b.ID, b.Day, b.Level, millis(b.Before), millis(b.Now)))
		if err != nil {
			return fmt.Errorf("open the receipt: %w", err)
		}
		removed, done = 0, true
		if !mine { // another process has ended it
			return nil
		}
		rows, err := tx.QueryContext(ctx, `DELETE FROM utterance WHERE id IN (SELECT id FROM utterance WHERE bot_id = $1 AND at < $2 ORDER BY at LIMIT $3)
			RETURNING at`, b.ID, millis(b.Before), b.Limit)
		times, err := collect(rows, err, func(row scanner) (ms int64, err error) {
			err = row.Scan(&ms)
			return ms, err
		})
		if err != nil {
			return fmt.Errorf("delete: %w", err)
		}
		var oldest, newest, ended int64
		for i, ms := range times {
			if i == 0 {
				oldest = ms
			}
			oldest, newest = min(oldest, ms), max(newest, ms)
		}
		removed, done = len(times), len(times) < b.Limit
		if done {
			ended = millis(b.Now)
		}
		_, err = tx.ExecContext(ctx, `UPDATE purge_receipt SET removed = removed + $3, ended_at = $4,
			oldest = CASE WHEN oldest = 0 THEN $5 ELSE oldest END, newest = CASE WHEN newest < $6 THEN $6 ELSE newest END
			WHERE bot_id = $1 AND day = $2`, b.ID, b.Day, removed, ended, oldest, newest)
		return err
	})
	return removed, done, err
}

// Purges lists what was removed of a bot's utterances, the newest day first, those before a day. It is NotFound
// when there is no bot.
func (s *Store) Purges(ctx context.Context, botID, before string, limit int) ([]retention.Receipt, error) {
	if err := hasBot(ctx, s.read, botID); err != nil {
		return nil, err
	}
	rows, err := s.read.QueryContext(ctx, `SELECT day, level, cutoff, removed, oldest, newest, began_at, ended_at FROM purge_receipt
		WHERE bot_id = $1 AND ($2 = '' OR day < $2) ORDER BY day DESC LIMIT $3`, botID, before, limit)
	return collect(rows, err, func(row scanner) (r retention.Receipt, err error) {
		err = row.Scan(&r.Day, &r.Level, at(&r.Before), &r.Removed, at(&r.Oldest), at(&r.Newest), at(&r.BeganAt), at(&r.EndedAt))
		return r, err
	})
}
