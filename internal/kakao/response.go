package kakao

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf16"

	"golang.org/x/text/unicode/norm"
)

// SkillResponse is the answer to a skill call, and the body of a callback: version 2.0.
type SkillResponse struct {
	Version     string         `json:"version"` // always "2.0"; without it Kakao reads the old format
	Template    *Template      `json:"template,omitempty"`
	Context     *Context       `json:"context,omitempty"`
	Data        map[string]any `json:"data,omitempty"`
	UseCallback bool           `json:"useCallback,omitempty"` // asks Kakao to wait; the template is then ignored
	Extra       map[string]any `json:"extra,omitempty"`       // of group chatbots: mentions
}

// Template is what the user sees: 1 to 3 outputs and up to 10 quick replies.
type Template struct {
	Outputs      []Output     `json:"outputs"`
	QuickReplies []QuickReply `json:"quickReplies,omitempty"`
}

// Context sets, extends or deletes (LifeSpan 0) contexts of the conversation.
type Context struct {
	Values []ContextValue `json:"values"`
}

// ContextValue is one context. LifeSpan counts utterances, TTL seconds.
type ContextValue struct {
	Name     string            `json:"name"`
	LifeSpan int               `json:"lifeSpan"`
	TTL      int               `json:"ttl,omitempty"`
	Params   map[string]string `json:"params,omitempty"`
}

// QuickReply (바로연결) is a shortcut under the bubbles. Action is "message" or "block".
type QuickReply struct {
	Label       string         `json:"label"`
	Action      string         `json:"action"`
	MessageText string         `json:"messageText,omitempty"`
	BlockID     string         `json:"blockId,omitempty"`
	Extra       map[string]any `json:"extra,omitempty"`
}

const version = "2.0"

// Respond returns an answer of the given bubbles.
func Respond(outputs ...Output) SkillResponse {
	return SkillResponse{Version: version, Template: &Template{Outputs: outputs}}
}

// Waiting returns the answer that asks Kakao to wait for the callback. The text fills the
// waiting bubble where the block shows data.text; it may be empty.
func Waiting(text string) SkillResponse {
	r := SkillResponse{Version: version, UseCallback: true}
	if text != "" {
		r.Data = map[string]any{"text": text}
	}
	return r
}

// textUnits is where [Text] splits, in UTF-16 units: below Kakao's 1,000.
const textUnits = 900

// Text returns an answer of plain text. A text over 900 UTF-16 units becomes two or three
// bubbles, cut at white space where there is some near. Nothing is ever left out: what does
// not fit stays in the third bubble, where [Lint] refuses it.
func Text(text string) SkillResponse {
	var outputs []Output
	rest := strings.TrimSpace(norm.NFC.String(text))
	for len(outputs) < limits.outputs-1 && Units(rest) > textUnits {
		cut := splitAt(rest, textUnits)
		outputs = append(outputs, simpleText(strings.TrimRightFunc(rest[:cut], unicode.IsSpace)))
		rest = strings.TrimLeftFunc(rest[cut:], unicode.IsSpace)
	}
	return Respond(append(outputs, simpleText(rest))...)
}

func simpleText(text string) Output { return Output{SimpleText: &SimpleText{Text: text}} }

// splitAt returns the byte index at which to cut a text of more than limit units: after the
// last white space of the second half of the piece, else between two characters.
func splitAt(text string, limit int) int {
	n, space, between := 0, 0, 0
	var before rune
	for i, r := range text {
		if i > 0 && !joins(before, r) {
			between = i
		}
		if n += utf16.RuneLen(r); n > limit {
			break
		}
		if unicode.IsSpace(r) && n > limit/2 {
			space = i + len(string(r))
		}
		before = r
	}
	if space > 0 {
		return space
	}
	return between
}

// joins reports whether two runes are seen as one character: a mark or an emoji sequence.
func joins(a, b rune) bool {
	const joiner = '\u200d'
	return a == joiner || b == joiner || unicode.In(b, unicode.Mn, unicode.Me, unicode.Variation_Selector) ||
		(b >= 0x1f3fb && b <= 0x1f3ff) // skin tones
}

// JSON returns the body as Kakao reads it: UTF-8, and no escapes that would count against the
// size of a bubble.
func (r SkillResponse) JSON() ([]byte, error) { return compact(r) }

func compact(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Units counts UTF-16 code units after NFC: Kakao does not say what a character is, and this
// is the strictest reading for emoji.
func Units(s string) int {
	n := 0
	for _, r := range norm.NFC.String(s) {
		n += utf16.RuneLen(r)
	}
	return n
}
