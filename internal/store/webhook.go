package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/webhook"
)

const hookColumns = `id, bot_id, url, events, min_people, created_at, dropped, dropped_at`

func scanHook(row scanner) (h webhook.Hook, err error) {
	var events string
	err = row.Scan(&h.ID, &h.BotID, &h.URL, &events, &h.MinPeople, at(&h.CreatedAt), &h.Dropped, at(&h.DroppedAt))
	for name := range strings.SplitSeq(events, ",") {
		h.Events = append(h.Events, webhook.Event(name))
	}
	return h, err
}

// joined is how the events of a webhook are stored.
func joined(events []webhook.Event) string {
	names := make([]string, len(events))
	for i, e := range events {
		names[i] = string(e)
	}
	return strings.Join(names, ",")
}

// Hook reads a webhook. It is NotFound when there is none, or none any more.
func (s *Store) Hook(ctx context.Context, id string) (webhook.Hook, error) {
	return hookOf(ctx, s.read, id, "")
}

func hookOf(ctx context.Context, q querier, id, lock string) (webhook.Hook, error) {
	h, err := scanHook(q.QueryRowContext(ctx, `SELECT `+hookColumns+` FROM webhook WHERE id = $1 AND deleted_at = 0`+lock, id))
	return h, orNotFound(err, "webhook", id)
}

// HookFilter narrows a list of webhooks; an empty field does not.
type HookFilter struct {
	Sight access.Sight // a person sees those of the bots that he sees
	BotID string
}

// Hooks lists webhooks in the order in which they were made: those after an id.
func (s *Store) Hooks(ctx context.Context, f HookFilter, after string, limit int) ([]webhook.Hook, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+hookColumns+` FROM webhook WHERE deleted_at = 0 AND id > $1 AND ($2 = '' OR bot_id = $2) AND `+
		fmt.Sprintf(seesBot, 3, "bot_id")+` ORDER BY id LIMIT $4`, after, f.BotID, string(f.Sight), limit)
	return collect(rows, err, scanHook)
}

// shownHook is a webhook in the audit log, which more people read than may know the address.
func shownHook(h webhook.Hook) map[string]any {
	return map[string]any{"bot": h.BotID, "url": h.Shown(), "events": h.Events, "min_people": h.MinPeople}
}

