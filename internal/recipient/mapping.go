package recipient

import (
	"slices"
	"strings"

	"github.com/malgil/malgil/internal/fault"
)

// Mapping says which columns of a file mean what. An empty field goes by the names of the columns.
type Mapping struct {
	ID, Type string
	// Properties are the columns that are properties, each under its name; nil for every other column,
	// empty for none.
	Properties []string
	// Fields are the columns of the fields that [Options] have, where they do; the columns that are named
	// nowhere are then left out.
	Fields map[string]string
}

// Stated reports whether anything is said.
func (m Mapping) Stated() bool {
	return m.ID != "" || m.Type != "" || m.Properties != nil || len(m.Fields) > 0
}

// ParseMapping reads "id:회원번호,type:구분,properties:이름|등급", or where a file has fields,
// "id:회원번호,at:거부한 날". Every part may be left out. A backslash takes the meaning from a comma, colon,
// bar or backslash in the name of a column. It is Invalid for anything else, and for a column that is named
// twice.
func ParseMapping(text string, fields ...string) (m Mapping, err error) {
	words := []string{"id", "type", "properties"}
	form := "id:NAME,type:NAME,properties:NAME|NAME"
	if len(fields) > 0 {
		words = append(words[:2], fields...)
		form = strings.Join(words, ":NAME,") + ":NAME"
	}
	wrong := func(format string, args ...any) (Mapping, error) {
		return Mapping{}, fault.Field("query.map", format+"; write it as %s", append(args, form)...)
	}
	if text == "" {
		return Mapping{}, nil
	}
	if strings.HasSuffix(strings.ReplaceAll(text, `\\`, ""), `\`) {
		return wrong("ends within a name")
	}
	var seen, all []string // words and columns
	for _, part := range split(text, ',') {
		halves := split(part, ':')
		if len(halves) != 2 {
			return wrong("has a part %q that is not one word, a colon and columns", part)
		}
		word := strings.TrimSpace(halves[0])
		if slices.Contains(seen, word) {
			return wrong("says twice what %s is", word)
		}
		seen = append(seen, word)
		var names []string
		for _, name := range split(halves[1], '|') {
			name = strings.TrimSpace(plain(name))
			if name == "" && (word != "properties" || strings.TrimSpace(halves[1]) != "") {
				return wrong("names no column for %s", word)
			}
			if name != "" {
				names = append(names, name)
			}
		}
		for _, name := range names {
			if slices.Contains(all, name) {
				return wrong("names the column %q twice", name)
			}
			all = append(all, name)
		}
		switch {
		case !slices.Contains(words, word):
			return wrong("has a part %q; there are %s and %s", word, strings.Join(words[:len(words)-1], ", "), words[len(words)-1])
		case word == "properties":
			m.Properties = append([]string{}, names...)
		case len(names) > 1:
			return wrong("names %d columns for %s, which is one", len(names), word)
		case word == "id":
			m.ID = names[0]
		case word == "type":
			m.Type = names[0]
		default:
			if m.Fields == nil {
				m.Fields = map[string]string{}
			}
			m.Fields[word] = names[0]
		}
	}
	return m, nil
}

// split cuts a text at a mark that no backslash stands before.
func split(text string, mark byte) (parts []string) {
	begin := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case mark:
			parts = append(parts, text[begin:i])
			begin = i + 1
		}
	}
	return append(parts, text[begin:])
}

// plain takes the backslashes out of a name.
func plain(name string) string {
	var text strings.Builder
	for i := 0; i < len(name); i++ {
		if name[i] == '\\' && i+1 < len(name) {
			i++
		}
		text.WriteByte(name[i])
	}
	return text.String()
}
