package store

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/access"
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
		"paused meanwhile": func(t *testing.T, s *Store, id broadcast.ID) (broadcast.State, int) {
			for range 2 {
				if b, err := s.Pause(t.Context(), id, t0); err != nil || b.Wait != broadcast.WaitApproval || b.Note == "" {
					t.Fatalf("Pause = waits for %q, note %q, %v, want approval and a note", b.Wait, b.Note, err)
				}
			}
			b, err := s.Approve(t.Context(), id, "acc_2", t0)
			if err != nil || b.State != broadcast.Paused || b.Wait != broadcast.WaitPaused || b.ApprovedBy != "acc_2" || b.Note == "" {
				t.Fatalf("Approve = %s, waits for %q, by %q, note %q, %v; want it approved and paused, and a note", b.State, b.Wait, b.ApprovedBy, b.Note, err)
			}
			if rows := dispatch(t, s, t0); len(rows) != 0 {
				t.Fatalf("%d chunks were queued of one that somebody had paused", len(rows))
			}
			if _, err := s.Resume(t.Context(), id, t0); err != nil {
				t.Fatal(err)
			}
			return broadcast.Running, 2
		},
		"paused and resumed meanwhile": func(t *testing.T, s *Store, id broadcast.ID) (broadcast.State, int) {
			_, err := s.Pause(t.Context(), id, t0)
			must(t, err)
			b, err := s.Resume(t.Context(), id, t0)
			if err != nil || b.Wait != broadcast.WaitApproval || b.Note != "" {
				t.Fatalf("Resume = waits for %q, note %q, %v, want approval as before", b.Wait, b.Note, err)
			}
			_, err = s.Approve(t.Context(), id, "acc_2", t0)
			must(t, err)
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
		if _, _, err := s.CreateBroadcast(t.Context(), at, []broadcast.Packed{chunk}, 0, broadcast.Request{}); err != nil {
			t.Fatal(err)
		}
		if b := wantBroadcast(t, s, "brd_2"); b.Wait != broadcast.WaitApproval || b.SealedBy != "acc_1" {
			t.Errorf("an order with its people waits for %q, sealed by %q, want approval and acc_1", b.Wait, b.SealedBy)
		}
	})
}

// Who ordered a schedule approves nothing of it, and who made a token that stands for nobody nothing that it ordered.
func TestApprove_byItsAuthor(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		s.checks.ApproveAbove = price
		a := newAlmanac(t, s)
		must(t, s.InsertToken(t.Context(), access.Token{ID: "tok_1", Name: "서점", IssuedBy: "acc_1", Scopes: []access.Scope{access.Send}, CreatedAt: t0}, []byte("hash")))
		sch := a.order(nil) // by acc_1
		a.turn(sch.NextAt)
		_, runs := a.runs(sch.ID)
		b := create(t, s, order("brd_token", a.bot))
		upload(t, s, b.ID, 3)
		if _, err := s.Seal(t.Context(), b.ID, broadcast.Sealing{By: "tok_1"}, a.now); err != nil {
			t.Fatal(err)
		}
		for _, id := range []broadcast.ID{runs[0].Broadcast, b.ID} {
			if got := wantBroadcast(t, s, id); got.Wait != broadcast.WaitApproval {
				t.Fatalf("%s waits for %q, want approval", id, got.Wait)
			}
			if _, err := s.Approve(t.Context(), id, "acc_1", a.now); fault.KindOf(err) != fault.Forbidden {
				t.Errorf("Approve(%s) by its author error = %v, want Forbidden", id, err)
			}
			if got, err := s.Approve(t.Context(), id, "acc_2", a.now); err != nil || got.State != broadcast.Running {
				t.Errorf("Approve(%s) by another = %s, %v, want it running", id, got.State, err)
			}
		}
	})
}

// What was ordered before authors were kept has those of the audit log.
func TestMigrate_authors(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		s.checks.ApproveAbove = price
		a := newAlmanac(t, s)
		deed := func(action, account string) context.Context {
			return access.WithDeed(t.Context(), access.Deed{TokenID: "tok_0", AccountID: account, Action: action, At: t0}, access.Object{})
		}
		made := map[string]broadcast.Run{}
		for _, account := range []string{"acc_1", ""} {
			sch, err := a.Create(deed("create-schedule", account), broadcast.ScheduleOrder{BotID: a.bot, Message: broadcast.Message{Event: "restock_alert"}, Audience: a.audience, Cron: "0 13 * * *"}, broadcast.Request{})
			must(t, err)
			a.turn(sch.NextAt)
			_, runs := a.runs(sch.ID)
			made[account] = runs[0].Run
			a.now = t0
		}
		must(t, s.InsertToken(deed("create-token", "acc_1"), access.Token{ID: "tok_1", Name: "서점", Scopes: []access.Scope{access.Send}, CreatedAt: t0}, []byte("hash")))
		for _, name := range []string{"0211_schedule_author", "0212_token_issuer"} {
			text, err := migrations.ReadFile("migrations/" + name + ".sql")
			must(t, err)
			for _, statement := range strings.Split(string(text), ";")[1:] { // after the new column
				if _, update, ok := strings.Cut(statement, "UPDATE "); ok {
					exec(t, s, "UPDATE "+update)
				}
			}
		}
		for account, author := range map[string]string{"acc_1": "acc_1", "": "tok_0"} {
			sch, err := s.Schedule(t.Context(), made[account].Schedule)
			must(t, err)
			if b := wantBroadcast(t, s, made[account].Broadcast); sch.CreatedBy != author || b.SealedBy != author {
				t.Errorf("the schedule is by %q and its broadcast by %q, want %q", sch.CreatedBy, b.SealedBy, author)
			}
		}
		if token, err := s.TokenByHash(t.Context(), []byte("hash")); err != nil || token.IssuedBy != "acc_1" {
			t.Errorf("the token was made by %q, %v, want acc_1", token.IssuedBy, err)
		}
	})
}
