package intake

import (
	"context"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
)

type retryInput struct {
	ByID
	Keyed
	RawBody []byte
	Body    struct {
		Name       string    `json:"name,omitempty" doc:"That of the other, when left out"`
		Failed     *bool     `json:"failed,omitempty" doc:"People who failed; true, when left out. Without them it is for the skipped alone"`
		ErrorTypes []int     `json:"error_types,omitempty" doc:"Of those who failed only people with one of Kakao's numbers, 0 for those who have none, as where the request was refused; all, when left out"`
		Skipped    bool      `json:"skipped,omitempty" doc:"People too who were not sent to, because it expired or was cancelled"`
		Confirm    int       `json:"confirm,omitempty" minimum:"1" doc:"How many people it has; needed above a size"`
		StartAt    time.Time `json:"start_at,omitzero"`
		ExpiresAt  time.Time `json:"expires_at,omitzero"`
	}
}

func (s *Server) retryBroadcast(ctx context.Context, in *retryInput) (*created[broadcastView], error) {
	r, err := in.request(ctx, "retry "+in.ID, in.RawBody)
	if err != nil {
		return nil, err
	}
	b, err := s.services.Broadcasts.Retry(ctx, broadcast.RetryOrder{
		Of: broadcast.ID(in.ID), Name: in.Body.Name, Confirm: in.Body.Confirm,
		Missed:  broadcast.Missed{Failed: in.Body.Failed == nil || *in.Body.Failed, ErrorTypes: in.Body.ErrorTypes, Skipped: in.Body.Skipped},
		StartAt: in.Body.StartAt.UTC(), ExpiresAt: in.Body.ExpiresAt.UTC(), By: actorOf(ctx),
	}, r)
	if err != nil {
		return nil, err
	}
	return &created[broadcastView]{Location: "/api/v1/broadcasts/" + string(b.ID), Body: viewBroadcast(b)}, nil
}
