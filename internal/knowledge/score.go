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
	foreign             // of those: topics and words that no item speaks of
	otherAsk            // it is asked when, where or why, and the question asks something else
	missingTopic        // topics of the question that were not said
	missingRest         // the rest of the question that was not said
	spelling            // the pairs of syllables that they share
	bare                // one topic was said, and it is in the question: how much of that it is
	focus               // share of the topics in the question itself, what leads to it left out, that the item speaks of
	same                // what was said is the question, in other words: explained and covered
	letter              // it is spelt as the question, nearly: the square of spelling
	oddShare            // share of what was said that the item does not speak of, topics or not
	itself              // the question says the same words, and no others
	written             // how rare a topic is in the questions as it is written, where this one has it
	bareWritten         // the same, where no other topic was said
	sense               // how near the question is in meaning
	senseLead           // how much nearer than the next
	oddSense            // share not in the item, times sense
	longLead            // the lead where much was said, all of which hardly ever meets an item
	lead                // how far the item is before the next best, as far as it speaks of what is asked for
	size
)

type features [size]float64

var featureNames = [size]string{
	always:       "always",
	explained:    "said, in the question",
	covered:      "in the question, said",
	bestWord:     "best word in common",
	sharedTopics: "topics in common",
	sharedRest:   "other words in common",
	inAnswer:     "topics in answer or categories",
	oddTopic:     "topics not in the item",
	oddWord:      "unknown words",
	oddRest:      "other words not in the item",
	oddAside:     "by the way, not in the item",
	foreign:      "spoken of by no item",
	otherAsk:     "asks another thing",
	missingTopic: "topics not said",
	missingRest:  "other words not said",
	spelling:     "spelt alike",
	bare:         "one word",
	focus:        "topics asked for, in the item",
	same:         "the same",
	letter:       "spelt the same",
	oddShare:     "share not in the item",
	itself:       "the same words",
	written:      "written in the question",
	bareWritten:  "one word, written in the question",
	sense:        "meant alike",
	senseLead:    "meant more alike than the next",
	oddSense:     "meant alike, share not in the item",
	longLead:     "before the next, much said",
	lead:         "before the next",
}

// weights are fitted to the suites by TestFit, but for that of the same words, which no pair speaks against.
var weights = features{
	always:       -3.43,
	explained:    -0.01,
	covered:      -0.30,
	bestWord:     -0.09,
	sharedTopics: 0.46,
	sharedRest:   1.22,
	inAnswer:     2.13,
	oddTopic:     -0.59,
	oddWord:      0.28,
	oddRest:      0.82,
	oddAside:     0.10,
	foreign:      0.28,
	otherAsk:     0.32,
	missingTopic: 0.05,
	missingRest:  0.26,
	spelling:     -0.76,
	bare:         0.24,
	focus:        0.07,
	same:         1.55,
	letter:       0.89,
	oddShare:     -2.01,
	itself:       1.50,
	written:      -0.38,
	bareWritten:  0.84,
	sense:        3.83,
	senseLead:    2.70,
	oddSense:     3.20,
	longLead:     2.04,
	lead:         2.79,
}

// shift makes the odds stricter than those of the suites: a wrong answer is worse than none.
const shift = -0.88

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
	share, asked, weighed := 0.0, 0.0, 0.0
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
		if m := inLetters * shared(s.pairs, d.pairs); m > best {
			best = m
			told = max(told, s.tells*m)
		}
		also := b.alsoIn(s, d)
		lost := s.odd * (1 - max(best, also))
		share += told
		isTopic := s.kind == topic || s.kind == word
		if isTopic {
			if !strings.Contains(s.text, gap) {
				topics++
			}
			if best > 0 {
				met++
			}
			f[bestWord] = max(f[bestWord], told)
			if s.rareText > f[written] && strings.Contains(d.plain, s.stem) {
				f[written] = s.rareText
			}
			f[sharedTopics] += told
			f[inAnswer] += s.elsewhere * max(0, also-best)
		} else {
			f[sharedRest] += told
		}
		if s.kind != setting && s.kind != number {
			w := s.odd
			if s.aside {
				w *= inSpeech
			}
			weighed += w
			f[oddShare] += w * (1 - max(best, also))
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
			if s.num < 0 || !b.vocab.spoken[s.num] {
				f[foreign] += lost
			}
		case s.kind == word:
			f[oddWord] += lost
			if s.num < 0 {
				f[foreign] += lost
			}
		case s.kind == ask && best == 0:
			f[otherAsk] += lost
		default:
			f[oddRest] += lost
		}
	}
	if asked > 0 {
		f[focus] /= asked
	}
	if b.asksOther(q, d) {
		weighed++
		f[oddShare]++
	}
	if weighed > 0 {
		f[oddShare] /= weighed
	}
	if q.total > 0 {
		f[explained] = share / q.total
	}
	said := 0.0
	for i, t := range d.terms {
		unsaid[i] = min(unsaid[i], 1-inLetters*shared(t.pairs, q.pairs))
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
	f[spelling] = b.spelt(q, d)
	f[letter] = f[spelling] * f[spelling]
	if sameWords(q, d) {
		f[itself] = 1
	}
	f[same] = f[explained] * f[covered]
	if topics == 1 && met == 1 {
		f[bare] = f[covered]
	}
	if topics == 1 {
		f[bareWritten] = f[written]
	}
	const most = 2 // more of the same says no more
	for _, n := range []int{sharedTopics, sharedRest, inAnswer, oddTopic, oddWord, oddRest, oddAside, foreign, otherAsk, missingTopic, missingRest} {
		f[n] = min(f[n], most)
	}
	return f
}

