package intake

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/statement"
	"github.com/malgil/malgil/internal/store"
)

const resultsRoute = "GET /api/v1/broadcasts/{id}/results"

// resultChunks is how many chunks are read at a time for an export.
const resultChunks = 100

func (s *Server) addResults() {
	add(s, operation{route: resultsRoute, id: "export-results", group: "Broadcasts", summary: "Everybody of a broadcast with what became of him, as a file", errors: []int{http.StatusNotFound}}, s.exportResults)
	s.answersFile(resultsRoute)
}

type resultsInput struct {
	ByID
	ExportFormat
	Outcome string `query:"outcome" enum:"delivered,failed,undetermined,in_doubt,skipped,waiting" doc:"Only people with this outcome"`
}

// exportResults writes everybody of a broadcast, in the order of its audience.
func (s *Server) exportResults(ctx context.Context, in *resultsInput) (*file, error) {
	if _, err := s.services.Read.Broadcast(ctx, broadcast.ID(in.ID)); err != nil {
		return nil, err
	}
	answer, err := s.spooled(ctx, func(to io.Writer) error {
		put, end, err := exportWriter(to, in.Format, in.BOM, resultHeader, resultCells)
		if err != nil {
			return err
		}
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
	return in.named(answer, in.ID+"-results"), nil
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

// resultHeader names what [resultCells] are.
var resultHeader = []string{"type", "id", "outcome", "error_type", "message", "captured_krw", "chunk", "posting"}

func resultCells(p personView) []string {
	number, price := "", ""
	if p.Error != 0 {
		number = strconv.Itoa(p.Error)
	}
	if p.Price != 0 {
		price = strconv.FormatInt(int64(p.Price), 10)
	}
	return []string{p.Type, statement.Harmless(p.ID), p.Outcome, number, statement.Harmless(p.Message), price, string(p.Chunk), p.Posting}
}
