package intake

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/scenario"
	"github.com/malgil/malgil/internal/store"
)

// minimums are the minimum accuracies of a replay.
var minimums = []int{50, 55, 60, 65, 70, 75, 80, 85, 90, 95}

// heardTexts is how many different texts are put together at most.
const heardTexts = 5_000

type utteranceView struct {
	ID           string           `json:"id"`
	Side         string           `json:"side" enum:"live,development"`
	At           time.Time        `json:"at"`
	User         string           `json:"user,omitempty" doc:"The user's key, where the bot records it; else the start of its hash, the same for the same user"`
	Asked        string           `json:"asked"`
	Why          scenario.Why     `json:"why,omitempty"`
	Block        string           `json:"block,omitempty" doc:"Id of the block that answered"`
	Question     string           `json:"question,omitempty" doc:"Of the knowledge item that answered"`
	Score        int              `json:"score"`
	Matches      []candidateView  `json:"matches,omitempty" doc:"What the words were compared with, best first; the first with its parts"`
	Offered      bool             `json:"offered_a_person,omitempty"`
	Outcome      scenario.Outcome `json:"outcome"`
	BudgetLeftMS int64            `json:"budget_left_ms" doc:"Of the time that Kakao waits; negative when the answer was late"`
}

func viewUtterance(u scenario.Utterance) utteranceView {
	const shown = 6 // bytes of a hash
	view := utteranceView{ID: u.ID, Side: u.Side, At: u.At, User: u.UserKey, Asked: u.Asked, Why: u.Why, Block: u.BlockID, Question: u.Item,
		Score: u.Score, Offered: u.Offered, Outcome: u.Outcome, BudgetLeftMS: u.BudgetLeft.Milliseconds()}
	if u.UserKey == "" && len(u.UserHash) >= shown {
		view.User = hex.EncodeToString(u.UserHash[:shown])
	}
	var matches []scenario.Candidate
	if json.Unmarshal([]byte(u.Matches), &matches) == nil { // "" for none
		for _, c := range matches {
			view.Matches = append(view.Matches, viewCandidate(c, false))
		}
	}
	return view
}

type replayView struct {
	Utterances int              `json:"utterances"`
	Minimum    int              `json:"minimum_accuracy" doc:"The bot's own, which the steps are compared with"`
	Steps      []replayStepView `json:"steps" nullable:"false"`
}

type replayStepView struct {
	Minimum    int                `json:"minimum_accuracy"`
	Answered   int                `json:"answered" doc:"Utterances that a block or an item answers"`
	Choices    int                `json:"choices" doc:"Utterances after which the user chooses from several answers"`
	Unanswered int                `json:"unanswered" doc:"Utterances that the fallback answers"`
	Changed    int                `json:"changed" doc:"Utterances that are answered otherwise than at the bot's own minimum"`
	Changes    []replayChangeView `json:"changes" nullable:"false" doc:"Those heard most"`
}

type replayChangeView struct {
	heardView
	Score  int     `json:"score"`
	Before ledView `json:"before" doc:"At the bot's own minimum"`
	Now    ledView `json:"now"`
}

type heardView struct {
	Asked string `json:"asked"`
	Times int    `json:"times"`
}

type ledView struct {
	Why  scenario.Why `json:"why"`
	Name string       `json:"name,omitempty" doc:"Of the block, or question of the item"`
}

type unansweredView struct {
	Times   int            `json:"times" doc:"Utterances of the group"`
	Texts   int            `json:"texts" doc:"Different ones"`
	Words   []heardView    `json:"words" nullable:"false" doc:"Those heard most"`
	Nearest *candidateView `json:"nearest,omitempty" doc:"What the bot would answer to the first of them, were it less strict"`
}

func (s *Server) addHeard() {
	const group = "Bots"
	missing := []int{http.StatusNotFound}
	add(s, operation{route: "GET /api/v1/bots/{id}/utterances", id: "list-utterances", group: group, summary: "List what was said to a bot and how it was answered, newest first", errors: missing}, s.listUtterances)
	add(s, operation{route: "GET /api/v1/bots/{id}/replay", id: "replay-utterances", group: group, summary: "Tell how the last utterances would be answered at minimum accuracies from 50 to 95", errors: missing}, s.replay)
	add(s, operation{route: "GET /api/v1/bots/{id}/unanswered", id: "list-unanswered", group: group, summary: "List what a bot had no answer to, put together by likeness, those heard most first", errors: missing}, s.listUnanswered)
}

