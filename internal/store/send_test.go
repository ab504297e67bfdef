package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/testserver"
)

// sharing has calls come while somebody else has the turn, so that they share a statement.
func sharing[T any](t *testing.T, g *gathering[T], key string, calls ...func()) {
	t.Helper()
	began, release := make(chan struct{}), make(chan struct{})
	var group sync.WaitGroup
	defer group.Wait()
	group.Go(func() {
		var nothing T
		if err := g.do(context.WithoutCancel(t.Context()), key, nothing, 1, func([]T) { close(began); <-release }); err != nil {
			t.Error(err)
		}
	})
	<-began
	for _, call := range calls {
		group.Go(call)
	}
	inside := func() int {
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.rooms[key].inside
	}
	for ticker := time.NewTicker(time.Millisecond); inside() < 1+len(calls); {
		<-ticker.C
	}
	close(release)
}

// claims claims chunks together, and returns which could be claimed.
func claims(t *testing.T, s *Store, chunks ...chunkRow) []bool {
	t.Helper()
	oks := make([]bool, len(chunks))
	var calls []func()
	for n, c := range chunks {
		calls = append(calls, func() { oks[n] = claim(t, s, c, t0.Add(time.Duration(n)*time.Millisecond)) })
	}
	sharing(t, &s.sends, stepClaim.set, calls...)
	return oks
}

// Chunks that are claimed together, and accepted together, are each looked at for themselves.
func TestSend_together(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 10_000)
		b := running(t, s, order("brd_1", botID), 3, 3, 3, 3, 3)
		dispatch(t, s, t0)
		var chunks []chunkRow
		for seq := 1; seq <= 5; seq++ {
			chunks = append(chunks, chunkOf(t, s, b.ID, seq))
		}
		if !claim(t, s, chunks[4], t0) {
			t.Fatal("the last chunk cannot be claimed")
		}
		old := chunks[2]
		old.Epoch--
		if got, want := claims(t, s, chunks[0], chunks[1], old, chunks[4]), []bool{true, true, false, false}; !slices.Equal(got, want) {
			t.Errorf("claimed together: %v, want %v", got, want)
		}
		exec(t, s, `UPDATE broadcast SET refusals = 3 WHERE id = $1`, b.ID)
		var calls []func()
		for n, c := range []chunkRow{chunks[0], chunks[1], chunks[2], chunks[4]} {
			calls = append(calls, func() {
				want := n != 2 // which nobody has claimed
				if got := record(t, s, c, accepted(fmt.Sprint("task-", n)), t0.Add(time.Duration(n)*time.Minute)); got != want {
					t.Errorf("chunk %s is accepted: %v, want %v", c.ID, got, want)
				}
			})
		}
		sharing(t, &s.sends, stepAccept.set, calls...)
		type line struct {
			state  broadcast.ChunkState
			taskID string
			sentAt time.Time
		}
		for n, want := range []line{{broadcast.Sent, "task-0", t0}, {broadcast.Sent, "task-1", t0.Add(time.Minute)},
			{broadcast.Queued, "", time.Time{}}, {broadcast.Queued, "", time.Time{}}, {broadcast.Sent, "task-3", t0.Add(3 * time.Minute)}} {
			c := chunkOf(t, s, b.ID, n+1)
			if got := (line{c.State, c.TaskID, c.SentAt}); got != want {
				t.Errorf("chunk %d is %v, want %v", n+1, got, want)
			}
		}
		if b, err := s.Broadcast(t.Context(), b.ID); err != nil || b.Refusals != 0 {
			t.Errorf("the broadcast has %d refusals in a row (%v), want none after requests that were accepted", b.Refusals, err)
		}
	})
}

