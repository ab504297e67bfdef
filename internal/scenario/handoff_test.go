package scenario_test

import (
	"testing"

	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/scenario"
)

var (
	operator    = kakao.Button{Action: "operator", Label: "상담직원 연결"}
	more        = kakao.Button{Action: "webLink", Label: "더 보기", WebLinkURL: "https://shop.example"}
	longer      = kakao.Button{Action: "webLink", Label: "아홉 글자 넘는 이름", WebLinkURL: "https://shop.example"}
	personal    = kakao.Output{TextCard: &kakao.TextCard{Title: "상담이 필요하세요?", Buttons: kakao.Buttons{List: []kakao.Button{operator}}}}
	simple      = kakao.Output{SimpleText: &kakao.SimpleText{Text: "안녕하세요."}}
	picture     = &kakao.Thumbnail{ImageURL: "https://img.example/1.png"}
	squareImage = &kakao.Thumbnail{ImageURL: "https://img.example/1.png", FixedRatio: true}
)

func card(buttons ...kakao.Button) kakao.Output {
	return kakao.Output{TextCard: &kakao.TextCard{Title: "카드", Buttons: kakao.Buttons{List: buttons}}}
}

func square(buttons ...kakao.Button) kakao.Output {
	return kakao.Output{BasicCard: &kakao.BasicCard{Thumbnail: squareImage, Buttons: kakao.Buttons{List: buttons}}}
}

func TestHandoff_placesTheButton(t *testing.T) {
	carousel := kakao.Output{Carousel: &kakao.Carousel{Type: "basicCard", Items: []kakao.Card{&kakao.BasicCard{Thumbnail: picture, Buttons: kakao.Buttons{List: []kakao.Button{operator}}}}}}
	tests := map[string]struct {
		outputs, want []kakao.Output
		spot          scenario.Spot
	}{
		"text":                          {[]kakao.Output{simple}, []kakao.Output{simple, personal}, scenario.AtNormal},
		"a card with room":              {[]kakao.Output{card(more)}, []kakao.Output{card(more, operator)}, scenario.AtNormal},
		"a card without buttons":        {[]kakao.Output{card()}, []kakao.Output{card(operator)}, scenario.AtNormal},
		"a full card":                   {[]kakao.Output{card(more, more, more)}, []kakao.Output{card(more, more, more), personal}, scenario.AtNormal},
		"the last card with room":       {[]kakao.Output{card(more), card(more), simple}, []kakao.Output{card(more), card(more, operator), simple}, scenario.AtNormal},
		"the last is full":              {[]kakao.Output{card(more), card(more, more, more)}, []kakao.Output{card(more, operator), card(more, more, more)}, scenario.AtNormal},
		"side by side":                  {[]kakao.Output{square(more)}, []kakao.Output{square(more, operator)}, scenario.AtNormal},
		"side by side, too long":        {[]kakao.Output{square(longer)}, []kakao.Output{square(longer), personal}, scenario.AtNormal},
		"side by side, full":            {[]kakao.Output{square(more, more)}, []kakao.Output{square(more, more), personal}, scenario.AtNormal},
		"it has one":                    {[]kakao.Output{card(operator), simple}, []kakao.Output{card(operator), simple}, scenario.AtNormal},
		"it has one, in a carousel":     {[]kakao.Output{carousel}, []kakao.Output{carousel}, scenario.AtNormal},
		"three bubbles without a card":  {[]kakao.Output{simple, simple, simple}, []kakao.Output{simple, simple, simple}, ""},
		"three bubbles and a full card": {[]kakao.Output{simple, simple, card(more, more, more)}, []kakao.Output{simple, simple, card(more, more, more)}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bot := scenario.Bot{Content: scenario.Content{Blocks: []scenario.Block{
				{ID: "b", Name: "도움", Kind: scenario.Normal, Handoff: true, Answer: &kakao.Template{Outputs: tt.outputs}},
			}}}
			for range 2 { // the second finds the bot's answer as it was
				reply, err := scenario.Answer(t.Context(), bot, utterance("도움"), scenario.Entry{}, nil)
				if err != nil || len(reply.Problems) > 0 || reply.Handoff != tt.spot {
					t.Fatalf("Answer offers at %q, %v, %v, want %q", reply.Handoff, err, reply.Problems, tt.spot)
				}
				wantJSON(t, reply.Response, kakao.Respond(tt.want...))
			}
		})
	}
}

func TestHandoff_spots(t *testing.T) {
	bot := desk()
	for i, block := range bot.Blocks {
		bot.Blocks[i].Handoff = block.Kind != scenario.Exit && block.ID != "book"
	}
	bot.Blocks = append(bot.Blocks, scenario.Block{ID: "down", Name: "재고", Kind: scenario.Normal, Handoff: true, Webhook: &scenario.Webhook{Server: "gone"}})
	for _, tt := range []struct {
		words string
		entry scenario.Entry
		want  scenario.Spot
	}{
		{"안녕", scenario.Entry{First: true}, scenario.AtWelcome},
		{"우주선은 어디서 타나요", scenario.Entry{}, scenario.AtFallback},
		{"상담원", scenario.Entry{}, scenario.AtNormal},
		{"예약", scenario.Entry{}, ""},
		{"주차장이 있나요", scenario.Entry{}, ""},
		{"재고", scenario.Entry{}, scenario.AtNormal}, // a server that is down is when a person is needed
	} {
		reply, err := scenario.Answer(t.Context(), bot, utterance(tt.words), tt.entry, nil)
		if err != nil || reply.Handoff != tt.want || len(kakao.Lint(reply.Response)) > 0 {
			t.Errorf("Answer(%s, %+v) by %q offers at %q, %v, want %q", tt.words, tt.entry, reply.BlockID, reply.Handoff, err, tt.want)
		}
	}
}

func TestHandoff_afterFallbacks(t *testing.T) {
	const gibberish = "우주선은 어디서 타나요"
	bot := desk()
	bot.Settings.HandoffAfter = 3
	c := newTalk(t, bot)
	expect := func(words string, want scenario.Spot, fallbacks int) {
		t.Helper()
		c.ask(utterance(words))
		if c.last.Handoff != want || c.state.Fallbacks != fallbacks {
			t.Errorf("%q offers at %q with %d fallbacks, want %q with %d", words, c.last.Handoff, c.state.Fallbacks, want, fallbacks)
		}
	}
	expect(gibberish, "", 1)
	expect(gibberish, "", 2)
	expect("주차장이 있나요", "", 0) // another answer begins anew
	expect(gibberish, "", 1)
	expect(gibberish, "", 2)
	expect(gibberish, scenario.AfterFallbacks, 3)
	expect(gibberish, scenario.AfterFallbacks, 3)
	expect("예약", "", 0)

	c.bot.Settings.HandoffAfter = 1
	expect(gibberish, scenario.AfterFallbacks, 1)
	c.bot.Settings.HandoffAfter = 0
	expect(gibberish, "", 0)

	c.bot.Settings.HandoffAfter = 1
	c.bot.Blocks = nil // without any fallback block, too
	expect(gibberish, scenario.AfterFallbacks, 1)
	c.bot = desk()
	c.bot.Settings.HandoffAfter, c.bot.Blocks[1].Handoff = 1, true // it offers by itself
	expect(gibberish, scenario.AtFallback, 1)
}
