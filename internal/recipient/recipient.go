// Package recipient reads the recipients of broadcasts from files: CSV in UTF-8 or CP949, XLSX and
// NDJSON. A reader yields one person at a time and never holds a file whole.
package recipient

import (
	"io"
	"mime"
	"path/filepath"
	"strings"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/sheet"
)

// Format is how a file holds recipients.
type Format string

// The formats.
const (
	CSV    Format = "csv"
	XLSX   Format = "xlsx"
	NDJSON Format = "ndjson"
)

// MediaTypes are the formats by the Content-Type of an upload.
var MediaTypes = map[string]Format{
	"text/csv": CSV,
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": XLSX,
	"application/x-ndjson": NDJSON,
}

// MediaType returns the Content-Type with which a format is uploaded.
func (f Format) MediaType() string {
	for media, format := range MediaTypes {
		if format == f {
			return media
		}
	}
	return ""
}

// OfName returns the format of a file by the end of its name. It is Invalid when there is none.
func OfName(name string) (Format, error) {
	switch f := Format(strings.ToLower(strings.TrimPrefix(filepath.Ext(name), "."))); f {
	case CSV, XLSX, NDJSON:
		return f, nil
	}
	return "", fault.Field("recipients", "must be a file that ends in .csv, .xlsx or .ndjson")
}

// OfContentType returns the format of an upload and the character set that it names, empty for none.
// known is false for what is no format, or a character set that is not read.
func OfContentType(header string) (f Format, set sheet.Charset, known bool) {
	media, params, err := mime.ParseMediaType(header)
	if err != nil {
		return "", "", false
	}
	f, known = MediaTypes[media]
	named := params["charset"]
	if !known || named == "" {
		return f, "", known
	}
	set, known = sheet.Charsets[strings.ToLower(named)]
	return f, set, known && (f == CSV || f == NDJSON && set == sheet.UTF8)
}

// Options say how a file is read. The zero value goes by the names of its columns.
type Options struct {
	Charset sheet.Charset // of CSV; recognised when empty
	Columns Mapping       // of CSV and XLSX
	// Fields are what a file may have beside id and type, each with other names that its column may have;
	// what is no field is refused. They are read as properties. Nil for every column, as a property.
	Fields map[string][]string
	// Turn waits until one more workbook may be read, when it has come in whole; done is called when the
	// reader is closed. Nil for at once.
	Turn func() (done func(), err error)
}

// Reader reads one file. Close removes what it has in temporary files.
type Reader interface {
	broadcast.Rows
	Close() error
}

// Open reads the beginning of a file, a workbook whole into a temporary file. It is Invalid when the
// file is not of the format, or has no column of ids.
func Open(from io.Reader, f Format, o Options) (Reader, error) {
	switch f {
	case CSV, XLSX:
		return newTabular(from, f, o)
	case NDJSON:
		return newNDJSON(from, o)
	}
	return nil, fault.Field("recipients", "are of no known format")
}

// limits are those of a workbook.
var limits = sheet.Limits{Rows: 1_000_000, Unzipped: 4 << 30}

// defaultType is the type of ids that have none.
const defaultType = "botUserKey"
