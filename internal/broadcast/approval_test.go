package broadcast

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/wallet"
)

// What costs more than is allowed to one person waits for another, sealed or ordered with its people.
func TestChecks_approval(t *testing.T) {
	for name, tt := range map[string]struct {
		above wallet.KRW
		waits bool
	}{"never": {0, false}, "below": {1499, true}, "at it": {1500, false}, "above": {1501, false}} {
		c := Checks{ApproveAbove: tt.above}
		b := Broadcast{ID: "brd", State: Uploading, Counts: Counts{Audience: 100}}
		sealed, err := c.Sealed(b, 15, Sealing{By: "acc_1"}, start)
		if err != nil {
			t.Fatal(err)
		}
		b.State = Running
		for what, got := range map[string]Broadcast{"Sealed": sealed, "Priced": c.Priced(b, 15)} {
			if waits := got.State == Paused && got.Wait == WaitApproval; waits != tt.waits || got.Price != 15 {
				t.Errorf("%s %s = %s, waits for %q at %d KRW, want approval %v at 15", name, what, got.State, got.Wait, got.Price, tt.waits)
			}
		}
		if refused := fault.CodeOf(c.AtOnce(b, 15)) == "APPROVAL_NEEDED"; refused != tt.waits {
			t.Errorf("%s: AtOnce refused it = %v, want %v", name, refused, tt.waits)
		}
		b.State = Uploading
		if got := c.Priced(b, 15); got.State != Uploading {
			t.Errorf("%s: Priced without people = %s, want uploading", name, got.State)
		}
	}
}

func TestBroadcast_Approve(t *testing.T) {
	waiting := Broadcast{ID: "brd", State: Paused, Wait: WaitApproval, SealedBy: "acc_1", StartAt: start}
	tests := map[string]struct {
		change func(*Broadcast)
		by     string
		kind   fault.Kind
		wait   Wait
	}{
		"another person":           {func(*Broadcast) {}, "acc_2", 0, NotWaiting},
		"the one who sealed it":    {func(*Broadcast) {}, "acc_1", fault.Forbidden, WaitApproval},
		"nobody":                   {func(*Broadcast) {}, "", fault.Forbidden, WaitApproval},
		"who made the token":       {func(b *Broadcast) { b.SealedBy = "tok_1" }, "acc_9", fault.Forbidden, WaitApproval},
		"who made another":         {func(b *Broadcast) { b.SealedBy = "tok_1" }, "acc_2", 0, NotWaiting},
		"of nobody known":          {func(b *Broadcast) { b.SealedBy = "" }, "acc_2", fault.Forbidden, WaitApproval},
		"before its start":         {func(b *Broadcast) { b.StartAt = start.Add(time.Hour) }, "acc_2", 0, WaitScheduled},
		"one that a person paused": {func(b *Broadcast) { b.PauseApproval() }, "acc_2", 0, WaitPaused},
		"one that a person holds":  {func(b *Broadcast) { b.Wait = WaitPaused }, "acc_2", fault.Conflict, WaitPaused},
		"one that runs":            {func(b *Broadcast) { b.State, b.Wait = Running, NotWaiting }, "acc_2", fault.Conflict, NotWaiting},
		"one that is cancelled":    {func(b *Broadcast) { b.State, b.Wait = Cancelled, NotWaiting }, "acc_2", fault.Conflict, NotWaiting},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := waiting
			tt.change(&b)
			before := b
			err := b.Approve(tt.by, "acc_9", start)
			if (err != nil) != (tt.kind != 0) || err != nil && fault.KindOf(err) != tt.kind || b.Wait != tt.wait {
				t.Fatalf("Approve = %v, it waits for %q; want kind %v and %q", err, b.Wait, tt.kind, tt.wait)
			}
			if err != nil && cmp.Diff(before, b) != "" {
				t.Errorf("a refused Approve changed it (-before +after):\n%s", cmp.Diff(before, b))
			}
			if state := map[bool]State{true: Paused, false: Running}[tt.wait == WaitPaused]; err == nil && (b.State != state || b.ApprovedBy != tt.by || !b.ApprovedAt.Equal(start)) {
				t.Errorf("approved it is %s by %q at %v, want %s by %q now", b.State, b.ApprovedBy, b.ApprovedAt, state, tt.by)
			}
			if again := b; err == nil && (again.Approve("acc_3", "", start.Add(time.Hour)) != nil || cmp.Diff(again, b) != "") {
				t.Errorf("approved again it changed (-again +before):\n%s", cmp.Diff(again, b))
			}
		})
	}
	b := waiting
	if err := b.Resume(start); fault.CodeOf(err) != "APPROVAL_NEEDED" || b.State != Paused {
		t.Errorf("Resume = %v, %s, want APPROVAL_NEEDED", err, b.State)
	}
}
