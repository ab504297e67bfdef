package store

import (
	"cmp"
	"context"
	"crypto/sha256"
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
		answer, again, err := claimRequest(ctx, tx, r.Scope, r.Key, r.BodyHash, string(sch.ID))
		if err != nil {
			return err
		}
		if again {
			sch, err = scheduleOf(ctx, tx, broadcast.ScheduleID(answer), "")
			return err
		}
		standing, err := standingOf(ctx, tx, sch.BotID, sch.Side, sch.Message.Event)
		if err != nil {
			return err
		}
		if err := s.hasAudience(ctx, tx, sch); err != nil {
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
		return nil
	})
	return sch, err
}

// hasAudience is Invalid when a schedule's audience is none of its bot. It is locked: who deletes it waits, and
// finds the schedule.
func (s *Store) hasAudience(ctx context.Context, tx *sql.Tx, sch broadcast.Schedule) error {
	a, err := audienceOf(ctx, tx, sch.Audience, s.dialect.lock)
	if fault.KindOf(err) == fault.NotFound || err == nil && a.BotID != sch.BotID {
		return fault.Field("audience", "names %q, which is no audience of bot %s", sch.Audience, sch.BotID)
	}
	return err
}

func scheduleObject(id broadcast.ScheduleID) access.Object {
	return access.Object{Kind: access.OfSchedule, ID: string(id)}
}

// scheduleText is what a schedule sends, as it is stored.
func scheduleText(sch broadcast.Schedule) (data, params, personal string, err error) {
	for _, part := range []struct {
		to   *string
		from any
	}{{&data, sch.Message.Data}, {&params, sch.Message.Params}, {&personal, sch.Personal}} {
		text, err := json.Marshal(part.from)
		if err != nil {
			return "", "", "", fmt.Errorf("store the message of schedule %s: %w", sch.ID, err)
		}
		*part.to = string(text)
	}
	return data, params, personal, nil
}

func insertSchedule(ctx context.Context, tx *sql.Tx, sch broadcast.Schedule) error {
	data, params, personal, err := scheduleText(sch)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO schedule (`+scheduleColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)`,
		sch.ID, sch.BotID, sch.Side, sch.Name, sch.Message.Event, data, params, sch.Audience, sch.Cron, sch.Zone, sch.Overlap,
		sch.Window.Milliseconds(), millis(sch.Until), sch.ExpiresAfter.Milliseconds(), sch.OnDoubt, sch.State, millis(sch.NextAt), millis(sch.CreatedAt), personal, cmp.Or(sch.Purpose, broadcast.Info), sch.CreatedBy)
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

// ChangeSchedule changes a schedule under its lock, for whatever has not begun. It is Invalid when the bot has no
// such audience, or the text of advertising lacks its label. Where it is not active any more, what waits is
// skipped.
func (s *Store) ChangeSchedule(ctx context.Context, id broadcast.ScheduleID, now time.Time, change func(*broadcast.Schedule) error) (sch broadcast.Schedule, err error) {
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		before, err := scheduleOf(ctx, tx, id, s.dialect.lock)
		if err != nil {
			return err
		}
		sch = before
		if err := change(&sch); err != nil {
			return err
		}
		was, is := scheduleDiff(before, sch)
		deed := access.DeedOf(ctx)
		if len(is) == 0 {
			deed.Nothing()
			return nil
		}
		deed.Did(scheduleObject(id), was, is)
		if err := s.saveSchedule(ctx, tx, sch, is); err != nil {
			return err
		}
		if sch.State == broadcast.ScheduleActive {
			return nil
		}
		_, err = endWaiting(ctx, tx, id, "the schedule was "+string(sch.State), now)
		return err
	})
	return sch, err
}

// saveSchedule writes a locked schedule of which something differs. A text that cannot be read does not, and is
// not written over.
func (s *Store) saveSchedule(ctx context.Context, tx *sql.Tx, sch broadcast.Schedule, differs map[string]any) error {
	if _, other := differs["audience"]; other {
		if err := s.hasAudience(ctx, tx, sch); err != nil {
			return err
		}
	}
	_, err := tx.ExecContext(ctx, `UPDATE schedule SET state = $2, next_at = $3, name = $4, audience_id = $5, cron = $6, zone = $7, overlap = $8, window_ms = $9,
		until_at = $10, expires_after_ms = $11, on_doubt = $12, purpose = $13, created_by = $14 WHERE id = $1`,
		sch.ID, sch.State, millis(sch.NextAt), sch.Name, sch.Audience, sch.Cron, sch.Zone, sch.Overlap, sch.Window.Milliseconds(),
		millis(sch.Until), sch.ExpiresAfter.Milliseconds(), sch.OnDoubt, sch.Purpose, sch.CreatedBy)
	if err != nil {
		return fmt.Errorf("save schedule %s: %w", sch.ID, err)
	}
	_, purpose := differs["purpose"]
	_, text := differs["text"]
	if !purpose && !text {
		return nil
	}
	if err := adFits(ctx, tx, sch.BotID, sch.Purpose, sch.Message); err != nil {
		return err
	}
	if !text {
		return nil
	}
	data, params, personal, err := scheduleText(sch)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE schedule SET event_name = $2, event_data = $3, params = $4, personal = $5 WHERE id = $1`,
		sch.ID, sch.Message.Event, data, params, personal)
	if err != nil {
		return fmt.Errorf("save the message of schedule %s: %w", sch.ID, err)
	}
	return nil
}

// scheduleDiff is what the audit log keeps of a change of a schedule: what differs, before and after. Of texts it
// has the fingerprint.
func scheduleDiff(before, after broadcast.Schedule) (was, is map[string]any) {
	facts := func(s broadcast.Schedule) map[string]any {
		data, params, personal, _ := scheduleText(s) // one that does not encode is not stored
		hash := sha256.Sum256([]byte(s.Message.Event + "\n" + data + "\n" + params + "\n" + personal))
		until := ""
		if !s.Until.IsZero() {
			until = s.Until.Format(time.RFC3339)
		}
		return map[string]any{
			"state": string(s.State), "name": s.Name, "event": s.Message.Event, "text": fingerprint(hash[:]), "audience": string(s.Audience),
			"cron": s.Cron, "zone": s.Zone, "overlap": string(s.Overlap), "catch_up_seconds": int64(s.Window / time.Second), "until": until,
			"expires_after_seconds": int64(s.ExpiresAfter / time.Second), "on_doubt": string(s.OnDoubt), "purpose": string(s.Purpose),
		}
	}
	was, is = facts(before), facts(after)
	for name, value := range is {
		if was[name] == value {
			delete(was, name)
			delete(is, name)
		}
	}
	return was, is
}

// unusedAudience is a Conflict that names a schedule that uses an audience.
func unusedAudience(ctx context.Context, q querier, id broadcast.AudienceID) error {
	var by, name string
	err := q.QueryRowContext(ctx, `SELECT s.id, s.name FROM schedule s WHERE s.audience_id = $1 AND s.state <> 'deleted'
		OR s.id IN (SELECT r.schedule_id FROM schedule_run r WHERE r.state = 'copying' AND r.audience_id = $1) ORDER BY s.id LIMIT 1`, id).Scan(&by, &name)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return fmt.Errorf("look for schedules of audience %s: %w", id, err)
	}
	return fault.Coded(fault.Conflict, "AUDIENCE_IN_USE", "audience %s is that of schedule %s (%s); delete the schedule first", id, by, name)
}
