package intake

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/recipient"
	"github.com/malgil/malgil/internal/statement"
)

type uploadView struct {
	Audience   int           `json:"audience"`
	Duplicates int           `json:"duplicates"`
	Excluded   int           `json:"excluded" doc:"Reached by the broadcast that was excluded"`
	Warning    string        `json:"warning,omitempty" doc:"That the excluded broadcast is not over: who is reached by it later is not left out"`
	Suppressed int           `json:"suppressed,omitempty" doc:"Of a dry run: how many of the audience would be left out now, because they have refused it or not agreed to it"`
	BadRows    int           `json:"bad_rows"`
	Problems   []problemLine `json:"problems,omitempty" doc:"The first 100 bad rows"`
	Dropped    []problemLine `json:"dropped,omitempty" doc:"Of a dry run, the first 100 duplicates, excluded and suppressed"`
	DryRun     bool          `json:"dry_run,omitempty" doc:"Nothing was stored"`
}

type problemLine struct {
	Line    int    `json:"line"`
	Column  string `json:"column,omitempty"`
	Message string `json:"message"`
}

// The routes that take files of recipients.
const (
	uploadRoute   = "PUT /api/v1/broadcasts/{id}/recipients"
	audienceRoute = "PUT /api/v1/audiences/{id}/recipients"
)

// upload is a route that takes a file of people.
type upload struct {
	route, id, group, summary string
	fields                    map[string][]string // of its files, beside type and id; nil for recipients with properties
	answer                    reflect.Type
	take                      takePeople
}

// takePeople stores the people of a thing.
type takePeople func(ctx context.Context, id string, rows broadcast.Rows, o broadcast.UploadOptions) (taken, error)

// taken is what became of a file: what is answered, and the bad rows where it was refused.
type taken struct {
	answer   any
	problems []broadcast.BadRow
}

// addUploads registers and describes the uploads, which huma does not serve: it reads bodies whole.
func (s *Server) addUploads() {
	recipients := func(take func(ctx context.Context, id string, rows broadcast.Rows, o broadcast.UploadOptions) (broadcast.Report, error)) takePeople {
		return func(ctx context.Context, id string, rows broadcast.Rows, o broadcast.UploadOptions) (taken, error) {
			report, err := take(ctx, id, rows, o)
			return taken{viewReport(report, o.DryRun), report.Problems}, err
		}
	}
	s.addUpload(upload{route: uploadRoute, id: "put-recipients", group: "Broadcasts", summary: "Upload the recipients of a broadcast, in place of those before", answer: reflect.TypeFor[uploadView](),
		take: recipients(func(ctx context.Context, id string, rows broadcast.Rows, o broadcast.UploadOptions) (broadcast.Report, error) {
			return s.services.Broadcasts.Upload(ctx, broadcast.ID(id), rows, o)
		})})
	s.addUpload(upload{route: audienceRoute, id: "put-audience-recipients", group: "Audiences", summary: "Upload the people of an audience, in place of those before", answer: reflect.TypeFor[uploadView](),
		take: recipients(func(ctx context.Context, id string, rows broadcast.Rows, o broadcast.UploadOptions) (broadcast.Report, error) {
			return s.services.Broadcasts.UploadAudience(ctx, broadcast.AudienceID(id), rows, o)
		})})
	s.addUpload(s.importOf(broadcast.Suppressions, importRefusalsRoute, "import-suppressions", "Note who refuses the messages of a bot, from a file"))
	s.addUpload(s.importOf(broadcast.Consents, importConsentsRoute, "import-consents", "Note who agrees to the advertising of a bot, from a file"))
}

