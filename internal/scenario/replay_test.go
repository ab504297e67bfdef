package scenario_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/malgil/malgil/internal/knowledge"
	"github.com/malgil/malgil/internal/scenario"
)

// library is a bot whose knowledge base has answers to some questions.
func library() scenario.Bot {
	return scenario.Bot{ID: "b1", Settings: scenario.DefaultSettings, Content: scenario.Content{
		Blocks: []scenario.Block{
			{ID: "fallback", Name: "폴백 블록", Kind: scenario.Fallback, Answer: says("다시 말씀해 주세요.")},
			{ID: "person", Name: "상담원", Kind: scenario.Normal, Answer: says("연결해 드릴게요.")},
		},
		Knowledge: []knowledge.Item{
			{Question: "반품은 언제까지 할 수 있나요?", Answer: "받은 날부터 7일입니다."},
			{Question: "배송은 며칠 걸리나요?", Answer: "보통 이틀입니다."},
			{Question: "주차할 수 있나요?", Answer: "두 시간 무료입니다."},
		},
	}}
}

// Words that end the talk end it at any minimum that has no answer to them.
func TestReplay_exit(t *testing.T) {
	bot := library()
	bot.Knowledge = append(bot.Knowledge, knowledge.Item{Question: "그만 받고 싶은 책 정기 배송이 있어요", Answer: "앱에서 멈출 수 있어요."})
	bot.Settings.MinimumAccuracy = 100
	r, err := bot.Replay(t.Context(), []scenario.Heard{{Asked: "그만할래요", Times: 2}}, []int{100})
	if err != nil || r.Steps[0].Answered != 2 || r.Steps[0].Changed != 0 {
		t.Errorf("Replay = %+v, %v, want 2 answered, and no change", r, err)
	}
}

func TestReplay(t *testing.T) {
	bot := library()
	heard := []scenario.Heard{
		{Asked: "상담원", Times: 5},           // a block's own words, at any minimum
		{Asked: "주차할 수 있나요", Times: 3},     // an item's own question, at any minimum
		{Asked: "반품 언제까지 돼요", Times: 4},    // like an item
		{Asked: "ㅁㄴㅇㄹ ㅋㅋㅋ 우하하하", Times: 2}, // like nothing
	}
	r, err := bot.Replay(t.Context(), heard, []int{0, 50, 70, 95, 100})
	if err != nil {
		t.Fatal(err)
	}
	if r.Utterances != 14 || r.Minimum != 70 || len(r.Steps) != 5 {
		t.Fatalf("Replay = %+v, want 14 utterances in 5 steps from 70", r)
	}
	for i, step := range r.Steps {
		if step.Answered+step.Choices+step.Unanswered != 14 {
			t.Errorf("at %d the numbers add up to %d, want 14", step.Minimum, step.Answered+step.Choices+step.Unanswered)
		}
		if step.Answered < 8 || step.Unanswered < 2 {
			t.Errorf("at %d: %+v, want own words answered and gibberish not", step.Minimum, step)
		}
		if i > 0 && step.Unanswered < r.Steps[i-1].Unanswered {
			t.Errorf("at %d fewer are unanswered than at %d", step.Minimum, r.Steps[i-1].Minimum)
		}
	}
	if own := r.Steps[2]; own.Changed != 0 || own.Changes != nil {
		t.Errorf("at the bot's own minimum: %+v, want no change", own)
	}
	strict := r.Steps[4]
	want := scenario.Led{Why: scenario.ByKnowledge, Name: "반품은 언제까지 할 수 있나요?"}
	if strict.Unanswered != 6 || strict.Changed != 4 || len(strict.Changes) != 1 {
		t.Fatalf("at 100: %+v, want words that are only like an item unanswered", strict)
	}
	change := strict.Changes[0]
	if change.Heard != heard[2] || change.Before != want || change.Now != (scenario.Led{Why: scenario.ByNothing, Name: "폴백 블록"}) || change.Score < 70 || change.Score > 99 {
		t.Errorf("what changes at 100 = %+v", change)
	}
}

// A replay answers as the bot does.
func TestReplay_answersAsTheBotDoes(t *testing.T) {
	bot := library()
	for _, words := range []string{"상담원", "주차 되나요", "배송 며칠 걸려요", "환불", "ㅁㄴㅇㄹ"} {
		for _, minimum := range []int{50, 70, 95} {
			bot.Settings.MinimumAccuracy = minimum
			reply, err := scenario.Answer(t.Context(), bot, utterance(words), scenario.Entry{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			other := bot
			other.Settings.MinimumAccuracy = 70
			r, err := other.Replay(t.Context(), []scenario.Heard{{Asked: words, Times: 1}}, []int{minimum})
			if err != nil {
				t.Fatal(err)
			}
			step := r.Steps[0]
			if (step.Unanswered == 1) != (reply.Why == scenario.ByNothing) || (step.Choices == 1) != (reply.Why == scenario.ByChoice) {
				t.Errorf("%q at %d: the bot answers by %q, the replay counts %+v", words, minimum, reply.Why, step)
			}
		}
	}
}

func TestReplay_ends(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := library().Replay(ctx, []scenario.Heard{{Asked: "x", Times: 1}}, []int{70}); !errors.Is(err, context.Canceled) {
		t.Errorf("Replay = %v, want %v", err, context.Canceled)
	}
	if _, err := library().GroupUnanswered(ctx, []scenario.Heard{{Asked: "x", Times: 1}}, 9); !errors.Is(err, context.Canceled) {
		t.Errorf("GroupUnanswered = %v, want %v", err, context.Canceled)
	}
}

func TestGroupUnanswered(t *testing.T) {
	heard := []scenario.Heard{
		{Asked: "포인트 적립되나요", Times: 3},
		{Asked: "선물 포장 되나요?", Times: 9},
		{Asked: "선물포장 해주세요", Times: 2},
		{Asked: "포인트 적립 돼요?", Times: 8},
		{Asked: "와이파이 비번", Times: 1},
	}
	groups, err := library().GroupUnanswered(t.Context(), heard, 9)
	if err != nil {
		t.Fatal(err)
	}
	type group struct {
		words []string
		times int
	}
	var got []group
	for _, g := range groups {
		one := group{times: g.Times}
		for _, h := range g.Words {
			one.words = append(one.words, h.Asked)
		}
		if got = append(got, one); g.Texts != len(g.Words) || len(g.Nearest) > 1 {
			t.Errorf("%v: %d texts, nearest %+v", one.words, g.Texts, g.Nearest)
		}
	}
	want := []group{
		{[]string{"선물 포장 되나요?", "선물포장 해주세요"}, 11},
		{[]string{"포인트 적립 돼요?", "포인트 적립되나요"}, 11},
		{[]string{"와이파이 비번"}, 1},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(group{})); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
	if !slices.IsSortedFunc(groups, func(a, b scenario.Unanswered) int { return b.Times - a.Times }) {
		t.Error("groups are not those heard most first")
	}
	if two, err := library().GroupUnanswered(t.Context(), heard, 2); err != nil || !cmp.Equal(two, groups[:2], cmpopts.IgnoreUnexported(scenario.Candidate{})) {
		t.Errorf("two at most = %+v, %v, want the first two", two, err)
	}
	if none, err := library().GroupUnanswered(t.Context(), nil, 9); err != nil || len(none) != 0 {
		t.Errorf("of nothing = %+v, %v, want nothing", none, err)
	}
}
