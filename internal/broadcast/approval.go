package broadcast

import (
	"context"
	"time"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/wallet"
)

// held returns a broadcast that was just let go, held back where its cost asks for a second person.
func (c Checks) held(b Broadcast) Broadcast {
	if c.ApproveAbove > 0 && b.Price*wallet.KRW(b.Counts.Audience) > c.ApproveAbove {
		b.State, b.Wait, b.WaitUntil = Paused, WaitApproval, time.Time{}
	}
	return b
}

// Priced returns a new broadcast at its price: one that has its people already may have to be approved.
func (c Checks) Priced(b Broadcast, price wallet.KRW) Broadcast {
	b.Price = price
	if b.State == Running {
		return c.held(b)
	}
	return b
}

// AtOnce is a Conflict for an order that may not wait and that a second person has to approve.
func (c Checks) AtOnce(b Broadcast, price wallet.KRW) error {
	if c.Priced(b, price).Wait == WaitApproval {
		return fault.Coded(fault.Conflict, "APPROVAL_NEEDED", "it costs so much that a second person has to approve it, and cannot wait for one; order a broadcast")
	}
	return nil
}

// Approve lets a broadcast go that waits for a second person, or leaves it paused where somebody has paused it; approved again it changes nothing. issuer is who made
// the token that sealed it, where one did that stands for nobody. It is a Conflict when it does not wait for one, and
// Forbidden to who sealed it or made that token, to a token that stands for nobody, and to everybody where nobody is
// known to have ordered it.
func (b *Broadcast) Approve(by, issuer string, now time.Time) error {
	switch {
	case b.ApprovedBy != "":
		return nil
	case b.Wait != WaitApproval:
		return fault.Coded(fault.Conflict, "WRONG_STATE", "broadcast %s is %s and waits for no approval", b.ID, b.State)
	case by == "":
		return fault.New(fault.Forbidden, "a person approves: use a token that stands for one")
	case b.SealedBy == "":
		return fault.New(fault.Forbidden, "nobody knows who ordered broadcast %s, so nobody can be a second person: cancel it, and order it again", b.ID)
	case by == b.SealedBy:
		return fault.New(fault.Forbidden, "you ordered broadcast %s, so another person has to approve it; you may cancel it", b.ID)
	case by == issuer:
		return fault.New(fault.Forbidden, "a token that you made ordered broadcast %s, so another person has to approve it; you may cancel it", b.ID)
	}
	b.ApprovedBy, b.ApprovedAt = by, now
	if b.StayPaused {
		b.StayPaused, b.Wait, b.Note = false, WaitPaused, "it was paused before it was approved; resume it"
		return nil
	}
	b.State, b.Wait, b.WaitUntil = Running, NotWaiting, time.Time{}
	if b.StartAt.After(now) {
		b.Wait, b.WaitUntil = WaitScheduled, b.StartAt
	}
	return nil
}

// PauseApproval is the pause of one that waits for approval, which then stays paused when it is approved. It does
// nothing to another.
func (b *Broadcast) PauseApproval() {
	if b.Wait == WaitApproval {
		b.StayPaused, b.Note = true, "somebody paused it: approved, it stays paused until it is resumed"
	}
}

// Approve is [Broadcast.Approve] by an account; who does not approve cancels it.
func (d *Desk) Approve(ctx context.Context, id ID, account string) (Broadcast, error) {
	return d.orders.Approve(ctx, id, account, d.now())
}
