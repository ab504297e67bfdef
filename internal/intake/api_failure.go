package intake

import (
	"context"
	"encoding/json"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
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

// kakaoFailures is the part of a stored result that names people. Older answers spell the id
// "userID" and give the reason as plain text.
type kakaoFailures struct {
	Fail struct {
		List []struct {
			UserID    string          `json:"userId"`
			UserType  string          `json:"reqUserType"`
			CreatedAt int64           `json:"createdAt"` // seconds
			Error     json.RawMessage `json:"errorMsg"`
		} `json:"list"`
	} `json:"fail"`
}

// failuresOf reads the people whom Kakao names in the result of a chunk; none in a result that
// cannot be read, whose counts stand all the same.
func failuresOf(c store.FailedChunk) []failureView {
	var result kakaoFailures
	if err := json.Unmarshal(c.Result, &result); err != nil {
		return nil
	}
	var failures []failureView
	for _, f := range result.Fail.List {
		view := failureView{Chunk: c.ID, Type: f.UserType, ID: f.UserID}
		if f.CreatedAt > 0 {
			view.At = time.Unix(f.CreatedAt, 0).UTC()
		}
		var reason struct {
			Type    int    `json:"errorType"`
			Message string `json:"msg"`
		}
		if json.Unmarshal(f.Error, &reason) == nil {
			view.ErrorType, view.Message = reason.Type, reason.Message
		} else {
			_ = json.Unmarshal(f.Error, &view.Message) // neither form: no reason is known
		}
		failures = append(failures, view)
	}
	return failures
}
