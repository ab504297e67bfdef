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
	"github.com/malgil/malgil/internal/bot"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/trace"
	"github.com/malgil/malgil/internal/wallet"
	"github.com/malgil/malgil/internal/webhook"
)

const broadcastColumns = `id, wallet_id, bot_id, side, name, event_name, event_data, params, event_option, price_krw, state,
	wait_reason, wait_until, note, start_at, expires_at, audience, duplicates, bad_rows, delivered, failed,
	unknown, skipped, in_doubt, chunks, planned_chunks, captured_krw, refusals, upload_epoch,
	upload_after, audience_epoch, excluded, created_at, sealed_at, started_at, finished_at, on_doubt, retry_of, retry_for,
	canary_people, canary_wait_ms, canary_max_missed, stop_above, canary_seq, canary_done_at, canary_passed, told, missed, purpose, personal, test_of, sealed_by, approved_by, approved_at, stay_paused, look_at`

// scanBroadcast reads broadcastColumns. A message that cannot be read fails nothing: the broadcast
// can still be shown, stopped and settled.
func scanBroadcast(row scanner) (b broadcast.Broadcast, err error) {
	var data, params, option, personal, retryFor []byte
	var canaryWait, passed, stays int64
	n, canary := &b.Counts, &b.Caution.Canary
	err = row.Scan(&b.ID, &b.WalletID, &b.BotID, &b.Side, &b.Name, &b.Message.Event, &data, &params, &option, &b.Price, &b.State,
		&b.Wait, at(&b.WaitUntil), &b.Note, at(&b.StartAt), at(&b.ExpiresAt), &n.Audience, &n.Duplicates, &n.BadRows,
		&n.Delivered, &n.Failed, &n.Unknown, &n.Skipped, &n.InDoubt, &b.Chunks, &b.PlannedChunks, &b.Captured,
		&b.Refusals, &b.UploadEpoch, &b.UploadAfter, &b.AudienceEpoch, &n.Excluded, at(&b.CreatedAt), at(&b.SealedAt), at(&b.StartedAt), at(&b.FinishedAt), &b.OnDoubt, &b.RetryOf, &retryFor,
		&canary.People, &canaryWait, &canary.MaxMissed, &b.Caution.StopAbove, &b.Watch.CanarySeq, at(&b.Watch.CanaryDoneAt), &passed, &b.Watch.Told, &b.Watch.Missed, &b.Purpose, &personal, &b.TestOf, &b.SealedBy, &b.ApprovedBy, at(&b.ApprovedAt), &stays, at(&b.LookAt))
	if err != nil {
		return b, err
	}
	canary.Wait, b.Watch.CanaryPassed, b.StayPaused = time.Duration(canaryWait)*time.Millisecond, passed == 1, stays == 1
	if err := json.Unmarshal(data, &b.Message.Data); err != nil {
		b.Message, b.Unreadable = broadcast.Message{}, "event data: "+err.Error()
	} else if err := json.Unmarshal(params, &b.Message.Params); err != nil {
		b.Message, b.Unreadable = broadcast.Message{}, "params: "+err.Error()
	} else if err := json.Unmarshal(option, &b.Message.Option); err != nil {
		b.Message, b.Unreadable = broadcast.Message{}, "option: "+err.Error()
	} else if err := json.Unmarshal(personal, &b.Personal); err != nil {
		b.Message, b.Unreadable = broadcast.Message{}, "personal text: "+err.Error()
	} else if err := json.Unmarshal(retryFor, &b.RetryFor); err != nil {
		b.Message, b.Unreadable = broadcast.Message{}, "whom it retries: "+err.Error()
	}
	return b, nil
}

// Broadcast reads a broadcast. It is NotFound when there is none.
func (s *Store) Broadcast(ctx context.Context, id broadcast.ID) (broadcast.Broadcast, error) {
	b, err := scanBroadcast(s.read.QueryRowContext(ctx, `SELECT `+broadcastColumns+` FROM broadcast WHERE id = $1`, id))
	return b, orNotFound(err, "broadcast", string(id))
}

