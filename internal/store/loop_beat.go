package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Beat is a sign of life of a loop.
type Beat struct {
	Loop   string
	At     time.Time     // when it last ended without an error; zero for never
	Since  time.Time     // since when there is this loop: in the scheduler that started last
	Silent time.Duration // for so long it may be silent
}

// PutBeats keeps signs of life of all loops that there are; of several schedulers the last one counts. What is kept
// of loops that there are no more is forgotten.
func (s *Store) PutBeats(ctx context.Context, beats []Beat) error {
	if len(beats) == 0 {
		return nil
	}
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		var names []any
		for _, b := range beats {
			names = append(names, b.Loop)
			if _, err := tx.ExecContext(ctx, `INSERT INTO loop_beat (loop, at, since, silent_ms) VALUES ($1, $2, $3, $4)
				ON CONFLICT (loop) DO UPDATE SET silent_ms = excluded.silent_ms,
					since = CASE WHEN excluded.since > loop_beat.since THEN excluded.since ELSE loop_beat.since END,
					at = CASE WHEN excluded.at > loop_beat.at THEN excluded.at ELSE loop_beat.at END`,
				b.Loop, millis(b.At), millis(b.Since), b.Silent.Milliseconds()); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM loop_beat WHERE loop NOT IN (`+placeholders(1, len(names))+`)`, names...)
		return err
	})
	if err != nil {
		return fmt.Errorf("keep signs of life: %w", err)
	}
	return nil
}

// Beats lists what is known of the loops of schedulers, by name.
func (s *Store) Beats(ctx context.Context) ([]Beat, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT loop, at, since, silent_ms FROM loop_beat ORDER BY loop`)
	return collect(rows, err, func(row scanner) (b Beat, err error) {
		var silent int64
		err = row.Scan(&b.Loop, at(&b.At), at(&b.Since), &silent)
		b.Silent = time.Duration(silent) * time.Millisecond
		return b, err
	})
}
