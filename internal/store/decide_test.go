package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/wallet"
)

// inDoubt makes a running broadcast whose chunks are all in doubt.
func inDoubt(t *testing.T, s *Store, name string, people ...int) (walletID string, b broadcast.Broadcast) {
	t.Helper()
	walletID, botID := shop(t, s, name, 10_000)
	b = running(t, s, order("brd_"+name, botID), people...)
	dispatch(t, s, t0)
	for seq := range people {
		c := chunkOf(t, s, b.ID, seq+1)
		if !claim(t, s, c, t0) {
			t.Fatal("cannot claim")
		}
		record(t, s, c, broadcast.Verdict{Outcome: broadcast.OutcomeInDoubt, Reason: "no answer"}, t0)
	}
	return walletID, b
}

func decide(t *testing.T, s *Store, d broadcast.Decision) broadcast.Decided {
	t.Helper()
	d.Note, d.At = "asked Kakao", t0.Add(time.Hour)
	done, err := s.DecideChunks(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// What a person finds out about chunks in doubt ends the doubt, and the money follows: a chunk that
// somebody answered to is never sent again.
func TestDecideChunks(t *testing.T) {
	tests := map[string]struct {
		finding               broadcast.Finding
		evidence, term        bool // of the first of two chunks, of 3 and 2 people
		want                  broadcast.Decided
		delivered, unknown    int
		doubt, planned, costs int
	}{
		"sent":         {finding: broadcast.FoundSent, want: broadcast.Decided{Chunks: 2, People: 5, Captured: 5 * price}, delivered: 5, costs: 5},
		"not sent":     {finding: broadcast.FoundNotSent, want: broadcast.Decided{Chunks: 2, People: 5}, planned: 2},
		"nobody knows": {finding: broadcast.FoundNothing, want: broadcast.Decided{Chunks: 2, People: 5}, unknown: 5},
		"one was answered to, and is not sent again": {finding: broadcast.FoundNotSent, evidence: true,
			want: broadcast.Decided{Chunks: 1, People: 2, Proven: []broadcast.ChunkID{"1"}}, doubt: 3, planned: 1},
		"sent, after 72 hours":     {finding: broadcast.FoundSent, term: true, want: broadcast.Decided{Chunks: 2, People: 5, Captured: 5 * price}, delivered: 5, costs: 5},
		"not sent, after 72 hours": {finding: broadcast.FoundNotSent, term: true, want: broadcast.Decided{Chunks: 2, People: 5}, planned: 2},
		"sent, after 72 hours that captured a part": {finding: broadcast.FoundSent, evidence: true, term: true,
			want: broadcast.Decided{Chunks: 1, People: 2, Captured: 2 * price, Proven: []broadcast.ChunkID{"1"}}, delivered: 3, doubt: 2, costs: 3},
		"nobody knows, after 72 hours that captured a part": {finding: broadcast.FoundNothing, evidence: true, term: true,
			want: broadcast.Decided{Chunks: 2, People: 5}, delivered: 1, unknown: 4, costs: 1},
	}
	eachDatabase(t, func(t *testing.T, s *Store) {
		n := 0
		for name, tt := range tests {
			n++
			shopName := fmt.Sprintf("d%02d", n)
			t.Run(name, func(t *testing.T) {
				walletID, b := inDoubt(t, s, shopName, 3, 2)
				first := chunkOf(t, s, b.ID, 1).ID
				if tt.evidence {
					exec(t, s, `INSERT INTO chunk_evidence (chunk_id, user_hash, at) VALUES ($1, $2, $3)`, string(first), []byte{1}, millis(t0))
				}
				if tt.term {
					if _, err := s.EndDoubt(t.Context(), t0.Add(DoubtTerm)); err != nil {
						t.Fatal(err)
					}
				}
				for i := range tt.want.Proven {
					tt.want.Proven[i] = first
				}
				same(t, "the decision", decide(t, s, broadcast.Decision{Broadcast: b.ID, Finding: tt.finding}), tt.want)
				b = wantBroadcast(t, s, b.ID)
				got := fmt.Sprintf("%d delivered, %d unknown, %d in doubt, %d planned", b.Counts.Delivered, b.Counts.Unknown, b.Counts.InDoubt, b.PlannedChunks)
				same(t, "the broadcast", got, fmt.Sprintf("%d delivered, %d unknown, %d in doubt, %d planned", tt.delivered, tt.unknown, tt.doubt, tt.planned))
				w := wantWallet(t, s, walletID)
				held := tt.doubt
				if tt.term {
					held = 0
				}
				if w.Held != price*wallet.KRW(held) || 10_000-w.Paid != price*wallet.KRW(tt.costs) {
					t.Errorf("the wallet holds %d and paid %d, want %d people's and %d people's", w.Held, 10_000-w.Paid, held, tt.costs)
				}
				// Said again it finds what is left, which is what was left before.
				again := decide(t, s, broadcast.Decision{Broadcast: b.ID, Finding: tt.finding})
				same(t, "the decision again", again, broadcast.Decided{Proven: tt.want.Proven})
			})
		}
	})
}

// A decision is about the chunks that it names, all of them or none; its key makes it one decision.
func TestDecideChunks_named(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, b := inDoubt(t, s, "n", 3, 2, 1)
		first, second := chunkOf(t, s, b.ID, 1).ID, chunkOf(t, s, b.ID, 2).ID
		request := broadcast.Request{Scope: "tok", Key: "k", BodyHash: []byte{1}}
		for range 2 {
			done := decide(t, s, broadcast.Decision{Broadcast: b.ID, Finding: broadcast.FoundSent, Chunks: []broadcast.ChunkID{second, second}, Request: request})
			same(t, "the decision", done, broadcast.Decided{Chunks: 1, People: 2, Captured: 2 * price})
		}
		_, err := s.DecideChunks(t.Context(), broadcast.Decision{Broadcast: b.ID, Finding: broadcast.FoundSent, Chunks: []broadcast.ChunkID{first, second}, Note: "x", At: t0})
		if fault.CodeOf(err) != "CHUNK_NOT_IN_DOUBT" {
			t.Errorf("a chunk that is settled = %v, want CHUNK_NOT_IN_DOUBT", err)
		}
		if b = wantBroadcast(t, s, b.ID); b.Counts.InDoubt != 4 || b.Counts.Delivered != 2 {
			t.Errorf("the broadcast counts %+v, want 4 in doubt and 2 delivered", b.Counts)
		}
		if _, err := s.DecideChunks(t.Context(), broadcast.Decision{Broadcast: "brd_none", Finding: broadcast.FoundSent}); fault.KindOf(err) != fault.NotFound {
			t.Errorf("no such broadcast = %v, want NotFound", err)
		}
		// Sent again, the answer of the first sending counts no more.
		old := chunkOf(t, s, b.ID, 1)
		decide(t, s, broadcast.Decision{Broadcast: b.ID, Finding: broadcast.FoundNotSent, Chunks: []broadcast.ChunkID{first}})
		if record(t, s, old, accepted("late"), t0.Add(2*time.Hour)) {
			t.Error("the late answer of the first sending was recorded")
		}
		sent(t, s, b.ID, 1, t0.Add(2*time.Hour))
		settle(t, s, chunkOf(t, s, b.ID, 1), 3, t0.Add(2*time.Hour))
		wantBroadcast(t, s, b.ID)
	})
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); g != w {
		t.Errorf("%s = %s, want %s", what, g, w)
	}
}

