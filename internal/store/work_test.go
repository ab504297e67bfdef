package store

import (
	"cmp"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
)

func stamp(t *testing.T, s *Store, kind Work, now time.Time, limit int) []broadcast.Row {
	t.Helper()
	rows, err := s.Stamp(t.Context(), kind, now, limit)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(rows, func(a, b broadcast.Row) int { return cmp.Compare(a.ID, b.ID) })
	return rows
}

func waiting(t *testing.T, s *Store, kind Work, before time.Time) []broadcast.Row {
	t.Helper()
	rows, err := s.Waiting(t.Context(), kind, before, 100)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// A queued chunk has a task from its dispatch on; one whose task is gone gets another under a
// new epoch, and the old epoch is dead.
func TestStamp_chunks(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		walletID, botID := shop(t, s, "1", 1000)
		b := running(t, s, order("brd_1", botID), 2, 3)
		rows := dispatch(t, s, t0)
		if got := stamp(t, s, WorkChunk, t0, 10); len(got) != 0 {
			t.Errorf("Stamp of chunks that have tasks = %v", got)
		}
		minute := t0.Add(time.Minute)
		if got := waiting(t, s, WorkChunk, t0.Add(-time.Millisecond)); len(got) != 0 {
			t.Errorf("Waiting for long = %v, want none yet", got)
		}
		if got := waiting(t, s, WorkChunk, t0); len(got) != 2 {
			t.Errorf("Waiting = %v, want both", got)
		}
		if err := s.Touch(t.Context(), WorkChunk, rows, minute); err != nil {
			t.Fatal(err)
		}
		if got := waiting(t, s, WorkChunk, minute.Add(-time.Millisecond)); len(got) != 0 {
			t.Errorf("Waiting after Touch = %v, want none: they were seen alive", got)
		}
		if err := s.Forget(t.Context(), WorkChunk, rows, false, minute); err != nil {
			t.Fatal(err)
		}
		first, second := string(broadcast.NewChunkID(b.ID, 1)), string(broadcast.NewChunkID(b.ID, 2))
		want := []broadcast.Row{{ID: first, Epoch: 2}, {ID: second, Epoch: 2}}
		if got := stamp(t, s, WorkChunk, minute, 10); !slices.Equal(got, want) {
			t.Errorf("Stamp after Forget = %v, want %v", got, want)
		}
		// What is said of an older epoch says nothing of this one.
		if err := s.Forget(t.Context(), WorkChunk, rows, true, minute); err != nil {
			t.Fatal(err)
		}
		if got := stamp(t, s, WorkChunk, minute, 10); len(got) != 0 {
			t.Errorf("Stamp after Forget of an older epoch = %v", got)
		}
		if c := chunkOf(t, s, b.ID, 1); c.Dead != 0 {
			t.Errorf("dead = %d, want 0", c.Dead)
		}
		wantWallet(t, s, walletID)
	})
}

func TestForget_parksAtTheThirdDeath(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		walletID, botID := shop(t, s, "1", 1000)
		b := running(t, s, order("brd_1", botID), 2)
		dispatch(t, s, t0)
		forget := func(dead bool) chunkRow {
			c := chunkOf(t, s, b.ID, 1)
			if err := s.Forget(t.Context(), WorkChunk, []broadcast.Row{{ID: string(c.ID), Epoch: c.Epoch}}, dead, t0); err != nil {
				t.Fatal(err)
			}
			stamp(t, s, WorkChunk, t0, 10)
			return chunkOf(t, s, b.ID, 1)
		}
		for n, dead := range []bool{true, false, true, false, false} { // a queue that was emptied is nobody's death
			if c := forget(dead); c.State != broadcast.Queued {
				t.Fatalf("after %d tasks were gone = %s, want queued", n+1, c.State)
			}
		}
		if c := forget(true); c.State != broadcast.Parked || c.Hold != 0 || c.Error == "" {
			t.Errorf("after the third death = %s, holds %d, %q, want parked, 0, a reason", c.State, c.Hold, c.Error)
		}
		if b := wantBroadcast(t, s, b.ID); b.Counts.Failed != 2 || b.State != broadcast.Finished {
			t.Errorf("broadcast = %s, %d failed, want finished, 2", b.State, b.Counts.Failed)
		}
		if w := wantWallet(t, s, walletID); w.Held != 0 {
			t.Errorf("it holds %d, want 0", w.Held)
		}
	})
}

