package main

import (
	"strings"
	"testing"
)

// Who sends to people again types how many they are, parked ones with them.
func TestAskAgain(t *testing.T) {
	found := doubtful{chunks: 12, people: 1_200, parked: 200}
	if text := found.String(); text != "12 chunks of 1,200 people, 200 of them parked" {
		t.Errorf("it says %q", text)
	}
	for typed, ok := range map[string]bool{"1200\n": true, "1,200": true, "1000\n": false, "\n": false, "yes\n": false} {
		var asked strings.Builder
		got, err := askAgain(strings.NewReader(typed), &asked, found)
		if (err == nil) != ok || ok && got != 1_200 || !strings.Contains(asked.String(), "1,200") {
			t.Errorf("askAgain(%q) = %d, %v after %q, want it taken %v", typed, got, err, asked.String(), ok)
		}
	}
}
