package store

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
)

func TestCreateBroadcast(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 0)
		newBot(t, s, "bot_alone", "")
		o := order("brd_1", botID)
		o.ExpiresAt = t0.Add(time.Hour)
		created := create(t, s, o)
		want := o
		want.WalletID = "wal_1"
		stored, err := s.Broadcast(t.Context(), "brd_1")
		if err != nil {
			t.Fatal(err)
		}
		for what, got := range map[string]broadcast.Broadcast{"CreateBroadcast": created, "Broadcast": stored} {
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", what, diff)
			}
		}
		tests := map[string]struct {
			bot  string
			kind fault.Kind
			code string
		}{
			"no such bot":          {"bot_none", fault.NotFound, ""},
			"a bot without wallet": {"bot_alone", fault.Conflict, "NO_WALLET"},
		}
		for name, tt := range tests {
			_, _, err := s.CreateBroadcast(t.Context(), order("brd_2", tt.bot), nil, 0, broadcast.Request{})
			if fault.KindOf(err) != tt.kind || fault.CodeOf(err) != tt.code {
				t.Errorf("CreateBroadcast(%s) error = %v, want %v %s", name, err, tt.kind, tt.code)
			}
		}
		if _, err := s.Broadcast(t.Context(), "brd_2"); fault.KindOf(err) != fault.NotFound {
			t.Errorf("Broadcast(brd_2) error = %v, want NotFound", err)
		}
	})
}

func TestCreateBroadcast_repeated(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 0)
		request := broadcast.Request{Scope: "tok_1", Key: "order-7", BodyHash: []byte("body")}
		if _, repeated, err := s.RepeatedBroadcast(t.Context(), request); repeated || err != nil {
			t.Errorf("RepeatedBroadcast before any = %v, %v, want false", repeated, err)
		}
		first, repeated, err := s.CreateBroadcast(t.Context(), order("brd_1", botID), nil, 0, request)
		if err != nil || repeated {
			t.Fatalf("first CreateBroadcast = %v, %v", repeated, err)
		}
		again, repeated, err := s.CreateBroadcast(t.Context(), order("brd_2", botID), nil, 0, request)
		if err != nil || !repeated || again.ID != first.ID {
			t.Errorf("second CreateBroadcast = %s, %v, %v, want %s, true", again.ID, repeated, err, first.ID)
		}
		asked, repeated, err := s.RepeatedBroadcast(t.Context(), request)
		if err != nil || !repeated || asked.ID != first.ID {
			t.Errorf("RepeatedBroadcast = %s, %v, %v, want %s, true", asked.ID, repeated, err, first.ID)
		}
		other := request
		other.BodyHash = []byte("other")
		if _, _, err := s.CreateBroadcast(t.Context(), order("brd_3", botID), nil, 0, other); fault.KindOf(err) != fault.Invalid {
			t.Errorf("CreateBroadcast with another body error = %v, want Invalid", err)
		}
		if _, _, err := s.RepeatedBroadcast(t.Context(), other); fault.KindOf(err) != fault.Invalid {
			t.Errorf("RepeatedBroadcast with another body error = %v, want Invalid", err)
		}
		stranger := request
		stranger.Scope = "tok_2"
		if b, repeated, err := s.CreateBroadcast(t.Context(), order("brd_4", botID), nil, 0, stranger); err != nil || repeated || b.ID != "brd_4" {
			t.Errorf("CreateBroadcast of another caller = %s, %v, %v, want a new one", b.ID, repeated, err)
		}
	})
}

func TestSeal(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 1000)
		b := create(t, s, order("brd_1", botID))
		if _, err := s.Seal(t.Context(), b.ID, broadcast.Sealing{}, t0); fault.CodeOf(err) != "NO_RECIPIENTS" {
			t.Errorf("Seal of nobody error = %v, want NO_RECIPIENTS", err)
		}
		upload(t, s, b.ID, 3, 2)
		sealed, err := s.Seal(t.Context(), b.ID, broadcast.Sealing{}, t0)
		if err != nil || sealed.State != broadcast.Running || sealed.PlannedChunks != 2 || sealed.Wait != broadcast.NotWaiting {
			t.Errorf("Seal = %s with %d planned, waits for %q, %v, want running with 2", sealed.State, sealed.PlannedChunks, sealed.Wait, err)
		}
		again, err := s.Seal(t.Context(), b.ID, broadcast.Sealing{}, t0.Add(time.Hour))
		if diff := cmp.Diff(sealed, again); err != nil || diff != "" {
			t.Errorf("second Seal changed something, error %v (-want +got):\n%s", err, diff)
		}
		if _, err := s.BeginUpload(t.Context(), b.ID); fault.CodeOf(err) != "SEALED" {
			t.Errorf("BeginUpload of a sealed broadcast error = %v, want SEALED", err)
		}
		wantBroadcast(t, s, b.ID)
	})
}

