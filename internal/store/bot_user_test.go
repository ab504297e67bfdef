package store

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/scenario"
)

func TestVisit(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		var firsts atomic.Int64
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				visit, err := s.Visit(context.Background(), "b1", scenario.Live, []byte("u1"), t0.Add(time.Duration(i+1)*time.Millisecond))
				if err != nil {
					t.Errorf("Visit = %v", err)
				}
				if visit.First {
					firsts.Add(1)
				}
			})
		}
		all.Wait()
		if firsts.Load() != 1 {
			t.Errorf("%d of 8 calls at once saw the user first, want 1", firsts.Load())
		}
		for range 8 { // an utterance that is answered more than once
			all.Go(func() {
				if visit, err := s.Visit(context.Background(), "b1", scenario.Live, []byte("u0"), t0); err != nil || !visit.First {
					t.Errorf("Visit = %+v, %v, want first at every run of the first utterance", visit, err)
				}
			})
		}
		all.Wait()
		exec(t, s, `DELETE FROM utterance`) // users are remembered apart from the log
		for i, tt := range []struct {
			bot, side, user string
			want            bool
		}{
			{"b1", scenario.Live, "u1", false},
			{"b1", scenario.Development, "u1", false},
			{"b1", scenario.Live, "u2", true},
			{"b2", scenario.Development, "u1", true},
			{"b2", scenario.Live, "u1", false},
		} {
			got, err := s.Visit(t.Context(), tt.bot, tt.side, []byte(tt.user), t0.Add(time.Duration(i+1)*time.Second))
			if err != nil || got.First != tt.want || !got.State.Equal(scenario.State{}) {
				t.Errorf("Visit(%s, %s, %s) = %+v, %v, want first %v and no state", tt.bot, tt.side, tt.user, got, err, tt.want)
			}
		}
	})
}

// What is remembered of a user is of one bot and one side, and leaves nothing behind when it ends.
func TestKeep(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		visit := func(bot, side string) scenario.State {
			t.Helper()
			v, err := s.Visit(t.Context(), bot, side, []byte("u1"), t0)
			if err != nil {
				t.Fatal(err)
			}
			return v.State
		}
		keep := func(side string, state scenario.State) {
			t.Helper()
			if err := s.Keep(t.Context(), "b1", side, []byte("u1"), state); err != nil {
				t.Fatal(err)
			}
		}
		visit("b1", scenario.Live)
		visit("b2", scenario.Live)
		asking := scenario.State{Fallbacks: 2, Asking: &scenario.Asking{
			BlockID: "book", Param: "people", Tries: 1, Values: map[string]string{"day": "2026-11-24"}, Until: t0.Add(10 * time.Minute),
		}}
		keep(scenario.Live, asking)
		keep(scenario.Development, scenario.State{Fallbacks: 1})
		if diff := cmp.Diff(asking, visit("b1", scenario.Live)); diff != "" {
			t.Errorf("live state (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(scenario.State{Fallbacks: 1}, visit("b1", scenario.Development)); diff != "" {
			t.Errorf("development state (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(scenario.State{}, visit("b2", scenario.Live)); diff != "" {
			t.Errorf("state of another bot (-want +got):\n%s", diff)
		}
		ended := scenario.State{By: "utt_9", Ended: &scenario.Ended{BlockID: "book", Values: map[string]string{"day": "2026-11-24"}, Until: t0.Add(time.Minute)}}
		keep(scenario.Live, ended)
		if diff := cmp.Diff(ended, visit("b1", scenario.Live)); diff != "" {
			t.Errorf("state after a talk (-want +got):\n%s", diff)
		}
		keep(scenario.Live, scenario.State{})
		var talk string
		var until int64
		if err := s.read.QueryRowContext(t.Context(), `SELECT talk, talk_until FROM bot_user WHERE bot_id = 'b1'`).Scan(&talk, &until); err != nil || talk != "" || until != 0 {
			t.Errorf("talk = %q until %d, %v, want nothing", talk, until, err)
		}
		exec(t, s, `UPDATE bot_user SET talk = 'no JSON'`)
		if diff := cmp.Diff(scenario.State{}, visit("b1", scenario.Live)); diff != "" {
			t.Errorf("state that does not read (-want +got):\n%s", diff)
		}
	})
}

// What was said in a talk that nobody goes on with is removed, and what is under way is not.
func TestForgetTalks(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		talks := func() []string {
			t.Helper()
			return texts(t, s, `SELECT talk || talk_development FROM bot_user WHERE bot_id = $1 AND talk || talk_development <> '' ORDER BY user_hash`, "b1")
		}
		for user, side := range map[string]string{"u1": scenario.Live, "u2": scenario.Development, "u3": scenario.Live} {
			if _, err := s.Visit(t.Context(), "b1", side, []byte(user), t0); err != nil {
				t.Fatal(err)
			}
			state := scenario.State{Fallbacks: 1, Asking: &scenario.Asking{BlockID: "book", Values: map[string]string{"phone": "010-1234-5678"}, Until: t0.Add(time.Minute)}}
			if user == "u3" {
				state = scenario.State{Ended: &scenario.Ended{BlockID: "book", Values: state.Asking.Values, Until: t0.Add(2 * time.Minute)}}
			}
			if err := s.Keep(t.Context(), "b1", side, []byte(user), state); err != nil {
				t.Fatal(err)
			}
		}
		for _, step := range []struct {
			after time.Duration
			left  int
		}{{time.Minute - time.Millisecond, 3}, {time.Minute, 1}, {2 * time.Minute, 0}} {
			if err := s.ForgetTalks(t.Context(), t0.Add(step.after)); err != nil {
				t.Fatal(err)
			}
			if got := talks(); len(got) != step.left {
				t.Errorf("after %v there are talks %q, want %d", step.after, got, step.left)
			}
		}
	})
}
