package knowledge

import "strings"

// wording is how a text is written, to be read by people: terms are folded, and without spaces.
type wording struct {
	plain  []string // words
	folded string   // the same, put together
}

func newWording(text string) wording {
	s := wording{plain: plainWords(text)}
	s.folded = folded(strings.Join(s.plain, ""))
	return s
}

// of is a term of the text as it is written there.
func (s wording) of(term string) string {
	if head, tail, apart := strings.Cut(term, gap); apart {
		return s.of(head) + gap + s.of(tail)
	}
	at := strings.Index(s.folded, term)
	if at < 0 {
		return term
	}
	from := len([]rune(s.folded[:at])) // a letter folds to a letter
	left := len([]rune(term))
	var b strings.Builder
	for _, word := range s.plain {
		for i, r := range []rune(word) {
			switch {
			case from > 0:
				from--
				continue
			case left == 0:
				return b.String()
			case i == 0 && b.Len() > 0:
				b.WriteByte(' ')
			}
			b.WriteRune(r)
			left--
		}
	}
	return b.String()
}
