package scenario

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/knowledge"
)

// What the content of a bot may be. Texts that a user reads have Kakao's limits; these are ours.
const (
	MaxBlocks    = 1000
	MaxKnowledge = 50_000
	MaxServers   = 20
	maxSays      = 300 // of a block
	maxAsks      = 10
	maxHeaders   = 20
	maxContext   = 20
	maxBlock     = 200_000          // bytes as JSON: three bubbles, twice
	maxDelay     = 50 * time.Second // a callback is made within 55 s
	maxData      = 30_000           // bytes as JSON: what Kakao shows of a bubble
	maxID        = 64
	maxName      = 100 // characters
	maxURL       = 2000
	maxQuestion  = 200  // characters as Kakao counts them, also of an example utterance
	maxAnswer    = 1000 // of a knowledge item: one simpleText
)

// What a check tells at most: so many problems, of so many bytes together.
const (
	MaxProblems     = 1000
	MaxProblemBytes = 1 << 20
)

// MoreProblems is the last problem, of no field, where there may be more than are told.
const MoreProblems = "has more problems than are told; mend these first, and check again"

// Rules are what a check goes by besides Kakao's limits. The zero value is for production.
type Rules struct {
	HTTPLoopback bool     // a server may be http on this machine, as the demo's is
	HTTPHosts    []string // where a server may be http too, written as [kakao.Guard.Private]
	Blocks       []string // ids of blocks that the bot has besides those of the content
	Partial      bool     // there are blocks more of unknown ids: nothing is said of what names one that is not there
	NoServers    bool     // its servers are not known: nothing is said of what names one that is not there
}

// Check returns everything that is wrong with the content of a bot, in the order in which it
// stands there. Fields are paths such as "blocks[3].answer.outputs[0].simpleText.text" and
// "knowledge[12].question"; a block's delay is "delay_ms". It changes nothing. It ends where more is wrong
// than is told, which [MoreProblems] then says, and when ctx does: who waits for it looks at ctx first.
func (r Rules) Check(ctx context.Context, c Content) []fault.Part {
	k := &checker{
		ctx: ctx, rules: r, ids: map[string]bool{}, servers: map[string]bool{}, first: map[string]string{},
	}
	fits := k.most("blocks", len(c.Blocks), MaxBlocks)
	fits = k.most("knowledge", len(c.Knowledge), MaxKnowledge) && fits
	fits = k.most("servers", len(c.Servers), MaxServers) && fits
	if !fits {
		return k.parts
	}
	for _, id := range r.Blocks {
		k.ids[id] = true
	}
	for _, b := range c.Blocks {
		k.ids[b.ID] = true
	}
	for i := 0; i < len(c.Servers) && !k.over(); i++ {
		k.server(fmt.Sprintf("servers[%d]", i), c.Servers[i])
	}
	for i := 0; i < len(c.Blocks) && !k.over(); i++ {
		k.block(fmt.Sprintf("blocks[%d]", i), c.Blocks[i])
	}
	for i := 0; i < len(c.Knowledge) && !k.over(); i++ {
		k.item(fmt.Sprintf("knowledge[%d]", i), c.Knowledge[i])
	}
	return k.parts
}

// checker gathers what is wrong.
type checker struct {
	ctx     context.Context
	rules   Rules
	ids     map[string]bool   // of blocks
	servers map[string]bool   // names
	first   map[string]string // what may stand once → the path where it stands
	parts   []fault.Part
	bytes   int  // of the parts
	full    bool // no more are told
}

func (k *checker) add(path, format string, args ...any) {
	if k.full {
		return
	}
	part := fault.Part{Field: path, Message: fmt.Sprintf(format, args...)}
	k.bytes += len(part.Field) + len(part.Message)
	if k.full = len(k.parts) == MaxProblems || k.bytes > MaxProblemBytes; k.full {
		part = fault.Part{Message: MoreProblems}
	}
	k.parts = append(k.parts, part)
}

// over reports whether nothing more is to be checked.
func (k *checker) over() bool { return k.full || k.ctx.Err() != nil }

// most refuses more entries than are kept; false tells that it did.
func (k *checker) most(path string, n, most int) bool {
	if n > most {
		k.add(path, "has %d entries, at most %d are kept", n, most)
	}
	return n <= most
}

// once notes where a thing of a kind stands, and refuses it the second time; false tells that it did.
func (k *checker) once(path, kind, thing string) bool {
	if before, taken := k.first[kind+thing]; taken {
		k.add(path, "is the same as %s", before)
		return false
	}
	k.first[kind+thing] = path
	return true
}

