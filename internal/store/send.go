package store

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/wallet"
)

// step is a move of a chunk that needs no lock on wallet or broadcast: the money stays held. The values of
// a call stand in the row m.
type step struct{ set, from string }

var (
	// stepClaim takes a chunk, unless its people have to be sifted since somebody has refused all messages of its
	// bot, or the bot bounds how many there are, after it was read.
	stepClaim = step{
		set: `state = 'sending', lease_until = m.until, attempts = attempts + 1`,
		from: `chunk.state = 'queued' AND chunk.send_by > m.at
			AND NOT EXISTS (SELECT 1 FROM suppression s WHERE s.bot_id = chunk.bot_id AND s.scope = 'all')
			AND NOT EXISTS (SELECT 1 FROM bot t WHERE t.id = chunk.bot_id AND t.capped = 'all')`,
	}
	stepAccept        = step{set: setSent, from: `chunk.state = 'sending'`}
	stepAcceptDoubted = step{set: setSent, from: `chunk.state = 'in_doubt'`}
)

const setSent = `state = 'sent', task_id = m.receipt, sent_at = m.at, next_at = m.until, enqueued_at = 0, attempts = 0, error = ''`

// taking is one chunk that takes a step. The statement that does it writes the rest.
type taking struct {
	id        broadcast.ChunkID
	epoch     int
	at, until time.Time
	taskID    string

	ok      bool
	refused broadcast.ID // its broadcast, when requests of that were refused
	err     error
	shared  bool // the statement was one for several
}

// ClaimChunk moves a chunk from queued to sending, unless its people have to be sifted since somebody has refused
// all messages of its bot, or the bot bounds how many there are, after it was read.
func (s *Store) ClaimChunk(ctx context.Context, id broadcast.ChunkID, epoch int, now, lease time.Time) (bool, error) {
	one := &taking{id: id, epoch: epoch, at: now, until: lease}
	err := s.together(ctx, stepClaim, one)
	return one.ok && err == nil, err
}

// recordAccepted moves a chunk to sent. Most chunks come from sending.
func (s *Store) recordAccepted(ctx context.Context, id broadcast.ChunkID, epoch int, r broadcast.Verdict, now time.Time) (bool, error) {
	one := &taking{id: id, epoch: epoch, at: now, until: now.Add(broadcast.FirstLookup), taskID: r.TaskID}
	if err := s.together(ctx, stepAccept, one); err != nil {
		return false, err
	}
	if one.ok && one.refused != "" {
		_, err := s.write.ExecContext(ctx, `UPDATE broadcast SET refusals = 0 WHERE refusals > 0 AND id = $1`, one.refused)
		return true, err
	}
	if one.ok {
		return true, nil
	}
	return s.changeChunk(ctx, id, func(tx *sql.Tx, _ *wallet.Wallet, b *broadcast.Broadcast, c *broadcast.Chunk) (bool, error) {
		if c.State == broadcast.Settled && c.Epoch == epoch && c.TaskID == "" {
			// What was settled without Kakao stays as it is; with its receipt Kakao can be asked how many it counts.
			_, err := tx.ExecContext(ctx, `UPDATE chunk SET task_id = $2, sent_at = $3 WHERE id = $1`, c.ID, r.TaskID, millis(now))
			return false, err
		}
		settledByTerm := c.Hold == 0 && b.Price > 0
		if c.State != broadcast.InDoubt || c.Epoch != epoch || settledByTerm {
			return false, nil
		}
		b.Counts.InDoubt -= c.People
		err := s.take(ctx, tx, stepAcceptDoubted, []*taking{one})
		return one.ok, err
	}, now)
}

// together has a chunk take a step, with those that come at the same time: what a database commits at once costs
// little more than one alone. Where they fail together, each is tried alone; so is one whose row another transaction
// has locked, which PostgreSQL passes over: it waits with no other row in its hands, and nobody waits for it.
func (s *Store) together(ctx context.Context, to step, one *taking) error {
	one.err = errNotReached
	err := s.sends.do(ctx, to.set, one, lookupBatch, func(all []*taking) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookupLimit)
		defer cancel()
		err := s.take(ctx, s.write, to, all)
		for _, one := range all {
			one.err, one.shared = err, len(all) > 1
		}
	})
	if err == nil {
		err = one.err
	}
	if one.shared && (err != nil || !one.ok && !s.dialect.embedded) {
		return s.take(ctx, s.write, to, []*taking{one})
	}
	return err
}

// take has chunks take a step in one statement, as far as they may.
func (s *Store) take(ctx context.Context, q querier, to step, all []*taking) error {
	type fence struct {
		id    broadcast.ChunkID
		epoch int
	}
	const columns = 5
	moves := make(map[fence]*taking, len(all))
	args := make([]any, 0, columns*rooms(len(all)))
	for _, one := range all {
		one.ok, one.refused = false, ""
		if moves[fence{one.id, one.epoch}] != nil {
			continue // two runs of one task: one of them takes it
		}
		moves[fence{one.id, one.epoch}] = one
		args = append(args, string(one.id), one.epoch, millis(one.at), millis(one.until), one.taskID)
	}
	for len(args) < cap(args) {
		args = append(args, "", 0, 0, 0, "")
	}
	var values strings.Builder
	for n := range args {
		values.WriteString([columns]string{", (", ", ", ", ", ", ", ", "}[n%columns])
		values.WriteString("CAST($" + strconv.Itoa(n+1) + " AS " + [columns]string{"TEXT", "BIGINT", "BIGINT", "BIGINT", "TEXT)"}[n%columns] + ")")
	}
	free := ``
	if len(moves) > 1 && !s.dialect.embedded {
		free = ` AND chunk.id IN (SELECT c.id FROM chunk c JOIN m ON c.id = m.chunk_id` + s.dialect.share + `)`
	}
	rows, err := q.QueryContext(ctx, `WITH m (chunk_id, fence, at, until, receipt) AS (VALUES `+values.String()[2:]+`)
		UPDATE chunk SET `+to.set+` FROM m WHERE chunk.id = m.chunk_id AND chunk.epoch = m.fence AND `+to.from+free+`
		RETURNING id, epoch, COALESCE((SELECT b.id FROM broadcast b WHERE b.id = chunk.broadcast_id AND b.refusals > 0), '')`, args...)
	if err != nil {
		return fmt.Errorf("move %d chunks: %w", len(moves), err)
	}
	defer rows.Close()
	for rows.Next() {
		var f fence
		var refused broadcast.ID
		if err := rows.Scan(&f.id, &f.epoch, &refused); err != nil {
			return err
		}
		moves[f].ok, moves[f].refused = true, refused
	}
	return rows.Err()
}
