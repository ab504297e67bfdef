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
		ErrorTypes []int     `json:"error_types,omitempty" doc:"Only people who failed with one of Kakao's numbers; everybody who failed, when left out"`
		Skipped    bool      `json:"skipped,omitempty" doc:"People too who were not sent to, because it expired or was cancelled"`
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
		Of: broadcast.ID(in.ID), Name: in.Body.Name, ErrorTypes: in.Body.ErrorTypes, Skipped: in.Body.Skipped,
		StartAt: in.Body.StartAt.UTC(), ExpiresAt: in.Body.ExpiresAt.UTC(), By: actorOf(ctx),
	}, r)
	if err != nil {
		return nil, err
	}
	return &created[broadcastView]{Location: "/api/v1/broadcasts/" + string(b.ID), Body: viewBroadcast(b)}, nil
}
