package broadcast

import (
	"context"
	"fmt"

	"github.com/malgil/malgil/internal/fault"
)

// TestOrder asks for a broadcast's message to be sent to a few people beforehand.
type TestOrder struct {
	Of     ID
	People []Recipient // 1 to [MaxNamed], as in [Desk.Preview]
	By     string      // who orders it, as in [Sealing]
}

// Test sends the message of a broadcast now to a few people, as a broadcast of its own that names the other,
// whatever state that is in. It is paid for, and refused for whatever keeps it from going now, as
// [Desk.SendAtOnce] is. The people stay in the other's audience. Repeating it with the same request is safe.
func (d *Desk) Test(ctx context.Context, o TestOrder, r Request) (Broadcast, error) {
	if b, repeated, err := d.orders.RepeatedBroadcast(ctx, r); err != nil || repeated {
		return b, err // whatever has become of the other and its audience
	}
	of, err := d.readable(ctx, o.Of)
	if err != nil {
		return Broadcast{}, err
	}
	test, people, err := d.test(ctx, of, o)
	if err != nil {
		return Broadcast{}, err
	}
	return d.SendAtOnce(ctx, test, people, r)
}

// test is the order of a test, and its people filled in.
func (d *Desk) test(ctx context.Context, of Broadcast, by TestOrder) (o Order, people []Recipient, err error) {
	if len(by.People) > MaxNamed {
		return o, nil, fault.Field("recipients", "must be at most %d people; a test is for a few", MaxNamed)
	}
	found, err := d.named(ctx, of, by.People)
	if err != nil {
		return o, nil, fmt.Errorf("fill in a test of %s: %w", of.ID, err)
	}
	for _, m := range found {
		people = append(people, m.person)
	}
	return Order{BotID: of.BotID, Side: of.Side, Name: of.Name, Message: of.Message, OnDoubt: of.OnDoubt, Purpose: of.Purpose, TestOf: of.ID, By: by.By}, people, nil
}
