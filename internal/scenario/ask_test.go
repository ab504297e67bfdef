package scenario_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/scenario"
)

// now is a Tuesday in Korea.
var now = time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)

// party is a bot that books a table.
func party() scenario.Bot {
	return scenario.Bot{ID: "b1", Settings: scenario.DefaultSettings, Content: scenario.Content{Blocks: []scenario.Block{
		{ID: "fallback", Name: "폴백 블록", Kind: scenario.Fallback, Answer: says("다시 말씀해 주세요.")},
		{ID: "exit", Name: "탈출 블록", Kind: scenario.Exit, Says: []string{"안 할래"}},
		{ID: "hours", Name: "영업시간", Kind: scenario.Normal, Answer: says("10시부터입니다.")},
		{ID: "book", Name: "예약", Kind: scenario.Normal, Answer: says("#{params.day} #{params.people}명, #{params.seat} 자리로 예약했어요."), Asks: []scenario.Ask{
			{Param: "day", Ask: "언제 오세요?", Is: scenario.IsDate, Again: "날짜로 말씀해 주세요."},
			{Param: "people", Ask: "#{params.day}, 몇 분이세요?", Is: scenario.IsNumber, Tries: 2},
			{Param: "seat", Ask: "어디에 앉으시겠어요?", Is: scenario.IsChoice, Choices: []string{"창가", "안쪽", "취소"}},
		}},
	}}}
}

// talk is a conversation of one user.
type talk struct {
	t     *testing.T
	bot   scenario.Bot
	state scenario.State
	at    time.Time
	last  scenario.Reply
}

// ask puts a question and returns the first text of the answer.
func (c *talk) ask(q scenario.Question) string {
	c.t.Helper()
	q.At = c.at
	var err error
	if c.last, err = scenario.Answer(c.t.Context(), c.bot, q, scenario.Entry{State: c.state}, nil); err != nil {
		c.t.Fatal(err)
	}
	c.state = c.last.State
	c.at = c.at.Add(time.Minute)
	return c.last.Response.Template.Outputs[0].SimpleText.Text
}

func (c *talk) says(words, want string) {
	c.t.Helper()
	if got := c.ask(utterance(words)); got != want {
		c.t.Errorf("%q is answered %q by %s, want %q", words, got, c.last.Why, want)
	}
}

func newTalk(t *testing.T, bot scenario.Bot) *talk { return &talk{t: t, bot: bot, at: now} }

