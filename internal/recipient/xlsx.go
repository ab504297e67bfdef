package recipient

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/xuri/excelize/v2"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
)

// What a workbook may be. Sheets and their texts of more than spill bytes lie in temporary files; all
// else of it is in memory.
const (
	maxRows     = 1_000_000
	spill       = 4 << 20
	maxUnzipped = 4 << 30
	maxInMemory = 64 << 20
)

// xlsx reads the first sheet of a workbook: a header in its first row that is not empty, then a person
// a row. Cells are taken as they are shown; of a formula, what the workbook remembers as its result.
type xlsx struct {
	file   *excelize.File
	rows   *excelize.Rows
	table  *table
	line   int
	people int // rows that are not empty
	most   int
	done   func()
}

func newXLSX(from io.Reader, o Options) (_ *xlsx, err error) {
	name, err := spool(from)
	if name != "" {
		defer func() { err = errors.Join(err, os.Remove(name)) }()
	}
	if err != nil {
		return nil, err
	}
	if err := checkZip(name); err != nil {
		return nil, err
	}
	x := &xlsx{most: maxRows, done: func() {}}
	if o.Turn != nil {
		if x.done, err = o.Turn(); err != nil {
			return nil, err
		}
	}
	if err := x.open(name, o); err != nil {
		return nil, errors.Join(err, x.Close())
	}
	return x, nil
}

// spool copies what is read into a temporary file, whose name it returns when there is one.
func spool(from io.Reader) (name string, err error) {
	f, err := os.CreateTemp("", "malgil-upload-*.xlsx")
	if err != nil {
		return "", fmt.Errorf("make room for a workbook: %w", err)
	}
	_, err = io.Copy(f, from)
	return f.Name(), errors.Join(err, f.Close())
}

// checkZip refuses what is no workbook, or would not fit in memory.
func checkZip(name string) error {
	archive, err := zip.OpenReader(name)
	if err != nil {
		return fault.Field("recipients", "are no workbook that can be read; save the file as .xlsx, without a password")
	}
	defer archive.Close()
	var all, inMemory uint64
	for _, part := range archive.File {
		all += part.UncompressedSize64
		path := strings.ToLower(part.Name)
		if part.UncompressedSize64 <= spill || !strings.HasPrefix(path, "xl/worksheets/sheet") && path != "xl/sharedstrings.xml" {
			inMemory += part.UncompressedSize64
		}
	}
	switch {
	case all > maxUnzipped:
		return fault.Field("recipients", "are a workbook of more than 4 GiB when it is unpacked; send CSV")
	case inMemory > maxInMemory:
		return fault.Field("recipients", "are a workbook with more than 64 MiB beside its cells; take pictures and other things out of it")
	}
	return nil
}

func (x *xlsx) open(name string, o Options) (err error) {
	defer recovered(&err)
	x.file, err = excelize.OpenFile(name, excelize.Options{
		UnzipSizeLimit: maxUnzipped, UnzipXMLSizeLimit: spill, ShortDatePattern: "yyyy-mm-dd",
	})
	if err != nil {
		return unreadable(err)
	}
	if x.rows, err = x.file.Rows(x.file.GetSheetName(0)); err != nil {
		return unreadable(err)
	}
	header, err := x.row()
	if errors.Is(err, io.EOF) {
		return fault.Field("recipients", "the first sheet is empty; its first row names the columns, such as type and id")
	}
	if err != nil {
		return err
	}
	x.people = 0
	x.table, err = newTable(x.line, header, o)
	return err
}

// row reads the next row that is not empty, without the empty cells at its end.
func (x *xlsx) row() (cells []string, err error) {
	defer recovered(&err)
	for x.rows.Next() {
		x.line++
		if cells, err = x.rows.Columns(); err != nil {
			return nil, unreadable(fmt.Errorf("row %d: %w", x.line, err))
		}
		for len(cells) > 0 && strings.TrimSpace(cells[len(cells)-1]) == "" {
			cells = cells[:len(cells)-1]
		}
		if len(cells) == 0 {
			continue
		}
		if x.people++; x.people > x.most {
			return nil, fault.Field("recipients", "have more than %d rows, which is the most of a workbook; split it, or send CSV", x.most)
		}
		return cells, nil
	}
	if err := x.rows.Error(); err != nil {
		return nil, unreadable(err)
	}
	return nil, io.EOF
}

// Next implements [broadcast.Rows].
func (x *xlsx) Next() (broadcast.Recipient, error) {
	cells, err := x.row()
	if err != nil {
		return broadcast.Recipient{}, err
	}
	bad := func(column, reason string) (broadcast.Recipient, error) {
		return broadcast.Recipient{}, &broadcast.BadRow{Line: x.line, Column: column, Reason: reason}
	}
	if len(cells) > len(x.table.names) {
		return bad("", fmt.Sprintf("has a cell in column %d, the first row names %d", len(cells), len(x.table.names)))
	}
	if x.table.idAt < len(cells) {
		switch id := strings.TrimSpace(cells[x.table.idAt]); {
		case cellErrors[id]:
			return bad("id", "is the error "+id)
		case inexact.MatchString(id):
			return bad("id", "is a number of more digits than a spreadsheet keeps; make the column text, and enter the ids again")
		}
	}
	return x.table.person(cells, x.line)
}

// inexact are numbers of which a spreadsheet has kept the first 15 digits alone. No id of Kakao's
// looks like that.
var inexact = regexp.MustCompile(`^-?([0-9](\.[0-9]+)?E[+-][0-9]+|[0-9]{15}0+)$`)

// cellErrors are what cells show whose formula has no result.
var cellErrors = map[string]bool{"#N/A": true, "#REF!": true, "#NAME?": true, "#VALUE!": true, "#DIV/0!": true, "#NULL!": true, "#NUM!": true}

// Line implements [broadcast.Rows].
func (x *xlsx) Line() int { return x.line }

// Close implements [Reader].
func (x *xlsx) Close() error {
	defer x.done()
	var errs []error
	if x.rows != nil {
		errs = append(errs, x.rows.Close())
	}
	if x.file != nil {
		errs = append(errs, x.file.Close())
	}
	return errors.Join(errs...)
}

func unreadable(err error) error {
	return fault.Wrap(fault.Invalid, err, "the workbook cannot be read; save it as .xlsx once more, or send CSV")
}

// recovered turns a panic over a broken workbook into an error.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = unreadable(fmt.Errorf("panic: %v", p))
	}
}
