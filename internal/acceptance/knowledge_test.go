package acceptance_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/scenario"
)

func TestKnowledge(t *testing.T) {
	show(t, map[string]func(*testing.T){
		"19_minimum_accuracy":         minimumAccuracy,
		"20_the_operator_sets_it":     operatorSetsMinimum,
		"21_from_several_factors":     scoreInParts,
		"close_answers_are_offered":   closeAnswers,
		"a_block_asks_what_it_needs":  blockAsks,
		"what_was_compared_is_stored": comparedIsStored,
	})
}

func TestHandoff(t *testing.T) {
	show(t, map[string]func(*testing.T){
		"22_welcome":            handoffInWelcome,
		"23_fallback":           handoffInFallback,
		"24_certain_words":      handoffByWords,
		"after_fallbacks_a_row": handoffAfterFallbacks,
	})
}

// What the bot of these tests knows.
const (
	returnsQuestion = "반품은 며칠 안에 해야 하나요"
	returnsAnswer   = "받은 날부터 7일 안에 해 주세요."
	returnsAsked    = "반품 며칠 안에 해야 돼요"
	gibberish       = "ㅁㄴㅇㄹ ㅋㅋㅋㅋ"
)

// knows gives the shop a bot that answers from a knowledge base and offers a person, live at once.
func (s *shop) knows() {
	s.house.t.Helper()
	block := func(id, name, kind, text string, more map[string]any) map[string]any {
		b := map[string]any{"id": id, "name": name, "kind": kind}
		if text != "" {
			b["answer"] = map[string]any{"outputs": []any{map[string]any{"simpleText": map[string]any{"text": text}}}}
		}
		for key, value := range more {
			b[key] = value
		}
		return b
	}
	item := func(question, answer string) map[string]any {
		return map[string]any{"question": question, "answer": answer}
	}
	s.house.do("POST", s.botPath()+"/versions?deploy=true", map[string]any{
		"blocks": []any{
			block("welcome", "웰컴 블록", "welcome", greeting, map[string]any{"handoff": true}),
			block("fallback", "폴백 블록", "fallback", fallback, map[string]any{"handoff": true}),
			block("exit", "탈출 블록", "exit", "", nil),
			block("agent", "상담 연결", "normal", "상담원을 불러 드릴게요.", map[string]any{"says": []string{"상담원", "사람 불러줘"}, "handoff": true}),
			block("book", "자리 예약", "normal", "#{params.day} #{params.people}명으로 예약했어요.", map[string]any{"asks": []any{
				map[string]any{"param": "day", "ask": "언제 오세요?", "is": "date"},
				map[string]any{"param": "people", "ask": "몇 분이세요?", "is": "number", "again": "숫자로 말씀해 주세요."},
			}}),
		},
		"knowledge": []any{
			item(returnsQuestion, returnsAnswer),
			item("상담원", "상담원은 평일 9시부터 18시까지 있습니다."),
			item("주차장이 있나요", "건물 지하 1층에 있습니다."),
			item("선물 포장을 해 주나요", "계산대에서 해 드립니다."),
			item("제주도 배송은 얼마나 걸리나요", "사흘쯤 걸립니다."),
			item("울릉도 배송은 얼마나 걸리나요", "닷새쯤 걸립니다."),
			item("회원 등급은 어떻게 정해지나요", "한 해 동안 산 금액으로 정해집니다."),
		},
	}, nil)
	s.hearsAtLast("somebody", returnsQuestion, func(shown) bool { return true }) // enters
	s.hearsAtLast("somebody", returnsQuestion, func(a shown) bool { return a.text == returnsAnswer })
}

func (s *shop) talking(change map[string]any) {
	s.house.t.Helper()
	s.house.do("PATCH", s.botPath(), map[string]any{"talking": change}, nil)
}

// shown is what a user sees of an answer.
type shown struct {
	text     string
	operator bool     // it has a button to a person
	quick    []string // what its quick replies say
}

