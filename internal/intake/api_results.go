package intake

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/statement"
	"github.com/malgil/malgil/internal/store"
)

const resultsRoute = "GET /api/v1/broadcasts/{id}/results"

// resultChunks is how many chunks are read at a time for an export.
const resultChunks = 100

var resultMedia = map[string]string{"csv": "text/csv; charset=utf-8", "ndjson": "application/x-ndjson"}

func (s *Server) addResults() {
	add(s, operation{route: resultsRoute, id: "export-results", group: "Broadcasts", summary: "Everybody of a broadcast with what became of him, as a file", errors: []int{http.StatusNotFound}}, s.exportResults)
	_, path, _ := strings.Cut(resultsRoute, " ")
	content := map[string]*huma.MediaType{}
	for _, media := range resultMedia {
		content[media] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}
	}
	s.api.OpenAPI().Paths[path].Get.Responses["200"].Content = content
}

type resultsInput struct {
	ByID
	Format  string `query:"format" enum:"csv,ndjson" default:"csv"`
	BOM     bool   `query:"bom" doc:"Begin a CSV with a byte order mark, so that Excel shows Korean"`
	Outcome string `query:"outcome" enum:"delivered,failed,undetermined,in_doubt,skipped,waiting" doc:"Only people with this outcome"`
}

// exportResults writes everybody of a broadcast, in the order of its audience.
func (s *Server) exportResults(ctx context.Context, in *resultsInput) (*file, error) {
	if _, err := s.services.Read.Broadcast(ctx, broadcast.ID(in.ID)); err != nil {
		return nil, err
	}
	answer, err := s.spooled(ctx, func(to io.Writer) error {
		put, end := resultWriter(to, in.Format, in.BOM)
		if err := s.eachPerson(ctx, broadcast.ID(in.ID), func(p personView) error {
			if in.Outcome != "" && p.Outcome != in.Outcome {
				return nil
			}
			return put(p)
		}); err != nil {
			return err
		}
		return end()
	})
	if err != nil {
		return nil, err
	}
	answer.Type = resultMedia[in.Format]
	answer.Disposition = mime.FormatMediaType("attachment", map[string]string{"filename": fmt.Sprintf("malgil-%s-results.%s", in.ID, in.Format)})
	return answer, nil
}

// eachPerson calls do with everybody of a broadcast, some chunks at a time.
func (s *Server) eachPerson(ctx context.Context, id broadcast.ID, do func(personView) error) error {
	for after := 0; ; {
		chunks, err := s.services.Explain.People(ctx, id, store.PeopleFilter{After: after}, resultChunks)
		if err != nil {
			return err
		}
		for _, c := range chunks {
			people, err := peopleOf(c)
			if err != nil {
				return fmt.Errorf("read the people of chunk %s: %w", c.Chunk.ID, err)
			}
			for _, p := range people {
				if err := do(p); err != nil {
					return err
				}
			}
			after = c.Chunk.Seq
		}
		if len(chunks) < resultChunks {
			return nil
		}
	}
}

// resultWriter writes people in a format, one by one; end writes what is left.
func resultWriter(to io.Writer, format string, mark bool) (put func(personView) error, end func() error) {
	if format == "ndjson" {
		lines := json.NewEncoder(to)
		lines.SetEscapeHTML(false)
		return func(p personView) error { return lines.Encode(p) }, func() error { return nil }
	}
	rows := csv.NewWriter(to)
	rows.UseCRLF = true
	begun := false
	begin := func() error {
		if begun {
			return nil
		}
		begun = true
		if mark {
			if _, err := io.WriteString(to, "\uFEFF"); err != nil {
				return err
			}
		}
		return rows.Write([]string{"type", "id", "outcome", "error_type", "message", "captured_krw", "chunk", "posting"})
	}
	put = func(p personView) error {
		if err := begin(); err != nil {
			return err
		}
		number, price := "", ""
		if p.Error != 0 {
			number = strconv.Itoa(p.Error)
		}
		if p.Price != 0 {
			price = strconv.FormatInt(int64(p.Price), 10)
		}
		return rows.Write([]string{p.Type, statement.Harmless(p.ID), p.Outcome, number, statement.Harmless(p.Message), price, string(p.Chunk), p.Posting})
	}
	end = func() error {
		if err := begin(); err != nil {
			return err
		}
		rows.Flush()
		return rows.Error()
	}
	return put, end
}
