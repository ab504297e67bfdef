package intake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"

	"github.com/malgil/malgil/internal/bot"
	"github.com/malgil/malgil/internal/fault"
)

// Problem is how every route of /api/v1 says no (RFC 9457, problem details).
type Problem struct {
	Title  string         `json:"title" doc:"The HTTP status in words"`
	Status int            `json:"status" doc:"The HTTP status"`
	Code   string         `json:"code" doc:"A stable word for programs"`
	Detail string         `json:"detail,omitempty" doc:"For people: what is wrong and what to do next"`
	Errors []ProblemField `json:"errors,omitempty" doc:"What is wrong with which field"`

	retryAfter time.Duration
}

// ProblemField is what is wrong with one field, or one line of an upload.
type ProblemField struct {
	Location string `json:"location" doc:"body.…, path.…, query.… or header.…, or what of the thing itself is in the way: wallet.…"`
	Message  string `json:"message"`
	File     string `json:"file,omitempty" doc:"File of a bot's folder"`
	Line     int    `json:"line,omitempty" doc:"Line of an upload or of the file, counted from 1"`
	Column   string `json:"column,omitempty" doc:"Column of an upload; in a file of a folder a number, counted from 1"`
}

// Error implements error.
func (p *Problem) Error() string { return p.Code + ": " + p.Detail }

// GetStatus implements [huma.StatusError].
func (p *Problem) GetStatus() int { return p.Status }

// ContentType implements [huma.ContentTypeFilter].
func (p *Problem) ContentType(string) string { return problemType }

// GetHeaders implements [huma.HeadersError].
func (p *Problem) GetHeaders() http.Header {
	header := http.Header{}
	if p.retryAfter > 0 {
		header.Set("Retry-After", strconv.Itoa(int(math.Ceil(p.retryAfter.Seconds()))))
	}
	if p.Status == http.StatusUnauthorized {
		header.Set("WWW-Authenticate", `Bearer realm="malgil"`)
	}
	return header
}

const problemType = "application/problem+json"

// kinds is the one mapping of error kinds to HTTP.
var kinds = map[fault.Kind]struct {
	status int
	code   string
}{
	fault.Invalid:         {http.StatusUnprocessableEntity, "INVALID"},
	fault.NotFound:        {http.StatusNotFound, "NOT_FOUND"},
	fault.Conflict:        {http.StatusConflict, "CONFLICT"},
	fault.Refused:         {http.StatusUnprocessableEntity, "REFUSED"},
	fault.Unauthenticated: {http.StatusUnauthorized, "UNAUTHENTICATED"},
	fault.Forbidden:       {http.StatusForbidden, "FORBIDDEN"},
	fault.Throttled:       {http.StatusTooManyRequests, "THROTTLED"},
	fault.Unavailable:     {http.StatusServiceUnavailable, "UNAVAILABLE"},
	fault.InDoubt:         {http.StatusInternalServerError, "IN_DOUBT"},
	fault.Internal:        {http.StatusInternalServerError, "INTERNAL"},
}

// defaultRetry is what Retry-After says when a throttled call does not know better.
const defaultRetry = time.Second

// problemOf turns any error into what the caller is told. What is not an error of ours, or is our
// own mistake, is told without a detail: its text may hold anything.
func problemOf(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	known, ok := kinds[fault.KindOf(err)]
	if !ok {
		known = kinds[fault.Internal]
	}
	p = &Problem{Status: known.status, Title: http.StatusText(known.status), Code: known.code}
	if p.Status == http.StatusInternalServerError {
		return p
	}
	if code := fault.CodeOf(err); code != "" {
		p.Code = code
	}
	p.Detail = fault.MessageOf(err)
	var f *fault.Error
	if errors.As(err, &f) && f.Field != "" {
		p.Errors = []ProblemField{{Location: location(f.Field), Message: f.Message}}
		p.Detail = f.Field + " " + f.Message
	}
	if f != nil {
		for _, part := range f.Parts {
			p.Errors = append(p.Errors, ProblemField{Location: part.Field, Message: part.Message})
		}
	}
	if p.Code == keyReused {
		p.Errors = []ProblemField{{Location: keyHeader, Message: p.Detail}}
	}
	var answers *bot.ContentError
	if errors.As(err, &answers) {
		p.Errors, p.Detail = nil, answers.Error()
		for _, wrong := range answers.Problems {
			p.Errors = append(p.Errors, ProblemField{Location: location(wrong.Field), Message: wrong.Message})
		}
	}
	if p.Status == http.StatusTooManyRequests || p.Status == http.StatusServiceUnavailable {
		p.retryAfter = max(fault.RetryAfter(err), defaultRetry)
	}
	return p
}

