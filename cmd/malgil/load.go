package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/malgil/malgil/internal/app"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/load"
)

// loadCommand measures how fast an installation on these parts sends.
type loadCommand struct {
	app.Parts `embed:""` // must be empty; addresses and secrets are the measurement's own
	app.Rules `embed:""`
	People    int `default:"100000" help:"People of the broadcast that is measured."`
	Naive     int `default:"5000" help:"People who are sent to one by one, one task each, to compare with; 0 for no comparison."`
	// Utterances are measured instead of a broadcast.
	Utterances bool          `help:"Measure how utterances are answered, direct and by callback, beside a bare handler; on PostgreSQL and Redis."`
	Length     time.Duration `default:"10s" help:"Of each of the measurements of utterances."`
	JSON       bool          `help:"One JSON object."`
}

// Run measures once and prints what came of it.
func (c loadCommand) Run(e *env) error {
	switch {
	case c.People < 1 || c.Naive < 0:
		return fault.New(fault.Invalid, "--people must be at least 1, and --naive at least 0")
	case c.Length < time.Second:
		return fault.New(fault.Invalid, "--length must be at least 1s")
	case c.Utterances:
		return c.utterances(e)
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

// utterances measures once and prints what came of it.
func (c loadCommand) utterances(e *env) error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	bar := newScreen(e.stderr, false)
	log := slog.New(slog.NewJSONHandler(e.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	r, err := load.Utterances(e.ctx, load.UtteranceOptions{Config: app.Config{Parts: c.Parts, Rules: c.Rules}, Program: program, Length: c.Length, Progress: bar.progress, Log: log})
	bar.clear()
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(e.stdout).Encode(r)
	}
	throughput := func(t load.Throughput) string {
		return fmt.Sprintf("%s/s beside the rest of this machine, %s for each second of its own on a processor", won(int64(t.PerSecond)), won(int64(t.PerCore)))
	}
	latency := func(l load.Latency) string {
		return fmt.Sprintf("half within %.1f ms, 99 %% within %.1f ms, the slowest %.1f ms", l.P50, l.P99, l.Worst)
	}
	facts(e.stdout, "bare handler", throughput(r.Bare), "intake", fmt.Sprintf("%s; answered by itself because the queue was slow: %d", throughput(r.Intake), r.Wrong["intake"]), "intake / bare", fmt.Sprintf("%.2f for each second on a processor", r.OfBare),
		"answered", fmt.Sprintf("%s/s by workers, beside the rest of this machine", won(int64(r.Most))),
		"direct", fmt.Sprintf("%s/s: %s; wrong: %d; Redis wrote its file anew meanwhile: %d", won(int64(r.Rate)), latency(r.Direct), r.Wrong["direct"], r.Rewritten),
		"bare handler then", fmt.Sprintf("%s/s: %s", won(int64(r.Rate)), latency(r.BareDirect)),
		"promise", fmt.Sprintf("%s/s, after the budget: %s; wrong: %d", won(int64(r.Callback.Rate)), latency(r.Callback.Promise), r.Wrong["callback"]),
		"callback", fmt.Sprintf("after the work: %s; missing: %d", latency(r.Callback.Callback), r.Callback.Missing))
	return nil
}

// loadBareCommand is the bare handler that [loadCommand] compares the intake with.
type loadBareCommand struct {
	Redis  string `name:"redis" env:"MALGIL_REDIS" required:"" secret:"" help:"Queue."`
	Listen string `required:"" help:"Address."`
}

// Run serves until the process is told to stop.
func (c loadBareCommand) Run(e *env) error {
	collectFrom(intakeHeap, intakeGC) // so that what is compared is what a request takes
	return load.ServeBare(e.ctx, c.Redis, c.Listen)
}
