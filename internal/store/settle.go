package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/trace"
	"github.com/malgil/malgil/internal/wallet"
)

// settleBatch bounds how many chunks one transaction settles.
const settleBatch = 64

// settleLimit bounds the transaction that settles for several callers: it does not end with the
// context of one of them.
const settleLimit = 30 * time.Second

// settling is one chunk to be settled. The transaction that does it writes ok and err.
type settling struct {
	chunk broadcast.Chunk // as it was read: what changes of it is read again
	broadcast.Settlement
	now time.Time

	ok  bool
	err error
}

// errNotReached is what comes of work that waited for others of its kind, and was not even begun.
var errNotReached = errors.New("it was cut off before it began")

// SettleChunk captures what was delivered, releases the rest and ends the chunk.
//
// Settlements of one wallet that come at the same time share a transaction, so that a wallet with
// much to send is locked and synced once for many. Each has its own posting all the same, and
// where one of them fails, each is settled alone.
func (s *Store) SettleChunk(ctx context.Context, c broadcast.Chunk, r broadcast.Settlement, now time.Time) (did bool, err error) {
	ctx, end := trace.Step(ctx, trace.Inside, "capture", slog.String("chunk_id", string(c.ID)), slog.Int("delivered", r.Tally.Delivered))
	defer func() { end(err) }()
	one := &settling{chunk: c, Settlement: r, now: now, err: errNotReached}
	err = s.settlements.do(ctx, c.WalletID, one, settleBatch, func(all []*settling) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleLimit)
		defer cancel()
		err := s.settleAll(ctx, c.WalletID, all)
		for _, one := range all {
			if one.err = err; err != nil && len(all) > 1 {
				one.err = s.settleAll(ctx, c.WalletID, []*settling{one})
			}
		}
	})
	if err == nil {
		err = one.err
	}
	return one.ok && err == nil, err
}

// settleAll settles chunks of one wallet in one transaction.
func (s *Store) settleAll(ctx context.Context, walletID string, all []*settling) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		for _, one := range all {
			one.ok = false
		}
		w, err := s.lockWallet(ctx, tx, walletID)
		if err != nil {
			return err
		}
		broadcasts, err := s.lockAll(ctx, tx, all)
		if err != nil {
			return err
		}
		chunks, err := s.lockSent(ctx, tx, all)
		if err != nil || len(chunks) == 0 {
			return err
		}
		left, err := grants(ctx, tx, w)
		if err != nil {
			return fmt.Errorf("read grants: %w", err)
		}
		var postings []wallet.Posting
		var settled []*settling
		var held wallet.KRW
		now := map[broadcast.ID]time.Time{}
		for _, one := range all {
			c, is := chunks[one.chunk.ID]
			if !is || c.Epoch != one.chunk.Epoch {
				continue
			}
			if c.WalletID != walletID || c.Broadcast != one.chunk.Broadcast { // what was locked is not what it needs
				return fmt.Errorf("chunk %s was read as one of wallet %s and broadcast %s", c.ID, walletID, one.chunk.Broadcast)
			}
			delete(chunks, one.chunk.ID) // a second run of the same task finds it settled
			b := broadcasts[c.Broadcast]
			used := b.Price * wallet.KRW(one.Tally.Delivered)
			var posting wallet.Posting
			w, posting = w.Capture(c.Hold, used, left, string(c.ID), one.now)
			if used > 0 {
				postings = append(postings, posting)
				left = after(left, posting)
			}
			held += c.Hold
			b.Captured += used
			b.Counts.Delivered += one.Tally.Delivered
			b.Counts.Failed += one.Tally.Failed
			b.Counts.Unknown += one.Tally.Unknown
			settled, now[b.ID] = append(settled, one), one.now
		}
		if len(settled) == 0 {
			return nil
		}
		if err := s.postAll(ctx, tx, walletID, postings); err != nil {
			return err
		}
		if err := writeWallet(ctx, tx, w, -held); err != nil {
			return err
		}
		if err := endChunks(ctx, tx, settled); err != nil {
			return err
		}
		for _, one := range settled {
			if err := missed(ctx, tx, one.chunk.ID, one.Missed); err != nil {
				return err
			}
		}
		for id, at := range now {
			if err := s.lookBack(ctx, tx, broadcasts[id], at); err != nil {
				return err
			}
			if err := s.saveBroadcast(ctx, tx, *broadcasts[id], at); err != nil {
				return err
			}
		}
		for _, one := range settled {
			one.ok = true
		}
		return nil
	})
}

