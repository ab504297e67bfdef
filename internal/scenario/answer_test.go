package scenario_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/knowledge"
	"github.com/malgil/malgil/internal/scenario"
)

func says(text string) *kakao.Template { return kakao.Text(text).Template }

// bookshop is a bot with a block of every kind, and one whose answer Kakao would not show.
func bookshop() scenario.Bot {
	welcome := says("어서 오세요. 한빛서점입니다.")
	welcome.Outputs = append(welcome.Outputs, kakao.Output{TextCard: &kakao.TextCard{
		Title:   "상담이 필요하세요?",
		Buttons: kakao.Buttons{List: []kakao.Button{{Action: "operator", Label: "상담직원 연결"}}},
	}})
	hours := says("매일 10시부터 21시까지 열어요.")
	hours.QuickReplies = []kakao.QuickReply{{Label: "배송 조회", Action: "block", BlockID: "delivery"}}
	return scenario.Bot{ID: "b1", Name: "한빛서점 도우미", Content: scenario.Content{Blocks: []scenario.Block{
		{ID: "welcome", Name: "웰컴 블록", Kind: scenario.Welcome, Answer: welcome},
		{ID: "fallback", Name: "폴백 블록", Kind: scenario.Fallback, Answer: says("다시 말씀해 주세요.")},
		{ID: "hours", Name: "영업시간", Kind: scenario.Normal, Answer: hours},
		{ID: "delivery", Name: "배송 조회", Kind: scenario.Normal, Answer: says("출발했어요."), Delay: 2 * time.Second, Callback: true},
		{ID: "broken", Name: "고장", Kind: scenario.Normal, Answer: says(strings.Repeat("가", 3000))},
		{ID: "nothing", Name: "", Kind: scenario.Normal},
	}}}
}

func utterance(words string) scenario.Question {
	return scenario.Question{Request: kakao.SkillRequest{Utterance: words}}
}

func TestAnswer_choosesTheBlock(t *testing.T) {
	said := func(words string) scenario.Question { return utterance(words) }
	by := func(id, name, words string) scenario.Question {
		return scenario.Question{Request: kakao.SkillRequest{Block: kakao.Named{ID: id, Name: name}, Utterance: words}}
	}
	at := func(block string, q scenario.Question) scenario.Question {
		q.Block = block
		return q
	}
	tests := map[string]struct {
		question scenario.Question
		entry    scenario.Entry
		want     string
	}{
		"the words of a block":               {said("영업시간"), scenario.Entry{}, "hours"},
		"with space around":                  {said("  영업시간\n"), scenario.Entry{}, "hours"},
		"in pieces, as some phones send":     {said("\u110b\u1167\u11bc\u110b\u1165\u11b8\u1109\u1175\u1100\u1161\u11ab"), scenario.Entry{}, "hours"},
		"part of the words only":             {said("영업시간 알려줘"), scenario.Entry{}, "fallback"},
		"gibberish":                          {said("ㅁㄴㅇㄹ"), scenario.Entry{}, "fallback"},
		"nothing said":                       {said(""), scenario.Entry{}, "fallback"},
		"the name of the fallback said":      {said("폴백 블록"), scenario.Entry{}, "fallback"},
		"the name of the welcome said":       {said("웰컴 블록"), scenario.Entry{}, "fallback"},
		"first entry":                        {said("ㅁㄴㅇㄹ"), scenario.Entry{First: true}, "welcome"},
		"Kakao's block by id":                {by("hours", "", "x"), scenario.Entry{}, "hours"},
		"Kakao's block by name":              {by("66a1f3a9d4b7e83f5a9c1d44", "영업시간", "x"), scenario.Entry{}, "hours"},
		"Kakao's block before the welcome":   {by("hours", "", "x"), scenario.Entry{First: true}, "hours"},
		"Kakao's block is the welcome":       {by("", "웰컴 블록", "x"), scenario.Entry{}, "welcome"},
		"Kakao's fallback leaves it to us":   {by("fallback", "폴백 블록", "영업시간"), scenario.Entry{}, "hours"},
		"Kakao's fallback, and ours too":     {by("fallback", "폴백 블록", "ㅁㄴㅇㄹ"), scenario.Entry{}, "fallback"},
		"Kakao's fallback on a first entry":  {by("fallback", "폴백 블록", "안녕"), scenario.Entry{First: true}, "welcome"},
		"a block of Kakao's that we lack":    {by("x", "모르는 블록", "영업시간"), scenario.Entry{}, "hours"},
		"the URL's block by id":              {at("hours", by("delivery", "", "영업시간")), scenario.Entry{}, "hours"},
		"the URL's block by name":            {at("영업시간", said("x")), scenario.Entry{}, "hours"},
		"the URL's block before the welcome": {at("hours", said("x")), scenario.Entry{First: true}, "hours"},
		"the URL's block may be a fallback":  {at("fallback", said("영업시간")), scenario.Entry{}, "fallback"},
		"a URL's block that we lack":         {at("gone", said("영업시간")), scenario.Entry{}, "hours"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			reply, err := scenario.Answer(t.Context(), bookshop(), tt.question, tt.entry, nil)
			if err != nil || reply.BlockID != tt.want {
				t.Errorf("Answer(%+v, %+v) = block %q, %v, want %q", tt.question, tt.entry, reply.BlockID, err, tt.want)
			}
			if problems := kakao.Lint(reply.Response); len(problems) > 0 {
				t.Errorf("Answer(%+v, %+v) is not valid: %v", tt.question, tt.entry, problems)
			}
		})
	}
}

