package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/wallet"
)

// BroadcastFilter narrows a list of broadcasts; an empty field does not.
type BroadcastFilter struct {
	Sight           access.Sight // a person sees those of his bots and of the wallets that he is on
	WalletID, BotID string
}

// Broadcasts lists broadcasts, newest first: those before an id, or from the newest with an empty
// one.
func (s *Store) Broadcasts(ctx context.Context, f BroadcastFilter, before broadcast.ID, limit int) ([]broadcast.Broadcast, error) {
	if before == "" {
		before = "~" // after every id
	}
	query, args := `SELECT `+broadcastColumns+` FROM broadcast WHERE id < $1`, []any{before}
	for _, narrow := range []struct{ column, value string }{{"wallet_id", f.WalletID}, {"bot_id", f.BotID}} {
		if narrow.value != "" {
			args = append(args, narrow.value)
			query += fmt.Sprintf(" AND %s = $%d", narrow.column, len(args))
		}
	}
	if f.Sight != access.Everything {
		args = append(args, string(f.Sight))
		query += fmt.Sprintf(` AND (bot_id IN (SELECT bot_id FROM bot_member WHERE account_id = $%[1]d)
			OR wallet_id IN (SELECT wallet_id FROM wallet_member WHERE account_id = $%[1]d))`, len(args))
	}
	args = append(args, limit)
	rows, err := s.read.QueryContext(ctx, query+fmt.Sprintf(" ORDER BY id DESC LIMIT $%d", len(args)), args...)
	return collect(rows, err, scanBroadcast)
}

// ChunkView is a chunk as it is shown.
type ChunkView struct {
	ID                                  broadcast.ChunkID
	Seq                                 int
	State                               broadcast.ChunkState
	People                              int
	Delivered, Failed, Unknown, Skipped int
	Held                                wallet.KRW
	TaskID                              string
	Attempts                            int
	Unconfirmed                         bool
	SentAt, DoubtAt                     time.Time
	LeftOut                             broadcast.LeftOut
	Error                               string
}

// ofAudience joins the chunks that count: not those that an unfinished or replaced upload left.
const ofAudience = ` FROM chunk c JOIN broadcast b ON b.id = c.broadcast_id AND c.upload_epoch = b.audience_epoch
	WHERE c.broadcast_id = $1`

// Chunks lists the chunks of a broadcast in order, those after a seq, and only those in a state
// unless that is empty. It is NotFound when there is no broadcast.
func (s *Store) Chunks(ctx context.Context, id broadcast.ID, state broadcast.ChunkState, after, limit int) ([]ChunkView, error) {
	if _, err := s.Broadcast(ctx, id); err != nil {
		return nil, err
	}
	query, args := `SELECT c.id, c.seq, c.state, c.people, c.delivered, c.failed, c.unknown, c.skipped, c.hold_krw, c.task_id, c.attempts,
		c.unconfirmed, c.sent_at, c.doubt_at, c.left_out, c.error`+ofAudience+` AND c.seq > $2`, []any{id, after}
	if state != "" {
		args = append(args, state)
		query += " AND c.state = $3"
	}
	args = append(args, limit)
	rows, err := s.read.QueryContext(ctx, query+fmt.Sprintf(" ORDER BY c.seq LIMIT $%d", len(args)), args...)
	return collect(rows, err, func(row scanner) (v ChunkView, err error) {
		var unconfirmed int64
		err = row.Scan(&v.ID, &v.Seq, &v.State, &v.People, &v.Delivered, &v.Failed, &v.Unknown, &v.Skipped, &v.Held, &v.TaskID, &v.Attempts,
			&unconfirmed, at(&v.SentAt), at(&v.DoubtAt), &v.LeftOut, &v.Error)
		v.Unconfirmed = unconfirmed != 0
		return v, err
	})
}

