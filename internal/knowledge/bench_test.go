package knowledge

import (
	"fmt"
	"testing"
)

// manyItems are as many items as a large base has: those of the suites over and over, each with words of its own.
func manyItems(t testing.TB, n int) []Item {
	var some []Item
	for _, folder := range []string{"a", "b", "c", "d", "e"} {
		for _, tr := range suite(t, folder) {
			some = append(some, tr.base.items...)
		}
	}
	items := make([]Item, n)
	for i := range items {
		items[i] = some[i%len(some)]
		items[i].Question = fmt.Sprintf("%c%c%c%c상품 %s", '가'+i%500, '나'+i/500, '도'+i%37, '리'+i%91, items[i].Question)
	}
	return items
}

func BenchmarkMatch(b *testing.B) {
	base := New(manyItems(b, 10_000))
	for name, utterance := range map[string]string{
		"short": "환불",
		"usual": "주문한 거 배송지 바꿀 수 있나요?",
		"typos": "쥬문한 거 베송지 벼경 가능한갸요",
		"long":  "안녕하세요 지난주 금요일에 소설책 두 권 주문했었는데요 아직 안 와서 그러는데 지금 택배가 어디 있는지 어디서 볼 수 있을까요?",
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				base.Match(utterance, 3)
			}
		})
	}
}

func BenchmarkNew(b *testing.B) {
	items := manyItems(b, 10_000)
	for b.Loop() {
		New(items)
	}
}
