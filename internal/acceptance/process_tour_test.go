package acceptance_test

import (
	"testing"

	"github.com/malgil/malgil/internal/demo"
)

// playTour plays the tour of the demo where every role is a process of its own.
func playTour(t *testing.T, town *town) {
	t.Helper()
	world := town.world
	world.FixedClock = true
	books, stationery, err := world.Seed(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	steps := world.Tour(t.Context(), books, stationery, func(demo.Step) {}, func(string, int, int) {})
	if len(steps) != 8 { // all but the days that pass
		t.Errorf("the tour has %d steps, want 8", len(steps))
	}
	for _, step := range steps {
		if !step.OK {
			t.Errorf("step %s: %s", step.Name, step.Reason)
		}
		t.Logf("%-10s %6d ms  %s", step.Name, step.MS, step.Shows)
	}
}
