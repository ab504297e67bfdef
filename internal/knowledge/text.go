package knowledge

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/width"
)

// A Hangul syllable is made of an initial, a vowel and perhaps a final (Unicode 3.12): its number is
// (initial·21 + vowel)·28 + final, counted from 가.
const (
	firstSyllable, lastSyllable = '가', '힣'
	vowels, finals              = 21, 28
)

var (
	initials  = []rune("ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ")
	middles   = []rune("ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ")
	lasts     = []rune("\x00ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ")
	twoKeys   = map[string]rune{"ㄱㅅ": 'ㄳ', "ㄴㅈ": 'ㄵ', "ㄴㅎ": 'ㄶ', "ㄹㄱ": 'ㄺ', "ㄹㅁ": 'ㄻ', "ㄹㅂ": 'ㄼ', "ㄹㅅ": 'ㄽ', "ㄹㅌ": 'ㄾ', "ㄹㅍ": 'ㄿ', "ㄹㅎ": 'ㅀ', "ㅂㅅ": 'ㅄ', "ㅗㅏ": 'ㅘ', "ㅗㅐ": 'ㅙ', "ㅗㅣ": 'ㅚ', "ㅜㅓ": 'ㅝ', "ㅜㅔ": 'ㅞ', "ㅜㅣ": 'ㅟ', "ㅡㅣ": 'ㅢ'}
	keyRow    = "qwertasdfgzxcvyuiophjklbnmQWERTOP"
	keyLetter = []rune("ㅂㅈㄷㄱㅅㅁㄴㅇㄹㅎㅋㅌㅊㅍㅛㅕㅑㅐㅔㅗㅓㅏㅣㅠㅜㅡㅃㅉㄸㄲㅆㅒㅖ")
	keyboard  = map[rune]rune{} // letters of the English keyboard to those of the Korean one
)

func init() {
	for i, key := range keyRow {
		keyboard[key] = keyLetter[i]
	}
}

func isSyllable(r rune) bool { return r >= firstSyllable && r <= lastSyllable }

func isJamo(r rune) bool { return r >= 'ㄱ' && r <= 'ㅣ' }

// parts are the places of a syllable's letters in initials, middles and lasts.
func parts(syllable rune) (initial, middle, last int) {
	n := int(syllable - firstSyllable)
	return n / (vowels * finals), n / finals % vowels, n % finals
}

func syllable(initial, middle, last int) rune {
	return firstSyllable + rune((initial*vowels+middle)*finals+last)
}

// foldMiddle and foldLast give letters that sound alike, and are mistaken for each other, one shape:
// 되·돼·됐, 않·안, 베송·배송.
var (
	foldMiddle = map[rune]rune{'ㅐ': 'ㅔ', 'ㅒ': 'ㅖ', 'ㅙ': 'ㅚ', 'ㅞ': 'ㅚ'}
	foldLast   = map[rune]rune{'ㅆ': 'ㅅ', 'ㄶ': 'ㄴ', 'ㄲ': 'ㄱ'}
)

// fold writes what sounds alike alike, a syllable for a syllable.
func fold(r rune) rune {
	if !isSyllable(r) {
		return unicode.ToLower(r)
	}
	i, m, l := parts(r)
	if to, ok := foldMiddle[middles[m]]; ok {
		m = indexOf(middles, to)
	}
	if to, ok := foldLast[lasts[l]]; ok {
		l = indexOf(lasts, to)
	}
	return syllable(i, m, l)
}

func folded(text string) string { return strings.Map(fold, text) }

// letters takes a text apart into its letters: those of a syllable one by one, others as they are.
func letters(text string) []rune {
	all := make([]rune, 0, len(text))
	for _, r := range text {
		if !isSyllable(r) {
			all = append(all, r)
			continue
		}
		i, m, l := parts(r)
		all = append(all, initials[i], middles[m])
		if l > 0 {
			all = append(all, lasts[l])
		}
	}
	return all
}

// typed reads a word that was typed on the English keyboard as if it were the Korean one; ok is false when that
// is no word of whole syllables.
func typed(word string) (string, bool) {
	if len(word) < 4 {
		return "", false
	}
	keys := make([]rune, 0, len(word))
	for _, r := range word {
		letter, ok := keyboard[r]
		if !ok {
			return "", false
		}
		keys = append(keys, letter)
	}
	return compose(keys)
}