func TestAsk(t *testing.T) {
	const day, people, seat = "언제 오세요?", "2026-11-26, 몇 분이세요?", "어디에 앉으시겠어요?"
	t.Run("one after the other", func(t *testing.T) {
		c := newTalk(t, party())
		c.says("예약", day)
		if c.last.BlockID != "book" || c.state.Asking == nil {
			t.Errorf("asking by block %q with state %+v, want book and what is asked", c.last.BlockID, c.state)
		}
		c.says("모레요", people)
		c.says("세 명이요", seat)
		want := []kakao.QuickReply{{Label: "창가", Action: "message", MessageText: "창가"}, {Label: "안쪽", Action: "message", MessageText: "안쪽"}, {Label: "취소", Action: "message", MessageText: "취소"}}
		if diff := cmp.Diff(want, c.last.Response.Template.QuickReplies); diff != "" {
			t.Errorf("quick replies (-want +got):\n%s", diff)
		}
		c.says("창가", "2026-11-26 3명, 창가 자리로 예약했어요.")
		if c.state.Asking != nil || c.last.BlockID != "book" {
			t.Errorf("answered by %q with state %+v, want book and nothing asked", c.last.BlockID, c.state)
		}
		c.says("창가", "다시 말씀해 주세요.")
	})
	t.Run("wrong answers", func(t *testing.T) {
		c := newTalk(t, party())
		c.says("예약", day)
		c.says("글쎄요", "날짜로 말씀해 주세요.")
		c.says("예약", "날짜로 말씀해 주세요.") // its own words are no answer either
		c.says("모르겠어요", scenario.ExitText)
		if c.last.BlockID != "exit" || c.last.Why != scenario.ByExit || c.state.Asking != nil {
			t.Errorf("after the tries: block %q by %s with state %+v, want the exit block", c.last.BlockID, c.last.Why, c.state)
		}
		if c.last.Handoff != scenario.AfterFallbacks {
			t.Errorf("a question that is given up offers a person %q, want %q", c.last.Handoff, scenario.AfterFallbacks)
		}
		c.says("영업시간", "10시부터입니다.")
	})
	t.Run("tries of its own, and no other words to ask again", func(t *testing.T) {
		c := newTalk(t, party())
		c.says("예약", day)
		c.says("모레", people)
		c.says("많이요", people)
		c.says("아주 많이요", scenario.ExitText)
	})
	for _, words := range []string{"취소", "그만", "처음으로", "안할래!", "탈출 블록", "그만할래요", "아니 그만둘게요", "취소해 주세요", "예약 취소할게요", "안 할래요", "필요없어요", "아 됐어요", "나중에 할게요"} {
		t.Run("left by "+words, func(t *testing.T) {
			c := newTalk(t, party())
			c.says("예약", day)
			c.says(words, scenario.ExitText)
			c.says("모레", "다시 말씀해 주세요.")
		})
	}
	t.Run("a choice that is an exit's word", func(t *testing.T) {
		c := newTalk(t, party())
		c.says("예약", day)
		c.says("모레", people)
		c.says("3", seat)
		c.says("취소", "2026-11-26 3명, 취소 자리로 예약했어요.")
		c.says("예약", day)
		c.says("모레", people)
		c.says("3", seat)
		c.says("취소할게요", "2026-11-26 3명, 취소 자리로 예약했어요.")
	})
	t.Run("words that decline, where they are an answer", func(t *testing.T) {
		c := newTalk(t, party())
		c.bot.Blocks[3].Asks = []scenario.Ask{{Param: "day", Ask: "바라시는 것이 있나요?"}}
		c.says("예약", "바라시는 것이 있나요?")
		if c.ask(utterance("필요없어요")); c.last.Why != scenario.ByAsk {
			t.Errorf("필요없어요 is answered by %s, want it taken for the answer", c.last.Why)
		}
	})
	t.Run("too late", func(t *testing.T) {
		c := newTalk(t, party())
		c.says("예약", day)
		c.at = c.state.Asking.Until
		c.says("모레", "다시 말씀해 주세요.")
		if c.state.Asking != nil {
			t.Error("what was asked long ago is kept still")
		}
	})
	t.Run("just in time", func(t *testing.T) {
		c := newTalk(t, party())
		c.says("예약", day)
		c.at = c.state.Asking.Until.Add(-time.Millisecond)
		c.says("모레", people)
	})
	t.Run("the bot has changed", func(t *testing.T) {
		for _, change := range []func(*scenario.Bot){
			func(b *scenario.Bot) { b.Blocks = b.Blocks[:3] },
			func(b *scenario.Bot) { b.Blocks[3].Asks = b.Blocks[3].Asks[1:] },
		} {
			c := newTalk(t, party())
			c.says("예약", day)
			change(&c.bot)
			c.says("모레", "다시 말씀해 주세요.")
		}
	})
	t.Run("a button ends it", func(t *testing.T) {
		c := newTalk(t, party())
		c.says("예약", day)
		q := utterance("모레")
		q.Request.Block.ID, q.Request.Flow.Trigger = "hours", "QUICKREPLY_BUTTON_BLOCK"
		if got := c.ask(q); got != "10시부터입니다." || c.state.Asking != nil {
			t.Errorf("a block button is answered %q with state %+v, want the block and nothing asked", got, c.state)
		}
	})
	t.Run("given up where nobody is to be offered", func(t *testing.T) {
		c := newTalk(t, party())
		c.bot.Settings.HandoffAfter = 0
		for _, words := range []string{"예약", "글쎄요", "글쎄요", "글쎄요"} {
			c.ask(utterance(words))
		}
		if c.last.Why != scenario.ByExit || c.last.Handoff != "" {
			t.Errorf("it ends by %s and offers a person %q, want the exit and nobody", c.last.Why, c.last.Handoff)
		}
	})
	t.Run("Kakao knows a block for words that do not fit", func(t *testing.T) {
		c := newTalk(t, party())
		c.says("예약", day)
		q := utterance("몇 시에 여세요")
		q.Request.Block = kakao.Named{ID: "hours", Name: "영업시간"}
		if got := c.ask(q); got != "10시부터입니다." || c.state.Asking != nil {
			t.Errorf("it is answered %q with state %+v, want Kakao's block", got, c.state)
		}
	})
	t.Run("Kakao knows a block for words that fit", func(t *testing.T) {
		c := newTalk(t, party())
		c.says("예약", day)
		q := utterance("모레")
		q.Request.Block = kakao.Named{ID: "hours", Name: "영업시간"}
		if got := c.ask(q); got != people {
			t.Errorf("it is answered %q, want the next question", got)
		}
	})
	t.Run("the fallback's own skill URL", func(t *testing.T) {
		c := newTalk(t, party())
		c.says("예약", day)
		q := utterance("모레")
		q.Block = "fallback"
		if got := c.ask(q); got != people {
			t.Errorf("it is answered %q, want the next question", got)
		}
	})
	t.Run("nobody to ask", func(t *testing.T) {
		reply, err := scenario.Answer(t.Context(), party(), utterance("예약"), scenario.Entry{Nobody: true}, nil)
		if err != nil || reply.BlockID != "fallback" || reply.Why != scenario.ByUnknownUser {
			t.Errorf("Answer(예약) = block %q by %s, %v, want the fallback for want of a user", reply.BlockID, reply.Why, err)
		}
	})
}

