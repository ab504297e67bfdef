package demo_test

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/malgil/malgil/internal/app"
	"github.com/malgil/malgil/internal/demo"
)

// A demo sends to the pretended Kakao, so it must never find people that wait for the real one.
func TestStart_refusesADatabaseInUse(t *testing.T) {
	config := app.Config{DB: "sqlite:" + filepath.Join(t.TempDir(), "malgil.db")}
	if _, _, err := app.FirstToken(t.Context(), config.DB, "real", []string{"read"}); err != nil {
		t.Fatal(err)
	}
	_, err := demo.Start(t.Context(), config, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "holds an installation already") {
		t.Errorf("demo on a database with a token: Start() error = %v, want it refused", err)
	}
}