// lockBroadcast reads a broadcast that the transaction will change. A wallet it changes too is
// locked before.
func (s *Store) lockBroadcast(ctx context.Context, tx *sql.Tx, id broadcast.ID) (broadcast.Broadcast, error) {
	b, err := scanBroadcast(tx.QueryRowContext(ctx, `SELECT `+broadcastColumns+` FROM broadcast WHERE id = $1`+s.dialect.lock, id))
	return b, orNotFound(err, "broadcast", string(id))
}

// saveBroadcast writes what changes in the life of a locked broadcast, and its end when the
// counts say so.
func (s *Store) saveBroadcast(ctx context.Context, tx *sql.Tx, b broadcast.Broadcast, now time.Time) error {
	b = b.Finish(now)
	n := b.Counts
	_, err := tx.ExecContext(ctx, `UPDATE broadcast SET state = $2, wait_reason = $3, wait_until = $4, note = $5,
		audience = $6, duplicates = $7, bad_rows = $8, delivered = $9, failed = $10, unknown = $11, skipped = $12,
		in_doubt = $13, chunks = $14, planned_chunks = $15, captured_krw = $16, refusals = $17, upload_epoch = $18,
		sealed_at = $19, started_at = $20, finished_at = $21, excluded = $22,
		canary_done_at = $23, canary_passed = $24, told = $25, missed = $26, stay_paused = $27, look_at = $28 WHERE id = $1`,
		b.ID, b.State, b.Wait, millis(b.WaitUntil), b.Note, n.Audience, n.Duplicates, n.BadRows, n.Delivered, n.Failed,
		n.Unknown, n.Skipped, n.InDoubt, b.Chunks, b.PlannedChunks, b.Captured, b.Refusals, b.UploadEpoch,
		millis(b.SealedAt), millis(b.StartedAt), millis(b.FinishedAt), n.Excluded,
		millis(b.Watch.CanaryDoneAt), asInt(b.Watch.CanaryPassed), b.Watch.Told, b.Watch.Missed, asInt(b.StayPaused), millis(b.LookAt))
	if err != nil {
		return fmt.Errorf("save broadcast %s: %w", b.ID, err)
	}
	if err := s.mailReport(ctx, tx, b, now); err != nil {
		return err
	}
	return tellHooks(ctx, tx, b.BotID, n.Audience, webhook.Of(b, now)...)
}

// CreateBroadcast stores an order and its chunks for the wallet of its bot. A repeated request returns the
// broadcast that the first one made. It is NotFound when there is no such bot, and a Conflict
// when the bot may not send, whatever the order would wait for: see [bot.Standing]; and with chunks when the number of
// their people has to be said, and said, 0 for nothing, is another: see [broadcast.Checks].
func (s *Store) CreateBroadcast(ctx context.Context, b broadcast.Broadcast, chunks []broadcast.Packed, said int, r broadcast.Request) (created broadcast.Broadcast, repeated bool, err error) {
	created, err = s.newBroadcast(ctx, b, chunks, r, func(_ *sql.Tx, at bot.Standing, _ wallet.KRW) error {
		if err := at.Check(); err != nil || len(chunks) == 0 {
			return err
		}
		return s.checks.ConfirmOrder(b.Counts.Audience, said)
	})
	return created, err == nil && created.ID != b.ID, err
}

