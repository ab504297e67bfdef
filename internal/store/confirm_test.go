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

// An order that brings its people is asked how many they are as well; a small one, and one that is uploaded to, is not.
func TestCreateBroadcast_confirm(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		s.checks.ConfirmAbove = 3
		_, botID := shop(t, s, "1", 1000)
		ordered := func(id string, people, said int) error {
			b, chunks := order(id, botID), packed(people)
			b.State, b.Counts.Audience = broadcast.Running, people
			b.Chunks, b.PlannedChunks = 1, 1
			_, _, err := s.CreateBroadcast(t.Context(), b, chunks, said, broadcast.Request{})
			return err
		}
		for _, said := range []int{0, 3, 5} {
			if err := ordered("brd_four", 4, said); fault.CodeOf(err) != "CONFIRMATION_NEEDED" {
				t.Errorf("an order of 4 with %d said = %v, want CONFIRMATION_NEEDED", said, err)
			}
		}
		if _, err := s.Broadcast(t.Context(), "brd_four"); fault.KindOf(err) != fault.NotFound {
			t.Errorf("an order that was refused = %v, want that there is none", err)
		}
		if err := ordered("brd_four", 4, 4); err != nil {
			t.Errorf("an order of 4 with 4 said = %v", err)
		}
		if err := ordered("brd_three", 3, 0); err != nil {
			t.Errorf("an order of 3 = %v, want that nobody is asked", err)
		}
	})
}
