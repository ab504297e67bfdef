package intake

import (
	"context"

	"github.com/malgil/malgil/internal/broadcast"
)

type decideChunksInput struct {
	ByID
	Keyed
	RawBody []byte
	Body    struct {
		Chunks  []broadcast.ChunkID `json:"chunks,omitempty" doc:"At most 1,000; all that are in doubt, when left out, and those that are parked where they are to be sent again. Those that stay unconfirmed are decided by name, as sent or release"`
		Finding broadcast.Finding   `json:"finding" doc:"not_sent: they go out once more, and who got them after all gets them twice; sent: everybody in them counts as delivered and is paid for; release: nobody pays, and nobody is sent to again"`
		Note    string              `json:"note" doc:"How it was found out, one line"`
		Confirm int                 `json:"confirm,omitempty" doc:"With not_sent: how many people are sent to again, asked for above MALGIL_CONFIRM_ABOVE"`
	}
}

func (s *Server) decideChunks(ctx context.Context, in *decideChunksInput) (*body[broadcast.Decided], error) {
	r, err := in.request(ctx, "decide "+in.ID, in.RawBody)
	if err != nil {
		return nil, err
	}
	done, err := s.services.Broadcasts.Decide(ctx, broadcast.Decision{
		Broadcast: broadcast.ID(in.ID), Chunks: in.Body.Chunks, Finding: in.Body.Finding, Note: in.Body.Note, Confirm: in.Body.Confirm, Request: r,
	})
	if err != nil {
		return nil, err
	}
	return reply(done), nil
}
