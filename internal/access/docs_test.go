package access

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// The table of permissions in docs/api.md is written by hand and says what the code does.
func TestRights_areThoseOfTheDocs(t *testing.T) {
	text, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "| permission | roles |\n| --- | --- |\n")
	if !found {
		t.Fatal("docs/api.md has no table of permissions")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	documented := map[Permission][]string{}
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 2 {
			t.Fatalf("line %q has %d cells, want 2", line, len(cells))
		}
		roles := strings.FieldsFunc(cells[1], func(r rune) bool { return r == ',' || r == ' ' })
		slices.Sort(roles)
		for i, word := range strings.Split(cells[0], "`") {
			if i%2 == 1 {
				documented[Permission(word)] = roles
			}
		}
	}
	coded := map[Permission][]string{}
	for role, permissions := range rights {
		for _, p := range permissions {
			if slices.Contains(coded[p], string(role)) {
				t.Errorf("%s has %s twice", role, p)
			}
			coded[p] = append(coded[p], string(role))
		}
	}
	for p, roles := range coded {
		slices.Sort(roles)
		if !slices.Equal(roles, documented[p]) {
			t.Errorf("%s is for %v, in docs/api.md for %v", p, roles, documented[p])
		}
	}
	for p, roles := range documented {
		if len(roles) > 0 && coded[p] == nil {
			t.Errorf("docs/api.md gives %s to %v, which nobody has", p, roles)
		}
	}
}