// A question that waits keeps nobody from what the bot knows: the words of a block always lead to it, and what
// does not fit is answered where the bot has an answer.
func TestAsk_leadsElsewhere(t *testing.T) {
	const name, day, choice = "name", "day", "choice"
	bot := desk()
	bot.Blocks[4].Asks = []scenario.Ask{
		{Param: day, Ask: "언제 오세요?", Is: scenario.IsDate},
		{Param: choice, Ask: "어디로 하시겠어요?", Is: scenario.IsChoice, Choices: []string{"창가", "상담원"}},
		{Param: name, Ask: "성함이 어떻게 되세요?"},
	}
	tests := map[string]struct {
		asked, words string
		block, item  string
		why          scenario.Why
	}{
		"a block's words":               {day, "상담원", "agent", "", scenario.ByWords},
		"…with a mark":                  {day, "상담원!", "agent", "", scenario.ByWords},
		"…where anything fits":          {name, "상담원", "agent", "", scenario.ByWords},
		"…that are one of the choices":  {choice, "상담원", "book", "", scenario.ByAsk},
		"…but not of these choices":     {choice, "상담 연결", "agent", "", scenario.ByWords},
		"like a block's words":          {day, "사람이랑 얘기하고 싶어요", "agent", "", scenario.ByLikeness},
		"a question of the knowledge":   {day, "주차장이 있나요?", "", "주차장이 있나요", scenario.ByKnowledge},
		"like one":                      {choice, "반품 기한 며칠이에요", "", "반품 기한은 며칠인가요", scenario.ByKnowledge},
		"like one, where anything fits": {name, "반품 기한 며칠이에요", "book", "", scenario.ByAsk},
		"its own words":                 {day, "모임 공간 예약하고 싶어요", "book", "", scenario.ByAsk},
		"like its own words":            {day, "모임 공간을 예약하고 싶어", "book", "", scenario.ByAsk},
		"what fits and is like its own": {day, "내일 모임 공간 예약하고 싶어요", "book", "", scenario.ByAsk},
		"like nothing":                  {day, "우주선은 어디서 타나요", "book", "", scenario.ByAsk},
	}
	for title, tt := range tests {
		t.Run(title, func(t *testing.T) {
			state := scenario.State{Asking: &scenario.Asking{BlockID: "book", Param: tt.asked, Tries: 1, Until: now.Add(time.Minute),
				Values: map[string]string{day: "2026-11-25", choice: "창가", name: "김하나"}}}
			delete(state.Asking.Values, tt.asked)
			q := utterance(tt.words)
			q.At = now
			got, err := scenario.Answer(t.Context(), bot, q, scenario.Entry{State: state}, nil)
			if err != nil || got.BlockID != tt.block || got.Item != tt.item || got.Why != tt.why {
				t.Fatalf("%q is answered by block %q, item %q by %s, %v, want %q, %q by %s; candidates %+v",
					tt.words, got.BlockID, got.Item, got.Why, err, tt.block, tt.item, tt.why, got.Matches)
			}
			if left := tt.why != scenario.ByAsk; left && got.State.Asking != nil {
				t.Errorf("%q leaves %+v waiting, want nothing", tt.words, got.State.Asking)
			}
		})
	}
}

