package intake

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"mime"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// exportMedia are the formats of exports.
var exportMedia = map[string]string{"csv": "text/csv; charset=utf-8", "ndjson": "application/x-ndjson"}

// ExportFormat is how a caller wants an export.
type ExportFormat struct {
	Format string `query:"format" enum:"csv,ndjson" default:"csv"`
	BOM    bool   `query:"bom" doc:"Begin a CSV with a byte order mark, so that Excel shows Korean"`
}

// named gives a file its type and its name.
func (f ExportFormat) named(answer *file, name string) *file {
	answer.Type = exportMedia[f.Format]
	answer.Disposition = mime.FormatMediaType("attachment", map[string]string{"filename": "malgil-" + name + "." + f.Format})
	return answer
}

// answersFile describes the answers of a route as exports.
func (s *Server) answersFile(route string) {
	content := map[string]*huma.MediaType{}
	for _, media := range exportMedia {
		content[media] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}
	}
	_, path, _ := strings.Cut(route, " ")
	s.api.OpenAPI().Paths[path].Get.Responses["200"].Content = content
}

// exportWriter begins a file of things in a format and writes them one by one: as JSON a line, or as cells, which are to be
// harmless to a spreadsheet. end writes what is left.
func exportWriter[T any](to io.Writer, format string, mark bool, header []string, cells func(T) []string) (put func(T) error, end func() error, err error) {
	if format == "ndjson" {
		lines := json.NewEncoder(to)
		lines.SetEscapeHTML(false)
		return func(one T) error { return lines.Encode(one) }, func() error { return nil }, nil
	}
	if mark {
		if _, err := io.WriteString(to, "\uFEFF"); err != nil {
			return nil, nil, err
		}
	}
	rows := csv.NewWriter(to)
	rows.UseCRLF = true
	put = func(one T) error { return rows.Write(cells(one)) }
	end = func() error {
		rows.Flush()
		return rows.Error()
	}
	return put, end, rows.Write(header)
}
