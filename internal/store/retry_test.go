package store

import (
	"slices"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/reconcile"
)

// A broadcast is retried in parts, one after another, and each part once; a retry that was cancelled before anybody was sent to gives its place free.
func TestCreateBroadcast_retriedOnce(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "r", 1000)
		of := running(t, s, order("brd_of", botID), 3)
		part := broadcast.Missed{Failed: true, ErrorTypes: []int{201}}
		retry := func(id string) error {
			o := order(id, botID)
			o.RetryOf, o.RetryFor = of.ID, part
			_, _, err := s.CreateBroadcast(t.Context(), o, nil, 0, broadcast.Request{})
			return err
		}
		must(t, retry("brd_r1"))
		if err := retry("brd_r2"); fault.CodeOf(err) != "RETRIED" {
			t.Errorf("a second retry = %v, want RETRIED", err)
		}
		if _, err := s.Cancel(t.Context(), "brd_r1", t0); err != nil {
			t.Fatal(err)
		}
		must(t, retry("brd_r3"))
		upload(t, s, "brd_r3", 2)
		if _, err := s.Seal(t.Context(), "brd_r3", broadcast.Sealing{}, t0); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Cancel(t.Context(), "brd_r3", t0); err != nil {
			t.Fatal(err)
		}
		if err := retry("brd_r4"); fault.CodeOf(err) != "RETRIED" {
			t.Errorf("a retry beside one that was sealed = %v, want RETRIED", err)
		}
		part.ErrorTypes = []int{100, 0}
		must(t, retry("brd_r5"))
		part = broadcast.Missed{Skipped: true}
		if err := retry("brd_r6"); fault.CodeOf(err) != "RETRIED" {
			t.Errorf("a retry of others beside one that is not sealed = %v, want RETRIED", err)
		}
		upload(t, s, "brd_r5", 2)
		if _, err := s.Seal(t.Context(), "brd_r5", broadcast.Sealing{}, t0); err != nil {
			t.Fatal(err)
		}
		must(t, retry("brd_r6"))
		if all, err := s.Retries(t.Context(), of.ID); err != nil || !slices.Equal(all, []broadcast.ID{"brd_r3", "brd_r5", "brd_r6"}) {
			t.Errorf("Retries() = %v, %v, want all that were not given up", all, err)
		}
		if b := wantBroadcast(t, s, "brd_r5"); !slices.Equal(b.RetryFor.ErrorTypes, []int{100, 0}) || !b.RetryFor.Failed {
			t.Errorf("it is for %+v, want what was stored", b.RetryFor)
		}
	})
}

// Where a broadcast says so, a doubt is a delivery at once, whether the call failed or its worker died.
func TestAssumeSent(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		for name, doubt := range map[string]func(t *testing.T, c chunkRow){
			"lost": func(t *testing.T, c chunkRow) {
				record(t, s, c, broadcast.Verdict{Outcome: broadcast.OutcomeInDoubt, Reason: "no answer"}, t0)
			},
			"died": func(t *testing.T, _ chunkRow) {
				for again := range 2 {
					if n, err := s.ExpireSending(t.Context(), t0.Add(time.Minute)); n != 1-again || err != nil {
						t.Errorf("ExpireSending no. %d = %d, %v, want %d", again+1, n, err, 1-again)
					}
				}
			},
		} {
			walletID, botID := shop(t, s, name, 1000)
			o := order("brd_"+name, botID)
			o.OnDoubt = broadcast.AssumeSent
			b := running(t, s, o, 3)
			dispatch(t, s, t0)
			c := chunkOf(t, s, b.ID, 1)
			if !claim(t, s, c, t0) {
				t.Fatal("cannot claim")
			}
			doubt(t, c)
			b = wantBroadcast(t, s, b.ID)
			w := wantWallet(t, s, walletID)
			if b.State != broadcast.Finished || b.Counts.Delivered != 3 || b.Counts.InDoubt != 0 || w.Held != 0 || 1000-w.Paid != 3*price {
				t.Errorf("%s: broadcast %s %+v, the wallet holds %d and paid %d; want 3 delivered and paid", name, b.State, b.Counts, w.Held, 1000-w.Paid)
			}
			if record(t, s, c, accepted("late-"+name), t0.Add(time.Minute)) {
				t.Errorf("%s: a late answer was recorded", name)
			}
			window := reconcile.Window{From: t0.Add(-time.Hour), To: t0.Add(time.Hour)}
			asked, _, err := s.SentChunks(t.Context(), reconcile.Mark{Wallet: walletID}, window)
			if err != nil || len(asked) != 1 || asked[0].TaskID != "late-"+name || asked[0].Tally.Delivered != 3 {
				t.Errorf("%s: Kakao can be asked about %+v, %v, want the chunk by the receipt that came late", name, asked, err)
			}
		}
	})
}
