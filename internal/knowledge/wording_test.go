package knowledge

import (
	"strings"
	"testing"
)

func TestWording(t *testing.T) {
	tests := map[string]struct{ text, term, want string }{
		"as it is":             {"배송은 며칠 걸리나요?", folded("배송"), "배송"},
		"over a space":         {"배송은 며칠 걸리나요?", folded("배송은며칠"), "배송은 며칠"},
		"in the middle":        {"저 배송은 며칠 걸리나요?", folded("은며"), "은 며"},
		"the end":              {"배송은 며칠 걸리나요?", folded("걸리나요"), "걸리나요"},
		"apart":                {"배송이 오늘 되나요?", folded("배송…되나"), "배송…되나"},
		"another capital":      {"Wi-Fi 되나요", "wifi", "wi fi"},
		"what is not in there": {"배송", "첵", "첵"},
		"laughter left out":    {"배송ㅋㅋ 언제 왔어요", folded("언제왔"), "언제 왔"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := newWording(tt.text).of(tt.term); got != tt.want {
				t.Errorf("of(%q) = %q, want %q", tt.term, got, tt.want)
			}
		})
	}
}

// People read what became of each word as it is written, and not as it is folded.
func TestParts_areSpelt(t *testing.T) {
	best := New(shop).Match("환불 왜 안 돼요", 1)
	if len(best) == 0 {
		t.Fatal("Match finds nothing")
	}
	for _, p := range best[0].Parts {
		if strings.HasPrefix(p.Name, "said ") && p.Name != folded(p.Name) {
			return
		}
	}
	t.Errorf("no part is spelt otherwise than folded: %+v", best[0].Parts)
}
