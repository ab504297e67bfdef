package intake

import (
	"context"

	"github.com/malgil/malgil/internal/broadcast"
)

type sealInput struct {
	ByID
	Body *struct {
		Confirm int `json:"confirm,omitempty" minimum:"1" doc:"How many people it has; needed above a size"`
	}
}

func (s *Server) sealBroadcast(ctx context.Context, in *sealInput) (*body[broadcastView], error) {
	said := 0
	if in.Body != nil {
		said = in.Body.Confirm
	}
	b, err := s.services.Broadcasts.Seal(ctx, broadcast.ID(in.ID), said)
	if err != nil {
		return nil, err
	}
	return reply(viewBroadcast(b)), nil
}
