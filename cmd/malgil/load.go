package main

import (
	"encoding/json"
	"fmt"
	"log/slog"

	"github.com/malgil/malgil/internal/app"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/load"
)

// loadCommand measures how fast an installation on these parts sends.
type loadCommand struct {
	app.Parts `embed:""` // must be empty; addresses and secrets are the measurement's own
	app.Rules `embed:""`
	People    int  `default:"100000" help:"People of the broadcast that is measured."`
	Naive     int  `default:"5000" help:"People who are sent to one by one, one task each, to compare with; 0 for no comparison."`
	JSON      bool `help:"One JSON object."`
}

// Run measures once and prints what came of it.
func (c loadCommand) Run(e *env) error {
	if c.People < 1 || c.Naive < 0 {
		return fault.New(fault.Invalid, "--people must be at least 1, and --naive at least 0")
	}
	bar := newScreen(e.stderr, false)
	log := slog.New(slog.NewJSONHandler(e.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	r, err := load.Run(e.ctx, load.Options{Config: app.Config{Parts: c.Parts, Rules: c.Rules}, People: c.People, Naive: c.Naive, Progress: bar.progress, Log: log})
	bar.clear()
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(e.stdout).Encode(r)
	}
	rate := func(perSecond float64) string { return won(int64(perSecond)) + " people/s" }
	pairs := []string{"database", r.Database, "queue", r.Queue, "people", won(int64(r.People)), "file to planned", rate(r.Planned), "sent", rate(r.Sent), "settled", rate(r.Settled)}
	pairs = append(pairs, "another's 100", fmt.Sprintf("%.1f s", r.Another),
		"answers meanwhile", fmt.Sprintf("%s, half within %.0f ms, 99 %% within %.0f ms, the slowest %.0f ms; not shown: %d",
			won(int64(r.Answers.Asked)), r.Answers.P50, r.Answers.P99, r.Answers.Worst, r.Answers.NotShown))
	if r.Naive > 0 {
		pairs = append(pairs, "one task each", rate(r.Naive), "sent / that", fmt.Sprintf("%.1f times", r.Ratio()))
	}
	facts(e.stdout, pairs...)
	return nil
}