// newBroadcast stores an order that may passes at the price of a message, or returns what an earlier
// call with the same request made.
func (s *Store) newBroadcast(ctx context.Context, b broadcast.Broadcast, chunks []broadcast.Packed, r broadcast.Request,
	may func(tx *sql.Tx, at bot.Standing, price wallet.KRW) error,
) (broadcast.Broadcast, error) {
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		answer, again, err := claimRequest(ctx, tx, r.Scope, r.Key, r.BodyHash, string(b.ID))
		if err != nil {
			return err
		}
		if again {
			b, err = s.lockBroadcast(ctx, tx, broadcast.ID(answer))
			return err
		}
		at, err := standingOf(ctx, tx, b.BotID, b.Side, b.Message.Event)
		if err != nil {
			return err
		}
		if b.RetryOf != "" {
			if err := s.notRetried(ctx, tx, at.WalletID, b); err != nil {
				return err
			}
		}
		price, err := priceOf(ctx, tx, b.CreatedAt)
		if err != nil {
			return err
		}
		if err := may(tx, at, price); err != nil {
			return err
		}
		if err := adFits(ctx, tx, b.BotID, b.Purpose, b.Message); err != nil {
			return err
		}
		b.WalletID = at.WalletID
		b = s.checks.Priced(b, price)
		if err := insertBroadcast(ctx, tx, b); err != nil {
			return err
		}
		if err := storeChunks(ctx, tx, b, chunks); err != nil {
			return err
		}
		return tellHooks(ctx, tx, b.BotID, b.Counts.Audience, webhook.Of(b, b.CreatedAt)...)
	})
	return b, err
}

// RepeatedBroadcast returns the broadcast that an earlier call with the same request made. It is
// Invalid when that call had another body.
func (s *Store) RepeatedBroadcast(ctx context.Context, r broadcast.Request) (b broadcast.Broadcast, repeated bool, err error) {
	answer, repeated, err := s.repeatedRequest(ctx, r)
	if err != nil || !repeated {
		return b, false, err
	}
	b, err = s.Broadcast(ctx, broadcast.ID(answer))
	return b, err == nil, err
}

// repeatedRequest returns what an earlier call with the same request was answered.
func (s *Store) repeatedRequest(ctx context.Context, r broadcast.Request) (answer []byte, repeated bool, err error) {
	errFirst := errors.New("no earlier call") // takes the claim back
	err = s.inTx(ctx, func(tx *sql.Tx) (err error) {
		answer, repeated, err = claimRequest(ctx, tx, r.Scope, r.Key, r.BodyHash, "")
		if err == nil && !repeated {
			err = errFirst
		}
		return err
	})
	if errors.Is(err, errFirst) {
		return nil, false, nil
	}
	return answer, err == nil, err
}

func insertBroadcast(ctx context.Context, tx *sql.Tx, b broadcast.Broadcast) error {
	data, err := json.Marshal(b.Message.Data)
	if err != nil {
		return fmt.Errorf("store event data: %w", err)
	}
	params, err := json.Marshal(b.Message.Params)
	if err != nil {
		return fmt.Errorf("store params: %w", err)
	}
	option, err := json.Marshal(b.Message.Option)
	if err != nil {
		return fmt.Errorf("store option: %w", err)
	}
	personal, err := json.Marshal(b.Personal)
	if err != nil {
		return fmt.Errorf("store personal text: %w", err)
	}
	retryFor, err := json.Marshal(b.RetryFor)
	if err != nil {
		return fmt.Errorf("store whom it retries: %w", err)
	}
	canary := b.Caution.Canary
	_, err = tx.ExecContext(ctx, `INSERT INTO broadcast (id, wallet_id, bot_id, side, name, event_name, event_data, params,
		price_krw, state, wait_reason, wait_until, start_at, expires_at, created_at, sealed_at,
		upload_epoch, audience_epoch, audience, duplicates, chunks, planned_chunks,
		event_option, bad_rows, delivered, failed, unknown, skipped, in_doubt, captured_krw, refusals, note, started_at, finished_at, on_doubt, retry_of,
		canary_people, canary_wait_ms, canary_max_missed, stop_above, canary_seq, personal, test_of, purpose, sealed_by, trace, retry_for)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23,
		0, 0, 0, 0, 0, 0, 0, 0, '', 0, 0, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36)`,
		b.ID, b.WalletID, b.BotID, b.Side, b.Name, b.Message.Event, string(data), string(params),
		b.Price, b.State, b.Wait, millis(b.WaitUntil), millis(b.StartAt), millis(b.ExpiresAt), millis(b.CreatedAt), millis(b.SealedAt),
		b.UploadEpoch, b.AudienceEpoch, b.Counts.Audience, b.Counts.Duplicates, b.Chunks, b.PlannedChunks, string(option), cmp.Or(b.OnDoubt, broadcast.HoldDoubt), b.RetryOf,
		canary.People, canary.Wait.Milliseconds(), canary.MaxMissed, cmp.Or(b.Caution.StopAbove, broadcast.DefaultStopAbove), b.Watch.CanarySeq, string(personal), b.TestOf, cmp.Or(b.Purpose, broadcast.Info), b.SealedBy, trace.Parent(ctx), string(retryFor))
	if err != nil {
		return fmt.Errorf("insert broadcast %s: %w", b.ID, err)
	}
	return nil
}