// lookBack pauses a locked broadcast that misses too many; the caller saves it.
func (s *Store) lookBack(ctx context.Context, tx *sql.Tx, b *broadcast.Broadcast, now time.Time) error {
	if stop := b.LookBack(); stop != "" {
		return s.pause(ctx, tx, b, stop, "", now)
	}
	return nil
}

// after returns what a posting leaves of free cash.
func after(left []wallet.Grant, p wallet.Posting) []wallet.Grant {
	for _, use := range p.Grants {
		i := slices.IndexFunc(left, func(g wallet.Grant) bool { return g.ID == use.GrantID })
		left[i].Remaining -= use.Amount
	}
	return left
}

// lockAll locks the broadcasts of chunks, in the order of their ids.
func (s *Store) lockAll(ctx context.Context, tx *sql.Tx, all []*settling) (map[broadcast.ID]*broadcast.Broadcast, error) {
	var ids []any
	for _, one := range all {
		if id := string(one.chunk.Broadcast); !slices.Contains(ids, any(id)) {
			ids = append(ids, id)
		}
	}
	rows, err := tx.QueryContext(ctx, `SELECT `+broadcastColumns+` FROM broadcast WHERE id IN (`+placeholders(1, len(ids))+`)
		ORDER BY id`+s.dialect.lock, ids...)
	list, err := collect(rows, err, func(row scanner) (*broadcast.Broadcast, error) {
		b, err := scanBroadcast(row)
		return &b, err
	})
	if err != nil {
		return nil, fmt.Errorf("lock broadcasts: %w", err)
	}
	found := make(map[broadcast.ID]*broadcast.Broadcast, len(list))
	for _, b := range list {
		found[b.ID] = b
	}
	return found, nil
}

// lockSent locks those of the chunks that are sent.
func (s *Store) lockSent(ctx context.Context, tx *sql.Tx, all []*settling) (map[broadcast.ChunkID]broadcast.Chunk, error) {
	ids := make([]any, len(all))
	for i, one := range all {
		ids[i] = string(one.chunk.ID)
	}
	rows, err := tx.QueryContext(ctx, `SELECT `+chunkColumns+` FROM chunk c WHERE c.id IN (`+placeholders(1, len(ids))+`) AND c.state = 'sent'
		ORDER BY c.id`+s.dialect.lock, ids...)
	list, err := collect(rows, err, func(row scanner) (broadcast.Chunk, error) { return scanChunk(row) })
	if err != nil {
		return nil, fmt.Errorf("lock chunks: %w", err)
	}
	found := make(map[broadcast.ChunkID]broadcast.Chunk, len(list))
	for _, c := range list {
		found[c.ID] = c
	}
	return found, nil
}

// endChunks writes what became of locked chunks.
func endChunks(ctx context.Context, tx *sql.Tx, settled []*settling) error {
	var text strings.Builder
	text.WriteString(`WITH done (id, delivered, failed, unknown, result) AS (VALUES `)
	args := make([]any, 0, 5*len(settled))
	for i, one := range settled {
		if i > 0 {
			text.WriteString(", ")
		}
		text.WriteString("(CAST($" + strconv.Itoa(5*i+1) + " AS TEXT)")
		for column, kind := range []string{"BIGINT", "BIGINT", "BIGINT", "TEXT"} {
			text.WriteString(", CAST($" + strconv.Itoa(5*i+2+column) + " AS " + kind + ")")
		}
		text.WriteString(")")
		t := one.Tally
		args = append(args, string(one.chunk.ID), t.Delivered, t.Failed, t.Unknown, storable(string(one.Result)))
	}
	text.WriteString(`) UPDATE chunk SET state = 'settled', hold_krw = 0, enqueued_at = 0, unconfirmed = 0, error = '',
		delivered = done.delivered, failed = done.failed, unknown = done.unknown, result = done.result
		FROM done WHERE chunk.id = done.id`)
	result, err := tx.ExecContext(ctx, text.String(), args...)
	if err != nil {
		return fmt.Errorf("end %d chunks: %w", len(settled), err)
	}
	if n, err := result.RowsAffected(); err != nil || int(n) != len(settled) {
		return errors.Join(fmt.Errorf("ended %d chunks, want %d", n, len(settled)), err)
	}
	return nil
}