func (s *Server) addUpload(u upload) {
	s.actions[u.route] = u.id
	s.HandleFunc(u.route, func(w http.ResponseWriter, r *http.Request) { s.putPeople(w, r, u) })
	method, path, _ := strings.Cut(u.route, " ")
	text, choice := &huma.Schema{Type: huma.TypeString}, &huma.Schema{Type: huma.TypeBoolean}
	content := map[string]*huma.MediaType{}
	for media := range recipient.MediaTypes {
		content[media] = &huma.MediaType{Schema: text}
	}
	params := []*huma.Param{
		{Name: "id", In: "path", Required: true, Schema: text},
		{Name: "skip_bad_rows", In: "query", Description: "Leave bad rows out and count them", Schema: choice},
		{Name: "dry_run", In: "query", Description: "Store nothing and tell what would become of it; with Accept: text/csv, as a list of all that is left out", Schema: choice},
	}
	what, form := "every other column a property; or a JSON object of type, id and properties a line.", "properties:NAME|NAME"
	if u.fields == nil {
		params = append(params, &huma.Param{Name: "exclude", In: "query", Description: "Leave out who was reached by an earlier broadcast of the bot: broadcast:ID", Schema: text})
	} else {
		names := slices.Sorted(maps.Keys(u.fields))
		what, form = "and perhaps "+strings.Join(names, ", ")+"; or a JSON object of the same a line.", strings.Join(names, ":NAME,")+":NAME"
	}
	params = append(params, &huma.Param{Name: "map", In: "query", Description: "Which columns mean what: id:NAME,type:NAME," + form, Schema: text})
	schemas := s.api.OpenAPI().Components.Schemas
	s.api.OpenAPI().AddOperation(&huma.Operation{
		OperationID: u.id, Method: method, Path: path, Tags: []string{u.group},
		Summary:    u.summary + " (scope " + string(routes[u.route].scope) + ")",
		Security:   tokenSecurity,
		Parameters: params,
		RequestBody: &huma.RequestBody{
			Required: true, Description: "At most 512 MiB, read as it comes: a header line with id and perhaps type, " + what,
			Content: content,
		},
		Responses: map[string]*huma.Response{
			"200": {Description: "What was taken over", Content: map[string]*huma.MediaType{
				"application/json": {Schema: schemas.Schema(u.answer, true, "")}, droppedMedia: {Schema: text},
			}},
			"default": {Description: "Nothing was taken over", Content: map[string]*huma.MediaType{problemType: {Schema: schemas.Schema(reflect.TypeFor[Problem](), true, "")}}},
		},
	})
}

// putPeople takes people and stores them while they come in: nothing is ever held whole in memory.
func (s *Server) putPeople(w http.ResponseWriter, r *http.Request, u upload) {
	ask, err := readUploadAsk(r, u)
	if err != nil {
		writeProblem(w, problemOf(err))
		return
	}
	in := newUploadBody(w, r, maxUpload)
	var got taken
	var list *file
	if ask.list {
		list, err = spool(func(to io.Writer) error {
			put, end, err := droppedWriter(to)
			if err != nil {
				return err
			}
			ask.Dropped = put
			got, err = s.takeUpload(r.Context(), in, ask, r.PathValue("id"), u.take)
			return errors.Join(err, end())
		})
	} else {
		got, err = s.takeUpload(r.Context(), in, ask, r.PathValue("id"), u.take)
	}
	in.end()
	switch {
	case err != nil:
		p := in.problem(err, got.problems)
		if in.err == nil {
			s.logMistake(r.Context(), u.route, err)
		}
		writeProblem(w, p)
	case ask.list:
		w.Header().Set("Content-Type", droppedMedia)
		w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": "malgil-dropped.csv"}))
		w.Header().Set("Content-Length", strconv.FormatInt(list.Length, 10))
		in.extend(spoolTime)
		list.send(w)
	default:
		writeJSON(w, http.StatusOK, got.answer)
	}
}

// takeUpload reads recipients and stores them.
func (s *Server) takeUpload(ctx context.Context, in io.Reader, ask uploadAsk, id string, take takePeople) (got taken, err error) {
	ask.reading.Turn = func() (func(), error) {
		select {
		case s.workbooks <- struct{}{}:
			return func() { <-s.workbooks }, nil
		case <-ctx.Done():
			return nil, fault.Wrap(fault.Unavailable, ctx.Err(), "too many workbooks are being read; try again, or send CSV")
		}
	}
	rows, err := recipient.Open(in, ask.format, ask.reading)
	if err != nil {
		return got, err
	}
	got, err = take(ctx, id, rows, ask.UploadOptions)
	return got, errors.Join(inQuery(err, "exclude"), rows.Close())
}

// inQuery says that what an error is about stood in the query, where it is one of the fields.
func inQuery(err error, fields ...string) error {
	var f *fault.Error
	if errors.As(err, &f) && slices.Contains(fields, f.Field) {
		return fault.Field("query."+f.Field, "%s", f.Message)
	}
	return err
}

// droppedMedia is a list of rows that are left out.
const droppedMedia = "text/csv; charset=utf-8"

// droppedWriter writes a list of rows that are left out, one by one, for a spreadsheet; end writes what
// is left.
func droppedWriter(to io.Writer) (put func(broadcast.Dropped) error, end func() error, err error) {
	if _, err := io.WriteString(to, "\uFEFF"); err != nil {
		return nil, nil, err
	}
	rows := csv.NewWriter(to)
	rows.UseCRLF = true
	put = func(d broadcast.Dropped) error {
		return rows.Write([]string{strconv.Itoa(d.Line), string(d.Why), statement.Harmless(d.Column), statement.Harmless(d.Reason), d.Person.Type, statement.Harmless(d.Person.ID)})
	}
	end = func() error {
		rows.Flush()
		return rows.Error()
	}
	return put, end, rows.Write([]string{"line", "dropped", "column", "reason", "type", "id"})
}