// changeBroadcast runs a change of one broadcast under the locks of its wallet and itself, and
// returns the broadcast as it is afterwards.
func (s *Store) changeBroadcast(ctx context.Context, id broadcast.ID, now time.Time,
	change func(tx *sql.Tx, b *broadcast.Broadcast) error,
) (b broadcast.Broadcast, err error) {
	before, err := s.Broadcast(ctx, id) // its wallet never changes
	if err != nil {
		return b, err
	}
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		if _, err := s.lockWallet(ctx, tx, before.WalletID); err != nil {
			return err
		}
		if b, err = s.lockBroadcast(ctx, tx, id); err != nil {
			return err
		}
		state, wait, passed, stays := b.State, b.Wait, b.Watch.CanaryPassed, b.StayPaused
		if err := change(tx, &b); err != nil {
			return err
		}
		b = b.Finish(now)
		switch deed := access.DeedOf(ctx); {
		case b.State == state && b.Watch.CanaryPassed && !passed:
			deed.Did(access.Object{Kind: access.OfBroadcast, ID: string(id)}, map[string]any{"wait": broadcast.WaitCanary}, map[string]any{"wait": b.Wait})
		case b.State == state && b.StayPaused != stays:
			deed.Did(access.Object{Kind: access.OfBroadcast, ID: string(id)}, map[string]any{"wait": wait, "paused": stays}, map[string]any{"wait": b.Wait, "paused": b.StayPaused || b.Wait == broadcast.WaitPaused})
		case b.State == state:
			deed.Nothing()
		default:
			deed.Did(access.Object{Kind: access.OfBroadcast, ID: string(id)}, map[string]any{"state": state}, map[string]any{"state": b.State})
		}
		return s.saveBroadcast(ctx, tx, b, now)
	})
	return b, err
}

