package knowledge

import (
	"slices"
	"strings"
	"unicode/utf8"
)

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