func TestAsk_given(t *testing.T) {
	const all = "2026-11-26 3명, 창가 자리로 예약했어요."
	params := func(day, people, seat string) map[string]string {
		return map[string]string{"day": day, "people": people, "seat": seat}
	}
	tests := map[string]struct {
		action   kakao.Action
		contexts []string
		want     string
	}{
		"nothing":  {kakao.Action{}, nil, "언제 오세요?"},
		"all":      {kakao.Action{Params: params("2026-11-26", "3", "창가")}, nil, all},
		"entities": {kakao.Action{Params: params(`{"dateTag":"","date":"2026-11-26","calendar_type":"solar"}`, `{"amount":3,"unit":null}`, "창가")}, nil, all},
		"a value that does not fit, and its origin": {kakao.Action{Params: params("soon", "many", "window"), DetailParams: map[string]kakao.DetailParam{
			"day": {Origin: "모레"}, "people": {Origin: "세 명"}, "seat": {Origin: "창가 쪽"}}}, nil, all},
		"details alone": {kakao.Action{DetailParams: map[string]kakao.DetailParam{
			"day": {Value: "2026-11-26"}, "people": {Value: "3"}, "seat": {Value: "창가"}}}, nil, all},
		"a context":                      {kakao.Action{Params: params("2026-11-26", "", "")}, []string{`{"name":"last","lifespan":3,"params":{"people":"3","seat":{"value":"창가"}}}`}, all},
		"what does not fit is asked for": {kakao.Action{Params: params("2026-11-26", "3", "지붕")}, nil, "어디에 앉으시겠어요?"},
		"the first is asked for":         {kakao.Action{Params: params("", "3", "창가")}, nil, "언제 오세요?"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			q := utterance("예약")
			q.Request.Action = tt.action
			for _, context := range tt.contexts {
				q.Request.Contexts = append(q.Request.Contexts, []byte(context))
			}
			if got := newTalk(t, party()).ask(q); got != tt.want {
				t.Errorf("it is answered %q, want %q", got, tt.want)
			}
		})
	}
}

// What is given at first is kept over the questions for the rest.
func TestAsk_keepsWhatIsGiven(t *testing.T) {
	c := newTalk(t, party())
	q := utterance("예약")
	q.Request.Action.Params = map[string]string{"people": "4"}
	c.ask(q)
	c.says("모레", "어디에 앉으시겠어요?")
	c.says("안쪽으로 주세요", "2026-11-26 4명, 안쪽 자리로 예약했어요.")
}

