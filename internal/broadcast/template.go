package broadcast

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// mark begins what is filled in.
const mark = "#{"

// wordLimit is how long the name of a variable may be, in characters.
const wordLimit = 100

// template is a text with words to fill in.
type template []templatePart

// templatePart is a text, or a word with a name.
type templatePart struct {
	text, name string
	hasDefault bool // which is text
}

// parseTemplate reads a text with words to fill in; wrong says what is wrong with it, empty when nothing is.
func parseTemplate(text string) (t template, wrong string) {
	for {
		before, rest, found := strings.Cut(text, mark)
		if before != "" {
			t = append(t, templatePart{text: before})
		}
		if !found {
			return t, ""
		}
		if escaped, is := strings.CutPrefix(rest, "{"); is {
			t, text = append(t, templatePart{text: mark}), escaped
			continue
		}
		word, after, closed := strings.Cut(rest, "}")
		if !closed || strings.Contains(word, mark) {
			return nil, "has #{ without }; write #{{ where the two characters are meant"
		}
		name, fallback, hasDefault := strings.Cut(word, "|")
		name = strings.TrimSpace(name)
		if wrong := wrongWord(name); wrong != "" {
			return nil, "has #{" + word + "}, whose name " + wrong
		}
		t, text = append(t, templatePart{text: fallback, name: name, hasDefault: hasDefault}), after
	}
}

// wrongWord says what is wrong with the name of a variable.
func wrongWord(name string) string {
	switch {
	case name == "":
		return "is empty"
	case utf8.RuneCountInString(name) > wordLimit:
		return fmt.Sprintf("must be at most %d characters", wordLimit)
	case strings.ContainsAny(name, "#{}|") || strings.ContainsFunc(name, unicode.IsControl):
		return "must be without # { } | and control characters"
	}
	return ""
}

// length is how long a text is with its words, without writing it.
func (t template) length(value func(name string) string) (n int) {
	for _, p := range t {
		if own := value(p.name); p.name != "" && own != "" {
			n += len(own)
		} else {
			n += len(p.text)
		}
	}
	return n
}

// fill writes a text with its words, an empty one being none. missing is the first one that has neither a
// value nor a default.
func (t template) fill(value func(name string) string) (text, missing string) {
	var filled strings.Builder
	for _, p := range t {
		text := p.text
		if p.name != "" {
			if own := value(p.name); own != "" {
				text = own
			} else if !p.hasDefault {
				return "", p.name
			}
		}
		filled.WriteString(text)
	}
	return filled.String(), ""
}
