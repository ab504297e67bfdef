package scenario_test

import (
	"fmt"
	"math"
	"runtime"
	"strings"
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

// A long utterance takes no more memory than a long question, whatever it is of and whatever it is compared with.
func TestAnswer_longUtterance(t *testing.T) {
	bot := desk()
	bot.Script = scenario.Compile(1, bot.Content)
	asked := func(words string) uint64 {
		least := uint64(math.MaxUint64) // of several: what is pooled is made anew now and then
		for range 20 {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if _, err := scenario.Answer(t.Context(), bot, utterance(words), scenario.Entry{}, nil); err != nil {
				t.Fatal(err)
			}
			runtime.ReadMemStats(&after)
			least = min(least, after.TotalAlloc-before.TotalAlloc)
		}
		return least
	}
	for name, one := range map[string]string{"words": "반품 기한 ", "syllable": "각", "pieces": "\u1112\u1161\u11ab", "spaces": " ", "marks": "?!", "Latin": "a", "broken": "\xff"} {
		const long, huge = 2_000, 240_000 // bytes
		usual := asked(strings.Repeat(one, long/len(one)))
		if got := asked(strings.Repeat(one, huge/len(one))); got > usual+usual/2+10_000 {
			t.Errorf("%s: %d bytes of an utterance take %d bytes, want about the %d of %d", name, huge, got, usual, long)
		}
	}
}