// Of several runs of one task, one gets the chunk, also when they come at the same time.
func TestClaimChunk_runsAtTheSameTime(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		const runs = 4
		_, botID := shop(t, s, "1", 100_000)
		b := running(t, s, order("brd_1", botID), slices.Repeat([]int{1}, 100)...)
		exec(t, s, `UPDATE bot SET rate_per_second = 10000, in_flight = 128 WHERE id = $1`, botID)
		if rows := dispatch(t, s, t0); len(rows) != 100 {
			t.Fatalf("%d chunks are queued, want 100", len(rows))
		}
		var chunks []chunkRow
		for seq := 1; seq <= 100; seq++ {
			chunks = append(chunks, slices.Repeat([]chunkRow{chunkOf(t, s, b.ID, seq)}, runs)...)
		}
		times := make(map[broadcast.ChunkID]int)
		for n, ok := range claims(t, s, chunks...) {
			if ok {
				times[chunks[n].ID]++
			}
		}
		for id, n := range times {
			if n != 1 {
				t.Errorf("chunk %s was claimed %d times", id, n)
			}
		}
		if len(times) != 100 {
			t.Errorf("%d chunks were claimed, want 100", len(times))
		}
	})
}

// A chunk that another transaction has locked is waited for alone: those that came with it have gone.
func TestClaimChunk_besideALockedOne(t *testing.T) {
	address := testserver.Postgres(t)
	s := openTest(t, address)
	_, botID := shop(t, s, "1", 10_000)
	b := running(t, s, order("brd_1", botID), 3, 3, 3, 3)
	dispatch(t, s, t0)
	locked, free, last := chunkOf(t, s, b.ID, 1), chunkOf(t, s, b.ID, 2), chunkOf(t, s, b.ID, 3)
	release := holdLocks(t, address, func(ctx context.Context, _ *Store, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `SELECT 1 FROM chunk WHERE id = $1 FOR UPDATE`, locked.ID)
		return err
	})
	both := []*taking{{id: locked.ID, epoch: locked.Epoch, at: t0, until: t0}, {id: chunkOf(t, s, b.ID, 4).ID, epoch: locked.Epoch, at: t0, until: t0}}
	if err := s.take(t.Context(), s.write, stepClaim, both); err != nil || both[0].ok || !both[1].ok {
		t.Fatalf("claimed in one statement: %v, %v (%v), want the one that is not locked", both[0].ok, both[1].ok, err)
	}
	var gone sync.WaitGroup
	gone.Add(2)
	var claimed atomic.Bool
	go func() {
		gone.Wait()
		if claimed.Load() {
			t.Error("the chunk that is locked was claimed")
		}
		release()
	}()
	sharing(t, &s.sends, stepClaim.set,
		func() {
			if !claim(t, s, locked, t0) {
				t.Error("the chunk that was locked is not claimed")
			}
			claimed.Store(true)
		},
		func() { defer gone.Done(); claim(t, s, free, t0) },
		func() { defer gone.Done(); claim(t, s, last, t0) })
	for seq := 1; seq <= 4; seq++ {
		if c := chunkOf(t, s, b.ID, seq); c.State != broadcast.Sending {
			t.Errorf("chunk %d is %s, want sending", seq, c.State)
		}
	}
}

// One row that cannot be read stops none of those that are read with it.
func TestChunkWork_besideABrokenOne(t *testing.T) {
	s := openTest(t, sqliteAddress(t))
	_, botID := shop(t, s, "1", 10_000)
	b := running(t, s, order("brd_1", botID), 3, 3)
	dispatch(t, s, t0)
	broken, whole := chunkOf(t, s, b.ID, 1), chunkOf(t, s, b.ID, 2)
	exec(t, s, `PRAGMA ignore_check_constraints = 1`)
	exec(t, s, `UPDATE chunk SET attempts = 'many' WHERE id = $1`, broken.ID)
	sharing(t, &s.queued, "",
		func() {
			if _, ok, err := s.ChunkWork(t.Context(), broken.ID, broken.Epoch); ok || err == nil {
				t.Errorf("ChunkWork of a broken row = %v, %v, want an error", ok, err)
			}
		},
		func() {
			if work, ok, err := s.ChunkWork(t.Context(), whole.ID, whole.Epoch); !ok || err != nil || len(work.Recipients) != 3 {
				t.Errorf("ChunkWork beside a broken row = %+v, %v, %v, want its people", work, ok, err)
			}
		})
}
