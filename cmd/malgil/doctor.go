package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"

	"github.com/malgil/malgil/internal/app"
	"github.com/malgil/malgil/internal/doctor"
	"github.com/malgil/malgil/internal/queue"
	"github.com/malgil/malgil/tasks"
)

// doctorCommand looks at an installation.
type doctorCommand struct {
	app.Config `embed:""`
	As         string `enum:"all,intake,worker,scheduler" default:"all" help:"Role whose settings to look at: all, intake, worker or scheduler."`
	JSON       bool   `help:"As one JSON object."`
}

// tells lets it run with settings that cannot be read.
func (doctorCommand) tells() {}

// Run makes every check, prints what was found, and fails when there is a problem.
func (c doctorCommand) Run(e *env) error {
	queue.LogRedis(slog.New(slog.DiscardHandler)) // what it says is in what was found
	wrong := e.unreadable
	if wrong == nil {
		wrong = c.check()
	}
	report := doctor.Examine(e.ctx, c.config().Installation(wrong))
	if err := c.print(e.stdout, report); err != nil {
		return err
	}
	if !report.OK {
		return fmt.Errorf("%d of %d checks found a problem", report.Problems, len(report.Checks))
	}
	return nil
}

func (c doctorCommand) check() error {
	return c.config().Check(map[string]app.Roles{
		"all": {Intake: true, Scheduler: true, Pools: tasks.Queues}, "intake": intakeRoles,
		"worker": {Pools: tasks.Queues}, "scheduler": schedulerRoles,
	}[c.As])
}

// config is the configuration with the database that the role would have.
func (c doctorCommand) config() app.Config {
	if c.DB == "" && c.As == "all" {
		c.DB = defaultDB
	}
	return c.Config
}

// print writes a line for each check, and below it what to do where something is to be done.
func (c doctorCommand) print(w io.Writer, report doctor.Report) error {
	if c.JSON {
		return json.NewEncoder(w).Encode(report)
	}
	for _, r := range report.Checks {
		fmt.Fprintf(w, "%-8s %-24s %s\n", r.State, r.Check, r.Found)
		if r.Do != "" {
			fmt.Fprintf(w, "%-8s %-24s → %s\n", "", "", r.Do)
		}
	}
	_, err := fmt.Fprintf(w, "problems: %d, warnings: %d\n", report.Problems, report.Warnings)
	return err
}
