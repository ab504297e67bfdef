package store

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
)

// Somebody is found in all that a bot sends, newest first, however large it is, and nowhere else.
func TestMessages(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 1_000_000)
		_, other := shop(t, s, "2", 1_000_000)
		for i, b := range []struct {
			bot    string
			people []int
		}{{botID, []int{2}}, {botID, slices.Repeat([]int{1}, seekChunks+2)}, {botID, []int{1, 3}}, {other, []int{9}}} {
			made := order(fmt.Sprintf("brd_%d", i+1), b.bot)
			made.CreatedAt = t0.Add(time.Duration(i) * time.Hour)
			running(t, s, made, b.people...)
		}
		again := create(t, s, order("brd_5", botID)) // an earlier upload of it does not count, nor one that is not sealed
		upload(t, s, again.ID, 1, 1)
		upload(t, s, again.ID, 1)
		create(t, s, order("brd_6", botID))
		upload(t, s, "brd_6", 2)
		if _, err := s.Seal(t.Context(), again.ID, broadcast.Sealing{}, t0); err != nil {
			t.Fatal(err)
		}

		search := func(person string, since time.Time, limit int) (found []string, steps int) {
			t.Helper()
			from := MessageMark{}
			for {
				chunks, next, err := s.Messages(t.Context(), botID, person, since, from, limit)
				if err != nil {
					t.Fatal(err)
				}
				if len(chunks) > limit {
					t.Errorf("%d chunks were found in one step, want at most %d", len(chunks), limit)
				}
				for _, c := range chunks {
					found = append(found, fmt.Sprintf("%s %d", c.BroadcastID, c.Chunk.Seq))
				}
				steps++
				if next == nil {
					return found, steps
				}
				from = *next
			}
		}
		for _, tt := range []struct {
			person string
			since  time.Time
			limit  int
			steps  int
			want   []string
		}{
			{"u1-1", time.Time{}, 50, 2, []string{"brd_5 3", "brd_3 1", "brd_2 1", "brd_1 1"}},
			{"u1-1", time.Time{}, 1, 6, []string{"brd_5 3", "brd_3 1", "brd_2 1", "brd_1 1"}},
			{"u1-1", t0.Add(2 * time.Hour), 50, 1, []string{"brd_3 1"}},
			{"u1-2", time.Time{}, 50, 2, []string{"brd_1 1"}},
			{fmt.Sprintf("u%d-1", seekChunks+2), time.Time{}, 50, 2, []string{fmt.Sprintf("brd_2 %d", seekChunks+2)}},
			{"u1", time.Time{}, 50, 2, nil},
			{"u%", time.Time{}, 50, 2, nil},
		} {
			found, steps := search(tt.person, tt.since, tt.limit)
			if !slices.Equal(found, tt.want) || steps > tt.steps {
				t.Errorf("%s since %s, %d at a time, was found in %v in %d steps; want %v in %d", tt.person, tt.since, tt.limit, found, steps, tt.want, tt.steps)
			}
		}
	})
}
