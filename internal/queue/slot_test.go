package queue

import (
	"errors"
	"testing"
)

// A task whose slot was given back is done, also where its run ends at the same moment.
func TestSlot_outcome(t *testing.T) {
	failed := errors.New("of the handler")
	for name, end := range map[string]run{"with an error": {err: failed}, "with a panic": {panicked: failed}} {
		t.Run(name, func(t *testing.T) {
			for range 100 { // select takes either
				s, ended := &slot{given: make(chan struct{}), keep: func() bool { return true }}, make(chan run, 1)
				close(s.given)
				ended <- end
				if err := s.outcome(ended); err != nil {
					t.Fatalf("outcome() = %v of a run that ends %s after its slot was given back, want nil", err, name)
				}
			}
		})
	}
	t.Run("with its slot", func(t *testing.T) {
		s, ended := &slot{given: make(chan struct{}), keep: func() bool { return true }}, make(chan run, 1)
		ended <- run{err: failed}
		if err := s.outcome(ended); !errors.Is(err, failed) {
			t.Errorf("outcome() = %v, want that of the handler", err)
		}
	})
}
