package knowledge

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/width"
)

const (
	firstSyllable, lastSyllable = '가', '힣'
	vowels, finals              = 21, 28
)

var (
	initials  = []rune("ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ")
	middles   = []rune("ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ")
	lasts     = []rune("\x00ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ")
	doubled   = map[rune]string{'ㄳ': "ㄱㅅ", 'ㄵ': "ㄴㅈ", 'ㄶ': "ㄴㅎ", 'ㄺ': "ㄹㄱ", 'ㄻ': "ㄹㅁ", 'ㄼ': "ㄹㅂ", 'ㄽ': "ㄹㅅ", 'ㄾ': "ㄹㅌ", 'ㄿ': "ㄹㅍ", 'ㅀ': "ㄹㅎ", 'ㅄ': "ㅂㅅ", 'ㅘ': "ㅗㅏ", 'ㅙ': "ㅗㅐ", 'ㅚ': "ㅗㅣ", 'ㅝ': "ㅜㅓ", 'ㅞ': "ㅜㅔ", 'ㅟ': "ㅜㅣ", 'ㅢ': "ㅡㅣ", 'ㄲ': "ㄱㄱ", 'ㄸ': "ㄷㄷ", 'ㅃ': "ㅂㅂ", 'ㅆ': "ㅅㅅ", 'ㅉ': "ㅈㅈ"}
	keyboard  = map[rune]rune{}
	keyRow    = "qwertasdfgzxcvyuiophjklbnmQWERTOP"
	keyLetter = []rune("ㅂㅈㄷㄱㅅㅁㄴㅇㄹㅎㅋㅌㅊㅍㅛㅕㅑㅐㅔㅗㅓㅏㅣㅠㅜㅡㅃㅉㄸㄲㅆㅒㅖ")
)

func init() {
	for i, key := range keyRow {
		keyboard[key] = keyLetter[i]
	}
}

func isSyllable(r rune) bool { return r >= firstSyllable && r <= lastSyllable }

func isJamo(r rune) bool { return r >= 'ㄱ' && r <= 'ㅣ' }

// jamo takes a text apart into the letters that are typed for it on a Korean keyboard.
func jamo(text string) string {
	var b strings.Builder
	put := func(r rune) {
		if two, ok := doubled[r]; ok {
			b.WriteString(two)
		} else if r != 0 {
			b.WriteRune(r)
		}
	}
	for _, r := range text {
		if !isSyllable(r) {
			put(r)
			continue
		}
		n := int(r - firstSyllable)
		put(initials[n/(vowels*finals)])
		put(middles[n/finals%vowels])
		put(lasts[n%finals])
	}
	return b.String()
}

// typed reads a word that was typed on the English keyboard as if it were the Korean one; ok is false when that
// is no word of whole syllables.
func typed(word string) (string, bool) {
	if len(word) < 4 {
		return "", false
	}
	letters := make([]rune, 0, len(word))
	for _, r := range word {
		letter, ok := keyboard[r]
		if !ok {
			return "", false
		}
		letters = append(letters, letter)
	}
	return compose(letters)
}

func indexOf(list []rune, r rune) int {
	for i, one := range list {
		if one == r {
			return i
		}
	}
	return -1
}

var joined = map[string]rune{}

func init() {
	for one, two := range doubled {
		joined[two] = one
	}
}

// compose puts letters together into syllables as a Korean keyboard does; ok is false when one is left over.
func compose(letters []rune) (text string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(letters); {
		first := indexOf(initials, letters[i])
		if first < 0 || i+1 >= len(letters) {
			return "", false
		}
		middle := indexOf(middles, letters[i+1])
		if middle < 0 {
			return "", false
		}
		i += 2
		if i < len(letters) {
			if two, is := joined[string([]rune{middles[middle], letters[i]})]; is && indexOf(middles, two) >= 0 {
				middle, i = indexOf(middles, two), i+1
			}
		}
		last := 0
		vowelAt := func(n int) bool { return n < len(letters) && indexOf(middles, letters[n]) >= 0 }
		if i < len(letters) && !vowelAt(i) && !vowelAt(i+1) {
			if n := indexOf(lasts, letters[i]); n > 0 {
				last = n
				i++
				if i < len(letters) && !vowelAt(i) && !vowelAt(i+1) {
					if two, is := joined[string([]rune{lasts[last], letters[i]})]; is {
						if n := indexOf(lasts, two); n > 0 {
							last = n
							i++
						}
					}
				}
			}
		}
		b.WriteRune(firstSyllable + rune(first*vowels*finals+middle*finals+last))
	}
	return b.String(), true
}

// wordsOf normalizes a text and takes it apart at what is no letter or digit.
func wordsOf(text string) []string {
	text = strings.ToLower(width.Fold.String(norm.NFC.String(text)))
	var words []string
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		if plain, known := slang[word]; known {
			words = append(words, strings.Fields(plain)...)
			continue
		}
		if meant, ok := typed(word); ok {
			word = meant
		}
		if word = withoutNoise(word); word != "" {
			words = append(words, word)
		}
	}
	return words
}

// withoutNoise takes laughter and tears off a word, and letters that stand alone beside syllables.
func withoutNoise(word string) string {
	hasSyllable := strings.ContainsFunc(word, isSyllable)
	var b strings.Builder
	var before rune
	for _, r := range word {
		if isJamo(r) && (hasSyllable || strings.ContainsRune("ㅋㅎㅠㅜㅡ", r)) {
			continue
		}
		if r == before && isSyllable(r) && strings.ContainsRune("아어오우으이요용여", r) {
			continue
		}
		b.WriteRune(r)
		before = r
	}
	return b.String()
}
