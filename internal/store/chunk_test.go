package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
)

// subject is one chunk of three people that a test moves about, and a second one of two people
// that stays planned, so that the broadcast is not finished by the first.
type subject struct {
	s        *Store
	walletID string
	botID    string
	id       broadcast.ID
	now      time.Time
}

func newSubject(t *testing.T, s *Store, name string, state broadcast.ChunkState) *subject {
	t.Helper()
	sub := &subject{s: s, id: broadcast.ID("brd_" + name), now: t0}
	sub.walletID, sub.botID = shop(t, s, name, 1000)
	running(t, s, order(string(sub.id), sub.botID), 3, 2)
	exec(t, s, `UPDATE chunk SET next_at = $2 WHERE id = $1`, string(broadcast.NewChunkID(sub.id, 2)), millis(never))
	for _, step := range ways[state] {
		moves[step].do(t, sub)
	}
	if got := sub.chunk(t).State; got != state {
		t.Fatalf("chunk is %s, want %s", got, state)
	}
	return sub
}

func (sub *subject) chunk(t *testing.T) chunkRow {
	t.Helper()
	return chunkOf(t, sub.s, sub.id, 1)
}

// ways lead from planned to each state.
var ways = map[broadcast.ChunkState][]string{
	broadcast.Planned:        {},
	broadcast.Queued:         {"dispatch"},
	broadcast.Sending:        {"dispatch", "claim"},
	broadcast.Sent:           {"dispatch", "claim", "accepted"},
	broadcast.InDoubt:        {"dispatch", "claim", "in doubt"},
	broadcast.Settled:        {"dispatch", "claim", "accepted", "settle"},
	broadcast.Rejected:       {"dispatch", "claim", "refused"},
	broadcast.Expired:        {"expire"},
	broadcast.ChunkCancelled: {"cancel"},
	broadcast.Parked:         {"dispatch", "found dead three times"},
}

// move is one thing that may happen to a chunk. What to does not name, it leaves alone.
type move struct {
	do func(t *testing.T, sub *subject)
	to map[broadcast.ChunkState]broadcast.ChunkState
}

func verdict(v broadcast.Verdict) func(*testing.T, *subject) {
	return func(t *testing.T, sub *subject) { record(t, sub.s, sub.chunk(t), v, sub.now) }
}

// must lets a refusal by state pass: then nothing may have changed.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil && fault.KindOf(err) != fault.Conflict {
		t.Fatal(err)
	}
}

type states = map[broadcast.ChunkState]broadcast.ChunkState

var moves map[string]move

