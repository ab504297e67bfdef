package broadcast

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/kakao"
)

// PreviewPeople is how many people of an audience a preview shows.
const PreviewPeople = 3

// MaxNamed is how many people may be named to a preview or a test.
const MaxNamed = 10

// Preview is the Event API request of one person, apart from others of his chunk and without the bot's key.
type Preview struct {
	Person  Recipient
	Request kakao.SendRequest
}

// Preview returns what people would be sent as a request, made by what makes the real one: those who are
// named, or some of the audience, whom the seed chooses. A named person without properties has those of the
// audience; one who is not in it, or is given with properties, is filled in as an upload would. It is Invalid
// for one who lacks a word, and a Conflict when nobody is named and nobody was uploaded.
func (d *Desk) Preview(ctx context.Context, id ID, named []Recipient, seed uint64) ([]Preview, error) {
	b, err := d.readable(ctx, id)
	if err != nil {
		return nil, err
	}
	var people []member
	switch {
	case len(named) > MaxNamed:
		return nil, fault.Field("recipients", "must be at most %d people", MaxNamed)
	case len(named) > 0:
		people, err = d.named(ctx, b, named)
	case b.Counts.Audience == 0:
		return nil, fault.Coded(fault.Conflict, codeNobody, "broadcast %s has no recipients; upload them first, or name somebody", id)
	default:
		people, err = d.sample(ctx, b, PreviewPeople, rand.New(rand.NewPCG(seed, 0)))
	}
	if err != nil {
		return nil, err
	}
	previews := make([]Preview, len(people))
	for i, m := range people {
		work := Work{Chunk: Chunk{ID: m.chunk, BotID: b.BotID}, Message: b.Message, Side: b.Side, Recipients: []Recipient{m.person}}
		previews[i] = Preview{Person: m.person, Request: buildRequest(work)}
	}
	return previews, nil
}

// readable reads a broadcast whose message can be read.
func (d *Desk) readable(ctx context.Context, id ID) (Broadcast, error) {
	b, err := d.orders.Broadcast(ctx, id)
	if err == nil && b.Unreadable != "" {
		err = fault.New(fault.Conflict, "the stored message of broadcast %s cannot be read; cancel it and order it again", id)
	}
	return b, err
}

// member is a person in the chunk that he is sent with.
type member struct {
	person Recipient
	chunk  ChunkID
}

// named returns people as they would be sent to.
func (d *Desk) named(ctx context.Context, b Broadcast, people []Recipient) ([]member, error) {
	fill, err := b.Personal.filler()
	if err != nil {
		return nil, err
	}
	found := make([]member, len(people))
	for i, person := range people {
		if person.Properties == nil && person.Check() == nil {
			m, ok, err := d.inAudience(ctx, b.ID, person)
			if err != nil {
				return nil, err
			}
			if ok { // filled in before
				found[i] = m
				continue
			}
		}
		found[i].chunk = NewChunkID(b.ID, 1)
		if found[i].person, err = fill.inList(person, i); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// inAudience looks for a person in the audience of a broadcast.
func (d *Desk) inAudience(ctx context.Context, id ID, person Recipient) (m member, ok bool, err error) {
	for after := 0; ; {
		chunks, err := d.uploads.PastChunks(ctx, id, person.ID, after, pastChunks)
		if err != nil {
			return m, false, fmt.Errorf("look for somebody in broadcast %s: %w", id, err)
		}
		for _, c := range chunks {
			people, err := c.people()
			if err != nil {
				return m, false, err
			}
			for _, p := range people {
				if p.Type == person.Type && p.ID == person.ID {
					return member{p, c.ID}, true, nil
				}
			}
			after = c.Seq
		}
		if len(chunks) < pastChunks {
			return m, false, nil
		}
	}
}

// sample draws some of an audience, each person as likely as another. An audience of ten millions costs no
// more than one of thousands: it draws a place in a chunk until somebody stands there.
func (d *Desk) sample(ctx context.Context, b Broadcast, n int, dice *rand.Rand) ([]member, error) {
	first, err := d.uploads.PastChunks(ctx, b.ID, "", 0, 1)
	if err != nil || len(first) == 0 {
		return nil, err
	}
	chunks, drawn := map[int]PastChunk{}, map[[2]int]bool{}
	var people []member
	for len(people) < min(n, b.Counts.Audience) {
		place := [2]int{dice.IntN(b.Chunks), dice.IntN(MaxPeople)}
		c, known := chunks[place[0]]
		if !known {
			at, err := d.uploads.PastChunks(ctx, b.ID, "", first[0].Seq-1+place[0], 1)
			if err != nil {
				return nil, fmt.Errorf("draw somebody of broadcast %s: %w", b.ID, err)
			}
			if len(at) > 0 {
				c = at[0]
			}
			chunks[place[0]] = c
		}
		all, err := c.people()
		switch {
		case err != nil:
			return nil, err
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case place[1] < len(all) && !drawn[place]:
			drawn[place] = true
			people = append(people, member{all[place[1]], c.ID})
		}
	}
	return people, nil
}

// people reads the people of a chunk; one that is not there has none.
func (c PastChunk) people() (people []Recipient, err error) {
	if len(c.Recipients) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(c.Recipients, &people); err != nil {
		return nil, fmt.Errorf("read the people of chunk %s: %w", c.ID, err)
	}
	return people, nil
}