// Whoever comes with a question is welcomed and answered at once, where the answer is ready and both fit; else he is
// welcomed.
func TestAnswer_welcomesWithTheAnswer(t *testing.T) {
	const greeting, offer, open = "어서 오세요. 한빛서점입니다.", "상담이 필요하세요?", "매일 10시부터 21시까지 열어요."
	bot := bookshop()
	two := says("강남점")
	two.Outputs = append(two.Outputs, says("종로점").Outputs...)
	bot.Blocks = append(bot.Blocks,
		scenario.Block{ID: "branches", Name: "지점", Kind: scenario.Normal, Answer: two},
		scenario.Block{ID: "book", Name: "예약", Kind: scenario.Normal, Answer: says("예약되었어요."), Asks: []scenario.Ask{{Param: "day", Ask: "언제 오세요?"}}},
		scenario.Block{ID: "stock", Name: "재고", Kind: scenario.Normal, Webhook: &scenario.Webhook{Server: "erp"}})
	bot.Knowledge = []knowledge.Item{{Question: "주차장이 있나요?", Answer: "지하 1층에 있습니다."}}
	for words, want := range map[string]struct {
		outputs     []string
		block, item string
		why         scenario.Why
		replies     int
	}{
		"영업시간":    {[]string{greeting, offer, open}, "hours", "", scenario.ByWords, 1},
		"주차장 있나요": {[]string{greeting, offer, "지하 1층에 있습니다."}, "", "주차장이 있나요?", scenario.ByKnowledge, 0},
		"지점":      {[]string{greeting, offer}, "welcome", "", scenario.ByEntry, 0}, // four bubbles are too many
		"고장":      {[]string{greeting, offer}, "welcome", "", scenario.ByEntry, 0}, // cannot be shown
		"배송 조회":   {[]string{greeting, offer}, "welcome", "", scenario.ByEntry, 0}, // takes its time
		"예약":      {[]string{greeting, offer}, "welcome", "", scenario.ByEntry, 0}, // asks back
		"재고":      {[]string{greeting, offer}, "welcome", "", scenario.ByEntry, 0}, // is asked of a server
		"안녕하세요":   {[]string{greeting, offer}, "welcome", "", scenario.ByEntry, 0},
		"":        {[]string{greeting, offer}, "welcome", "", scenario.ByEntry, 0},
	} {
		reply, err := scenario.Answer(t.Context(), bot, utterance(words), scenario.Entry{First: true}, nil)
		if err != nil || len(reply.Problems) > 0 || len(kakao.Lint(reply.Response)) > 0 {
			t.Errorf("Answer(%q) = %v, %v, want neither problem nor error", words, reply.Problems, err)
		}
		var outputs []string
		for _, o := range reply.Response.Template.Outputs {
			switch {
			case o.SimpleText != nil:
				outputs = append(outputs, o.SimpleText.Text)
			case o.TextCard != nil:
				outputs = append(outputs, o.TextCard.Title)
			}
		}
		if diff := cmp.Diff(want.outputs, outputs); diff != "" {
			t.Errorf("Answer(%q) shows (-want +got):\n%s", words, diff)
		}
		if reply.BlockID != want.block || reply.Item != want.item || reply.Why != want.why || reply.Handoff != scenario.AtWelcome || len(reply.Response.Template.QuickReplies) != want.replies {
			t.Errorf("Answer(%q) = block %q, item %q, why %q, handoff %q, %d quick replies, want %+v", words, reply.BlockID, reply.Item, reply.Why, reply.Handoff, len(reply.Response.Template.QuickReplies), want)
		}
	}
}

