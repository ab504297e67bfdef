package store

import (
	"testing"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
)

func TestEndDoubt_capturesWhatEvidenceShows(t *testing.T) {
	tests := map[string]struct {
		people, evidence, wantDelivered int
	}{
		"no evidence":                      {people: 3},
		"some of them":                     {people: 3, evidence: 2, wantDelivered: 2},
		"more users than people were sent": {people: 3, evidence: 5, wantDelivered: 3},
	}
	eachDatabase(t, func(t *testing.T, s *Store) {
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				shopName := t.Name()[len(t.Name())-6:]
				walletID, botID := shop(t, s, shopName, 1000)
				b := running(t, s, order("brd_"+shopName, botID), tt.people)
				dispatch(t, s, t0)
				c := chunkOf(t, s, b.ID, 1)
				if !claim(t, s, c, t0) {
					t.Fatal("cannot claim")
				}
				record(t, s, c, broadcast.Verdict{Outcome: broadcast.OutcomeInDoubt, Reason: "no answer"}, t0)
				for user := range tt.evidence {
					exec(t, s, `INSERT INTO chunk_evidence (chunk_id, user_hash, at) VALUES ($1, $2, $3)`, string(c.ID), []byte{byte(user)}, millis(t0))
				}
				if n, err := s.EndDoubt(t.Context(), t0.Add(DoubtTerm-time.Millisecond)); n != 0 || err != nil {
					t.Errorf("EndDoubt before its time = %d, %v, want 0", n, err)
				}
				if w := wantWallet(t, s, walletID); w.Held != 3*price {
					t.Errorf("in doubt it holds %d, want %d", w.Held, 3*price)
				}
				for again := range 2 {
					n, err := s.EndDoubt(t.Context(), t0.Add(DoubtTerm))
					if n != 1-again || err != nil {
						t.Errorf("EndDoubt no. %d = %d, %v, want %d", again+1, n, err, 1-again)
					}
				}
				w := wantWallet(t, s, walletID)
				if spent := 1000 - w.Paid; w.Held != 0 || int(spent) != tt.wantDelivered*int(price) {
					t.Errorf("it holds %d and cost %d, want 0 and %d", w.Held, spent, tt.wantDelivered*int(price))
				}
				b = wantBroadcast(t, s, b.ID)
				if b.State != broadcast.Finished || b.Counts.Delivered != tt.wantDelivered || b.Counts.InDoubt != tt.people-tt.wantDelivered {
					t.Errorf("broadcast = %s, %+v, want finished, %d delivered and the rest still in doubt", b.State, b.Counts, tt.wantDelivered)
				}
				if got := chunkOf(t, s, b.ID, 1).State; got != broadcast.InDoubt {
					t.Errorf("chunk = %s, want in_doubt: it stays visible", got)
				}
			})
		}
	})
}
