package sheet

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/malgil/malgil/internal/fault"
)

// maxLine bounds one line of a file in bytes, so that a quote left open does not gather the whole file in
// memory.
const maxLine = 1 << 20

// ErrEmpty is that a file has no header.
var ErrEmpty = errors.New("the file is empty")

// CSV reads CSV: a header line, then a row a line. What separates cells is recognised from the header line:
// the comma, semicolon or tab that stands most often in it, outside of quotes.
type CSV struct {
	decoder *decoder
	limit   *lineLimit
	reader  *csv.Reader
	header  []string
	at      int // line of the header
	line    int
}

// NewCSV reads the header of a file in a character set, which is recognised when it is empty.
func NewCSV(from io.Reader, set Charset) (*CSV, error) {
	decoder, err := newDecoder(from, set)
	if err != nil {
		return nil, err
	}
	limit := &lineLimit{from: decoder}
	buffered := bufio.NewReaderSize(limit, window)
	first, err := headerLine(buffered)
	if err != nil {
		return nil, err
	}
	c := &CSV{decoder: decoder, limit: limit, reader: csv.NewReader(io.MultiReader(bytes.NewReader(first), buffered))}
	c.reader.Comma = separator(first)
	c.reader.FieldsPerRecord = -1
	c.reader.ReuseRecord = true
	header, err := c.reader.Read()
	if errors.Is(err, io.EOF) {
		return nil, ErrEmpty
	}
	if err != nil {
		return nil, fault.New(fault.Invalid, "line 1 is not CSV: %v", err)
	}
	c.at, _ = c.reader.FieldPos(0)
	c.line = c.at
	c.header = slices.Clone(header)
	if slices.ContainsFunc(header, func(name string) bool { return !utf8.ValidString(name) || strings.ContainsRune(name, utf8.RuneError) }) {
		return nil, fault.New(fault.Invalid, "line %d is neither UTF-8 nor CP949; save the file as CSV UTF-8", c.at)
	}
	return c, nil
}

// Header implements [Rows].
func (c *CSV) Header() ([]string, int) { return c.header, c.at }

// headerLine reads the first line that is not empty, and those before it. A quoted name may hold the
// end of a line.
func headerLine(from *bufio.Reader) (text []byte, err error) {
	for {
		line, err := from.ReadBytes('\n')
		text = append(text, line...)
		switch {
		case err == io.EOF:
			return text, nil
		case err != nil:
			return nil, err
		case bytes.Count(text, []byte{'"'})%2 == 0 && len(bytes.TrimSpace(text)) > 0:
			return text, nil
		}
	}
}

// separator returns the separator of a header line, the comma where it tells none.
func separator(header []byte) rune {
	count := map[byte]int{}
	quoted := false
	for _, c := range header {
		if c == '"' {
			quoted = !quoted
		} else if !quoted {
			count[c]++
		}
	}
	best := byte(',')
	for _, c := range []byte{';', '\t'} {
		if count[c] > count[best] {
			best = c
		}
	}
	return rune(best)
}

// Next implements [Rows].
func (c *CSV) Next() ([]string, error) {
	c.limit.since = 0
	cells, err := c.reader.Read()
	if errors.Is(err, io.EOF) {
		return nil, io.EOF
	}
	if parse, is := errors.AsType[*csv.ParseError](err); is {
		c.line = parse.StartLine
		return nil, &BadRow{Line: c.line, Reason: "is not CSV: " + parse.Err.Error()}
	}
	if err != nil {
		return nil, err
	}
	c.line, _ = c.reader.FieldPos(0)
	if len(cells) != len(c.header) {
		return nil, &BadRow{Line: c.line, Reason: fmt.Sprintf("has %d columns, the first line has %d", len(cells), len(c.header))}
	}
	if c.decoder.set == CP949 {
		for i, cell := range cells {
			if strings.ContainsRune(cell, utf8.RuneError) {
				return nil, &BadRow{Line: c.line, Column: i + 1, Reason: "is not CP949"}
			}
		}
	}
	return cells, nil
}

// Line implements [Rows].
func (c *CSV) Line() int { return c.line }

// Close implements [Rows].
func (c *CSV) Close() error { return nil }

// lineLimit ends reading when too much was read since the last line began.
type lineLimit struct {
	from  io.Reader
	since int
}

// Read implements [io.Reader].
func (l *lineLimit) Read(p []byte) (int, error) {
	if l.since > maxLine {
		return 0, fault.New(fault.Invalid, "must have no line of more than 1 MiB; is a quote left open?")
	}
	n, err := l.from.Read(p)
	l.since += n
	return n, err
}
