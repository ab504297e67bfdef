package scenario_test

import (
	"fmt"
	"testing"

	"github.com/malgil/malgil/internal/knowledge"
	"github.com/malgil/malgil/internal/scenario"
)

// BenchmarkAnswer answers by a block's words, by an example and by a knowledge base of 10,000 items.
func BenchmarkAnswer(b *testing.B) {
	bot := desk()
	for i := range 10_000 {
		bot.Knowledge = append(bot.Knowledge, knowledge.Item{Question: fmt.Sprintf("%d호점 %d번 상품 재입고는 언제인가요", i%100, i), Answer: "곧 들어옵니다."})
	}
	bot.Script = scenario.Compile(1, bot.Content)
	for _, words := range []string{"상담원", "모임 공간을 예약하고 싶어", "반품 기한 며칠이에요", "우주선은 어디서 타나요"} {
		b.Run(words, func(b *testing.B) {
			for b.Loop() {
				if _, err := scenario.Answer(b.Context(), bot, utterance(words), scenario.Entry{}, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
