package broadcast

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/fault"
)

var start = time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)

func candidate(id, wallet, bot string, rate, planned int) Candidate {
	return Candidate{Broadcast: ID(id), WalletID: wallet, BotID: bot, Rate: rate, Planned: planned, StartAt: start}
}

func TestPace_Shares(t *testing.T) {
	million, hundred := candidate("big", "w1", "b1", 500_000, 10_000), candidate("small", "w2", "b2", 500, 1)
	later := candidate("later", "w1", "b1", 1000, 50)
	later.StartAt = start.Add(time.Minute)
	earlier := candidate("earlier", "w1", "b1", 1000, 50)
	paused := candidate("paused", "w1", "b1", 500, 10)
	paused.BotPaused = WaitConfig
	waiting, slow := candidate("waiting", "w1", "b1", 100, 50), candidate("slow", "w1", "b1", 100, 50)
	waiting.Waits, slow.StartAt = true, start.Add(time.Minute)
	tests := map[string]struct {
		pace       Pace
		candidates []Candidate
		queued     map[string]int
		turn       int
		want       map[ID]int
	}{
		"1,000,000 people and 100 of another wallet": {
			DefaultPace, []Candidate{million, hundred}, nil, 0, map[ID]int{"big": 499, "small": 1},
		},
		"one that waits takes nothing from another of its bot": {
			DefaultPace, []Candidate{waiting, slow}, nil, 0, map[ID]int{"waiting": 1, "slow": 1},
		},
		"nor from another's, and is looked at where there is no room": {
			Pace{MaxQueued: 1, Ahead: time.Second}, []Candidate{waiting, hundred}, nil, 0, map[ID]int{"waiting": 1, "small": 1},
		},
		"little room goes around: first turn": {
			Pace{MaxQueued: 1, Ahead: time.Second}, []Candidate{million, hundred}, nil, 0, map[ID]int{"big": 1, "small": 0},
		},
		"little room goes around: second turn": {
			Pace{MaxQueued: 1, Ahead: time.Second}, []Candidate{million, hundred}, nil, 1, map[ID]int{"big": 0, "small": 1},
		},
		"equal shares when both have much": {
			Pace{MaxQueued: 100, Ahead: time.Minute}, []Candidate{million, candidate("other", "w2", "b2", 5000, 5000)}, nil, 0,
			map[ID]int{"big": 50, "other": 50},
		},
		"a second's worth of a bot, less what is queued": {
			DefaultPace, []Candidate{candidate("a", "w1", "b1", 500, 100)}, map[string]int{"b1": 4}, 0, map[ID]int{"a": 1},
		},
		"a slow bot gets one chunk": {
			DefaultPace, []Candidate{candidate("a", "w1", "b1", 1, 100)}, nil, 0, map[ID]int{"a": 1},
		},
		"a slow bot gets no second one": {
			DefaultPace, []Candidate{candidate("a", "w1", "b1", 1, 100)}, map[string]int{"b1": 1}, 0, map[ID]int{"a": 0},
		},
		"a paused bot gets none and takes none away": {
			Pace{MaxQueued: 10, Ahead: time.Minute}, []Candidate{paused, candidate("a", "w1", "b2", 5000, 100)}, nil, 0,
			map[ID]int{"paused": 0, "a": 10},
		},
		"broadcasts of a wallet share, the earlier one first": {
			Pace{MaxQueued: 5, Ahead: time.Minute}, []Candidate{later, earlier}, nil, 0, map[ID]int{"earlier": 3, "later": 2},
		},
		"two broadcasts of one bot share its rate": {
			Pace{MaxQueued: 100, Ahead: time.Second}, []Candidate{earlier, later}, nil, 0, map[ID]int{"earlier": 5, "later": 5},
		},
		"no more than is planned": {
			DefaultPace, []Candidate{candidate("a", "w1", "b1", 50_000, 3)}, nil, 0, map[ID]int{"a": 3},
		},
		"a full queue": {
			Pace{MaxQueued: 10, Ahead: time.Minute}, []Candidate{million}, map[string]int{"b9": 12}, 0, map[ID]int{"big": 0},
		},
		"nobody": {DefaultPace, nil, nil, 3, map[ID]int{}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := map[ID]int{}
			for _, share := range tt.pace.Shares(tt.candidates, tt.queued, tt.turn) {
				got[share.Broadcast] = share.Chunks
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Shares (-want +got):\n%s", diff)
			}
		})
	}
}

