package store

import (
	"context"
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
)

// How much of what a bot has sent is looked through in one call of [Store.Messages].
const (
	seekBroadcasts = 500
	seekChunks     = 5_000 // half a million people
)

// Addressed is a chunk that may hold somebody, with its broadcast.
type Addressed struct {
	ChunkPeople
	BroadcastID broadcast.ID
	Name, Event string
	Side        broadcast.Side
	Purpose     broadcast.Purpose
	OrderedAt   time.Time
}

// MessageMark says how far a search has come: through the chunks up to Seq of a broadcast, and through all
// broadcasts after it. The zero value is its beginning.
type MessageMark struct {
	Broadcast broadcast.ID `json:"broadcast"`
	Seq       int          `json:"seq"`
}

// Messages looks through what a bot has sent, newest broadcast first, for chunks that may hold somebody: his id
// stands in each, perhaps as a part of something else. It finds limit chunks at most, looks through so much at a
// time, and returns how far it came, nil at the end. Broadcasts that were ordered before since are left out, and those whose audience
// is not complete.
func (s *Store) Messages(ctx context.Context, botID, person string, since time.Time, from MessageMark, limit int) (found []Addressed, next *MessageMark, err error) {
	err = s.snapshot(ctx, owedTime, func(q querier) error {
		found, next = nil, nil
		rows, err := q.QueryContext(ctx, `SELECT id, name, event_name, side, purpose, created_at,
			COALESCE((SELECT MAX(c.seq) FROM chunk c WHERE c.broadcast_id = broadcast.id), 0) FROM broadcast
			WHERE bot_id = $1 AND ($2 = '' OR id <= $2) AND created_at >= $3 AND state <> 'uploading' ORDER BY id DESC LIMIT $4`,
			botID, from.Broadcast, millis(since), seekBroadcasts+1)
		type candidate struct {
			Addressed
			last int
		}
		all, err := collect(rows, err, func(row scanner) (c candidate, err error) {
			err = row.Scan(&c.BroadcastID, &c.Name, &c.Event, &c.Side, &c.Purpose, at(&c.OrderedAt), &c.last)
			return c, err
		})
		if err != nil {
			return fmt.Errorf("list broadcasts of bot %s: %w", botID, err)
		}
		room := seekChunks
		for i, b := range all {
			after := 0
			if b.BroadcastID == from.Broadcast {
				after = from.Seq
			}
			if i == seekBroadcasts || room <= 0 {
				next = &MessageMark{Broadcast: b.BroadcastID, Seq: after}
				return nil
			}
			upTo, most := min(b.last, after+room), limit-len(found)
			chunks, err := peopleWhere(ctx, q, ` AND c.seq <= $3 AND c.recipients LIKE $4 ESCAPE '!' ORDER BY c.seq LIMIT $5`,
				b.BroadcastID, after, upTo, holding(person), most)
			if err != nil {
				return err
			}
			for _, c := range chunks {
				one := b.Addressed
				one.ChunkPeople = c
				found = append(found, one)
			}
			room -= max(upTo-after, 0)
			switch {
			case len(chunks) == most:
				next = &MessageMark{Broadcast: b.BroadcastID, Seq: chunks[most-1].Chunk.Seq}
				return nil
			case upTo < b.last:
				next = &MessageMark{Broadcast: b.BroadcastID, Seq: upTo}
				return nil
			}
		}
		return nil
	})
	return found, next, err
}
