package scenario_test

import (
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/knowledge"
	"github.com/malgil/malgil/internal/scenario"
)

// desk is a bot that understands words: blocks with examples and a knowledge base.
func desk() scenario.Bot {
	operator := says("상담원을 불러 드릴게요.")
	return scenario.Bot{ID: "b1", Settings: scenario.DefaultSettings, Content: scenario.Content{
		Blocks: []scenario.Block{
			{ID: "welcome", Name: "웰컴 블록", Kind: scenario.Welcome, Answer: says("어서 오세요.")},
			{ID: "fallback", Name: "폴백 블록", Kind: scenario.Fallback, Answer: says("다시 말씀해 주세요.")},
			{ID: "exit", Name: "탈출 블록", Kind: scenario.Exit, Says: []string{"그만할래"}},
			{ID: "agent", Name: "상담 연결", Kind: scenario.Normal, Says: []string{"상담원", "사람이랑 얘기할래요"}, Answer: operator, Handoff: true},
			{ID: "book", Name: "예약", Kind: scenario.Normal, Says: []string{"모임 공간 예약하고 싶어요"}, Answer: says("예약을 도와드릴게요.")},
		},
		Knowledge: []knowledge.Item{
			{Question: "반품 기한은 며칠인가요", Answer: "받은 날부터 7일입니다."},
			{Question: "상담원", Answer: "상담원은 평일에 있습니다."},
			{Question: "주차장이 있나요", Answer: "건물 지하에 있습니다."},
			{Question: "와이파이 비밀번호가 뭐예요", Answer: "영수증 아래에 있습니다."},
			{Question: "매장에서 음료를 팔아요?", Answer: "커피와 차가 있습니다."},
		},
	}}
}

func TestAnswer_understands(t *testing.T) {
	tests := map[string]struct {
		words string
		block string
		item  string
		why   scenario.Why
	}{
		"an example":                          {"사람이랑 얘기할래요", "agent", "", scenario.ByWords},
		"in other space, case and marks":      {" 사람이랑  얘기 할래요~!", "agent", "", scenario.ByWords},
		"a name":                              {"상담 연결", "agent", "", scenario.ByWords},
		"a block's words before knowledge":    {"상담원", "agent", "", scenario.ByWords},
		"…with a mark":                        {"상담원!", "agent", "", scenario.ByWords},
		"a question as it is":                 {"주차장이 있나요?", "", "주차장이 있나요", scenario.ByKnowledge},
		"like a question":                     {"반품 기한 며칠이에요", "", "반품 기한은 며칠인가요", scenario.ByKnowledge},
		"like an example":                     {"모임 공간을 예약하고 싶어", "book", "", scenario.ByLikeness},
		"like nothing":                        {"우주선은 어디서 타나요", "fallback", "", scenario.ByNothing},
		"the exit's words, and nothing asked": {"그만할래", "exit", "", scenario.ByExit},
		"…with an ending":                     {"아니 그만둘게요", "exit", "", scenario.ByExit},
		"to cancel, and nothing asked":        {"취소할게요", "fallback", "", scenario.ByNothing},
		"to decline, and nothing asked":       {"필요없어요", "fallback", "", scenario.ByNothing},
		"marks alone":                         {"???", "fallback", "", scenario.ByNothing},
	}
	bot := desk()
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := scenario.Answer(t.Context(), bot, utterance(tt.words), scenario.Entry{}, nil)
			if err != nil || got.BlockID != tt.block || got.Item != tt.item || got.Why != tt.why {
				t.Errorf("Answer(%s) = block %q, item %q by %s, %v, want %q, %q by %s; candidates %+v",
					tt.words, got.BlockID, got.Item, got.Why, err, tt.block, tt.item, tt.why, got.Matches)
			}
		})
	}
}

