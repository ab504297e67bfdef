package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/scenario"
)

func TestHeard(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		var all []scenario.Utterance
		hear := func(bot, side, asked string, why scenario.Why, at time.Time) {
			u := said(fmt.Sprintf("utt_%03d", len(all)), scenario.Direct)
			u.BotID, u.Side, u.Asked, u.Why, u.At = bot, side, asked, why, at
			all = append(all, u)
		}
		minute := func(n int) time.Time { return t0.Add(time.Duration(n) * time.Minute) }
		hear("b1", scenario.Live, "반품", scenario.ByKnowledge, minute(0))
		hear("b1", scenario.Live, "반품", scenario.ByChoice, minute(1))
		hear("b1", scenario.Live, "포장", scenario.ByNothing, minute(2))
		hear("b1", scenario.Live, "포장", scenario.ByNothing, minute(3))
		hear("b1", scenario.Live, "상담원", scenario.ByWords, minute(4))
		hear("b1", scenario.Live, "배송", scenario.ByLikeness, minute(5))
		hear("b1", scenario.Live, "포장", scenario.ByNothing, minute(6))
		hear("b1", scenario.Live, "단추", scenario.ByKakao, minute(7))          // nothing was matched
		hear("b1", scenario.Live, "", scenario.ByNothing, minute(8))          // nothing was said
		hear("b1", scenario.Development, "시험", scenario.ByNothing, minute(9)) // another side
		hear("b2", scenario.Live, "남", scenario.ByNothing, minute(10))        // another bot
		must(t, s.RecordUtterances(t.Context(), all))

		for name, tt := range map[string]struct {
			side       string
			since      time.Time
			last       int
			unanswered bool
			want       []scenario.Heard
		}{
			"all of it":       {scenario.Live, t0, 100, false, []scenario.Heard{{Asked: "포장", Times: 3}, {Asked: "반품", Times: 2}, {Asked: "배송", Times: 1}, {Asked: "상담원", Times: 1}}},
			"the last three":  {scenario.Live, t0, 3, false, []scenario.Heard{{Asked: "배송", Times: 1}, {Asked: "상담원", Times: 1}, {Asked: "포장", Times: 1}}},
			"unanswered":      {scenario.Live, t0, 100, true, []scenario.Heard{{Asked: "포장", Times: 3}}},
			"since a time":    {scenario.Live, minute(3), 100, true, []scenario.Heard{{Asked: "포장", Times: 2}}},
			"the other side":  {scenario.Development, t0, 100, false, []scenario.Heard{{Asked: "시험", Times: 1}}},
			"nothing as late": {scenario.Live, minute(60), 100, false, nil},
		} {
			got, err := s.Heard(t.Context(), "b1", tt.side, tt.since, tt.last, tt.unanswered)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
	})
}

func TestUtteranceList(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		var all []scenario.Utterance
		for n := range 7 {
			u := said(fmt.Sprintf("utt_%03d", n), scenario.Direct)
			u.At = t0.Add(time.Duration(n/2) * time.Second) // some at the same time
			if n == 3 {
				u.Why, u.Outcome, u.UserHash, u.UserKey = scenario.ByNothing, scenario.Late, nil, ""
			}
			all = append(all, u)
		}
		newBot(t, s, "b1", "")
		other := said("utt_other", scenario.Direct)
		other.BotID = "b2"
		must(t, s.RecordUtterances(t.Context(), append(all, other)))
		want := []scenario.Utterance{all[6], all[4], all[5], all[2], all[3], all[0], all[1]}
		var got []scenario.Utterance
		for mark := (UtteranceMark{}); ; {
			page, err := s.UtteranceList(t.Context(), "b1", "", "", mark, 2)
			if err != nil {
				t.Fatal(err)
			}
			if got = append(got, page...); len(page) < 2 {
				break
			}
			mark = UtteranceMark{At: millis(page[1].At), ID: page[1].ID}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("pages (-want +got):\n%s", diff)
		}
		for name, tt := range map[string]struct{ why, outcome string }{"by rule": {"nothing", ""}, "by outcome": {"", "late"}, "by both": {"nothing", "late"}} {
			if got, err := s.UtteranceList(t.Context(), "b1", tt.why, tt.outcome, UtteranceMark{}, 10); err != nil || !cmp.Equal(got, all[3:4]) {
				t.Errorf("%s = %+v, %v, want one", name, got, err)
			}
		}
		if got, err := s.UtteranceList(t.Context(), "b1", "nothing", "direct", UtteranceMark{}, 10); err != nil || len(got) != 0 {
			t.Errorf("by what there is not = %+v, %v, want none", got, err)
		}
	})
}