// ChunkStates counts the chunks of a broadcast by state.
func (s *Store) ChunkStates(ctx context.Context, id broadcast.ID) (map[broadcast.ChunkState]int, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT c.state, COUNT(*)`+ofAudience+` GROUP BY c.state`, id)
	type count struct {
		state broadcast.ChunkState
		n     int
	}
	counts, err := collect(rows, err, func(row scanner) (c count, err error) {
		err = row.Scan(&c.state, &c.n)
		return c, err
	})
	if err != nil {
		return nil, fmt.Errorf("count the chunks of broadcast %s: %w", id, err)
	}
	states := make(map[broadcast.ChunkState]int, len(counts))
	for _, c := range counts {
		states[c.state] = c.n
	}
	return states, nil
}

// heldBy sums up the holds of a broadcast by what is on the way of everybody, which is little: among its
// own chunks most hold nothing. The joined text keeps a database from going by the broadcast.
const heldBy = `SELECT CAST(COALESCE(SUM(hold), 0) AS BIGINT) FROM (
	SELECT hold_krw AS hold FROM chunk WHERE state = 'queued' AND broadcast_id || '' = $1
	UNION ALL SELECT hold_krw FROM chunk WHERE state = 'sending' AND broadcast_id || '' = $1
	UNION ALL SELECT hold_krw FROM chunk WHERE state = 'sent' AND broadcast_id || '' = $1
	UNION ALL SELECT hold_krw FROM chunk WHERE state = 'in_doubt' AND broadcast_id || '' = $1) on_the_way`

// HeldBy returns how much of its wallet's money is held for a broadcast.
func (s *Store) HeldBy(ctx context.Context, id broadcast.ID) (held wallet.KRW, err error) {
	if err = s.read.QueryRowContext(ctx, heldBy, id).Scan(&held); err != nil {
		return 0, fmt.Errorf("sum up the holds of broadcast %s: %w", id, err)
	}
	return held, nil
}

// notRetried is a Conflict when a retry may not be made beside those that are there: see [broadcast.Missed.Beside]. It
// locks the broadcast that is retried, so that of two at once one sees the other.
func (s *Store) notRetried(ctx context.Context, tx *sql.Tx, walletID string, retry broadcast.Broadcast) error {
	if walletID != "" {
		if _, err := s.lockWallet(ctx, tx, walletID); err != nil {
			return err
		}
	}
	if _, err := s.lockBroadcast(ctx, tx, retry.RetryOf); err != nil {
		return err
	}
	rows, err := tx.QueryContext(ctx, `SELECT `+broadcastColumns+` FROM broadcast WHERE retry_of = $1 ORDER BY id`, retry.RetryOf)
	others, err := collect(rows, err, scanBroadcast)
	if err != nil {
		return fmt.Errorf("list the retries of broadcast %s: %w", retry.RetryOf, err)
	}
	for _, other := range others {
		if err := retry.RetryFor.Beside(other); err != nil {
			return err
		}
	}
	return nil
}

// Retries lists the retries of a broadcast.
func (s *Store) Retries(ctx context.Context, id broadcast.ID) ([]broadcast.ID, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT id FROM broadcast WHERE retry_of = $1 ORDER BY id`, id)
	return collect(rows, err, func(row scanner) (id broadcast.ID, err error) {
		err = row.Scan(&id)
		return id, err
	})
}

// EndedChunks lists chunks of a broadcast of which somebody was not reached.
func (s *Store) EndedChunks(ctx context.Context, id broadcast.ID, after, limit int) ([]broadcast.PastChunk, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+pastChunk+ofAudience+` AND c.seq > $2
		AND (c.failed > 0 OR c.skipped > 0) AND c.left_out = '' ORDER BY c.seq LIMIT $3`, id, after, limit)
	return collect(rows, err, scanPastChunk)
}

// pastChunk are the columns of a [broadcast.PastChunk]. Evidence is counted only where it says more than is settled.
const pastChunk = `c.id, c.seq, c.state, c.recipients, c.result, c.failed,
	CASE WHEN c.failed > 0 OR c.skipped > 0 THEN (SELECT COUNT(*) FROM chunk_evidence e WHERE e.chunk_id = c.id) ELSE 0 END`

func scanPastChunk(row scanner) (c broadcast.PastChunk, err error) {
	var recipients, result string
	err = row.Scan(&c.ID, &c.Seq, &c.State, &recipients, &result, &c.Failed, &c.Evident)
	c.Recipients, c.Result = []byte(recipients), []byte(result)
	return c, err
}

// FailedChunk is a chunk in which Kakao names people whom it did not reach.
type FailedChunk struct {
	ID     broadcast.ChunkID
	Seq    int
	Result []byte // Kakao's answer, raw JSON
}

// FailedChunks lists the chunks of a broadcast with named failures in order, those after a seq.
// It is NotFound when there is no broadcast.
func (s *Store) FailedChunks(ctx context.Context, id broadcast.ID, after, limit int) ([]FailedChunk, error) {
	if _, err := s.Broadcast(ctx, id); err != nil {
		return nil, err
	}
	rows, err := s.read.QueryContext(ctx, `SELECT c.id, c.seq, c.result`+ofAudience+` AND c.seq > $2 AND c.failed > 0 AND c.result <> ''
		ORDER BY c.seq LIMIT $3`, id, after, limit)
	return collect(rows, err, func(row scanner) (c FailedChunk, err error) {
		var text string
		err = row.Scan(&c.ID, &c.Seq, &text)
		c.Result = []byte(text)
		return c, err
	})
}
