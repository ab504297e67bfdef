package main

import (
	"bytes"
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/fault"
)

// botReplay tells how what was heard would be answered at other minimum accuracies.
type botReplay struct {
	remote
	Bot     string `arg:"" help:"Bot."`
	Last    int    `default:"1000" help:"So many utterances, newest first; to 5000."`
	Side    string `enum:"live,development" default:"live" help:"live or development."`
	At      int    `help:"Show what changes at this minimum accuracy: 50, 55, … 95."`
	Picture string `type:"path" placeholder:"FILE" help:"Write the picture to this file, as SVG."`
}

type replayRow struct {
	Utterances int         `json:"utterances"`
	Minimum    int         `json:"minimum_accuracy"`
	Steps      []replayBar `json:"steps"`
}

type replayBar struct {
	Minimum    int `json:"minimum_accuracy"`
	Answered   int `json:"answered"`
	Choices    int `json:"choices"`
	Unanswered int `json:"unanswered"`
	Changed    int `json:"changed"`
	Changes    []struct {
		Asked  string    `json:"asked"`
		Times  int       `json:"times"`
		Score  int       `json:"score"`
		Before replayLed `json:"before"`
		Now    replayLed `json:"now"`
	} `json:"changes"`
}

type replayLed struct {
	Why  string `json:"why"`
	Name string `json:"name"`
}

func (l replayLed) String() string {
	switch l.Why {
	case "choice":
		return "a choice"
	case "nothing":
		return "no answer"
	}
	return l.Name
}

// Run prints a line for each minimum accuracy, with a bar, and what changes at one of them.
func (c botReplay) Run(e *env) error {
	switch {
	case c.JSON && c.Picture != "":
		return fault.New(fault.Invalid, "--json and --picture are two ways to show it; ask for one")
	case c.At != 0 && (c.At < 50 || c.At > 95 || c.At%5 != 0):
		return fault.New(fault.Invalid, "--at must be 50, 55, … or 95")
	}
	var r replayRow
	query := url.Values{"last": {strconv.Itoa(c.Last)}, "side": {c.Side}}
	err := c.call(e, "GET", botPath(c.Bot)+"/replay?"+query.Encode(), nil, &r, func() {
		rows := make([][]string, len(r.Steps))
		for i, step := range r.Steps {
			own := ""
			if step.Minimum == r.Minimum {
				own = "now"
			}
			rows[i] = []string{strconv.Itoa(step.Minimum), strconv.Itoa(step.Answered), strconv.Itoa(step.Choices), strconv.Itoa(step.Unanswered),
				strconv.Itoa(step.Changed), step.bar(r.Utterances), own}
		}
		fmt.Fprintf(e.stdout, "%d utterances; the bot's minimum accuracy is %d\n\n", r.Utterances, r.Minimum)
		_ = table(e.stdout, []string{"MINIMUM", "ANSWERED", "CHOICES", "UNANSWERED", "CHANGED", "█ answered ▒ choices ░ unanswered", ""}, rows)
		for _, step := range r.Steps {
			if step.Minimum == c.At {
				step.printChanges(e)
			}
		}
	})
	if err != nil || c.Picture == "" {
		return err
	}
	picture, err := r.picture(c.Bot)
	if err != nil {
		return fmt.Errorf("draw: %w", err)
	}
	if err := os.WriteFile(c.Picture, picture, 0o644); err != nil {
		return fmt.Errorf("write the picture: %w", err)
	}
	return nil
}

// botUnanswered lists what a bot had no answer to.
type botUnanswered struct {
	remote
	list
	Bot  string `arg:"" help:"Bot."`
	Days int    `default:"30" help:"How far to look back."`
	Side string `enum:"live,development" default:"live" help:"live or development."`
}

// Run prints a line for each group of words that ask for much the same.
func (c botUnanswered) Run(e *env) error {
	type said struct {
		Asked string `json:"asked"`
		Times int    `json:"times"`
	}
	type group struct {
		Times   int    `json:"times"`
		Texts   int    `json:"texts"`
		Words   []said `json:"words"`
		Nearest *struct {
			Block    string `json:"block"`
			Question string `json:"question"`
			Score    int    `json:"score"`
		} `json:"nearest"`
	}
	query := url.Values{"days": {strconv.Itoa(c.Days)}, "side": {c.Side}}
	return listAll(c.remote, e, c.list, botPath(c.Bot)+"/unanswered?"+query.Encode(), []string{"TIMES", "ASKED", "ALSO", "NEAREST"}, func(g group) []string {
		nearest, also := "", ""
		if n := g.Nearest; n != nil {
			nearest = fmt.Sprintf("%s (%d)", clip(cmp.Or(n.Question, "block "+n.Block)), n.Score)
		}
		if len(g.Words) > 1 {
			also = clip(g.Words[1].Asked)
		}
		if g.Texts > 2 {
			also += fmt.Sprintf(" and %d more", g.Texts-2)
		}
		return []string{strconv.Itoa(g.Times), clip(g.Words[0].Asked), also, nearest}
	})
}

// botUtterances lists what was said to a bot.
type botUtterances struct {
	remote
	list
	Bot     string `arg:"" help:"Bot."`
	Why     string `help:"Only what this rule answered: ${rules}."`
	Outcome string `help:"Only what ended so: ${outcomes}."`
}