// say plays one utterance at Kakao's side.
func (s *shop) say(user, words string) (a shown, err error) {
	var said struct {
		Shown   bool            `json:"shown"`
		Problem string          `json:"problem"`
		Answer  json.RawMessage `json:"answer"`
	}
	err = s.house.sandbox.Call(s.house.t.Context(), "POST", "/sandbox/utterances", map[string]any{
		"skill_url": s.skillURL, "bot": s.bot, "user": user, "utterance": words,
	}, &said)
	if err != nil {
		return a, err
	}
	if !said.Shown {
		return a, fmt.Errorf("%q is answered with what Kakao does not show: %s", words, said.Problem)
	}
	var answer struct {
		Template struct {
			Outputs []struct {
				SimpleText struct{ Text string }
			}
			QuickReplies []struct{ MessageText string }
		}
	}
	if err := json.Unmarshal(said.Answer, &answer); err != nil {
		return a, err
	}
	if len(answer.Template.Outputs) > 0 {
		a.text = answer.Template.Outputs[0].SimpleText.Text
	}
	for _, q := range answer.Template.QuickReplies {
		a.quick = append(a.quick, q.MessageText)
	}
	a.operator = strings.Contains(string(said.Answer), `"action":"operator"`)
	return a, nil
}

// hearsAtLast says something until the answer is the one that is wanted: a change is seen within two seconds.
func (s *shop) hearsAtLast(user, words string, want func(shown) bool) shown {
	s.house.t.Helper()
	var last shown
	s.house.until(fmt.Sprintf("%q is answered as wanted", words), func() (bool, any) {
		a, err := s.say(user, words)
		last = a
		return err == nil && want(a), fmt.Sprintf("%+v, %v", a, err)
	})
	return last
}

// expect says something once.
func (s *shop) expect(user, words, text string, operator bool) shown {
	s.house.t.Helper()
	a, err := s.say(user, words)
	if err != nil || a.text != text || a.operator != operator {
		s.house.t.Errorf("%q is answered %+v, %v, want %q with a person offered: %v", words, a, err, text, operator)
	}
	return a
}

type explained struct {
	Why        string `json:"why"`
	Block      string `json:"block"`
	Question   string `json:"question"`
	Score      int    `json:"score"`
	Minimum    int    `json:"minimum_accuracy"`
	Candidates []struct {
		Question string `json:"question"`
		Score    int    `json:"score"`
		Parts    []struct {
			Name         string  `json:"name"`
			Value        float64 `json:"value"`
			Contribution float64 `json:"contribution"`
		} `json:"parts"`
	} `json:"candidates"`
}

func (s *shop) explain(words string) (x explained) {
	s.house.t.Helper()
	s.house.get(s.botPath()+"/explain?utterance="+url.QueryEscape(words), &x)
	return x
}

// opensWithKnowledge is a shop with its bot, whose somebody has been welcomed.
func opensWithKnowledge(t *testing.T) *shop {
	h := open(t, plan{})
	s := h.openShop(0)
	s.knows()
	return s
}

// The words score the same all the time; what is enough decides.
func minimumAccuracy(t *testing.T) {
	s := opensWithKnowledge(t)
	if x := s.explain(returnsQuestion); x.Minimum != 70 {
		t.Errorf("the minimum accuracy of a new bot is %d, want 70", x.Minimum)
	}
	score := s.explain(returnsAsked).Score
	if score <= 1 || score >= 100 {
		t.Fatalf("%q scores %d, want one that a minimum can be put on either side of", returnsAsked, score)
	}
	s.talking(map[string]any{"minimum_accuracy": score})
	s.hearsAtLast("somebody", returnsAsked, func(a shown) bool { return a.text == returnsAnswer })
	s.talking(map[string]any{"minimum_accuracy": score + 1})
	s.hearsAtLast("somebody", returnsAsked, func(a shown) bool { return a.text == fallback })
}

