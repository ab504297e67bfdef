// Package answer reads and writes the JSON of the sandbox's own addresses.
package answer

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/fault"
)

const maxBody = 16 << 20

// JSON answers with a value.
func JSON(w http.ResponseWriter, status int, v any) {
	write(w, status, "application/json; charset=utf-8", v)
}

func write(w http.ResponseWriter, status int, contentType string, v any) {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // whoever asked is gone
}

// Problem answers with an error as RFC 9457 says it: 400 and the field for Invalid, 404 for
// NotFound, 409 for Conflict, 503 for Unavailable, 500 for the rest.
func Problem(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	switch fault.KindOf(err) {
	case fault.Invalid:
		status = http.StatusBadRequest
	case fault.NotFound:
		status = http.StatusNotFound
	case fault.Conflict:
		status = http.StatusConflict
	case fault.Unavailable:
		status = http.StatusServiceUnavailable
	case fault.Internal, fault.Refused, fault.Unauthenticated, fault.Forbidden, fault.Throttled, fault.InDoubt:
	}
	problem := struct {
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
		Field  string `json:"field,omitempty"`
	}{http.StatusText(status), status, err.Error(), ""}
	var known *fault.Error
	if errors.As(err, &known) {
		problem.Detail, problem.Field = known.Message, known.Field
	}
	write(w, status, "application/problem+json", problem)
}

// Read reads the JSON body of a request. A field that v does not have, one of another type, and
// anything after the value is an Invalid error that names the field. An empty body reads as {}.
func Read(r *http.Request, v any) error {
	body, err := Body(r)
	if err != nil {
		return err
	}
	return Decode(body, v)
}

// Body reads the body of a request, at most 16 MiB.
func Body(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	switch {
	case err != nil:
		return nil, fault.Wrap(fault.Invalid, err, "the body cannot be read")
	case len(body) > maxBody:
		return nil, fault.New(fault.Invalid, "the body is longer than %d bytes", maxBody)
	}
	return body, nil
}

// Decode is [Read] for a body that was read before.
func Decode(body []byte, v any) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(v)
	var mistyped *json.UnmarshalTypeError
	switch {
	case errors.As(err, &mistyped):
		return fault.Field(mistyped.Field, "%s is a %s, which does not fit", fieldName(mistyped.Field), mistyped.Value)
	case err != nil:
		if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
			name = strings.Trim(name, `"`)
			return fault.Field(name, "there is no field %q", name)
		}
		return fault.New(fault.Invalid, "the body is not JSON: %v", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return fault.New(fault.Invalid, "the body goes on after its JSON value")
	}
	return nil
}

func fieldName(path string) string {
	if path == "" {
		return "the body"
	}
	return path
}

// Page is a part of a list: up to 1,000 entries from a position.
type Page struct{ From, Limit int }

// ReadPage reads ?cursor= and ?limit= of a list; the limit is 100 unless said otherwise.
func ReadPage(r *http.Request) (Page, error) {
	page := Page{Limit: 100}
	for name, into := range map[string]*int{"cursor": &page.From, "limit": &page.Limit} {
		if text := r.FormValue(name); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil || n < 0 {
				return Page{}, fault.Field(name, "%s is a whole number from 0", name)
			}
			*into = n
		}
	}
	if page.Limit < 1 || page.Limit > 1000 {
		return Page{}, fault.Field("limit", "limit is 1 to 1000")
	}
	return page, nil
}

// Items answers with a part of a list; next is the cursor of what follows, 0 at the end.
func Items[T any](w http.ResponseWriter, items []T, next int) {
	list := struct {
		Items      []T    `json:"items"`
		NextCursor string `json:"next_cursor,omitempty"`
	}{Items: items}
	if items == nil {
		list.Items = []T{}
	}
	if next > 0 {
		list.NextCursor = strconv.Itoa(next)
	}
	JSON(w, http.StatusOK, list)
}

// ReadWait reads ?wait_seconds=: how long an answer may wait for what is asked for, 0 to 60.
func ReadWait(r *http.Request) (time.Duration, error) {
	text := r.FormValue("wait_seconds")
	if text == "" {
		return 0, nil
	}
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || !(seconds >= 0 && seconds <= 60) {
		return 0, fault.Field("wait_seconds", "wait_seconds is 0 to 60")
	}
	return time.Duration(seconds * float64(time.Second)), nil
}
