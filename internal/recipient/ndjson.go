package recipient

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
)

// maxLine bounds one line in bytes: 50 properties of 4 KiB together and an id fit many times over.
const maxLine = 1 << 20

// ndjson reads a recipient a line, each a JSON object with id and perhaps type and properties. Empty
// lines are passed over.
type ndjson struct {
	lines  *bufio.Scanner
	line   int
	fields []string // beside id and type; nil for properties
}

func newNDJSON(from io.Reader, o Options) (*ndjson, error) {
	if o.Columns.Stated() {
		return nil, fault.Field("query.map", "is for files with columns; the fields of NDJSON have their own names")
	}
	n := &ndjson{lines: bufio.NewScanner(from), fields: slices.Sorted(maps.Keys(o.Fields))}
	n.lines.Buffer(make([]byte, 64<<10), maxLine)
	return n, nil
}

// Next implements [broadcast.Rows].
func (n *ndjson) Next() (broadcast.Recipient, error) {
	for n.lines.Scan() {
		n.line++
		text := n.lines.Bytes()
		if n.line == 1 {
			text = bytes.TrimPrefix(text, []byte("\uFEFF"))
		}
		if text = bytes.TrimSpace(text); len(text) > 0 {
			return n.person(text)
		}
	}
	if errors.Is(n.lines.Err(), bufio.ErrTooLong) {
		return broadcast.Recipient{}, fault.Field("recipients", "has a line of more than 1 MiB; a recipient stands on a line of its own")
	}
	if err := n.lines.Err(); err != nil {
		return broadcast.Recipient{}, err
	}
	return broadcast.Recipient{}, io.EOF
}

func (n *ndjson) person(text []byte) (broadcast.Recipient, error) {
	bad := func(column, reason string) (broadcast.Recipient, error) {
		return broadcast.Recipient{}, &broadcast.BadRow{Line: n.line, Column: column, Reason: reason}
	}
	var fields map[string]json.RawMessage
	if !utf8.Valid(text) {
		return bad("", "is not UTF-8")
	}
	if err := json.Unmarshal(text, &fields); err != nil || fields == nil {
		return bad("", "is not a JSON object on a line of its own")
	}
	person := broadcast.Recipient{Type: defaultType}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		var err error
		switch field := slices.Contains(n.fields, name); {
		case field:
			var text string
			if err = json.Unmarshal(fields[name], &text); err == nil && text != "" {
				if person.Properties == nil {
					person.Properties = map[string]string{}
				}
				person.Properties[name] = text
			}
		case name == "id":
			err = json.Unmarshal(fields[name], &person.ID)
		case name == "type":
			err = json.Unmarshal(fields[name], &person.Type)
			person.Type = broadcast.CanonicalType(person.Type)
		case name == "properties" && n.fields == nil:
			if err = json.Unmarshal(fields[name], &person.Properties); err != nil {
				return bad(name, "must be an object of texts")
			}
		default:
			return bad(name, n.unknown())
		}
		if err != nil {
			return bad(name, "must be a text")
		}
	}
	return person, checked(person, n.line)
}

// unknown is what is wrong with a field that there is not.
func (n *ndjson) unknown() string {
	if n.fields == nil {
		return "is not known; a recipient has type, id and properties"
	}
	return "is not known; there are type, id, " + strings.Join(n.fields, ", ")
}

// Line implements [broadcast.Rows].
func (n *ndjson) Line() int { return n.line }

// Close implements [Reader].
func (n *ndjson) Close() error { return nil }
