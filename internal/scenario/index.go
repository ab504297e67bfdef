package scenario

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/malgil/malgil/internal/knowledge"
	"github.com/malgil/malgil/internal/word"
)

// index finds what words lead to. It never changes.
type index struct {
	words     map[string]int            // block by the words that lead to it always: a normal block's name and says
	questions map[string]int            // item by its question, first as it is written, then folded
	exits     map[string]bool           // words that leave a re-ask
	fills     map[string]bool           // blocks, by id, whose answer has words to fill in
	patterns  map[string]*regexp.Regexp // of asks, by what is written; none for one that does not compile
	alike     *knowledge.Base           // says, then questions; nil for none
	says      []say
}

// say is one example utterance of a block.
type say struct {
	block int
	words string
}

// exitWords leave a re-ask in every bot, besides the words of its exit block.
var exitWords = []string{"취소", "그만", "처음으로"}

func newIndex(content Content) *index {
	x := &index{words: map[string]int{}, questions: map[string]int{}, exits: map[string]bool{}, fills: map[string]bool{}, patterns: map[string]*regexp.Regexp{}}
	for _, words := range exitWords {
		x.exits[fold(words)] = true
	}
	var alike []knowledge.Item
	for i, block := range content.Blocks {
		answer, err := json.Marshal(block.Answer)
		x.fills[block.ID] = err != nil || bytes.Contains(answer, []byte(word.Mark))
		for _, ask := range block.Asks {
			if whole, err := regexp.Compile(wholePattern(ask.Pattern)); err == nil && ask.Pattern != "" {
				x.patterns[ask.Pattern] = whole
			}
		}
		for _, words := range append([]string{block.Name}, block.Says...) {
			folded := fold(words)
			switch {
			case folded == "":
			case block.Kind == Exit:
				x.exits[folded] = true
			case block.Kind == Normal:
				setNew(x.words, folded, i)
			}
		}
		if block.Kind == Normal {
			for _, words := range block.Says {
				x.says = append(x.says, say{block: i, words: words})
				alike = append(alike, knowledge.Item{Question: words, Leads: block.ID})
			}
		}
	}
	for i, item := range content.Knowledge {
		setNew(x.questions, plain(item.Question), i)
	}
	for i, item := range content.Knowledge {
		setNew(x.questions, fold(item.Question), i)
	}
	if alike = append(alike, content.Knowledge...); len(alike) > 0 {
		x.alike = knowledge.New(alike)
	}
	return x
}

func setNew(m map[string]int, key string, value int) {
	if _, is := m[key]; !is && key != "" {
		m[key] = value
	}
}

// question finds the item whose question was said.
func (x *index) question(utterance string) (item int, found bool) {
	if item, found = x.questions[plain(utterance)]; !found {
		item, found = x.questions[fold(utterance)]
	}
	return item, found
}

// fold makes words comparable that differ in space, case and punctuation alone.
func fold(text string) string {
	text = strings.ToLower(norm.NFC.String(text))
	folded := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.IsPunct(r) || unicode.IsSymbol(r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, text)
	if folded == "" { // of marks alone
		return strings.Join(strings.Fields(text), "")
	}
	return folded
}
