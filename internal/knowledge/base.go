package knowledge

import (
	"math"
	"sort"
	"strings"
)

// Base finds the item of a knowledge base that an utterance asks for. It never changes and is safe for
// concurrent use.
type Base struct {
	items []Item
	docs  []doc
	posts map[string][]int32 // of keys
	grams map[string][]int32 // of pairs of syllables
	idf   map[string]float64
	most  float64             // of idf
	vocab map[string]bool     // surfaces that are known
	slips map[string][]string // jamo of a known word with one letter left out, to the word
}

type doc struct {
	terms  []term
	weigh  []float64
	total  float64
	grams  map[string]bool
	answer map[string]bool
	plain  string
}

// New indexes items.
func New(items []Item) *Base {
	x := &Base{items: items, posts: map[string][]int32{}, grams: map[string][]int32{}, idf: map[string]float64{}, vocab: map[string]bool{}, slips: map[string][]string{}}
	for variant := range concepts {
		x.learn(variant)
	}
	for _, item := range items {
		for _, t := range termsOf(item.Question, nil) {
			if !t.filler {
				x.learn(t.surface)
				if t.key[0] != '#' {
					x.learn(t.key)
				}
			}
		}
	}
	for i, item := range items {
		d := doc{terms: unique(termsOf(item.Question, x.near)), grams: map[string]bool{}, answer: map[string]bool{}, plain: strings.Join(wordsOf(item.Question), "")}
		for _, t := range d.terms {
			x.posts[t.key] = append(x.posts[t.key], int32(i))
		}
		for _, g := range gramsOf(item.Question) {
			if !d.grams[g] {
				d.grams[g] = true
				x.grams[g] = append(x.grams[g], int32(i))
			}
		}
		for _, t := range termsOf(item.Answer+" "+strings.Join(item.Categories[:], " "), x.near) {
			if !t.filler {
				d.answer[t.key] = true
			}
		}
		x.docs = append(x.docs, d)
	}
	n := float64(len(items))
	x.most = math.Log(1 + n)
	for key, docs := range x.posts {
		x.idf[key] = math.Log(1 + n/float64(len(docs)))
	}
	for i := range x.docs {
		d := &x.docs[i]
		for _, t := range d.terms {
			w := x.weight(t)
			d.weigh = append(d.weigh, w)
			d.total += w
		}
	}
	return x
}

// weight is how much a term says.
func (x *Base) weight(t term) float64 {
	if t.filler {
		return 0.05
	}
	w, known := x.idf[t.key]
	if !known {
		w = x.most
	}
	w /= x.most
	if t.key[0] != '#' && len(t.key) <= 3 { // one syllable that is left over says little
		w *= 0.3
	}
	return w
}

func unique(terms []term) []term {
	seen := map[string]bool{}
	kept := terms[:0:0]
	for _, t := range terms {
		if !seen[t.key] {
			seen[t.key] = true
			kept = append(kept, t)
		}
	}
	return kept
}

// gramsOf are the pairs of syllables of what a text says.
func gramsOf(text string) []string {
	var b strings.Builder
	for _, t := range termsOf(text, nil) {
		if !t.filler {
			b.WriteString(t.surface)
		}
	}
	runes := []rune(b.String())
	if len(runes) == 1 {
		return []string{string(runes)}
	}
	var all []string
	for i := 1; i < len(runes); i++ {
		all = append(all, string(runes[i-1:i+1]))
	}
	return all
}

// learn makes a word known to [Base.near].
func (x *Base) learn(word string) {
	if x.vocab[word] || len([]rune(word)) < 2 {
		return
	}
	x.vocab[word] = true
	letters := []rune(jamo(word))
	if len(letters) < 5 {
		return
	}
	whole := string(letters)
	x.slips[whole] = append(x.slips[whole], word)
	for i := range letters {
		without := string(letters[:i]) + string(letters[i+1:])
		x.slips[without] = append(x.slips[without], word)
	}
}

// near finds the known word that differs from a word in one letter at most.
func (x *Base) near(word string) (string, bool) {
	if x.vocab[word] {
		return word, true
	}
	letters := []rune(jamo(word))
	if len(letters) < 5 {
		return "", false
	}
	best, size := "", -1
	look := func(key string) {
		for _, known := range x.slips[key] {
			n := len(known)
			if n > size || n == size && known < best {
				if within(letters, []rune(jamo(known))) {
					best, size = known, n
				}
			}
		}
	}
	look(string(letters))
	for i := range letters {
		look(string(letters[:i]) + string(letters[i+1:]))
	}
	return best, size >= 0
}

// within reports whether two words differ in one letter at most, or in two that changed places.
func within(a, b []rune) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > 1 {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	j := 0
	for j < len(a)-i && a[len(a)-1-j] == b[len(b)-1-j] {
		j++
	}
	switch {
	case len(a) < len(b):
		return i+j >= len(a)
	case i+j >= len(a)-1:
		return true
	}
	return i+j == len(a)-2 && a[i] == b[i+1] && a[i+1] == b[i]
}

