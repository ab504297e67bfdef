package knowledge

import (
	"embed"
	"maps"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

//go:embed data/*.tsv data/*.txt
var dataFiles embed.FS

// Load reads what Malgil knows of Korean, which takes half a second; otherwise the first bot waits for it.
func Load() {
	dictionary()
	learnt()
}

// kind is what a word is to a question.
type kind uint8

const (
	topic   kind = iota // what it is about: 환불, 주차
	ask                 // what is asked of it: 언제, 어디
	setting             // when or with whom, mostly by the way: 내일, 오전
	polite              // 안녕하세요, 감사합니다
	plain               // everyday words: 받다, 시간
	word                // not in the dictionary
	number              // 3시, 10분
	filler              // endings, particles, words that say nothing
)

// kindNamed are the kinds as files of data name them.
var kindNamed = map[string]kind{"ask": ask, "setting": setting, "polite": polite, "plain": plain, "word": word}

// lexicon is what Malgil knows of Korean. Its texts are folded.
type lexicon struct {
	slang     map[string]string  // whole words to what they stand for
	stopwords map[string]bool    // whole words that say nothing
	endings   map[string]bool    // what a word may end with
	concepts  map[string]int32   // variants to their concept
	longest   map[rune]int       // bytes of the longest variant that begins so
	names     []string           // of concepts
	kinds     []kind             // of concepts
	weights   map[int32]float64  // of topics that tell more than others, or less, when an item does not speak of them
	asked     map[int32]bool     // what may be asked of a thing: when, how long, what it costs
	near      map[int32][]credit // concepts that may stand for each other
	within    map[string][]int32 // further meanings of a variant, and those of the words in it: 결과 in 검진결과
	meanings  map[string][]int32 // the further meanings alone
	suffixes  map[rune]int32     // syllables put behind a noun, to their concept; -1 for none
	apart     []apart            // variants of words that stand apart from each other
	apartFrom map[string][]int   // places of those whose first part begins with so many as two letters
	units     map[string][]int32 // what is counted, to concepts that it hints at: 4명, 3시
	slips     *slips
	fillers   *slips // stopwords
}

// credit is how far a concept stands for another, 0 to 1.
type credit struct {
	concept int32
	share   float64
}

// apart is a variant whose parts stand in this order, other words between them: 시켰는데…왔.
type apart struct {
	concept int32
	parts   []string
}

// gap is where other words may stand in a variant.
const gap = "…"

// in reports whether a text says all parts in order, those of a single syllable at the beginning of a word. Others follow on one:
// it is a noun then, and the rest of its word is endings (방이, and not 방법이) or the next part. from and to are the bytes from the
// first part to the last.
func (a *apart) in(t *text, d *lexicon) (from, to int, ok bool) {
	for n, part := range a.parts {
		for lone := len(part) <= utf8.UTFMax; ; {
			i := strings.Index(t.all[to:], part)
			if i < 0 {
				return 0, 0, false
			}
			at := to + i
			to = at + len(part)
			if n == 0 {
				from = at
			}
			if !lone {
				break
			}
			if !t.starts[at] {
				continue
			}
			if n+1 == len(a.parts) {
				break
			}
			rest := t.all[to:max(to, t.next[at])]
			if rest == "" || strings.HasPrefix(rest, a.parts[n+1]) || d.endingsFollow(rest) {
				break
			}
		}
	}
	return from, to, true
}

// apartIn are the places, in order, of those variants whose parts stand apart that may be in a text: it has what they
// begin with.
func (d *lexicon) apartIn(t *text) []int {
	var all []int
	for i := range t.all {
		all = append(all, d.apartFrom[t.all[i:after(t.all, i, 1)]]...)
		all = append(all, d.apartFrom[t.all[i:after(t.all, i, 2)]]...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// maxEnding is the length of the longest ending, in bytes.
const maxEnding = 30

// dictionary is read once, when it is first needed.
var dictionary = sync.OnceValue(func() *lexicon { return readLexicon(func(string) bool { return true }) })

// readLexicon reads the files of data, without the variants of concepts that are not to be kept.
func readLexicon(keep func(variant string) bool) *lexicon {
	d := &lexicon{slang: map[string]string{}, stopwords: map[string]bool{}, endings: map[string]bool{}, concepts: map[string]int32{}, longest: map[rune]int{}, near: map[int32][]credit{}, within: map[string][]int32{}, suffixes: map[rune]int32{}, meanings: map[string][]int32{}, units: map[string][]int32{}, apartFrom: map[string][]int{}, weights: map[int32]float64{}, asked: map[int32]bool{}}
	for _, row := range rowsOf("slang.tsv") {
		d.slang[row[0]] = row[1]
	}
	for _, row := range rowsOf("stopwords.txt") {
		d.stopwords[folded(row[0])] = true
	}
	for _, row := range rowsOf("endings.txt") {
		if e := folded(strings.TrimLeft(row[0], "ㄹㄴㅂㅁ")); e != "" && len(e) <= maxEnding {
			d.endings[e] = true
		}
	}
	ids := map[string]int32{}
	learn := func(name string, kind kind, variants string) {
		id, known := ids[name]
		if !known {
			id = int32(len(d.names))
			ids[name] = id
			d.names = append(d.names, name)
			d.kinds = append(d.kinds, kind)
		}
		for _, variant := range strings.Split(variants, "|") {
			for _, v := range inflected(strings.ToLower(strings.ReplaceAll(variant, " ", ""))) {
				if v = folded(v); v == "" || kind == topic && !keep(v) {
					continue
				}
				if strings.Contains(v, gap) {
					parts := strings.Split(v, gap)
					first := parts[0][:after(parts[0], 0, 2)]
					d.apartFrom[first] = append(d.apartFrom[first], len(d.apart))
					d.apart = append(d.apart, apart{id, parts})
					continue
				}
				if first, taken := d.concepts[v]; !taken {
					d.concepts[v] = id
				} else if first != id && kind == topic && !slices.Contains(d.within[v], id) {
					d.within[v] = append(d.within[v], id) // a word of two meanings
					d.meanings[v] = append(d.meanings[v], id)
				}
			}
		}
	}
	for _, row := range rowsOf("concepts.tsv") {
		kind := topic
		if row[1] == "qword" {
			kind = ask
		}
		learn(row[0], kind, row[2])
	}
	for _, row := range rowsOf("kinds.tsv") {
		for _, name := range strings.Fields(row[1]) {
			switch id := mustKnow(ids, name); row[0] {
			case "foreign":
				d.weights[id] = 2.5
			case "companion":
				d.weights[id] = 0.5
			case "asked":
				d.asked[id] = true
			default:
				d.kinds[id] = kindNamed[row[0]]
			}
		}
	}
	for _, row := range rowsOf("words.tsv") {
		for _, group := range strings.Fields(row[1]) {
			first, _, _ := strings.Cut(group, "|")
			learn(first, kindNamed[row[0]], group)
		}
	}
	for _, row := range rowsOf("near.tsv") {
		share, err := strconv.ParseFloat(row[2], 64)
		if err != nil {
			panic("near.tsv: " + err.Error())
		}
		a, b := mustKnow(ids, row[0]), mustKnow(ids, row[1])
		d.near[a] = append(d.near[a], credit{b, share})
		d.near[b] = append(d.near[b], credit{a, share})
	}
	for _, row := range rowsOf("units.tsv") {
		hints := []int32{}
		if len(row) > 1 {
			for _, name := range strings.Fields(row[1]) {
				hints = append(hints, mustKnow(ids, name))
			}
		}
		for _, unit := range strings.Fields(row[0]) {
			d.units[folded(unit)] = hints
		}
	}
	for _, row := range rowsOf("suffixes.tsv") {
		id := int32(-1)
		if len(row) > 1 {
			id = mustKnow(ids, row[1])
		}
		for _, r := range row[0] {
			if r != ' ' {
				d.suffixes[fold(r)] = id
			}
		}
	}
	known := d.gather()
	for _, v := range known {
		first, _ := utf8.DecodeRuneInString(v)
		d.longest[first] = max(d.longest[first], len(v))
	}
	var say []string
	for w := range d.stopwords {
		if utf8.RuneCountInString(w) > 1 && utf8.RuneCountInString(w) < 7 {
			say = append(say, w)
		}
	}
	sort.Strings(say)
	d.fillers = newSlips(say)
	d.slips = newSlips(slices.DeleteFunc(known, func(v string) bool {
		return utf8.RuneCountInString(v) > 6 || d.kinds[d.concepts[v]] != topic // everyday words are near to too many others
	}))
	return d
}

// gather finds the words within words, and returns all of them in order. It has them stand one behind the other in
// memory, and what they mean as well: a collector of garbage has fewer objects to mark.
func (d *lexicon) gather() []string {
	known := slices.Sorted(maps.Keys(d.concepts))
	text, at := strings.Join(known, ""), 0
	concepts, within := make(map[string]int32, len(known)), make(map[string][]int32, len(known)/2)
	lists, from := []int32{}, make([]int, len(known)+1)
	for i, v := range known {
		known[i] = text[at : at+len(v)]
		at += len(v)
		concepts[known[i]] = d.concepts[v]
		lists = append(lists, d.wordsWithin(v, d.within[v])...)
		from[i+1] = len(lists)
	}
	for i, v := range known {
		if list := lists[from[i]:from[i+1]:from[i+1]]; len(list) > 0 {
			within[v] = list
		}
	}
	d.concepts, d.within = concepts, within
	return known
}

// wordsWithin adds the concepts of the longest words that a variant begins and ends with, other than its own.
func (d *lexicon) wordsWithin(variant string, within []int32) []int32 {
	own := d.concepts[variant]
	add := func(part string) bool {
		id, ok := d.concepts[part]
		if !ok || utf8.RuneCountInString(part) < 2 {
			return false
		}
		if id != own && !slices.Contains(within, id) {
			within = append(within, id)
		}
		return true
	}
	for i := len(variant) - 1; i > 0 && !(utf8.RuneStart(variant[i]) && add(variant[:i])); i-- {
	}
	for i := 1; i < len(variant) && !(utf8.RuneStart(variant[i]) && add(variant[i:])); i++ {
	}
	return within
}

func mustKnow(ids map[string]int32, name string) int32 {
	id, ok := ids[name]
	if !ok {
		panic("no such concept: " + name)
	}
	return id
}

// rowsOf reads a file of data: cells between tabs, lines with # before them left out.
func rowsOf(name string) [][]string {
	text, err := dataFiles.ReadFile("data/" + name)
	if err != nil {
		panic(err)
	}
	var rows [][]string
	for _, line := range strings.Split(string(text), "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		cells := strings.Split(line, "\t")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	return rows
}
