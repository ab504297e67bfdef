package intake

import (
	"context"
	"net/http"
	"time"

	"github.com/malgil/malgil/internal/retention"
)

type purgeView struct {
	Day     string          `json:"day" doc:"In Korea"`
	Level   retention.Level `json:"level" doc:"Security level of the bot: 1 keeps utterances 3 days, 2 30 days, 3 180 days, 4 three years"`
	Before  time.Time       `json:"before" doc:"What was said before it was removed"`
	Removed int             `json:"removed" doc:"How many utterances"`
	Oldest  time.Time       `json:"oldest,omitzero" doc:"When the oldest of them was said"`
	Newest  time.Time       `json:"newest,omitzero"`
	BeganAt time.Time       `json:"began_at"`
	EndedAt time.Time       `json:"ended_at,omitzero" doc:"Absent while some are left"`
}

func viewPurge(r retention.Receipt) purgeView { return purgeView(r) }

func (s *Server) addPurges() {
	add(s, operation{route: "GET /api/v1/bots/{id}/purges", id: "list-purges", group: "Bots", summary: "List what was removed of a bot's utterances, the newest day first", errors: []int{http.StatusNotFound}}, s.listPurges)
}

type listPurgesInput struct {
	ByID
	Paged
}

func (s *Server) listPurges(ctx context.Context, in *listPurgesInput) (*body[page[purgeView]], error) {
	var before string
	if err := in.after(&before); err != nil {
		return nil, err
	}
	found, err := s.services.Read.Purges(ctx, in.ID, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return pageOf(in.Paged, found, func(r retention.Receipt) any { return r.Day }, viewPurge)
}
