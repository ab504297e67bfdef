package main

import (
	"strings"
	"testing"

	"github.com/malgil/malgil/internal/fault"
)

// The number of people is typed as it is shown, or without its comma; anything else seals nothing.
func TestAskPeople(t *testing.T) {
	var b broadcastRow
	b.ID, b.Name, b.Counts.Audience = "brd_1", "겨울 재입고", 12_345
	for typed, ok := range map[string]bool{"12345\n": true, " 12,345 \n": true, "12345": true, "12344\n": false, "yes\n": false, "\n": false, "": false} {
		var asked strings.Builder
		got, err := askPeople(strings.NewReader(typed), &asked, b)
		if ok && (got != 12_345 || err != nil) || !ok && fault.KindOf(err) != fault.Conflict {
			t.Errorf("askPeople(%q) = %d, %v, want it taken %v", typed, got, err, ok)
		}
		if !strings.Contains(asked.String(), "12,345") || !strings.Contains(asked.String(), "겨울 재입고") {
			t.Errorf("it asks %q, want the name and the number", asked.String())
		}
	}
}
