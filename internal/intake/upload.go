package intake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/recipient"
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
	content := map[string]*huma.MediaType{}
	for media := range recipient.MediaTypes {
		content[media] = &huma.MediaType{Schema: text}
	}
	schemas := s.api.OpenAPI().Components.Schemas
	s.api.OpenAPI().AddOperation(&huma.Operation{
		OperationID: "put-recipients", Method: method, Path: path, Tags: []string{"Broadcasts"},
		Summary:  "Upload the recipients of a broadcast, in place of those before (scope " + string(routes[uploadRoute].scope) + ")",
		Security: tokenSecurity,
		Parameters: []*huma.Param{
			{Name: "id", In: "path", Required: true, Schema: text},
			{Name: "skip_bad_rows", In: "query", Description: "Leave bad rows out and count them", Schema: choice},
			{Name: "map", In: "query", Description: "Which columns mean what: id:NAME,type:NAME,properties:NAME|NAME", Schema: text},
		},
		RequestBody: &huma.RequestBody{
			Required: true, Description: "At most 512 MiB, read as it comes: a header line with id and perhaps type, every other column a property; or a JSON object of type, id and properties a line.",
			Content: content,
		},
		Responses: map[string]*huma.Response{
			"200":     {Description: "What was taken over", Content: map[string]*huma.MediaType{"application/json": {Schema: schemas.Schema(reflect.TypeFor[uploadView](), true, "")}}},
			"default": {Description: "Nothing was taken over", Content: map[string]*huma.MediaType{problemType: {Schema: schemas.Schema(reflect.TypeFor[Problem](), true, "")}}},
		},
	})
}

// putRecipients takes the audience of a broadcast and stores it while it comes in: nothing is ever
// held whole but a workbook, in a temporary file.
func (s *Server) putRecipients(w http.ResponseWriter, r *http.Request) {
	ask, err := readUploadAsk(r)
	if err != nil {
		writeProblem(w, problemOf(err))
		return
	}
	in := newUploadBody(w, r)
	report, err := s.takeUpload(r.Context(), in, ask, broadcast.ID(r.PathValue("id")))
	in.end()
	if err != nil {
		p := in.problem(err, report)
		if in.err == nil {
			s.logMistake(r.Context(), uploadRoute, err)
		}
		writeProblem(w, p)
		return
	}
	writeJSON(w, http.StatusOK, viewReport(report))
}

// takeUpload reads recipients and stores them.
func (s *Server) takeUpload(ctx context.Context, in io.Reader, ask uploadAsk, id broadcast.ID) (report broadcast.Report, err error) {
	if ask.format == recipient.XLSX {
		select {
		case s.workbooks <- struct{}{}:
			defer func() { <-s.workbooks }()
		case <-ctx.Done():
			return report, fault.Wrap(fault.Unavailable, ctx.Err(), "too many workbooks are being read; try again, or send CSV")
		}
	}
	rows, err := recipient.Open(in, ask.format, ask.reading)
	if err != nil {
		return report, err
	}
	report, err = s.services.Broadcasts.Upload(ctx, id, rows, ask.skipBad)
	return report, errors.Join(err, rows.Close())
}

func viewReport(r broadcast.Report) uploadView {
	view := uploadView{Audience: r.Audience, Duplicates: r.Duplicates, BadRows: r.BadRows}
	for _, row := range r.Problems {
		view.Problems = append(view.Problems, problemLine{Line: row.Line, Column: row.Column, Message: row.Reason})
	}
	return view
}

// workbooksAtOnce is how many workbooks one process reads at a time: what is not in temporary files
// is in memory.
const workbooksAtOnce = 2

// uploadAsk is everything of an upload that comes before its body.
type uploadAsk struct {
	format  recipient.Format
	reading recipient.Options
	skipBad bool
}

func readUploadAsk(r *http.Request) (ask uploadAsk, err error) {
	known := false
	if ask.format, ask.reading.Charset, known = recipient.OfContentType(r.Header.Get("Content-Type")); !known {
		return ask, problem(http.StatusUnsupportedMediaType, "send the recipients as Content-Type: text/csv (charset utf-8 or euc-kr), "+
			recipient.XLSX.MediaType()+" or "+recipient.NDJSON.MediaType())
	}
	for name, values := range r.URL.Query() {
		if len(values) > 1 {
			return ask, fault.Field("query."+name, "stands %d times", len(values))
		}
		switch name {
		case "skip_bad_rows":
			ask.skipBad, err = choiceOf(name, values[0])
		case "map":
			ask.reading.Columns, err = recipient.ParseMapping(values[0])
		default:
			err = fault.Field("query."+name, "is not known here")
		}
		if err != nil {
			return ask, err
		}
	}
	return ask, nil
}

// choiceOf reads a query that is true or false.
func choiceOf(name, value string) (bool, error) {
	yes, err := strconv.ParseBool(value)
	if err != nil {
		return false, fault.Field("query."+name, "must be true or false")
	}
	return yes, nil
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