// The same words answer at a minimum of their own score, and fall back at one more.
func TestAnswer_minimumAccuracy(t *testing.T) {
	for _, words := range []string{"반품 기한 며칠이에요", "모임 공간을 예약하고 싶어"} {
		bot := desk()
		found, err := scenario.Answer(t.Context(), bot, utterance(words), scenario.Entry{}, nil)
		if err != nil || found.Score == 0 || found.Score == 100 || len(found.Matches) == 0 || len(found.Matches[0].Parts) == 0 {
			t.Fatalf("Answer(%s) = score %d of %+v, %v, want one between 0 and 100 and its parts", words, found.Score, found.Matches, err)
		}
		for minimum, want := range map[int]scenario.Why{found.Score: found.Why, found.Score + 1: scenario.ByNothing} {
			bot.Settings.MinimumAccuracy = minimum
			got, err := scenario.Answer(t.Context(), bot, utterance(words), scenario.Entry{}, nil)
			if err != nil || got.Why != want || got.Score != found.Score {
				t.Errorf("Answer(%s, score %d) at a minimum of %d = %s with %d, %v, want %s", words, found.Score, minimum, got.Why, got.Score, err, want)
			}
		}
	}
}

func TestAnswer_buttons(t *testing.T) {
	button := func(trigger, id, words string, extra map[string]string) scenario.Question {
		q := utterance(words)
		q.Request.Flow.Trigger, q.Request.Block.ID, q.Request.Action.ClientExtra = trigger, id, extra
		return q
	}
	extra := map[string]string{"sku": "1"}
	tests := map[string]struct {
		q    scenario.Question
		want string
	}{
		"typed":                              {button("TEXT_INPUT", "fallback", "상담원", nil), "agent"},
		"a message button is words":          {button("CARD_BUTTON_MESSAGE", "fallback", "상담원", nil), "agent"},
		"…with extra, too":                   {button("QUICKREPLY_BUTTON_MESSAGE", "fallback", "상담원", extra), "agent"},
		"a block button leads to its block":  {button("CARD_BUTTON_BLOCK", "book", "상담원", nil), "book"},
		"…to the fallback, even":             {button("LIST_ITEM_BLOCK", "fallback", "상담원", nil), "fallback"},
		"…and never to words":                {button("QUICKREPLY_BUTTON_BLOCK", "gone", "상담원", nil), "fallback"},
		"no trigger, extra, its block":       {button("", "book", "상담원", extra), "book"},
		"no trigger, extra, a block unknown": {button("", "gone", "상담원", extra), "fallback"},
		"no trigger, extra, not understood":  {button("", "fallback", "상담원", extra), "agent"},
		"no trigger, no extra":               {button("", "gone", "상담원", nil), "agent"},
	}
	bot := desk()
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := scenario.Answer(t.Context(), bot, tt.q, scenario.Entry{}, nil)
			if err != nil || got.BlockID != tt.want {
				t.Errorf("Answer = block %q by %s, %v, want %q", got.BlockID, got.Why, err, tt.want)
			}
			if gone := tt.q.Request.Block.ID == "gone" && tt.want == "fallback"; gone != (got.Why == scenario.ByUnknownBlock) {
				t.Errorf("Answer = by %s, want by %s where a button leads to no block, and only there", got.Why, scenario.ByUnknownBlock)
			}
		})
	}
}

// returns is a knowledge base whose items are hard to tell apart.
func returns(questions ...string) scenario.Bot {
	bot := scenario.Bot{ID: "b1", Settings: scenario.Settings{MinimumAccuracy: 1, ChooseWithin: 100}, Content: scenario.Content{
		Blocks: []scenario.Block{{ID: "fallback", Name: "폴백 블록", Kind: scenario.Fallback, Answer: says("다시 말씀해 주세요.")}},
	}}
	for _, question := range questions {
		bot.Knowledge = append(bot.Knowledge, knowledge.Item{Question: question, Answer: question + "에 답합니다."})
	}
	return bot
}

