package fault

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// OneLine reports whether a text can be shown on a line of its own: it has no control character,
// and none that turns the direction of what follows it.
func OneLine(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool {
		return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
	})
}

// Line returns an input text without the spaces around it. It is Invalid about the field unless the text
// is [OneLine] of at most so many bytes; an empty one may be.
func Line(field, text string, most int) (string, error) {
	text = strings.TrimSpace(text)
	if len(text) > most || !OneLine(text) {
		return "", Field(field, "must be one line of at most %d bytes", most)
	}
	return text, nil
}
