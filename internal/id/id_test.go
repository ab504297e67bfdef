package id_test

import (
	"crypto/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/id"
)

func TestSource_Next_sortsInOrder(t *testing.T) {
	at := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	source := id.New(func() time.Time { return at }, rand.Reader)
	var made []string
	for range 1000 {
		made = append(made, source.Next("brd"))
	}
	if !slices.IsSorted(made) {
		t.Error("identifiers of one millisecond do not sort in the order they were made")
	}
	if len(slices.Compact(made)) != 1000 {
		t.Error("identifiers repeat")
	}
	if !strings.HasPrefix(made[0], "brd_") {
		t.Errorf("Next(brd) = %q, want the prefix brd_", made[0])
	}
}
