package scenario

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/word"
)

// filler fills words in. It collects the names of those without a value.
type filler struct {
	request  kakao.SkillRequest
	params   map[string]string // of the block's asks
	contexts map[string]kakao.ContextValue
	missing  []string
}

// value is "" for a word without one.
func (f *filler) value(name string) string {
	kind, rest, _ := strings.Cut(name, ".")
	switch kind {
	case "utterance":
		return f.request.Utterance
	case "params":
		if value := within(f.params, rest); value != "" {
			return value
		}
		return within(f.request.Action.Params, rest)
	case "detail":
		return f.detail(rest)
	case "context":
		return f.context(rest)
	case "user":
		return within(f.request.User.Properties, rest)
	case "extra":
		return within(f.request.Action.ClientExtra, rest)
	}
	return ""
}

func (f *filler) detail(name string) string {
	if detail, is := f.request.Action.DetailParams[name]; is {
		return detail.Value
	}
	if param, is := strings.CutSuffix(name, ".origin"); is {
		return f.request.Action.DetailParams[param].Origin
	}
	values := make(map[string]string, len(f.request.Action.DetailParams))
	for param, detail := range f.request.Action.DetailParams {
		values[param] = detail.Value
	}
	return within(values, name)
}

func (f *filler) context(name string) string {
	if f.contexts == nil {
		f.contexts = map[string]kakao.ContextValue{}
		for _, context := range f.request.ContextValues() {
			f.contexts[context.Name] = context
		}
	}
	for i, r := range name { // names may hold dots
		if r == '.' {
			if value := within(f.contexts[name[:i]].Params, name[i+1:]); value != "" {
				return value
			}
		}
	}
	return ""
}

// within finds a value by its name, else a field of a value that is a JSON object.
func within(values map[string]string, name string) string {
	if value, is := values[name]; is {
		return value
	}
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 || !strings.HasPrefix(values[name[:dot]], "{") {
		return ""
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal([]byte(values[name[:dot]]), &fields) != nil {
		return ""
	}
	return kakao.ValueText(fields[name[dot+1:]])
}

// text fills a text. A text that is no text with words, which an import refuses, is left as it is.
func (f *filler) text(text string) string {
	return f.fill(text, func(value string) string { return value })
}

// address fills an address: a value in it stands for itself, whatever it holds, unless the address is all
// of the value.
func (f *filler) address(text string) string {
	if strings.HasPrefix(text, word.Mark) {
		return f.text(text)
	}
	return f.fill(text, func(value string) string {
		return strings.ReplaceAll(url.QueryEscape(value), "+", "%20")
	})
}

func (f *filler) fill(text string, escape func(string) string) string {
	if !strings.Contains(text, word.Mark) {
		return text
	}
	parsed, wrong := word.Parse(text)
	if wrong != "" {
		return text
	}
	var b strings.Builder
	for _, part := range parsed {
		own := ""
		if part.Name != "" {
			own = f.value(part.Name)
		}
		switch {
		case own != "":
			b.WriteString(escape(own))
		case part.Name != "" && !part.HasDefault:
			if !slices.Contains(f.missing, part.Name) {
				f.missing = append(f.missing, part.Name)
			}
		default:
			b.WriteString(part.Text)
		}
	}
	return b.String()
}

// addresses are the fields of components that hold one.
var addresses = []string{".webLinkUrl", ".imageUrl", ".link.pc", ".link.mobile", ".link.web"}

// filled returns a copy of a value with the words in all its texts filled in.
func filled[T any](f *filler, value T) T {
	return mapTexts(value, "", func(path, text string) string {
		if slices.ContainsFunc(addresses, func(field string) bool { return strings.HasSuffix(path, field) }) {
			return f.address(text)
		}
		return f.text(text)
	})
}
