package knowledge

import (
	"math"
	"slices"
	"sync"
	"unicode"
	"unicode/utf8"
)

// What reading a part of a text in some way costs: the cheapest reading of the whole is taken. A word that is known
// costs less than letters that are not, one long word less than two short ones.
const (
	costKnown       = 1.0  // a variant of the dictionary, or a word of the base
	costSyllable    = 0.3  // more for one of a single syllable
	costBehind      = 0.1  // more for one right behind another in the same word
	costMiddle      = 0.8  // more for one in the middle of an unknown word
	costElsewhere   = 0.25 // more for one that the base does not speak of
	costSpace       = 0.2  // more for each space that a variant is written over
	costSlip        = 0.5  // more for a variant with a slip in it, and
	costFar         = 0.6  // as much again as it is far
	costStopword    = 0.5
	costEnding      = 0.3
	costSuffix      = 0.5 // a syllable that is put behind a noun
	costEndingMore  = 0.2 // more for an ending that ends before the word does
	costEndingAlone = 0.5 // more for an ending with a space before it
	costUnknown     = 1.9 // an unknown word, and
	costSecond      = 0.2 // its second syllable: few words have one only
	costMore        = 0.4 // each syllable behind the second
	costLone        = 0.6 // an ending behind an unknown word of one syllable, more
	costNumber      = 0.3
)

// What was read last, while a text is read.
const (
	atStart = iota // nothing, or a word that is over
	afterKnown
	afterEnding
	afterFirst // one unknown syllable
	afterUnknown
	states
)

// step is how a place in a text was reached: the cheapest way.
type step struct {
	cost  float64
	from  int // byte
	state int // at from
	read  reading
	key   string
	id    int32
}

type reading uint8

const (
	readNothing reading = iota
	readKnown
	readStopword
	readEnding
	readUnknown
	readNumber
)

// read takes words apart. Those of the base are known beside those of the dictionary; nil for none.
func read(words []string, base *vocabulary) []term {
	t := newText(words)
	if t.all == "" {
		return nil
	}
	steps := stepsPool.Get().(*[][states]step)
	defer stepsPool.Put(steps)
	t.read(base, steps)
	if base != nil && base.slips != nil && t.mark(*steps) {
		t.read(base, steps)
	}
	terms := t.terms(*steps)
	setAside(terms, words)
	return terms
}

var stepsPool = sync.Pool{New: func() any { return new([][states]step) }}

// read finds the cheapest reading of every place from every state.
func (t *text) read(base *vocabulary, into *[][states]step) {
	d := dictionary()
	*into = slices.Grow((*into)[:0], len(t.all)+1)[:len(t.all)+1]
	steps := *into
	for i := range steps {
		for s := range steps[i] {
			steps[i][s].cost = math.Inf(1)
		}
	}
	steps[0][atStart].cost = 0
	for i := 0; i < len(t.all); i++ {
		if !utf8.RuneStart(t.all[i]) {
			continue
		}
		for state := range steps[i] {
			if math.IsInf(steps[i][state].cost, 1) {
				continue
			}
			t.readFrom(i, state, steps, d, base)
		}
	}
}

