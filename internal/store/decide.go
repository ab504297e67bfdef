package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/wallet"
)

// What a person may decide on of chunks c: mayAgain is true of those that may be sent again, mayEnd of those that may be
// ended, and mayEndNamed of those that may be ended when they are named: Kakao took them, and its counts never add up.
const (
	mayAgain    = `c.state IN ('in_doubt', 'parked')`
	mayEnd      = `c.state = 'in_doubt'`
	mayEndNamed = `(c.state = 'in_doubt' OR c.state = 'sent' AND c.unconfirmed = 1)`
)

// doubtful is a chunk that a person decides on.
type doubtful struct {
	broadcast.Chunk
	captured int  // delivered, when its doubt came to its term
	evidence bool // somebody answered to one of its messages
}

// DecideChunks does what a person says of chunks in doubt, or parked.
func (s *Store) DecideChunks(ctx context.Context, d broadcast.Decision) (done broadcast.Decided, err error) {
	b, err := s.Broadcast(ctx, d.Broadcast)
	if err != nil {
		return done, err
	}
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		done = broadcast.Decided{}
		answer, repeated, err := claimRequest(ctx, tx, d.Request.Scope, d.Request.Key, d.Request.BodyHash, "")
		if err != nil {
			return err
		}
		if repeated {
			return json.Unmarshal(answer, &done)
		}
		w, err := s.lockWallet(ctx, tx, b.WalletID)
		if err != nil {
			return err
		}
		locked, err := s.lockBroadcast(ctx, tx, d.Broadcast)
		if err != nil {
			return err
		}
		chunks, err := s.lockDoubtful(ctx, tx, d)
		if err != nil {
			return err
		}
		if len(chunks) > broadcast.MaxDecided {
			done.More, chunks = true, chunks[:broadcast.MaxDecided]
		}
		if d.Finding == broadcast.FoundNotSent {
			people := 0
			for _, c := range chunks {
				people += c.People
			}
			if err := s.checks.ConfirmAgain(people, d.Confirm); err != nil {
				return err
			}
		}
		before := locked.Captured
		for _, c := range chunks {
			decided, err := s.decideChunk(ctx, tx, &w, &locked, c, d)
			if err != nil {
				return fmt.Errorf("decide chunk %s: %w", c.ID, err)
			}
			if !decided {
				done.Proven = append(done.Proven, c.ID)
				continue
			}
			done.Chunks, done.People = done.Chunks+1, done.People+c.People
		}
		done.Captured = locked.Captured - before
		if err := s.saveBroadcast(ctx, tx, locked, d.At); err != nil {
			return err
		}
		access.DeedOf(ctx).Did(access.Object{Kind: access.OfBroadcast, ID: string(d.Broadcast)}, map[string]any{"in_doubt": b.Counts.InDoubt, "failed": b.Counts.Failed},
			map[string]any{"finding": d.Finding, "note": d.Note, "chunks": done.Chunks, "people": done.People, "captured_krw": done.Captured})
		body, err := json.Marshal(done)
		if err != nil {
			return err
		}
		return answerRequest(ctx, tx, d.Request.Scope, d.Request.Key, body)
	})
	return done, err
}