func TestPauseAndResume(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		walletID, botID := shop(t, s, "1", 1000)
		b := running(t, s, order("brd_1", botID), 3, 2, 4)
		sentChunk := sent(t, s, b.ID, 1, t0)
		for range 2 { // paused again it changes nothing
			paused, err := s.Pause(t.Context(), b.ID, t0)
			if err != nil || paused.State != broadcast.Paused || paused.Wait != broadcast.WaitPaused || paused.PlannedChunks != 2 {
				t.Errorf("Pause = %s, waits for %q, %d planned, %v, want paused with 2", paused.State, paused.Wait, paused.PlannedChunks, err)
			}
		}
		if w := wantWallet(t, s, walletID); w.Held != 3*price {
			t.Errorf("paused broadcast holds %d, want %d for what is sent already", w.Held, 3*price)
		}
		if rows := dispatch(t, s, t0); len(rows) != 0 {
			t.Errorf("Dispatch() of a paused broadcast = %v", rows)
		}
		settle(t, s, sentChunk, 3, t0)
		for range 2 {
			resumed, err := s.Resume(t.Context(), b.ID, t0)
			if err != nil || resumed.State != broadcast.Running || resumed.Wait != broadcast.NotWaiting {
				t.Errorf("Resume = %s, waits for %q, %v, want running", resumed.State, resumed.Wait, err)
			}
		}
		if rows := dispatch(t, s, t0); len(rows) != 2 {
			t.Errorf("Dispatch() after Resume = %v, want the other 2 chunks", rows)
		}
		wantBroadcast(t, s, b.ID)
		wantWallet(t, s, walletID)
	})
}

func TestCancel(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		walletID, botID := shop(t, s, "1", 8*price) // not enough for the last chunk
		b := running(t, s, order("brd_1", botID), 3, 2, 2, 4)
		onItsWay := sent(t, s, b.ID, 1, t0)
		cancelled, err := s.Cancel(t.Context(), b.ID, t0)
		if err != nil || cancelled.State != broadcast.Cancelled || cancelled.PlannedChunks != 0 || cancelled.Counts.Skipped != 8 || !cancelled.FinishedAt.IsZero() {
			t.Errorf("Cancel = %s, %d planned, %d skipped, finished %v, %v, want cancelled, 0, 8, not yet",
				cancelled.State, cancelled.PlannedChunks, cancelled.Counts.Skipped, cancelled.FinishedAt, err)
		}
		again, err := s.Cancel(t.Context(), b.ID, t0.Add(time.Hour))
		if diff := cmp.Diff(cancelled, again); err != nil || diff != "" {
			t.Errorf("second Cancel changed something, error %v (-want +got):\n%s", err, diff)
		}
		if w := wantWallet(t, s, walletID); w.Held != 3*price {
			t.Errorf("cancelled broadcast holds %d, want %d for what is on its way", w.Held, 3*price)
		}
		settle(t, s, onItsWay, 2, t0.Add(time.Minute))
		b = wantBroadcast(t, s, b.ID)
		if b.State != broadcast.Cancelled || !b.FinishedAt.Equal(t0.Add(time.Minute)) || b.Captured != 2*price {
			t.Errorf("after the last result = %s, finished %v, captured %d, want cancelled, then, %d", b.State, b.FinishedAt, b.Captured, 2*price)
		}
		wantWallet(t, s, walletID)
	})
}

