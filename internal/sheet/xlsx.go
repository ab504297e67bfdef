package sheet

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/xuri/excelize/v2"

	"github.com/malgil/malgil/internal/fault"
)

// Limits are what a workbook may be.
type Limits struct {
	Rows     int    // that are not empty, besides the header
	Unzipped uint64 // bytes
}

// Sheets and their texts of more than spill bytes lie in temporary files; all else of a workbook is in
// memory.
const (
	spill       = 4 << 20
	maxInMemory = 64 << 20
)

// XLSX reads the first sheet of a workbook: a header in its first row that is not empty, then a row a row.
// Cells are taken as they are shown; of a formula, what the workbook remembers as its result.
type XLSX struct {
	file   *excelize.File
	rows   *excelize.Rows
	header []string
	at     int // line of the header
	line   int
	count  int // rows that are not empty
	limits Limits
	done   func()
}

// NewXLSX reads a workbook whole into a temporary file, and its header. turn waits until one more workbook may
// be read, when it has come in whole; done is called when it is closed. Nil for at once.
func NewXLSX(from io.Reader, limits Limits, turn func() (done func(), err error)) (_ *XLSX, err error) {
	name, err := spool(from)
	if name != "" {
		defer func() { err = errors.Join(err, os.Remove(name)) }()
	}
	if err != nil {
		return nil, err
	}
	if err := limits.checkZip(name); err != nil {
		return nil, err
	}
	x := &XLSX{limits: limits, done: func() {}}
	if turn != nil {
		if x.done, err = turn(); err != nil {
			return nil, err
		}
	}
	if err := x.open(name); err != nil {
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
func (l Limits) checkZip(name string) error {
	archive, err := zip.OpenReader(name)
	if err != nil {
		return fault.New(fault.Invalid, "must be a workbook that can be read; save the file as .xlsx, without a password")
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
	case all > l.Unzipped:
		return fault.New(fault.Invalid, "must be a workbook of at most %d MiB when it is unpacked; use CSV", l.Unzipped>>20)
	case inMemory > maxInMemory:
		return fault.New(fault.Invalid, "must be a workbook with at most 64 MiB beside its cells; take pictures and other things out of it")
	}
	return nil
}

func (x *XLSX) open(name string) (err error) {
	defer recovered(&err)
	x.file, err = excelize.OpenFile(name, excelize.Options{
		UnzipSizeLimit: int64(x.limits.Unzipped), UnzipXMLSizeLimit: spill, ShortDatePattern: "yyyy-mm-dd",
	})
	if err != nil {
		return unreadable(err)
	}
	if x.rows, err = x.file.Rows(x.file.GetSheetName(0)); err != nil {
		return unreadable(err)
	}
	x.header, err = x.row()
	if errors.Is(err, io.EOF) {
		return ErrEmpty
	}
	x.at, x.count = x.line, 0
	return err
}

// row reads the next row that is not empty, without the empty cells at its end.
func (x *XLSX) row() (cells []string, err error) {
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
		if x.count++; x.count > x.limits.Rows {
			return nil, fault.New(fault.Invalid, "must have at most %d rows in a workbook; split it, or use CSV", x.limits.Rows)
		}
		return cells, nil
	}
	if err := x.rows.Error(); err != nil {
		return nil, unreadable(err)
	}
	return nil, io.EOF
}

// Header implements [Rows].
func (x *XLSX) Header() ([]string, int) { return x.header, x.at }

// Next implements [Rows].
func (x *XLSX) Next() ([]string, error) {
	cells, err := x.row()
	if err == nil && len(cells) > len(x.header) {
		return nil, &BadRow{Line: x.line, Reason: fmt.Sprintf("has a cell in column %d, the first row names %d", len(cells), len(x.header))}
	}
	return cells, err
}

// WrongCell says why a cell of a workbook is not what somebody has entered, empty when it may be.
func WrongCell(cell string) string {
	if cellErrors[cell] {
		return "is the error " + cell
	}
	return ""
}

// cellErrors are what cells show whose formula has no result.
var cellErrors = map[string]bool{"#N/A": true, "#REF!": true, "#NAME?": true, "#VALUE!": true, "#DIV/0!": true, "#NULL!": true, "#NUM!": true}

// Line implements [Rows].
func (x *XLSX) Line() int { return x.line }

// Close implements [Rows].
func (x *XLSX) Close() error {
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
	return fault.Wrap(fault.Invalid, err, "must be a workbook that can be read; save it as .xlsx once more, or use CSV")
}

// recovered turns a panic over a broken workbook into an error.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = unreadable(fmt.Errorf("panic: %v", p))
	}
}
