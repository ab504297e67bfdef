package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/backlog"
	"github.com/malgil/malgil/internal/fault"
)

const pauseColumns = `queue, until_at, reason, by_whom, since`

func scanPause(row scanner) (p backlog.Pause, err error) {
	err = row.Scan(&p.Queue, at(&p.Until), &p.Reason, &p.By, at(&p.Since))
	return p, err
}

// Pauses lists the queues that are to stand still, by name.
func (s *Store) Pauses(ctx context.Context) ([]backlog.Pause, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+pauseColumns+` FROM queue_pause ORDER BY queue`)
	pauses, err := collect(rows, err, scanPause)
	if err != nil {
		return nil, fmt.Errorf("list paused queues: %w", err)
	}
	return pauses, nil
}

// PutPause pauses a queue and returns the pause as it stands: one that was paused already gets the new end
// and reason, and stands since before.
func (s *Store) PutPause(ctx context.Context, p backlog.Pause) (stands backlog.Pause, err error) {
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT `+pauseColumns+` FROM queue_pause WHERE queue = $1`+s.dialect.lock, p.Queue)
		stood, err := collect(rows, err, scanPause)
		if err != nil {
			return fmt.Errorf("look whether queue %s is paused: %w", p.Queue, err)
		}
		stands, err = scanPause(tx.QueryRowContext(ctx, `INSERT INTO queue_pause (queue, until_at, reason, by_whom, since) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (queue) DO UPDATE SET until_at = excluded.until_at, reason = excluded.reason, by_whom = excluded.by_whom
			RETURNING `+pauseColumns, p.Queue, millis(p.Until), p.Reason, p.By, millis(p.Since)))
		if err != nil {
			return fmt.Errorf("pause queue %s: %w", p.Queue, err)
		}
		before := map[string]any{"queue": p.Queue}
		if len(stood) > 0 {
			before["until"] = stood[0].Until
		}
		access.DeedOf(ctx).Did(access.Object{Kind: access.Platform}, before, map[string]any{"queue": p.Queue, "until": stands.Until})
		return nil
	})
	return stands, err
}

// DropPause ends the pause of a queue. It is a Conflict when the queue is not paused.
func (s *Store) DropPause(ctx context.Context, queue string) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `DELETE FROM queue_pause WHERE queue = $1 RETURNING `+pauseColumns, queue)
		stood, err := collect(rows, err, scanPause)
		if err != nil {
			return fmt.Errorf("resume queue %s: %w", queue, err)
		}
		if len(stood) == 0 {
			return fault.Coded(fault.Conflict, "QUEUE_NOT_PAUSED", "queue %s is not paused", queue)
		}
		access.DeedOf(ctx).Did(access.Object{Kind: access.Platform}, map[string]any{"queue": queue, "until": stood[0].Until}, map[string]any{"queue": queue})
		return nil
	})
}

// EndPauses ends the pauses whose time is over and returns how many.
func (s *Store) EndPauses(ctx context.Context, now time.Time) (int, error) {
	var any bool
	err := s.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM queue_pause WHERE until_at <= $1)`, millis(now)).Scan(&any)
	if err != nil || !any {
		return 0, err
	}
	result, err := s.write.ExecContext(ctx, `DELETE FROM queue_pause WHERE until_at <= $1`, millis(now))
	if err != nil {
		return 0, fmt.Errorf("end the pauses of queues: %w", err)
	}
	n, err := result.RowsAffected()
	return int(n), err
}