func TestAsk_values(t *testing.T) {
	tests := map[string]struct {
		ask scenario.Ask
		// what is said, and the value; "" for what does not fit
		values map[string]string
	}{
		"text": {scenario.Ask{}, map[string]string{
			"  강남점 ": "강남점", "": "", " ": "", strings.Repeat("가", 300): strings.Repeat("가", 300), strings.Repeat("가", 301): "",
		}},
		"pattern": {scenario.Ask{Is: scenario.IsText, Pattern: "[A-Z]{2}-[0-9]+|없음"}, map[string]string{
			"HB-12": "HB-12", "없음": "없음", "x HB-12": "", "HB-12 x": "", "hb-12": "", "HB-12\n": "HB-12",
		}},
		"a pattern that is none": {scenario.Ask{Pattern: "["}, map[string]string{"[": ""}},
		"number": {scenario.Ask{Is: scenario.IsNumber}, map[string]string{
			"3": "3", "3명": "3", " 12 명이요": "12", "1,200원": "1200", "2.5": "2.5", "-5": "-5", "+5": "5", "３명": "3",
			"3만": "30000", "3만 5천원": "35000", "1.5억": "150000000", "2백만": "2000000",
			"하나": "1", "한 명": "1", "둘이요": "2", "두 명이에요": "2", "세명": "3", "스무 살": "20", "스물두 명": "22", "열두 개로": "12", "다섯": "5",
			"네": "", "네!": "", "네요": "", "네네": "", "한": "", "두": "", "세": "", "스무": "", "넷": "4", "네 명": "4", "네, 네 명이요": "4", "저희 네 명이요": "4", "네 분": "4", "다섯이서요": "5", "총 두 명": "2",
			"혼자요": "1", "저 혼자예요": "1", "혼자서 가요": "", "둘이서요": "2", "두 식구": "2", "삼 인분": "3", "이인": "2", "오명이요": "5",
			"십이명": "12", "이십오 명이요": "25", "십이": "12", "백 권": "100", "만 원": "10000", "천원이요": "1000", "삼만원": "30000", "삼만 오천 원": "35000", "백이십만원": "1200000",
			"두세 명": "", "서너 명": "", "이 분이요": "", "이번": "", "이사": "", "사장": "", "구분": "", "사람": "", "십": "10", "십이요": "", "천만에요": "",
			"2~3명": "", "2명이나 3명": "", "2-3": "", "많이": "", "한국": "", "두부": "", "": "", "5천 3만": "",
		}},
		"phone": {scenario.Ask{Is: scenario.IsPhone}, map[string]string{
			"010-1234-5678": "010-1234-5678", "01012345678": "010-1234-5678", "010 1234 5678이에요": "010-1234-5678", "+82 10-1234-5678": "010-1234-5678",
			"０１０１２３４５６７８": "010-1234-5678", "02-123-4567": "02-123-4567", "0212345678": "02-1234-5678", "031-123-4567": "031-123-4567", "070-1234-5678": "070-1234-5678",
			"1588-1234": "1588-1234", "0505-123-4567": "0505-123-4567",
			"1234": "", "010-1234": "", "010-1234-56789": "", "2명 010-1234-5678": "", "없어요": "", "099-1234-5678": "",
		}},
		"date": {scenario.Ask{Is: scenario.IsDate}, map[string]string{
			"오늘": "2026-11-24", "내일이요": "2026-11-25", "모레": "2026-11-26", "내일모레 갈게요": "2026-11-26", "글피": "2026-11-27", "어제": "2026-11-23", "낼": "2026-11-25",
			"3월 5일": "2027-03-05", "11월 24일": "2026-11-24", "11월 23일": "2027-11-23", "12월31일에요": "2026-12-31", "3/5": "2027-03-05", "12.25": "2026-12-25", "2월 29일": "2028-02-29",
			"2027년 3월 5일": "2027-03-05", "2027-03-05": "2027-03-05", "2027.3.5": "2027-03-05", "20270305": "2027-03-05", "27년 3월 5일": "2027-03-05", "90년 3월 5일": "1990-03-05",
			"24일": "2026-11-24", "5일": "2026-12-05", "31일": "2026-12-31",
			"화요일": "2026-11-24", "금요일이요": "2026-11-27", "월요일": "2026-11-30", "이번 주 일요일": "2026-11-29", "다음 주 월요일": "2026-11-30", "다다음주 화요일": "2026-12-08",
			"내일 모레": "2026-11-26", "낼 모레요": "2026-11-26", "낼모레": "2026-11-26", "내일 모래": "2026-11-26", "금일": "2026-11-24",
			"3일 뒤": "2026-11-27", "3일 후에요": "2026-11-27", "3일뒤에 갈게요": "2026-11-27", "3일 있다가": "2026-11-27", "3일 전": "2026-11-21", "3일 전에 샀어요": "2026-11-21", "사흘 뒤요": "2026-11-27", "열흘 후": "2026-12-04", "이틀 전이요": "2026-11-22",
			"일주일 뒤": "2026-12-01", "2주 뒤": "2026-12-08", "한 달 뒤에": "2026-12-24", "2개월 후": "2027-01-24", "2주 뒤 금요일": "2026-12-11", "1년 전": "2025-11-24", "삼일 뒤": "2026-11-27",
			"1박 2일로 내일부터": "2026-11-25", "내일부터 2박3일": "2026-11-25", "오늘부터 3일간이요": "2026-11-24", "오후 2-3시 내일": "2026-11-25", "내일 2~3시": "2026-11-25", "내일 2시-3시": "2026-11-25", "모레 2-3명": "2026-11-26", "3일 오후 2시": "2026-12-03",
			"지난주 금요일": "2026-11-20", "저번 주 월요일": "2026-11-16", "지난 금요일": "2026-11-20", "지난 화요일": "2026-11-17", "지지난주 금요일": "2026-11-13", "이번 금요일": "2026-11-27",
			"다음달 3일": "2026-12-03", "다음 달 28일": "2026-12-28", "이번달 28일": "2026-11-28", "이번 달 3일": "2026-11-03", "지난달 3일": "2026-10-03", "저번 달 30일에": "2026-10-30", "다다음달 1일": "2027-01-01", "다음달 31일": "2026-12-31", "지난달 32일": "",
			"내년 12월 5일": "2027-12-05", "작년 12월 5일": "2025-12-05", "올해 1월 2일": "2026-01-02", "26.12.1": "2026-12-01", "26/12/01": "2026-12-01", "26. 12. 1.": "2026-12-01", "26년12월1일": "2026-12-01", "크리스마스": "2026-12-25", "크리스마스 이브요": "2026-12-24",
			"금욜": "2026-11-27", "담주 금욜이요": "2026-12-04", "금요일 말고 토요일이요": "2026-11-28", "오늘 말고 내일": "2026-11-25", "내일부터 모레까지": "2026-11-25", "12월 24일부터 26일까지": "2026-12-24",
			"3일 전까지": "", "3일 동안": "", "3일치": "", "2박 3일": "", "2-3일": "", "2~3일": "", "2~3일 뒤": "", "한두 달 뒤": "", "2-3시": "", "5일 전화 주세요": "", "오늘은 안 되고 내일이요": "", "내일이나 모레": "", "금요일이나 토요일": "", "다음달": "", "다음주": "", "지난주에 샀어요": "", "다음달 금요일": "", "첫째 주 금요일": "", "다다음 금요일": "", "이번 주말": "", "낼게요": "", "제가 낼 거예요": "",
			"2월 30일": "", "13월 1일": "", "2027-02-30": "", "32일": "", "3명": "", "보낼게요": "", "언젠가": "", "": "",
		}},
		"a date behind": {scenario.Ask{Is: scenario.IsDate, Past: true}, map[string]string{
			"11월 20일에 샀어요": "2026-11-20", "11월 24일": "2026-11-24", "11월 25일": "2025-11-25", "3/5": "2026-03-05", "2월 29일": "2024-02-29", "20일": "2026-11-20", "24일이요": "2026-11-24", "25일": "2026-10-25", "31일": "2026-10-31",
			"화요일": "2026-11-24", "금요일": "2026-11-20", "월요일이요": "2026-11-23", "지난주 금요일": "2026-11-20", "지난 화요일": "2026-11-17", "이번 주 금요일": "2026-11-27", "크리스마스": "2025-12-25",
			"어제": "2026-11-23", "사흘 전": "2026-11-21", "지난달 3일": "2026-10-03", "2025-03-05": "2025-03-05", "모르겠어요": "",
		}},
		"choice": {scenario.Ask{Is: scenario.IsChoice, Choices: []string{"라떼", "바닐라 라떼", "아메리카노"}}, map[string]string{
			"라떼": "라떼", "바닐라라떼": "바닐라 라떼", "바닐라 라떼로 주세요": "바닐라 라떼", "아메리카노요!": "아메리카노", "라떼 하나": "라떼",
			"3번": "아메리카노", "2번이요": "바닐라 라떼", "첫 번째": "라떼", "세번째로": "아메리카노", "이번": "바닐라 라떼", "3": "아메리카노", "라떼 말고 아메리카노요": "아메리카노",
			"바닐라요": "바닐라 라떼", "아메리카": "아메리카노",
			"4번": "", "0번": "", "라떼랑 아메리카노": "", "녹차": "", "": "", "!": "",
		}},
		"choice as it is said": {scenario.Ask{Is: scenario.IsChoice, Choices: []string{"마음이 바뀜", "책이 상함", "다른 책이 옴"}}, map[string]string{
			"책이 상했어요": "책이 상함", "상함": "책이 상함", "상해서요": "책이 상함", "다른 책이 왔어요": "다른 책이 옴", "마음이 바뀌었어요": "마음이 바뀜", "세 번째요": "다른 책이 옴",
			"책이요": "", "모르겠어요": "", "네": "", "배송비 얼마예요": "",
		}},
		"choice of a way": {scenario.Ask{Is: scenario.IsChoice, Choices: []string{"카드 결제", "계좌 이체", "방문해서 받기", "택배로 받기"}}, map[string]string{
			"카드로 할게요": "카드 결제", "이체요": "계좌 이체", "택배로 보내주세요": "택배로 받기", "택배요": "택배로 받기",
			"결제가 안 돼요": "", "택배비 얼마예요": "", "추천해 주세요": "", "아무거나요": "", "영업시간이 어떻게 돼요": "",
		}},
		"choice with numbers": {scenario.Ask{Is: scenario.IsChoice, Choices: []string{"2번 출구", "3번 출구"}}, map[string]string{
			"2번 출구요": "2번 출구", "3번": "3번 출구", "2번이요": "2번 출구", "1번": "",
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.ask.Param, tt.ask.Ask, tt.ask.Again = "x", "?", "다시"
			bot := scenario.Bot{Content: scenario.Content{Blocks: []scenario.Block{{ID: "b", Kind: scenario.Normal, Asks: []scenario.Ask{tt.ask}, Answer: says("<#{params.x}>")}}}}
			for said, want := range tt.values {
				reply, err := scenario.Answer(t.Context(), bot, scenario.Question{Request: kakao.SkillRequest{Utterance: said}, At: now},
					scenario.Entry{State: scenario.State{Asking: &scenario.Asking{BlockID: "b", Param: "x", Tries: 1, Until: now.Add(time.Minute)}}}, nil)
				if err != nil {
					t.Fatal(err)
				}
				if want = "<" + want + ">"; want == "<>" {
					want = "다시"
				}
				if got := reply.Response.Template.Outputs[0].SimpleText.Text; got != want {
					t.Errorf("%q is taken as %s, want %s", said, got, want)
				}
			}
		})
	}
}

