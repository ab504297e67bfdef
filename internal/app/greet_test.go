package app_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/malgil/malgil/internal/app"
)

// runs runs a process until it has said a word, and returns its log.
func (i *installation) runs(roles app.Roles, until string) string {
	i.t.Helper()
	ctx, stop := context.WithCancel(i.t.Context())
	defer stop()
	log := &lines{until: until, stop: stop}
	if err := app.Run(ctx, i.Config, roles, slog.New(slog.NewTextHandler(log, nil))); err != nil {
		i.t.Fatalf("Run() error = %v", err)
	}
	return log.String()
}

// lines is a log that stops the process when a word was said. Records come one at a time.
type lines struct {
	bytes.Buffer
	until string
	stop  func()
}

func (l *lines) Write(p []byte) (int, error) {
	if strings.Contains(string(p), l.until) {
		l.stop()
	}
	return l.Buffer.Write(p)
}

// Whoever starts an installation for the first time reads what to do next.
func TestRun_saysWhatToDoNext(t *testing.T) {
	i := newInstallation(t)
	everything := app.Roles{Intake: true, Scheduler: true}
	log := i.runs(everything, "no API token")
	for _, want := range []string{"malgil is up", "/api/docs", "stop this process, then: malgil token create NAME --first --db sqlite:" + i.path} {
		if !strings.Contains(log, want) {
			t.Errorf("the first start does not say %q:\n%s", want, log)
		}
	}
	if _, _, err := app.FirstToken(t.Context(), "sqlite:"+i.path, "first", []string{"admin"}); err != nil {
		t.Fatal(err)
	}
	log = i.runs(everything, "/api/docs")
	if !strings.Contains(log, "/api/docs") || strings.Contains(log, "--first") {
		t.Errorf("a start with a token says:\n%s\nwant where the docs are, and no word of a first token", log)
	}
}