// Answers that are too close are offered, and each quick reply leads to its own.
func TestAnswer_choice(t *testing.T) {
	bot := returns("온라인에서 산 책의 반품 기한은 며칠인가요", "온라인에서 산 책의 반품 배송비는 얼마인가요", "반품 접수는 어디서 하나요", "주차장이 있나요")
	bot.Blocks = append(bot.Blocks, scenario.Block{ID: "back", Name: "반품 신청", Kind: scenario.Normal, Says: []string{"반품 신청하고 싶어요"}, Answer: says("반품을 도와드릴게요.")})
	asked, err := scenario.Answer(t.Context(), bot, utterance("반품"), scenario.Entry{}, nil)
	if err != nil || asked.Why != scenario.ByChoice || asked.BlockID != "" || asked.Item != "" {
		t.Fatalf("Answer(반품) = %s by block %q, item %q, %v, want a choice; candidates %+v", asked.Why, asked.BlockID, asked.Item, err, asked.Matches)
	}
	if text := asked.Response.Template.Outputs[0].SimpleText.Text; !strings.HasPrefix(text, scenario.ChooseText) {
		t.Errorf("the choice asks %q, want %q", text, scenario.ChooseText)
	}
	replies := asked.Response.Template.QuickReplies
	if len(replies) < 3 || len(replies) > 5 {
		t.Fatalf("the choice has %d quick replies, want 3 to 5; candidates %+v", len(replies), asked.Matches)
	}
	seen, labels := map[string]bool{}, map[string]bool{}
	for _, reply := range replies {
		if n := len(utf16.Encode([]rune(reply.Label))); n > 14 || labels[reply.Label] {
			t.Errorf("label %q has %d units and is there twice: %v, want at most 14, once", reply.Label, n, labels[reply.Label])
		}
		q := utterance(reply.MessageText)
		q.Request.Flow.Trigger = "QUICKREPLY_BUTTON_MESSAGE"
		led, err := scenario.Answer(t.Context(), bot, q, scenario.Entry{}, nil)
		if err != nil || led.BlockID == "" && led.Item != reply.MessageText || led.BlockID != "" && led.BlockID != "back" {
			t.Errorf("quick reply %q leads to block %q, item %q, %v", reply.MessageText, led.BlockID, led.Item, err)
		}
		seen[led.BlockID+led.Item] = true
		labels[reply.Label] = true
	}
	if len(seen) != len(replies) || !seen["back"] {
		t.Errorf("the quick replies lead to %v, want %d answers, the block's too", seen, len(replies))
	}
}

func TestAnswer_noChoice(t *testing.T) {
	near := []string{"반품 기한은 며칠인가요", "반품 배송비는 얼마인가요"}
	tests := map[string]struct {
		change func(*scenario.Bot)
		why    scenario.Why
	}{
		"too close":            {func(*scenario.Bot) {}, scenario.ByChoice},
		"never":                {func(b *scenario.Bot) { b.Settings.ChooseWithin = 0 }, scenario.ByKnowledge},
		"none is good enough":  {func(b *scenario.Bot) { b.Settings.MinimumAccuracy = 100 }, scenario.ByNothing},
		"both answer the same": {func(b *scenario.Bot) { b.Knowledge[1].Answer = b.Knowledge[0].Answer }, scenario.ByKnowledge},
		"one has a picture, too": {func(b *scenario.Bot) {
			b.Knowledge[1].Answer, b.Knowledge[1].ImageURL = b.Knowledge[0].Answer, "https://img.example/1.png"
		}, scenario.ByChoice},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bot := returns(near...)
			tt.change(&bot)
			got, err := scenario.Answer(t.Context(), bot, utterance("반품"), scenario.Entry{}, nil)
			if err != nil || got.Why != tt.why {
				t.Errorf("Answer(반품) = %s, %v, want %s; candidates %+v", got.Why, err, tt.why, got.Matches)
			}
		})
	}
}

