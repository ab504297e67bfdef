package scenario

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/malgil/malgil/internal/knowledge"
	"github.com/malgil/malgil/internal/word"
)

// index finds what words lead to. What it tells never changes.
type index struct {
	words     map[string]int            // block by the words that lead to it always: a normal block's name and says
	questions map[string]int            // item by its question, first as it is written, then folded
	exits     map[string]bool           // words that leave a re-ask
	fills     map[string]bool           // blocks, by id, whose answer has words to fill in
	patterns  map[string]*regexp.Regexp // of asks, by what is written; none for one that does not compile
	alike     *knowledge.Base           // says, then questions; nil for none
	says      []say
	choices   map[string]func() *knowledge.Base // of asks, by what they are
}

// say is one example utterance of a block.
type say struct {
	block int
	words string
}

// exitWords leave a re-ask in every bot, besides the words of its exit block.
var exitWords = []string{"취소", "그만", "처음으로"}

var (
	// What stands around the words that leave: 아니 그만할래요, 취소해 주세요.
	beforeExit = regexp.MustCompile(`^(?:아니|아|그냥|음|네|이제|그럼)+`)
	afterExit  = regexp.MustCompile(`(?:할래|할게|할께|둘래|둘게|둘께|할거예|하고싶어|하겠습니다|하겠어|하자|해줘|해주세|해|입니다|이)?요?$`)
	// Words of somebody who does not want to go on, or not now.
	declines = regexp.MustCompile(`^(?:안(?:할래|할게|할께|할거예|하고싶어|해|합니다)|됐(?:어|네|습니다)|필요없(?:어|습니다)|관둘(?:래|게|께)|싫(?:어|습니다)|괜찮(?:아|습니다)|(?:나중|다음)에(?:할게|할께|할래)?|생각(?:좀)?해볼(?:게|께))요?$`)
)

// leaves reports whether folded words are those that leave a re-ask, however they end.
func (x *index) leaves(said string) bool {
	bare := beforeExit.ReplaceAllString(said, "")
	return x.exits[said] || x.exits[bare] || x.exits[afterExit.ReplaceAllString(bare, "")]
}

// declined reports whether words that are no answer to a question decline it: 필요없어요, 예약 취소할게요.
func (x *index) declined(utterance string) bool {
	words := strings.Fields(utterance)
	return declines.MatchString(beforeExit.ReplaceAllString(fold(utterance), "")) || len(words) > 0 && x.leaves(fold(words[len(words)-1]))
}

// ends reports whether folded words that the bot has no answer to end the talk where nothing is asked. Who
// says 취소 there wants something of the business.
func (x *index) ends(said string) bool { return x.leaves(said) && !strings.Contains(said, "취소") }

func newIndex(content Content) *index {
	x := &index{words: map[string]int{}, questions: map[string]int{}, exits: map[string]bool{}, fills: map[string]bool{}, patterns: map[string]*regexp.Regexp{}, choices: map[string]func() *knowledge.Base{}}
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
		for _, ask := range block.Asks {
			if ask.Is == IsChoice {
				x.choices[choicesKey(ask.Choices)] = sync.OnceValue(func() *knowledge.Base { return compareChoices(ask.Choices) })
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
