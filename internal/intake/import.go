package intake

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/bot"
	"github.com/malgil/malgil/internal/botfile"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/scenario"
)

const (
	importVersionRoute = "POST /api/v1/bots/{id}/versions"
	maxImport          = 16 << 20        // bytes
	maxEntry           = 1 << 20         // bytes of one block, item or server in JSON, spaces and all
	importsAtOnce      = 2               // by one process: what a folder unpacks to is in memory
	importTime         = 2 * time.Minute // that one has, when it is in: others wait for its place
)

// addImport registers and describes the import, which huma does not serve: it reads bodies whole, and
// small ones.
func (s *Server) addImport(group string) {
	s.actions[importVersionRoute] = "import-version"
	s.HandleFunc(importVersionRoute, s.importVersion)
	method, path, _ := strings.Cut(importVersionRoute, " ")
	text, choice := &huma.Schema{Type: huma.TypeString}, &huma.Schema{Type: huma.TypeBoolean}
	schemas := s.api.OpenAPI().Components.Schemas
	imported := &huma.Response{Description: "The version", Content: map[string]*huma.MediaType{
		"application/json": {Schema: schemas.Schema(reflect.TypeFor[importedView](), true, "")},
	}}
	s.api.OpenAPI().AddOperation(&huma.Operation{
		OperationID: "import-version", Method: method, Path: path, Tags: []string{group},
		Summary:  "Make all that a bot can say a new version (scope " + string(routes[importVersionRoute].scope) + "); permission " + string(routes[importVersionRoute].right),
		Security: tokenSecurity,
		Parameters: []*huma.Param{
			{Name: "id", In: "path", Required: true, Schema: text},
			{Name: "note", In: "query", Description: "What is new, for people; one line", Schema: text},
			{Name: "deploy", In: "query", Description: "Make it live at once", Schema: choice},
			{Name: "dry_run", In: "query", Description: "Check it, store nothing and tell what would be done", Schema: choice},
		},
		RequestBody: &huma.RequestBody{
			Required: true, Description: "At most 16 MiB: a folder as a zip archive, or blocks, knowledge and servers as JSON",
			Content: map[string]*huma.MediaType{botfile.MediaType: {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}, "application/json": {Schema: &huma.Schema{Type: huma.TypeObject}}},
		},
		Responses: map[string]*huma.Response{
			"201": imported, "200": imported,
			"default": {Description: "Nothing was stored", Content: map[string]*huma.MediaType{problemType: {Schema: schemas.Schema(reflect.TypeFor[Problem](), true, "")}}},
		},
	})
}

func (s *Server) importVersion(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	ask, err := readImportAsk(r)
	if err != nil {
		writeProblem(w, problemOf(err))
		return
	}
	in := newUploadBody(w, r, maxImport)
	text, err := io.ReadAll(in)
	in.end()
	if err != nil {
		writeProblem(w, in.problem(err, nil))
		return
	}
	made, err := s.takeImport(ctx, r.PathValue("id"), text, ask)
	if err != nil {
		s.logMistake(ctx, importVersionRoute, err)
		writeProblem(w, problemOf(err))
		return
	}
	status := http.StatusOK
	if made.Added && !ask.DryRun {
		status = http.StatusCreated
		w.Header().Set("Location", fmt.Sprintf("/api/v1/bots/%s/versions/%d", r.PathValue("id"), made.Number))
	}
	writeJSON(w, status, importedView{versionView: viewVersion(made.Version), Added: made.Added, DryRun: ask.DryRun})
}

func (s *Server) takeImport(ctx context.Context, id string, text []byte, ask importAsk) (made bot.Imported, err error) {
	select {
	case s.imports <- struct{}{}:
		defer func() { <-s.imports }()
	case <-ctx.Done():
		return made, fault.Wrap(fault.Unavailable, ctx.Err(), "too many bots are being imported; try again")
	}
	ctx, cancel := context.WithTimeout(ctx, importTime)
	defer cancel()
	folder := ask.media == botfile.MediaType
	if folder {
		ask.Content, err = readFolder(ctx, id, text, s.config.Content)
	} else {
		ask.Content, err = readContent(text)
	}
	if err != nil {
		return made, err
	}
	ask.By = actorOf(ctx)
	ask.Reason = access.DeedOf(ctx).Reason
	made, err = s.services.Bots.Import(ctx, id, ask.Import)
	if wrong := new(bot.ContentError); !folder && errors.As(err, &wrong) {
		return made, inJSON(wrong)
	}
	return made, inQuery(err, "note")
}

// inJSON tells what is wrong with content as it stands in JSON, where a delay is in nanoseconds.
func inJSON(wrong *bot.ContentError) error {
	said := &bot.ContentError{Problems: slices.Clone(wrong.Problems)}
	for i, p := range said.Problems {
		if block, is := strings.CutSuffix(p.Field, ".delay_ms"); is {
			said.Problems[i].Field, said.Problems[i].Message = block+".delay", p.Message+" ms, written in nanoseconds"
		}
	}
	return said
}

