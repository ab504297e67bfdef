package statement

import (
	"bufio"
	"encoding/json"
	"io"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/store"
)

// Format is how a statement is written.
type Format string

// The formats of a statement.
const (
	JSON Format = "json"
	CSV  Format = "csv"  // UTF-8 with a byte order mark, by which Excel knows that it is
	XLSX Format = "xlsx" // at most [maxRows] broadcasts
)

// MediaTypes are what the formats are called in HTTP.
var MediaTypes = map[Format]string{
	JSON: "application/json",
	CSV:  "text/csv; charset=utf-8",
	XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}

// ErrTooLong says that a month does not fit on a sheet.
var ErrTooLong = fault.Coded(fault.Refused, "STATEMENT_TOO_LONG", "the month has more broadcasts than a sheet of Excel has rows; take it as csv or json")

// Write writes a statement while it is read: what is held in memory does not grow with the month.
func Write(w io.Writer, f Format, st store.Statement) error {
	switch f {
	case CSV:
		return writeCSV(w, st)
	case XLSX:
		return writeXLSX(w, st, maxRows)
	case JSON:
	}
	return writeJSON(w, st)
}

// writeJSON writes a [Statement], one broadcast at a time.
func writeJSON(to io.Writer, st store.Statement) error {
	w := bufio.NewWriter(to)
	head, err := json.Marshal(viewHead(st))
	if err != nil {
		return err
	}
	if _, err := w.Write(append(head[:len(head)-1], `,"broadcasts":[`...)); err != nil { // without its last brace
		return err
	}
	separator := ""
	for line, err := range st.Lines {
		if err != nil {
			return err
		}
		text, err := json.Marshal(viewBroadcast(line, clock.Month(st.Month)))
		if err != nil {
			return err
		}
		if _, err := io.WriteString(w, separator+string(text)); err != nil {
			return err
		}
		separator = ","
	}
	if _, err := io.WriteString(w, "]}\n"); err != nil {
		return err
	}
	return w.Flush()
}
