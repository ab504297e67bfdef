package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/wallet"
)

const chunkColumns = `c.id, c.broadcast_id, c.wallet_id, c.bot_id, c.state, c.epoch, c.people, c.hold_krw,
	c.task_id, c.attempts, c.sent_at, c.send_by`

// scanChunk reads chunkColumns and then whatever more points to.
func scanChunk(row scanner, more ...any) (c broadcast.Chunk, err error) {
	err = row.Scan(append([]any{&c.ID, &c.Broadcast, &c.WalletID, &c.BotID, &c.State, &c.Epoch, &c.People, &c.Hold,
		&c.TaskID, &c.Attempts, at(&c.SentAt), at(&c.SendBy)}, more...)...)
	return c, err
}

// restKey opens the sealed Kakao REST API key of a bot. One that does not open is none: the bot is
// not set up, which is for a person to mend, and nothing is wrong with what it has to send.
func (s *Store) restKey(botID string, sealed []byte) string {
	plain, err := s.keys.Open(sealed, "bot", botID)
	if err != nil {
		return ""
	}
	return string(plain)
}

// maxGiveBack bounds how long a chunk that was given back waits to be looked at again, however long its
// broadcast is told to wait: its bot may be let send faster meanwhile.
const maxGiveBack = time.Minute

// GiveBack turns a queued chunk back into planned and releases its hold. With a delay, dispatch
// leaves its broadcast alone for as long: the next chunk would come back too.
func (s *Store) GiveBack(ctx context.Context, id broadcast.ChunkID, epoch int, why broadcast.Wait, delay time.Duration, now time.Time) (bool, error) {
	return s.changeChunk(ctx, id, func(tx *sql.Tx, _ *wallet.Wallet, b *broadcast.Broadcast, c *broadcast.Chunk) (bool, error) {
		if c.State != broadcast.Queued || c.Epoch != epoch {
			return false, nil
		}
		holds, err := s.takeBack(ctx, tx, `id = $1`, c.ID)
		if err != nil {
			return false, err
		}
		b.PlannedChunks += len(holds)
		if delay > 0 {
			until, look := now.Add(delay), now.Add(min(delay, maxGiveBack))
			if _, err := tx.ExecContext(ctx, `UPDATE chunk SET next_at = $2 WHERE id = $1`, c.ID, millis(look)); err != nil {
				return false, fmt.Errorf("delay chunk %s: %w", c.ID, err)
			}
			if b.State == broadcast.Running && (b.Wait != why || b.WaitUntil.Before(until)) {
				b.Wait, b.WaitUntil = why, until
			}
			if b.LookAt.Before(look) {
				b.LookAt = look
			}
		}
		return true, releaseHolds(ctx, tx, holds)
	}, now)
}

// RecordSend writes an outcome for the epoch that was claimed.
func (s *Store) RecordSend(ctx context.Context, id broadcast.ChunkID, epoch int, r broadcast.Verdict, now time.Time) (ok bool, err error) {
	r.TaskID, r.Reason = storable(r.TaskID), storable(r.Reason)
	switch r.Outcome {
	case broadcast.Accepted:
		return s.recordAccepted(ctx, id, epoch, r, now)
	case broadcast.BadConfig, broadcast.ProviderEmpty:
		// First, so that the chunk is not dispatched again in between, and in a transaction of its
		// own: the bot's queued chunks may be on other wallets than this one. What Kakao said is
		// true of the bot even when the fence is lost.
		if err := s.pauseBotOf(ctx, id, string(r.Outcome), now); err != nil {
			return false, err
		}
	case broadcast.NotSent, broadcast.Refused, broadcast.OutcomeInDoubt, broadcast.Stale, broadcast.GivenBack:
	}
	return s.changeChunk(ctx, id, func(tx *sql.Tx, w *wallet.Wallet, b *broadcast.Broadcast, c *broadcast.Chunk) (bool, error) {
		if c.State != broadcast.Sending || c.Epoch != epoch {
			return false, nil
		}
		if r.Outcome == broadcast.OutcomeInDoubt && b.OnDoubt == broadcast.AssumeSent {
			return true, s.assumeSent(ctx, tx, w, b, c, r.Reason, now)
		}
		return true, s.recordRefused(ctx, tx, b, c, r, now)
	}, now)
}