// InsertHook stores a webhook of a bot, which may have so many.
func (s *Store) InsertHook(ctx context.Context, h webhook.Hook, sealed []byte) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		if _, err := s.lockBot(ctx, tx, h.BotID); err != nil {
			return err
		}
		var n int
		if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM webhook WHERE bot_id = $1 AND deleted_at = 0`, h.BotID).Scan(&n); err != nil {
			return fmt.Errorf("count webhooks: %w", err)
		}
		if n >= webhook.MaxHooks {
			return fault.New(fault.Refused, "bot %s has %d webhooks already, as many as it may have; delete one first", h.BotID, n)
		}
		access.DeedOf(ctx).Did(access.Object{Kind: access.OfWebhook, ID: h.ID}, nil, shownHook(h))
		_, err := tx.ExecContext(ctx, `INSERT INTO webhook (id, bot_id, url, events, min_people, created_at, secret_sealed, deleted_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 0)`,
			h.ID, h.BotID, h.URL, joined(h.Events), h.MinPeople, millis(h.CreatedAt), sealed)
		return err
	})
}

// ChangeHook sets what is given of a webhook. What is to be delivered goes to the new address.
func (s *Store) ChangeHook(ctx context.Context, id string, c webhook.Change) (h webhook.Hook, err error) {
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		if h, err = hookOf(ctx, tx, id, s.dialect.lock); err != nil {
			return err
		}
		before := h
		if c.URL != nil {
			h.URL = *c.URL
		}
		if c.Events != nil {
			h.Events = *c.Events
		}
		if c.MinPeople != nil {
			h.MinPeople = *c.MinPeople
		}
		access.DeedOf(ctx).Did(access.Object{Kind: access.OfWebhook, ID: id}, shownHook(before), shownHook(h))
		_, err := tx.ExecContext(ctx, `UPDATE webhook SET url = $2, events = $3, min_people = $4 WHERE id = $1`, id, h.URL, joined(h.Events), h.MinPeople)
		return err
	})
	return h, err
}

// DeleteHook takes a webhook away: its secret is forgotten, and what was to be delivered is given up. Its row is
// not locked meanwhile, as whoever tells it of something waits for that.
func (s *Store) DeleteHook(ctx context.Context, id string, now time.Time) error {
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		h, err := hookOf(ctx, tx, id, s.dialect.lock)
		if err != nil {
			return err
		}
		access.DeedOf(ctx).Did(access.Object{Kind: access.OfWebhook, ID: id}, shownHook(h), nil)
		if _, err := tx.ExecContext(ctx, `UPDATE webhook SET deleted_at = $2, secret_sealed = $3 WHERE id = $1`, id, millis(now), []byte{}); err != nil {
			return fmt.Errorf("delete webhook: %w", err)
		}
		return nil
	})
	if err == nil {
		_ = s.giveUp(ctx, id, now) // what is left [Store.DropDeliveries] finds
	}
	return err
}

// giveUp ends all open deliveries of a deleted webhook, some at a time.
func (s *Store) giveUp(ctx context.Context, hookID string, now time.Time) error {
	for {
		result, err := s.write.ExecContext(ctx, `UPDATE webhook_delivery SET state = 'failed', epoch = epoch + 1, enqueued_at = 0, lease_until = 0, done_at = $2,
			error = 'the webhook was deleted' WHERE state IN ('waiting', 'sending') AND id IN
			(SELECT o.id FROM webhook_delivery o WHERE o.state IN ('waiting', 'sending') AND o.webhook_id = $1 ORDER BY o.id LIMIT $3)`,
			hookID, millis(now), dropAtOnce)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return err
		}
	}
}

// tellHooks writes what a bot's webhooks are told of a broadcast to so many people, in the transaction of what
// happened. Telling again changes nothing.
func tellHooks(ctx context.Context, tx *sql.Tx, botID string, people int, all ...webhook.News) error {
	if len(all) == 0 {
		return nil
	}
	rows, err := tx.QueryContext(ctx, `SELECT `+hookColumns+` FROM webhook WHERE bot_id = $1 AND deleted_at = 0 AND min_people <= $2 ORDER BY id`, botID, people)
	hooks, err := collect(rows, err, scanHook)
	if err != nil {
		return fmt.Errorf("look up the webhooks of bot %s: %w", botID, err)
	}
	for _, h := range hooks {
		for _, n := range all {
			for _, wanted := range h.Events {
				if wanted != n.Event {
					continue
				}
				if _, err := insertDelivery(ctx, tx, h.ID, n); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func insertDelivery(ctx context.Context, tx *sql.Tx, hookID string, n webhook.News) (id string, err error) {
	body, err := n.Body(hookID)
	if err != nil {
		return "", err
	}
	id = n.DeliveryID(hookID)
	_, err = tx.ExecContext(ctx, `INSERT INTO webhook_delivery (id, webhook_id, event, subject_id, body, state, epoch, next_at, enqueued_at,
		attempts, lease_until, status, error, created_at, done_at)
		VALUES ($1, $2, $3, $4, $5, 'waiting', 0, $6, 0, 0, 0, 0, '', $6, 0) ON CONFLICT DO NOTHING`,
		id, hookID, n.Event, n.Subject, string(body), millis(n.At))
	if err != nil {
		return "", fmt.Errorf("insert a delivery of %s: %w", n.Event, err)
	}
	return id, nil
}

const deliveryColumns = `id, webhook_id, event, subject_id, body, state, attempts, next_at, status, error, created_at, done_at`

func scanDelivery(row scanner) (d webhook.Delivery, err error) {
	var body string
	err = row.Scan(&d.ID, &d.HookID, &d.Event, &d.Subject, &body, &d.State, &d.Attempts, at(&d.NextAt), &d.Status, &d.Error, at(&d.CreatedAt), at(&d.DoneAt))
	d.Body = []byte(body)
	return d, err
}

// Deliveries lists what a webhook was told, newest first: those before an id, and only those in a state unless
// that is empty. It is NotFound when there is no such webhook.
func (s *Store) Deliveries(ctx context.Context, hookID string, state webhook.State, before string, limit int) ([]webhook.Delivery, error) {
	if _, err := s.Hook(ctx, hookID); err != nil {
		return nil, err
	}
	if before == "" {
		before = "~" // after every id
	}
	rows, err := s.read.QueryContext(ctx, `SELECT `+deliveryColumns+` FROM webhook_delivery WHERE webhook_id = $1 AND id < $2
		AND (CAST($3 AS TEXT) = '' OR state = $3) ORDER BY id DESC LIMIT $4`, hookID, before, string(state), limit)
	return collect(rows, err, scanDelivery)
}

// openPing returns the test of a locked webhook that is under way, apart from one; "" when there is none.
func openPing(ctx context.Context, tx *sql.Tx, hookID, apartFrom string) (id string, err error) {
	err = tx.QueryRowContext(ctx, `SELECT id FROM webhook_delivery WHERE event = 'ping' AND state IN ('waiting', 'sending') AND webhook_id = $1 AND id <> $2`,
		hookID, apartFrom).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return id, err
}

// InsertPing writes a test for one webhook, or has the one that waits for its next try made now.
func (s *Store) InsertPing(ctx context.Context, hookID, subject string, now time.Time) (d webhook.Delivery, err error) {
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		if _, err := hookOf(ctx, tx, hookID, s.dialect.lock); err != nil {
			return err
		}
		id, err := openPing(ctx, tx, hookID, "")
		if err != nil {
			return fmt.Errorf("look for a test: %w", err)
		}
		if id == "" {
			id, err = insertDelivery(ctx, tx, hookID, webhook.PingOf(hookID, subject, now))
		} else {
			_, err = tx.ExecContext(ctx, `UPDATE webhook_delivery SET next_at = $2 WHERE id = $1 AND state = 'waiting' AND enqueued_at = 0 AND next_at > $2`, id, millis(now))
		}
		if err != nil {
			return err
		}
		access.DeedOf(ctx).Did(access.Object{Kind: access.OfWebhook, ID: hookID}, nil, map[string]any{"ping": id})
		d, err = scanDelivery(tx.QueryRowContext(ctx, `SELECT `+deliveryColumns+` FROM webhook_delivery WHERE id = $1`, id))
		return err
	})
	return d, err
}

// Replay has a delivery that is over made again, from its first try on.
func (s *Store) Replay(ctx context.Context, hookID, id string, now time.Time) (d webhook.Delivery, err error) {
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		if _, err := hookOf(ctx, tx, hookID, s.dialect.lock); err != nil {
			return err
		}
		d, err = scanDelivery(tx.QueryRowContext(ctx, `UPDATE webhook_delivery SET state = 'waiting', epoch = epoch + 1, next_at = $3, enqueued_at = 0, attempts = 0,
			done_at = 0 WHERE id = $1 AND webhook_id = $2 AND state IN ('delivered', 'failed') RETURNING `+deliveryColumns, id, hookID, millis(now)))
		if errors.Is(err, sql.ErrNoRows) {
			err = tx.QueryRowContext(ctx, `SELECT state FROM webhook_delivery WHERE id = $1 AND webhook_id = $2`, id, hookID).Scan(&d.State)
			if err == nil {
				return fault.Coded(fault.Conflict, "WRONG_STATE", "delivery %s is %s; only what was delivered or given up is made again", id, d.State)
			}
			return orNotFound(err, "delivery", id)
		}
		if err == nil && d.Event == webhook.Ping {
			var other string
			if other, err = openPing(ctx, tx, hookID, id); other != "" {
				return fault.Coded(fault.Conflict, "PING_UNDER_WAY", "another test, %s, is under way; a webhook has one at a time", other)
			}
		}
		access.DeedOf(ctx).Did(access.Object{Kind: access.OfWebhook, ID: hookID}, nil, map[string]any{"replay": id})
		return err
	})
	return d, err
}

// ClaimDelivery moves a delivery from waiting to sending. ok is false for one that is taken, over, of another
// epoch or not yet due.
func (s *Store) ClaimDelivery(ctx context.Context, id string, epoch int, now, leaseUntil time.Time) (c webhook.Claim, ok bool, err error) {
	var body string
	err = s.write.QueryRowContext(ctx, `UPDATE webhook_delivery SET state = 'sending', lease_until = $4
		WHERE id = $1 AND epoch = $2 AND state = 'waiting' AND next_at <= $3
		RETURNING id, webhook_id, event, body, attempts, (SELECT bot_id FROM webhook h WHERE h.id = webhook_id),
			(SELECT url FROM webhook h WHERE h.id = webhook_id), (SELECT secret_sealed FROM webhook h WHERE h.id = webhook_id)`, id, epoch, millis(now), millis(leaseUntil)).
		Scan(&c.ID, &c.HookID, &c.Event, &body, &c.Attempts, &c.BotID, &c.URL, &c.Sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return webhook.Claim{}, false, nil
	}
	c.Body = []byte(body)
	return c, err == nil, err
}

// RecordDelivery writes what came of a try. It changes nothing when the lease of the try was over and the
// delivery is not this epoch's any more.
func (s *Store) RecordDelivery(ctx context.Context, id string, epoch int, now time.Time, r webhook.Result) error {
	var doneAt time.Time
	if r.State != webhook.Waiting {
		doneAt = now
	}
	_, err := s.write.ExecContext(ctx, `UPDATE webhook_delivery SET state = $3, attempts = $4, next_at = $5, status = $6, error = $7, done_at = $8,
		epoch = epoch + 1, lease_until = 0, enqueued_at = 0 WHERE id = $1 AND epoch = $2 AND state = 'sending'`,
		id, epoch, string(r.State), r.Attempts, millis(r.NextAt), r.Status, r.Reason, millis(doneAt))
	return err
}

// ExpireDeliveries lets deliveries whose lease is over be tried again: the worker that had them is dead or
// frozen. One that was lost on its last try is given up. It returns how many leases ended.
func (s *Store) ExpireDeliveries(ctx context.Context, now time.Time) (int, error) {
	const over = `state IN ('waiting', 'sending') AND state = 'sending' AND lease_until <= $1`
	var some bool
	err := s.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM webhook_delivery WHERE `+over+`)`, millis(now)).Scan(&some)
	if err != nil || !some {
		return 0, err
	}
	result, err := s.write.ExecContext(ctx, `UPDATE webhook_delivery SET state = CASE WHEN attempts + 1 >= $2 THEN 'failed' ELSE 'waiting' END,
		done_at = CASE WHEN attempts + 1 >= $2 THEN $1 ELSE 0 END,
		attempts = attempts + 1, epoch = epoch + 1, next_at = $1, enqueued_at = 0, lease_until = 0,
		error = 'the worker that made it did not report back' WHERE `+over, millis(now), webhook.MaxTries)
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}

const (
	keepDeliveries = 30 * 24 * time.Hour
	forgetAtOnce   = 1000
)

// ForgetDeliveries removes deliveries that have been over for 30 days, some at a time, and returns how many.
func (s *Store) ForgetDeliveries(ctx context.Context, now time.Time) (int, error) {
	result, err := s.write.ExecContext(ctx, `DELETE FROM webhook_delivery WHERE id IN
		(SELECT id FROM webhook_delivery WHERE done_at > 0 AND done_at <= $1 ORDER BY done_at LIMIT $2)`, millis(now.Add(-keepDeliveries)), forgetAtOnce)
	if err != nil {
		return 0, fmt.Errorf("forget old deliveries: %w", err)
	}
	n, err := result.RowsAffected()
	return int(n), err
}
