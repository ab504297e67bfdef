package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
)

const (
	// lookupBatch bounds how many chunks one statement reads or moves: a power of two.
	lookupBatch = 64
	// lookupLimit bounds a statement that works for several callers: it does not end with the context of one
	// of them.
	lookupLimit = 10 * time.Second
)

// workRow is a chunk with all that its request needs, as it is stored.
type workRow struct {
	work                                      broadcast.Work
	recipients, data, params, option, restKey []byte // JSON, and a sealed key
}

var workOfChunks = chunkQuery[workRow]{
	text: `SELECT ` + chunkColumns + `, c.recipients, b.event_name, b.event_data, b.params, b.event_option, b.side, ` + sifted + `,
		t.rest_key_sealed, t.rate_per_second, t.in_flight
		FROM chunk c JOIN broadcast b ON b.id = c.broadcast_id JOIN bot t ON t.id = c.bot_id`,
	scan: func(row scanner, id *broadcast.ChunkID) (r workRow, err error) {
		w := &r.work
		w.Chunk, err = scanChunk(row, &r.recipients, &w.Message.Event, &r.data, &r.params, &r.option, &w.Side, &w.Sifted, &r.restKey, &w.Rate, &w.InFlight)
		*id = w.Chunk.ID
		return r, err
	},
}

// ChunkWork reads what the request of a queued chunk needs.
func (s *Store) ChunkWork(ctx context.Context, id broadcast.ChunkID, epoch int) (w broadcast.Work, ok bool, err error) {
	row, ok, err := readChunk(ctx, s, &s.queued, workOfChunks, id)
	if w = row.work; err != nil || !ok || w.Chunk.State != broadcast.Queued || w.Chunk.Epoch != epoch {
		return w, false, err
	}
	for text, into := range map[*[]byte]any{&row.recipients: &w.Recipients, &row.data: &w.Message.Data, &row.params: &w.Message.Params, &row.option: &w.Message.Option} {
		if err := json.Unmarshal(*text, into); err != nil {
			return w, false, fmt.Errorf("read stored message: %w", err)
		}
	}
	w.RestKey = s.restKey(w.Chunk.BotID, row.restKey)
	return w, true, nil
}

// sentRow is a chunk that may be sent, as it is stored.
type sentRow struct {
	looked  broadcast.Looked
	restKey []byte // sealed
}

var lookedChunks = chunkQuery[sentRow]{
	text: `SELECT ` + chunkColumns + `, c.recipients, t.rest_key_sealed FROM chunk c JOIN bot t ON t.id = c.bot_id`,
	scan: func(row scanner, id *broadcast.ChunkID) (r sentRow, err error) {
		r.looked.Chunk, err = scanChunk(row, &r.looked.Recipients, &r.restKey)
		*id = r.looked.Chunk.ID
		return r, err
	},
}

// SentChunk reads a sent chunk whose result is looked up.
func (s *Store) SentChunk(ctx context.Context, id broadcast.ChunkID, epoch int) (l broadcast.Looked, ok bool, err error) {
	row, ok, err := readChunk(ctx, s, &s.sent, lookedChunks, id)
	if l = row.looked; err != nil || !ok || l.Chunk.State != broadcast.Sent || l.Chunk.Epoch != epoch {
		return l, false, err
	}
	l.RestKey = s.restKey(l.Chunk.BotID, row.restKey)
	return l, true, nil
}

// lookup is one chunk to be read. The statement that does it writes the rest.
type lookup[T any] struct {
	id broadcast.ChunkID

	row    T
	found  bool
	err    error
	shared bool // the statement was one for several
}

// chunkQuery reads chunks c by their ids, whatever their state: a condition on that has PostgreSQL look through
// all chunks of the state as long as it has not counted them.
type chunkQuery[T any] struct {
	text string // up to its condition
	scan func(row scanner, id *broadcast.ChunkID) (T, error)
}

// readChunk reads what a query says of a chunk, in one statement with those that are asked for at the same time;
// where that fails, each is read alone. found is false when it says nothing.
func readChunk[T any](ctx context.Context, s *Store, together *gathering[*lookup[T]], q chunkQuery[T], id broadcast.ChunkID) (row T, found bool, err error) {
	one := &lookup[T]{id: id, err: errNotReached}
	err = together.do(ctx, "", one, lookupBatch, func(all []*lookup[T]) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookupLimit)
		defer cancel()
		err := q.readAll(ctx, s, all)
		for _, one := range all {
			one.err, one.shared = err, len(all) > 1
		}
	})
	if err == nil {
		err = one.err
	}
	if one.shared && err != nil {
		err = q.readAll(ctx, s, []*lookup[T]{one})
	}
	return one.row, one.found && err == nil, err
}

// readAll reads chunks in one statement.
func (q chunkQuery[T]) readAll(ctx context.Context, s *Store, all []*lookup[T]) error {
	args := make([]any, rooms(len(all)))
	for n := range args {
		args[n] = "" // no chunk
		if n < len(all) {
			args[n] = string(all[n].id)
		}
	}
	rows, err := s.read.QueryContext(ctx, q.text+` WHERE c.id IN (`+placeholders(1, len(args))+`)`, args...)
	if err != nil {
		return fmt.Errorf("read %d chunks: %w", len(all), err)
	}
	defer rows.Close()
	for rows.Next() {
		var id broadcast.ChunkID
		row, err := q.scan(rows, &id)
		if err != nil {
			return fmt.Errorf("read chunk %s: %w", id, err)
		}
		for _, one := range all { // two runs of one task ask for the same
			if one.id == id {
				one.row, one.found = row, true
			}
		}
	}
	return rows.Err()
}

// rooms is for how many chunks a text is written that is for n: few texts have to be planned that way, and what is
// over is filled with no chunk at all.
func rooms(n int) int {
	all := 1
	for all < n {
		all *= 2
	}
	return all
}
