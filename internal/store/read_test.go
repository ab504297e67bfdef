package store

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/wallet"
)

// A page ends in the middle of postings of one millisecond and the next begins where it ended.
func TestPostings_pagesWithoutGaps(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		newWallet(t, s, "wal_1", 0)
		newWallet(t, s, "wal_2", 1000)
		var want []string
		for i := range 7 {
			ref := fmt.Sprintf("ref_%d", i)
			topUp(t, s, "wal_1", 1000, ref, t0.Add(time.Duration(i/5)*time.Millisecond)) // five, then two
			want = append(want, ref)
		}
		slices.Reverse(want)
		var got []string
		var mark PostingMark
		for page := 0; page < 10; page++ {
			postings, err := s.Postings(t.Context(), "wal_1", mark, 2)
			must(t, err)
			if len(postings) == 0 {
				break
			}
			for _, p := range postings {
				if p.Sum() != 0 || p.Kind != wallet.TopUp || p.Paid != 1000 || p.VAT != 100 || p.Clearing != -1100 {
					t.Errorf("posting %s = %+v, want a top-up of 1000 and its VAT", p.Ref, p)
				}
				got = append(got, p.Ref)
			}
			mark = Mark(postings[len(postings)-1])
		}
		if !slices.Equal(got, want) {
			t.Errorf("pages of two give %v, want %v", got, want)
		}
		if _, err := s.Postings(t.Context(), "wal_9", PostingMark{}, 2); fault.KindOf(err) != fault.NotFound {
			t.Errorf("Postings(wal_9) error = %v, want NotFound", err)
		}
	})
}

func TestCharges_withTheirAttempts(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		newAccount(t, s, "acc_1")
		newWallet(t, s, "wal_1", 0)
		newCard(t, s, "crd_1", "acc_1", "wal_1", 1)
		for i, state := range []string{"failed", "paid", "open"} {
			charge := fmt.Sprintf("chg_%d", i)
			exec(t, s, `INSERT INTO charge (id, wallet_id, supply_krw, vat_krw, state, opened_at, closed_at) VALUES ($1, 'wal_1', 1500, 150, $2, $3, 0)`,
				charge, state, millis(t0))
			for slot := 1; slot <= i+1; slot++ {
				exec(t, s, `INSERT INTO attempt (id, kind, subject_id, wallet_id, card_id, slot, total_krw, state, reason, created_at, called_at,
					closed_at, epoch, next_at, enqueued_at, attempts, lease_until, card_approved_at, tid, token_sealed, provider_code, provider_message)
					VALUES ($1, 'charge', $2, 'wal_1', $3, $4, 1650, 'declined', 'dormant', $5, 0, 0, 0, 0, 0, 0, 0, 0, '', $6, '-782', '')`,
					fmt.Sprintf("att_%d%d", i, slot), charge, fmt.Sprintf("crd_%d", slot), slot, millis(t0), []byte{})
			}
		}
		got, err := s.Charges(t.Context(), "wal_1", "", 2)
		must(t, err)
		if len(got) != 2 || got[0].ID != "chg_2" || got[1].ID != "chg_1" {
			t.Fatalf("Charges() = %+v, want the two newest, newest first", got)
		}
		if len(got[0].Attempts) != 3 || len(got[1].Attempts) != 2 {
			t.Fatalf("attempts = %d and %d, want 3 and 2", len(got[0].Attempts), len(got[1].Attempts))
		}
		first := got[0].Attempts[0]
		if first.Slot != 1 || first.Masked != "9446-01**" || first.State != "declined" || first.Reason != "dormant" || first.Total != 1650 || first.ProviderCode != "-782" {
			t.Errorf("first attempt = %+v, want slot 1 on the masked card, declined as dormant", first)
		}
		if gone := got[0].Attempts[2]; gone.CardID != "crd_3" || gone.Masked != "" {
			t.Errorf("attempt on a card that is not there = %+v, want it without a number", gone)
		}
		rest, err := s.Charges(t.Context(), "wal_1", got[1].ID, 2)
		if err != nil || len(rest) != 1 || rest[0].ID != "chg_0" {
			t.Errorf("Charges(before chg_1) = %+v, %v, want chg_0", rest, err)
		}
	})
}

