package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
)

const scheduleColumns = `id, bot_id, side, name, event_name, event_data, params, audience_id, cron, zone, overlap, window_ms,
	until_at, expires_after_ms, on_doubt, state, next_at, created_at, personal, purpose, created_by`

// scanSchedule reads scheduleColumns. A message that cannot be read fails nothing: the schedule can still be
// shown and ended.
func scanSchedule(row scanner) (s broadcast.Schedule, err error) {
	var data, params, personal []byte
	var window, expires int64
	err = row.Scan(&s.ID, &s.BotID, &s.Side, &s.Name, &s.Message.Event, &data, &params, &s.Audience, &s.Cron, &s.Zone, &s.Overlap, &window,
		at(&s.Until), &expires, &s.OnDoubt, &s.State, at(&s.NextAt), at(&s.CreatedAt), &personal, &s.Purpose, &s.CreatedBy)
	if err != nil {
		return s, err
	}
	s.Window, s.ExpiresAfter = time.Duration(window)*time.Millisecond, time.Duration(expires)*time.Millisecond
	if err := errors.Join(json.Unmarshal(data, &s.Message.Data), json.Unmarshal(params, &s.Message.Params), json.Unmarshal(personal, &s.Personal)); err != nil {
		s.Message, s.Unreadable = broadcast.Message{}, err.Error()
	}
	return s, nil
}

// Schedule reads a schedule. It is NotFound when there is none.
func (s *Store) Schedule(ctx context.Context, id broadcast.ScheduleID) (broadcast.Schedule, error) {
	return scheduleOf(ctx, s.read, id, "")
}

func scheduleOf(ctx context.Context, q querier, id broadcast.ScheduleID, lock string) (broadcast.Schedule, error) {
	sch, err := scanSchedule(q.QueryRowContext(ctx, `SELECT `+scheduleColumns+` FROM schedule WHERE id = $1`+lock, id))
	return sch, orNotFound(err, "schedule", string(id))
}

// ScheduleFilter narrows a list of schedules; an empty field does not.
type ScheduleFilter struct {
	Sight access.Sight // a person sees those of the bots that he sees
	BotID string
}

// ScheduleList lists schedules that are not deleted in the order in which they were made: those after an id.
func (s *Store) ScheduleList(ctx context.Context, f ScheduleFilter, after broadcast.ScheduleID, limit int) ([]broadcast.Schedule, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+scheduleColumns+` FROM schedule WHERE id > $1 AND state <> 'deleted' AND ($2 = '' OR bot_id = $2) AND `+
		fmt.Sprintf(seesBot, 3, "bot_id")+` ORDER BY id LIMIT $4`, after, f.BotID, string(f.Sight), limit)
	return collect(rows, err, scanSchedule)
}

// CreateSchedule stores a schedule. A repeated request returns the one that the first made.
func (s *Store) CreateSchedule(ctx context.Context, sch broadcast.Schedule, r broadcast.Request) (broadcast.Schedule, error) {
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		answer, again, err := claimRequest(ctx, tx, r.Scope, r.Key, r.BodyHash)
		if err != nil {
			return err
		}
		if again {
			sch, err = scheduleOf(ctx, tx, broadcast.ScheduleID(answer), "")
			return err
		}
		standing, err := standingOf(ctx, tx, sch.BotID, sch.Side)
		if err != nil {
			return err
		}
		a, err := audienceOf(ctx, tx, sch.Audience, s.dialect.lock) // who deletes it waits, and finds the schedule
		switch {
		case fault.KindOf(err) == fault.NotFound, err == nil && a.BotID != sch.BotID:
			return fault.Field("audience", "names %q, which is no audience of bot %s", sch.Audience, sch.BotID)
		case err != nil:
			return err
		}
		if err := standing.Check(); err != nil {
			return err
		}
		if err := adFits(ctx, tx, sch.BotID, sch.Purpose, sch.Message); err != nil {
			return err
		}
		if err := insertSchedule(ctx, tx, sch); err != nil {
			return err
		}
		access.DeedOf(ctx).Did(scheduleObject(sch.ID), nil, map[string]any{
			"bot": sch.BotID, "name": sch.Name, "event": sch.Message.Event, "audience": sch.Audience, "cron": sch.Cron, "zone": sch.Zone,
		})
		return answerRequest(ctx, tx, r.Scope, r.Key, []byte(sch.ID))
	})
	return sch, err
}