// Match is an item with how well it fits an utterance.
type Match struct {
	Item  int    // index in the items that the base was made of
	Score int    // 0 to 100
	Parts []Part // what the score is made of
	logit float64
	f     [features]float64
}

// Part is one thing that a score is made of.
type Part struct {
	Name         string
	Value        float64 // mostly a share, 0 to 1
	Contribution float64 // what it adds to the log-odds of the score
}

const features = 9

var featureNames = [features]string{"base rate", "question covered", "utterance covered", "same letters", "in the answer", "strongest word", "several words", "said exactly", "filler only"}

// Match returns at most so many items that fit an utterance, best first, those that fit alike by question.
// An item that does not fit at all, with a score of 0, is left out.
func (x *Base) Match(utterance string, most int) []Match {
	said := unique(termsOf(utterance, x.near))
	grams := gramsOf(utterance)
	plain := strings.Join(wordsOf(utterance), "")
	seen := map[int32]float64{}
	for _, t := range said {
		for _, d := range x.posts[t.key] {
			seen[d] += x.weight(t)
		}
	}
	for _, g := range grams {
		docs := x.grams[g]
		if len(docs) > len(x.docs)/4+10 {
			continue
		}
		for _, d := range docs {
			seen[d] += 0.1
		}
	}
	ids := make([]int32, 0, len(seen))
	for d := range seen {
		ids = append(ids, d)
	}
	sort.Slice(ids, func(i, j int) bool {
		return seen[ids[i]] > seen[ids[j]] || seen[ids[i]] == seen[ids[j]] && ids[i] < ids[j]
	})
	if len(ids) > 100 {
		ids = ids[:100]
	}
	var all []Match
	for _, d := range ids {
		m := Match{Item: int(d), f: x.compare(said, grams, plain, &x.docs[d])}
		for i, f := range m.f {
			m.logit += f * weights[i]
		}
		m.Score = int(100 / (1 + math.Exp(-m.logit)))
		if m.f[7] == 1 {
			m.Score, m.logit = 100, math.Inf(1)
		}
		if m.Score > 0 {
			all = append(all, m)
		}
	}
	sort.SliceStable(all, func(i, j int) bool {
		a, b := all[i], all[j]
		return a.logit > b.logit || a.logit == b.logit && x.items[a.Item].Question < x.items[b.Item].Question
	})
	all = all[:min(len(all), max(most, 0))]
	for i := range all {
		for n, f := range all[i].f {
			all[i].Parts = append(all[i].Parts, Part{Name: featureNames[n], Value: f, Contribution: f * weights[n]})
		}
	}
	return all
}

// compare says what an utterance and a question have in common.
func (x *Base) compare(said []term, grams []string, plain string, d *doc) (f [features]float64) {
	f[0] = 1
	matched := make([]float64, len(d.terms))
	var total, covered, inAnswer, strongest float64
	count, content := 0, 0
	for _, t := range said {
		w := x.weight(t)
		total += w
		if !t.filler {
			content++
		}
		best, at := 0.0, -1
		for i, q := range d.terms {
			if s := alike(t, q); s > best {
				best, at = s, i
			}
		}
		if at >= 0 {
			matched[at] = max(matched[at], best)
			covered += w * best
			if !t.filler {
				strongest = max(strongest, w*best)
				count++
			}
		} else if d.answer[t.key] {
			inAnswer += w
		}
	}
	var question float64
	for i, w := range d.weigh {
		question += w * matched[i]
	}
	if d.total > 0 {
		f[1] = question / d.total
	}
	if total > 0 {
		f[2], f[4] = covered/total, inAnswer/total
	}
	common := 0
	for _, g := range grams {
		if d.grams[g] {
			common++
		}
	}
	if n := len(grams) + len(d.grams); n > 0 {
		f[3] = 2 * float64(common) / float64(n)
	}
	f[5] = strongest
	f[6] = math.Min(float64(max(count-1, 0)), 3) / 3
	if plain == d.plain {
		f[7] = 1
	}
	if content == 0 {
		f[8] = 1
	}
	return f
}

// alike is how much two terms are the same, 0 to 1.
func alike(a, b term) float64 {
	if a.key == b.key {
		return 1
	}
	if a.filler || b.filler || a.key[0] == '#' || b.key[0] == '#' {
		return 0
	}
	x, y := []rune(a.key), []rune(b.key)
	if len(x) < 2 || len(y) < 2 {
		return 0
	}
	if strings.HasPrefix(a.key, b.key) || strings.HasPrefix(b.key, a.key) || strings.HasSuffix(a.key, b.key) || strings.HasSuffix(b.key, a.key) {
		return 0.7
	}
	return 0
}

var weights = [features]float64{-4.29, 1.49, 2.01, 2.78, 3.71, 1.97, 2.54, 0.28, -0.05}
