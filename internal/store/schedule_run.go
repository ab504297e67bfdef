package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/wallet"
)

const runColumns = `schedule_id, due_at, state, broadcast_id, reason, causes, times, changed_at, epoch, audience_id, author`

func scanRun(row scanner, more ...any) (r broadcast.Run, err error) {
	var causes string
	err = row.Scan(append([]any{&r.Schedule, at(&r.DueAt), &r.State, &r.Broadcast, &r.Reason, &causes, &r.Times, at(&r.ChangedAt), &r.Epoch, &r.Audience, &r.By}, more...)...)
	r.Causes = split(causes)
	return r, err
}

// split reads words that are stored by commas.
func split(words string) []string {
	if words == "" {
		return nil
	}
	return strings.Split(words, ",")
}

func scanOneRun(row scanner) (broadcast.Run, error) { return scanRun(row) }

// waitAgain is after how long a waiting run is looked at again.
const waitAgain = 5 * time.Second

// DueSchedules lists schedules whose next occurrence has come.
func (s *Store) DueSchedules(ctx context.Context, now time.Time, after broadcast.ScheduleID, limit int) ([]broadcast.Schedule, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+scheduleColumns+` FROM schedule WHERE next_at > 0 AND next_at <= $1 AND id > $2
		ORDER BY id LIMIT $3`, millis(now), after, limit)
	return collect(rows, err, scanSchedule)
}

// WaitingRuns lists runs that may be looked at again.
func (s *Store) WaitingRuns(ctx context.Context, now time.Time, after broadcast.ScheduleID, limit int) ([]broadcast.Run, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+runColumns+` FROM schedule_run WHERE state = 'waiting' AND next_at <= $1 AND schedule_id > $2
		ORDER BY schedule_id LIMIT $3`, millis(now), after, limit)
	return collect(rows, err, scanOneRun)
}

// Occur writes down what a schedule owes and starts its run where it may, all in one transaction.
func (s *Store) Occur(ctx context.Context, sch broadcast.Schedule, d broadcast.Due, order func(broadcast.Schedule) (broadcast.Broadcast, error), now time.Time) (runs []broadcast.Run, err error) {
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		runs = nil
		mine, err := changed(tx.ExecContext(ctx, `UPDATE schedule SET next_at = $3 WHERE id = $1 AND next_at = $2`, sch.ID, millis(sch.NextAt), millis(d.Next)))
		if err != nil || !mine { // another scheduler was first, or it is not active any more
			return err
		}
		for _, r := range d.Missed {
			if written, err := insertRun(ctx, tx, r); err != nil {
				return err
			} else if written {
				runs = append(runs, r)
			}
		}
		if d.Run.IsZero() {
			return nil
		}
		if sch, err = scheduleOf(ctx, tx, sch.ID, ""); err != nil { // somebody may have changed it since it was read
			return err
		}
		replaced, err := endWaiting(ctx, tx, sch.ID, "the occurrence of "+d.Run.Format(time.RFC3339)+" took its place", now)
		if err != nil {
			return err
		}
		runs = append(runs, replaced...)
		r := broadcast.Run{Schedule: sch.ID, DueAt: d.Run, State: broadcast.RunWaiting, Times: 1, ChangedAt: now}
		written, err := insertRun(ctx, tx, r)
		if err != nil || !written {
			return err
		}
		r, err = s.startRun(ctx, tx, sch, r, order, now)
		runs = append(runs, r)
		return err
	})
	if err != nil {
		return nil, err
	}
	return runs, nil
}

// insertRun stores a run unless there is one of its time.
func insertRun(ctx context.Context, tx *sql.Tx, r broadcast.Run) (bool, error) {
	written, err := changed(tx.ExecContext(ctx, `INSERT INTO schedule_run (schedule_id, due_at, state, broadcast_id, reason, times, changed_at, next_at, epoch, lease_until)
		VALUES ($1, $2, $3, '', $4, $5, $6, 0, 0, 0) ON CONFLICT (schedule_id, due_at) DO NOTHING`,
		r.Schedule, millis(r.DueAt), r.State, r.Reason, r.Times, millis(r.ChangedAt)))
	if err != nil {
		return false, fmt.Errorf("insert the run of %s: %w", r.DueAt.Format(time.RFC3339), err)
	}
	return written, nil
}

