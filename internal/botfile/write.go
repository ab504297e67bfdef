package botfile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/malgil/malgil/internal/scenario"
)

// Write returns the files of a folder that [Read] reads as this content and header, which are taken to have
// passed its check. Blocks keep their order by the numbers in the names of their files.
func Write(content scenario.Content, header Header) map[string][]byte {
	files := map[string][]byte{botYAML: asYAML(struct {
		Header
		Servers []scenario.Server `json:"servers,omitempty"`
	}{header, content.Servers})}
	width := len(strconv.Itoa(len(content.Blocks)))
	for i, b := range content.Blocks {
		name := fmt.Sprintf("%s/%0*d-%s.yaml", blocksDir, width, i+1, b.ID)
		files[name] = asYAML(block{
			ID: b.ID, Name: b.Name, Kind: b.Kind, Says: b.Says, Event: b.Event, Callback: b.Callback,
			DelayMS: b.Delay.Milliseconds(), Asks: b.Asks, Answer: b.Answer, Webhook: b.Webhook,
			Handoff: b.Handoff, Context: b.Context, Data: b.Data,
		})
	}
	if len(content.Knowledge) > 0 {
		files[knowledgeCSV] = asCSV(content.Knowledge)
	}
	return files
}

// asYAML writes a value with the names and the order that it has in JSON.
func asYAML(value any) []byte {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic("botfile: " + err.Error()) // there is nothing in a bot that JSON does not have
	}
	decoder := json.NewDecoder(&text)
	decoder.UseNumber()
	w := &writer{from: decoder}
	w.value(w.next(), 0, true)
	return w.Bytes()
}

// writer writes tokens of JSON as YAML.
type writer struct {
	bytes.Buffer
	from *json.Decoder
}

func (w *writer) next() json.Token {
	token, err := w.from.Token()
	if err != nil {
		panic("botfile: " + err.Error()) // it was just encoded
	}
	return token
}

// value writes a value that stands behind "name:" or, when it begins a line, behind "- " or nothing.
func (w *writer) value(token json.Token, indent int, begins bool) {
	space := " "
	if begins {
		space = ""
	}
	switch v := token.(type) {
	case json.Delim:
		if !w.from.More() {
			w.WriteString(space + v.String())
			fmt.Fprintln(w, w.next())
			return
		}
		if !begins {
			w.WriteByte('\n')
		}
		if v == '{' {
			w.fields(indent, begins)
		} else {
			w.items(indent, begins)
		}
		w.next()
	case string:
		w.WriteString(space + scalar(v, indent) + "\n")
	case json.Number:
		w.WriteString(space + number(v) + "\n")
	case nil:
		w.WriteString(space + "null\n")
	default:
		fmt.Fprintln(w, space+fmt.Sprint(v))
	}
}

func (w *writer) fields(indent int, begins bool) {
	for first := true; w.from.More(); first = false {
		if !first || !begins {
			w.WriteString(strings.Repeat("  ", indent))
		}
		name := w.next().(string)
		if !bare.MatchString(name) || reserved[strings.ToLower(name)] {
			name = quoted(name)
		}
		w.WriteString(name + ":")
		w.value(w.next(), indent+1, false)
	}
}

func (w *writer) items(indent int, begins bool) {
	for first := true; w.from.More(); first = false {
		if !first || !begins {
			w.WriteString(strings.Repeat("  ", indent))
		}
		w.WriteString("- ")
		w.value(w.next(), indent+1, true)
	}
}

var (
	// bare are texts that YAML takes for nothing else.
	bare = regexp.MustCompile(`^\p{L}([\p{L}\p{N} _./?!()~-]*[\p{L}\p{N}_.?!()~])?$`)
	// reserved are words that some YAML takes for something else.
	reserved = map[string]bool{"true": true, "false": true, "yes": true, "no": true, "on": true, "off": true, "y": true, "n": true,
		"null": true, "nan": true, "inf": true}
)

// scalar writes a text, several lines one below the other where they stay as they are.
func scalar(text string, indent int) string {
	if bare.MatchString(text) && !reserved[strings.ToLower(text)] {
		return text
	}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) < 2 || strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) {
		return quoted(text)
	}
	for i, line := range lines {
		if strings.TrimSpace(line) != line || line == "" && (i == 0 || i == len(lines)-1) {
			return quoted(text)
		}
	}
	var b strings.Builder
	b.WriteString("|")
	if !strings.HasSuffix(text, "\n") {
		b.WriteString("-")
	}
	for _, line := range lines {
		b.WriteString("\n")
		if line != "" {
			b.WriteString(strings.Repeat("  ", indent) + line)
		}
	}
	return b.String()
}

// quoted writes a text in double quotes.
func quoted(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == ' ' || unicode.IsGraphic(r) && !unicode.IsSpace(r):
			b.WriteRune(r)
		case r > 0xFFFF:
			fmt.Fprintf(&b, `\U%08X`, r)
		default:
			fmt.Fprintf(&b, `\u%04X`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// number writes a number so that it is read as the same one.
func number(n json.Number) string {
	if value, err := n.Float64(); err == nil && (value > exact || value < -exact) {
		return strconv.FormatFloat(value, 'e', -1, 64)
	}
	return n.String()
}