func TestBroadcasts_newestFirst(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, one := shop(t, s, "1", 10_000)
		walletID, two := shop(t, s, "2", 10_000)
		for i, botID := range []string{one, two, one, two} {
			create(t, s, order(fmt.Sprintf("brd_%d", i), botID))
		}
		tests := map[string]struct {
			filter BroadcastFilter
			before broadcast.ID
			limit  int
			want   []broadcast.ID
		}{
			"all":             {limit: 10, want: []broadcast.ID{"brd_3", "brd_2", "brd_1", "brd_0"}},
			"a page":          {limit: 2, want: []broadcast.ID{"brd_3", "brd_2"}},
			"the next page":   {before: "brd_2", limit: 2, want: []broadcast.ID{"brd_1", "brd_0"}},
			"of a wallet":     {filter: BroadcastFilter{WalletID: walletID}, limit: 10, want: []broadcast.ID{"brd_3", "brd_1"}},
			"of a bot":        {filter: BroadcastFilter{BotID: one}, before: "brd_2", limit: 10, want: []broadcast.ID{"brd_0"}},
			"of both, nobody": {filter: BroadcastFilter{WalletID: walletID, BotID: one}, limit: 10},
		}
		for name, tt := range tests {
			found, err := s.Broadcasts(t.Context(), tt.filter, tt.before, tt.limit)
			must(t, err)
			var got []broadcast.ID
			for _, b := range found {
				got = append(got, b.ID)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("%s: Broadcasts(%+v, %q, %d) = %v, want %v", name, tt.filter, tt.before, tt.limit, got, tt.want)
			}
		}
	})
}

func TestChunks(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 100_000)
		b := create(t, s, order("brd_1", botID))
		upload(t, s, b.ID, 100, 100, 100, 100) // replaced, and its numbers are not used again
		upload(t, s, b.ID, 100, 100, 3)
		seqs := func(state broadcast.ChunkState, after, limit int) (got []int) {
			t.Helper()
			chunks, err := s.Chunks(t.Context(), b.ID, state, after, limit)
			must(t, err)
			for _, c := range chunks {
				got = append(got, c.Seq)
			}
			return got
		}
		if got := seqs("", 0, 10); !slices.Equal(got, []int{5, 6, 7}) {
			t.Errorf("Chunks() = %v, want the three of the last upload", got)
		}
		exec(t, s, `UPDATE chunk SET state = 'settled', delivered = 2, failed = 1, result = '{"fail":{}}' WHERE seq = 7`)
		exec(t, s, `UPDATE chunk SET failed = 5 WHERE seq = 5`) // no result is kept of it
		if got := seqs("", 5, 1); !slices.Equal(got, []int{6}) {
			t.Errorf("Chunks(after 5, limit 1) = %v, want [6]", got)
		}
		if got := seqs(broadcast.Settled, 0, 10); !slices.Equal(got, []int{7}) {
			t.Errorf("Chunks(settled) = %v, want [7]", got)
		}
		states, err := s.ChunkStates(t.Context(), b.ID)
		if err != nil || states[broadcast.Planned] != 2 || states[broadcast.Settled] != 1 || len(states) != 2 {
			t.Errorf("ChunkStates() = %v, %v, want 2 planned, 1 settled", states, err)
		}
		failed, err := s.FailedChunks(t.Context(), b.ID, 0, 10)
		if err != nil || len(failed) != 1 || failed[0].Seq != 7 || string(failed[0].Result) != `{"fail":{}}` {
			t.Errorf("FailedChunks() = %+v, %v, want the third with Kakao's answer", failed, err)
		}
		for name, call := range map[string]func() error{
			"Chunks":       func() error { _, err := s.Chunks(t.Context(), "brd_9", "", 0, 10); return err },
			"FailedChunks": func() error { _, err := s.FailedChunks(t.Context(), "brd_9", 0, 10); return err },
		} {
			if err := call(); fault.KindOf(err) != fault.NotFound {
				t.Errorf("%s(brd_9) error = %v, want NotFound", name, err)
			}
		}
	})
}