func TestCancel_whileUploading(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 0)
		b := create(t, s, order("brd_1", botID))
		upload(t, s, b.ID, 3)
		epoch, err := s.BeginUpload(t.Context(), b.ID)
		if err != nil {
			t.Fatal(err)
		}
		b, err = s.Cancel(t.Context(), b.ID, t0)
		if err != nil || b.State != broadcast.Cancelled || !b.FinishedAt.Equal(t0) || b.Counts != (broadcast.Counts{}) {
			t.Errorf("Cancel = %s, finished %v, %+v, %v, want cancelled at once with nobody", b.State, b.FinishedAt, b.Counts, err)
		}
		if err := s.StoreChunks(t.Context(), b.ID, epoch, packed(1)); fault.CodeOf(err) != "SEALED" {
			t.Errorf("StoreChunks afterwards error = %v, want SEALED", err)
		}
		if chunks, err := chunksOf(s, b.ID); err != nil || len(chunks) != 0 {
			t.Errorf("it kept %d chunks, %v", len(chunks), err)
		}
	})
}

// A call that was cut short after its first commit has stopped everything; the sweep ends it.
func TestCancel_interrupted(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		walletID, botID := shop(t, s, "1", 1000)
		b := running(t, s, order("brd_1", botID), 3, 2)
		dispatch(t, s, t0)
		ctx, cut := context.WithCancel(t.Context())
		_, err := s.changeBroadcast(ctx, b.ID, t0, s.cancel(ctx))
		cut()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Cancel(ctx, b.ID, t0); !errors.Is(err, context.Canceled) {
			t.Errorf("Cancel with a context that has ended error = %v, want %v", err, context.Canceled)
		}
		if b := wantBroadcast(t, s, b.ID); b.State != broadcast.Cancelled || b.PlannedChunks != 2 || !b.FinishedAt.IsZero() {
			t.Errorf("half cancelled = %s, %d planned, finished %v, want cancelled, 2, not yet", b.State, b.PlannedChunks, b.FinishedAt)
		}
		if rows := dispatch(t, s, t0); len(rows) != 0 {
			t.Errorf("Dispatch() of it = %v", rows)
		}
		for range 2 {
			if more, err := s.RetireOver(t.Context(), t0); err != nil || more {
				t.Errorf("RetireOver = %v, %v, want false: it was all", more, err)
			}
		}
		if b := wantBroadcast(t, s, b.ID); b.State != broadcast.Cancelled || b.Counts.Skipped != 5 || b.FinishedAt.IsZero() {
			t.Errorf("after the sweep = %s, %d skipped, finished %v, want cancelled, 5, now", b.State, b.Counts.Skipped, b.FinishedAt)
		}
		if w := wantWallet(t, s, walletID); w.Held != 0 {
			t.Errorf("it holds %d, want 0", w.Held)
		}
	})
}

func TestOrders_refusedByState(t *testing.T) {
	type orders = func(context.Context, broadcast.ID, time.Time) (broadcast.Broadcast, error)
	tests := map[broadcast.State]struct{ pause, resume, cancel bool }{ // allowed
		broadcast.Uploading: {false, false, true},
		broadcast.Running:   {true, true, true},
		broadcast.Paused:    {true, true, true},
		broadcast.Cancelled: {false, false, true},
		broadcast.Finished:  {false, false, false},
	}
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 100_000)
		n := 0
		for state, tt := range tests {
			for name, call := range map[string]struct {
				do      orders
				allowed bool
			}{"Pause": {s.Pause, tt.pause}, "Resume": {s.Resume, tt.resume}, "Cancel": {s.Cancel, tt.cancel}} {
				n++
				id := broadcastIn(t, s, fmt.Sprintf("brd_%d", n), botID, state)
				before, err := s.Broadcast(t.Context(), id)
				if err != nil || before.State != state {
					t.Fatalf("broadcast is %s, %v, want %s", before.State, err, state)
				}
				_, err = call.do(t.Context(), id, t0)
				if tt := call.allowed; tt && err != nil || !tt && fault.CodeOf(err) != "WRONG_STATE" {
					t.Errorf("%s of a broadcast that is %s error = %v, want allowed %v", name, state, err, tt)
				}
				after, err := s.Broadcast(t.Context(), id)
				if diff := cmp.Diff(before, after); err != nil || !call.allowed && diff != "" {
					t.Errorf("%s of a broadcast that is %s changed it, %v:\n%s", name, state, err, diff)
				}
			}
		}
		for name, do := range map[string]orders{"Seal": func(ctx context.Context, id broadcast.ID, now time.Time) (broadcast.Broadcast, error) {
			return s.Seal(ctx, id, broadcast.Sealing{}, now)
		}, "Pause": s.Pause, "Resume": s.Resume, "Cancel": s.Cancel} {
			if _, err := do(t.Context(), "brd_none", t0); fault.KindOf(err) != fault.NotFound {
				t.Errorf("%s of no broadcast error = %v, want NotFound", name, err)
			}
		}
	})
}

