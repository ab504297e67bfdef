package knowledge

import (
	"math"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"
)

// Base finds the item of a knowledge base that an utterance asks for. It never changes and is safe for concurrent
// use.
type Base struct {
	items  []Item
	docs   []doc
	vocab  vocabulary
	ids    map[string]int32   // of words that no concept has, behind those of the concepts
	posts  map[int32][]int32  // docs by what their questions say
	also   map[int32][]int32  // docs by what their answers and categories say, and their questions do not
	within map[int32][]int32  // docs by the words that those are put together of
	pairs  map[uint64][]int32 // docs by pairs of syllables of their questions
	rareIn []float64          // how rare it is in all that the items say
	rare   []float64          // how rare a word is in the questions, 0 to 1, by id
	texts  map[string]float64 // how rare a word is as it is written, 0 to 1
	usual  []bool             // said all over the base, by id: 진료 at a clinic
}

// doc is an item as it is matched.
type doc struct {
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
}

// New makes a base of items, which it keeps.
func New(items []Item) *Base {
	d := dictionary()
	b := &Base{items: items, ids: map[string]int32{}, posts: map[int32][]int32{}, within: map[int32][]int32{}, also: map[int32][]int32{}, pairs: map[uint64][]int32{}}
	read := make([][]term, len(items))
	b.vocab = vocabulary{words: map[string]bool{}, longest: map[rune]int{}}
	for _, item := range items {
		for _, text := range []string{item.Question, item.Answer, strings.Join(item.Categories[:], " ")} {
			for _, t := range termsOf(text, nil) {
				if t.kind == word && utf8.RuneCountInString(t.text) > 1 {
					b.vocab.words[t.text] = true
				}
			}
		}
	}
	known := make([]string, 0, len(b.vocab.words))
	for w := range b.vocab.words {
		known = append(known, w)
		first, _ := utf8.DecodeRuneInString(w)
		b.vocab.longest[first] = max(b.vocab.longest[first], len(w))
	}
	sort.Strings(known)
	for i, w := range known {
		b.ids[w] = int32(len(d.names) + i)
	}
	b.docs = make([]doc, len(items))
	for i, item := range items {
		read[i] = termsOf(item.Question, nil)
		doc := &b.docs[i]
		doc.plain = strings.Join(wordsOf(item.Question), "")
		doc.category = b.idsIn(strings.Join(item.Categories[:], " "))
		doc.answer = b.idsIn(item.Answer)
		for _, t := range read[i] {
			if id := b.id(t); id >= 0 && !slices.ContainsFunc(doc.terms, func(o docTerm) bool { return o.id == id }) {
				one := docTerm{id: id, within: t.within, text: t.text, kind: t.kind}
				doc.terms = append(doc.terms, one)
				b.posts[id] = append(b.posts[id], int32(i))
				for _, id := range t.within {
					b.within[id] = append(b.within[id], int32(i))
				}
			}
		}
		for _, ids := range [][]int32{doc.category, doc.answer} {
			for _, id := range ids {
				if docs := b.also[id]; len(docs) == 0 || docs[len(docs)-1] != int32(i) {
					b.also[id] = append(docs, int32(i))
				}
			}
		}
		doc.pairs = pairsIn(read[i])
		for _, p := range doc.pairs {
			b.pairs[p] = append(b.pairs[p], int32(i))
		}
	}
	for _, w := range known { // concepts of the words of the base have slips too
		b.vocab.words[w] = true
	}
	b.weigh(len(d.names) + len(known))
	b.vocab.slips = newSlips(b.surfaces(read, known))
	return b
}

// surfaces are the words that are written in the questions, concepts too: a slip in one of those is likelier meant
// than one in any other word.
func (b *Base) surfaces(read [][]term, known []string) []string {
	all := slices.Clone(known)
	for _, terms := range read {
		for _, t := range terms {
			if t.kind != filler && t.kind != number {
				all = append(all, t.text)
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

// idsIn are the ids that a text has, in order.
func (b *Base) idsIn(s string) []int32 {
	var ids []int32
	for _, t := range termsOf(s, &b.vocab) {
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

// weigh says how much each word tells.
func (b *Base) weigh(ids int) {
	n := float64(len(b.items))
	b.rare, b.usual = make([]float64, ids), make([]bool, ids)
	for id := range b.rare {
		b.rare[id] = 1
		if docs := len(b.posts[int32(id)]); docs > 0 {
			b.rare[id] = math.Log((n+1)/float64(docs)) / math.Log(n+1)
		}
	}
	written := map[string]int{}
	for i := range b.docs {
		for _, t := range b.docs[i].terms {
			written[t.text]++
		}
	}
	b.texts = make(map[string]float64, len(written))
	for text, docs := range written {
		b.texts[text] = math.Log((n+1)/float64(docs)) / math.Log(n+1)
	}
	said := make([]int, ids)
	for i := range b.docs {
		doc := &b.docs[i]
		seen := slices.Concat(doc.category, doc.answer)
		for _, t := range doc.terms {
			seen = append(seen, t.id)
		}
		slices.Sort(seen)
		for _, id := range slices.Compact(seen) {
			said[id]++
		}
		for j := range doc.terms {
			t := &doc.terms[j]
			t.weight = max(b.rare[t.id], otherWay*b.texts[t.text]) * b.kindWeight(t.id)
			doc.total += t.weight
		}
	}
	b.rareIn = make([]float64, ids)
	for id, docs := range said {
		b.rareIn[id] = math.Log((n+1)/float64(max(docs, 1))) / math.Log(n+1)
		b.usual[id] = docs >= 5 && float64(docs) > n/5
	}
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

// tells is how much a word of a kind tells of what is asked.
var tells = [...]float64{topic: 1, ask: 0.4, setting: 0.6, polite: 0, plain: 0.5, word: 1, number: 0, filler: 0}

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
