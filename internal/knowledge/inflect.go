package knowledge

import (
	"strings"
	"unicode/utf8"
)

// inflected are the shapes that a variant has in a text. One that is written as a verb, with ~ behind its stem
// (바꾸~), has those in which the stem meets its endings: 바꾸, 바꾼, 바꿀, 바꿈, 바꿉, 바꿔, 바꿨. Others have one.
func inflected(variant string) []string {
	stem, verb := strings.CutSuffix(variant, "~")
	if !verb || stem == "" {
		return []string{variant}
	}
	head, last := cutLast(stem)
	if !isSyllable(last) {
		return []string{stem}
	}
	i, m, l := parts(last)
	shapes := []string{stem}
	add := func(r ...rune) { shapes = append(shapes, head+string(r)) }
	final := func(r rune) int { return indexOf(lasts, r) }
	vowel := func(r rune) int { return indexOf(middles, r) }
	silent := indexOf(initials, 'ㅇ')
	switch {
	case last == '하':
		add('한')
		add('할')
		add('함')
		add('합')
		add('해')
		add('했')
	case last == '르' && head != "":
		before, prev := cutLast(head)
		if isSyllable(prev) {
			pi, pm, _ := parts(prev)
			open := vowel('ㅓ')
			if middles[pm] == 'ㅏ' || middles[pm] == 'ㅗ' {
				open = vowel('ㅏ')
			}
			doubled := before + string(syllable(pi, pm, final('ㄹ')))
			shapes = append(shapes, doubled+string(syllable(indexOf(initials, 'ㄹ'), open, 0)), doubled+string(syllable(indexOf(initials, 'ㄹ'), open, final('ㅆ'))))
		}
		fallthrough
	case l == 0:
		for _, f := range "ㄴㄹㅁㅂ" {
			add(syllable(i, m, final(f)))
		}
		joined := -1
		switch middles[m] {
		case 'ㅜ':
			joined = vowel('ㅝ')
		case 'ㅗ':
			joined = vowel('ㅘ')
		case 'ㅣ':
			joined = vowel('ㅕ')
		case 'ㅡ':
			joined = vowel('ㅓ')
		case 'ㅚ':
			joined = vowel('ㅙ')
		case 'ㅏ', 'ㅓ', 'ㅐ', 'ㅔ', 'ㅕ':
			joined = m
		}
		if joined >= 0 {
			add(syllable(i, joined, 0))
			add(syllable(i, joined, final('ㅆ')))
			if middles[m] == 'ㅡ' {
				add(syllable(i, vowel('ㅏ'), 0))
				add(syllable(i, vowel('ㅏ'), final('ㅆ')))
			}
		}
	case lasts[l] == 'ㄹ': // 놀다: 노는, 논, 놉니다
		add(syllable(i, m, 0), '는')
		add(syllable(i, m, 0), '나')
		add(syllable(i, m, 0), '세')
		add(syllable(i, m, 0), '시')
		add(syllable(i, m, final('ㄴ')))
		add(syllable(i, m, final('ㅂ')))
	case lasts[l] == 'ㄷ': // 걷다: 걸어
		add(syllable(i, m, final('ㄹ')))
	case lasts[l] == 'ㅂ': // 덥다: 더워, 더운
		for _, f := range "\x00ㄴㄹㅁ" {
			add(syllable(i, m, 0), syllable(silent, vowel('ㅜ'), max(final(f), 0)))
		}
		for _, v := range "ㅝㅘ" {
			add(syllable(i, m, 0), syllable(silent, vowel(v), 0))
			add(syllable(i, m, 0), syllable(silent, vowel(v), final('ㅆ')))
		}
	}
	return shapes
}

// cutLast takes the last letter or syllable off.
func cutLast(text string) (head string, last rune) {
	last, n := utf8.DecodeLastRuneInString(text)
	return text[:len(text)-n], last
}