// endWaiting ends the run of a locked schedule that waits, if one does, and returns it: it has failed where
// something was in its way, and is skipped otherwise.
func endWaiting(ctx context.Context, tx *sql.Tx, id broadcast.ScheduleID, why string, now time.Time) ([]broadcast.Run, error) {
	rows, err := tx.QueryContext(ctx, `UPDATE schedule_run SET state = CASE causes WHEN '' THEN 'skipped' ELSE 'failed' END, changed_at = $3,
		reason = CAST($2 AS TEXT) || CASE reason WHEN '' THEN '' ELSE '; it waited: ' || reason END WHERE schedule_id = $1 AND state = 'waiting' RETURNING `+runColumns,
		id, why, millis(now))
	skipped, err := collect(rows, err, scanOneRun)
	if err != nil {
		return nil, fmt.Errorf("end what waits of schedule %s: %w", id, err)
	}
	return skipped, nil
}

// RetryRun starts a waiting run where it may by now.
func (s *Store) RetryRun(ctx context.Context, waiting broadcast.Run, order func(broadcast.Schedule) (broadcast.Broadcast, error), now time.Time) (r broadcast.Run, ok bool, err error) {
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		sch, err := scheduleOf(ctx, tx, waiting.Schedule, s.dialect.lock)
		if err != nil {
			return err
		}
		r, err = scanRun(tx.QueryRowContext(ctx, `SELECT `+runColumns+` FROM schedule_run
			WHERE schedule_id = $1 AND due_at = $2 AND state = 'waiting' AND next_at <= $3`, sch.ID, millis(waiting.DueAt), millis(now)))
		if ok = !errors.Is(err, sql.ErrNoRows); !ok {
			return nil
		}
		if err != nil {
			return err
		}
		r, err = s.startRun(ctx, tx, sch, r, order, now)
		return err
	})
	return r, ok && err == nil, err
}

// startRun starts a waiting run of a locked schedule, or writes down why it does not.
func (s *Store) startRun(ctx context.Context, tx *sql.Tx, sch broadcast.Schedule, r broadcast.Run, order func(broadcast.Schedule) (broadcast.Broadcast, error), now time.Time) (broadcast.Run, error) {
	b, err := order(sch)
	if err != nil {
		return r, err
	}
	var in broadcast.Situation
	err = tx.QueryRowContext(ctx, `SELECT CASE WHEN b.finished_at = 0 THEN b.id ELSE '' END FROM schedule_run r JOIN broadcast b ON b.id = r.broadcast_id
		WHERE r.schedule_id = $1 AND r.due_at < $2 AND r.broadcast_id <> '' ORDER BY r.due_at DESC LIMIT 1`, sch.ID, millis(r.DueAt)).Scan(&in.Unfinished)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return r, fmt.Errorf("look at the broadcast before it: %w", err)
	}
	if in.Obstacle, err = s.obstacle(ctx, tx, sch, &b); err != nil {
		return r, err
	}
	if r = sch.Start(r, in, now); r.State == broadcast.RunCopying {
		if b.Price, err = priceOf(ctx, tx, now); err != nil {
			return r, err
		}
		if err := insertBroadcast(ctx, tx, b); err != nil {
			return r, err
		}
		r.Broadcast, r.Audience, r.By = b.ID, sch.Audience, sch.CreatedBy
	}
	_, err = tx.ExecContext(ctx, `UPDATE schedule_run SET state = $3, reason = $4, broadcast_id = $5, changed_at = $6, next_at = $7, causes = $8, audience_id = $9, author = $10
		WHERE schedule_id = $1 AND due_at = $2`, sch.ID, millis(r.DueAt), r.State, r.Reason, r.Broadcast, millis(now), millis(now.Add(waitAgain)), strings.Join(r.Causes, ","), r.Audience, r.By)
	if err != nil {
		return r, fmt.Errorf("save the run of %s: %w", r.DueAt.Format(time.RFC3339), err)
	}
	return r, nil
}

// obstacle says why the bot of a schedule could not send to its audience now, nil when it could, and whose
// wallet its broadcast is on.
func (s *Store) obstacle(ctx context.Context, tx *sql.Tx, sch broadcast.Schedule, b *broadcast.Broadcast) (obstacle, err error) {
	if sch.Unreadable != "" {
		return fault.Coded(fault.Conflict, "UNREADABLE", "its stored message cannot be read; give it another"), nil
	}
	standing, err := standingOf(ctx, tx, sch.BotID, sch.Side, sch.Message.Event)
	if err != nil {
		return nil, err
	}
	if b.WalletID = standing.WalletID; b.WalletID != "" {
		var w wallet.Wallet
		if w, err = s.scanWallet(tx.QueryRowContext(ctx, `SELECT `+walletColumns+` FROM wallet WHERE id = $1`, b.WalletID)); err != nil {
			return nil, fmt.Errorf("read the wallet: %w", err)
		}
		standing.Wallet = w.Check()
	}
	if err := standing.CheckRun(); err != nil {
		return err, nil
	}
	switch err := adFits(ctx, tx, sch.BotID, sch.Purpose, sch.Message); { // its bot may look at another text by now
	case fault.KindOf(err) == fault.Invalid:
		return err, nil
	case err != nil:
		return nil, err
	}
	a, err := audienceOf(ctx, tx, sch.Audience, "")
	switch {
	case fault.KindOf(err) == fault.NotFound:
		return err, nil
	case err == nil && a.Counts.Audience == 0:
		return broadcast.Nobody(a.ID), nil
	}
	return nil, err
}

