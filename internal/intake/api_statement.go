package intake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/statement"
	"github.com/malgil/malgil/internal/store"
)

const statementRoute = "GET /api/v1/wallets/{id}/statements/{month}"

const (
	spoolTime    = 12 * time.Minute // to read a month or the people of a broadcast, write them and send them
	spoolsAtOnce = 4                // of one process, so that they leave it connections
)

func (s *Server) addStatement() {
	add(s, operation{route: statementRoute, id: "get-statement", group: "Wallets", summary: "A month of a wallet as JSON, CSV or a workbook", errors: []int{http.StatusNotFound}}, s.getStatement)
	_, path, _ := strings.Cut(statementRoute, " ")
	api := s.api.OpenAPI()
	content := map[string]*huma.MediaType{}
	for format, media := range statement.MediaTypes {
		content[media] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}
		if format == statement.JSON {
			content[media].Schema = api.Components.Schemas.Schema(reflect.TypeFor[statement.Statement](), true, "")
		}
	}
	api.Paths[path].Get.Responses["200"].Content = content
}

type statementInput struct {
	ByID
	Month  string `path:"month" maxLength:"16" doc:"In Korea, as 2026-11"`
	Format string `query:"format" enum:"json,csv,xlsx" doc:"Comes before the Accept header; json when neither says"`
	Accept string `header:"Accept"`
}

// format returns in which format the caller wants it.
func (in statementInput) format() statement.Format {
	if in.Format != "" {
		return statement.Format(in.Format)
	}
	for part := range strings.SplitSeq(in.Accept, ",") {
		asked, _, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		for format, media := range statement.MediaTypes {
			if ours, _, _ := strings.Cut(media, ";"); ours == asked {
				return format
			}
		}
	}
	return statement.JSON
}

// month returns the 1st of the month that is asked for.
func (in statementInput) month(now time.Time) (time.Time, error) {
	month, err := clock.ParseMonth(in.Month)
	if err != nil || month.Year() < 2000 {
		return month, fault.Field("path.month", "must be a month such as 2026-11")
	}
	if month.After(now) {
		return month, fault.Field("path.month", "has not begun")
	}
	return month.UTC(), nil
}

// file is an answer that was written before it is sent.
type file struct {
	Type        string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition"`
	Length      int64  `header:"Content-Length"`
	Body        func(huma.Context)

	send func(to io.Writer)
}

func (s *Server) getStatement(ctx context.Context, in *statementInput) (*file, error) {
	now := s.config.Now()
	month, err := in.month(now)
	if err != nil {
		return nil, err
	}
	format := in.format()
	answer, err := s.spooled(ctx, func(to io.Writer) error {
		return s.services.Read.Statement(ctx, in.ID, month, now, func(st store.Statement) error {
			return statement.Write(to, format, st)
		})
	})
	if err != nil {
		return nil, err
	}
	answer.Type = statement.MediaTypes[format]
	if format != statement.JSON {
		answer.Disposition = mime.FormatMediaType("attachment", map[string]string{"filename": fmt.Sprintf("malgil-%s-%s.%s", in.ID, in.Month, format)})
	}
	return answer, nil
}

// spooled writes something long to a temporary file and answers with that, a few at a time. So it never
// ends in the middle without being seen to, and a slow reader holds up no database.
func (s *Server) spooled(ctx context.Context, write func(io.Writer) error) (*file, error) {
	select {
	case s.spools <- struct{}{}:
		defer func() { <-s.spools }()
	case <-ctx.Done():
		return nil, fault.Wrap(fault.Unavailable, ctx.Err(), "too many files are being written; try again")
	}
	return spool(write)
}

// spool writes something long to a temporary file.
func spool(write func(io.Writer) error) (*file, error) {
	spool, err := os.CreateTemp("", "malgil-*")
	if err != nil {
		return nil, fmt.Errorf("make room for a file: %w", err)
	}
	_ = os.Remove(spool.Name()) // it lives as long as it is open
	length, err := fill(spool, write)
	if err != nil {
		return nil, errors.Join(err, spool.Close())
	}
	answer := &file{Length: length, send: func(to io.Writer) {
		defer spool.Close()
		_, _ = io.Copy(to, spool) // a reader that is gone sees by the length that it is not whole
	}}
	answer.Body = func(c huma.Context) { answer.send(c.BodyWriter()) }
	return answer, nil
}

// fill writes a file, goes back to its beginning and tells how long it is.
func fill(spool *os.File, write func(io.Writer) error) (int64, error) {
	if err := write(spool); err != nil {
		return 0, err
	}
	length, err := spool.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = spool.Seek(0, io.SeekStart)
	}
	if err != nil {
		return 0, fmt.Errorf("read a file again: %w", err)
	}
	return length, nil
}

// beSlow gives a request until its limit to be answered, in place of the server's deadlines. The read
// deadline of a connection would end the context of the request.
func beSlow(w http.ResponseWriter, limit time.Duration) {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Time{}) // a writer without deadlines, as in a test, is in memory
	_ = control.SetWriteDeadline(time.Now().Add(limit))
}