// sameWords reports whether every word of an utterance is one of a question, written the same but for its ending, and
// the other way round.
func sameWords(q *query, d *doc) bool {
	is := func(s *said, t *docTerm) bool {
		return s.num == t.id && (strings.HasPrefix(s.text, t.text) || strings.HasPrefix(t.text, s.text))
	}
	for i := range q.said {
		if !slices.ContainsFunc(d.terms, func(t docTerm) bool { return is(&q.said[i], &t) }) {
			return false
		}
	}
	for i := range d.terms {
		if !slices.ContainsFunc(q.said, func(s said) bool { return is(&s, &d.terms[i]) }) {
			return false
		}
	}
	return len(d.terms) > 0
}

// asksOther reports whether a question asks one thing, and the utterance another: how long, and what it costs.
func (b *Base) asksOther(q *query, d *doc) bool {
	asked := dictionary().asked
	if !slices.ContainsFunc(d.terms, func(t docTerm) bool { return asked[t.id] }) {
		return false
	}
	asks := false
	for i := range q.said {
		s := &q.said[i]
		if !asked[s.num] {
			continue
		}
		asks = true
		for _, t := range d.terms {
			if t.id == s.num || slices.ContainsFunc(s.near, func(c credit) bool { return c.concept == t.id }) {
				return false
			}
		}
	}
	return asks
}

// inLetters is how far a word stands for one that has its letters and was read otherwise: 벽걸이티비 in one text, 벽걸이
// in another.
const inLetters = 0.8

// shared is the share of pairs of syllables that a text has too; 0 for less than half, which says nothing.
func shared(pairs, text []uint64) float64 {
	common := 0
	for _, p := range pairs {
		if _, ok := slices.BinarySearch(text, p); ok {
			common++
		}
	}
	if 2*common < len(pairs) || common == 0 {
		return 0
	}
	return float64(common) / float64(len(pairs))
}

// spelt is how alike an utterance and a question are spelt: the share of their pairs of syllables that they have in
// common, of rare ones more than of those that many questions have.
func (b *Base) spelt(q *query, d *doc) float64 {
	common, all := 0.0, 0.0
	for _, p := range q.pairs {
		w := b.rareAt(p)
		all += w
		if _, ok := slices.BinarySearch(d.pairs, p); ok {
			common += w
		}
	}
	for _, p := range d.pairs {
		all += b.rareAt(p)
	}
	if all == 0 {
		return 0
	}
	return 2 * common / all
}

// rareAt is how rare a pair of syllables is in the questions, 0 to 1.
func (b *Base) rareAt(p uint64) float64 {
	if rare, ok := b.rarePair[p]; ok {
		return rare
	}
	return 1
}

// What the categories and the answer of an item say stands for what its question says so far; a word that is in the
// categories of no other thing further: 교환 over 다른 책으로 바꿀 수 있나요.
const inHeading, inCategory, inTheAnswer = 0.9, 0.7, 0.6

// alsoIn is how far the categories or the answer of an item speak of what was said.
func (b *Base) alsoIn(s *said, d *doc) float64 {
	if s.num >= 0 {
		switch {
		case has(d.category, s.num) && b.heading[s.num]:
			return inHeading
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