func scheduleObject(id broadcast.ScheduleID) access.Object {
	return access.Object{Kind: access.OfSchedule, ID: string(id)}
}

func insertSchedule(ctx context.Context, tx *sql.Tx, sch broadcast.Schedule) error {
	data, err := json.Marshal(sch.Message.Data)
	if err != nil {
		return fmt.Errorf("store event data: %w", err)
	}
	params, err := json.Marshal(sch.Message.Params)
	if err != nil {
		return fmt.Errorf("store params: %w", err)
	}
	personal, err := json.Marshal(sch.Personal)
	if err != nil {
		return fmt.Errorf("store personal text: %w", err)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO schedule (`+scheduleColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)`,
		sch.ID, sch.BotID, sch.Side, sch.Name, sch.Message.Event, string(data), string(params), sch.Audience, sch.Cron, sch.Zone, sch.Overlap,
		sch.Window.Milliseconds(), millis(sch.Until), sch.ExpiresAfter.Milliseconds(), sch.OnDoubt, sch.State, millis(sch.NextAt), millis(sch.CreatedAt), string(personal), cmp.Or(sch.Purpose, broadcast.Info), sch.CreatedBy)
	if err != nil {
		return fmt.Errorf("insert schedule %s: %w", sch.ID, err)
	}
	return nil
}

// RepeatedSchedule returns the schedule that an earlier call with the same request made. It is Invalid
// when that call had another body.
func (s *Store) RepeatedSchedule(ctx context.Context, r broadcast.Request) (sch broadcast.Schedule, repeated bool, err error) {
	answer, repeated, err := s.repeatedRequest(ctx, r)
	if err != nil || !repeated {
		return sch, false, err
	}
	sch, err = s.Schedule(ctx, broadcast.ScheduleID(answer))
	return sch, err == nil, err
}

// ChangeSchedule changes state and next occurrence of a schedule. Where it is not active any more, what
// waits is skipped.
func (s *Store) ChangeSchedule(ctx context.Context, id broadcast.ScheduleID, now time.Time, change func(*broadcast.Schedule) error) (sch broadcast.Schedule, err error) {
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		if sch, err = scheduleOf(ctx, tx, id, s.dialect.lock); err != nil {
			return err
		}
		before := sch.State
		if err := change(&sch); err != nil {
			return err
		}
		deed := access.DeedOf(ctx)
		if sch.State == before {
			deed.Nothing()
			return nil
		}
		deed.Did(scheduleObject(id), map[string]any{"state": before}, map[string]any{"state": sch.State})
		if _, err := tx.ExecContext(ctx, `UPDATE schedule SET state = $2, next_at = $3 WHERE id = $1`, id, sch.State, millis(sch.NextAt)); err != nil {
			return fmt.Errorf("save schedule %s: %w", id, err)
		}
		if sch.State == broadcast.ScheduleActive {
			return nil
		}
		_, err = skipWaiting(ctx, tx, id, "the schedule was "+string(sch.State), now)
		return err
	})
	return sch, err
}

// unusedAudience is a Conflict that names a schedule that uses an audience.
func unusedAudience(ctx context.Context, q querier, id broadcast.AudienceID) error {
	var by, name string
	err := q.QueryRowContext(ctx, `SELECT s.id, s.name FROM schedule s WHERE s.audience_id = $1 AND (s.state <> 'deleted'
		OR EXISTS (SELECT 1 FROM schedule_run r WHERE r.schedule_id = s.id AND r.state = 'copying')) ORDER BY s.id LIMIT 1`, id).Scan(&by, &name)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return fmt.Errorf("look for schedules of audience %s: %w", id, err)
	}
	return fault.Coded(fault.Conflict, "AUDIENCE_IN_USE", "audience %s is that of schedule %s (%s); delete the schedule first", id, by, name)
}
