package scenario

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// What an [Ask] takes. The words are stored.
const (
	IsText   = "text"   // anything, within its pattern
	IsNumber = "number" // 3, 3명, 세 명, 3만 원; kept as digits
	IsPhone  = "phone"  // 010-1234-5678; kept with hyphens
	IsDate   = "date"   // 오늘, 모레, 사흘 뒤, 3월 5일, 다음 주 금요일, 2027-03-05; kept as 2027-03-05
	IsChoice = "choice" // one of the choices, kept as it is written there
)

// valueLimit is how long an answer to a question may be, in characters.
const valueLimit = 300

// value reads an answer to the question; ok is false for one that does not fit. The pattern is compiled in x.
func (a Ask) value(x *index, said string, now time.Time) (value string, ok bool) {
	const longest = 3 * utf8.UTFMax * valueLimit // bytes of so many characters, each in pieces
	if len(said) > longest {
		return "", false
	}
	said = strings.TrimSpace(norm.NFC.String(said))
	if said == "" || utf8.RuneCountInString(said) > valueLimit {
		return "", false
	}
	switch a.Is {
	case IsNumber:
		return numberIn(said)
	case IsPhone:
		return phoneIn(said)
	case IsDate:
		return dateIn(said, now, a.Past)
	case IsChoice:
		return a.choiceIn(said)
	}
	if a.Pattern != "" {
		if whole := x.patterns[a.Pattern]; whole == nil || !whole.MatchString(said) {
			return "", false
		}
	}
	return said, true
}

// wholePattern is a pattern as it is compiled: the whole of a text must match.
func wholePattern(pattern string) string { return `\A(?:` + pattern + `)\z` }

// given reads what Kakao extracted for the parameter, with the piece of the utterance it came from. A
// system entity is a JSON text with the value inside.
func (a Ask) given(x *index, extracted, origin string, now time.Time) (value string, ok bool) {
	var entity struct {
		Date   string      `json:"date"`
		Amount json.Number `json:"amount"`
		Value  string      `json:"value"`
	}
	if strings.HasPrefix(extracted, "{") && json.Unmarshal([]byte(extracted), &entity) == nil {
		for _, inside := range []string{entity.Date, entity.Amount.String(), entity.Value} {
			if value, ok = a.value(x, inside, now); ok {
				return value, true
			}
		}
	}
	if value, ok = a.value(x, extracted, now); !ok {
		value, ok = a.value(x, origin, now)
	}
	return value, ok
}

// choiceIn finds the one choice that is said: alone, or among other words; the longest, where one holds
// another.
func (a Ask) choiceIn(said string) (string, bool) {
	words, found := fold(said), ""
	for _, choice := range a.Choices {
		folded := fold(choice)
		switch {
		case folded == "" || !strings.Contains(words, folded):
		case folded == words, found == "" || strings.Contains(folded, fold(found)):
			found = choice
			if folded == words {
				return found, true
			}
		case strings.Contains(fold(found), folded):
		default:
			return "", false
		}
	}
	return found, found != ""
}

var digitsIn = regexp.MustCompile(`([-+]?)(\d[\d,]*(?:\.\d+)?)\s*(백만|천만|억|만|천|백)?`)

var multiples = map[string]int64{"백": 100, "천": 1_000, "만": 10_000, "백만": 1_000_000, "천만": 10_000_000, "억": 100_000_000}

// numberIn finds the one number in a text. Pieces such as 3만 5천 are one.
func numberIn(said string) (string, bool) {
	said = narrow(said)
	found := digitsIn.FindAllStringSubmatchIndex(said, -1)
	if len(found) == 0 {
		return countIn(said)
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

var (
	tens = []string{"", "열", "스물", "서른", "마흔", "쉰", "예순", "일흔", "여든", "아흔"}
	ones = [][]string{{""}, {"하나", "한"}, {"둘", "두"}, {"셋", "세"}, {"넷", "네"}, {"다섯"}, {"여섯"}, {"일곱"}, {"여덟"}, {"아홉"}}
	// What is counted may follow a number word; without one of these, 한 and 세 begin other words.
	counted = []string{"", "명", "분", "사람", "개", "권", "잔", "병", "장", "마리", "대", "번", "시", "시간", "살", "박스", "상자", "세트", "가지", "군데", "곳", "달", "켤레", "송이"}
	counts  = countWords()
)

// countWords are the native number words from 1 to 99.
func countWords() map[string]int {
	all := map[string]int{"스무": 20}
	for t, ten := range tens {
		for o, names := range ones {
			for _, one := range names {
				if t+o > 0 {
					all[ten+one] = t*10 + o
				}
			}
		}
	}
	return all
}

var politeEnds = regexp.MustCompile(`(이에요|예요|입니다|이요|요|으로|로|만|정도)+$`)

// countIn reads a native number word, alone or with what is counted: 둘, 세 명이요.
func countIn(said string) (string, bool) {
	whole := fold(said)
	for _, said := range []string{whole, politeEnds.ReplaceAllString(whole, "")} {
		for _, thing := range counted {
			if n := counts[strings.TrimSuffix(said, thing)]; n > 0 && strings.HasSuffix(said, thing) {
				return strconv.Itoa(n), true
			}
		}
	}
	return "", false
}

var (
	// Codes as they are dialled in Korea: mobile, Seoul, other places, internet, paid by the called, personal.
	phoneParts   = regexp.MustCompile(`^(050\d|01[016789]|02|0[3-6]\d|070|080)(\d{3,4})(\d{4})$`)
	servicePhone = regexp.MustCompile(`^(1[5-8]\d\d)(\d{4})$`)
)

// phoneIn finds the phone number in a text that has no other digits.
func phoneIn(said string) (string, bool) {
	digits := onlyDigits(narrow(said))
	if abroad, is := strings.CutPrefix(digits, "82"); is {
		digits = "0" + strings.TrimPrefix(abroad, "0")
	}
	switch {
	case servicePhone.MatchString(digits):
		return servicePhone.ReplaceAllString(digits, "$1-$2"), true
	case phoneParts.MatchString(digits):
		return phoneParts.ReplaceAllString(digits, "$1-$2-$3"), true
	}
	return "", false
}

func onlyDigits(text string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, text)
}

// narrow writes full-width digits and signs, as some keyboards have them, as plain ones.
func narrow(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= '！' && r <= '～':
			return r - '！' + '!'
		case unicode.IsSpace(r):
			return ' '
		}
		return r
	}, text)
}
