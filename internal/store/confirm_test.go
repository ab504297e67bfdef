package store

import (
	"testing"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
)

// The number that is said is that of the audience at the moment of the seal, not of one before.
func TestSeal_confirm(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		s.checks.ConfirmAbove = 3
		_, botID := shop(t, s, "1", 1000)
		b := create(t, s, order("brd_1", botID))
		upload(t, s, b.ID, 4)
		upload(t, s, b.ID, 3, 2)
		for _, said := range []int{0, 4} {
			_, err := s.Seal(t.Context(), b.ID, broadcast.Sealing{People: said}, t0)
			if fault.CodeOf(err) != "CONFIRMATION_NEEDED" {
				t.Errorf("Seal with %d error = %v, want CONFIRMATION_NEEDED", said, err)
			}
			if open, err := s.Broadcast(t.Context(), b.ID); err != nil || open.State != broadcast.Uploading {
				t.Errorf("after Seal with %d the broadcast is %s, %v, want uploading", said, open.State, err)
			}
		}
		sealed, err := s.Seal(t.Context(), b.ID, broadcast.Sealing{People: 5}, t0)
		if err != nil || sealed.State != broadcast.Running {
			t.Fatalf("Seal with 5 = %s, %v, want it running", sealed.State, err)
		}
		if again, err := s.Seal(t.Context(), b.ID, broadcast.Sealing{}, t0); err != nil || again.State != broadcast.Running {
			t.Errorf("Seal again = %s, %v, want nothing changed", again.State, err)
		}
	})
}