func TestStamp_results(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 10_000)
		b := running(t, s, order("brd_1", botID), 1, 1, 1)
		for seq := 1; seq <= 3; seq++ {
			sent(t, s, b.ID, seq, t0.Add(time.Duration(seq)*time.Millisecond))
		}
		first := t0.Add(broadcast.FirstLookup + time.Millisecond)
		if got := stamp(t, s, WorkResult, first.Add(-time.Millisecond), 10); len(got) != 0 {
			t.Errorf("Stamp before the first look-up = %v", got)
		}
		got := stamp(t, s, WorkResult, first, 10)
		if want := []broadcast.Row{{ID: string(broadcast.NewChunkID(b.ID, 1)), Epoch: 2}}; !slices.Equal(got, want) {
			t.Errorf("Stamp = %v, want %v", got, want)
		}
		if got := stamp(t, s, WorkResult, first.Add(time.Hour), 1); len(got) != 1 || got[0].ID != string(broadcast.NewChunkID(b.ID, 2)) {
			t.Errorf("Stamp of 1 = %v, want the one that waits longest", got)
		}
		// Result work has no count of deaths: it is looked up for ever.
		for range deadToPark + 1 {
			row := chunkOf(t, s, b.ID, 1)
			if err := s.Forget(t.Context(), WorkResult, []broadcast.Row{{ID: string(row.ID), Epoch: row.Epoch}}, true, first); err != nil {
				t.Fatal(err)
			}
			stamp(t, s, WorkResult, first.Add(time.Hour), 10)
		}
		if c := chunkOf(t, s, b.ID, 1); c.State != broadcast.Sent || c.Dead != 0 {
			t.Errorf("after many dead look-ups = %s, dead %d, want sent, 0", c.State, c.Dead)
		}
	})
}

func TestStamp_resultsAreCapped(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 0)
		b := create(t, s, order("brd_1", botID))
		most := workTables[WorkResult].atMost
		upload(t, s, b.ID, slices.Repeat([]int{1}, most+5)...)
		exec(t, s, `UPDATE chunk SET state = 'sent', task_id = 'task'`)
		if got := stamp(t, s, WorkResult, t0, most+5); len(got) != most {
			t.Errorf("Stamp = %d rows, want %d", len(got), most)
		}
		if got := stamp(t, s, WorkResult, t0, most+5); len(got) != 0 {
			t.Errorf("second Stamp = %d rows, want none while those have tasks", len(got))
		}
		exec(t, s, `UPDATE chunk SET enqueued_at = 0 WHERE seq <= 3`)
		if got := stamp(t, s, WorkResult, t0, most+5); len(got) != 3 {
			t.Errorf("Stamp after 3 look-ups = %d rows, want 3", len(got))
		}
	})
}

func TestStamp_manyAtOnce(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 0)
		b := create(t, s, order("brd_1", botID))
		upload(t, s, b.ID, slices.Repeat([]int{1}, 200)...)
		exec(t, s, `UPDATE chunk SET state = 'sent', task_id = 'task'`)
		var (
			mu    sync.Mutex
			times = map[string]int{}
			all   sync.WaitGroup
		)
		for range 4 {
			all.Go(func() {
				for range 20 {
					rows, err := s.Stamp(t.Context(), WorkResult, t0, 7)
					if err != nil {
						t.Error(err)
						return
					}
					if len(rows) > 7 {
						t.Errorf("Stamp of 7 = %d rows", len(rows))
					}
					mu.Lock()
					for _, row := range rows {
						times[row.ID]++
					}
					mu.Unlock()
				}
			})
		}
		all.Wait()
		for id, n := range times {
			if n != 1 {
				t.Errorf("%s got %d tasks, want 1", id, n)
			}
		}
		if len(times) != 200 {
			t.Errorf("%d rows got tasks, want 200", len(times))
		}
	})
}