func TestAnswer_ofAnItem(t *testing.T) {
	const image, more = "https://img.example/1.png", "https://shop.example/returns"
	long := strings.Repeat("가", 300)
	button := kakao.Buttons{List: []kakao.Button{{Action: "webLink", Label: "자세히 보기", WebLinkURL: more}}}
	tests := map[string]struct {
		item knowledge.Item
		want kakao.SkillResponse
	}{
		"text":            {knowledge.Item{Answer: "7일입니다. #{params.x}"}, kakao.Text("7일입니다. #{params.x}")},
		"a long text":     {knowledge.Item{Answer: strings.Repeat("가", 950)}, kakao.Text(strings.Repeat("가", 950))},
		"where more is":   {knowledge.Item{Answer: "7일입니다.", LandingURL: more}, kakao.Respond(kakao.Output{TextCard: &kakao.TextCard{Description: "7일입니다.", Buttons: button}})},
		"a picture":       {knowledge.Item{Answer: "7일입니다.", ImageURL: image}, kakao.Respond(kakao.Output{BasicCard: &kakao.BasicCard{Description: "7일입니다.", Thumbnail: &kakao.Thumbnail{ImageURL: image, AltText: "반품"}}})},
		"both":            {knowledge.Item{Answer: "7일입니다.", ImageURL: image, LandingURL: more}, kakao.Respond(kakao.Output{BasicCard: &kakao.BasicCard{Description: "7일입니다.", Thumbnail: &kakao.Thumbnail{ImageURL: image, AltText: "반품"}, Buttons: button}})},
		"both, long":      {knowledge.Item{Answer: long, ImageURL: image, LandingURL: more}, kakao.Respond(kakao.Output{SimpleText: &kakao.SimpleText{Text: long}}, kakao.Output{BasicCard: &kakao.BasicCard{Thumbnail: &kakao.Thumbnail{ImageURL: image, AltText: "반품"}, Buttons: button}})},
		"more, very long": {knowledge.Item{Answer: long + long, LandingURL: more}, kakao.Respond(kakao.Output{SimpleText: &kakao.SimpleText{Text: long + long}}, kakao.Output{TextCard: &kakao.TextCard{Title: "더 알아보기", Buttons: button}})},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.item.Question = "반품"
			got, err := scenario.Answer(t.Context(), scenario.Bot{Content: scenario.Content{Knowledge: []knowledge.Item{tt.item}}}, utterance("반품"), scenario.Entry{}, nil)
			if err != nil || len(got.Problems) > 0 || got.Item != "반품" {
				t.Fatalf("Answer = %+v, %v, want the item's answer", got, err)
			}
			wantJSON(t, got.Response, tt.want)
		})
	}
}

// Where the bot has no answer, that of Kakao's own knowledge base is better than none.
func TestAnswer_kakaoKnowledge(t *testing.T) {
	q := utterance("우주선은 어디서 타나요")
	q.Request.Intent.Knowledge = []kakao.Knowledge{
		{Question: "긴 것", Answer: strings.Repeat("가", 5000)}, {Question: "빈 것"},
		{Question: "우주선 타는 곳", Answer: "옥상입니다.", LandingURL: "https://hanbit.example/roof"},
	}
	got, err := scenario.Answer(t.Context(), desk(), q, scenario.Entry{}, nil)
	if err != nil || got.Why != scenario.ByTheirs || got.BlockID != "" || got.Item != "우주선 타는 곳" || len(got.Problems) > 0 || got.State.Fallbacks != 0 {
		t.Fatalf("Answer = %+v, %v, want Kakao's item", got, err)
	}
	if card := got.Response.Template.Outputs[0].TextCard; card == nil || card.Description != "옥상입니다." || len(card.Buttons.List) != 1 {
		t.Errorf("Answer = %+v, want the answer with its link", got.Response.Template.Outputs)
	}
	shop := bookshop()
	shop.Blocks[0].Answer = says("어서 오세요.")
	if got, err := scenario.Answer(t.Context(), shop, q, scenario.Entry{First: true}, nil); err != nil || got.Why != scenario.ByTheirs || len(got.Response.Template.Outputs) != 2 {
		t.Errorf("Answer of a first question = %+v, %v, want the welcome and Kakao's item below it", got, err)
	}
	q.Request.Utterance = "주차장이 있나요"
	if got, err := scenario.Answer(t.Context(), desk(), q, scenario.Entry{}, nil); err != nil || got.Why != scenario.ByKnowledge {
		t.Errorf("Answer of what the bot knows = %+v, %v, want its own item", got, err)
	}
}