// A chunk that Kakao took and whose counts never add up is ended by a person who names it, and is never sent again.
func TestDecideChunks_unconfirmed(t *testing.T) {
	for finding, want := range map[broadcast.Finding]broadcast.Counts{
		broadcast.FoundSent: {Delivered: 3}, broadcast.FoundNothing: {Unknown: 3},
	} {
		t.Run(string(finding), func(t *testing.T) {
			eachDatabase(t, func(t *testing.T, s *Store) {
				walletID, botID := shop(t, s, "1", 1000)
				b := running(t, s, order("brd_1", botID), 3)
				c := sent(t, s, b.ID, 1, t0)
				d := broadcast.Decision{Broadcast: b.ID, Chunks: []broadcast.ChunkID{c.ID}, Finding: finding, Note: "asked Kakao", At: t0.Add(25 * time.Hour)}
				if _, err := s.DecideChunks(t.Context(), d); fault.CodeOf(err) != "CHUNK_NOT_IN_DOUBT" {
					t.Errorf("DecideChunks before it is unconfirmed = %v, want CHUNK_NOT_IN_DOUBT", err)
				}
				must(t, s.PostponeResult(t.Context(), c.ID, c.Epoch, broadcast.Postponement{NextAt: d.At, Answered: true, Unconfirmed: true}))
				all, again := d, d
				all.Chunks, again.Finding = nil, broadcast.FoundNotSent
				if done, err := s.DecideChunks(t.Context(), all); err != nil || done.Chunks != 0 {
					t.Errorf("DecideChunks of all that are in doubt = %+v, %v, want it left", done, err)
				}
				if _, err := s.DecideChunks(t.Context(), again); fault.CodeOf(err) != "CHUNK_NOT_IN_DOUBT" {
					t.Errorf("DecideChunks as not sent = %v, want CHUNK_NOT_IN_DOUBT", err)
				}
				if done, err := s.DecideChunks(t.Context(), d); err != nil || done.Chunks != 1 || done.People != 3 {
					t.Fatalf("DecideChunks = %+v, %v, want its chunk of 3", done, err)
				}
				b = wantBroadcast(t, s, b.ID)
				if n := b.Counts; n.Delivered != want.Delivered || n.Unknown != want.Unknown || n.InDoubt != 0 || b.State != broadcast.Finished || b.Captured != price*wallet.KRW(want.Delivered) {
					t.Errorf("it is %s with %+v, %d KRW captured, want it finished with %+v", b.State, n, b.Captured, want)
				}
				if w := wantWallet(t, s, walletID); w.Held != 0 {
					t.Errorf("%d KRW are held, want 0", w.Held)
				}
				if settle(t, s, c, 3, d.At) {
					t.Error("a late result settled it once more")
				}
			})
		})
	}
}

// Many are sent to again when somebody says how many they are, parked ones with them.
func TestDecideChunks_confirm(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, b := inDoubt(t, s, "1", 3, 2)
		s.checks.ConfirmAbove = 4
		d := broadcast.Decision{Broadcast: b.ID, Finding: broadcast.FoundNotSent, Note: "asked Kakao", At: t0}
		for _, said := range []int{0, 4} {
			d.Confirm = said
			if _, err := s.DecideChunks(t.Context(), d); fault.CodeOf(err) != "CONFIRMATION_NEEDED" {
				t.Errorf("DecideChunks of 5 with %d said = %v, want CONFIRMATION_NEEDED", said, err)
			}
		}
		if b := wantBroadcast(t, s, b.ID); b.Counts.InDoubt != 5 {
			t.Fatalf("%d are in doubt after refusals, want 5", b.Counts.InDoubt)
		}
		d.Confirm = 5
		if done, err := s.DecideChunks(t.Context(), d); err != nil || done.People != 5 {
			t.Errorf("DecideChunks of 5 with 5 said = %+v, %v", done, err)
		}
	})
}
