package knowledge

import (
	"math"
	"runtime"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"
)

// Base finds the item of a knowledge base that an utterance asks for. It never changes and is safe for concurrent
// use.
type Base struct {
	items    []Item
	things   float64 // how many different things the items lead to
	docs     []doc
	vocab    vocabulary
	ids      map[string]int32   // of words that no concept has, behind those of the concepts
	posts    map[int32][]int32  // docs by what their questions say
	also     map[int32][]int32  // docs by what their answers and categories say, and their questions do not
	within   map[int32][]int32  // docs by the words that those are put together of
	pairs    map[uint64][]int32 // docs by pairs of syllables of their questions
	rarePair map[uint64]float64 // how rare a pair is in the questions, 0 to 1; none for one that no question has
	rareIn   []float64          // how rare it is in all that the items say
	rare     []float64          // how rare a word is in the questions, 0 to 1, by id
	texts    map[string]float64 // how rare a word is as it is written, 0 to 1
	heading  []bool             // in the categories of one thing alone, by id
	usual    []bool             // said all over the base, by id: 진료 at a clinic
	meanings []meaning          // of the questions, by doc
}

// doc is an item as it is matched.
type doc struct {
	leads    int32 // to what: items with the same are ways to ask for it
	plain    string
	terms    []docTerm // of the question
	total    float64   // of their weights
	pairs    []uint64  // of syllables of the question, in order
	category []int32   // ids, in order
	answer   []int32   // ids, in order
}

type docTerm struct {
	id     int32
	weight float64
	within []int32 // of the words that it is put together of
	text   string  // as written
	kind   kind
	pairs  []uint64 // of its syllables
}

// New makes a base of items, which it keeps.
func New(items []Item) *Base {
	names := int32(len(dictionary().names))
	b := &Base{items: items, docs: make([]doc, len(items)), ids: map[string]int32{}, posts: map[int32][]int32{},
		also: map[int32][]int32{}, within: map[int32][]int32{}, pairs: map[uint64][]int32{}}
	texts := readAll(items)
	b.vocab = newVocabulary(texts)
	for i, w := range b.vocab.list {
		b.ids[w] = names + int32(i)
	}
	b.lead()
	b.meanings = make([]meaning, len(items))
	for i := range items {
		words := wordsOf(items[i].Question)
		b.add(int32(i), strings.Join(words, ""), texts[i])
		b.meanings[i] = meaningOf(words)
	}
	b.weigh(len(b.ids) + int(names))
	b.vocab.spoken = make([]bool, names)
	for id := range b.vocab.spoken {
		b.vocab.spoken[id] = len(b.posts[int32(id)])+len(b.also[int32(id)]) > 0
	}
	b.vocab.slips = newSlips(b.surfaces(texts))
	return b
}

// lead says which items lead to the same. One that leads nowhere is a thing of its own.
func (b *Base) lead() {
	known := map[Item]int32{}
	things := int32(0)
	for i := range b.items {
		target := b.items[i].target()
		thing, is := known[target]
		if !is || target == (Item{}) {
			thing = things
			things++
			known[target] = thing
		}
		b.docs[i].leads = thing
	}
	b.things = float64(things)
}

// thingsIn is how many different things docs lead to.
func (b *Base) thingsIn(docs []int32) int {
	if len(docs) < 2 {
		return len(docs)
	}
	seen := make(map[int32]struct{}, len(docs))
	for _, d := range docs {
		seen[b.docs[d].leads] = struct{}{}
	}
	return len(seen)
}

// itemTexts are the terms of an item.
type itemTexts struct{ question, category, answer []term }

// readAll reads items, on all processors: that is what making a large base takes long for.
func readAll(items []Item) []itemTexts {
	texts := make([]itemTexts, len(items))
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(items)) {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(items); i = int(next.Add(1)) - 1 {
				item := &items[i]
				texts[i] = itemTexts{
					question: question(wordsOf(item.Question), nil),
					category: termsOf(strings.Join(item.Categories[:], " ")),
					answer:   termsOf(item.Answer),
				}
			}
		})
	}
	all.Wait()
	return texts
}

// newVocabulary is the words of items that the dictionary does not have, of two syllables or more.
func newVocabulary(texts []itemTexts) vocabulary {
	v := vocabulary{words: map[string]bool{}, longest: map[rune]int{}}
	for _, t := range texts {
		for _, terms := range [][]term{t.question, t.category, t.answer} {
			for _, one := range terms {
				if one.kind == word && one.id < 0 && utf8.RuneCountInString(one.text) > 1 && !v.words[one.text] {
					v.words[one.text] = true
					v.list = append(v.list, one.text)
				}
			}
		}
	}
	sort.Strings(v.list)
	for _, w := range v.list {
		first, _ := utf8.DecodeRuneInString(w)
		v.longest[first] = max(v.longest[first], len(w))
	}
	return v
}

// add indexes an item.
func (b *Base) add(i int32, plain string, texts itemTexts) {
	doc := &b.docs[i]
	doc.plain, doc.category, doc.answer, doc.pairs = plain, b.idsIn(texts.category), b.idsIn(texts.answer), pairsIn(texts.question)
	for _, t := range texts.question {
		id := b.id(t)
		if id < 0 || slices.ContainsFunc(doc.terms, func(o docTerm) bool { return o.id == id }) {
			continue
		}
		doc.terms = append(doc.terms, docTerm{id: id, within: t.within, text: t.text, kind: t.kind, pairs: pairsIn([]term{t})})
		b.posts[id] = append(b.posts[id], i)
		for _, id := range t.within {
			b.within[id] = append(b.within[id], i)
		}
	}
	for _, id := range slices.Concat(doc.category, doc.answer) {
		if docs := b.also[id]; len(docs) == 0 || docs[len(docs)-1] != i {
			b.also[id] = append(docs, i)
		}
	}
	for _, p := range doc.pairs {
		b.pairs[p] = append(b.pairs[p], i)
	}
}

