package knowledge

import "strings"

// text is words put together, with the places at which they begin.
type text struct {
	all    string
	starts []bool // by byte; the end of the text is a start too
	next   []int  // by byte: where the next word begins
	doubt  []bool // by byte: the word there was not understood, look for slips
}

func newText(words []string) *text {
	t := &text{all: strings.Join(words, "")}
	t.starts, t.next, t.doubt = make([]bool, len(t.all)+1), make([]int, len(t.all)+1), make([]bool, len(t.all)+1)
	at := 0
	for _, w := range words {
		t.starts[at] = true
		for i := at; i < at+len(w); i++ {
			t.next[i] = at + len(w)
		}
		at += len(w)
	}
	t.starts[at], t.next[at] = true, at
	return t
}

// spaces counts the spaces between two places, their own left out.
func (t *text) spaces(from, to int) (n int) {
	for i := t.next[from]; i < to; i = t.next[i] {
		n++
	}
	return n
}