// ClaimCopy takes a run whose broadcast gets its audience.
func (s *Store) ClaimCopy(ctx context.Context, now, until time.Time) (r broadcast.Run, ok bool, err error) {
	var some bool // a look beside the writer, so that an idle system writes nothing
	err = s.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM schedule_run WHERE state = 'copying' AND lease_until <= $1)`, millis(now)).Scan(&some)
	if err != nil || !some {
		return r, false, err
	}
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		r, err = scanRun(tx.QueryRowContext(ctx, `SELECT `+runColumns+` FROM schedule_run WHERE state = 'copying' AND lease_until <= $1
			ORDER BY lease_until, schedule_id LIMIT 1`+s.dialect.share, millis(now)))
		if ok = !errors.Is(err, sql.ErrNoRows); !ok {
			return nil
		}
		if err != nil {
			return err
		}
		r.Epoch++
		_, err = tx.ExecContext(ctx, `UPDATE schedule_run SET epoch = $3, lease_until = $4 WHERE schedule_id = $1 AND due_at = $2`, r.Schedule, millis(r.DueAt), r.Epoch, millis(until))
		return err
	})
	return r, ok && err == nil, err
}

// KeepCopy keeps a claimed run for longer.
func (s *Store) KeepCopy(ctx context.Context, r broadcast.Run, until time.Time) error {
	kept, err := changed(s.write.ExecContext(ctx, `UPDATE schedule_run SET lease_until = $4 WHERE schedule_id = $1 AND due_at = $2 AND epoch = $3 AND state = 'copying'`,
		r.Schedule, millis(r.DueAt), r.Epoch, millis(until)))
	if err == nil && !kept {
		return fault.New(fault.Conflict, "another process copies the audience; this one stops")
	}
	return err
}

// EndCopy writes down what became of a claimed run.
func (s *Store) EndCopy(ctx context.Context, r broadcast.Run) error {
	_, err := s.write.ExecContext(ctx, `UPDATE schedule_run SET state = $4, reason = $5, changed_at = $6, causes = $7 WHERE schedule_id = $1 AND due_at = $2 AND epoch = $3 AND state = 'copying'`,
		r.Schedule, millis(r.DueAt), r.Epoch, r.State, r.Reason, millis(r.ChangedAt), strings.Join(r.Causes, ","))
	if err != nil {
		return fmt.Errorf("end the run of %s: %w", r.DueAt.Format(time.RFC3339), err)
	}
	return nil
}

// RunView is a run with how its broadcast goes.
type RunView struct {
	broadcast.Run
	BroadcastState broadcast.State // empty without a broadcast
	Wait           broadcast.Wait
}

// ScheduleRuns lists the runs of a schedule, newest first: those before a time, or from the newest when it is
// zero. It is NotFound when there is no such schedule.
func (s *Store) ScheduleRuns(ctx context.Context, id broadcast.ScheduleID, before time.Time, limit int) ([]RunView, error) {
	if _, err := s.Schedule(ctx, id); err != nil {
		return nil, err
	}
	last := int64(1<<63 - 1)
	if !before.IsZero() {
		last = millis(before)
	}
	rows, err := s.read.QueryContext(ctx, `SELECT `+runColumns+`, COALESCE((SELECT b.state FROM broadcast b WHERE b.id = broadcast_id), ''),
		COALESCE((SELECT b.wait_reason FROM broadcast b WHERE b.id = broadcast_id), '') FROM schedule_run WHERE schedule_id = $1 AND due_at < $2 ORDER BY due_at DESC LIMIT $3`, id, last, limit)
	return collect(rows, err, func(row scanner) (v RunView, err error) {
		v.Run, err = scanRun(row, &v.BroadcastState, &v.Wait)
		return v, err
	})
}
