package knowledge

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"
)

// Match is an item with how well it fits an utterance.
type Match struct {
	Item  int    // index in the items that the base was made of
	Score int    // 0 to 100
	Parts []Part // what the score is made of
	f     features
	q     *query  // what fits it: the utterance, or a part of a story
	rest  float64 // what the rest of the story adds to the logit
	logit float64
}

// Part is one thing that a score is made of: something measured, or what became of a word. The contributions of an
// item come to the log-odds of its score.
type Part struct {
	Name         string  `json:"name"`
	Value        float64 `json:"value"`        // a share, 0 to 1; of what is counted, up to 2; of the lead, from -1
	Contribution float64 `json:"contribution"` // what it adds to the log-odds of the score; 0 for a word
}

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

	hearsay       map[int32]float64 // how far things are asked for as far as that was heard elsewhere, 0 to 1
	first, second float64           // the most of these, and the next
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

// candidates are the docs that share the most with an utterance, at most so many.
func (b *Base) candidates(q *query, most int) []int32 {
	sum := make([]float32, len(b.docs))
	for _, s := range q.said {
		if s.num >= 0 {
			for _, doc := range b.posts[s.num] {
				sum[doc] += float32(s.tells)
			}
			for _, doc := range b.within[s.num] {
				sum[doc] += float32(s.tells * part)
			}
		}
		if s.num >= 0 && len(b.also[s.num]) <= len(b.docs)/4+10 {
			for _, doc := range b.also[s.num] {
				sum[doc] += float32(s.elsewhere * inTheAnswer)
			}
		}
		for _, id := range s.within {
			for _, doc := range b.posts[id] {
				sum[doc] += float32(s.tells * part)
			}
		}
		for _, c := range s.near {
			for _, doc := range b.posts[c.concept] {
				sum[doc] += float32(s.tells * c.share)
			}
		}
	}
	for _, p := range q.pairs {
		docs := b.pairs[p]
		if len(docs) > len(b.docs)/4+10 {
			continue
		}
		for _, doc := range docs {
			sum[doc] += 0.1
		}
	}
	var best []int32 // in order; most docs are no better than the last of them, and not looked at again
	for doc, s := range sum {
		if s == 0 || b.deaf != nil && b.deaf(int32(doc)) {
			continue
		}
		s /= 1 + float32(b.docs[doc].total)/4
		sum[doc] = s
		if len(best) == most && s <= sum[best[most-1]] {
			continue
		}
		at := sort.Search(len(best), func(i int) bool { return sum[best[i]] < s })
		if len(best) == most {
			best = best[:most-1]
		}
		best = slices.Insert(best, at, int32(doc))
	}
	return best
}

// storyTold is how many words that say something make a story, of which the question is but a part; inPart is how much the part
// tells, and the whole the rest.
const storyTold, inPart = 6, 0.2

// Match returns at most so many items that fit an utterance, best first, those that fit alike by question.
// An item that does not fit at all, with a score of 0, is left out.
func (b *Base) Match(utterance string, most int) []Match {
	all := b.rank(utterance)
	kept := all[:min(len(all), most)]
	for i := range kept {
		kept[i].Parts = b.parts(newWording(utterance), &kept[i])
	}
	return kept
}

// rank are the items that fit an utterance, best first, without their parts.
func (b *Base) rank(utterance string) []Match {
	words := wordsOf(utterance)
	return b.ranked(words, b.hearsay(words))
}

// ranked is rank with what is known by hearsay.
func (b *Base) ranked(words []string, hearsay hearsay) []Match {
	terms := question(words, &b.vocab)
	if len(terms) == 0 {
		return nil
	}
	saids := b.saids(terms)
	q := b.query(strings.Join(words, ""), terms, saids)
	b.hear(&q, hearsay)
	const looked = 50
	docs := b.candidates(&q, looked)
	for _, doc := range slices.Sorted(maps.Keys(hearsay)) {
		if doc != nothing && !slices.Contains(docs, doc) {
			docs = append(docs, doc)
		}
	}
	all := b.match(&q, docs)
	if q.told >= storyTold && b.heard != nil { // what was heard is short
		all = b.matchStory(all, &q, clauses(words), terms, saids, docs)
	}
	fits := all[:0]
	for _, m := range all {
		m.Score = int(100 / (1 + math.Exp(-m.logit)))
		if b.docs[m.Item].plain == q.plain {
			m.Score = 100
		}
		if m.Score > 0 {
			fits = append(fits, m)
		}
	}
	return fits
}

// hear has a query know what is asked by hearsay: for things, whichever way to ask for one that is.
func (b *Base) hear(q *query, hearsay hearsay) {
	q.hearsay = make(map[int32]float64, len(hearsay))
	for doc, far := range hearsay {
		thing := nothing
		if doc != nothing {
			thing = b.docs[doc].leads
		}
		q.hearsay[thing] = max(q.hearsay[thing], far)
	}
	for _, far := range q.hearsay {
		if far > q.first {
			q.first, q.second = far, q.first
		} else {
			q.second = max(q.second, far)
		}
	}
}

