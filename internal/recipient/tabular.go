package recipient

import (
	"errors"
	"io"
	"regexp"
	"strings"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/sheet"
)

// tabular reads people from a file with columns: a header, then a person a row.
type tabular struct {
	rows     sheet.Rows
	table    *table
	workbook bool
}

func newTabular(from io.Reader, f Format, o Options) (*tabular, error) {
	t := &tabular{workbook: f == XLSX}
	var err error
	if t.workbook {
		t.rows, err = sheet.NewXLSX(from, limits, o.Turn)
	} else {
		t.rows, err = sheet.NewCSV(from, o.Charset)
	}
	if errors.Is(err, sheet.ErrEmpty) {
		return nil, fault.Field("recipients", "the file is empty; its first line names the columns, such as type,id")
	}
	if err != nil {
		return nil, ofFile(err)
	}
	header, line := t.rows.Header()
	if t.table, err = newTable(line, header, o); err != nil {
		return nil, errors.Join(err, t.rows.Close())
	}
	return t, nil
}

// ofFile says of what is wrong with a file which file it is.
func ofFile(err error) error {
	var wrong *fault.Error
	if errors.As(err, &wrong) && wrong.Kind == fault.Invalid && wrong.Field == "" {
		named := *wrong
		named.Field = "recipients"
		return &named
	}
	return err
}

// Next implements [broadcast.Rows].
func (t *tabular) Next() (broadcast.Recipient, error) {
	cells, err := t.rows.Next()
	bad := func(column, reason string) (broadcast.Recipient, error) {
		return broadcast.Recipient{}, &broadcast.BadRow{Line: t.rows.Line(), Column: column, Reason: reason}
	}
	switch row, is := errors.AsType[*sheet.BadRow](err); {
	case is && row.Column > 0:
		return bad(t.table.names[row.Column-1], row.Reason)
	case is:
		return bad("", row.Reason)
	case err != nil:
		return broadcast.Recipient{}, ofFile(err)
	}
	if t.workbook && t.table.idAt < len(cells) {
		id := strings.TrimSpace(cells[t.table.idAt])
		if wrong := sheet.WrongCell(id); wrong != "" {
			return bad("id", wrong)
		}
		if inexact.MatchString(id) {
			return bad("id", "is a number of more digits than a spreadsheet keeps; make the column text, and enter the ids again")
		}
	}
	return t.table.person(cells, t.rows.Line())
}

// inexact are numbers of which a spreadsheet has kept the first 15 digits alone. No id of Kakao's
// looks like that.
var inexact = regexp.MustCompile(`^-?([0-9](\.[0-9]+)?E[+-][0-9]+|[0-9]{15}0+)$`)

// Line implements [broadcast.Rows].
func (t *tabular) Line() int { return t.rows.Line() }

// Close implements [Reader].
func (t *tabular) Close() error { return t.rows.Close() }