// Run prints a line for each utterance, newest first.
func (c botUtterances) Run(e *env) error {
	type said struct {
		At       time.Time `json:"at"`
		Side     string    `json:"side"`
		User     string    `json:"user"`
		Asked    string    `json:"asked"`
		Why      string    `json:"why"`
		Block    string    `json:"block"`
		Question string    `json:"question"`
		Score    int       `json:"score"`
		Outcome  string    `json:"outcome"`
		Left     int64     `json:"budget_left_ms"`
	}
	query := url.Values{}
	for name, value := range map[string]string{"why": c.Why, "outcome": c.Outcome} {
		if value != "" {
			query.Set(name, value)
		}
	}
	header := []string{"WHEN", "SIDE", "USER", "ASKED", "WHY", "ANSWER", "SCORE", "OUTCOME", "LEFT"}
	return listAll(c.remote, e, c.list, botPath(c.Bot)+"/utterances?"+query.Encode(), header, func(s said) []string {
		return []string{when(s.At), s.Side, s.User, clip(s.Asked), s.Why, clip(cmp.Or(s.Question, s.Block)), strconv.Itoa(s.Score), s.Outcome, fmt.Sprintf("%d ms", s.Left)}
	})
}

const barCells = 40

// bar draws how the utterances are shared out; what is there at all gets a cell.
func (s replayBar) bar(all int) string {
	if all == 0 {
		return ""
	}
	choices, unanswered := cells(s.Choices, all), cells(s.Unanswered, all)
	return strings.Repeat("█", max(0, barCells-choices-unanswered)) + strings.Repeat("▒", choices) + strings.Repeat("░", unanswered)
}

func cells(n, all int) int {
	if n == 0 {
		return 0
	}
	return max(1, n*barCells/all)
}

func (s replayBar) printChanges(e *env) {
	fmt.Fprintf(e.stdout, "\nAt %d, %d are answered otherwise; heard most:\n\n", s.Minimum, s.Changed)
	rows := make([][]string, len(s.Changes))
	for i, c := range s.Changes {
		rows[i] = []string{strconv.Itoa(c.Times), strconv.Itoa(c.Score), clip(c.Asked), clip(c.Before.String()), clip(c.Now.String())}
	}
	_ = table(e.stdout, []string{"TIMES", "SCORE", "ASKED", "NOW", "THEN"}, rows)
}

//go:embed replay.svg
var replayPicture string

var replayTemplate = template.Must(template.New("replay.svg").Parse(replayPicture))

// Measures of the picture, in its own units.
const (
	replayLeft, replayTop   = 56, 104
	replayHigh, replayWide  = 240, 44 // of all utterances; of a bar
	replayGap, replayMargin = 20, 24
)

var replayShares = []struct{ name, fill string }{{"답변", "#1a7f37"}, {"선택 질문", "#bf8700"}, {"폴백", "#cf222e"}}

// picture draws a bar for each minimum accuracy.
func (r replayRow) picture(bot string) ([]byte, error) {
	type mark struct {
		X, Y, Text, Width, Height int
		Fill, Name, Label         string
	}
	type column struct {
		Middle, Minimum int
		Own             bool
		Tip             string
		Pieces          []mark
	}
	var p struct {
		Bot                                             string
		Utterances, Minimum, Width, Height, Right, Base int
		Legend, Grid                                    []mark
		Bars                                            []column
	}
	p.Bot, p.Utterances, p.Minimum = bot, r.Utterances, r.Minimum
	p.Right = replayLeft + len(r.Steps)*(replayWide+replayGap) + replayGap
	p.Width, p.Base, p.Height = p.Right+replayMargin, replayTop+replayHigh+22, replayTop+replayHigh+44
	for i, share := range replayShares {
		x := 24 + i*110
		p.Legend = append(p.Legend, mark{X: x, Text: x + 18, Fill: share.fill, Name: share.name})
	}
	for percent := 0; percent <= 100; percent += 25 {
		y := replayTop + replayHigh - replayHigh*percent/100
		p.Grid = append(p.Grid, mark{Y: y, Text: y + 4, Label: strconv.Itoa(percent) + "%"})
	}
	for i, step := range r.Steps {
		x := replayLeft + replayGap + i*(replayWide+replayGap)
		b := column{Middle: x + replayWide/2, Minimum: step.Minimum, Own: step.Minimum == r.Minimum,
			Tip: fmt.Sprintf("%d: 답변 %d, 선택 질문 %d, 폴백 %d, 달라지는 발화 %d", step.Minimum, step.Answered, step.Choices, step.Unanswered, step.Changed)}
		y := replayTop + replayHigh
		for k, n := range []int{step.Answered, step.Choices, step.Unanswered} {
			high := 0
			if r.Utterances > 0 {
				high = replayHigh * n / r.Utterances
			}
			y -= high
			b.Pieces = append(b.Pieces, mark{X: x, Y: y, Width: replayWide, Height: high, Fill: replayShares[k].fill})
		}
		p.Bars = append(p.Bars, b)
	}
	var out bytes.Buffer
	err := replayTemplate.Execute(&out, p)
	return out.Bytes(), err
}
