package store

import (
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/wallet"
)

// settleBehind settles chunks at the same time, all of them behind one lock, so that all but the first
// share a transaction. It returns what each call answers.
func settleBehind(t *testing.T, s *Store, walletID string, chunks []chunkRow, delivered int) (oks []bool, errs []error) {
	t.Helper()
	locked, release, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- s.inTx(t.Context(), func(tx *sql.Tx) error {
			_, err := s.lockWallet(t.Context(), tx, walletID)
			close(locked)
			<-release
			return err
		})
	}()
	<-locked
	type answer struct {
		n   int
		ok  bool
		err error
	}
	answers := make(chan answer, len(chunks))
	for n, c := range chunks {
		go func() {
			ok, err := s.SettleChunk(t.Context(), c.Chunk, broadcast.Settlement{
				Tally: broadcast.Tally{Delivered: delivered, Failed: c.People - delivered}, Result: []byte(`{}`)}, t0)
			answers <- answer{n, ok, err}
		}()
	}
	inside := func() (n int) {
		s.settlements.mu.Lock()
		defer s.settlements.mu.Unlock()
		if r := s.settlements.rooms[walletID]; r != nil {
			n = r.inside
		}
		return n
	}
	for ticker := time.NewTicker(time.Millisecond); inside() < len(chunks); {
		<-ticker.C
	}
	close(release)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	oks, errs = make([]bool, len(chunks)), make([]error, len(chunks))
	for range chunks {
		a := <-answers
		oks[a.n], errs[a.n] = a.ok, a.err
	}
	return oks, errs
}

// Chunks of two broadcasts that are settled at once, one of them twice: each is captured once, free
// cash in the order of its end, each with its own posting.
func TestSettleChunk_manyAtOnce(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		walletID, botID := shop(t, s, "1", 400)
		newCard(t, s, "crd_1", newAccount(t, s, "acc_1"), walletID, 1)
		newGrant(t, s, walletID, "grt_late", 100, t0.AddDate(0, 2, 0), t0)
		newGrant(t, s, walletID, "grt_soon", 50, t0.AddDate(0, 1, 0), t0)
		var chunks []chunkRow
		var broadcasts []broadcast.ID
		for n := range 2 {
			b := running(t, s, order(fmt.Sprintf("brd_%d", n), botID), 4, 4, 4, 4, 4)
			broadcasts = append(broadcasts, b.ID)
			for seq := range 5 {
				chunks = append(chunks, sent(t, s, b.ID, seq+1, t0))
			}
		}
		oks, errs := settleBehind(t, s, walletID, append(chunks, chunks[7]), 3)
		twice := 0
		for n, ok := range oks {
			if errs[n] != nil {
				t.Errorf("SettleChunk no. %d error = %v", n, errs[n])
			}
			if n == 7 || n == 10 {
				twice += int(asInt(ok))
			} else if !ok {
				t.Errorf("SettleChunk no. %d = false, want true", n)
			}
		}
		if twice != 1 {
			t.Errorf("two runs of one task settled %d times, want once", twice)
		}
		if w := wantWallet(t, s, walletID); w.Held != 0 || w.Free != 0 || w.Paid != 100 || w.Accrual != 0 {
			t.Errorf("450 used of 150 free and 400 paid leave %+v, want 100 paid", w)
		}
		for _, id := range broadcasts {
			if b := wantBroadcast(t, s, id); b.State != broadcast.Finished || b.Counts.Delivered != 15 {
				t.Errorf("broadcast %s is %s with %+v, want finished with 15 delivered", id, b.State, b.Counts)
			}
		}
		want(t, "postings", texts(t, s, `SELECT CAST(COUNT(*) AS TEXT) FROM posting WHERE kind = 'capture' AND revenue = 45`), "10")
	})
}

// One of several chunks cannot be posted: the others are settled, and it alone is told.
func TestSettleChunk_oneOfManyFails(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		walletID, botID := shop(t, s, "1", 1000)
		b := running(t, s, order("brd_1", botID), 4, 4, 4, 4)
		var chunks []chunkRow
		for seq := range 4 {
			chunks = append(chunks, sent(t, s, b.ID, seq+1, t0))
		}
		post1(t, s, walletID, func(w wallet.Wallet) (wallet.Wallet, wallet.Posting) { // takes the place of its posting
			return w, wallet.Posting{Kind: wallet.Capture, Ref: string(chunks[2].ID), At: t0}
		})
		oks, errs := settleBehind(t, s, walletID, chunks, 4)
		for n := range chunks {
			if fails := n == 2; oks[n] == fails || (errs[n] != nil) != fails {
				t.Errorf("SettleChunk no. %d = %v, %v, want an error: %v", n, oks[n], errs[n], fails)
			}
		}
		if w := wantWallet(t, s, walletID); w.Held != 60 || w.Paid != 1000-3*60 {
			t.Errorf("wallet = %d paid, %d held, want 820 and 60", w.Paid, w.Held)
		}
		if b := wantBroadcast(t, s, b.ID); b.Counts.Delivered != 12 {
			t.Errorf("%d are delivered, want 12", b.Counts.Delivered)
		}
	})
}