// Over many turns with little room every wallet is served alike.
func TestPace_Shares_turns(t *testing.T) {
	var candidates []Candidate
	for n := range 7 {
		candidates = append(candidates, candidate(fmt.Sprintf("brd%d", n), fmt.Sprintf("w%d", n), fmt.Sprintf("b%d", n), 500, 1000))
	}
	got := map[ID]int{}
	for turn := range 70 {
		for _, share := range (Pace{MaxQueued: 3, Ahead: time.Second}).Shares(candidates, nil, turn) {
			got[share.Broadcast] += share.Chunks
		}
	}
	for id, chunks := range got {
		if chunks != 30 {
			t.Errorf("%s got %d chunks in 70 turns of 3, want 30", id, chunks)
		}
	}
}

// planner answers with what a test says and notes the turns it was asked for.
type planner struct {
	turns []Turn
	say   func(turn Turn) (Dispatched, error)
}

func (p *planner) Dispatch(_ context.Context, _ Pace, turn Turn, _ time.Time) (Dispatched, error) {
	p.turns = append(p.turns, turn)
	return p.say(turn)
}

func TestDispatcher_goesOnWhereItStopped(t *testing.T) {
	p := &planner{say: func(turn Turn) (Dispatched, error) {
		return Dispatched{Next: Turn{N: turn.N + 1, After: "brd_z"}}, errors.New("one of them is broken")
	}}
	d := NewDispatcher(p, DefaultPace, time.Now)
	for range 3 {
		if _, err := d.Dispatch(t.Context()); err == nil {
			t.Error("Dispatch() error = nil, want what the planner tells")
		}
	}
	if diff := cmp.Diff([]Turn{{}, {1, "brd_z"}, {2, "brd_z"}}, p.turns); diff != "" {
		t.Errorf("turns (-want +got):\n%s", diff)
	}
}

func TestDispatcher_rowsBesideAnError(t *testing.T) {
	rows := []Row{{ID: "brd_2-000001", Epoch: 1}}
	broken := errors.New("brd_1 is broken")
	p := &planner{say: func(Turn) (Dispatched, error) { return Dispatched{Rows: rows}, broken }}
	got, err := NewDispatcher(p, DefaultPace, time.Now).Dispatch(t.Context())
	if !slices.Equal(got, rows) || !errors.Is(err, broken) {
		t.Errorf("Dispatch() = %v, %v, want %v and %v", got, err, rows, broken)
	}
}

// Another process that dispatches is no trouble; one that never ends is.
func TestDispatcher_anotherHangs(t *testing.T) {
	busy := true
	now := start
	p := &planner{say: func(turn Turn) (Dispatched, error) { return Dispatched{Next: turn, Busy: busy}, nil }}
	d := NewDispatcher(p, DefaultPace, func() time.Time { return now })
	dispatch := func(after time.Duration, stuck bool) {
		t.Helper()
		now = now.Add(after)
		if _, err := d.Dispatch(t.Context()); stuck != (fault.KindOf(err) == fault.Unavailable) || !stuck && err != nil {
			t.Errorf("Dispatch() at %s error = %v, want one: %v", now.Format(time.TimeOnly), err, stuck)
		}
	}
	for range 2 {
		dispatch(time.Hour, false)
		dispatch(time.Minute, false)
		dispatch(time.Millisecond, true)
		dispatch(time.Hour, true)
		busy = false
		dispatch(0, false)
		busy = true
	}
}
