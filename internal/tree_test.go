package internal_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// rootEntries is the root listing: the table of contents of the house.
var rootEntries = []string{
	".ci", ".dockerignore", ".gitignore", "CHANGELOG.md", "Dockerfile", "LICENSE", "Makefile", "README.md",
	"cmd", "dashboards", "docker-compose.yml", "docs", "go.mod", "go.sum", "internal", "tasks", "templates", "workers",
}

// trackedFiles lists what git keeps, as paths from the root.
func trackedFiles(t *testing.T) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", "ls-files", "-z")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Skipf("git ls-files: %v: this test needs git and a clone", err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}

func TestRoot_holdsNothingElse(t *testing.T) {
	for _, file := range trackedFiles(t) {
		if entry, _, _ := strings.Cut(file, "/"); !slices.Contains(rootEntries, entry) {
			t.Errorf("%s lies in the root, want only %v", entry, rootEntries)
		}
	}
}

// A path of the machine that a file was written on means nothing to anyone else.
func TestFiles_nameNoPathOfAMachine(t *testing.T) {
	// Put together here, so that this file does not hold them.
	words := [][]byte{[]byte("/wo" + "rk/"), []byte("/ro" + "ot/"), []byte("/home/" + "user")}
	for _, file := range trackedFiles(t) {
		content, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(file)))
		if os.IsNotExist(err) {
			continue // deleted and not committed yet
		}
		if err != nil {
			t.Fatal(err)
		}
		for number, line := range bytes.Split(content, []byte("\n")) {
			for _, word := range words {
				if bytes.Contains(line, word) {
					t.Errorf("%s:%d holds %q", file, number+1, word)
				}
			}
		}
	}
}
