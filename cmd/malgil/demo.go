package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/mattn/go-isatty"
	"github.com/schollz/progressbar/v3"

	"github.com/malgil/malgil/internal/app"
	"github.com/malgil/malgil/internal/demo"
)

// demoCommand runs everything in one process on loopback.
type demoCommand struct {
	app.Parts `embed:""` // must be empty; addresses and secrets are the demo's own
	app.Rules `embed:""`
	Once      bool `help:"Play the tour, check every result, print it and exit 0 or 1."`
	JSON      bool `help:"For scripts: with --once one object with the result; without, one line with every address when ready, then serve."`
}

// Run starts the demo, plays the tour unless scripts only want the addresses, and serves.
func (c demoCommand) Run(e *env) error {
	level := slog.LevelWarn
	if c.Once {
		level = slog.LevelError + 4 // the tour makes things fail on purpose; its table says what came of it
	}
	log := slog.New(slog.NewJSONHandler(e.stderr, &slog.HandlerOptions{Level: level}))
	d, err := demo.Start(e.ctx, app.Config{Parts: c.Parts, Rules: c.Rules}, log)
	if err != nil {
		return err
	}
	err = c.play(e, d)
	if e.ctx.Err() != nil {
		fmt.Fprintln(e.stderr, "malgil: stopping; a second Ctrl-C ends it at once")
	}
	if closeErr := d.Close(context.WithoutCancel(e.ctx)); err == nil {
		err = closeErr
	}
	return err
}

func (c demoCommand) play(e *env, d *demo.Demo) error {
	if c.JSON && !c.Once {
		if err := json.NewEncoder(e.stdout).Encode(d.Ready); err != nil {
			return err
		}
		<-e.ctx.Done()
		return nil
	}
	out := newScreen(e.stdout, c.JSON)
	if !c.Once {
		out.addresses(d.Ready)
	}
	steps := d.Tour(e.ctx, d.Books, d.Stationery, out.step, out.progress)
	if e.ctx.Err() != nil {
		return c.cutShort(e, len(steps))
	}
	ok := true
	for _, step := range steps {
		ok = ok && step.OK
	}
	if c.JSON {
		if err := json.NewEncoder(e.stdout).Encode(map[string]any{"ok": ok, "steps": steps}); err != nil {
			return err
		}
	}
	if c.Once {
		if !ok {
			return fmt.Errorf("the tour found something wrong")
		}
		return nil
	}
	fmt.Fprintln(e.stdout, "\nserving until Ctrl-C; the addresses above stay good")
	<-e.ctx.Done()
	return nil
}

// cutShort is what a demo says that was stopped during its tour: no result of one that plays only that.
func (c demoCommand) cutShort(e *env, played int) error {
	what := fmt.Sprintf("stopped after %d steps; the rest of the tour was not played", played)
	if c.Once {
		return errors.New(what)
	}
	fmt.Fprintln(e.stderr, "malgil: "+what)
	return nil
}

// screen shows the tour to a person; with --json it shows nothing.
type screen struct {
	out    io.Writer
	silent bool
	colour bool
	bar    *progressbar.ProgressBar
	barOf  string
}

func newScreen(out io.Writer, silent bool) *screen {
	file, ok := out.(*os.File)
	return &screen{out: out, silent: silent, colour: ok && isatty.IsTerminal(file.Fd()) && os.Getenv("NO_COLOR") == ""}
}

func (s *screen) addresses(r demo.Ready) {
	if s.silent {
		return
	}
	fmt.Fprintf(s.out, `말길 demo: a bookshop's bot, wallet and cards; nothing leaves this machine.

  API and docs   %s/api/docs
  sandbox        %s/sandbox/truth
  metrics        %s
  skill URL      %s

For curl and the malgil commands in another terminal:
  export MALGIL_URL=%s MALGIL_TOKEN=%s

`, r.Intake, r.Sandbox, r.Metrics, r.SkillURL, r.Intake, r.APIToken)
}

// progress moves a bar on a terminal.
func (s *screen) progress(step string, done, all int) {
	if s.silent || !s.colour || all == 0 {
		return
	}
	if s.barOf != step {
		s.barOf = step
		s.bar = progressbar.NewOptions(all, progressbar.OptionSetWriter(s.out), progressbar.OptionSetDescription(step),
			progressbar.OptionClearOnFinish(), progressbar.OptionSetWidth(30), progressbar.OptionShowCount())
	}
	_ = s.bar.Set(done) // a bar that cannot be drawn is no reason to stop
}

// clear takes the bar away.
func (s *screen) clear() {
	if s.bar != nil {
		_ = s.bar.Clear()
		s.bar = nil
	}
}

// step prints what became of one step.
func (s *screen) step(step demo.Step) {
	if s.silent {
		return
	}
	s.clear()
	mark, text := "ok", step.Shows
	if !step.OK {
		mark, text = "FAILED", step.Reason
	}
	before, after := "", ""
	if s.colour {
		before, after = "\x1b[32m", "\x1b[0m"
		if !step.OK {
			before = "\x1b[31m"
		}
	}
	fmt.Fprintf(s.out, "%s%-7s%s %-10s %6d ms  %s\n", before, mark, after, step.Name, step.MS, text)
}
