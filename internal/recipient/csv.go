package recipient

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
)

// csvFile reads CSV: a header line, then a person a line. What separates cells is recognised from the
// header line: the comma, semicolon or tab that stands most often in it, outside of quotes.
type csvFile struct {
	decoder *decoder
	limit   *lineLimit
	reader  *csv.Reader
	table   *table
	line    int
}

func newCSV(from io.Reader, o Options) (*csvFile, error) {
	decoder, err := newDecoder(from, o.Charset)
	if err != nil {
		return nil, err
	}
	limit := &lineLimit{from: decoder}
	buffered := bufio.NewReaderSize(limit, window)
	first, err := headerLine(buffered)
	if err != nil {
		return nil, err
	}
	c := &csvFile{decoder: decoder, limit: limit, reader: csv.NewReader(io.MultiReader(bytes.NewReader(first), buffered))}
	c.reader.Comma = separator(first)
	c.reader.FieldsPerRecord = -1
	c.reader.ReuseRecord = true
	header, err := c.reader.Read()
	if errors.Is(err, io.EOF) {
		return nil, fault.Field("recipients", "the file is empty; the first line names the columns, such as type,id")
	}
	if err != nil {
		return nil, fault.Field("recipients", "line 1 is not CSV: %v", err)
	}
	line, _ := c.reader.FieldPos(0)
	c.table, err = newTable(line, header, o)
	return c, err
}

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

// Next implements [broadcast.Rows].
func (c *csvFile) Next() (broadcast.Recipient, error) {
	c.limit.since = 0
	cells, err := c.reader.Read()
	if errors.Is(err, io.EOF) {
		return broadcast.Recipient{}, io.EOF
	}
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		c.line = parse.StartLine
		return broadcast.Recipient{}, &broadcast.BadRow{Line: c.line, Reason: "is not CSV: " + parse.Err.Error()}
	}
	if err != nil {
		return broadcast.Recipient{}, err
	}
	c.line, _ = c.reader.FieldPos(0)
	if len(cells) != len(c.table.names) {
		return broadcast.Recipient{}, &broadcast.BadRow{Line: c.line, Reason: fmt.Sprintf("has %d columns, the first line has %d", len(cells), len(c.table.names))}
	}
	if c.decoder.set == CP949 {
		for i, cell := range cells {
			if strings.ContainsRune(cell, utf8.RuneError) {
				return broadcast.Recipient{}, &broadcast.BadRow{Line: c.line, Column: c.table.names[i], Reason: "is not CP949"}
			}
		}
	}
	return c.table.person(cells, c.line)
}

// Line implements [broadcast.Rows].
func (c *csvFile) Line() int { return c.line }

// Close implements [Reader].
func (c *csvFile) Close() error { return nil }

// lineLimit ends reading when too much was read since the last line began.
type lineLimit struct {
	from  io.Reader
	since int
}

// Read implements [io.Reader].
func (l *lineLimit) Read(p []byte) (int, error) {
	if l.since > maxLine {
		return 0, fault.Field("recipients", "has a line of more than 1 MiB; is a quote left open?")
	}
	n, err := l.from.Read(p)
	l.since += n
	return n, err
}