// Words that answer with less than 90 do not any more once that is the minimum, and nothing is started again.
func operatorSetsMinimum(t *testing.T) {
	s := opensWithKnowledge(t)
	words, score := "", 0
	for _, try := range []string{"주차", "주차장", "선물 포장", "포장 해 줘", "회원 등급", "등급", "반품", "반품은 며칠", "주차장 어디", "선물할 건데 포장", "회원 등급 알려 줘",
		"차 세울 곳 있나요", "주말에 주차 되나요", "리본으로 선물 포장도 해 주시나요", "포장은 얼마예요", "등급별 혜택", "회원이면 뭐가 좋아요", "반품하면 며칠 걸려요", "반품 언제까지", "주차 공간 넉넉한가요", "선물용으로 싸 주세요", "반품 기간이 지났는데 반품 되나요", "포장지 고를 수 있나요", "오토바이 세워도 돼요", "주차 몇 대까지"} {
		if x := s.explain(try); x.Why == "knowledge" && x.Score >= 70 && x.Score < 90 {
			words, score = try, x.Score
			break
		}
	}
	if words == "" {
		t.Fatal("no words score 70 to 89")
	}
	answer, err := s.say("somebody", words)
	if err != nil || answer.text == fallback {
		t.Fatalf("%q is answered %+v, %v, want an item", words, answer, err)
	}
	s.talking(map[string]any{"minimum_accuracy": 90})
	s.hearsAtLast("somebody", words, func(a shown) bool { return a.text == fallback })
	if x := s.explain(words); x.Why != "nothing" || x.Block != "fallback" || x.Score != score || x.Minimum != 90 {
		t.Errorf("it is explained as %+v, want the fallback for a score of %d and a minimum of 90", x, score)
	}
}

// The score of every utterance is made of several parts, and no two utterances of the same.
func scoreInParts(t *testing.T) {
	s := opensWithKnowledge(t)
	one, other := s.explain(returnsAsked), s.explain("주차장 있어요?")
	for words, x := range map[string]explained{returnsAsked: one, "주차장 있어요?": other} {
		if x.Why != "knowledge" || len(x.Candidates) == 0 || x.Candidates[0].Question != x.Question || x.Candidates[0].Score != x.Score {
			t.Fatalf("%q is explained as %+v, want an item, first among the candidates", words, x)
		}
		count := 0
		for _, p := range x.Candidates[0].Parts {
			if p.Name == "" {
				t.Errorf("a part of %q has no name: %+v", words, p)
			}
			if p.Contribution != 0 {
				count++
			}
		}
		if count < 3 {
			t.Errorf("the score of %q is made of %+v, want at least 3 parts that count", words, x.Candidates[0].Parts)
		}
	}
	if fmt.Sprint(one.Candidates[0].Parts) == fmt.Sprint(other.Candidates[0].Parts) {
		t.Error("two utterances have the same parts")
	}
}

// Where answers are too close the user is asked, and what he touches leads to one of them.
func closeAnswers(t *testing.T) {
	const both = "배송 얼마나 걸려요"
	s := opensWithKnowledge(t)
	if x := s.explain(both); len(x.Candidates) < 2 || x.Candidates[0].Score-x.Candidates[1].Score > 30 {
		t.Fatalf("it is like %+v, want two items within 30", x.Candidates)
	}
	s.talking(map[string]any{"minimum_accuracy": 1, "choose_within": 30})
	a := s.hearsAtLast("somebody", both, func(a shown) bool { return len(a.quick) > 1 })
	if x := s.explain(both); x.Why != "choice" {
		t.Errorf("it is explained as %+v, want a choice", x)
	}
	for _, words := range a.quick {
		if led := s.explain(words); led.Why != "knowledge" || led.Question != words {
			t.Errorf("quick reply %q leads to %+v, want its own item", words, led)
		}
	}
	s.expect("somebody", returnsQuestion, returnsAnswer, false) // what is said exactly is clear
}

// A block asks for what it needs, over several utterances, whichever worker answers.
func blockAsks(t *testing.T) {
	s := opensWithKnowledge(t)
	s.expect("somebody", "자리 예약", "언제 오세요?", false)
	s.expect("somebody", "2030년 3월 5일이요", "몇 분이세요?", false)
	s.expect("somebody", "많이요", "숫자로 말씀해 주세요.", false)
	s.expect("somebody", "네 명이요", "2030-03-05 4명으로 예약했어요.", false)
	s.expect("somebody", "자리 예약", "언제 오세요?", false)
	s.expect("somebody", "취소", "여기까지 할게요. 궁금한 것이 있으면 언제든 다시 말씀해 주세요.", false)
	s.expect("somebody", "2030년 3월 5일이요", fallback, true)
}

