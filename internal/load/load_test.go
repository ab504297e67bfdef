package load_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/malgil/malgil/internal/app"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/load"
	"github.com/malgil/malgil/internal/testserver"
)

// rules are the defaults.
func rules(t *testing.T) app.Rules {
	t.Helper()
	var c struct {
		app.Rules `embed:""`
	}
	parser, err := kong.New(&c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(nil); err != nil {
		t.Fatal(err)
	}
	return c.Rules
}

// A measurement reaches everybody, on whatever parts, and tells every rate.
func TestRun(t *testing.T) {
	parts := map[string]func(t *testing.T) app.Parts{
		"embedded": func(*testing.T) app.Parts { return app.Parts{} },
		"real": func(t *testing.T) app.Parts {
			return app.Parts{DB: testserver.Postgres(t), Redis: testserver.Redis(t).URL()}
		},
	}
	for name, parts := range parts {
		t.Run(name, func(t *testing.T) {
			phases := map[string]bool{}
			r, err := load.Run(t.Context(), load.Options{
				Config: app.Config{Parts: parts(t), Rules: rules(t)}, People: 2_050, Naive: 30, Log: slog.New(slog.DiscardHandler),
				Progress: func(phase string, done, all int) {
					if done > all {
						t.Errorf("%s: %d of %d", phase, done, all)
					}
					phases[phase] = true
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			if r.People != 2_050 || (r.Queue == "embedded") != (name == "embedded") || (r.Database == "sqlite") != (name == "embedded") {
				t.Errorf("it measured %+v", r)
			}
			if r.Planned <= 0 || r.Sent <= 0 || r.Settled <= 0 || r.Sent < r.Settled || r.Naive <= 0 || r.Ratio() != r.Sent/r.Naive || r.Another <= 0 || r.Answers.Asked == 0 || r.Answers.NotShown != 0 {
				t.Errorf("rates %+v, ratio %v; want all of them, and nothing settled before it is sent", r, r.Ratio())
			}
			if got := slices.Sorted(maps.Keys(phases)); !slices.Equal(got, []string{"one by one", "send", "settle", "upload"}) {
				t.Errorf("it told of %v", got)
			}
		})
	}
}

func TestRun_onAnInstallation(t *testing.T) {
	options := load.Options{Config: app.Config{Parts: app.Parts{DB: testserver.Postgres(t), Redis: testserver.Redis(t).URL()}, Rules: rules(t)}, People: 10, Log: slog.New(slog.DiscardHandler)}
	r, err := load.Run(t.Context(), options)
	if err != nil || r.Naive != 0 || r.Ratio() != 0 {
		t.Fatalf("without a comparison = %+v, %v", r, err)
	}
	if _, err := load.Run(t.Context(), options); fault.KindOf(err) != fault.Conflict {
		t.Errorf("on parts that are in use = %v, want a Conflict", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err = load.Run(ctx, load.Options{Config: app.Config{Rules: rules(t)}, People: 1_000_000, Log: slog.New(slog.DiscardHandler),
		Progress: func(string, int, int) { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cut short = %v, want %v", err, context.Canceled)
	}
}
