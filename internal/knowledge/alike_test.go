package knowledge_test

import (
	"slices"
	"testing"

	"github.com/malgil/malgil/internal/knowledge"
)

func TestAlike(t *testing.T) {
	texts := []string{
		"선물 포장 되나요?", "선물포장 해주세요", "포인트 적립되나요", "포인트 적립 돼요?", "와이파이 비번", "와이파이 비밀번호 알려주세요",
		"주차요금 얼마에요", "주차 되나요", "ㅁㄴㅇㄹ", "심심해", "배고파", "",
	}
	var items []knowledge.Item
	for _, text := range texts {
		items = append(items, knowledge.Item{Question: text})
	}
	base := knowledge.New(items)
	for text, want := range map[string][]string{
		"선물 포장 되나요?": {"선물포장 해주세요"}, "선물포장 해주세요": {"선물 포장 되나요?"}, "포인트 적립되나요": {"포인트 적립 돼요?"},
		"와이파이 비번": {"와이파이 비밀번호 알려주세요"}, "주차 되나요": nil, "ㅁㄴㅇㄹ": nil, "심심해": nil, "": nil,
	} {
		var got []string
		for _, item := range base.Alike(slices.Index(texts, text)) {
			got = append(got, texts[item])
		}
		if !slices.Equal(got, want) {
			t.Errorf("Alike(%q) = %q, want %q", text, got, want)
		}
	}
}
