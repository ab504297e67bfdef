package store

import (
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
)

// withCanary stores a sealed broadcast whose first chunks go first.
func withCanary(t *testing.T, s *Store, botID string, c broadcast.Canary, chunks int, people ...int) broadcast.Broadcast {
	t.Helper()
	b := order("brd_1", botID)
	b.Caution.Canary = c
	b = create(t, s, b)
	uploadFirst(t, s, b.ID, chunks, people...)
	if _, err := s.Seal(t.Context(), b.ID, broadcast.Sealing{}, t0); err != nil {
		t.Fatal(err)
	}
	return wantBroadcast(t, s, b.ID)
}

// A canary goes first, alone; the others follow when its time is over.
func TestCanary(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 100_000)
		b := withCanary(t, s, botID, broadcast.Canary{People: 3, Wait: time.Hour, MaxMissed: 10}, 2, 2, 1, 5, 5)
		if rows := dispatch(t, s, t0); len(rows) != 2 {
			t.Fatalf("%d chunks were queued first, want the 2 of the canary", len(rows))
		}
		if rows := dispatch(t, s, t0); len(rows) != 0 {
			t.Fatalf("%d more chunks were queued, want none before the canary has outcomes", len(rows))
		}
		if b = wantBroadcast(t, s, b.ID); b.Wait != broadcast.WaitCanary || !b.WaitUntil.IsZero() {
			t.Errorf("it waits for %q until %v, want canary, and nobody knows until when", b.Wait, b.WaitUntil)
		}
		for seq := 1; seq <= 2; seq++ {
			c := sent(t, s, b.ID, seq, t0)
			settle(t, s, c, c.People, t0)
		}
		done := t0.Add(time.Minute)
		dispatch(t, s, done)
		if b = wantBroadcast(t, s, b.ID); b.Wait != broadcast.WaitCanary || !b.WaitUntil.Equal(done.Add(time.Hour)) || !b.Watch.CanaryDoneAt.Equal(done) {
			t.Errorf("it waits for %q until %v, want canary until an hour after %v", b.Wait, b.WaitUntil, done)
		}
		if rows := dispatch(t, s, done.Add(time.Hour-1*time.Millisecond)); len(rows) != 0 {
			t.Errorf("%d chunks were queued before its time", len(rows))
		}
		dispatch(t, s, done.Add(time.Hour))
		if rows := dispatch(t, s, done.Add(time.Hour)); len(rows) != 2 {
			t.Errorf("%d chunks were queued after it, want the other 2", len(rows))
		}
		if b = wantBroadcast(t, s, b.ID); b.Wait != broadcast.NotWaiting || !b.Watch.CanaryPassed {
			t.Errorf("afterwards it waits for %q, canary passed %v", b.Wait, b.Watch.CanaryPassed)
		}
	})
}

// A canary that Kakao did not take tells of that, and until when.
func TestCanary_notSent(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 100_000)
		b := withCanary(t, s, botID, broadcast.Canary{People: 2, Wait: time.Hour, MaxMissed: 10}, 1, 2, 5)
		dispatch(t, s, t0)
		c := chunkOf(t, s, b.ID, 1)
		if !claim(t, s, c, t0) || !record(t, s, c, broadcast.Verdict{Outcome: broadcast.NotSent, Delay: time.Hour, Reason: "429"}, t0) {
			t.Fatalf("chunk 1 is %s", c.State)
		}
		again := t0.Add(time.Hour)
		if rows := dispatch(t, s, t0.Add(time.Second)); len(rows) != 0 {
			t.Fatalf("%v were queued before their time", rows)
		}
		if b = wantBroadcast(t, s, b.ID); b.Wait != broadcast.WaitKakao || !b.WaitUntil.Equal(again) {
			t.Errorf("it waits for %q until %v, want kakao until %v", b.Wait, b.WaitUntil, again)
		}
		if rows := dispatch(t, s, again); len(rows) != 1 {
			t.Fatalf("%d chunks were queued again, want the canary", len(rows))
		}
		dispatch(t, s, again)
		if b = wantBroadcast(t, s, b.ID); b.Wait != broadcast.WaitCanary || !b.WaitUntil.IsZero() {
			t.Errorf("on its way it waits for %q until %v, want canary", b.Wait, b.WaitUntil)
		}
	})
}

// The canary's place is counted in the upload that counts, whatever was uploaded before.
func TestCanary_uploadedAgain(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 100_000)
		b := order("brd_1", botID)
		b.Caution.Canary = broadcast.Canary{People: 2, MaxMissed: 10}
		b = create(t, s, b)
		upload(t, s, b.ID, 4, 4, 4)
		uploadFirst(t, s, b.ID, 1, 2, 4)
		if _, err := s.Seal(t.Context(), b.ID, broadcast.Sealing{}, t0); err != nil {
			t.Fatal(err)
		}
		if rows := dispatch(t, s, t0); len(rows) != 1 || rows[0].ID != string(broadcast.NewChunkID(b.ID, 4)) {
			t.Errorf("%v were queued first, want the first chunk of the second upload alone", rows)
		}
	})
}

