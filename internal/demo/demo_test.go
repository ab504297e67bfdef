package demo_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/malgil/malgil/internal/app"
	"github.com/malgil/malgil/internal/demo"
)

// A demo sends to the pretended Kakao, so it must never find people that wait for the real one.
func TestStart_refusesADatabaseInUse(t *testing.T) {
	config := app.Config{Parts: app.Parts{DB: "sqlite:" + filepath.Join(t.TempDir(), "malgil.db")}}
	if _, _, err := app.FirstToken(t.Context(), config.DB, "real", []string{"read"}); err != nil {
		t.Fatal(err)
	}
	_, err := demo.Start(t.Context(), config, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "holds an installation already") {
		t.Errorf("demo on a database with a token: Start() error = %v, want it refused", err)
	}
}

// People read the names of cards in mails: a card is called after its company, not after a bot.
func TestStart_cardsHaveNames(t *testing.T) {
	config := settings(t)
	d, err := demo.Start(t.Context(), config, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("Close() error = %v", err)
		}
	})
	var cards struct {
		Items []struct {
			Issuer string `json:"issuer"`
		} `json:"items"`
	}
	if err := d.API.Call(t.Context(), "GET", "/api/v1/accounts/"+d.Books.Master+"/cards", nil, &cards); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range cards.Items {
		names = append(names, c.Issuer)
	}
	if want := []string{"한빛카드", "새벽카드", "노래카드"}; !slices.Equal(names, want) {
		t.Errorf("the bookshop's cards are called %q, want %q", names, want)
	}
}

// Who stops a tour finds nothing wrong: what was played was right, and the rest is not played.
func TestTour_stopped(t *testing.T) {
	d, err := demo.Start(t.Context(), settings(t), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("Close() error = %v", err)
		}
	})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var told []string
	steps := d.Tour(ctx, d.Books, d.Stationery, func(s demo.Step) {
		told = append(told, s.Name)
		stop()
	}, func(string, int, int) {})
	if len(steps) != 1 || !steps[0].OK || !slices.Equal(told, []string{"answer"}) {
		t.Errorf("a tour stopped after its first step plays %+v and tells %q, want the one step, which is right", steps, told)
	}
}

// settings is the configuration of a program that is told nothing.
func settings(t *testing.T) (config app.Config) {
	t.Helper()
	parser, err := kong.New(&config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(nil); err != nil {
		t.Fatal(err)
	}
	config.Listen = demo.Anywhere
	return config
}
