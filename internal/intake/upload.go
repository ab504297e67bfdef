package intake

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
)

type uploadView struct {
	Audience   int           `json:"audience"`
	Duplicates int           `json:"duplicates"`
	BadRows    int           `json:"bad_rows"`
	Problems   []problemLine `json:"problems,omitempty"`
}

type problemLine struct {
	Line    int    `json:"line"`
	Column  string `json:"column,omitempty"`
	Message string `json:"message"`
}

const uploadRoute = "PUT /api/v1/broadcasts/{id}/recipients"

// addUpload registers and describes the upload, which huma does not serve: it reads bodies whole.
func (s *Server) addUpload() {
	s.HandleFunc(uploadRoute, s.putRecipients)
	method, path, _ := strings.Cut(uploadRoute, " ")
	text, choice := &huma.Schema{Type: huma.TypeString}, &huma.Schema{Type: huma.TypeBoolean}
	schemas := s.api.OpenAPI().Components.Schemas
	s.api.OpenAPI().AddOperation(&huma.Operation{
		OperationID: "put-recipients", Method: method, Path: path, Tags: []string{"Broadcasts"},
		Summary:  "Upload the recipients of a broadcast as CSV, in place of those before (scope " + string(routes[uploadRoute].scope) + ")",
		Security: tokenSecurity,
		Parameters: []*huma.Param{
			{Name: "id", In: "path", Required: true, Schema: text},
			{Name: "skip_bad_rows", In: "query", Description: "Leave bad rows out and count them", Schema: choice},
		},
		RequestBody: &huma.RequestBody{
			Required: true, Description: "At most 512 MiB, read as it comes: a header line with id and perhaps type, every other column a property.",
			Content: map[string]*huma.MediaType{"text/csv": {Schema: text}},
		},
		Responses: map[string]*huma.Response{
			"200":     {Description: "What was taken over", Content: map[string]*huma.MediaType{"application/json": {Schema: schemas.Schema(reflect.TypeFor[uploadView](), true, "")}}},
			"default": {Description: "Nothing was taken over", Content: map[string]*huma.MediaType{problemType: {Schema: schemas.Schema(reflect.TypeFor[Problem](), true, "")}}},
		},
	})
}

// putRecipients takes the audience of a broadcast as CSV and stores it while it comes in: nothing
// is ever held whole.
func (s *Server) putRecipients(w http.ResponseWriter, r *http.Request) {
	skipBad, err := uploadOptions(r)
	if err != nil {
		writeProblem(w, problemOf(err))
		return
	}
	in := newUploadBody(w, r)
	rows, err := newCSVRows(in)
	var report broadcast.Report
	if err == nil {
		report, err = s.services.Broadcasts.Upload(r.Context(), broadcast.ID(r.PathValue("id")), rows, skipBad)
	}
	in.end()
	if err != nil {
		p := in.problem(err, report)
		if in.err == nil {
			s.logMistake(r.Context(), uploadRoute, err)
		}
		writeProblem(w, p)
		return
	}
	view := uploadView{Audience: report.Audience, Duplicates: report.Duplicates, BadRows: report.BadRows}
	for _, row := range report.Problems {
		view.Problems = append(view.Problems, problemLine{Line: row.Line, Column: row.Column, Message: row.Reason})
	}
	writeJSON(w, http.StatusOK, view)
}

// uploadOptions checks everything of an upload that comes before its body.
func uploadOptions(r *http.Request) (skipBad bool, err error) {
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "text/csv" {
		return false, problem(http.StatusUnsupportedMediaType, "send the recipients as Content-Type: text/csv")
	}
	if charset := params["charset"]; charset != "" && charset != "utf-8" && charset != "UTF-8" {
		return false, problem(http.StatusUnsupportedMediaType, "save the file as CSV UTF-8")
	}
	for name, values := range r.URL.Query() {
		if name != "skip_bad_rows" {
			return false, fault.Field("query."+name, "is not known here")
		}
		if skipBad, err = strconv.ParseBool(values[0]); err != nil {
			return false, fault.Field("query.skip_bad_rows", "must be true or false")
		}
	}
	return skipBad, nil
}

// uploadBody reads the body of an upload: no more than its limit, and no longer than its sender
// keeps sending.
type uploadBody struct {
	from    io.Reader
	control *http.ResponseController
	err     error // why the body ended early
}

func newUploadBody(w http.ResponseWriter, r *http.Request) *uploadBody {
	b := &uploadBody{from: http.MaxBytesReader(w, r.Body, maxUpload), control: http.NewResponseController(w)}
	b.extend(uploadTime) // for the answer; a writer without deadlines, as in a test, is in memory
	return b
}

func (b *uploadBody) extend(write time.Duration) {
	_ = b.control.SetWriteDeadline(time.Now().Add(write))
}

// Read reads on, and gives the sender another minute.
func (b *uploadBody) Read(p []byte) (int, error) {
	_ = b.control.SetReadDeadline(time.Now().Add(uploadPause))
	n, err := b.from.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = err
	}
	return n, err
}

// end lifts the deadlines of the upload and gives the answer a minute.
func (b *uploadBody) end() {
	// The read deadline passing would end the context while the last rows are stored.
	_ = b.control.SetReadDeadline(time.Time{})
	b.extend(uploadPause)
}

// problem tells what became of an upload that failed.
func (b *uploadBody) problem(err error, report broadcast.Report) *Problem {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(b.err, &tooLarge):
		return problem(http.StatusRequestEntityTooLarge, "an upload is at most 512 MiB; nothing was taken over")
	case b.err != nil:
		return problem(http.StatusBadRequest, "the upload broke off; nothing was taken over, send it again")
	}
	p := problemOf(err)
	if p.Status != http.StatusUnprocessableEntity || len(report.Problems) == 0 {
		return p
	}
	p.Errors = nil
	for _, row := range report.Problems {
		p.Errors = append(p.Errors, ProblemField{
			Location: fmt.Sprintf("body.line[%d]", row.Line), Line: row.Line, Column: row.Column, Message: row.Reason,
		})
	}
	return p
}

// maxLine bounds one line of an upload, so that a quote left open does not gather the whole file
// in memory: 50 properties of 4 KiB together and an id fit many times over.
const maxLine = 1 << 20

// csvRows reads recipients from CSV, no line longer than maxLine.
type csvRows struct {
	csv  *broadcast.CSV
	line *lineLimit
}

func newCSVRows(from io.Reader) (*csvRows, error) {
	line := &lineLimit{from: from}
	csv, err := broadcast.NewCSV(line)
	return &csvRows{csv: csv, line: line}, err
}

// Next implements [broadcast.Rows].
func (r *csvRows) Next() (broadcast.Recipient, error) {
	r.line.since = 0
	return r.csv.Next()
}

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
