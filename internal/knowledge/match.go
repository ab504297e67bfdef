package knowledge

import (
	"cmp"
	"math"
	"slices"
	"sort"
	"strings"
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
		if s == 0 {
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
	terms := question(words, &b.vocab)
	if len(terms) == 0 {
		return nil
	}
	saids := b.saids(terms)
	q := b.query(strings.Join(words, ""), terms, saids)
	const looked = 50
	docs := b.candidates(&q, looked)
	q.meant = b.nearnessTo(words)
	for _, doc := range q.meant.nearest() {
		if !slices.Contains(docs, doc) {
			docs = append(docs, doc)
		}
	}
	all := b.match(&q, docs)
	if q.told >= storyTold {
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

// match are docs as the items that fit a query, best first.
func (b *Base) match(q *query, docs []int32) (all []Match) {
	for _, doc := range docs {
		m := Match{Item: int(doc), f: b.compare(q, &b.docs[doc]), q: q}
		m.f[sense] = math.Max(0, float64(q.meant.of[doc]))
		m.f[oddSense] = m.f[sense] * m.f[oddShare]
		m.f[senseLead] = q.meant.ahead(doc, b.docs[doc].leads)
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
		if thing(*m) != thing(all[0]) {
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
		q.meant = story.meant
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
