package botfile_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/botfile"
	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/knowledge"
	"github.com/malgil/malgil/internal/scenario"
)

var noon = time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)

// The example answers what a customer of a bookshop says.
func TestExample_answers(t *testing.T) {
	knowledge.Load()
	content, header, problems := botfile.Read(t.Context(), botfile.Example(), scenario.Rules{})
	if len(problems) > 0 {
		t.Fatal(lines(problems))
	}
	bot := scenario.Bot{ID: header.ID, Name: header.Name, Content: content, Settings: scenario.DefaultSettings}
	var state scenario.State // of the one who speaks
	for _, tt := range []struct {
		words string
		first bool
		block string
		part  string // of the answer
	}{
		{"안녕하세요", true, "welcome", "한빛서점입니다"},
		{"상담직원", false, "operator", `"action":"operator"`},
		{"주문 조회", false, "order", "주문번호를 알려 주세요"},
		{"HB-240917-0031", false, "order", `"title":"주문 HB-240917-0031"`},
		{"책 추천해 주세요", false, "picks", "겨울 서점의 고양이"},
		{"반품할래요", false, "return", "어떤 까닭으로"},
		{"그만", false, "exit", "여기까지"},
		{"반품 기한은 며칠인가요?", false, "", "7일 안에"},
		{"반품 언제까지 돼요", false, "", "7일 안에"},
		{"배송비 얼마예요", false, "", "3,000원"},
		{"배송 언제 와요", false, "", "다음 날 도착해요"},
		{"당일배송 되나요", false, "", "당일배송과 새벽배송은 하지"},
		{"교환", false, "", "같은 책으로만"},
		{"주차 되나요", false, "", "2시간 동안"},
		{"우주선은 어디서 타나요", false, "fallback", `"action":"operator"`},
	} {
		reply, err := scenario.Answer(t.Context(), bot, scenario.Question{Request: kakao.SkillRequest{Utterance: tt.words}, At: noon}, scenario.Entry{First: tt.first, State: state}, nil)
		if err != nil || len(reply.Problems) > 0 {
			t.Errorf("Answer(%s) = %v, %v", tt.words, err, reply.Problems)
			continue
		}
		state = reply.State
		said, err := json.Marshal(reply.Response)
		if err != nil || reply.BlockID != tt.block || !strings.Contains(string(said), tt.part) {
			t.Errorf("Answer(%s) = block %q, %s, %v, want %q with %q", tt.words, reply.BlockID, said, err, tt.block, tt.part)
		}
	}
}