func comparedIsStored(t *testing.T) {
	s := opensWithKnowledge(t)
	s.expect("somebody", returnsAsked, returnsAnswer, false)
	s.expect("somebody", gibberish, fallback, true)
	s.house.counted(1, "malgil_handoffs_offered_total", `spot="fallback"`)
}

// Only a user's first entry is welcomed, also when the log of utterances is gone.
func handoffInWelcome(t *testing.T) {
	s := opensWithKnowledge(t)
	s.expect("newcomer", gibberish, greeting, true)
	s.expect("newcomer", gibberish, fallback, true)
	s.expect("another", gibberish, greeting, true)
	s.expect("a third", returnsQuestion, greeting, true) // and is answered below that
	s.talking(map[string]any{"security_level": 1})
	s.house.until("the log has it", func() (bool, any) {
		var log struct{ Items []struct{ Asked string } }
		s.house.get(s.botPath()+"/utterances", &log)
		recorded := 0
		for _, u := range log.Items {
			if u.Asked == gibberish {
				recorded++
			}
		}
		return recorded == 3, log
	})
	s.house.advance(5 * 24 * time.Hour)
	s.house.until("the log is purged", func() (bool, any) {
		var purges struct {
			Items []struct {
				Removed int `json:"removed"`
			} `json:"items"`
		}
		s.house.get(s.botPath()+"/purges", &purges)
		removed := 0
		for _, p := range purges.Items {
			removed += p.Removed
		}
		return removed >= 3, purges
	})
	s.expect("newcomer", gibberish, fallback, true)
}

func handoffInFallback(t *testing.T) {
	s := opensWithKnowledge(t)
	s.expect("somebody", gibberish, fallback, true)
	s.expect("somebody", returnsQuestion, returnsAnswer, false)
}

// Certain words lead to a person, also where the knowledge base knows them, too.
func handoffByWords(t *testing.T) {
	s := opensWithKnowledge(t)
	x := s.explain("상담원")
	if x.Why != "words" || x.Block != "agent" || len(x.Candidates) == 0 {
		t.Fatalf("it is explained as %+v, want the block by its words", x)
	}
	item := 0
	for _, c := range x.Candidates {
		if c.Question == "상담원" {
			item = c.Score
		}
	}
	if item != 100 {
		t.Errorf("the item scores %d, want 100", item)
	}
	for _, words := range []string{"상담원", " 상담원! ", "상담 연결", "사람 불러줘"} {
		s.expect("somebody", words, "상담원을 불러 드릴게요.", true)
		s.expect("somebody", "자리 예약", "언제 오세요?", false)
		s.expect("somebody", words, "상담원을 불러 드릴게요.", true) // a question that waits keeps nobody from a person
	}
	for _, step := range []struct {
		words, want string
		operator    bool
	}{
		{"자리 예약", "언제 오세요?", false},
		{"잘 모르겠어요", "언제 오세요?", false},
		{"주차장이 있나요", "건물 지하 1층에 있습니다.", false},
		{"자리 예약", "언제 오세요?", false},
		{"잘 모르겠어요", "언제 오세요?", false},
		{"잘 모르겠어요", "언제 오세요?", false},
		{"잘 모르겠어요", scenario.ExitText, true},
	} {
		s.expect("somebody", step.words, step.want, step.operator)
	}
}

// A fallback that offers nobody by itself does after several in a row.
func handoffAfterFallbacks(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(0) // its fallback has no button
	if _, err := s.say("somebody", gibberish); err != nil {
		t.Fatal(err)
	}
	s.expect("somebody", gibberish, fallback, false)
	s.expect("somebody", gibberish, fallback, false)
	s.expect("somebody", hoursName, hours, false)
	s.expect("somebody", gibberish, fallback, false)
	s.expect("somebody", gibberish, fallback, false)
	s.expect("somebody", gibberish, fallback, true)
	s.expect("somebody", gibberish, fallback, true)
	h.counted(2, "malgil_handoffs_offered_total", `spot="after_fallbacks"`)
}
