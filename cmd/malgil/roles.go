package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/malgil/malgil/internal/app"
	"github.com/malgil/malgil/tasks"
)

// defaultDB is the database of an installation of one process.
const defaultDB = "sqlite:malgil.db"

// allCommand runs intake, workers and scheduler in one process.
type allCommand struct {
	app.Config `embed:""`
	Pools      []string `default:"${queues}" help:"Queues to serve; empty for none."`
}

// Run serves until the process is told to stop.
func (c allCommand) Run(e *env) error { return app.Run(e.ctx, c.config(), c.roles(), e.log) }

func (c allCommand) check() error { return c.config().Check(c.roles()) }

func (c allCommand) roles() app.Roles {
	return app.Roles{Intake: true, Scheduler: true, Pools: named(c.Pools)}
}

// config is the configuration with a database.
func (c allCommand) config() app.Config {
	if c.DB == "" {
		c.DB = defaultDB
	}
	return c.Config
}

// named drops empty names, so that --pools= means none.
func named(pools []string) []string {
	var names []string
	for _, name := range pools {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// intakeCommand serves HTTP.
type intakeCommand struct {
	app.Config `embed:""`
}

// How much garbage an intake holds. A large upload holds much, and Go's 100 percent would double it; utterances hold
// little, and are answered sooner where nothing is collected meanwhile.
const (
	intakeGC   = 50       // percent of what is in use
	intakeHeap = 64 << 20 // bytes that are not worth it
)

// Run serves until the process is told to stop.
func (c intakeCommand) Run(e *env) error {
	collectFrom(intakeHeap, intakeGC)
	return app.Run(e.ctx, c.Config, intakeRoles, e.log)
}

func (c intakeCommand) check() error { return c.Check(intakeRoles) }

var intakeRoles = app.Roles{Intake: true}

// workerCommand serves queues.
type workerCommand struct {
	app.Config `embed:""`
	Pools      []string `default:"${queues}" help:"Queues to serve."`
}

// A worker holds what it knows of Korean, some 30 MB that never change, and its bots. Every collection reads all of it,
// and what is said meanwhile waits for a processor.
const (
	workerGC   = 100
	workerHeap = 256 << 20 // bytes
)

// Run serves until the process is told to stop.
func (c workerCommand) Run(e *env) error {
	collectFrom(workerHeap, workerGC)
	return app.Run(e.ctx, c.Config, c.roles(), e.log)
}

func (c workerCommand) check() error { return c.Check(c.roles()) }

func (c workerCommand) roles() app.Roles { return app.Roles{Pools: named(c.Pools)} }

// schedulerCommand runs the loops.
type schedulerCommand struct {
	app.Config `embed:""`
}

// Run serves until the process is told to stop.
func (c schedulerCommand) Run(e *env) error { return app.Run(e.ctx, c.Config, schedulerRoles, e.log) }

func (c schedulerCommand) check() error { return c.Check(schedulerRoles) }

var schedulerRoles = app.Roles{Scheduler: true}

// migrateCommand brings the schema up to date.
type migrateCommand struct {
	DB string `name:"db" env:"MALGIL_DB" required:"" help:"Database: sqlite:<path> or postgres://… ."`
}

// Run migrates and says what it did.
func (c migrateCommand) Run(e *env) error {
	ran, err := app.Migrate(e.ctx, c.DB)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "%d migrations ran; the schema is up to date\n", ran)
	return nil
}

// configCommand shows the configuration.
type configCommand struct {
	Show configShow `cmd:"" default:"withargs" help:"The configuration in force, secrets as ***."`
	Keys configKeys `cmd:"" help:"Fresh MALGIL_SEAL_KEYS and MALGIL_HASH_KEY."`

	Holidays configHolidays `cmd:"" help:"The holidays in force, as a file for MALGIL_HOLIDAYS."`
}

type configShow struct {
	app.Config `embed:""`
	JSON       bool `help:"As one JSON object."`
}

// Run prints every setting, and fails when all roles together could not start with them.
func (c configShow) Run(e *env) error {
	settings := c.Settings()
	if c.JSON {
		values := make(map[string]string, len(settings))
		for _, s := range settings {
			values[s.Name] = s.Value
		}
		if err := json.NewEncoder(e.stdout).Encode(values); err != nil {
			return err
		}
	} else {
		for _, s := range settings {
			fmt.Fprintf(e.stdout, "%-28s %s\n", s.Name, s.Value)
		}
	}
	return c.check()
}

func (c configShow) check() error {
	return c.Check(app.Roles{Intake: true, Scheduler: true, Pools: tasks.Queues})
}

type configKeys struct{}

// Run prints new keys as lines for an environment file.
func (configKeys) Run(e *env) error {
	keys, err := app.NewKeys()
	if err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "MALGIL_SEAL_KEYS=%s\nMALGIL_HASH_KEY=%s\n", keys.Seal, keys.Hash)
	return nil
}

type configHolidays struct {
	Holidays string `env:"MALGIL_HOLIDAYS" placeholder:"PATH" help:"File of holidays that stands in place of the years that it names."`
}

// Run prints the calendar.
func (c configHolidays) Run(e *env) error {
	calendar, err := app.Holidays(c.Holidays)
	if err != nil {
		return err
	}
	return calendar.Write(e.stdout)
}
