package scenario

import (
	"encoding/json"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/malgil/malgil/internal/kakao"
)

// block checks one block of a bot. One that is too large is looked at no further, nor is a list that is too long.
func (k *checker) block(path string, b Block) {
	if body, err := json.Marshal(b); err != nil || len(body) > maxBlock {
		k.add(path, "must be at most %d bytes as JSON", maxBlock)
		return
	}
	if wrong := WrongID(b.ID); wrong != "" {
		k.add(path+".id", "%s", wrong)
	} else {
		k.once(path+".id", "id ", b.ID)
	}
	if k.name(path+".name", b.Name) {
		k.once(path+".name", "name ", sayable(b.Name))
	}
	if b.Kind == Normal && k.first["name "+sayable(b.Name)] == path+".name" { // its name is what users may say
		k.leads(path, path+".name", b.Name)
	}
	switch b.Kind {
	case Welcome, Fallback, Exit:
		k.once(path+".kind", "kind ", string(b.Kind))
	case Normal:
	default:
		k.add(path+".kind", "must be welcome, fallback, exit or normal")
	}
	k.says(path, b)
	if b.Event != "" && k.name(path+".event", b.Event) {
		k.once(path+".event", "event ", strings.TrimSpace(b.Event))
	}
	if b.Delay < 0 || b.Delay > maxDelay {
		k.add(path+".delay_ms", "must be 0 to %d", maxDelay.Milliseconds())
	}
	k.asks(path, b)
	k.answers(path, b)
	k.leaves(path, b)
}

// says checks the example utterances of a block.
func (k *checker) says(path string, b Block) {
	if len(b.Says) > 0 && (b.Kind == Welcome || b.Kind == Fallback) {
		k.add(path+".says", "has no place in a %s block, which no words lead to", b.Kind)
		return
	}
	if !k.most(path+".says", len(b.Says), maxSays) {
		return
	}
	for i, text := range b.Says {
		at := fmt.Sprintf("%s.says[%d]", path, i)
		if k.said(at, text) && (sayable(text) != sayable(b.Name) || b.Kind != Normal) {
			k.leads(path, at, text)
		}
	}
}

// answers checks how a block answers: in one way, unless its kind fixes the answer.
func (k *checker) answers(path string, b Block) {
	if b.Kind == Exit {
		for _, has := range []struct {
			field string
			given bool
		}{
			{"event", b.Event != ""}, {"callback", b.Callback}, {"delay_ms", b.Delay != 0}, {"answer", b.Answer != nil},
			{"webhook", b.Webhook != nil}, {"handoff", b.Handoff}, {"context", len(b.Context) > 0}, {"data", len(b.Data) > 0},
		} {
			if has.given {
				k.add(path+"."+has.field, "has no place in an exit block, whose answer is fixed; leave it out")
			}
		}
		return
	}
	switch {
	case b.Answer != nil && b.Webhook != nil:
		k.add(path+".webhook", "stands beside an answer; a block answers in one way")
	case b.Webhook != nil:
	case b.Answer == nil:
		k.add(path+".answer", "is missing; give an answer or a webhook")
		return
	}
	if b.Answer != nil {
		k.template(path+".answer", *b.Answer)
	}
	if b.Webhook != nil {
		k.webhook(path+".webhook", *b.Webhook)
	}
}

// leaves checks what goes out beside an answer.
func (k *checker) leaves(path string, b Block) {
	if b.Handoff && b.Answer != nil && len(b.Answer.Outputs) <= kakao.MaxOutputs {
		problems := len(lintFilled("", *b.Answer))
		if _, fits := withPerson(*b.Answer, func(t kakao.Template) bool { return len(lintFilled("", t)) <= problems }); !fits {
			k.add(path+".handoff", "finds no room for its button: have a card with room for one button more, or at most 2 outputs")
		}
	}
	if k.most(path+".context", len(b.Context), maxContext) {
		waiting := kakao.Waiting("")
		waiting.Context = &kakao.Context{Values: b.Context}
		for _, p := range kakao.Lint(waiting) {
			k.add(path+"."+strings.Replace(p.Path, "context.values", "context", 1), "%s", p.Message)
		}
		mapTexts(b.Context, path+".context", k.words)
	}
	if body, err := json.Marshal(b.Data); err != nil || len(body) > maxData {
		k.add(path+".data", "must be at most %d bytes as JSON", maxData)
	}
	mapTexts(b.Data, path+".data", k.words)
}