// studying waits for its turn to study what was heard, which takes a processor for a while: one at a time, so
// that answers have the others.
func (s *Server) studying(ctx context.Context) (done func(), err error) {
	select {
	case s.studies <- struct{}{}:
		return func() { <-s.studies }, nil
	case <-ctx.Done():
		return nil, fault.Wrap(fault.Unavailable, ctx.Err(), "others study what was heard; try again")
	}
}

type utterancesInput struct {
	ByID
	Why     rule    `query:"why" doc:"Only those that this rule answered"`
	Outcome outcome `query:"outcome" doc:"Only those that ended so"`
	Paged
}

// rule is one of [scenario.Whys], and outcome one of [scenario.Recorded].
type (
	rule    string
	outcome string
)

func (rule) Schema(huma.Registry) *huma.Schema    { return oneOf(scenario.Whys) }
func (outcome) Schema(huma.Registry) *huma.Schema { return oneOf(scenario.Recorded) }

func oneOf[T ~string](words []T) *huma.Schema {
	schema := &huma.Schema{Type: huma.TypeString}
	for _, word := range words {
		schema.Enum = append(schema.Enum, string(word))
	}
	return schema
}

func (s *Server) listUtterances(ctx context.Context, in *utterancesInput) (*body[page[utteranceView]], error) {
	var after store.UtteranceMark
	if err := in.after(&after); err != nil {
		return nil, err
	}
	list, err := s.services.Read.UtteranceList(ctx, in.ID, string(in.Why), string(in.Outcome), after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return pageOf(in.Paged, list, func(u scenario.Utterance) any { return store.UtteranceMark{At: u.At.UnixMilli(), ID: u.ID} }, viewUtterance)
}

type wordsReplayInput struct {
	ByID
	Last int    `query:"last" minimum:"1" maximum:"5000" default:"1000" doc:"So many utterances, newest first"`
	Side string `query:"side" enum:"live,development" default:"live"`
}

func (s *Server) replay(ctx context.Context, in *wordsReplayInput) (*body[replayView], error) {
	heard, err := s.services.Read.Heard(ctx, in.ID, in.Side, time.Time{}, in.Last, false)
	if err != nil {
		return nil, err
	}
	done, err := s.studying(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	r, err := s.services.Words.Replay(ctx, in.ID, in.Side, heard, minimums)
	if err != nil {
		return nil, err
	}
	view := replayView{Utterances: r.Utterances, Minimum: r.Minimum, Steps: make([]replayStepView, len(r.Steps))}
	for i, step := range r.Steps {
		view.Steps[i] = replayStepView{Minimum: step.Minimum, Answered: step.Answered, Choices: step.Choices, Unanswered: step.Unanswered,
			Changed: step.Changed, Changes: make([]replayChangeView, len(step.Changes))}
		for k, c := range step.Changes {
			view.Steps[i].Changes[k] = replayChangeView{heardView: heardView(c.Heard), Score: c.Score, Before: ledView(c.Before), Now: ledView(c.Now)}
		}
	}
	return reply(view), nil
}

type unansweredInput struct {
	ByID
	Days  int    `query:"days" minimum:"1" maximum:"366" default:"30" doc:"How far to look back"`
	Side  string `query:"side" enum:"live,development" default:"live"`
	Limit int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"Groups at most"`
}

func (s *Server) listUnanswered(ctx context.Context, in *unansweredInput) (*body[page[unansweredView]], error) {
	heard, err := s.services.Read.Heard(ctx, in.ID, in.Side, s.config.Now().AddDate(0, 0, -in.Days), heardTexts, true)
	if err != nil {
		return nil, err
	}
	done, err := s.studying(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	groups, err := s.services.Words.GroupUnanswered(ctx, in.ID, in.Side, heard, in.Limit)
	if err != nil {
		return nil, err
	}
	list := page[unansweredView]{Items: make([]unansweredView, len(groups))}
	for i, g := range groups {
		view := unansweredView{Times: g.Times, Texts: g.Texts, Words: make([]heardView, len(g.Words))}
		for k, h := range g.Words {
			view.Words[k] = heardView(h)
		}
		for _, c := range g.Nearest {
			nearest := viewCandidate(c, false)
			nearest.Parts = []partView{}
			view.Nearest = &nearest
		}
		list.Items[i] = view
	}
	return reply(list), nil
}
