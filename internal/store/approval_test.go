package store

import (
	"testing"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
)

// Nothing of a broadcast goes before a second person approves it, neither by the first nor by Resume; it can be
// cancelled, and it expires as any other.
func TestApprove(t *testing.T) {
	ends := map[string]func(t *testing.T, s *Store, id broadcast.ID) (state broadcast.State, queued int){
		"approved": func(t *testing.T, s *Store, id broadcast.ID) (broadcast.State, int) {
			b, err := s.Approve(t.Context(), id, "acc_2", t0)
			if err != nil || b.ApprovedBy != "acc_2" {
				t.Fatalf("Approve = %+v, %v", b, err)
			}
			return broadcast.Running, 2
		},
		"cancelled": func(t *testing.T, s *Store, id broadcast.ID) (broadcast.State, int) {
			if _, err := s.Cancel(t.Context(), id, t0); err != nil {
				t.Fatal(err)
			}
			return broadcast.Cancelled, 0
		},
		"expired": func(t *testing.T, s *Store, id broadcast.ID) (broadcast.State, int) {
			if _, err := s.RetireOver(t.Context(), t0.Add(2*time.Hour)); err != nil {
				t.Fatal(err)
			}
			return broadcast.Finished, 0
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			eachDatabase(t, func(t *testing.T, s *Store) {
				s.checks.ApproveAbove = 4 * price
				walletID, botID := shop(t, s, "1", 1000)
				o := order("brd_1", botID)
				o.ExpiresAt = t0.Add(time.Hour)
				b := create(t, s, o)
				upload(t, s, b.ID, 3, 2)
				if _, err := s.Seal(t.Context(), b.ID, broadcast.Sealing{By: "acc_1"}, t0); err != nil {
					t.Fatal(err)
				}
				if _, err := s.Approve(t.Context(), b.ID, "acc_1", t0); fault.KindOf(err) != fault.Forbidden {
					t.Errorf("Approve by who sealed it error = %v, want Forbidden", err)
				}
				if _, err := s.Resume(t.Context(), b.ID, t0); fault.CodeOf(err) != "APPROVAL_NEEDED" {
					t.Errorf("Resume error = %v, want APPROVAL_NEEDED", err)
				}
				if _, err := s.Pause(t.Context(), b.ID, t0); err != nil {
					t.Errorf("Pause error = %v, want nothing done", err)
				}
				if rows := dispatch(t, s, t0); len(rows) != 0 {
					t.Fatalf("%d chunks were queued before it was approved", len(rows))
				}
				b = wantBroadcast(t, s, b.ID)
				if b.State != broadcast.Paused || b.Wait != broadcast.WaitApproval || b.SealedBy != "acc_1" || b.PlannedChunks != 2 {
					t.Fatalf("it is %s, waits for %q, sealed by %q, %d planned; want it to wait for approval", b.State, b.Wait, b.SealedBy, b.PlannedChunks)
				}
				state, queued := end(t, s, b.ID)
				if rows := dispatch(t, s, t0); len(rows) != queued {
					t.Errorf("then %d chunks were queued, want %d", len(rows), queued)
				}
				if b = wantBroadcast(t, s, b.ID); b.State != state {
					t.Errorf("then it is %s, want %s", b.State, state)
				}
				wantHeld(t, s, walletID)
			})
		})
	}
}

// An order with its people in it waits too, and a call that may not wait is refused.
func TestApprove_atOnce(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		s.checks.ApproveAbove = price
		_, botID := shop(t, s, "1", 1000)
		at, chunk := now("brd_1", botID)
		if _, err := s.CreateAtOnce(t.Context(), at, chunk, broadcast.Request{}); fault.CodeOf(err) != "APPROVAL_NEEDED" {
			t.Errorf("CreateAtOnce error = %v, want APPROVAL_NEEDED", err)
		}
		at.ID, at.SealedBy = "brd_2", "acc_1"
		if _, _, err := s.CreateBroadcast(t.Context(), at, []broadcast.Packed{chunk}, broadcast.Request{}); err != nil {
			t.Fatal(err)
		}
		if b := wantBroadcast(t, s, "brd_2"); b.Wait != broadcast.WaitApproval || b.SealedBy != "acc_1" {
			t.Errorf("an order with its people waits for %q, sealed by %q, want approval and acc_1", b.Wait, b.SealedBy)
		}
	})
}
