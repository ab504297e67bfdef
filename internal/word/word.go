// Package word reads texts with words that are filled in: #{name}, or #{name|a default}. A literal
// "#{" is written "#{{".
package word

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Mark begins what is filled in.
const Mark = "#{"

// nameLimit is how long the name of a word may be, in characters.
const nameLimit = 100

// Text is a text with words to fill in.
type Text []Part

// Part is a text, or a word with a name.
type Part struct {
	Text, Name string
	HasDefault bool // which is Text
}

// Parse reads a text with words to fill in; wrong says what is wrong with it, empty when nothing is. Then t
// is what stands before that.
func Parse(text string) (t Text, wrong string) {
	for {
		before, rest, found := strings.Cut(text, Mark)
		if before != "" {
			t = append(t, Part{Text: before})
		}
		if !found {
			return t, ""
		}
		if escaped, is := strings.CutPrefix(rest, "{"); is {
			t, text = append(t, Part{Text: Mark}), escaped
			continue
		}
		word, after, closed := strings.Cut(rest, "}")
		if !closed || strings.Contains(word, Mark) {
			return t, "has #{ without }; write #{{ where the two characters are meant"
		}
		name, fallback, hasDefault := strings.Cut(word, "|")
		name = strings.TrimSpace(name)
		if wrong := WrongName(name); wrong != "" {
			return t, "has #{" + word + "}, whose name " + wrong
		}
		t, text = append(t, Part{Text: fallback, Name: name, HasDefault: hasDefault}), after
	}
}

// WrongName says what is wrong with the name of a word, empty when nothing is.
func WrongName(name string) string {
	switch {
	case name == "":
		return "is empty"
	case utf8.RuneCountInString(name) > nameLimit:
		return fmt.Sprintf("must be at most %d characters", nameLimit)
	case strings.ContainsAny(name, "#{}|") || strings.ContainsFunc(name, unicode.IsControl):
		return "must be without # { } | and control characters"
	}
	return ""
}

// Len is how many bytes a text has with its words, without writing it.
func (t Text) Len(value func(name string) string) (n int) {
	for _, p := range t {
		if own := value(p.Name); p.Name != "" && own != "" {
			n += len(own)
		} else {
			n += len(p.Text)
		}
	}
	return n
}

// Fill writes a text with its words, an empty one being none. missing is the first one that has neither a
// value nor a default.
func (t Text) Fill(value func(name string) string) (text, missing string) {
	var filled strings.Builder
	for _, p := range t {
		text := p.Text
		if p.Name != "" {
			if own := value(p.Name); own != "" {
				text = own
			} else if !p.HasDefault {
				return "", p.Name
			}
		}
		filled.WriteString(text)
	}
	return filled.String(), ""
}
