package scenario

import (
	"slices"
	"strings"

	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/word"
)

// template checks the bubbles of an answer, with what they lead to.
func (k *checker) template(path string, t kakao.Template) {
	const looked = 20 // outputs; more are nobody's answer
	if n := len(t.Outputs); n > looked {
		k.add(path+".outputs", "has %d entries, want 1 to %d", n, kakao.MaxOutputs)
		return
	}
	for _, p := range lintFilled(path, t) {
		k.add(p.Path, "%s", p.Message)
	}
	mapTexts(t, path, func(path, text string) string {
		leads := strings.HasSuffix(path, ".blockId") && !strings.Contains(path, ".extra.") && text != ""
		if leads && !k.ids[text] && !keptAtKakao(text) && !k.rules.Partial {
			k.add(path, "names the block %q, which the bot does not have; write the id of one of its blocks, or Kakao's id "+
				"(24 hexadecimal digits) of a block that is kept there", text)
		}
		return text
	})
}

// lintFilled returns words that cannot be filled in, and what Kakao would refuse of a template whatever
// is filled in: a problem counts when it is there with each of several fillings, which are nothing at
// all, the defaults, a letter and an address.
func lintFilled(path string, t kakao.Template) (problems []kakao.Problem) {
	words := false
	mapTexts(t, path, func(path, text string) string {
		words = words || strings.Contains(text, word.Mark)
		for _, wrong := range wrongWords(text) {
			problems = append(problems, kakao.Problem{Path: path, Message: wrong})
		}
		return text
	})
	always := lintAt(path, fill(t, "", false))
	if !words {
		return append(problems, always...)
	}
	for _, found := range [][]kakao.Problem{
		lintAt(path, fill(t, "", true)), lintAt(path, fill(t, "0", false)), lintAt(path, fill(t, "https://malgil.example/0", false)),
	} {
		there := map[string]bool{}
		for _, p := range found {
			there[p.Path] = true
		}
		always = slices.DeleteFunc(always, func(p kakao.Problem) bool { return !there[p.Path] })
	}
	return append(problems, always...)
}

// fill puts a value, or where there are any the defaults, in the place of all words.
func fill(t kakao.Template, value string, defaults bool) kakao.Template {
	return mapTexts(t, "", func(_, text string) string {
		parsed, wrong := word.Parse(text)
		if wrong != "" {
			return text
		}
		for i, part := range parsed {
			if part.Name != "" && !(defaults && part.HasDefault) {
				parsed[i].Text = value
			}
			parsed[i].Name = ""
		}
		filled, _ := parsed.Fill(func(string) string { return "" })
		return filled
	})
}

func lintAt(path string, t kakao.Template) []kakao.Problem {
	problems := kakao.LintTemplate(t)
	for i, p := range problems {
		problems[i].Path = path + strings.TrimPrefix(p.Path, "template")
	}
	return problems
}

// wrongWords says what is wrong with the words of a text.
func wrongWords(text string) (wrong []string) {
	parsed, end := word.Parse(text)
	var unknown []string
	for _, part := range parsed {
		if named := word.Mark + part.Name + "}"; part.Name != "" && !fillable(part.Name) && len(unknown) < MaxProblems && !slices.Contains(unknown, named) {
			unknown = append(unknown, named)
		}
	}
	if len(unknown) > 0 {
		wrong = append(wrong, "has "+strings.Join(unknown, ", ")+", which nothing fills in; there are params.NAME, detail.NAME, "+
			"context.NAME.PARAM, user.NAME, extra.NAME and utterance")
	}
	if end != "" {
		wrong = append(wrong, end)
	}
	return wrong
}

// words checks the words of a text, which it returns.
func (k *checker) words(path, text string) string {
	for _, wrong := range wrongWords(text) {
		k.add(path, "%s", wrong)
	}
	return text
}

// fillable reports whether a word has a name that is filled in:
//
//	#{params.x}        value of a required parameter, else what Kakao extracted
//	#{detail.x}        …with its value, and #{detail.x.origin} with the piece of the utterance
//	#{context.n.x}     parameter x of the context n
//	#{user.x}          property of the user
//	#{extra.x}         extra of the button that was touched
//	#{utterance}       what the user said
//
// A value that is JSON, as Kakao's system entities are, also gives its fields: #{params.sys_date.date}.
func fillable(name string) bool {
	parts := strings.Split(name, ".")
	least, is := map[string]int{"params": 2, "detail": 2, "context": 3, "user": 2, "extra": 2, "utterance": 1}[parts[0]]
	most := least + 1
	if parts[0] == "utterance" {
		most = least
	}
	return is && len(parts) >= least && len(parts) <= most && !slices.ContainsFunc(parts, func(part string) bool { return wrongPart(part) != "" })
}
