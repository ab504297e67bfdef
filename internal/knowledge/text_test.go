package knowledge

import (
	"slices"
	"strings"
	"testing"
)

func TestWordsOf(t *testing.T) {
	tests := map[string]struct {
		text string
		want []string
	}{
		"letters put together":        {"\u1112\u116A\u11AB\u1107\u116E\u11AF", []string{"환불"}}, // NFD
		"wide letters":                {"ＡＢＣ환불", []string{"abc환불"}},
		"sounds alike":                {"돼요 됬어요 않돼 베송", []string{"되요", "됫어요", "안되", "베송"}},
		"laughter and tears":          {"환불ㅋㅋㅋ 되나요ㅠㅠ", []string{"환불", "되나요"}},
		"letters that stand alone":    {"환ㅂ불", []string{"환불"}},
		"typed apart":                 {"ㅂㅐ송비 배송ㅂㅣ 환ㅂㅜㄹ ㅎㅗㅏㄴ불 ㅇㅕㅇㅇㅓㅂ시간", []string{"베송비", "베송비", "환불", "환불", "영업시간"}},
		"typed apart, with laughter":  {"ㅂㅐㅅㅗㅇㅂㅣㅋㅋ ㅂㅐㅅㅗㅇㅂㅣㅋ 배송비ㅋ 배송비ㅠㅠ ㅋㅋㅠㅠ ㅋㅠ", []string{"베송비", "베송비", "베송비", "베송비"}},
		"initials stay":               {"ㅂㅅㅂ", []string{"ㅂㅅㅂ"}},
		"drawn out":                   {"안녕하세요오오", []string{"안녕하세요오"}},
		"slang is written out":        {"주차 ㄱㄴ", []string{"주차", "가능"}},
		"typed on the wrong keyboard": {"ghksqnf", []string{"환불"}},
		"with shift":                  {"QkfflWkd", []string{"빨리짱"}},
		"English stays":               {"wifi", []string{"wifi"}},
		"nothing but signs":           {"?! 👍 ...", nil},
		"nothing":                     {"", nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := wordsOf(tt.text); !slices.Equal(got, tt.want) {
				t.Errorf("wordsOf(%q) = %q, want %q", tt.text, got, tt.want)
			}
		})
	}
}

func TestWordsOf_bounded(t *testing.T) {
	if got := strings.Join(wordsOf(strings.Repeat("환", 5000)), ""); len(got) > longestText || strings.ContainsRune(got, '\uFFFD') {
		t.Errorf("wordsOf(5000 syllables) = %d bytes, want at most %d of whole syllables", len(got), longestText)
	}
}

func TestCompose(t *testing.T) {
	tests := map[string]struct {
		keys string
		want string
		ok   bool
	}{
		"initial and vowel":          {"ㄱㅏ", "가", true},
		"final":                      {"ㄱㅏㄱ", "각", true},
		"a final that begins a next": {"ㄱㅏㄱㅏ", "가가", true},
		"two vowels":                 {"ㄱㅗㅏ", "과", true},
		"two finals":                 {"ㅇㅓㅂㅅㄷㅏ", "없다", true},
		"two finals, one moves on":   {"ㅇㅓㅂㅅㅓ", "업서", true},
		"a vowel alone":              {"ㅏ", "", false},
		"an initial alone":           {"ㄱㅏㄱㄱ", "", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got, ok := compose([]rune(tt.keys)); got != tt.want || ok != tt.ok {
				t.Errorf("compose(%s) = %q, %v, want %q, %v", tt.keys, got, ok, tt.want, tt.ok)
			}
		})
	}
}

// What is typed for any word on the wrong keyboard is read as the word.
func TestTyped(t *testing.T) {
	keys := map[rune]string{}
	for key, letter := range keyboard {
		keys[letter] = string(key)
	}
	for two, one := range twoKeys {
		var both string
		for _, r := range two {
			both += keys[r]
		}
		keys[one] = both
	}
	for _, word := range []string{"환불", "주차", "예약취소", "배송조회", "없어요", "괜찮나요", "의자", "쿠폰", "왜안와요", "얇은옷"} {
		var typedKeys string
		for _, l := range letters(word) {
			typedKeys += keys[l]
		}
		if got, ok := typed(typedKeys); !ok || got != word {
			t.Errorf("typed(%s) = %q, %v, want %q", typedKeys, got, ok, word)
		}
	}
}

func TestInflected(t *testing.T) {
	tests := map[string][]string{
		"바꾸~":  {"바꾸", "바꾼", "바꿀", "바꿔", "바꿨"},
		"늦추~":  {"늦춰", "늦췄"},
		"보내~":  {"보낸", "보내", "보냈"},
		"취소하~": {"취소한", "취소해", "취소했"},
		"고르~":  {"고른", "골라", "골랐"},
		"모르~":  {"몰라"},
		"들~":   {"드는", "든"},
		"맵~":   {"매운", "매워"},
		"걷~":   {"걸"},
		"환불":   {"환불"},
	}
	for variant, want := range tests {
		got := inflected(variant)
		for _, w := range want {
			if !slices.Contains(got, w) {
				t.Errorf("inflected(%q) = %q, want %q in it", variant, got, w)
			}
		}
	}
}

func TestSlip(t *testing.T) {
	tests := map[string]struct {
		typed, meant string
		near         bool
	}{
		"the same":                {"환불", "환불", true},
		"a vowel of its kind":     {"환뷸", "환불", true},
		"a key beside":            {"환불", "황불", true},
		"a letter left out":       {"벼경", "변경", true},
		"a letter too many":       {"예약앗", "예약앗ㅅ", true},
		"two changed places":      {"배ㅗㅅㅇ", "배송", true},
		"another word altogether": {"환불", "주차", false},
		"two slips":               {"환뷸", "환불이", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := slip(letters(tt.typed), letters(tt.meant)); (got <= 1) != tt.near {
				t.Errorf("slip(%s, %s) = %.1f, near is %v", tt.typed, tt.meant, got, tt.near)
			}
		})
	}
}
