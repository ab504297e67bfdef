package store

import (
	"strings"
	"testing"

	"github.com/malgil/malgil/internal/testserver"
)

func TestHeldBy(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 100_000)
		b, other := running(t, s, order("brd_1", botID), 100, 100, 100, 100), running(t, s, order("brd_2", botID), 7)
		held := func(what string, want int) {
			t.Helper()
			if got, err := s.HeldBy(t.Context(), b.ID); err != nil || int(got) != want {
				t.Errorf("HeldBy() %s = %d, %v, want %d", what, got, err, want)
			}
		}
		held("before anything goes", 0)
		dispatch(t, s, t0)
		held("of four chunks on the way", 400*15)
		for seq, state := range []string{"sending", "sent", "in_doubt"} {
			exec(t, s, `UPDATE chunk SET state = $3, task_id = 'task' WHERE broadcast_id = $1 AND seq = $2`, b.ID, seq+1, state)
		}
		held("of one in each state that holds", 400*15)
		exec(t, s, `UPDATE chunk SET state = 'settled', hold_krw = 0 WHERE broadcast_id = $1 AND seq = 1`, b.ID)
		held("after one is settled", 300*15)
		if got, err := s.HeldBy(t.Context(), other.ID); err != nil || got != 7*15 {
			t.Errorf("HeldBy() of another = %d, %v, want %d", got, err, 7*15)
		}
	})
}

// Asked every second, of broadcasts of a hundred thousand chunks.
func TestHeldBy_readsIndexes(t *testing.T) {
	query := []string{strings.ReplaceAll(heldBy, "$1", "'brd_1'")}
	check := func(t *testing.T, s *Store, explain string) {
		steps := strings.Join(plan(t, s, explain, query), "\n")
		for _, index := range []string{"chunk_queued", "chunk_sending", "chunk_sent", "chunk_in_doubt"} {
			if !strings.Contains(steps, index) {
				t.Errorf("the plan is\n%s\nwant the index %s", steps, index)
			}
		}
	}
	t.Run("sqlite", func(t *testing.T) { check(t, openTest(t, sqliteAddress(t)), `EXPLAIN QUERY PLAN `) })
	t.Run("postgres", func(t *testing.T) {
		s := openTest(t, testserver.Postgres(t))
		s.read.SetMaxOpenConns(1) // the setting below is the connection's
		exec(t, s, `SET enable_seqscan = off`)
		check(t, s, `EXPLAIN `)
	})
}
