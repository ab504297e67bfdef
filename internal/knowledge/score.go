package knowledge

import (
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// Match is an item with how well it fits an utterance.
type Match struct {
	Item  int    // index in the items that the base was made of
	Score int    // 0 to 100
	Parts []Part // what the score is made of
	f     features
	logit float64
}

// Part is one thing that a score is made of: something measured, or what became of a word. The contributions of an
// item come to the log-odds of its score.
type Part struct {
	Name         string
	Value        float64 // a share, 0 to 1; of what is counted, up to 2; of the lead, from -1
	Contribution float64 // what it adds to the log-odds of the score; 0 for a word
}

// What is measured of an utterance and an item. Topics are words of the dictionary that a question may be about, and
// words that no dictionary has; the rest is everyday words, times and people, and what is asked: when, where.
const (
	always       = iota // 1
	explained           // share of what was said that the question says too
	covered             // share of the question that was said
	bestWord            // how much the topic tells that they share and that tells most
	sharedTopics        // how much the topics tell that they share
	sharedRest          // the same of the rest
	inAnswer            // topics that the answer or the categories speak of, and the question does not
	oddTopic            // topics of the dictionary that the item does not speak of
	oddWord             // unknown words that it does not speak of
	oddRest             // the rest that it does not speak of
	oddAside            // topics said on the way to the question that it does not speak of
	otherAsk            // it is asked when, where or why, and the question asks something else
	missingTopic        // topics of the question that were not said
	missingRest         // the rest of the question that was not said
	spelling            // the pairs of syllables that they share
	bare                // one topic was said, and it is in the question
	focus               // share of the topics in the question itself, what leads to it left out, that the item speaks of
	lead                // how far the item is before the next best
	size
)

type features [size]float64

var featureNames = [size]string{
	always: "always", explained: "said, in the question", covered: "in the question, said", bestWord: "best word in common", sharedTopics: "topics in common",
	sharedRest: "other words in common", inAnswer: "topics in answer or categories", oddTopic: "topics not in the item", oddWord: "unknown words",
	oddRest: "other words not in the item", oddAside: "by the way, not in the item", otherAsk: "asks another thing", missingTopic: "topics not said",
	missingRest: "other words not said", spelling: "spelt alike", bare: "one word", focus: "topics asked for, in the item", lead: "before the next",
}

// weights are fitted to the suites in testdata by TestFit.
var weights = features{
	always:       -2.05,
	explained:    0.31,
	covered:      1.16,
	bestWord:     0.29,
	sharedTopics: 0.78,
	sharedRest:   0.42,
	inAnswer:     1.66,
	oddTopic:     -0.99,
	oddWord:      -0.30,
	oddRest:      0.37,
	oddAside:     -0.34,
	otherAsk:     -0.41,
	missingTopic: -0.18,
	missingRest:  0.26,
	spelling:     0.77,
	bare:         0.06,
	focus:        0.39,
	lead:         2.43,
}

// shift makes the odds stricter than those of the suites: a wrong answer is worse than none.
const shift = -0.4

// said is a part of an utterance with what it tells.
type said struct {
	term
	num       int32 // id in the base
	tells     float64
	elsewhere float64 // the same, where the answer or the categories say it
	same      float64 // the same, where it is written the same
	odd       float64 // how much it weighs against an item that does not speak of it
	near      []credit
}

// query is an utterance as it is matched.
type query struct {
	plain string
	said  []said
	total float64
	pairs []uint64
}

func (b *Base) query(utterance string) query {
	words := wordsOf(utterance)
	terms := question(words, &b.vocab)
	q := query{plain: strings.Join(words, ""), pairs: pairsIn(terms)}
	for _, t := range terms {
		if t.kind == filler || t.kind == polite || t.kind == number && len(t.within) == 0 ||
			slices.ContainsFunc(q.said, func(o said) bool { return o.key == t.key }) {
			continue
		}
		one := b.said(t)
		q.said = append(q.said, one)
		q.total += one.tells
	}
	return q
}

// said weighs a term of an utterance.
func (b *Base) said(t term) said {
	d := dictionary()
	const (
		loneSyllable = 0.15 // of a word that nobody knows
		inSpeech     = 0.6  // of what is said on the way to the question
		saidAllOver  = 0.4  // of what the whole base speaks of
	)
	s := said{term: t, num: b.id(t), tells: 1, elsewhere: 1, near: d.near[t.id]}
	if s.num >= 0 {
		s.tells, s.elsewhere = b.rare[s.num], b.rareIn[s.num]
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
	if t.aside {
		s.tells, s.same = s.tells*inSpeech, s.same*inSpeech
	}
	return s
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
	var found []int32
	for doc, s := range sum {
		if s > 0 {
			sum[doc] = s / (1 + float32(b.docs[doc].total)/4)
			found = append(found, int32(doc))
		}
	}
	slices.SortFunc(found, func(x, y int32) int {
		switch {
		case sum[x] > sum[y]:
			return -1
		case sum[x] < sum[y]:
			return 1
		}
		return int(x - y)
	})
	return found[:min(len(found), most)]
}

// Match returns at most so many items that fit an utterance, best first, those that fit alike by question.
// An item that does not fit at all, with a score of 0, is left out.
func (b *Base) Match(utterance string, most int) []Match {
	q := b.query(utterance)
	if len(q.plain) == 0 {
		return nil
	}
	const looked = 50
	var all []Match
	for _, doc := range b.candidates(&q, looked) {
		m := Match{Item: int(doc), f: b.compare(&q, &b.docs[doc])}
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
	for i := range all {
		m := &all[i]
		const far = 3 // further before the next is no better
		rival := far * -10.0
		if i > 0 {
			rival = all[0].logit
		} else if len(all) > 1 {
			rival = all[1].logit
		}
		m.f[lead] = math.Max(-far, math.Min(far, m.logit-rival)) / far
	}
	kept := all[:0]
	for i := range all {
		m := &all[i]
		m.logit += m.f[lead]*weights[lead] + shift
		m.Score = int(100 / (1 + math.Exp(-m.logit)))
		if b.docs[m.Item].plain == q.plain {
			m.Score = 100
		}
		if m.Score > 0 && len(kept) < most {
			m.Parts = b.parts(&q, m)
			kept = append(kept, *m)
		}
	}
	return kept
}

// parts are what a score is made of: first what was measured, then what became of each word.
func (b *Base) parts(q *query, m *Match) (all []Part) {
	for n, f := range m.f {
		p := Part{Name: featureNames[n], Value: f, Contribution: f * weights[n]}
		if n == always {
			p.Contribution += shift
		}
		if f != 0 {
			all = append(all, p)
		}
	}
	d := &b.docs[m.Item]
	if d.plain == q.plain {
		all = append(all, Part{Name: "the question itself", Value: 1})
	}
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
				best, with = m, d.terms[j].text
			}
		}
		switch also := b.alsoIn(s, d); {
		case best >= also && best > 0:
			all = append(all, Part{Name: "said " + s.text + ", in the question " + with, Value: best})
		case also > 0:
			all = append(all, Part{Name: "said " + s.text + ", in the answer or categories", Value: also})
		default:
			all = append(all, Part{Name: "said " + s.text + ", not in the item"})
		}
	}
	for j, is := range unsaid {
		if is && d.terms[j].weight > 0 {
			all = append(all, Part{Name: "not said: " + d.terms[j].text})
		}
	}
	return all
}

