package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/wallet"
)

// dispatchPatience is how long a dispatch waits for one wallet or broadcast that somebody has
// locked: its customer's turn comes again, the others' should not wait for it.
const dispatchPatience = time.Second

// Dispatch takes money aside for what may go now and queues it, all in one transaction. What fails
// of one broadcast is taken back alone.
func (s *Store) Dispatch(ctx context.Context, pace broadcast.Pace, turn broadcast.Turn, now time.Time) (broadcast.Dispatched, error) {
	nothing := broadcast.Dispatched{Next: turn}
	var some bool // a look beside the writer, so that an idle system writes nothing
	err := s.read.QueryRowContext(ctx, anyCandidate, millis(now)).Scan(&some)
	if err != nil || !some {
		return nothing, err
	}
	var done broadcast.Dispatched
	var failed []error
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		done, failed = nothing, nil
		mine, err := s.only(ctx, tx, dispatchLock)
		if err != nil {
			return err
		}
		if !mine {
			done.Busy = true
			return nil
		}
		if err := s.waitAtMost(ctx, tx, dispatchPatience); err != nil {
			return err
		}
		candidates, after, err := candidates(ctx, tx, turn.After, now)
		if err != nil {
			return err
		}
		done.Next = broadcast.Turn{N: turn.N + 1, After: after}
		waiting, err := queuedByBot(ctx, tx)
		if err != nil {
			return err
		}
		done.Rows, failed, err = s.dispatchShares(ctx, tx, pace.Shares(candidates, waiting, turn.N), pace, now)
		return err
	})
	if err != nil {
		done.Rows = nil
	}
	return done, errors.Join(append(failed, err)...)
}

// dispatchShares queues what shares allow, each apart from the others, and returns what failed of
// single ones beside what was queued of the rest.
func (s *Store) dispatchShares(ctx context.Context, tx *sql.Tx, shares []broadcast.Share, pace broadcast.Pace, now time.Time) (queued []broadcast.Row, failed []error, err error) {
	var w wallet.Wallet
	for _, share := range shares {
		failure, err := s.apart(ctx, tx, func() error {
			payer := w
			if share.WalletID != w.ID {
				var err error
				if payer, err = s.lockWallet(ctx, tx, share.WalletID); err != nil {
					return err
				}
			}
			rows, err := s.dispatchShare(ctx, tx, &payer, share, pace, now)
			if err != nil {
				return err
			}
			w, queued = payer, append(queued, rows...)
			return nil
		})
		if err != nil {
			return nil, nil, err
		}
		if failure != nil {
			failed = append(failed, fmt.Errorf("dispatch broadcast %s: %w", share.Broadcast, failure))
		}
	}
	return queued, failed, nil
}

// queuedByBot counts queued chunks; there are at most as many as the pace lets in.
func queuedByBot(ctx context.Context, tx *sql.Tx) (map[string]int, error) {
	rows, err := tx.QueryContext(ctx, `SELECT bot_id, COUNT(*) FROM chunk WHERE state = 'queued' GROUP BY bot_id`)
	if err != nil {
		return nil, fmt.Errorf("count queued chunks: %w", err)
	}
	defer rows.Close()
	counts := make(map[string]int)
	for rows.Next() {
		var bot string
		var n int
		if err := rows.Scan(&bot, &n); err != nil {
			return nil, err
		}
		counts[bot] = n
	}
	return counts, rows.Err()
}