// storable makes a peer's words fit for a database: PostgreSQL takes neither NUL nor bytes that
// are not UTF-8.
func storable(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}

// recordRefused writes an outcome that is not acceptance; chunk, broadcast and wallet are locked.
func (s *Store) recordRefused(ctx context.Context, tx *sql.Tx, b *broadcast.Broadcast, c *broadcast.Chunk, r broadcast.Verdict, now time.Time) error {
	state, nextAt, doubtAt, released := broadcast.Planned, now.Add(sendDelay(c.Attempts, r.Delay)), time.Time{}, c.Hold
	switch r.Outcome {
	case broadcast.NotSent:
		b.PlannedChunks++
	case broadcast.BadConfig, broadcast.ProviderEmpty:
		nextAt = now // the bot's pause holds it back
		b.PlannedChunks++
	case broadcast.Refused:
		state = broadcast.Rejected
		b.Counts.Failed += c.People
		b.Refusals++
		b.Note = "a request was refused: " + r.Reason
	case broadcast.OutcomeInDoubt, broadcast.Accepted, broadcast.Stale, broadcast.GivenBack:
		state, doubtAt, released = broadcast.InDoubt, now, 0
		b.Counts.InDoubt += c.People
	}
	_, err := tx.ExecContext(ctx, `UPDATE chunk SET state = $2, next_at = $3, doubt_at = $4, hold_krw = hold_krw - $5,
		enqueued_at = 0, error = $6, failed = CASE WHEN $2 = 'rejected' THEN people ELSE 0 END WHERE id = $1`,
		c.ID, string(state), millis(nextAt), millis(doubtAt), released, r.Reason)
	if err != nil {
		return fmt.Errorf("record chunk %s: %w", c.ID, err)
	}
	if err := moveHeld(ctx, tx, c.WalletID, -released); err != nil {
		return err
	}
	if state != broadcast.InDoubt {
		if err := uncontacted(ctx, tx, c.ID); err != nil {
			return err
		}
	}
	if b.Refusals >= refusalsToPause && b.State == broadcast.Running {
		return s.pause(ctx, tx, b, fmt.Sprintf("%d requests in a row were refused", b.Refusals), r.Reason, now)
	}
	return nil
}

// assumeSent settles a chunk of which nobody knows whether it went out, as its broadcast wants it: everybody
// counts as delivered.
func (s *Store) assumeSent(ctx context.Context, tx *sql.Tx, w *wallet.Wallet, b *broadcast.Broadcast, c *broadcast.Chunk, why string, now time.Time) error {
	if err := s.captureChunk(ctx, tx, w, b, c, c.People, now); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `UPDATE chunk SET state = 'settled', hold_krw = 0, enqueued_at = 0, doubt_at = $2, delivered = people, error = $3 WHERE id = $1`,
		c.ID, millis(now), storable("assumed to be sent: "+why))
	if err != nil {
		return fmt.Errorf("assume that chunk %s is sent: %w", c.ID, err)
	}
	return nil
}

// refusalsToPause is how many refused requests in a row pause a broadcast.
const refusalsToPause = 5

// sendDelay is how long a chunk waits that was certainly not sent at its n-th attempt: what Kakao
// asked for, at least a back-off that doubles from half a second to a minute.
func sendDelay(attempts int, asked time.Duration) time.Duration {
	backoff := min(time.Minute, 500*time.Millisecond<<min(max(attempts-1, 0), 7))
	return max(asked, backoff)
}