// part is how far one word of those that a word is put together of stands for it.
const part = 0.7

// otherWay is how far a word of the same meaning, or near to it, stands for one that is written otherwise.
const otherWay = 0.95

// meets is how far what was said meets a term of a question.
func (s *said) meets(t *docTerm) float64 {
	if s.num == t.id && s.num >= 0 {
		return 1
	}
	best := 0.0
	if slices.Contains(t.within, s.num) || slices.Contains(s.within, t.id) {
		best = part
	}
	for _, c := range s.near {
		if c.concept == t.id {
			best = max(best, c.share)
		}
		if slices.Contains(t.within, c.concept) {
			best = max(best, c.share*part)
		}
	}
	for _, id := range s.within {
		if slices.Contains(t.within, id) {
			best = max(best, part*part)
		}
	}
	if best > 0 {
		return best
	}
	if t.kind == word && s.kind == word && utf8.RuneCountInString(s.text) > 1 {
		if strings.HasPrefix(t.text, s.text) || strings.HasSuffix(t.text, s.text) || strings.HasPrefix(s.text, t.text) || strings.HasSuffix(s.text, t.text) {
			return 0.7
		}
	}
	return 0
}

func has(ids []int32, id int32) bool {
	_, ok := slices.BinarySearch(ids, id)
	return ok
}