// location says where a field stands; the rules do not know how it came in.
func location(field string) string {
	for _, part := range []string{"body.", "path.", "query.", "header."} {
		if strings.HasPrefix(field, part) {
			return field
		}
	}
	return strings.TrimSuffix("body."+field, ".") // the body itself, where no field is wrong
}

// statusCodes are the words for what is refused before it reaches a rule.
var statusCodes = map[int]string{
	http.StatusBadRequest:            "MALFORMED",
	http.StatusNotFound:              "NOT_FOUND",
	http.StatusMethodNotAllowed:      "METHOD_NOT_ALLOWED",
	http.StatusRequestTimeout:        "TIMEOUT",
	http.StatusRequestEntityTooLarge: "TOO_LARGE",
	http.StatusUnsupportedMediaType:  "UNSUPPORTED_MEDIA_TYPE",
	http.StatusUnprocessableEntity:   "INVALID",
}

// problem returns a problem with a status of [statusCodes].
func problem(status int, detail string) *Problem {
	code, known := statusCodes[status]
	if !known {
		code = "INTERNAL"
	}
	return &Problem{Status: status, Title: http.StatusText(status), Code: code, Detail: detail}
}

// newHumaError is how huma says what it found wrong with a request: never with the value, which
// may be a secret.
func newHumaError(status int, message string, errs ...error) huma.StatusError {
	p := problem(status, message)
	for _, err := range errs {
		var detail huma.ErrorDetailer
		switch {
		case err == nil:
			continue
		case errors.As(err, &detail):
			p.Errors = append(p.Errors, fieldOf(detail.ErrorDetail()))
		default:
			p.Errors = append(p.Errors, ProblemField{Location: "body", Message: err.Error()})
		}
	}
	if status == http.StatusInternalServerError {
		return &Problem{Status: status, Title: p.Title, Code: p.Code}
	}
	if len(p.Errors) > 0 {
		p.Detail = p.Errors[0].Location + ": " + p.Errors[0].Message
		if more := len(p.Errors) - 1; more > 0 {
			p.Detail += ", and " + strconv.Itoa(more) + " more"
		}
	}
	return p
}

// fieldOf names the field that huma means. What is missing it names in its words only, and as its
// place that of the whole around it.
func fieldOf(d *huma.ErrorDetail) ProblemField {
	var missing string
	if n, _ := fmt.Sscanf(d.Message, validation.MsgExpectedRequiredProperty, &missing); n == 1 {
		return ProblemField{Location: d.Location + "." + missing, Message: "is missing"}
	}
	var field string
	if n, _ := fmt.Sscanf(d.Message, misfit, &field, new(string)); n == 2 {
		_, message, _ := strings.Cut(d.Message, strconv.Quote(field)+" ")
		return ProblemField{Location: strings.TrimSuffix(d.Location+"."+field, "."), Message: message}
	}
	return ProblemField{Location: d.Location, Message: d.Message}
}

func init() {
	huma.NewError = newHumaError     // huma's way to be told of another shape of errors
	huma.ValidateStrictCasing = true // a field in another spelling is one that is not known
}

// writeProblem answers a request outside of huma.
func writeProblem(w http.ResponseWriter, p *Problem) {
	for name, values := range p.GetHeaders() {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", problemType)
	w.WriteHeader(p.Status)
	// A client that is gone does not read it, and nobody else needs it.
	_ = json.NewEncoder(w).Encode(p)
}

// notFound answers for what is not there: a route, a bot, a key that does not fit. They all look
// the same, so that nobody learns which it was.
func notFound(w http.ResponseWriter) { writeProblem(w, nothingHere()) }

func nothingHere() *Problem { return problem(http.StatusNotFound, "there is nothing here") }

// logMistake logs an error that is our own, once, at this edge.
func (s *Server) logMistake(ctx context.Context, route string, err error) {
	if problemOf(err).Status >= http.StatusInternalServerError {
		s.log.LogAttrs(ctx, slog.LevelError, "request failed", slog.String("route", route), slog.Any("err", err))
	}
}
