package scenario

import (
	"encoding/json"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// What an [Ask] takes. The words are stored.
const (
	IsText   = "text"   // anything, within its pattern
	IsNumber = "number" // 3, 3명, 세 명, 십이 명, 3만 원; kept as digits
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
