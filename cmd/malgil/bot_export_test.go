package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/malgil/malgil/internal/botfile"
	"github.com/malgil/malgil/internal/scenario"
)

func TestBotExport(t *testing.T) {
	content, header, _ := botfile.Read(t.Context(), botfile.Example(), scenario.Rules{})
	came := uploads(t, string(botfile.Zip(botfile.Write(content, header))))
	folder := filepath.Join(t.TempDir(), "now")
	got := malgil(t, "bot", "export", "b1", folder, "3")
	if call := came(); !strings.HasPrefix(call, "GET /api/v1/bots/b1/versions/3/content ") || got.code != exitOK || !strings.Contains(got.stdout, "version 3 of bot b1") {
		t.Fatalf("called %q and exits %d with %q, %q", call, got.code, got.stdout, got.stderr)
	}
	if got := malgil(t, "bot", "check", folder); got.code != exitOK || !strings.Contains(got.stdout, "8 blocks, 34 knowledge items, 1 skill server; nothing is wrong") {
		t.Errorf("bot check of it = %d, %q, %q", got.code, got.stdout, got.stderr)
	}
	if got := malgil(t, "bot", "export", "b1", folder, "3"); got.code != exitUsage || !strings.Contains(got.stderr, "is not empty") || came() != "" {
		t.Errorf("bot export again = %d, %q, want it refused", got.code, got.stderr)
	}
	uploads(t, "no archive")
	empty := t.TempDir()
	if got := malgil(t, "bot", "export", "b1", empty, "3"); got.code != exitFailed && got.code != exitUsage {
		t.Errorf("bot export of no archive = %d, %q", got.code, got.stderr)
	}
	if left, err := os.ReadDir(empty); err != nil || len(left) > 0 {
		t.Errorf("bot export of no archive leaves %v, %v", left, err)
	}
}