// leads notes words that lead to a block. What differs in spaces and punctuation alone leads to one block,
// in which it may stand more than once.
func (k *checker) leads(block, path, text string) {
	if !k.once(path, "words ", sayable(text)) {
		return
	}
	folded := "folded " + fold(text)
	switch before, taken := k.first[folded]; {
	case !taken:
		k.first[folded] = path
	case !strings.HasPrefix(before, block+"."):
		k.add(path, "is the same as %s but for spaces and punctuation, which are not compared", before)
	}
}

// name checks a name that people read.
func (k *checker) name(path, name string) bool {
	switch {
	case strings.TrimSpace(name) == "":
		k.add(path, "is missing")
	case utf8.RuneCountInString(name) > maxName || !fault.OneLine(name):
		k.add(path, "must be one line of at most %d characters", maxName)
	default:
		return true
	}
	return false
}

// said checks words that a user may say.
func (k *checker) said(path, text string) bool {
	if plain(text) == "" {
		k.add(path, "is empty")
		return false
	}
	return k.length(path, text, maxQuestion)
}

// sayable makes what users may say comparable: as [plain], and whatever the case.
func sayable(text string) string { return strings.ToLower(plain(text)) }

func (k *checker) length(path, text string, most int) bool {
	if n := kakao.Units(text); n > most {
		k.add(path, "is %d characters, at most %d are allowed", n, most)
		return false
	}
	return k.readable(path, text)
}

// readable refuses what no person means to write. Lines may be broken.
func (k *checker) readable(path, text string) bool {
	if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }) {
		k.add(path, "has control characters or is not UTF-8; enter it again")
		return false
	}
	return true
}

// WrongID says what is wrong with an id of Kakao's, empty when nothing is.
func WrongID(id string) string {
	switch {
	case id == "":
		return "is missing; it is the id that Kakao shows"
	case len(id) > maxID || strings.ContainsFunc(id, notOfID):
		return fmt.Sprintf("must be at most %d letters, digits, - and _", maxID)
	}
	return ""
}

func notOfID(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
}

// keptAtKakao reports whether an id looks like one of Kakao's own, of a block that may be there
// alone: 24 hexadecimal digits.
func keptAtKakao(id string) bool {
	return len(id) == 24 && !strings.ContainsFunc(id, func(r rune) bool { return !strings.ContainsRune("0123456789abcdef", r) })
}

// item checks a knowledge item.
func (k *checker) item(path string, item knowledge.Item) {
	if strings.TrimSpace(item.Question) == "" {
		k.add(path+".question", "is missing")
	} else if k.length(path+".question", item.Question, maxQuestion) {
		k.asked(path+".question", item.Question)
	}
	if strings.TrimSpace(item.Answer) == "" {
		k.add(path+".answer", "is missing")
	} else {
		k.length(path+".answer", item.Answer, maxAnswer)
	}
	for i, category := range item.Categories {
		if utf8.RuneCountInString(category) > maxName || !fault.OneLine(category) {
			k.add(fmt.Sprintf("%s.categories[%d]", path, i), "must be one line of at most %d characters", maxName)
		}
	}
	if item.ImageURL != "" {
		k.https(path+".image_url", item.ImageURL)
	}
	if item.LandingURL != "" {
		k.https(path+".landing_url", item.LandingURL)
	}
}

// asked notes the question of an item. Two that differ in spaces and the marks between words alone are one question, and
// nobody who asks it can say which of the answers he wants; in other signs they may differ: C++, C#.
func (k *checker) asked(path, question string) {
	if !k.once(path, "question ", plain(question)) {
		return
	}
	folded := "folded question " + strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || strings.ContainsRune(".,?!~…。、？！", r) {
			return -1
		}
		return r
	}, plain(question))
	if before, taken := k.first[folded]; taken {
		k.add(path, "is the same as %s but for spaces and punctuation, which are not compared", before)
		return
	}
	k.first[folded] = path
}

func (k *checker) https(path, address string) *url.URL {
	u, err := url.Parse(address)
	switch {
	case len(address) > maxURL:
		k.add(path, "must be at most %d bytes", maxURL)
	case err != nil || u.Scheme != "https" || u.Hostname() == "":
		k.add(path, "must be an https address")
	default:
		return u
	}
	return nil
}
