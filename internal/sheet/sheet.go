// Package sheet reads tables from files a row at a time: CSV in UTF-8 or CP949, and the first sheet of an
// XLSX workbook. What is wrong with a file is Invalid, with a message that follows the name of the file.
package sheet

import (
	"fmt"
	"strings"
)

// Rows reads one table. Close removes what it has in temporary files.
type Rows interface {
	// Header returns the first row that is not empty, and its line.
	Header() (cells []string, line int)
	// Next returns the next row that is not empty, and [io.EOF] behind the last. A *[BadRow] is a row that
	// cannot be read; reading may go on. The cells are good until Next is called again; those of a workbook
	// are fewer than the header's where the last ones are empty.
	Next() ([]string, error)
	// Line is where the latest row begins, counted from 1.
	Line() int
	Close() error
}

// BadRow is a row that cannot be read.
type BadRow struct {
	Line   int
	Column int // counted from 1, 0 for the whole row
	Reason string
}

func (b *BadRow) Error() string { return fmt.Sprintf("line %d %s", b.Line, b.Reason) }

var spelling = strings.NewReplacer(" ", "", "_", "", "-", "")

// Folded returns the name of a column in small letters and without spaces, underscores and hyphens.
func Folded(column string) string { return spelling.Replace(strings.ToLower(column)) }