func (t *text) readFrom(i, state int, steps [][states]step, d *lexicon, base *vocabulary) {
	start := t.starts[i]
	take := func(to, into int, cost float64, read reading, key string, id int32) {
		if t.starts[to] && (into == afterFirst || into == afterUnknown) {
			into = atStart // a word that nobody knows ends with its letters
		}
		if cost += steps[i][state].cost; cost < steps[to][into].cost {
			steps[to][into] = step{cost, i, state, read, key, id}
		}
	}
	first, size := utf8.DecodeRuneInString(t.all[i:])
	word := t.next[i]

	if unicode.IsDigit(first) {
		to := i
		for to < len(t.all) && t.all[to] >= '0' && t.all[to] <= '9' && (to == i || !t.starts[to]) {
			to++
		}
		if to == i {
			to += size
		}
		for n := 2; n >= 0; n-- { // syllables of the unit
			if end := after(t.all, to, n); n == 0 || end > to && d.units[t.all[to:end]] != nil {
				to = end
				break
			}
		}
		take(to, afterKnown, costNumber, readNumber, t.all[i:to], -1)
	}
	unknown := state == afterFirst || state == afterUnknown
	for to, n := i, 1; to < min(word, i+maxEnding); n++ {
		_, more := utf8.DecodeRuneInString(t.all[to:])
		to += more
		part := t.all[i:to]
		if d.stopwords[part] && !unknown {
			switch {
			case start && to == word:
				take(to, atStart, costStopword, readStopword, "", -1)
			case n > 1: // 어떻게해요 without a space
				take(to, afterEnding, costStopword+costEndingMore, readStopword, "", -1)
			}
		}
		if d.endings[part] && (!start || state != atStart && to == word) {
			cost := costEnding
			if to < word {
				cost += costEndingMore
			}
			if start {
				cost += costEndingAlone
			}
			if state == afterFirst {
				cost += costLone
			}
			take(to, afterEnding, cost, readEnding, "", -1)
		}
	}

	if state == afterKnown && !start {
		if id, ok := d.suffixes[first]; ok && (i+size == word || d.endingsFollow(t.all[i+size:word])) {
			if id < 0 {
				take(i+size, afterEnding, costSuffix, readEnding, "", -1)
			} else {
				take(i+size, afterKnown, costSuffix, readKnown, "#"+d.names[id], id)
			}
		}
	}

	known := func(to int, cost float64, key string, id int32) {
		if n := t.spaces(i, to); n > 0 {
			if !start {
				return
			}
			cost += float64(n) * costSpace
		}
		if !start {
			if unknown {
				cost += costMiddle
			} else {
				cost += costBehind
			}
		}
		if to == i+size {
			if !start || to < word && !d.endingsFollow(t.all[to:word]) {
				return // one syllable is too little to be found inside of a word
			}
			cost += costSyllable
		}
		take(to, afterKnown, costKnown+cost, readKnown, key, id)
	}
	most := d.longest[first]
	if base != nil {
		most = max(most, base.longest[first])
	}
	for to := i + size; to <= min(len(t.all), i+most); {
		part := t.all[i:to]
		if id, ok := d.concepts[part]; ok {
			id, cost := base.meaning(id, d.meanings[part], d)
			known(to, cost, "#"+d.names[id], id)
		} else if base != nil && base.words[part] {
			known(to, 0, part, -1)
		}
		if to == len(t.all) {
			break
		}
		_, n := utf8.DecodeRuneInString(t.all[to:])
		to += n
	}
	if t.doubt[i] && !unknown {
		t.readSlips(i, d, base, known, func(cost float64) { take(word, atStart, costStopword+cost, readStopword, "", -1) })
	}

	cost, into := costUnknown, afterFirst
	if !start && unknown {
		cost, into = costMore, afterUnknown
		if state == afterFirst {
			cost = costSecond
		}
	}
	if first < utf8.RuneSelf {
		for size < word-i && t.all[i+size] < utf8.RuneSelf { // a word in Latin letters is one
			size++
		}
		into = afterUnknown
	}
	take(i+size, into, cost, readUnknown, "", -1)
}

// readSlips looks for known words that what stands at a place may have been meant as.
func (t *text) readSlips(i int, d *lexicon, base *vocabulary, known func(to int, cost float64, key string, id int32), filler func(cost float64)) {
	const fewest, most = 2, 7 // syllables
	n := 0
	if word := t.all[i:t.next[i]]; t.starts[i] {
		if l := letters(word); len(l) >= 5 && !d.stopwords[word] && !d.endings[word] {
			if _, far, ok := d.fillers.nearest(l); ok {
				filler(costSlip + costFar*far)
			}
		}
	}
	for to := i; to < t.next[i] && n < most; {
		_, size := utf8.DecodeRuneInString(t.all[to:])
		to, n = to+size, n+1
		if n < fewest || d.stopwords[t.all[i:to]] || d.endings[t.all[i:to]] {
			continue
		}
		l := letters(t.all[i:to])
		if meant, far, ok := base.slips.nearest(l); ok {
			key, id := meant, int32(-1)
			if c, isConcept := d.concepts[meant]; isConcept {
				key, id = "#"+d.names[c], c
			}
			known(to, costSlip/2+costFar*far, key, id)
		}
		if meant, far, ok := d.slips.nearest(l); ok {
			id := d.concepts[meant]
			known(to, costSlip+costFar*far, "#"+d.names[id], id)
		}
	}
}

// endingsFollow reports whether a rest of a word is endings, as far as one can tell from two of them.
func (d *lexicon) endingsFollow(rest string) bool {
	if d.endings[rest] {
		return true
	}
	for i := range rest {
		if i > 0 && d.endings[rest[:i]] && d.endings[rest[i:]] {
			return true
		}
	}
	return false
}

// after is where so many letters or syllables behind a place end.
func after(text string, from, n int) int {
	for ; n > 0 && from < len(text); n-- {
		_, size := utf8.DecodeRuneInString(text[from:])
		from += size
	}
	return from
}

func foldedAll(words ...string) []string {
	for i, w := range words {
		words[i] = folded(w)
	}
	return words
}
