package intake

import (
	"context"
	"net/http"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/store"
)

const fromAudienceRoute = "POST /api/v1/broadcasts/{id}/recipients/from-audience"

type audienceView struct {
	ID         broadcast.AudienceID `json:"id"`
	Bot        string               `json:"bot"`
	Name       string               `json:"name"`
	People     int                  `json:"people"`
	Duplicates int                  `json:"duplicates"`
	Excluded   int                  `json:"excluded"`
	BadRows    int                  `json:"bad_rows"`
	CreatedAt  time.Time            `json:"created_at"`
	UploadedAt time.Time            `json:"uploaded_at,omitzero"`
}

func viewAudience(a broadcast.Audience) audienceView {
	n := a.Counts
	return audienceView{ID: a.ID, Bot: a.BotID, Name: a.Name, People: n.Audience, Duplicates: n.Duplicates, Excluded: n.Excluded, BadRows: n.BadRows, CreatedAt: a.CreatedAt, UploadedAt: a.UploadedAt}
}

func (s *Server) addAudiences() {
	const group = "Audiences"
	missing, conflict := []int{http.StatusNotFound}, []int{http.StatusNotFound, http.StatusConflict}
	add(s, operation{route: "POST /api/v1/audiences", id: "create-audience", group: group, summary: "Make a named audience of a bot", status: http.StatusCreated, errors: conflict}, s.createAudience)
	add(s, operation{route: "GET /api/v1/audiences", id: "list-audiences", group: group, summary: "List named audiences in the order in which they were made"}, s.listAudiences)
	add(s, operation{route: "GET /api/v1/audiences/{id}", id: "get-audience", group: group, summary: "Show a named audience", errors: missing}, s.getAudience)
	add(s, operation{route: "DELETE /api/v1/audiences/{id}", id: "delete-audience", group: group, summary: "Take a named audience away; broadcasts that used it keep their people", status: http.StatusNoContent, errors: missing}, s.deleteAudience)
	add(s, operation{route: fromAudienceRoute, id: "use-audience", group: group, summary: "Copy the people of a named audience into a broadcast, in place of those before", errors: conflict, slow: true}, s.useAudience)
}

type createAudienceInput struct {
	Body struct {
		Bot  string `json:"bot"`
		Name string `json:"name" doc:"For people; at most 200 characters, and of no other audience of the bot"`
	}
}

func (s *Server) createAudience(ctx context.Context, in *createAudienceInput) (*created[audienceView], error) {
	a, err := s.services.Broadcasts.CreateAudience(ctx, in.Body.Bot, in.Body.Name)
	if err != nil {
		return nil, err
	}
	return &created[audienceView]{Location: "/api/v1/audiences/" + string(a.ID), Body: viewAudience(a)}, nil
}

type listAudiencesInput struct {
	Paged
	Bot string `query:"bot" maxLength:"64"`
}

func (s *Server) listAudiences(ctx context.Context, in *listAudiencesInput) (*body[page[audienceView]], error) {
	var after broadcast.AudienceID
	if err := in.after(&after); err != nil {
		return nil, err
	}
	found, err := s.services.Read.AudienceList(ctx, store.AudienceFilter{Sight: principalOf(ctx).Sight(), BotID: in.Bot}, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return pageOf(in.Paged, found, func(a broadcast.Audience) any { return a.ID }, viewAudience)
}

func (s *Server) getAudience(ctx context.Context, in *ByID) (*body[audienceView], error) {
	a, err := s.services.Read.Audience(ctx, broadcast.AudienceID(in.ID))
	if err != nil {
		return nil, err
	}
	return reply(viewAudience(a)), nil
}

func (s *Server) deleteAudience(ctx context.Context, in *ByID) (*none, error) {
	return &none{}, s.services.Broadcasts.DeleteAudience(ctx, broadcast.AudienceID(in.ID))
}

type useAudienceInput struct {
	ByID
	Body struct {
		Audience string `json:"audience" maxLength:"64"`
		Exclude  string `json:"exclude,omitempty" doc:"Leave out who was reached by an earlier broadcast of the bot: broadcast:ID"`
		DryRun   bool   `json:"dry_run,omitempty" doc:"Store nothing and tell what would become of it"`
		SkipBad  bool   `json:"skip_bad_rows,omitempty" doc:"Leave out and count people whom a word is missing for that the broadcast's text names"`
	}
}

func (s *Server) useAudience(ctx context.Context, in *useAudienceInput) (*body[uploadView], error) {
	exclude, err := broadcast.ParseExclusion(in.Body.Exclude)
	if err != nil {
		return nil, err
	}
	report, err := s.services.Broadcasts.UseAudience(ctx, broadcast.ID(in.ID), broadcast.AudienceID(in.Body.Audience),
		broadcast.UploadOptions{Exclude: exclude, DryRun: in.Body.DryRun, SkipBad: in.Body.SkipBad})
	if err != nil {
		if report.BadRows > 0 {
			err = problemOfRows(err, report.Problems)
		}
		return nil, err
	}
	return reply(viewReport(report, in.Body.DryRun)), nil
}
