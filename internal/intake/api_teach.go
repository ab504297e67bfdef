package intake

import (
	"context"
	"fmt"
	"net/http"

	"github.com/malgil/malgil/internal/bot"
	"github.com/malgil/malgil/internal/knowledge"
)

type teachInput struct {
	ByID
	Body struct {
		Question   string   `json:"question" doc:"As customers ask it; not one that is there"`
		Answer     string   `json:"answer"`
		Categories []string `json:"categories,omitempty" maxItems:"4" doc:"From wide to narrow"`
		ImageURL   string   `json:"image_url,omitempty"`
		LandingURL string   `json:"landing_url,omitempty" doc:"Where more is said"`
		Note       string   `json:"note,omitempty" doc:"Of the version; one line"`
		Deploy     bool     `json:"deploy,omitempty" doc:"Make it live at once"`
	}
}

func (s *Server) addTeach() {
	add(s, operation{route: "POST /api/v1/bots/{id}/knowledge", id: "teach-bot", group: "Bots", summary: "Add an item to the knowledge base, as a new version",
		status: http.StatusCreated, errors: []int{http.StatusNotFound, http.StatusConflict}}, s.teach)
}

func (s *Server) teach(ctx context.Context, in *teachInput) (*created[importedView], error) {
	item := knowledge.Item{Question: in.Body.Question, Answer: in.Body.Answer, ImageURL: in.Body.ImageURL, LandingURL: in.Body.LandingURL}
	copy(item.Categories[:], in.Body.Categories)
	reason, err := reasonOf(ctx, "")
	if err != nil {
		return nil, err
	}
	made, err := s.services.Bots.Teach(ctx, in.ID, item, bot.Import{Note: in.Body.Note, Deploy: in.Body.Deploy, Reason: reason, By: actorOf(ctx)})
	if err != nil {
		return nil, err
	}
	return &created[importedView]{
		Location: fmt.Sprintf("/api/v1/bots/%s/versions/%d", in.ID, made.Number), Body: importedView{versionView: viewVersion(made.Version), Added: made.Added},
	}, nil
}