// match are docs as the items that fit a query, best first.
func (b *Base) match(q *query, docs []int32) (all []Match) {
	for _, doc := range docs {
		m := Match{Item: int(doc), f: b.compare(q, &b.docs[doc]), q: q}
		far := q.hearsay[b.docs[doc].leads]
		m.f[elsewhere] = math.Pow(far, 4) // what is not sure is no reason
		if m.f[elsewhereOther] = q.first; q.first > 0 && far == q.first {
			m.f[elsewhereOther] = q.second
		}
		for i, f := range m.f {
			m.logit += f * weights[i]
		}
		all = append(all, m)
	}
	slices.SortFunc(all, func(x, y Match) int {
		switch {
		case x.logit > y.logit:
			return -1
		case x.logit < y.logit:
			return 1
		}
		return strings.Compare(b.items[x.Item].Question, b.items[y.Item].Question)
	})
	thing := func(m Match) int32 { return b.docs[m.Item].leads }
	next := slices.IndexFunc(all, func(m Match) bool { return thing(m) != thing(all[0]) }) // the best that leads to another thing
	for i := range all {
		m := &all[i]
		const far = 3 // further before the next is no better
		rival := far * -10.0
		if b.echoes {
			// nobody is a rival: one and the same is asked in many words
		} else if thing(*m) != thing(all[0]) {
			rival = all[0].logit
		} else if next > 0 {
			rival = all[next].logit
		}
		m.f[lead] = math.Max(-far, math.Min(far, m.logit-rival)) / far
		m.f[longLead] = m.f[lead] * q.long
		m.f[lead] *= m.f[focus]
	}
	for i := range all {
		m := &all[i]
		m.logit += m.f[lead]*weights[lead] + m.f[longLead]*weights[longLead] + shift
	}
	return all
}

// matchStory are the items that fit a story, or some of its sentences better than the whole: the question is one of those.
func (b *Base) matchStory(all []Match, story *query, clauses []clause, terms []term, saids []said, docs []int32) []Match {
	whole := make(map[int]float64, len(all))
	for _, m := range all {
		whole[m.Item] = m.logit
	}
	for _, c := range clauses {
		var its []term
		var tell []said
		for i, t := range terms {
			if t.from >= c.from && t.to <= c.to {
				t.aside = false
				its, tell = append(its, t), append(tell, saids[i])
			}
		}
		setAside(its, c.words)
		q := b.query("", its, tell)
		q.hearsay, q.first, q.second = story.hearsay, story.first, story.second
		if q.told >= story.told || !slices.ContainsFunc(q.said, func(s said) bool { return s.kind == topic || s.kind == word }) {
			continue
		}
		better := map[int]Match{}
		for _, m := range b.match(&q, docs) {
			m.rest = (1 - inPart) * (whole[m.Item] - m.logit)
			m.logit += m.rest
			better[m.Item] = m
		}
		for i, m := range all {
			if o, is := better[m.Item]; is && o.logit > m.logit {
				all[i] = o
			}
		}
	}
	slices.SortStableFunc(all, func(x, y Match) int { return cmp.Compare(y.logit, x.logit) })
	return all
}

// parts are what a score is made of: first what was measured, then what became of each word.
func (b *Base) parts(wording wording, m *Match) (all []Part) {
	q := m.q
	for n, f := range m.f {
		p := Part{Name: featureNames[n], Value: f, Contribution: f * weights[n]}
		if n == always {
			p.Contribution += shift
		}
		if f != 0 {
			all = append(all, p)
		}
	}
	if m.rest != 0 {
		all = append(all, Part{Name: "the rest of the story", Value: 1, Contribution: m.rest})
	}
	d := &b.docs[m.Item]
	if d.plain == q.plain {
		all = append(all, Part{Name: "the question itself", Value: 1})
	}
	item := newWording(b.items[m.Item].Question)
	unsaid := make([]bool, len(d.terms))
	for i := range unsaid {
		unsaid[i] = true
	}
	for i := range q.said {
		s := &q.said[i]
		best, with := 0.0, ""
		for j := range d.terms {
			m := s.meets(&d.terms[j])
			if m > 0 {
				unsaid[j] = false
			}
			if m > best {
				best, with = m, item.of(d.terms[j].text)
			}
		}
		said := "said " + wording.of(s.text)
		also, spelt := b.alsoIn(s, d), inLetters*shared(s.pairs, d.pairs)
		switch {
		case spelt > max(best, also):
			all = append(all, Part{Name: said + ", in the letters of the question", Value: spelt})
		case best >= also && best > 0:
			all = append(all, Part{Name: said + ", in the question " + with, Value: best})
		case also > 0:
			all = append(all, Part{Name: said + ", in the answer or categories", Value: also})
		default:
			all = append(all, Part{Name: said + ", not in the item"})
		}
	}
	for j, is := range unsaid {
		if t := &d.terms[j]; is && t.weight > 0 && shared(t.pairs, q.pairs) == 0 {
			all = append(all, Part{Name: "not said: " + item.of(t.text)})
		}
	}
	return all
}