func (b *Base) compare(q *query, d *doc) (f features) {
	f[always] = 1
	unsaid := make([]float64, len(d.terms)) // how far each term of the question was not said yet
	for i := range unsaid {
		unsaid[i] = 1
	}
	share, asked := 0.0, 0.0
	topics, met := 0, 0
	for i := range q.said {
		s := &q.said[i]
		best, told := 0.0, 0.0
		for j := range d.terms {
			t := &d.terms[j]
			m := s.meets(t)
			if m == 1 && s.text == t.text {
				told = max(told, s.same)
			} else {
				m *= otherWay
				told = max(told, s.tells*m)
			}
			best = max(best, m)
			unsaid[j] *= 1 - m
		}
		also := b.alsoIn(s, d)
		lost := s.odd * (1 - max(best, also))
		share += told
		isTopic := s.kind == topic || s.kind == word
		if isTopic {
			topics++
			if best > 0 {
				met++
			}
			f[bestWord] = max(f[bestWord], told)
			f[sharedTopics] += told
			f[inAnswer] += s.elsewhere * max(0, also-best)
		} else {
			f[sharedRest] += told
		}
		if isTopic && !s.aside {
			asked += s.odd
			f[focus] += s.odd * max(best, also)
		}
		switch {
		case isTopic && s.aside:
			f[oddAside] += lost
		case s.kind == topic:
			f[oddTopic] += lost
		case s.kind == word:
			f[oddWord] += lost
		case s.kind == ask && best == 0:
			f[otherAsk] += lost
		default:
			f[oddRest] += lost
		}
	}
	if asked > 0 {
		f[focus] /= asked
	}
	if q.total > 0 {
		f[explained] = share / q.total
	}
	said := 0.0
	for i, t := range d.terms {
		said += t.weight * (1 - unsaid[i])
		if b.isTopic(t.id) {
			f[missingTopic] += t.weight * unsaid[i]
		} else {
			f[missingRest] += t.weight * unsaid[i]
		}
	}
	if d.total > 0 {
		f[covered] = said / d.total
	}
	common := 0
	for _, p := range q.pairs {
		if _, ok := slices.BinarySearch(d.pairs, p); ok {
			common++
		}
	}
	if n := len(q.pairs) + len(d.pairs); n > 0 {
		f[spelling] = 2 * float64(common) / float64(n)
	}
	if topics == 1 && met == 1 {
		f[bare] = 1
	}
	const most = 2 // more of the same says no more
	for _, n := range []int{sharedTopics, sharedRest, inAnswer, oddTopic, oddWord, oddRest, oddAside, otherAsk, missingTopic, missingRest} {
		f[n] = min(f[n], most)
	}
	return f
}

// What the categories and the answer of an item say stands for what its question says so far.
const inCategory, inTheAnswer = 0.7, 0.6

// alsoIn is how far the categories or the answer of an item speak of what was said.
func (b *Base) alsoIn(s *said, d *doc) float64 {
	if s.num >= 0 {
		switch {
		case has(d.category, s.num):
			return inCategory
		case has(d.answer, s.num):
			return inTheAnswer
		}
	}
	for _, id := range s.within {
		if has(d.category, id) || has(d.answer, id) {
			return inTheAnswer * part
		}
	}
	for _, c := range s.near {
		if c.share >= 0.5 && (has(d.category, c.concept) || has(d.answer, c.concept)) {
			return inTheAnswer * c.share
		}
	}
	return 0
}

func (b *Base) isTopic(id int32) bool {
	d := dictionary()
	return int(id) >= len(d.kinds) || d.kinds[id] == topic
}
