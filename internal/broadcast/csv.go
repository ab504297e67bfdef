package broadcast

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/malgil/malgil/internal/fault"
)

// CSV reads recipients from a CSV file in UTF-8, with or without a byte order mark: a header
// line, then a person a line. Columns are type and id (수신자유형, 수신자ID); without a type column
// every id is a botUserKey. Every other column is a property under its name; an empty cell is none.
type CSV struct {
	reader *csv.Reader
	header []string
	typeAt int
	idAt   int
}

// NewCSV reads the header line. It is Invalid when there is no id column.
func NewCSV(r io.Reader) (*CSV, error) {
	buffered := bufio.NewReaderSize(r, 64<<10)
	if mark, err := buffered.Peek(3); err == nil && string(mark) == "\uFEFF" {
		_, _ = buffered.Discard(3) // Peek has shown that they are there
	}
	reader := csv.NewReader(buffered)
	reader.FieldsPerRecord = -1
	reader.ReuseRecord = true
	header, err := reader.Read()
	if errors.Is(err, io.EOF) {
		return nil, fault.Field("recipients", "the file is empty; the first line names the columns, such as type,id")
	}
	if err != nil {
		return nil, fault.Field("recipients", "line 1 is not CSV: %v", err)
	}
	c := &CSV{reader: reader, typeAt: -1, idAt: -1}
	seen := map[string]bool{}
	for i, name := range header {
		name = strings.TrimSpace(name)
		if !utf8.ValidString(name) {
			return nil, fault.Field("recipients", "line 1 is not UTF-8; save the file as CSV UTF-8")
		}
		meaning := name
		switch strings.ToLower(name) {
		case "type", "수신자유형":
			meaning, c.typeAt = "type", i
		case "id", "수신자id":
			meaning, c.idAt = "id", i
		case "":
			return nil, fault.Field("recipients", "line 1: column %d has no name", i+1)
		}
		if seen[meaning] {
			return nil, fault.Field("recipients", "line 1: column %q stands twice", name)
		}
		seen[meaning] = true
		c.header = append(c.header, strings.Clone(name))
	}
	if c.idAt < 0 {
		return nil, fault.Field("recipients", "line 1 has no column id; it names the columns, such as type,id")
	}
	return c, nil
}

// Next returns the next person, [io.EOF] at the end, and a [*BadRow] for a line that breaks a rule.
func (c *CSV) Next() (Recipient, error) {
	cells, err := c.reader.Read()
	if errors.Is(err, io.EOF) {
		return Recipient{}, io.EOF
	}
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		return Recipient{}, &BadRow{Line: parse.StartLine, Reason: "is not CSV: " + parse.Err.Error()}
	}
	if err != nil {
		return Recipient{}, err
	}
	line, _ := c.reader.FieldPos(0)
	if len(cells) != len(c.header) {
		return Recipient{}, &BadRow{Line: line, Reason: fmt.Sprintf("has %d columns, the first line has %d", len(cells), len(c.header))}
	}
	person := Recipient{Type: "botUserKey"}
	for i, cell := range cells {
		cell = strings.TrimSpace(cell)
		switch {
		case i == c.idAt:
			person.ID = strings.Clone(cell)
		case i == c.typeAt:
			person.Type = canonicalType(cell)
		case cell != "":
			if person.Properties == nil {
				person.Properties = make(map[string]string, len(cells))
			}
			person.Properties[c.header[i]] = strings.Clone(cell)
		}
	}
	if err := person.check(); err != nil {
		return Recipient{}, &BadRow{Line: line, Column: err.Field, Reason: err.Message}
	}
	return person, nil
}

// canonicalType returns one of the shared names, so that a million rows share three strings.
func canonicalType(cell string) string {
	for _, known := range recipientTypes {
		if cell == known {
			return known
		}
	}
	return strings.Clone(cell)
}
