package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/bot"
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
		plain := true
		must(t, s.ChangeBot(t.Context(), "b1", bot.SealedChange{Talking: &bot.TalkingChange{PlainUserKeys: &plain}}))
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

// A bot that no longer records user keys loses those that it has, and shows none that comes in late.
func TestChangeBot_forgetsUserKeys(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		set := func(plain bool) {
			t.Helper()
			must(t, s.ChangeBot(t.Context(), "b1", bot.SealedChange{Talking: &bot.TalkingChange{PlainUserKeys: &plain}}))
		}
		newBot(t, s, "b1", "")
		newBot(t, s, "b2", "")
		set(true)
		var all []scenario.Utterance
		for n := range 2*userKeyBatch + 1 {
			u := said(fmt.Sprintf("utt_%05d", n), scenario.Direct)
			u.UserKey, u.At = "reader-17", t0.Add(time.Duration(n/3)*time.Millisecond)
			all = append(all, u)
		}
		all[7].BotID = "b2"
		must(t, s.RecordUtterances(t.Context(), all))
		accuracy := 80
		must(t, s.ChangeBot(t.Context(), "b1", bot.SealedChange{Talking: &bot.TalkingChange{MinimumAccuracy: &accuracy}}))
		if got := texts(t, s, `SELECT id FROM utterance WHERE bot_id = $1 AND user_key <> ''`, "b1"); len(got) != 2*userKeyBatch {
			t.Fatalf("%d user keys are kept after another change, want all %d", len(got), 2*userKeyBatch)
		}
		set(false)
		if got := texts(t, s, `SELECT id FROM utterance WHERE user_key <> $1`, ""); len(got) != 1 || got[0] != "utt_00007" {
			t.Errorf("%d user keys are kept, want that of the other bot", len(got))
		}
		late := said("utt_late", scenario.Direct)
		late.UserKey, late.At = "reader-17", t0.Add(time.Hour)
		must(t, s.RecordUtterances(t.Context(), []scenario.Utterance{late}))
		if list, err := s.UtteranceList(t.Context(), "b1", "", "", UtteranceMark{}, 1); err != nil || len(list) != 1 || list[0].ID != "utt_late" || list[0].UserKey != "" {
			t.Errorf("UtteranceList() = %+v, %v, want the late one without its key", list, err)
		}
	})
}