// dispatchShare queues what one broadcast may send now, or writes down why it waits.
func (s *Store) dispatchShare(ctx context.Context, tx *sql.Tx, w *wallet.Wallet, share broadcast.Share, pace broadcast.Pace, now time.Time) ([]broadcast.Row, error) {
	if share.BotPaused != broadcast.NotWaiting {
		return nil, s.setWait(ctx, tx, share.Broadcast, share.BotPaused, time.Time{})
	}
	if err := w.Check(); err != nil {
		return nil, s.setWait(ctx, tx, share.Broadcast, waitWhile(err), time.Time{})
	}
	if share.Chunks == 0 {
		return nil, nil // its turn comes
	}
	if over, err := freeIsOver(ctx, tx, *w, now); err != nil || over {
		return nil, err
	}
	b, err := s.lockBroadcast(ctx, tx, share.Broadcast)
	if err != nil {
		return nil, err
	}
	if b.State != broadcast.Running {
		return nil, nil
	}
	if b.Unreadable != "" {
		if err := s.pause(ctx, tx, &b, "its stored message cannot be read", b.Unreadable, now); err != nil {
			return nil, err
		}
		return nil, s.saveBroadcast(ctx, tx, b, now)
	}
	o, err := s.openingOf(ctx, tx, b, now)
	if err != nil {
		return nil, err
	}
	if !o.open {
		return nil, s.setWait(ctx, tx, b.ID, broadcast.WaitWindow, o.until)
	}
	chunks, more, err := s.plannedNow(ctx, tx, b, o, share.Chunks, now)
	if err != nil {
		return nil, err
	}
	ids, held, short := affordable(w, b.Price, chunks, now)
	if len(ids) == 0 {
		if more {
			return nil, nil // its turn comes again
		}
		return nil, s.whyNone(ctx, tx, b, o, short, now)
	}
	sendBy := now.Add(pace.SendBy)
	if !b.ExpiresAt.IsZero() && b.ExpiresAt.Before(sendBy) {
		sendBy = b.ExpiresAt
	}
	if !o.until.IsZero() && o.until.Before(sendBy) {
		sendBy = o.until
	}
	rows, err := queueChunks(ctx, tx, ids, b.Price, sendBy, now)
	if err != nil {
		return nil, err
	}
	b.PlannedChunks -= len(rows)
	b.Wait, b.WaitUntil = broadcast.NotWaiting, time.Time{}
	if b.StartedAt.IsZero() {
		b.StartedAt = now
	}
	if err := s.saveBroadcast(ctx, tx, b, now); err != nil {
		return nil, err
	}
	return rows, moveHeld(ctx, tx, w.ID, held)
}

// planned is a chunk that may be queued.
type planned struct {
	id     string
	people int
}

// Planned chunks whose time has come, in their order. Those of a canary are looked for among the few up to its
// last one: by time they would be looked for among all that wait behind it.
const (
	plannedInOrder = `SELECT id, people FROM chunk WHERE broadcast_id = $1 AND state = 'planned' AND next_at <= $2 ORDER BY next_at, seq LIMIT $3`
	plannedCanary  = `SELECT id, people FROM chunk WHERE broadcast_id = $1 AND seq <= $4 AND state = 'planned' AND next_at <= $2 ORDER BY seq LIMIT $3`
)

// plannedOf picks planned chunks of a broadcast whose time has come, in their order.
func (s *Store) plannedOf(ctx context.Context, tx *sql.Tx, b broadcast.Broadcast, most int, now time.Time) ([]planned, error) {
	pick, args := plannedInOrder, []any{b.ID, millis(now), most}
	if b.CanaryHolds() {
		pick, args = plannedCanary, append(args, b.Watch.CanarySeq)
	}
	rows, err := tx.QueryContext(ctx, pick+s.dialect.lock, args...)
	return collect(rows, err, func(row scanner) (p planned, err error) {
		err = row.Scan(&p.id, &p.people)
		return p, err
	})
}

// affordable takes from chunks, in order, what a wallet can hold, and holds it. It returns why it stopped
// short, nil when funds were not the reason.
func affordable(w *wallet.Wallet, price wallet.KRW, chunks []planned, now time.Time) (ids []any, held wallet.KRW, short error) {
	for _, c := range chunks {
		amount := price * wallet.KRW(c.people)
		after, err := w.Hold(amount, now)
		if err != nil {
			return ids, held, err
		}
		*w = after
		ids, held = append(ids, c.id), held+amount
	}
	return ids, held, nil
}

// whyNone writes down why nothing of an open, locked broadcast was queued. short is why the wallet holds no
// more, nil when that is not the reason.
func (s *Store) whyNone(ctx context.Context, tx *sql.Tx, b broadcast.Broadcast, o opening, short error, now time.Time) error {
	if short != nil {
		wait, until := waitFor(short, now)
		return s.setWait(ctx, tx, b.ID, wait, until)
	}
	wait, until, err := s.nextTry(ctx, tx, b, o, now)
	if err != nil {
		return err
	}
	if wait == broadcast.NotWaiting && b.CanaryHolds() {
		return s.afterCanary(ctx, tx, &b, now)
	}
	return s.setWait(ctx, tx, b.ID, wait, until)
}

// The planned chunk that goes next.
const (
	nextPlanned = `SELECT next_at, attempts FROM chunk WHERE broadcast_id = $1 AND state = 'planned' ORDER BY next_at, seq LIMIT 1`
	nextCanary  = `SELECT next_at, attempts FROM chunk WHERE broadcast_id = $1 AND seq <= $2 AND state = 'planned' ORDER BY next_at, seq LIMIT 1`
)

