package apiclient

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"
)

// maxEvent bounds one line of an event, in bytes.
const maxEvent = 1 << 20

// ErrSilent says that a server, or what is between, said nothing for longer than it ever does.
var ErrSilent = errors.New("the server says nothing")

// Events reads server-sent events and calls each with every one, until the server ends them, each returns
// an error, or nothing at all came for as long as silence: [ErrSilent]. It returns nil when the server ended
// them, and a [*Problem] when it sends none.
func (c *Client) Events(ctx context.Context, path string, silence time.Duration, each func(name string, data []byte) error) error {
	failed := func(err error) error { return fmt.Errorf("GET %s: %w", path, err) }
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	quiet := time.AfterFunc(silence, func() { cancel(ErrSilent) })
	defer quiet.Stop()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return failed(err)
	}
	request.Header.Set("Accept", "text/event-stream")
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	answer, err := c.files.Do(request)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	if err != nil {
		return failed(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode >= 300 {
		text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
		if err != nil {
			return failed(fmt.Errorf("read the answer: %w", err))
		}
		return problemOf(answer.StatusCode, text)
	}
	if media, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type")); media != "text/event-stream" {
		return failed(fmt.Errorf("the server answers with %q, not with events", media))
	}
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, maxEvent)
	var name, data string
	for lines.Scan() {
		quiet.Reset(silence)
		field, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "event":
			name = value
		case "data":
			data = value // ours are of one line
		case "":
			if value == "" && data != "" {
				if err := each(name, []byte(data)); err != nil {
					return err
				}
				name, data = "", ""
			}
		}
	}
	if err := lines.Err(); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return failed(fmt.Errorf("read events: %w", err))
	}
	return nil
}