// A welcome that ends in a person is shown alone where he would not fit below the answer.
func TestAnswer_welcomesWithAPerson(t *testing.T) {
	bot := bookshop()
	two := says("어서 오세요.")
	two.Outputs = append(two.Outputs, says("무엇을 도와 드릴까요?").Outputs...)
	bot.Blocks[0].Answer, bot.Blocks[0].Handoff = two, true
	reply, err := scenario.Answer(t.Context(), bot, utterance("영업시간"), scenario.Entry{First: true}, nil)
	if err != nil || reply.BlockID != "welcome" || reply.Handoff != scenario.AtWelcome {
		t.Errorf("Answer = block %q with a person at %q, %v, want the welcome with one", reply.BlockID, reply.Handoff, err)
	}
}

func TestAnswer_keepsQuickReplies(t *testing.T) {
	reply, err := scenario.Answer(t.Context(), bookshop(), utterance("영업시간"), scenario.Entry{}, nil)
	if err != nil || len(reply.Response.Template.QuickReplies) != 1 {
		t.Errorf("Answer(영업시간) = %+v, %v, want its quick reply", reply.Response.Template, err)
	}
}

// What is said in a group room is answered as a room shows it, also where too many bubbles are left for a fallback.
func TestAnswer_inARoom(t *testing.T) {
	room := utterance("영업시간")
	room.Request.Chat.ID = "g1"
	reply, err := scenario.Answer(t.Context(), bookshop(), room, scenario.Entry{}, nil)
	if err != nil || len(reply.Problems) > 0 {
		t.Fatalf("Answer(영업시간) = %v, %v, want neither problem nor error", reply.Problems, err)
	}
	outputs := reply.Response.Template.Outputs
	if len(outputs) != 2 || outputs[1].TextCard == nil || len(outputs[1].TextCard.List) != 1 || outputs[1].TextCard.List[0].BlockID != "delivery" {
		t.Errorf("Answer(영업시간) = %+v, want its quick reply as a button", outputs)
	}
	if got := kakao.LintRoom(reply.Response); len(got) > 0 {
		t.Errorf("LintRoom = %v, want no problem", got)
	}
}

func TestAnswer_withoutAnyBlock(t *testing.T) {
	reply, err := scenario.Answer(t.Context(), scenario.Bot{ID: "b1"}, utterance("안녕"), scenario.Entry{First: true}, nil)
	if err != nil || reply.BlockID != "" || reply.Response.Template.Outputs[0].SimpleText.Text != scenario.NotUnderstoodText {
		t.Errorf("Answer(empty bot) = %+v, %v, want the text for what is not understood", reply, err)
	}
}

// An answer that Kakao would not show never leaves; a safe one does, and the fact is told.
func TestAnswer_neverLeavesInvalid(t *testing.T) {
	for _, words := range []string{"고장", "nothing"} {
		reply, err := scenario.Answer(t.Context(), bookshop(), scenario.Question{Block: words}, scenario.Entry{}, nil)
		if err != nil {
			t.Fatalf("Answer(%s) error = %v, want none", words, err)
		}
		if len(reply.Problems) == 0 || reply.BlockID == "" {
			t.Errorf("Answer(%s) = block %q with problems %v, want the block and its problems", words, reply.BlockID, reply.Problems)
		}
		if got := kakao.Lint(reply.Response); len(got) > 0 || reply.Response.Template.Outputs[0].SimpleText.Text != scenario.FailedText {
			t.Errorf("Answer(%s) = %+v, want the safe text", words, reply.Response)
		}
	}
}

func TestAnswer_delay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		reply, err := scenario.Answer(t.Context(), bookshop(), utterance("배송 조회"), scenario.Entry{}, nil)
		if took := time.Since(start); err != nil || reply.BlockID != "delivery" || took != 2*time.Second {
			t.Errorf("Answer(slow) = %q, %v after %v, want delivery after 2s", reply.BlockID, err, took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start = time.Now()
		_, err = scenario.Answer(ctx, bookshop(), utterance("배송 조회"), scenario.Entry{}, nil)
		if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took != time.Second {
			t.Errorf("Answer(slow, 1s) = %v after %v, want the deadline after 1s", err, took)
		}
	})
}

func TestFixedTexts_areValid(t *testing.T) {
	for _, text := range []string{scenario.NotUnderstoodText, scenario.FailedText, scenario.LateText} {
		if problems := kakao.Lint(kakao.Text(text)); len(problems) > 0 {
			t.Errorf("Lint(%s) = %v, want no problem", text, problems)
		}
	}
	if problems := kakao.Lint(kakao.Waiting(scenario.WaitingText)); len(problems) > 0 {
		t.Errorf("Lint(waiting) = %v, want no problem", problems)
	}
}

// wantJSON compares answers as Kakao reads them.
func wantJSON(t *testing.T, got, want kakao.SkillResponse) {
	t.Helper()
	text := func(r kakao.SkillResponse) string {
		body, err := r.JSON()
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	if diff := cmp.Diff(text(want), text(got)); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
}