// nextTry tells what an open, locked broadcast waits for of which no planned chunk's time has come, and until
// when the first of them does: for Kakao after a try that failed, for its bot's rate, or for the morning.
func (s *Store) nextTry(ctx context.Context, tx *sql.Tx, b broadcast.Broadcast, o opening, now time.Time) (broadcast.Wait, time.Time, error) {
	next, args := nextPlanned, []any{b.ID}
	if b.CanaryHolds() {
		next, args = nextCanary, append(args, b.Watch.CanarySeq)
	}
	var nextAt time.Time
	var attempts int
	err := tx.QueryRowContext(ctx, next, args...).Scan(at(&nextAt), &attempts)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return broadcast.NotWaiting, time.Time{}, nil
	case err != nil:
		return broadcast.NotWaiting, time.Time{}, fmt.Errorf("look for what goes next: %w", err)
	case !o.morning.IsZero() && !nextAt.Before(o.morning):
		return broadcast.WaitWindow, o.morning, nil
	case attempts > 0:
		return broadcast.WaitKakao, nextAt, nil
	case s.inMorning(b, o, nextAt, now):
		return broadcast.WaitWindow, nextAt, nil
	}
	return broadcast.WaitRate, nextAt, nil
}

// afterCanary looks at a canary that has nobody to send to now: some of it may be on their way, or wait
// after a try that failed.
func (s *Store) afterCanary(ctx context.Context, tx *sql.Tx, b *broadcast.Broadcast, now time.Time) error {
	before := *b
	if stop := b.AfterCanary(now); stop != "" {
		if err := s.pause(ctx, tx, b, stop, "", now); err != nil {
			return err
		}
	}
	if b.Wait == before.Wait && b.WaitUntil.Equal(before.WaitUntil) && b.Watch == before.Watch {
		return nil
	}
	return s.saveBroadcast(ctx, tx, *b, now)
}

// waitWhile names the reason why a wallet pays for nothing.
func waitWhile(err error) broadcast.Wait {
	if errors.Is(err, wallet.ErrUnpaid) || errors.Is(err, wallet.ErrAwaitingReconnect) {
		return broadcast.WaitUnpaid
	}
	return broadcast.WaitStopped
}

// waitFor names the reason why nothing could be held.
func waitFor(short error, now time.Time) (broadcast.Wait, time.Time) {
	if errors.Is(short, wallet.ErrDailyLimit) {
		return broadcast.WaitDailyLimit, clock.NextMidnight(now)
	}
	return broadcast.WaitFunds, time.Time{}
}

// queueChunks moves planned chunks to queued under a new epoch, to be sent before sendBy.
func queueChunks(ctx context.Context, tx *sql.Tx, ids []any, price wallet.KRW, sendBy, now time.Time) ([]broadcast.Row, error) {
	var queued []broadcast.Row
	for len(ids) > 0 {
		n := min(len(ids), 500)
		args := append([]any{int64(price), millis(now), millis(sendBy)}, ids[:n]...)
		rows, err := tx.QueryContext(ctx, `UPDATE chunk SET state = 'queued', epoch = epoch + 1, hold_krw = people * $1,
			enqueued_at = $2, send_by = $3 WHERE state = 'planned' AND id IN (`+placeholders(4, n)+`) RETURNING id, epoch, `+chunkTrace, args...)
		batch, err := collect(rows, err, scanRow)
		if err != nil {
			return nil, fmt.Errorf("queue chunks: %w", err)
		}
		queued = append(queued, batch...)
		ids = ids[n:]
	}
	return queued, nil
}

func scanRow(row scanner) (r broadcast.Row, err error) {
	err = row.Scan(&r.ID, &r.Epoch, &r.Trace)
	return r, err
}

// placeholders returns "$from, …" for n parameters.
func placeholders(from, n int) string {
	var text strings.Builder
	for i := range n {
		if i > 0 {
			text.WriteString(", ")
		}
		text.WriteString("$" + strconv.Itoa(from+i))
	}
	return text.String()
}

// setWait writes down why a running broadcast waits, when that has changed. Whoever was told that it
// waits for funds is told again when it does so anew. A dispatch may look at it at any time: what was planned
// again meanwhile may go sooner.
func (s *Store) setWait(ctx context.Context, tx *sql.Tx, id broadcast.ID, wait broadcast.Wait, until time.Time) error {
	_, err := tx.ExecContext(ctx, `UPDATE broadcast SET wait_reason = $2, wait_until = $3, look_at = 0, funds_told_at = 0
		WHERE id = $1 AND state = 'running' AND (wait_reason <> $2 OR wait_until <> $3)`, id, string(wait), millis(until))
	return err
}
