package knowledge

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// said is a part of an utterance with what it tells.
type said struct {
	term
	num       int32 // id in the base
	tells     float64
	elsewhere float64 // the same, where the answer or the categories say it
	same      float64 // the same, where it is written the same
	odd       float64 // how much it weighs against an item that does not speak of it
	near      []credit
	pairs     []uint64 // of its syllables
	stem      string   // its text without a particle
	rareText  float64  // how rare it is in the questions as it is written, 0 to 1
}

// query is an utterance as it is matched.
type query struct {
	plain string
	said  []said
	total float64
	pairs []uint64
	told  float64 // words that say something
	long  float64 // how much was said: 0 for a few words, 1 for a story

	meant nearness
}

// query makes a query of terms; saids are what they tell.
func (b *Base) query(plain string, terms []term, saids []said) query {
	q := query{plain: plain, pairs: pairsIn(terms)}
	for i, t := range terms {
		if !t.tells() {
			continue
		}
		one := saids[i]
		if one.aside = t.aside; t.aside {
			one.tells, one.same = one.tells*inSpeech, one.same*inSpeech
		}
		if n := slices.IndexFunc(q.said, func(o said) bool { return o.key == t.key }); n >= 0 {
			if q.said[n].aside && !t.aside { // what is asked for again is not by the way
				q.said[n] = one
			}
			continue
		}
		q.said = append(q.said, one)
		if t.kind != setting {
			q.told++
		}
	}
	for i := range q.said {
		q.total += q.said[i].tells
	}
	const few, many = 3, 8 // words that say something
	q.long = min(1, max(0, (q.told-few)/(many-few)))
	return q
}

// tells reports whether a term says anything of what is asked for.
func (t *term) tells() bool {
	return t.kind != filler && t.kind != polite && (t.kind != number || len(t.within) > 0)
}

// inSpeech is how much of a word tells that is said on the way to the question.
const inSpeech = 0.6

// saids are what terms of an utterance tell.
func (b *Base) saids(terms []term) []said {
	all := make([]said, len(terms))
	for i, t := range terms {
		if t.tells() {
			all[i] = b.said(t)
		}
	}
	return all
}

// said weighs a term of an utterance.
func (b *Base) said(t term) said {
	d := dictionary()
	const (
		loneSyllable = 0.15 // of a word that nobody knows
		inParts      = 0.8  // of a variant whose parts stand apart: other words may be meant
		saidAllOver  = 0.4  // of what the whole base speaks of
	)
	s := said{term: t, num: b.id(t), tells: 1, elsewhere: 1, near: d.near[t.id], pairs: pairsIn([]term{t})}
	if s.num >= 0 {
		s.tells, s.elsewhere = b.rare[s.num], b.rareIn[s.num]
	}
	if t.kind == topic || t.kind == word {
		s.stem = withoutParticle(t.text)
		s.rareText = b.rareWritten(s.stem)
	}
	s.same = max(s.tells, b.texts[t.text]) * tells[t.kind]
	s.tells *= tells[t.kind]
	s.odd = odd[t.kind]
	if w, ok := d.weights[t.id]; ok && t.kind == topic {
		s.odd = w
	}
	if t.kind == word && utf8.RuneCountInString(t.text) == 1 {
		s.tells, s.same, s.odd = loneSyllable, loneSyllable, loneSyllable
	}
	if s.num >= 0 && b.usual[s.num] {
		s.odd *= saidAllOver
	}
	if strings.Contains(t.text, gap) {
		s.tells, s.same, s.odd = s.tells*inParts, s.same*inParts, s.odd*inParts/2
	}
	return s
}

// withoutParticle is a word without the particle that it ends with.
func withoutParticle(text string) string {
	head, last := cutLast(text)
	if utf8.RuneCountInString(head) > 1 && strings.ContainsRune("은는이가을를도", last) {
		return head
	}
	return text
}

// rareWritten is how rare a text is in the questions as it is written, 0 to 1: 0 where none has it.
func (b *Base) rareWritten(text string) float64 {
	var fewest []int32
	before := rune(0)
	for _, r := range text {
		if before != 0 {
			docs := b.pairs[uint64(before)<<32|uint64(r)]
			if len(docs) == 0 {
				return 0
			}
			if fewest == nil || len(docs) < len(fewest) {
				fewest = docs
			}
		}
		before = r
	}
	var docs []int32
	for _, d := range fewest {
		if strings.Contains(b.docs[d].plain, text) {
			docs = append(docs, d)
		}
	}
	if len(docs) == 0 {
		return 0
	}
	return b.rarity(b.thingsIn(docs))
}
