package intake

import (
	"context"
	"math"
	"net/http"

	"github.com/malgil/malgil/internal/knowledge"
	"github.com/malgil/malgil/internal/scenario"
)

// Words tells what words lead to; [scenario.Service] does.
type Words interface {
	Explain(ctx context.Context, botID, side, utterance string) (scenario.Explanation, error)
	Replay(ctx context.Context, botID, side string, heard []scenario.Heard, minimums []int) (scenario.Replay, error)
	GroupUnanswered(ctx context.Context, botID, side string, heard []scenario.Heard, most int) ([]scenario.Unanswered, error)
}

type explainView struct {
	Side         string          `json:"side" enum:"live,development"`
	Version      int64           `json:"version" doc:"Of the bot that the side runs"`
	Failing      int64           `json:"failing_version,omitempty" doc:"That the side is to run, and that this server cannot read or compile; version is the one before"`
	Why          scenario.Why    `json:"why" enum:"words,likeness,knowledge,choice,nothing" doc:"words: a block's own; likeness: an example of a block; knowledge: a knowledge item; choice: several that are close are offered; nothing: the fallback"`
	Block        string          `json:"block,omitempty" doc:"Id of the block that answers"`
	BlockName    string          `json:"block_name,omitempty"`
	Question     string          `json:"question,omitempty" doc:"Of the knowledge item that answers"`
	Score        int             `json:"score" doc:"Of what answers, else of what is most like it: 0 to 100"`
	Minimum      int             `json:"minimum_accuracy" doc:"Score from which on something answers"`
	ChooseWithin int             `json:"choose_within" doc:"Scores this close to the best are offered to choose from; 0 never"`
	Candidates   []candidateView `json:"candidates" nullable:"false" doc:"What the words are most like, best first"`
}

type candidateView struct {
	Block    string     `json:"block,omitempty" doc:"Id of the block; left out for a knowledge item"`
	Words    string     `json:"words,omitempty" doc:"Example of the block that is most like the words"`
	Question string     `json:"question,omitempty" doc:"Of the knowledge item"`
	Score    int        `json:"score"`
	Offered  bool       `json:"offered,omitempty" doc:"One of those that the user chooses from"`
	Parts    []partView `json:"parts" nullable:"false" doc:"What the score is made of"`
}

type partView struct {
	Name         string  `json:"name"`
	Value        float64 `json:"value" doc:"Mostly a share, 0 to 1"`
	Contribution float64 `json:"contribution" doc:"What it adds to the log-odds of the score"`
}

func viewCandidate(c scenario.Candidate, offered bool) candidateView {
	view := candidateView{Block: c.BlockID, Words: c.Words, Question: c.Question, Score: c.Score, Offered: offered, Parts: make([]partView, len(c.Parts))}
	for i, p := range c.Parts {
		view.Parts[i] = viewPart(p)
	}
	return view
}

func viewPart(p knowledge.Part) partView {
	return partView{Name: p.Name, Value: rounded(p.Value), Contribution: rounded(p.Contribution)}
}

func rounded(f float64) float64 { return math.Round(f*1e4) / 1e4 }

func (s *Server) addExplain() {
	add(s, operation{route: "GET /api/v1/bots/{id}/explain", id: "explain-utterance", group: "Bots", summary: "Tell what words lead to, and why", errors: []int{http.StatusNotFound}}, s.explain)
}

type explainInput struct {
	ByID
	Utterance string `query:"utterance" required:"true" maxLength:"1000" doc:"What a user types who has been here before"`
	Side      string `query:"side" enum:"live,development" default:"live"`
}

func (s *Server) explain(ctx context.Context, in *explainInput) (*body[explainView], error) {
	x, err := s.services.Words.Explain(ctx, in.ID, in.Side, in.Utterance)
	if err != nil {
		return nil, err
	}
	view := explainView{
		Side: x.Side, Version: x.Version, Failing: x.Failing, Why: x.Why, Question: x.Item, Score: x.Score, Minimum: x.Minimum, ChooseWithin: x.ChooseWithin,
		Candidates: make([]candidateView, len(x.Candidates)),
	}
	if x.Block != nil {
		view.Block, view.BlockName = x.Block.ID, x.Block.Name
	}
	for i, c := range x.Candidates {
		view.Candidates[i] = viewCandidate(c, i < x.Among)
	}
	return reply(view), nil
}