func viewReport(r broadcast.Report, dry bool) uploadView {
	view := uploadView{Audience: r.Audience, Duplicates: r.Duplicates, Excluded: r.Excluded, Suppressed: r.Suppressed, BadRows: r.BadRows, DryRun: dry}
	if r.ExcludedOpen > 0 {
		view.Warning = fmt.Sprintf("the excluded broadcast is not over: %d of its people have no outcome yet, and who is reached by it later is not left out", r.ExcludedOpen)
	}
	view.Problems = viewBadRows(r.Problems)
	for _, row := range r.Dropped {
		view.Dropped = append(view.Dropped, problemLine{Line: row.Line, Column: row.Column, Message: row.Reason})
	}
	return view
}

func viewBadRows(rows []broadcast.BadRow) (lines []problemLine) {
	for _, row := range rows {
		lines = append(lines, problemLine{Line: row.Line, Column: row.Column, Message: row.Reason})
	}
	return lines
}

// workbooksAtOnce is how many workbooks one process reads at a time: what is not in temporary files
// is in memory.
const workbooksAtOnce = 2

// uploadAsk is everything of an upload that comes before its body.
type uploadAsk struct {
	broadcast.UploadOptions
	format  recipient.Format
	reading recipient.Options
	list    bool // answer with a list of what is left out
}

func readUploadAsk(r *http.Request, u upload) (ask uploadAsk, err error) {
	ask.reading.Fields = u.fields
	known := false
	if ask.format, ask.reading.Charset, known = recipient.OfContentType(r.Header.Get("Content-Type")); !known {
		return ask, problem(http.StatusUnsupportedMediaType, "send the recipients as Content-Type: text/csv (charset utf-8 or euc-kr), "+
			recipient.XLSX.MediaType()+" or "+recipient.NDJSON.MediaType())
	}
	for name, values := range r.URL.Query() {
		if len(values) > 1 {
			return ask, fault.Field("query."+name, "stands %d times", len(values))
		}
		switch {
		case name == "skip_bad_rows":
			ask.SkipBad, err = choiceOf(name, values[0])
		case name == "dry_run":
			ask.DryRun, err = choiceOf(name, values[0])
		case name == "exclude" && u.fields == nil:
			ask.Exclude, err = broadcast.ParseExclusion(values[0])
			err = inQuery(err, "exclude")
		case name == "map":
			ask.reading.Columns, err = recipient.ParseMapping(values[0], slices.Sorted(maps.Keys(u.fields))...)
		default:
			err = fault.Field("query."+name, "is not known here")
		}
		if err != nil {
			return ask, err
		}
	}
	ask.list = ask.DryRun && accepts(r.Header.Get("Accept"), "text/csv")
	return ask, nil
}

// accepts reports whether an Accept header names a media type.
func accepts(header, media string) bool {
	for part := range strings.SplitSeq(header, ",") {
		if asked, _, err := mime.ParseMediaType(part); err == nil && asked == media {
			return true
		}
	}
	return false
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

func newUploadBody(w http.ResponseWriter, r *http.Request, most int64) *uploadBody {
	b := &uploadBody{from: http.MaxBytesReader(w, r.Body, most), control: http.NewResponseController(w)}
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
	switch {
	case errors.Is(err, io.EOF): // what is stored now may take longer than that, and the deadline would end the context
		_ = b.control.SetReadDeadline(time.Time{})
	case err != nil:
		b.err = err
	}
	return n, err
}

// end lifts the deadlines of the upload and gives the answer a minute.
func (b *uploadBody) end() {
	_ = b.control.SetReadDeadline(time.Time{})
	b.extend(uploadPause)
}

// problem tells what became of an upload that failed.
func (b *uploadBody) problem(err error, rows []broadcast.BadRow) *Problem {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(b.err, &tooLarge):
		return problem(http.StatusRequestEntityTooLarge, fmt.Sprintf("it must be at most %d MiB; nothing was taken over", tooLarge.Limit>>20))
	case b.err != nil:
		return problem(http.StatusBadRequest, "the upload broke off; nothing was taken over, send it again")
	}
	return problemOfRows(err, rows)
}

// problemOfRows tells of every bad row of people who were not taken over.
func problemOfRows(err error, rows []broadcast.BadRow) *Problem {
	p := problemOf(err)
	if p.Status != http.StatusUnprocessableEntity || len(rows) == 0 {
		return p
	}
	p.Errors = nil
	for _, row := range rows {
		p.Errors = append(p.Errors, ProblemField{
			Location: fmt.Sprintf("body.line[%d]", row.Line), Line: row.Line, Column: row.Column, Message: row.Reason,
		})
	}
	return p
}