func init() { // ways and moves need each other
	moves = map[string]move{
		"dispatch": {
			func(t *testing.T, sub *subject) { dispatch(t, sub.s, sub.now) },
			states{broadcast.Planned: broadcast.Queued},
		},
		"claim": {
			func(t *testing.T, sub *subject) { claim(t, sub.s, sub.chunk(t), sub.now) },
			states{broadcast.Queued: broadcast.Sending},
		},
		"claim by a task of an older epoch": {
			func(t *testing.T, sub *subject) {
				c := sub.chunk(t)
				c.Epoch--
				claim(t, sub.s, c, sub.now)
			}, nil,
		},
		"claim when send_by is over": {
			func(t *testing.T, sub *subject) { claim(t, sub.s, sub.chunk(t), sub.now.Add(10*time.Minute)) }, nil,
		},
		"accepted": {
			verdict(accepted("task-1")),
			states{broadcast.Sending: broadcast.Sent, broadcast.InDoubt: broadcast.Sent},
		},
		"accepted by a task of an older epoch": {
			func(t *testing.T, sub *subject) {
				c := sub.chunk(t)
				c.Epoch--
				record(t, sub.s, c, accepted("task-1"), sub.now)
			}, nil,
		},
		"given back": {
			func(t *testing.T, sub *subject) { giveBack(t, sub.s, sub.chunk(t), time.Second, sub.now) },
			states{broadcast.Queued: broadcast.Planned},
		},
		"given back by a task of an older epoch": {
			func(t *testing.T, sub *subject) {
				c := sub.chunk(t)
				c.Epoch--
				giveBack(t, sub.s, c, time.Second, sub.now)
			}, nil,
		},
		"certainly not sent": {
			verdict(broadcast.Verdict{Outcome: broadcast.NotSent, Reason: "Kakao could not be reached"}),
			states{broadcast.Sending: broadcast.Planned},
		},
		"refused": {
			verdict(broadcast.Verdict{Outcome: broadcast.Refused, Reason: "unknown event"}),
			states{broadcast.Sending: broadcast.Rejected},
		},
		"bad key": {
			verdict(broadcast.Verdict{Outcome: broadcast.BadConfig, Reason: "Kakao does not accept the key"}),
			states{broadcast.Sending: broadcast.Planned, broadcast.Queued: broadcast.Planned},
		},
		"Kakao's balance empty": {
			verdict(broadcast.Verdict{Outcome: broadcast.ProviderEmpty, Reason: "balance"}),
			states{broadcast.Sending: broadcast.Planned, broadcast.Queued: broadcast.Planned},
		},
		"in doubt": {
			verdict(broadcast.Verdict{Outcome: broadcast.OutcomeInDoubt, Reason: "Kakao did not answer"}),
			states{broadcast.Sending: broadcast.InDoubt},
		},
		"lease over": {
			func(t *testing.T, sub *subject) {
				_, err := sub.s.ExpireSending(t.Context(), sub.now.Add(30*time.Second))
				must(t, err)
			},
			states{broadcast.Sending: broadcast.InDoubt},
		},
		"lease not over": {
			func(t *testing.T, sub *subject) {
				_, err := sub.s.ExpireSending(t.Context(), sub.now.Add(30*time.Second-time.Millisecond))
				must(t, err)
			}, nil,
		},
		"settle": {
			func(t *testing.T, sub *subject) { settle(t, sub.s, sub.chunk(t), 2, sub.now) },
			states{broadcast.Sent: broadcast.Settled},
		},
		"settle by a task of an older epoch": {
			func(t *testing.T, sub *subject) {
				c := sub.chunk(t)
				c.Epoch--
				settle(t, sub.s, c, 2, sub.now)
			}, nil,
		},
		"pause": {
			func(t *testing.T, sub *subject) {
				_, err := sub.s.Pause(t.Context(), sub.id, sub.now)
				must(t, err)
			},
			states{broadcast.Queued: broadcast.Planned},
		},
		"cancel": {
			func(t *testing.T, sub *subject) {
				_, err := sub.s.Cancel(t.Context(), sub.id, sub.now)
				must(t, err)
			},
			states{broadcast.Planned: broadcast.ChunkCancelled, broadcast.Queued: broadcast.ChunkCancelled},
		},
		"overdue": {
			func(t *testing.T, sub *subject) {
				_, err := sub.s.RecallOverdue(t.Context(), sub.now.Add(10*time.Minute))
				must(t, err)
			},
			states{broadcast.Queued: broadcast.Planned},
		},
		"expire": {
			func(t *testing.T, sub *subject) {
				exec(t, sub.s, `UPDATE broadcast SET expires_at = $2 WHERE id = $1`, string(sub.id), millis(sub.now))
				for more := true; more; {
					var err error
					if more, err = sub.s.RetireOver(t.Context(), sub.now); err != nil {
						t.Fatal(err)
					}
				}
			},
			states{broadcast.Planned: broadcast.Expired},
		},
		"found dead three times": {
			func(t *testing.T, sub *subject) {
				for range deadToPark {
					c := sub.chunk(t)
					row := []broadcast.Row{{ID: string(c.ID), Epoch: c.Epoch}}
					must(t, sub.s.Forget(t.Context(), WorkChunk, row, true, sub.now))
					if _, err := sub.s.Stamp(t.Context(), WorkChunk, sub.now, 1000); err != nil {
						t.Fatal(err)
					}
				}
			},
			states{broadcast.Queued: broadcast.Parked},
		},
		"a person says: not sent": {
			func(t *testing.T, sub *subject) { sub.decide(t, broadcast.FoundNotSent) },
			states{broadcast.InDoubt: broadcast.Planned, broadcast.Parked: broadcast.Planned},
		},
		"a person says: sent": {
			func(t *testing.T, sub *subject) { sub.decide(t, broadcast.FoundSent) },
			states{broadcast.InDoubt: broadcast.Settled},
		},
		"a person lets it be": {
			func(t *testing.T, sub *subject) { sub.decide(t, broadcast.FoundNothing) },
			states{broadcast.InDoubt: broadcast.Settled},
		},
		"doubt over": {
			func(t *testing.T, sub *subject) {
				_, err := sub.s.EndDoubt(t.Context(), sub.now.Add(DoubtTerm))
				must(t, err)
			}, nil, // it stays in doubt: only its money is let go
		},
	}
}

func (sub *subject) decide(t *testing.T, f broadcast.Finding) {
	t.Helper()
	_, err := sub.s.DecideChunks(t.Context(), broadcast.Decision{Broadcast: sub.id, Finding: f, Note: "asked Kakao", At: sub.now})
	must(t, err)
}

// TestChunk_moves goes through every state and everything that may happen in it: what the table
// names happens, everything else changes nothing, and the books agree after each.
func TestChunk_moves(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		n := 0
		for from := range ways {
			for name, m := range moves {
				n++
				t.Run(fmt.Sprintf("%s, %s", from, name), func(t *testing.T) {
					for _, table := range []string{"chunk", "broadcast"} { // or each cell dispatches around all before it
						exec(t, s, `DELETE FROM `+table)
					}
					sub := newSubject(t, s, fmt.Sprintf("m%03d", n), from)
					before := sub.chunk(t)
					m.do(t, sub)
					after := sub.chunk(t)
					want, moved := m.to[from]
					letGo := from == broadcast.InDoubt && name == "doubt over"
					if !moved {
						want = from
					}
					if after.State != want {
						t.Errorf("%s, %s = %s, want %s", from, name, after.State, want)
					}
					if !moved && !letGo && after != before {
						t.Errorf("%s, %s changed the chunk:\n%+v\nwant\n%+v", from, name, after, before)
					}
					if holds := after.State.Holds() && !letGo; holds && after.Hold != 3*price || !holds && after.Hold != 0 {
						t.Errorf("%s, %s = %s holding %d", from, name, after.State, after.Hold)
					}
					wantBroadcast(t, s, sub.id)
					wantWallet(t, s, sub.walletID)
				})
			}
		}
	})
}
