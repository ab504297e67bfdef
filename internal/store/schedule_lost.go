package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/notice"
)

const (
	// untoldRun is the condition of an index, word for word.
	untoldRun = `r.state IN ('missed', 'failed') AND r.told_at = 0`
	// lostBatch bounds how many schedules are told of in one look, and how many times of one are told one by one.
	lostBatch, lostTimes = 200, 30
)

// tellLost tells of times at which schedules sent nothing: all of a schedule that were not told yet in one mail,
// at most once a day.
func (s *Store) tellLost(ctx context.Context, now time.Time) (told int, err error) {
	day, since := notice.LostSince(now)
	rows, err := s.read.QueryContext(ctx, `SELECT s.id FROM schedule s WHERE s.told_at < $1 AND s.id IN
		(SELECT r.schedule_id FROM schedule_run r WHERE `+untoldRun+` AND r.changed_at >= $2) ORDER BY s.id LIMIT $3`, millis(day), millis(since), lostBatch)
	ids, err := collect(rows, err, func(row scanner) (id broadcast.ScheduleID, err error) {
		err = row.Scan(&id)
		return id, err
	})
	if err != nil {
		return 0, fmt.Errorf("list schedules that lost times: %w", err)
	}
	var errs []error // of one schedule: the others do not wait for it
	for _, id := range ids {
		var one bool
		err := s.inTx(ctx, func(tx *sql.Tx) (err error) {
			one, err = s.tellLostOf(ctx, tx, id, day, now)
			return err
		})
		if err != nil {
			errs = append(errs, fmt.Errorf("tell of the lost times of schedule %s: %w", id, err))
		} else if one {
			told++
		}
	}
	return told, errors.Join(errs...)
}

func (s *Store) tellLostOf(ctx context.Context, tx *sql.Tx, id broadcast.ScheduleID, day, now time.Time) (bool, error) {
	mine, err := changed(tx.ExecContext(ctx, `UPDATE schedule SET told_at = $3 WHERE id = $1 AND told_at < $2`, id, millis(day), millis(now)))
	if err != nil || !mine { // another process was first
		return false, err
	}
	sch, err := scheduleOf(ctx, tx, id, "")
	if err != nil {
		return false, err
	}
	data := notice.ScheduleMissed{
		ScheduleID: string(id), Schedule: sch.Name, Cron: sch.Cron, Zone: sch.Zone,
		Paused: sch.State != broadcast.ScheduleActive, NextAt: sch.NextAt, Path: "/console/schedules/" + string(id),
	}
	var walletID string // a bot that lost its wallet: that of what it sent last
	err = tx.QueryRowContext(ctx, `SELECT t.name, COALESCE(t.wallet_id, (SELECT b.wallet_id FROM broadcast b WHERE b.bot_id = t.id ORDER BY b.id DESC LIMIT 1), '')
		FROM bot t WHERE t.id = $1`, sch.BotID).Scan(&data.Bot, &walletID)
	if err != nil {
		return false, fmt.Errorf("read its bot: %w", err)
	}
	// They are marked before they are read: one that is written meanwhile is told of in the next mail.
	if _, err := tx.ExecContext(ctx, `UPDATE schedule_run AS r SET told_at = $2 WHERE r.schedule_id = $1 AND `+untoldRun, id, millis(now)); err != nil {
		return false, fmt.Errorf("note that they are told of: %w", err)
	}
	const marked = `r.schedule_id = $1 AND r.told_at = $2`
	// What began in the place of a missed time was due when that was found.
	rows, err := tx.QueryContext(ctx, `SELECT r.due_at, r.causes, CASE r.state WHEN 'failed' THEN r.reason ELSE '' END, COALESCE((SELECT MIN(i.due_at) FROM schedule_run i
			WHERE r.state = 'missed' AND i.schedule_id = r.schedule_id AND i.due_at > r.due_at AND i.due_at <= r.changed_at AND i.state IN ('copying', 'started')), 0)
		FROM schedule_run r WHERE `+marked+` ORDER BY r.due_at DESC LIMIT $3`, id, millis(now), lostTimes)
	data.Times, err = collect(rows, err, func(row scanner) (l notice.LostTime, err error) {
		var causes string
		err = row.Scan(at(&l.At), &causes, &l.Reason, at(&l.InsteadAt))
		l.Causes = split(causes)
		return l, err
	})
	if err != nil {
		return false, fmt.Errorf("list them: %w", err)
	}
	slices.Reverse(data.Times)
	var all int64
	err = tx.QueryRowContext(ctx, `SELECT CAST(COALESCE(SUM(r.times), 0) AS BIGINT) FROM schedule_run r WHERE `+marked, id, millis(now)).Scan(&all)
	if err != nil {
		return false, fmt.Errorf("count them: %w", err)
	}
	data.Earlier = all - int64(len(data.Times))
	return true, mailSenders(ctx, tx, sch.BotID, sch.CreatedBy, notice.Event{
		WalletID: walletID, Subject: string(id) + "/" + day.In(clock.Seoul).Format(time.DateOnly), At: now, Data: data,
	})
}
