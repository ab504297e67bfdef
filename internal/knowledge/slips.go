package knowledge

import (
	"hash/maphash"
	"slices"
	"strings"
)

// slips finds the known word that a mistyped one was meant as. Two words that differ by one letter left out, put
// in, changed, or by two that changed places have a shape in common when one letter is left out of either: those
// shapes are looked up (the idea is SymSpell's), and what they lead to is measured by [slip].
type slips struct {
	words  []string
	spelt  []rune  // letters of the words, one behind the other: a collector has one slice to look at, not so many
	ends   []int32 // where in spelt those of a word end
	shapes []shape // in order
}

type shape struct {
	hash uint64
	word int32
}

var shapeSeed = maphash.MakeSeed()

// fewestLetters that a word has if slips in it are looked for: 환불 has six, 주차 four.
const fewestLetters = 4

func newSlips(words []string) *slips {
	s := &slips{}
	for _, w := range words {
		l := letters(w)
		if len(l) < fewestLetters || len(l) > 24 {
			continue
		}
		s.words, s.spelt = append(s.words, w), append(s.spelt, l...)
		s.ends = append(s.ends, int32(len(s.spelt)))
	}
	s.shapes = make([]shape, 0, len(s.spelt)+len(s.words))
	for id := range int32(len(s.words)) {
		eachShape(s.lettersOf(id), func(h uint64) { s.shapes = append(s.shapes, shape{h, id}) })
	}
	slices.SortFunc(s.shapes, func(a, b shape) int {
		if a.hash != b.hash {
			if a.hash < b.hash {
				return -1
			}
			return 1
		}
		return int(a.word - b.word)
	})
	s.shapes = slices.Compact(s.shapes)
	return s
}

// lettersOf are those of a word.
func (s *slips) lettersOf(word int32) []rune {
	from := int32(0)
	if word > 0 {
		from = s.ends[word-1]
	}
	return s.spelt[from:s.ends[word]]
}

// eachShape calls do with the hash of letters, whole and with one of them left out.
func eachShape(l []rune, do func(uint64)) {
	var h maphash.Hash
	h.SetSeed(shapeSeed)
	for out := -1; out < len(l); out++ {
		h.Reset()
		for i, r := range l {
			if i != out {
				_, _ = h.Write([]byte{byte(r), byte(r >> 8)})
			}
		}
		do(h.Sum64())
	}
}

// nearest is the known word that letters were most likely meant as, and how far it is; ok is false when none is
// near enough.
func (s *slips) nearest(l []rune) (meant string, far float64, ok bool) {
	if len(l) < fewestLetters {
		return "", 0, false
	}
	best, most := int32(-1), 1.0
	if len(l) < 7 {
		most = 0.8 // in a short word only slips that are made often
	}
	if len(l) < 5 {
		most = 0.5
	}
	far = most + 1
	eachShape(l, func(h uint64) {
		at, _ := slices.BinarySearchFunc(s.shapes, h, func(one shape, h uint64) int {
			switch {
			case one.hash < h:
				return -1
			case one.hash > h:
				return 1
			}
			return 0
		})
		for ; at < len(s.shapes) && s.shapes[at].hash == h; at++ {
			w := s.shapes[at].word
			if w == best {
				continue
			}
			if d := slip(l, s.lettersOf(w)); d <= most && (d < far || d == far && w < best) {
				best, far = w, d
			}
		}
	})
	if best < 0 {
		return "", 0, false
	}
	return s.words[best], far, true
}

// alikeLetters are taken for each other most: by sound, by shape, or by shift.
var alikeLetters = pairsOf("ㅏㅑ ㅓㅕ ㅗㅛ ㅜㅠ ㅐㅔ ㅔㅖ ㅐㅒ ㅚㅙ ㅚㅞ ㅡㅜ ㅓㅗ ㅢㅣ ㅟㅣ ㅠㅟ ㅗㅜ ㅘㅏ ㅝㅓ ㅔㅓ ㅔㅣ ㅡㅓ ㅣㅡ ㅂㅃ ㅈㅉ ㄷㄸ ㄱㄲ ㅅㅆ ㄱㅋ ㄷㅌ ㅂㅍ ㅈㅊ ㄴㄶ ㄹㅀ ㄱㄺ ㅂㅄ ㄱㄳ ㄴㄵ ㄹㄻ ㄹㄼ ㅅㄳ ㄴㄹ")

// besideKeys are beside each other on the keyboard.
var besideKeys = pairsOf("ㅂㅈ ㅈㄷ ㄷㄱ ㄱㅅ ㅁㄴ ㄴㅇ ㅇㄹ ㄹㅎ ㅋㅌ ㅌㅊ ㅊㅍ ㅛㅕ ㅕㅑ ㅑㅐ ㅐㅔ ㅗㅓ ㅓㅏ ㅏㅣ ㅠㅜ ㅜㅡ ㅂㅁ ㅈㄴ ㄷㅇ ㄱㄹ ㅅㅎ ㅁㅋ ㄴㅌ ㅇㅊ ㄹㅍ ㅗㅠ ㅓㅜ ㅏㅡ ㅕㅓ ㅑㅏ ㅛㅗ ㅐㅣ ㅣㅔ")

func pairsOf(list string) map[[2]rune]bool {
	pairs := map[[2]rune]bool{}
	for _, p := range strings.Fields(list) {
		r := []rune(p)
		pairs[[2]rune{r[0], r[1]}], pairs[[2]rune{r[1], r[0]}] = true, true
	}
	return pairs
}

// slip is how unlikely it is that a was typed for b: 0 when they are the same, up to 1 for one slip, more for more.
func slip(a, b []rune) float64 {
	const many = 2
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	j := 0
	for j < min(len(a), len(b))-i && a[len(a)-1-j] == b[len(b)-1-j] {
		j++
	}
	x, y := a[i:len(a)-j], b[i:len(b)-j]
	switch {
	case len(x) == 0 && len(y) == 0:
		return 0
	case len(x)+len(y) == 1: // one left out or put in
		if i == 0 {
			return 1
		}
		return 0.8
	case len(x) == 1 && len(y) == 1:
		p := [2]rune{x[0], y[0]}
		switch {
		case alikeLetters[p]:
			return 0.5
		case besideKeys[p]:
			return 0.7
		case i == 0:
			return 1.1 // hardly anybody mistakes the first letter
		}
		return 1
	case len(x) == 2 && len(y) == 2 && x[0] == y[1] && x[1] == y[0]:
		return 0.7
	}
	return many
}