// readFolder reads the content of a version of a bot from a folder as a zip archive, and tells everything that
// is wrong with its files. A folder of another bot is wrong: its answers would be given to the users of this one.
func readFolder(ctx context.Context, id string, archive []byte, rules scenario.Rules) (scenario.Content, error) {
	files, err := botfile.Unzip(archive)
	if err != nil {
		return scenario.Content{}, err
	}
	content, header, problems := botfile.Read(ctx, files, rules)
	if err := ctx.Err(); err != nil {
		return content, fault.Wrap(fault.Unavailable, err, "the folder was not checked to its end; try again")
	}
	if len(problems) == 0 && !header.Names(id) {
		problems = []botfile.Problem{{File: "bot.yaml", Path: "id", Message: fmt.Sprintf("is that of bot %s, and the folder was sent to bot %s; send it there, or change the id", header.ID, id)}}
	}
	if len(problems) == 0 {
		return content, nil
	}
	p := problem(http.StatusUnprocessableEntity, problems[0].String())
	if more := len(problems) - 1; more > 0 {
		p.Detail += fmt.Sprintf(", and %d more", more)
	}
	for _, wrong := range problems {
		field := ProblemField{Location: location(wrong.Path), Message: wrong.Message, File: wrong.File, Line: wrong.Line}
		if wrong.Column > 0 {
			field.Column = strconv.Itoa(wrong.Column)
		}
		p.Errors = append(p.Errors, field)
	}
	return content, p
}

// importAsk is everything of an import that comes before its body.
type importAsk struct {
	bot.Import
	media string
}

func readImportAsk(r *http.Request) (ask importAsk, err error) {
	ask.media, _, err = mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || (ask.media != "application/json" && ask.media != botfile.MediaType) {
		return ask, problem(http.StatusUnsupportedMediaType, "send the folder of the bot as Content-Type: "+botfile.MediaType+", or its content as application/json")
	}
	for name, values := range r.URL.Query() {
		if len(values) > 1 {
			return ask, fault.Field("query."+name, "stands %d times", len(values))
		}
		switch name {
		case "note":
			ask.Note = values[0]
		case "deploy":
			ask.Deploy, err = choiceOf(name, values[0])
		case "dry_run":
			ask.DryRun, err = choiceOf(name, values[0])
		default:
			err = fault.Field("query."+name, "is not known here")
		}
		if err != nil {
			return ask, err
		}
	}
	return ask, nil
}

// readContent reads the content of a version from JSON that has no field which is not known. Every part
// that does not read is told of, in a [bot.ContentError], up to so many as a check tells.
func readContent(text []byte) (c scenario.Content, err error) {
	if depth(text) > maxDepth {
		return c, fault.New(fault.Invalid, "the body is nested deeper than %d levels", maxDepth)
	}
	var parts struct{ Blocks, Knowledge, Servers json.RawMessage }
	if err := strictly(text, &parts); err != nil {
		return c, fault.New(fault.Invalid, "the body is not the content of a bot, an object of blocks, knowledge and servers: %s", plainJSON(err))
	}
	var problems []fault.Part
	c.Blocks = readEach(parts.Blocks, "blocks", scenario.MaxBlocks, c.Blocks, &problems)
	c.Knowledge = readEach(parts.Knowledge, "knowledge", scenario.MaxKnowledge, c.Knowledge, &problems)
	c.Servers = readEach(parts.Servers, "servers", scenario.MaxServers, c.Servers, &problems)
	if len(problems) > 0 {
		return c, &bot.ContentError{Problems: problems}
	}
	return c, nil
}

// readEach reads the entries of a list one by one, so that no list that is too long and no entry that is
// too large is ever decoded.
func readEach[T any](text json.RawMessage, name string, most int, list []T, problems *[]fault.Part) []T {
	add := func(field, format string, args ...any) {
		switch n := len(*problems); {
		case n < scenario.MaxProblems:
			*problems = append(*problems, fault.Part{Field: field, Message: fmt.Sprintf(format, args...)})
		case n == scenario.MaxProblems:
			*problems = append(*problems, fault.Part{Message: scenario.MoreProblems})
		}
	}
	if len(text) == 0 || string(text) == "null" {
		return list
	}
	entries := json.NewDecoder(bytes.NewReader(text))
	if first, err := entries.Token(); err != nil || first != json.Delim('[') {
		add(name, "must be a list")
		return list
	}
	for i := 0; entries.More() && len(*problems) <= scenario.MaxProblems; i++ {
		if i == most {
			add(name, "has more than %d entries, which is the most that is kept", most)
			break
		}
		var entry json.RawMessage
		var one T
		field, err := fmt.Sprintf("%s[%d]", name, i), entries.Decode(&entry)
		if len(entry) > maxEntry {
			add(field, "is %d bytes long, at most %d are read", len(entry), maxEntry)
			continue
		}
		if err == nil {
			err = strictly(entry, &one)
		}
		if err != nil {
			add(field, "does not read: %s", plainJSON(err))
		}
		list = append(list, one)
	}
	return list
}

// strictly reads one JSON value without fields that are not known.
func strictly(text []byte, v any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(v); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more follows after its end")
	}
	return nil
}

// plainJSON says what is wrong without the names of Go types.
func plainJSON(err error) string {
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) && kind.Field != "" {
		return fmt.Sprintf("%s must not be a %s", kind.Field, kind.Value)
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}
