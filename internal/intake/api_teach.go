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
		Deploy     bool     `json:"deploy,omitempty" doc:"Make it live at once; 409 where the newest version is not the live one and on is left out"`
		On         int64    `json:"on,omitempty" minimum:"1" maximum:"1000000000" doc:"The version to build on; the newest, when left out"`
	}
}

type taughtView struct {
	importedView
	Near []nearView `json:"near,omitempty" doc:"Other answers that are much like the question, best first: whoever asks in his own way may get one of them, or be asked which is meant. A block whose own words the question is answers in the item's place"`
}

type nearView struct {
	Block    string `json:"block,omitempty" doc:"Id of the block; left out for a knowledge item"`
	Words    string `json:"words,omitempty" doc:"The block's own"`
	Question string `json:"question,omitempty" doc:"Of the knowledge item"`
	Score    int    `json:"score"`
}

func (s *Server) addTeach() {
	add(s, operation{route: "POST /api/v1/bots/{id}/knowledge", id: "teach-bot", group: "Bots", summary: "Add an item to the knowledge base, as a new version",
		status: http.StatusCreated, errors: []int{http.StatusNotFound, http.StatusConflict}}, s.teach)
}

func (s *Server) teach(ctx context.Context, in *teachInput) (*created[taughtView], error) {
	item := knowledge.Item{Question: in.Body.Question, Answer: in.Body.Answer, ImageURL: in.Body.ImageURL, LandingURL: in.Body.LandingURL}
	copy(item.Categories[:], in.Body.Categories)
	reason, err := reasonOf(ctx, "")
	if err != nil {
		return nil, err
	}
	made, err := s.services.Bots.Teach(ctx, in.ID, item, in.Body.On, bot.Import{Note: in.Body.Note, Deploy: in.Body.Deploy, Reason: reason, By: actorOf(ctx)})
	if err != nil {
		return nil, err
	}
	view := taughtView{importedView: importedView{versionView: viewVersion(made.Version), Added: made.Added}}
	for _, c := range made.Near {
		view.Near = append(view.Near, nearView{Block: c.BlockID, Words: c.Words, Question: c.Question, Score: c.Score})
	}
	return &created[taughtView]{Location: fmt.Sprintf("/api/v1/bots/%s/versions/%d", in.ID, made.Number), Body: view}, nil
}
