package knowledge

import (
	"bytes"
	"embed"
	"encoding/csv"
	"io/fs"
	"path"
	"slices"
	"sync"
	"sync/atomic"
)

//go:embed data/heard/*/*-pairs.csv
var heardFiles embed.FS

// heard is what customers have said to other businesses, and which of their questions each of them asked. Who asks for
// the same in much the same words asks for the same here: 언제 문 닫아요 meant 영업시간이 어떻게 되나요.
type heard struct {
	base      *Base    // of what was said
	questions []string // that it asked, by item of the base
	suites    []string // it is of, likewise
}

// everHeard is read once.
var everHeard = sync.OnceValue(func() *heard { return readHeard(heardFiles) })

var (
	ready atomic.Pointer[heard] // everHeard, when it was read
	begin = sync.OnceFunc(func() { go Load() })
)

// Load reads what was heard elsewhere, which takes a second or two. Until then utterances are matched without it: nobody
// waits.
func Load() { ready.Store(everHeard()) }

// heardSoFar is nil as long as it is not read, which it begins.
func heardSoFar() *heard {
	h := ready.Load()
	if h == nil {
		begin()
	}
	return h
}

func readHeard(files fs.FS) *heard {
	h := &heard{}
	names, err := fs.Glob(files, "data/heard/*/*-pairs.csv")
	if err != nil {
		panic(err)
	}
	var items []Item
	known := map[[2]string]bool{}
	add := func(suite, said, question string) {
		key := [2]string{said, question}
		if known[key] {
			return
		}
		known[key] = true
		items = append(items, Item{Question: said, Leads: question})
		h.questions, h.suites = append(h.questions, question), append(h.suites, suite)
	}
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			panic(err)
		}
		rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
		if err != nil {
			panic(name + ": " + err.Error())
		}
		suite := path.Base(path.Dir(name))
		for _, row := range rows[1:] {
			add(suite, row[0], row[1])
			if row[1] != "" {
				add(suite, row[1], row[1])
			}
		}
	}
	h.base = newBase(items)
	h.base.echoes = true
	return h
}

// asked is a question that an utterance asks, of those that were heard, and how sure that is, 0 to 1.
type asked struct {
	question string
	share    float64
}

// meant are the questions that an utterance most likely asks, the likeliest first.
func (h *heard) meant(words []string) (all []asked) {
	const (
		most  = 5
		least = 20 // score
	)
	for _, m := range h.base.ranked(words, nil) {
		if m.Score < least || len(all) == most {
			break
		}
		q := h.questions[m.Item]
		if slices.ContainsFunc(all, func(a asked) bool { return a.question == q }) {
			continue
		}
		all = append(all, asked{q, float64(m.Score) / 100})
	}
	return all
}

// hearsay is how far items are asked for, 0 to 1, as far as that can be told from what was heard elsewhere: by the
// questions that it asked there, and the items that answer these here.
type hearsay map[int32]float64

// nothing stands for no item in a hearsay: such words asked what nobody had an answer to.
const nothing int32 = -1

func (b *Base) hearsay(words []string) hearsay {
	if b.heard == nil {
		return nil
	}
	h := b.heard()
	if h == nil {
		return nil
	}
	far := hearsay{}
	for _, a := range h.meant(words) {
		if a.question == "" {
			far[nothing] = a.share
			continue
		}
		for _, c := range b.answering(a.question) {
			far[c.concept] = max(far[c.concept], a.share*c.share)
		}
	}
	return far
}

// answering are the items that answer a question of another business best. They are looked for once: there are so many
// questions that were heard.
func (b *Base) answering(question string) []credit {
	if known, ok := b.answers.Load(question); ok {
		return known.([]credit)
	}
	var best []credit
	for _, m := range b.ranked(wordsOf(question), nil) {
		const most = 2
		if len(best) == most || m.Score == 0 {
			break
		}
		best = append(best, credit{int32(m.Item), float64(m.Score) / 100})
	}
	b.answers.Store(question, best)
	return best
}
