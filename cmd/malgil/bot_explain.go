package main

import (
	"fmt"
	"math"
	"net/url"
	"strconv"
)

// botExplain tells what words lead to.
type botExplain struct {
	remote
	Utterance string `arg:"" help:"What a user says."`
	Bot       string `required:"" help:"Bot."`
	Side      string `enum:"live,development" default:"live" help:"live or development."`
}

type explainRow struct {
	Version      int    `json:"version"`
	Failing      int    `json:"failing_version"`
	Why          string `json:"why"`
	Block        string `json:"block"`
	BlockName    string `json:"block_name"`
	Question     string `json:"question"`
	Score        int    `json:"score"`
	Minimum      int    `json:"minimum_accuracy"`
	ChooseWithin int    `json:"choose_within"`
	Candidates   []struct {
		Block    string `json:"block"`
		Words    string `json:"words"`
		Question string `json:"question"`
		Score    int    `json:"score"`
		Offered  bool   `json:"offered"`
		Parts    []struct {
			Name         string  `json:"name"`
			Value        float64 `json:"value"`
			Contribution float64 `json:"contribution"`
		} `json:"parts"`
	} `json:"candidates"`
}

// Run shows what answers, what it was compared with, and what the scores are made of: the parts of the
// candidates side by side.
func (c botExplain) Run(e *env) error {
	query := url.Values{"utterance": {c.Utterance}, "side": {c.Side}}
	var x explainRow
	return c.call(e, "GET", botPath(c.Bot)+"/explain?"+query.Encode(), nil, &x, func() {
		if x.Failing != 0 {
			fmt.Fprintf(e.stdout, "version %d cannot be read or compiled, so version %d still answers; the log says why\n", x.Failing, x.Version)
		}
		fmt.Fprintln(e.stdout, x.verdict())
		if len(x.Candidates) == 0 {
			return
		}
		header, rows := []string{"", "SCORE", "ANSWER", "LIKE"}, [][]string{}
		parts := []string{"PART"}
		for i, candidate := range x.Candidates {
			answer, like := "item", candidate.Question
			if candidate.Block != "" {
				answer, like = "block "+candidate.Block, candidate.Words
			}
			n := strconv.Itoa(i + 1)
			parts = append(parts, n)
			rows = append(rows, []string{n, strconv.Itoa(candidate.Score), answer, like})
		}
		fmt.Fprintln(e.stdout)
		_ = table(e.stdout, header, rows) // as any print to a terminal
		fmt.Fprintln(e.stdout)
		_ = table(e.stdout, parts, x.parts())
	})
}

// verdict says in one line what answers and why.
func (x explainRow) verdict() string {
	block := "block " + x.BlockName + " (" + x.Block + ")"
	if x.Block == "" {
		block = "no block: the bot has no fallback"
	}
	switch x.Why {
	case "words":
		return block + ": these are its own words, which come before any score"
	case "likeness":
		return fmt.Sprintf("%s: its example scores %d, and %d is enough", block, x.Score, x.Minimum)
	case "knowledge":
		return fmt.Sprintf("item %q: it scores %d, and %d is enough", x.Question, x.Score, x.Minimum)
	case "choice":
		n := 0
		for _, c := range x.Candidates {
			if c.Offered {
				n++
			}
		}
		return fmt.Sprintf("the user is asked which of %d answers is meant: their scores are within %d of %d", n, x.ChooseWithin, x.Score)
	}
	if len(x.Candidates) == 0 {
		return block + ": nothing is like these words"
	}
	return fmt.Sprintf("%s: the best scores %d, and %d would be enough", block, x.Score, x.Minimum)
}

// parts are the rows of the table of parts: one for each name, with what it adds to each candidate.
func (x explainRow) parts() (rows [][]string) {
	at := map[string]int{}
	for i, c := range x.Candidates {
		for _, p := range c.Parts {
			if small := math.Abs(p.Contribution); small > 0 && small < 0.005 { // it would be shown as nothing
				continue
			}
			row, known := at[p.Name]
			if !known {
				row = len(rows)
				at[p.Name] = row
				rows = append(rows, append([]string{p.Name}, make([]string, len(x.Candidates))...))
			}
			rows[row][i+1] = fmt.Sprintf("%.2f", p.Value)
			if p.Contribution != 0 { // what became of a word adds nothing itself
				rows[row][i+1] += fmt.Sprintf(" (%+.2f)", p.Contribution)
			}
		}
	}
	return rows
}