// changeChunk changes one chunk under the locks of its wallet, broadcast and itself, in that
// order. change reports whether it did anything; the broadcast is saved when it did, and pauses when it
// misses too many.
func (s *Store) changeChunk(ctx context.Context, id broadcast.ChunkID,
	change func(tx *sql.Tx, w *wallet.Wallet, b *broadcast.Broadcast, c *broadcast.Chunk) (bool, error), now time.Time,
) (ok bool, err error) {
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		var walletID string
		var broadcastID broadcast.ID // neither changes in the life of a chunk
		err := tx.QueryRowContext(ctx, `SELECT wallet_id, broadcast_id FROM chunk WHERE id = $1`, id).Scan(&walletID, &broadcastID)
		if err != nil {
			return orNotFound(err, "chunk", string(id))
		}
		w, err := s.lockWallet(ctx, tx, walletID)
		if err != nil {
			return err
		}
		b, err := s.lockBroadcast(ctx, tx, broadcastID)
		if err != nil {
			return err
		}
		c, err := scanChunk(tx.QueryRowContext(ctx, `SELECT `+chunkColumns+` FROM chunk c WHERE c.id = $1`+s.dialect.lock, id))
		if err != nil {
			return err
		}
		ok, err = change(tx, &w, &b, &c)
		if err != nil || !ok {
			return err
		}
		if err := s.lookBack(ctx, tx, &b, now); err != nil {
			return err
		}
		return s.saveBroadcast(ctx, tx, b, now)
	})
	return ok && err == nil, err
}

// pauseBotOf stops dispatch for the bot of a chunk and recalls what is queued of it. A bot that
// is paused already stays as it is.
func (s *Store) pauseBotOf(ctx context.Context, id broadcast.ChunkID, reason string, now time.Time) error {
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		var botID string
		if err := tx.QueryRowContext(ctx, `SELECT bot_id FROM chunk WHERE id = $1`, id).Scan(&botID); err != nil {
			return orNotFound(err, "chunk", string(id))
		}
		if err := s.recallBot(ctx, tx, botID, now); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE bot SET paused_reason = $2, paused_at = $3 WHERE id = $1 AND paused_reason = ''`,
			botID, reason, millis(now))
		return err
	})
	if err != nil {
		return fmt.Errorf("pause the bot of chunk %s: %w", id, err)
	}
	return nil
}

// captureChunk ends the hold of a locked chunk: delivered messages are posted, the rest of the
// hold is released. The chunk's own row is the caller's to write.
func (s *Store) captureChunk(ctx context.Context, tx *sql.Tx, w *wallet.Wallet, b *broadcast.Broadcast, c *broadcast.Chunk, delivered int, now time.Time) error {
	used := b.Price * wallet.KRW(delivered)
	available, err := grants(ctx, tx, *w)
	if err != nil {
		return fmt.Errorf("read grants: %w", err)
	}
	after, posting := w.Capture(c.Hold, used, available, string(c.ID), now)
	if used > 0 {
		if err := s.post(ctx, tx, w.ID, posting); err != nil {
			return err
		}
	}
	if err := writeWallet(ctx, tx, after, -c.Hold); err != nil {
		return err
	}
	*w = after
	b.Counts.Delivered += delivered
	b.Captured += used
	return nil
}

// PostponeResult sets the next look-up of a sent chunk.
func (s *Store) PostponeResult(ctx context.Context, id broadcast.ChunkID, epoch int, p broadcast.Postponement) error {
	_, err := s.write.ExecContext(ctx, `UPDATE chunk SET next_at = $3, enqueued_at = 0, attempts = attempts + 1,
		unconfirmed = CASE WHEN $4 = 1 THEN 1 ELSE unconfirmed END,
		result = CASE WHEN $5 = '' THEN result ELSE $5 END, error = $6
		WHERE id = $1 AND epoch = $2 AND state = 'sent'`,
		id, epoch, millis(p.NextAt), asInt(p.Unconfirmed), storable(string(p.Result)), storable(p.Reason))
	if err != nil {
		return fmt.Errorf("postpone the result of chunk %s: %w", id, err)
	}
	return nil
}

// asInt stores a truth value.
func asInt(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