// surfaces are the words that are written in the items, those of concepts in their questions too: a slip in one of
// those is likelier meant than one in any other word.
func (b *Base) surfaces(texts []itemTexts) []string {
	all := slices.Clone(b.vocab.list)
	for _, t := range texts {
		for _, one := range t.question {
			if one.kind != filler && one.kind != number {
				all = append(all, one.text)
			}
		}
	}
	d := dictionary()
	for i := range b.items {
		for _, w := range wordsOf(b.items[i].Question) { // 교통사고 of 교통사고 환자
			for _, w := range []string{w, withoutParticle(w)} {
				if id, known := d.concepts[w]; known && d.kinds[id] != ask && d.kinds[id] != polite && d.kinds[id] != plain {
					all = append(all, w)
				}
			}
		}
	}
	sort.Strings(all)
	return slices.Compact(all)
}

// id is what a term is known by in the base: -1 for what says nothing, or is not known.
func (b *Base) id(t term) int32 {
	switch {
	case t.kind == filler || t.kind == number || t.kind == polite:
		return -1
	case t.id >= 0:
		return t.id
	}
	if id, ok := b.ids[t.key]; ok {
		return id
	}
	return -1
}

// idsIn are the ids of terms, in order.
func (b *Base) idsIn(terms []term) []int32 {
	var ids []int32
	for _, t := range terms {
		if id := b.id(t); id >= 0 {
			ids = append(ids, id)
		}
		if t.kind == number {
			ids = append(ids, t.within[:min(len(t.within), 1)]...) // 3,000원 is a price
		} else {
			ids = append(ids, t.within...)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// besides is how much of a variant whose parts stand apart tells in a question: its words are there as well.
const besides = 0.25

// weigh says how much each word tells.
func (b *Base) weigh(ids int) {
	b.rare, b.usual = make([]float64, ids), make([]bool, ids)
	for id := range b.rare {
		b.rare[id] = b.rarity(b.thingsIn(b.posts[int32(id)]))
	}
	b.rarePair = make(map[uint64]float64, len(b.pairs))
	for p, docs := range b.pairs {
		b.rarePair[p] = b.rarity(b.thingsIn(docs))
	}
	written := map[string][]int32{}
	for i := range b.docs {
		for _, t := range b.docs[i].terms {
			written[t.text] = append(written[t.text], int32(i))
		}
	}
	b.texts = make(map[string]float64, len(written))
	for text, docs := range written {
		b.texts[text] = b.rarity(b.thingsIn(docs))
	}
	headed := make([][]int32, ids)
	for i := range b.docs {
		for _, id := range b.docs[i].category {
			headed[id] = append(headed[id], int32(i))
		}
	}
	b.heading = make([]bool, ids)
	for id, docs := range headed {
		b.heading[id] = b.thingsIn(docs) == 1
	}
	said := make([][]int32, ids)
	for i := range b.docs {
		doc := &b.docs[i]
		seen := slices.Concat(doc.category, doc.answer)
		for _, t := range doc.terms {
			seen = append(seen, t.id)
		}
		slices.Sort(seen)
		for _, id := range slices.Compact(seen) {
			said[id] = append(said[id], int32(i))
		}
		for j := range doc.terms {
			t := &doc.terms[j]
			t.weight = max(b.rare[t.id], otherWay*b.texts[t.text]) * b.kindWeight(t.id)
			if strings.Contains(t.text, gap) {
				t.weight *= besides
			}
			doc.total += t.weight
		}
	}
	b.rareIn = make([]float64, ids)
	for id, docs := range said {
		things := b.thingsIn(docs)
		b.rareIn[id] = b.rarity(things)
		b.usual[id] = things >= 5 && float64(things) > b.things/5
	}
}

// rarity is how rare it is, 0 to 1, what is said of so many things; 1 for what is said of none.
func (b *Base) rarity(things int) float64 {
	return math.Log((b.things+1)/float64(max(things, 1))) / math.Log(b.things+1)
}

func (b *Base) kindWeight(id int32) float64 {
	d := dictionary()
	if int(id) >= len(d.kinds) {
		return 1
	}
	if w, ok := d.weights[id]; ok {
		return min(w, 1)
	}
	return tells[d.kinds[id]]
}

// tells is how much a word of a kind tells of what is asked, odd how much it weighs against an item that does not
// speak of it.
var (
	tells = [...]float64{topic: 1, ask: 0.4, setting: 0.6, polite: 0, plain: 0.5, word: 1, number: 0.3, filler: 0}
	odd   = [...]float64{topic: 1, ask: 0.3, setting: 0.2, polite: 0, plain: 0.3, word: 0.7, number: 0, filler: 0}
)

// pairsIn are the pairs of syllables of what terms say, in order.
func pairsIn(terms []term) []uint64 {
	var all []uint64
	before := rune(0)
	for _, t := range terms {
		if t.kind == filler || t.kind == polite {
			continue
		}
		for _, r := range t.text {
			if before != 0 {
				all = append(all, uint64(before)<<32|uint64(r))
			}
			before = r
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