// Seal ends the upload of a broadcast, whose messages then cost what is valid at that moment. It is
// a Conflict when nobody was uploaded, or another number of people has to be said: see [broadcast.Checks], and when
// the bot may not send (any more): see [bot.Standing].
func (s *Store) Seal(ctx context.Context, id broadcast.ID, o broadcast.Sealing, now time.Time) (broadcast.Broadcast, error) {
	return s.changeBroadcast(ctx, id, now, func(tx *sql.Tx, b *broadcast.Broadcast) error {
		if b.State != broadcast.Uploading {
			return nil
		}
		at, err := standingOf(ctx, tx, b.BotID, b.Side, b.Message.Event)
		if err != nil {
			return err
		}
		if err := at.Check(); err != nil {
			return err
		}
		price, err := priceOf(ctx, tx, now)
		if err != nil {
			return err
		}
		if *b, err = s.checks.Sealed(*b, price, o, now); err != nil {
			return err
		}
		if err := keepChunks(ctx, tx, id, b.AudienceEpoch); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE broadcast SET price_krw = $2, sealed_by = $3 WHERE id = $1`, id, b.Price, b.SealedBy); err != nil {
			return fmt.Errorf("fix the price: %w", err)
		}
		return nil
	})
}

// Pause stops dispatch and recalls what is queued. One that waits for approval is paused when it is approved.
func (s *Store) Pause(ctx context.Context, id broadcast.ID, now time.Time) (broadcast.Broadcast, error) {
	return s.changeBroadcast(ctx, id, now, func(tx *sql.Tx, b *broadcast.Broadcast) error {
		if b.State == broadcast.Paused {
			b.PauseApproval()
			return nil
		}
		if b.State != broadcast.Running {
			return notNow(*b, "paused")
		}
		return s.pause(ctx, tx, b, "", "", now)
	})
}

// pause is the pause of a locked, running broadcast; the caller saves it. why is empty when a person does it.
// Webhooks are told why, and not in whose words, which may quote anything.
func (s *Store) pause(ctx context.Context, tx *sql.Tx, b *broadcast.Broadcast, why, words string, now time.Time) error {
	b.State, b.Wait, b.WaitUntil, b.Note = broadcast.Paused, broadcast.WaitPaused, time.Time{}, why
	if words != "" {
		b.Note += ": " + words
	}
	if err := tellHooks(ctx, tx, b.BotID, b.Counts.Audience, webhook.OfPause(*b, why, now)); err != nil {
		return err
	}
	return s.recallOne(ctx, tx, b)
}

// Resume lets a broadcast go on that is paused, or waits for a person behind its canary.
func (s *Store) Resume(ctx context.Context, id broadcast.ID, now time.Time) (broadcast.Broadcast, error) {
	return s.changeBroadcast(ctx, id, now, func(_ *sql.Tx, b *broadcast.Broadcast) error { return b.Resume(now) })
}

// Cancel ends a broadcast: from its commit on nothing of it is queued or claimed. Planned chunks
// are then cancelled in batches, and the sweep ends what an interrupted call leaves.
func (s *Store) Cancel(ctx context.Context, id broadcast.ID, now time.Time) (broadcast.Broadcast, error) {
	b, err := s.changeBroadcast(ctx, id, now, s.cancel(ctx))
	for err == nil && b.PlannedChunks > 0 {
		b, err = s.retire(ctx, id, broadcast.ChunkCancelled, now)
	}
	return b, err
}

// cancel is the first step of Cancel, after which nothing of a broadcast moves any more.
func (s *Store) cancel(ctx context.Context) func(*sql.Tx, *broadcast.Broadcast) error {
	return func(tx *sql.Tx, b *broadcast.Broadcast) error {
		switch b.State {
		case broadcast.Cancelled:
			return nil
		case broadcast.Finished:
			return notNow(*b, "cancelled")
		case broadcast.Uploading:
			b.Counts, b.Chunks = broadcast.Counts{}, 0
			if _, err := tx.ExecContext(ctx, `DELETE FROM chunk WHERE broadcast_id = $1`, b.ID); err != nil {
				return fmt.Errorf("drop uploaded chunks: %w", err)
			}
			// Nobody was sent to, so what it was a retry of may have another.
			if _, err := tx.ExecContext(ctx, `UPDATE broadcast SET retry_of = '' WHERE id = $1`, b.ID); err != nil {
				return fmt.Errorf("give its place free: %w", err)
			}
			b.RetryOf = ""
		case broadcast.Running, broadcast.Paused:
			if err := s.recallOne(ctx, tx, b); err != nil {
				return err
			}
		}
		if b.StayPaused {
			b.StayPaused, b.Note = false, ""
		}
		b.State, b.Wait, b.WaitUntil = broadcast.Cancelled, broadcast.NotWaiting, time.Time{}
		return nil
	}
}

func notNow(b broadcast.Broadcast, what string) error {
	return fault.Coded(fault.Conflict, "WRONG_STATE", "broadcast %s is %s and cannot be %s", b.ID, b.State, what)
}
