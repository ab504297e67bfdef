package broadcast

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/id"
)

// SendAtOnce stores one call of the Event API as it is: one chunk of at most [MaxPeople] recipients,
// whatever their kinds, sealed, that starts at once. Nobody may stand in it twice, and rooms not
// beside people. As its caller has no way to see it wait, it is refused for whatever keeps it from
// going now: see [Orders]. Repeating it with the same request is safe.
//
// [ID.Receipt] of the broadcast is the receipt of the call.
func (d *Desk) SendAtOnce(ctx context.Context, o Order, people []Recipient, r Request) (Broadcast, error) {
	if err := checkCall(people); err != nil {
		return Broadcast{}, err
	}
	o.asIs = true
	b, err := d.check(o)
	if err != nil {
		return Broadcast{}, err
	}
	text, err := json.Marshal(people)
	if err != nil {
		return Broadcast{}, fmt.Errorf("pack a call: %w", err)
	}
	b.ID = ID(id.ForUUID(string(b.ID)))
	chunk := Packed{Seq: 1, People: len(people), Recipients: string(text)}
	b = b.sealedWith([]Packed{chunk}, Report{Audience: len(people)}, o.By)
	if b, err = d.orders.CreateAtOnce(ctx, b, chunk, r); err != nil {
		return Broadcast{}, fmt.Errorf("create broadcast: %w", err)
	}
	return b, nil
}

// checkCall says what is wrong with the recipients of one call.
func checkCall(people []Recipient) error {
	if len(people) < 1 || len(people) > MaxPeople {
		return fault.Field("recipients", "has %d entries; one call takes 1 to %d", len(people), MaxPeople)
	}
	first := make(map[[2]string]int, len(people))
	for i, p := range people {
		if err := p.Check(); err != nil {
			return fault.Field(fmt.Sprintf("recipients[%d].%s", i, err.Field), "%s", err.Message)
		}
		if (p.Type == Room) != (people[0].Type == Room) {
			return fault.Field(fmt.Sprintf("recipients[%d].type", i), "mixes rooms and people; send to each in a call of their own")
		}
		key := [2]string{p.Type, p.ID}
		if before, twice := first[key]; twice {
			return fault.Field(fmt.Sprintf("recipients[%d]", i), "is in this call already, as entry %d; name everybody once", before)
		}
		first[key] = i
	}
	return nil
}

// sealedWith returns a new broadcast with its audience, sealed by somebody: see [Sealing].
func (b Broadcast) sealedWith(chunks []Packed, r Report, by string) Broadcast {
	b.UploadEpoch, b.AudienceEpoch, b.Chunks = 1, 1, len(chunks)
	b.Counts.Audience, b.Counts.Duplicates = r.Audience, r.Duplicates
	b.Watch.CanarySeq, b.SealedBy = r.CanaryChunks, by
	return b.Seal(b.CreatedAt)
}

// Receipt names a broadcast of one chunk to whoever speaks the Event API, as Kakao's taskId does a
// request: it is a UUID, and leads back to the broadcast.
func (b ID) Receipt() string { return id.UUID(string(b)) }

// OfReceipt returns the broadcast that a receipt names; ok is false for any other text. Whether there
// is such a broadcast is not known.
func OfReceipt(receipt string) (broadcast ID, ok bool) {
	text, ok := id.OfUUID("brd", receipt)
	return ID(text), ok
}