// A canary that waits for a person, and one that went wrong, go on when somebody resumes them.
func TestCanary_byAPerson(t *testing.T) {
	for name, delivered := range map[string]int{"went well": 10, "went wrong": 8} {
		t.Run(name, func(t *testing.T) {
			eachDatabase(t, func(t *testing.T, s *Store) {
				_, botID := shop(t, s, "1", 100_000)
				b := withCanary(t, s, botID, broadcast.Canary{People: 10, MaxMissed: 10}, 1, 10, 5)
				dispatch(t, s, t0)
				settle(t, s, sent(t, s, b.ID, 1, t0), delivered, t0)
				dispatch(t, s, t0)
				b = wantBroadcast(t, s, b.ID)
				want := broadcast.Running
				if delivered < 9 {
					want = broadcast.Paused
				}
				if b.State != want || (b.Note != "") != (want == broadcast.Paused) || want == broadcast.Paused && !strings.Contains(b.Note, "2 of the first 10") {
					t.Errorf("it is %s, note %q, want %s", b.State, b.Note, want)
				}
				if rows := dispatch(t, s, t0.Add(48*time.Hour)); len(rows) != 0 {
					t.Fatalf("%d chunks were queued before anybody said so", len(rows))
				}
				if _, err := s.Resume(t.Context(), b.ID, t0); err != nil {
					t.Fatal(err)
				}
				if rows := dispatch(t, s, t0); len(rows) != 1 {
					t.Errorf("%d chunks were queued after Resume, want 1", len(rows))
				}
			})
		})
	}
}

// A broadcast that misses too many of its latest people pauses itself, takes back what is queued, and goes
// on when a person says so.
func TestLookBack(t *testing.T) {
	miss := map[string]func(t *testing.T, s *Store, c chunkRow){
		"by their results": func(t *testing.T, s *Store, c chunkRow) {
			record(t, s, c, accepted("task-"+string(c.ID)), t0)
			settle(t, s, chunkOf(t, s, c.Broadcast, c.Seq), 40, t0)
		},
	}
	for name, miss := range miss {
		t.Run(name, func(t *testing.T) {
			eachDatabase(t, func(t *testing.T, s *Store) {
				walletID, botID := shop(t, s, "1", 100_000)
				b := running(t, s, order("brd_1", botID), 100, 100, 100, 100, 100, 100, 100)
				dispatch(t, s, t0)
				for seq := 1; seq <= 5; seq++ {
					c := chunkOf(t, s, b.ID, seq)
					if !claim(t, s, c, t0) {
						t.Fatal("not claimed")
					}
				}
				for seq := 1; seq <= 5; seq++ {
					miss(t, s, chunkOf(t, s, b.ID, seq))
				}
				b = wantBroadcast(t, s, b.ID)
				if b.State != broadcast.Paused || b.Wait != broadcast.WaitPaused || b.PlannedChunks != 2 || !strings.Contains(b.Note, "of the latest 500 people were missed") {
					t.Errorf("it is %s, waits for %q, %d planned, note %q, want it paused with 2 planned", b.State, b.Wait, b.PlannedChunks, b.Note)
				}
				wantHeld(t, s, walletID)
				if _, err := s.Resume(t.Context(), b.ID, t0); err != nil {
					t.Fatal(err)
				}
				if rows := dispatch(t, s, t0); len(rows) != 2 {
					t.Errorf("%d chunks were queued after Resume, want 2", len(rows))
				}
			})
		})
	}
}

// wantHeld fails unless a wallet holds what its chunks hold.
func wantHeld(t *testing.T, s *Store, walletID string) {
	t.Helper()
	var held, sum int64
	err := s.read.QueryRowContext(t.Context(), `SELECT held_krw, (SELECT CAST(COALESCE(SUM(hold_krw), 0) AS BIGINT) FROM chunk WHERE wallet_id = $1)
		FROM wallet WHERE id = $1`, walletID).Scan(&held, &sum)
	if err != nil || held != sum {
		t.Errorf("the wallet holds %d KRW, its chunks %d, %v", held, sum, err)
	}
}

// A worker that dies leaves many in doubt, and stops no broadcast.
func TestLookBack_doubt(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 100_000)
		b := running(t, s, order("brd_1", botID), 100, 100, 100, 100, 100, 100, 100)
		dispatch(t, s, t0)
		for seq := 1; seq <= 5; seq++ {
			claim(t, s, chunkOf(t, s, b.ID, seq), t0)
		}
		if n, err := s.ExpireSending(t.Context(), t0.Add(time.Hour)); err != nil || n != 5 {
			t.Fatalf("ExpireSending = %d, %v, want 5", n, err)
		}
		if b = wantBroadcast(t, s, b.ID); b.State != broadcast.Running || b.Counts.InDoubt != 500 {
			t.Errorf("it is %s with %+v, want it running with 500 in doubt", b.State, b.Counts)
		}
	})
}
