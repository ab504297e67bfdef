package app_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/malgil/malgil/internal/app"
)

// The README's table names every setting, and none that is not there.
func TestReadme_settings(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "\n| setting | default | |\n")
	if !found {
		t.Fatal("the README has no table of settings")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	named := map[string]bool{}
	for row := range strings.Lines(table) {
		cell, _, _ := strings.Cut(strings.TrimPrefix(row, "| "), " |")
		var first string
		for _, name := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cell, -1) {
			full := name[1]
			if rest, short := strings.CutPrefix(full, "…"); short { // `…_SECRET` beside MALGIL_BANK_URL
				full = first[:strings.LastIndexByte(first, '_')] + rest
			} else {
				first = full
			}
			named[full] = true
		}
	}
	for _, s := range (app.Config{}).Settings() {
		if !named[s.Name] {
			t.Errorf("the README does not name %s", s.Name)
		}
		delete(named, s.Name)
	}
	for name := range named {
		t.Errorf("the README names %s, which is no setting", name)
	}
}