// A pattern is compiled with its bot, not with every answer.
func TestAsk_patternIsCompiledOnce(t *testing.T) {
	allocs := func(pattern string) float64 {
		content := scenario.Content{Blocks: []scenario.Block{{ID: "b", Kind: scenario.Normal, Answer: says("네"), Asks: []scenario.Ask{{Param: "x", Ask: "?", Pattern: pattern}}}}}
		bot := scenario.Bot{Content: content, Script: scenario.Compile(1, content)}
		entry := scenario.Entry{State: scenario.State{Asking: &scenario.Asking{BlockID: "b", Param: "x", Tries: 1, Until: now.Add(time.Minute)}}}
		return testing.AllocsPerRun(100, func() {
			if _, err := scenario.Answer(t.Context(), bot, utterance("가나다"), entry, nil); err != nil {
				t.Fatal(err)
			}
		})
	}
	if none, one := allocs(""), allocs("[가-힣]{1,300}"); one > none+10 {
		t.Errorf("an answer that must match a pattern allocates %v times, %v times without one", one, none)
	}
}

// Late in the evening of London it is the next day in Korea.
func TestAsk_daysAreKorean(t *testing.T) {
	c := newTalk(t, party())
	c.at = time.Date(2026, 11, 24, 15, 0, 0, 0, time.UTC)
	c.says("예약", "언제 오세요?")
	c.says("오늘", "2026-11-25, 몇 분이세요?")
}

