package store

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
)

var errCut = errors.New("cut short")

// cut is parts of a store that fail once, at a place.
type cut struct {
	*Store
	at     string
	stores int // batches that are stored before it is cut at "store"
}

func (c *cut) fails(at string) bool {
	if c.at != at {
		return false
	}
	c.at = ""
	return true
}

func (c *cut) StoreChunks(ctx context.Context, id broadcast.ID, epoch int, chunks []broadcast.Packed) error {
	if c.stores--; c.stores < 0 && c.fails("store") {
		return errCut
	}
	return c.Store.StoreChunks(ctx, id, epoch, chunks)
}

func (c *cut) EndUpload(ctx context.Context, id broadcast.ID, epoch, chunks int, r broadcast.Report) error {
	err := c.Store.EndUpload(ctx, id, epoch, chunks, r)
	if c.fails("uploaded") {
		return errCut
	}
	return err
}

func (c *cut) Seal(ctx context.Context, id broadcast.ID, o broadcast.Sealing, now time.Time) (broadcast.Broadcast, error) {
	b, err := c.Store.Seal(ctx, id, o, now)
	if c.fails("sealed") {
		return b, errCut
	}
	return b, err
}

func (c *cut) EndCopy(ctx context.Context, r broadcast.Run) error {
	if c.fails("ended") {
		return errCut
	}
	return c.Store.EndCopy(ctx, r)
}

// A copy that dies begins again when its lease is over, with the same broadcast: nobody is lost, nobody is
// in it twice.
func TestSchedule_copyIsCutShort(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		a := newAlmanac(t, s)
		const chunks = 250 // in three batches
		many := make([]int, chunks)
		for i := range many {
			many[i] = 2
		}
		a.people(many...)
		for n, at := range []string{"store", "uploaded", "sealed", "ended"} {
			a.now = t0.AddDate(0, 0, n)
			sch := a.order(nil)
			a.now = sch.NextAt
			broken := &cut{Store: s, at: at, stores: 2}
			a.with(broken, broken, broken)
			if _, err := a.Turn(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := a.Copy(t.Context()); !errors.Is(err, errCut) {
				t.Fatalf("cut at %q: Copy error = %v, want it cut short", at, err)
			}
			_, views := a.runs(sch.ID)
			id := views[0].Broadcast
			if views[0].State != broadcast.RunCopying {
				t.Fatalf("cut at %q: the run is %s, want copying", at, views[0].State)
			}
			if b, err := s.Broadcast(t.Context(), id); at == "store" && (err != nil || b.State != broadcast.Uploading || len(dispatch(t, s, a.now)) != 0) {
				t.Errorf("cut at %q: the broadcast is %s, %v, and something was dispatched; want it uploading", at, b.State, err)
			}
			a.with(s, s, s)
			a.turn(a.now.Add(29 * time.Second))
			if _, views := a.runs(sch.ID); views[0].State != broadcast.RunCopying {
				t.Errorf("cut at %q: within its lease the run is %s, want copying", at, views[0].State)
			}
			a.turn(a.now.Add(time.Second))
			_, views = a.runs(sch.ID)
			if len(views) != 1 || views[0].State != broadcast.RunStarted || views[0].Broadcast != id {
				t.Fatalf("cut at %q: runs are %+v, want %s started", at, views, id)
			}
			if b := wantBroadcast(t, s, id); b.State != broadcast.Running || b.Counts.Audience != 2*chunks || b.Chunks != chunks || b.PlannedChunks != chunks {
				t.Errorf("cut at %q: the broadcast is %s with %d people in %d chunks, want %d in %d", at, b.State, b.Counts.Audience, b.Chunks, 2*chunks, chunks)
			}
			twice := texts(t, s, `SELECT recipients FROM chunk WHERE broadcast_id = $1 GROUP BY recipients HAVING COUNT(*) > 1`, string(id))
			want(t, "people in two chunks", twice)
			if err := a.Delete(t.Context(), sch.ID); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Cancel(t.Context(), id, a.now); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// Two that copy at once, because a lease ended too early, do no harm: the later one does it.
func TestSchedule_copyIsTakenOver(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		a := newAlmanac(t, s)
		sch := a.order(nil)
		a.now = sch.NextAt
		if _, err := a.Turn(t.Context()); err != nil {
			t.Fatal(err)
		}
		slow, ok, err := s.ClaimCopy(t.Context(), a.now, a.now.Add(time.Second))
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		if _, ok, err := s.ClaimCopy(t.Context(), a.now, a.now.Add(time.Second)); err != nil || ok {
			t.Fatalf("ClaimCopy of a claimed one = %v, %v, want none", ok, err)
		}
		epoch, err := s.BeginUpload(t.Context(), slow.Broadcast)
		if err != nil {
			t.Fatal(err)
		}
		a.turn(a.now.Add(time.Second))
		run := a.want("taken over", sch.ID, "24 13:00 started")[0]
		if err := s.KeepCopy(t.Context(), slow, a.now.Add(time.Hour)); fault.KindOf(err) != fault.Conflict {
			t.Errorf("KeepCopy of the slow one error = %v, want Conflict", err)
		}
		if err := s.StoreChunks(t.Context(), slow.Broadcast, epoch, packed(1)); fault.KindOf(err) != fault.Conflict {
			t.Errorf("StoreChunks of the slow one error = %v, want Conflict", err)
		}
		slow.State, slow.Reason = broadcast.RunFailed, "late"
		if err := s.EndCopy(t.Context(), slow); err != nil {
			t.Fatal(err)
		}
		a.want("ended by the slow one", sch.ID, "24 13:00 started")
		if b := wantBroadcast(t, s, run.Broadcast); b.Counts.Audience != 250 {
			t.Errorf("the broadcast has %d people, want 250", b.Counts.Audience)
		}
	})
}

// An audience that is replaced while it is copied is copied again, as it is then.
func TestSchedule_audienceChangesMeanwhile(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		a := newAlmanac(t, s)
		sch := a.order(nil)
		a.now = sch.NextAt
		if _, err := a.Turn(t.Context()); err != nil {
			t.Fatal(err)
		}
		changing := &replacing{Store: s, replace: func() { a.people(9, 9) }}
		a.with(s, changing, s)
		if _, err := a.Copy(t.Context()); fault.CodeOf(err) != "AUDIENCE_CHANGED" {
			t.Errorf("Copy error = %v, want AUDIENCE_CHANGED", err)
		}
		a.turn(a.now.Add(30 * time.Second))
		run := a.want("copied again", sch.ID, "24 13:00 started")[0]
		if b := wantBroadcast(t, s, run.Broadcast); b.Counts.Audience != 18 || b.Chunks != 2 {
			t.Errorf("the broadcast has %d people in %d chunks, want 18 in 2", b.Counts.Audience, b.Chunks)
		}
	})
}