// asks checks the required parameters of a block.
func (k *checker) asks(path string, b Block) {
	if len(b.Asks) > 0 && b.Kind != Normal {
		k.add(path+".asks", "has no place in a block of kind %s; only a normal one asks", b.Kind)
		return
	}
	if !k.most(path+".asks", len(b.Asks), maxAsks) {
		return
	}
	params := map[string]bool{}
	for i, ask := range b.Asks {
		at := fmt.Sprintf("%s.asks[%d]", path, i)
		switch {
		case wrongPart(ask.Param) != "":
			k.add(at+".param", "%s", wrongPart(ask.Param))
		case params[ask.Param]:
			k.add(at+".param", "is asked for twice in this block")
		}
		params[ask.Param] = true
		k.ask(at, ask)
	}
}

const (
	maxTries   = 10
	maxPattern = 500  // bytes
	maxProgram = 1000 // instructions that it becomes: each may be looked at for every letter of an answer
)

func (k *checker) ask(path string, a Ask) {
	k.question(path+".ask", a.Ask)
	if a.Again != "" {
		k.question(path+".again", a.Again)
	}
	if a.Is != "" && !slices.Contains([]string{IsText, IsNumber, IsPhone, IsDate, IsChoice}, a.Is) {
		k.add(path+".is", "must be text, number, phone, date or choice")
	}
	switch {
	case a.Is == IsChoice && len(a.Choices) == 0:
		k.add(path+".choices", "is missing; these are what the user chooses from")
	case a.Is != IsChoice && len(a.Choices) > 0:
		k.add(path+".choices", "is only for what is a choice; write is: choice")
	}
	k.choices(path+".choices", a.Choices)
	k.pattern(path+".pattern", a)
	if a.Past && a.Is != IsDate {
		k.add(path+".past", "is only for what is a date; write is: date")
	}
	if a.Tries < 0 || a.Tries > maxTries {
		k.add(path+".tries", "must be 1 to %d", maxTries)
	}
}

// pattern checks what an answer must match.
func (k *checker) pattern(path string, a Ask) {
	switch {
	case a.Pattern == "":
		return
	case a.Is != "" && a.Is != IsText:
		k.add(path, "is only for what is text")
		return
	case len(a.Pattern) > maxPattern:
		k.add(path, "must be at most %d bytes", maxPattern)
		return
	}
	_, err := regexp.Compile(a.Pattern)
	if err != nil {
		k.add(path, "is no regular expression (RE2): %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		return
	}
	parsed, err := syntax.Parse(wholePattern(a.Pattern), syntax.Perl)
	if err == nil {
		var program *syntax.Prog
		if program, err = syntax.Compile(parsed.Simplify()); err == nil && len(program.Inst) <= maxProgram {
			return
		}
	}
	k.add(path, "takes too long to match; repeat less in it, or fewer times: {1000} counts as 1000 copies")
}

// question checks what a user is asked, which is a bubble of its own.
func (k *checker) question(path, text string) {
	shown := kakao.Template{Outputs: []kakao.Output{{SimpleText: &kakao.SimpleText{Text: text}}}}
	for _, p := range lintFilled(path, shown) {
		k.add(path, "%s", p.Message)
	}
}

// choices checks what is shown as quick replies.
func (k *checker) choices(path string, choices []string) {
	var shown kakao.Template
	seen := map[string]bool{}
	for i, choice := range choices {
		shown.QuickReplies = append(shown.QuickReplies, kakao.QuickReply{Action: "message", Label: choice})
		if words := sayable(choice); words != "" && seen[words] {
			k.add(fmt.Sprintf("%s[%d]", path, i), "stands twice")
		} else {
			seen[words] = true
		}
	}
	shown.Outputs = kakao.Text("?").Template.Outputs
	for _, p := range kakao.LintTemplate(shown) {
		at := strings.TrimSuffix(strings.TrimPrefix(p.Path, "template.quickReplies"), ".label")
		k.add(path+at, "%s", p.Message)
	}
}

// wrongPart says what is wrong with the name of a parameter, a context or a property: what may stand
// between the points of a word that is filled in.
func wrongPart(name string) string {
	switch {
	case name == "":
		return "is missing"
	case utf8.RuneCountInString(name) > maxID || strings.ContainsFunc(name, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' && r != '-'
	}):
		return fmt.Sprintf("must be at most %d letters, digits, - and _", maxID)
	}
	return ""
}