func TestService_keepsWhatIsAsked(t *testing.T) {
	u := &users{seen: map[string]bool{}}
	s := scenario.NewService(one{party()}, u, []byte("key"))
	ids := 0
	say := func(q scenario.Question) string {
		t.Helper()
		ids++
		q.ID = fmt.Sprintf("utt_%d", ids)
		reply, err := s.Answer(t.Context(), q)
		if err != nil || reply.UserErr != nil {
			t.Fatal(err, reply.UserErr)
		}
		return reply.Response.Template.Outputs[0].SimpleText.Text
	}
	live := func(words string) scenario.Question {
		q := question("u1", words)
		q.Request.Bot.ID = "b1"
		return q
	}
	for _, step := range []struct {
		q    scenario.Question
		want string
		kept int // times that the state was written
	}{
		{question("u1", "영업시간"), "10시부터입니다.", 0},
		{question("u1", "예약"), "언제 오세요?", 1},
		{question("u2", "모레"), "다시 말씀해 주세요.", 2}, // another user; his fallback is counted
		{live("모레"), "다시 말씀해 주세요.", 3},           // another side
		{question("", "모레"), "다시 말씀해 주세요.", 3},   // nobody
		{question("u1", "내일"), "2026-11-25, 몇 분이세요?", 4},
		{question("u1", "취소"), scenario.ExitText, 5},
		{question("u1", "영업시간"), "10시부터입니다.", 6}, // what the talk came to is not kept
		{question("u1", "영업시간"), "10시부터입니다.", 6},
		{question("", "예약"), "다시 말씀해 주세요.", 6},
	} {
		if got := say(step.q); got != step.want || u.kept != step.kept {
			t.Errorf("%q by %q is answered %q after %d writes, want %q after %d", step.q.Request.Utterance, step.q.Request.User.ID, got, u.kept, step.want, step.kept)
		}
	}
	before := maps.Clone(u.states)
	echo := question("u1", "예약")
	echo.Request.Params["malgil_chunk"] = "brd_1-000001"
	say(echo)
	if diff := cmp.Diff(before, u.states); diff != "" {
		t.Errorf("a message of ours changed what is remembered (-before +after):\n%s", diff)
	}
}