// Other people than were copied do not go: the number tells, and the copy begins again.
func TestSchedule_peopleChangeBeforeTheSeal(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		a := newAlmanac(t, s)
		sch := a.order(nil)
		a.now = sch.NextAt
		if _, err := a.Turn(t.Context()); err != nil {
			t.Fatal(err)
		}
		a.with(s, &overtaken{Store: s, t: t}, s)
		if _, err := a.Copy(t.Context()); fault.CodeOf(err) != "CONFIRMATION_NEEDED" {
			t.Errorf("Copy error = %v, want CONFIRMATION_NEEDED", err)
		}
		run := a.want("not let go", sch.ID, "24 13:00 copying")[0]
		if b, err := s.Broadcast(t.Context(), run.Broadcast); err != nil || b.State != broadcast.Uploading || b.Counts.Audience != 9 {
			t.Errorf("the broadcast is %s with %d people, %v, want it uploading with the 9 others", b.State, b.Counts.Audience, err)
		}
		a.with(s, s, s)
		a.turn(a.now.Add(30 * time.Second))
		a.want("copied again", sch.ID, "24 13:00 started")
		if b := wantBroadcast(t, s, run.Broadcast); b.Counts.Audience != 250 {
			t.Errorf("the broadcast has %d people, want 250", b.Counts.Audience)
		}
	})
}

// overtaken has somebody upload others as soon as an upload is over.
type overtaken struct {
	*Store
	t *testing.T
}

func (o *overtaken) EndUpload(ctx context.Context, id broadcast.ID, epoch, chunks int, r broadcast.Report) error {
	err := o.Store.EndUpload(ctx, id, epoch, chunks, r)
	upload(o.t, o.Store, id, 9)
	return err
}

// replacing replaces the audience as its first copy begins.
type replacing struct {
	*Store
	replace func()
}

func (r *replacing) BeginUpload(ctx context.Context, id broadcast.ID) (int, error) {
	if r.replace != nil {
		r.replace()
		r.replace = nil
	}
	return r.Store.BeginUpload(ctx, id)
}

// A broadcast that is cancelled before its people are there is not filled, and says so.
func TestSchedule_cancelledMeanwhile(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		a := newAlmanac(t, s)
		sch := a.order(nil)
		a.now = sch.NextAt
		if _, err := a.Turn(t.Context()); err != nil {
			t.Fatal(err)
		}
		run := a.want("begun", sch.ID, "24 13:00 copying")[0]
		if _, err := s.Cancel(t.Context(), run.Broadcast, a.now); err != nil {
			t.Fatal(err)
		}
		a.turn(a.now)
		if run := a.want("cancelled", sch.ID, "24 13:00 failed")[0]; !strings.Contains(run.Reason, "cancelled") {
			t.Errorf("failed because %q", run.Reason)
		}
		a.turn(a.now.AddDate(0, 0, 1)) // which is in nobody's way
		run = a.want("the next day", sch.ID, "24 13:00 failed", "25 13:00 started")[1]
		a.finish(run.Broadcast)
		a.now = a.now.AddDate(0, 0, 1)
		if _, err := a.Turn(t.Context()); err != nil {
			t.Fatal(err)
		}
		exec(t, s, `DELETE FROM audience_chunk`)
		exec(t, s, `DELETE FROM audience`)
		a.turn(a.now)
		run = a.want("without an audience", sch.ID, "24 13:00 failed", "25 13:00 started", "26 13:00 failed")[2]
		if !strings.Contains(run.Reason, "no audience") || run.BroadcastState != broadcast.Cancelled {
			t.Errorf("failed because %q, with a broadcast that is %s", run.Reason, run.BroadcastState)
		}
	})
}