func indexOf(list []rune, r rune) int {
	for i, one := range list {
		if one == r {
			return i
		}
	}
	return -1
}

// compose puts letters together into syllables as a Korean keyboard does; ok is false when one is left over.
func compose(keys []rune) (text string, ok bool) {
	vowelAt := func(n int) bool { return n < len(keys) && indexOf(middles, keys[n]) >= 0 }
	joins := func(a rune, n int, list []rune) int {
		if n >= len(keys) {
			return -1
		}
		two, ok := twoKeys[string([]rune{a, keys[n]})]
		if !ok {
			return -1
		}
		return indexOf(list, two)
	}
	var b strings.Builder
	for i := 0; i < len(keys); {
		initial := indexOf(initials, keys[i])
		if initial < 0 || !vowelAt(i+1) {
			return "", false
		}
		middle, last := indexOf(middles, keys[i+1]), 0
		i += 2
		if two := joins(middles[middle], i, middles); two >= 0 {
			middle, i = two, i+1
		}
		if i < len(keys) && !vowelAt(i) && !vowelAt(i+1) {
			if n := indexOf(lasts, keys[i]); n > 0 {
				last, i = n, i+1
				if i < len(keys) && !vowelAt(i+1) {
					if two := joins(lasts[last], i, lasts); two > 0 {
						last, i = two, i+1
					}
				}
			}
		}
		b.WriteRune(syllable(initial, middle, last))
	}
	return b.String(), true
}

// longestText bounds what is looked at of a text, in bytes: more than anybody asks, or answers, at once.
const longestText = 1200

// wordsOf is what [plainWords] are, folded.
func wordsOf(text string) []string { return foldedAll(plainWords(text)...) }

// plainWords normalizes a text and takes it apart at what is neither letter nor digit. Slang is written out, what was
// typed on the wrong keyboard is put right, and laughter and tears are dropped.
func plainWords(text string) []string {
	if len(text) > longestText {
		text = text[:longestText]
		for !utf8.ValidString(text) && len(text) > longestText-utf8.UTFMax {
			text = text[:len(text)-1]
		}
	}
	text = width.Fold.String(norm.NFC.String(text))
	d := dictionary()
	var words []string
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		lower := strings.ToLower(word)
		if plain, known := d.slang[lower]; known {
			words = append(words, strings.Fields(plain)...)
			continue
		}
		if _, known := d.concepts[lower]; !known {
			if meant, ok := typed(word); ok {
				lower = meant
			} else if meant, ok := typed(lower); ok {
				lower = meant
			}
		}
		if plain := withoutNoise(together(lower)); plain != "" {
			words = append(words, plain)
		}
	}
	return words
}

// together puts letters that were typed apart into syllables: ㅂㅐ송비. Letters of laughter and tears alone, and
// initials (ㅂㅅㅂ), stay as they are.
func together(word string) string {
	if !strings.ContainsFunc(word, isJamo) {
		return word
	}
	var b strings.Builder
	for rest := []rune(word); len(rest) > 0; {
		n := 0
		for n < len(rest) && isJamo(rest[n]) {
			n++
		}
		if n == 0 {
			b.WriteRune(rest[0])
			rest = rest[1:]
			continue
		}
		run, laughs := rest[:n], 0
		for laughs < n && strings.ContainsRune(laughter, run[n-1-laughs]) {
			laughs++
		}
		if laughs == 1 && n > 1 && indexOf(middles, run[n-1]) >= 0 { // of a syllable
			laughs = 0
		}
		if text, ok := compose(run[:n-laughs]); ok {
			b.WriteString(text)
			run = run[n-laughs:]
		}
		b.WriteString(string(run))
		rest = rest[n:]
	}
	return b.String()
}

// laughter are letters of laughter and tears.
const laughter = "ㅋㅎㅠㅜㅡ"

// withoutNoise takes laughter and tears off a word, letters that stand alone beside syllables, and what is drawn out.
func withoutNoise(word string) string {
	hasSyllable := strings.ContainsFunc(word, isSyllable)
	var b strings.Builder
	var before rune
	for _, r := range word {
		if isJamo(r) && (hasSyllable || strings.ContainsRune(laughter, r)) {
			continue
		}
		if r == before && strings.ContainsRune("아어오우으이요용여", r) {
			continue
		}
		b.WriteRune(r)
		before = r
	}
	return b.String()
}
