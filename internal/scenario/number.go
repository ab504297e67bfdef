package scenario

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

var digitsIn = regexp.MustCompile(`([-+]?)(\d[\d,]*(?:\.\d+)?)\s*(백만|천만|억|만|천|백)?`)

var multiples = map[string]int64{"백": 100, "천": 1_000, "만": 10_000, "백만": 1_000_000, "천만": 10_000_000, "억": 100_000_000}

// numberIn finds the one number in a text. Pieces such as 3만 5천 are one.
func numberIn(said string) (string, bool) {
	said = narrow(said)
	found := digitsIn.FindAllStringSubmatchIndex(said, -1)
	if len(found) == 0 {
		n, ok := spelled(said)
		return strconv.FormatInt(n, 10), ok
	}
	if one := found[0]; len(found) == 1 && one[6] < 0 {
		return strings.TrimPrefix(strings.ReplaceAll(said[one[2]:one[5]], ",", ""), "+"), true
	}
	var sum float64
	end, before := found[0][0], int64(1e18)
	for i, at := range found {
		multiple := int64(1)
		if at[6] >= 0 {
			multiple = multiples[said[at[6]:at[7]]]
		}
		digits, err := strconv.ParseFloat(strings.ReplaceAll(said[at[4]:at[5]], ",", ""), 64)
		signed := at[2] < at[3]
		if err != nil || multiple >= before || strings.TrimSpace(said[end:at[0]]) != "" || signed && (i > 0 || said[at[2]] == '-') {
			return "", false
		}
		sum, end, before = sum+digits*float64(multiple), at[1], multiple
	}
	if sum > 1e15 {
		return "", false
	}
	return strconv.FormatFloat(sum, 'f', -1, 64), true
}

// beforeCount are words before a number that is spelled out: 저희 네 명이요. 네 is no number, but a yes.
var beforeCount = regexp.MustCompile(`^(?:(?:저희는?|우리는?|저는?|나|총|전부|모두|다|어른|성인)\s+|[네예응],\s*)+`)

var politeEnds = regexp.MustCompile(`(이에요|예요|입니다|이요|요|으로|로|만|정도|이서|서)+$`)

// spelled reads a number word, alone or with what is counted: 둘, 혼자요, 세 명이요, 십이 명, 만 원.
func spelled(said string) (n int64, ok bool) {
	whole := fold(beforeCount.ReplaceAllString(said, ""))
	if n := sino(whole); n > 9 {
		return n, true
	}
	for _, said := range []string{whole, politeEnds.ReplaceAllString(whole, "")} {
		if n := alone[said]; n > 0 {
			return n, true
		}
		for _, thing := range counted {
			if n := counts[strings.TrimSuffix(said, thing)]; n > 0 && strings.HasSuffix(said, thing) {
				return n, true
			}
		}
		for _, thing := range measured {
			if n := sino(strings.TrimSuffix(said, thing)); n > 9 && strings.HasSuffix(said, thing) {
				return n, true
			}
		}
		for _, thing := range fewMeasured {
			if n := sino(strings.TrimSuffix(said, thing)); n > 0 && strings.HasSuffix(said, thing) {
				return n, true
			}
		}
	}
	return 0, false
}

var (
	tens = []string{"", "열", "스물", "서른", "마흔", "쉰", "예순", "일흔", "여든", "아흔"}
	ones = [][]string{{""}, {"하나", "한"}, {"둘", "두"}, {"셋", "세"}, {"넷", "네"}, {"다섯"}, {"여섯"}, {"일곱"}, {"여덟"}, {"아홉"}}
	// What is counted in native words; without one of these, 한 and 세 begin other words, and 네 is a yes.
	counted       = []string{"명", "분", "사람", "식구", "인분", "개", "권", "잔", "병", "장", "마리", "대", "번", "시", "시간", "살", "박스", "상자", "세트", "가지", "군데", "곳", "달", "켤레", "송이", "팀", "쌍", "벌", "판", "그릇", "봉지"}
	alone, counts = countWords()

	// What is counted in Sino-Korean words from ten on, and what is from one on: 오 장 and 구 분 are other words.
	measured    = []string{"명", "분", "개", "권", "잔", "병", "장", "마리", "대", "번", "시간", "살", "세", "일", "회", "년", "박스", "상자", "세트"}
	fewMeasured = []string{"명", "인", "인분", "원", "층", "박", "개월"}
)

// countWords are the native number words from 1 to 99: those that stand alone, and all.
func countWords() (alone, all map[string]int64) {
	alone, all = map[string]int64{"혼자": 1, "단둘": 2}, map[string]int64{"스무": 20}
	for t, ten := range tens {
		for o, names := range ones {
			for i, one := range names {
				if t+o == 0 {
					continue
				}
				all[ten+one] = int64(t*10 + o)
				if i == 0 {
					alone[ten+one] = int64(t*10 + o)
				}
			}
		}
	}
	return alone, all
}

// sino reads a Sino-Korean number word, 삼만 오천; it is 0 for what is none.
func sino(said string) int64 {
	var sum, part, digit int64 // of the whole, of what stands before 만 or 억, of what stands before 십
	small, large := int64(10_000), int64(1e12)
	for _, r := range said {
		if d := strings.IndexRune("일이삼사오육칠팔구", r); d >= 0 {
			if digit > 0 {
				return 0
			}
			digit = int64(d/utf8.RuneLen(r)) + 1
			continue
		}
		unit := map[rune]int64{'십': 10, '백': 100, '천': 1000, '만': 10_000, '억': 100_000_000}[r]
		switch {
		case unit == 0:
			return 0
		case unit < 10_000 && unit < small:
			part, digit, small = part+max(digit, 1)*unit, 0, unit
		case unit >= 10_000 && unit < large:
			sum, part, digit, small, large = sum+max(part+digit, 1)*unit, 0, 0, 10_000, unit
		default:
			return 0
		}
	}
	return sum + part + digit
}