// lockDoubtful locks the chunks that a decision is about: see [mayAgain]. It locks one more than it may be about where it names
// none. It is a Conflict for one that is named and cannot be decided on.
func (s *Store) lockDoubtful(ctx context.Context, tx *sql.Tx, d broadcast.Decision) ([]doubtful, error) {
	where, args := mayAgain, []any{d.Broadcast}
	switch {
	case d.Finding != broadcast.FoundNotSent && len(d.Chunks) > 0:
		where = mayEndNamed
	case d.Finding != broadcast.FoundNotSent:
		where = mayEnd
	}
	if len(d.Chunks) > 0 {
		list := slices.Clone(d.Chunks)
		slices.Sort(list)
		list = slices.Compact(list)
		for _, id := range list {
			args = append(args, string(id))
		}
		where += ` AND c.id IN (` + placeholders(2, len(list)) + `)`
	}
	args = append(args, broadcast.MaxDecided+1)
	rows, err := tx.QueryContext(ctx, `SELECT `+chunkColumns+`, c.delivered, EXISTS (SELECT 1 FROM chunk_evidence e WHERE e.chunk_id = c.id) FROM chunk c
		WHERE c.broadcast_id = $1 AND c.upload_epoch = (SELECT audience_epoch FROM broadcast WHERE id = $1) AND `+where+`
		ORDER BY c.id`+fmt.Sprintf(` LIMIT $%d`, len(args))+s.dialect.lock, args...)
	chunks, err := collect(rows, err, func(row scanner) (c doubtful, err error) {
		c.Chunk, err = scanChunk(row, &c.captured, &c.evidence)
		return c, err
	})
	if err != nil {
		return nil, fmt.Errorf("lock chunks in doubt: %w", err)
	}
	for _, named := range d.Chunks {
		if !slices.ContainsFunc(chunks, func(c doubtful) bool { return c.ID == named }) {
			return nil, fault.Coded(fault.Conflict, "CHUNK_NOT_IN_DOUBT", "chunk %q of this broadcast is not in doubt, nor parked where it is to be sent again, nor unconfirmed where it is not; nothing was decided", named)
		}
	}
	return chunks, nil
}

// decideChunk decides on one locked chunk; false leaves it as it is.
func (s *Store) decideChunk(ctx context.Context, tx *sql.Tx, w *wallet.Wallet, b *broadcast.Broadcast, c doubtful, d broadcast.Decision) (bool, error) {
	open, doubt := c.People-c.captured, c.People-c.captured // whose outcome is not known, and who counts as in doubt
	if c.State == broadcast.Sent {
		doubt = 0
	}
	if c.State == broadcast.Parked {
		b.Counts.Failed -= c.People
		b.PlannedChunks++
		return true, planAgain(ctx, tx, c, d)
	}
	switch d.Finding {
	case broadcast.FoundNotSent:
		if c.evidence || c.captured > 0 {
			return false, nil // it did go out
		}
		b.Counts.InDoubt -= open
		b.PlannedChunks++
		if err := moveHeld(ctx, tx, c.WalletID, -c.Hold); err != nil {
			return false, err
		}
		w.Held -= c.Hold
		return true, planAgain(ctx, tx, c, d)
	case broadcast.FoundSent:
		if c.captured > 0 { // its posting is there already
			return false, nil
		}
		if err := s.captureChunk(ctx, tx, w, b, &c.Chunk, c.People, d.At); err != nil {
			return false, err
		}
		b.Counts.InDoubt -= doubt
		_, err := tx.ExecContext(ctx, `UPDATE chunk SET state = 'settled', hold_krw = 0, enqueued_at = 0, delivered = people, error = $2 WHERE id = $1`,
			c.ID, "somebody said that it was sent: "+d.Note)
		return true, err
	case broadcast.FoundNothing:
	}
	if err := moveHeld(ctx, tx, c.WalletID, -c.Hold); err != nil {
		return false, err
	}
	w.Held -= c.Hold
	b.Counts.InDoubt -= doubt
	b.Counts.Unknown += open
	_, err := tx.ExecContext(ctx, `UPDATE chunk SET state = 'settled', hold_krw = 0, enqueued_at = 0, unknown = $2, error = $3 WHERE id = $1`,
		c.ID, open, "somebody let it be: "+d.Note)
	return true, err
}

// planAgain has a chunk sent once more; whoever still has it in his hands cannot write any more.
func planAgain(ctx context.Context, tx *sql.Tx, c doubtful, d broadcast.Decision) error {
	_, err := tx.ExecContext(ctx, `UPDATE chunk SET state = 'planned', hold_krw = 0, epoch = epoch + 1, next_at = $2, enqueued_at = 0, attempts = 0, dead = 0,
		lease_until = 0, doubt_at = 0, failed = 0, error = $3 WHERE id = $1`, c.ID, millis(d.At), "somebody said that it was not sent: "+d.Note)
	if err != nil {
		return err
	}
	return uncontacted(ctx, tx, c.ID)
}
