package knowledge

import (
	"slices"
	"strings"
)

// term is a part of a text that says something.
type term struct {
	text   string // as written, folded
	key    string // what stands for it: the name of a concept after #, or the word
	id     int32  // of the concept, -1 for none
	kind   kind
	within []int32 // concepts of the words that it is put together of
	from   int     // bytes of the text, without spaces
	to     int
	aside  bool // said on the way to the question, in a clause before it
}

// termsOf takes a text apart into what it says.
func termsOf(s string) []term {
	return read(wordsOf(s), nil)
}

// question takes the words of a question, or of an utterance, apart into what they say, in one piece or apart from
// each other.
func question(words []string, base *vocabulary) []term {
	terms, t, d := read(words, base), newText(words), dictionary()
	for _, i := range d.apartIn(t) {
		a := &d.apart[i]
		if !base.speaksOf(a.concept) || slices.ContainsFunc(terms, func(o term) bool { return o.id == a.concept }) {
			continue
		}
		if from, to, ok := a.in(t, d); ok {
			terms = append(terms, term{text: strings.Join(a.parts, gap), key: "#" + d.names[a.concept], id: a.concept, kind: d.kinds[a.concept], from: from, to: to})
		}
	}
	promote(terms)
	return terms
}

// promote makes topics of the everyday words of a text that has no other: 커플, 밤에 사람이 있나요.
func promote(terms []term) {
	for _, t := range terms {
		if t.kind == topic || t.kind == word {
			return
		}
	}
	for i := range terms {
		if terms[i].kind == setting || terms[i].kind == plain {
			terms[i].kind = topic
		}
	}
}

// end is the state in which the whole text is read most cheaply.
func end(steps [][states]step) int {
	best := 0
	last := steps[len(steps)-1]
	for s := range last {
		if last[s].cost < last[best].cost {
			best = s
		}
	}
	return best
}

// walk calls do with the steps of the cheapest reading, last first.
func walk(steps [][states]step, do func(from, to int, s step)) {
	at, state := len(steps)-1, end(steps)
	for at > 0 {
		s := steps[at][state]
		do(s.from, at, s)
		at, state = s.from, s.state
	}
}

// mark marks the words that were not understood; it reports whether there are any.
func (t *text) mark(steps [][states]step) (any bool) {
	walk(steps, func(from, to int, s step) {
		if s.read != readUnknown {
			return
		}
		any = true
		begin := from
		for begin > 0 && !t.starts[begin] {
			begin--
		}
		for i := begin; i < t.next[from]; i++ {
			t.doubt[i] = true
		}
	})
	return any
}

// terms are what the cheapest reading says.
func (t *text) terms(steps [][states]step) []term {
	d := dictionary()
	var back []term
	unknownTo := -1
	walk(steps, func(from, to int, s step) {
		one := term{text: t.all[from:to], key: s.key, id: s.id, kind: filler, from: from, to: to}
		switch s.read {
		case readKnown:
			one.kind = word
			if s.id >= 0 {
				one.kind = d.kinds[s.id]
				one.within = d.within[one.text]
				if first, ok := d.concepts[one.text]; ok && first != s.id {
					one.within = append([]int32{first}, one.within...)
				}
			}
		case readNumber:
			one.kind, one.id = number, -1
			one.within = d.units[strings.TrimLeft(one.text, "0123456789")]
		case readUnknown:
			one.kind = word
			if n := len(back); n > 0 && unknownTo == to && !t.starts[to] { // syllables of one word
				one.text += back[n-1].text
				one.to = back[n-1].to
				back = back[:n-1]
			}
			unknownTo = from
			one.key = one.text
			if d.stopwords[one.text] || d.endings[one.text] {
				one.kind = filler
			}
		}
		back = append(back, one)
	})
	terms := make([]term, 0, len(back))
	for i := len(back) - 1; i >= 0; i-- {
		terms = append(terms, back[i])
	}
	return terms
}
