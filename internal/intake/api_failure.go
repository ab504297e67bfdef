package intake

import (
	"context"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/store"
)

type failureView struct {
	Chunk     broadcast.ChunkID `json:"chunk"`
	Type      string            `json:"type,omitempty"`
	ID        string            `json:"id"`
	ErrorType int               `json:"error_type,omitempty" doc:"Kakao's number: 201 is an error of the skill server"`
	Message   string            `json:"message,omitempty" doc:"Kakao's words"`
	At        time.Time         `json:"at,omitzero"`
}

func (s *Server) listFailures(ctx context.Context, in *PageByID) (*body[page[failureView]], error) {
	var after int
	if err := in.after(&after); err != nil {
		return nil, err
	}
	chunks, err := s.services.Read.FailedChunks(ctx, broadcast.ID(in.ID), after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	byChunk, err := pageOf(in.Paged, chunks, func(c store.FailedChunk) any { return c.Seq }, failuresOf)
	if err != nil {
		return nil, err
	}
	list := page[failureView]{Items: []failureView{}, Next: byChunk.Body.Next}
	for _, failures := range byChunk.Body.Items {
		list.Items = append(list.Items, failures...)
	}
	return reply(list), nil
}

// failuresOf reads the people whom Kakao names in the result of a chunk; none in a result that
// cannot be read, whose counts stand all the same.
func failuresOf(c store.FailedChunk) []failureView {
	var failures []failureView
	for _, f := range kakao.Failures(c.Result) {
		failures = append(failures, failureView{
			Chunk: c.ID, Type: f.UserType, ID: f.UserID, ErrorType: f.ErrorType, Message: f.Message, At: f.At,
		})
	}
	return failures
}