// broadcastIn makes a broadcast that is in a state.
func broadcastIn(t *testing.T, s *Store, id, botID string, state broadcast.State) broadcast.ID {
	t.Helper()
	if state == broadcast.Uploading {
		b := create(t, s, order(id, botID))
		upload(t, s, b.ID, 3)
		return b.ID
	}
	b := running(t, s, order(id, botID), 3)
	var err error
	switch state {
	case broadcast.Paused:
		_, err = s.Pause(t.Context(), b.ID, t0)
	case broadcast.Cancelled:
		_, err = s.Cancel(t.Context(), b.ID, t0)
	case broadcast.Finished:
		settle(t, s, sent(t, s, b.ID, 1, t0), 3, t0)
	case broadcast.Running, broadcast.Uploading:
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.ID
}

// More broadcasts than one call looks at can never be ended; one that can is all the same.
func TestRetireOver_brokenOnesInTheWay(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 3*price)
		o := order("", botID)
		o.ExpiresAt = t0.Add(time.Hour)
		for n := range overAtOnce {
			o.ID = broadcast.ID(fmt.Sprintf("brd_%02d", n))
			breakBroadcast(t, s, running(t, s, o, 1).ID)
		}
		o.ID = "brd_good"
		running(t, s, o, 1)
		for range 200 { // each picks it with a chance of 20 in 21
			if _, err := s.RetireOver(t.Context(), o.ExpiresAt); err == nil {
				t.Fatal("RetireOver() of broken broadcasts fails not at all")
			}
			if chunkOf(t, s, o.ID, 1).State == broadcast.Expired {
				return
			}
		}
		t.Errorf("chunk of %s = %s, want expired", o.ID, chunkOf(t, s, o.ID, 1).State)
	})
}

func TestRetireOver_expires(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		walletID, botID := shop(t, s, "1", 3*price)
		o := order("brd_1", botID)
		o.ExpiresAt = t0.Add(time.Hour)
		b := running(t, s, o, 3, 2)
		onItsWay := sent(t, s, b.ID, 1, t0)
		pausedOrder := o
		pausedOrder.ID = "brd_2"
		paused := running(t, s, pausedOrder, 4)
		if _, err := s.Pause(t.Context(), paused.ID, t0); err != nil {
			t.Fatal(err)
		}
		if more, err := s.RetireOver(t.Context(), o.ExpiresAt.Add(-time.Millisecond)); err != nil || more {
			t.Errorf("RetireOver before expiry = %v, %v, want false", more, err)
		}
		if more, err := s.RetireOver(t.Context(), o.ExpiresAt); err != nil || more {
			t.Errorf("RetireOver at expiry = %v, %v, want false: both are over", more, err)
		}
		if b := wantBroadcast(t, s, paused.ID); b.State != broadcast.Finished || b.Counts.Skipped != 4 {
			t.Errorf("paused broadcast = %s with %d skipped, want finished with 4", b.State, b.Counts.Skipped)
		}
		if b := wantBroadcast(t, s, b.ID); b.State != broadcast.Running || b.Counts.Skipped != 2 {
			t.Errorf("broadcast = %s with %d skipped, want running with 2: a result is missing", b.State, b.Counts.Skipped)
		}
		settle(t, s, onItsWay, 3, o.ExpiresAt)
		if b := wantBroadcast(t, s, b.ID); b.State != broadcast.Finished || b.Captured != 3*price {
			t.Errorf("broadcast = %s, captured %d, want finished, %d: what expired costs nothing", b.State, b.Captured, 3*price)
		}
		wantWallet(t, s, walletID)
	})
}
