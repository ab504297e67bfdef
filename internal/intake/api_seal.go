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

// approveBroadcast is done by a person: a token that stands for none approves nothing.
func (s *Server) approveBroadcast(ctx context.Context, in *ByID) (*body[broadcastView], error) {
	b, err := s.services.Broadcasts.Approve(ctx, broadcast.ID(in.ID), principalOf(ctx).AccountID)
	if err != nil {
		return nil, err
	}
	return reply(viewBroadcast(b)), nil
}

func (s *Server) sealBroadcast(ctx context.Context, in *sealInput) (*body[broadcastView], error) {
	said := 0
	if in.Body != nil {
		said = in.Body.Confirm
	}
	b, err := s.services.Broadcasts.Seal(ctx, broadcast.ID(in.ID), broadcast.Sealing{People: said, By: actorOf(ctx)})
	if err != nil {
		return nil, err
	}
	return reply(viewBroadcast(b)), nil
}