// An utterance that two runs answer, one after the other, is said once.
func TestService_answersTwice(t *testing.T) {
	u := &users{seen: map[string]bool{}}
	bot := party()
	bot.Settings.HandoffAfter = 2
	s := scenario.NewService(one{bot}, u, []byte("key"))
	for i, step := range []struct{ words, want string }{
		{"예약", "언제 오세요?"},
		{"모레", "2026-11-26, 몇 분이세요?"},
		{"많이요", "2026-11-26, 몇 분이세요?"},
		{"2", "어디에 앉으시겠어요?"},
		{"창가", "2026-11-26 2명, 창가 자리로 예약했어요."},
		{"예약", "언제 오세요?"},
		{"그만", scenario.ExitText},
		{"예약", "언제 오세요?"},
		{"글쎄요", "날짜로 말씀해 주세요."},
		{"글쎄요", "날짜로 말씀해 주세요."},
		{"글쎄요", scenario.ExitText},
	} {
		q := question("u1", step.words)
		q.ID, q.At = fmt.Sprintf("utt_%d", i), now
		for run := range 2 {
			before := u.kept
			reply, err := s.Answer(t.Context(), q)
			if err != nil || reply.UserErr != nil {
				t.Fatal(err, reply.UserErr)
			}
			if got := reply.Response.Template.Outputs[0].SimpleText.Text; got != step.want || u.kept-before != 1-run {
				t.Errorf("run %d of %q is answered %q after %d writes, want %q after %d", run, step.words, got, u.kept-before, step.want, 1-run)
			}
		}
	}
	for _, words := range []string{"글쎄요", "모레"} { // said anew, they end nothing
		q := question("u1", words)
		q.ID = "utt_" + words
		if reply, err := s.Answer(t.Context(), q); err != nil || reply.Why != scenario.ByNothing || reply.State.Ended != nil {
			t.Errorf("%s is answered by %s with %+v, %v, want the fallback", words, reply.Why, reply.State, err)
		}
	}
	for i, words := range []string{"예약", "글쎄요", "글쎄요", "글쎄요"} {
		q := question("u3", words)
		q.ID, q.At = fmt.Sprintf("utt_u3_%d", i), now
		for run := range 2 {
			reply, err := s.Answer(t.Context(), q)
			if offers := reply.Handoff == scenario.AfterFallbacks; err != nil || offers != (i == 3) {
				t.Errorf("run %d of answer %d to a question offers a person: %v, %v, want it with the last", run, i, offers, err)
			}
		}
	}
	q := question("u2", "우주선")
	q.ID = "utt_a"
	for range 2 {
		if reply, err := s.Answer(t.Context(), q); err != nil || reply.Handoff != "" || reply.State.Fallbacks != 1 {
			t.Errorf("Answer = %+v, %v, want one fallback", reply.State, err)
		}
	}
	q.ID = "utt_b"
	for range 2 {
		if reply, err := s.Answer(t.Context(), q); err != nil || reply.Handoff != scenario.AfterFallbacks {
			t.Errorf("Answer = %+v, %v, want a person offered after the second", reply.State, err)
		}
	}
}
