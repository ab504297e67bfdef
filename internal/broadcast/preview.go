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
	known, err := d.inAudience(ctx, b.ID, people)
	if err != nil {
		return nil, err
	}
	found := make([]member, len(people))
	for i, person := range people {
		if m, ok := known[keyOf(person)]; ok && person.Properties == nil { // filled in before
			found[i] = m
			continue
		}
		found[i].chunk = NewChunkID(b.ID, 1)
		if found[i].person, err = fill.inList(person, i); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// inAudience looks for people who are named without properties in the audience of a broadcast, for all of them at once.
func (d *Desk) inAudience(ctx context.Context, id ID, named []Recipient) (map[personKey]member, error) {
	var ids []string
	sought, found := crowd{}, map[personKey]member{}
	for _, p := range named {
		if p.Properties == nil && p.Check() == nil {
			ids, sought[keyOf(p)] = append(ids, p.ID), struct{}{}
		}
	}
	for after := 0; len(found) < len(sought); {
		chunks, err := d.uploads.PastChunks(ctx, id, ids, after, pastChunks)
		if err != nil {
			return nil, fmt.Errorf("look for people in broadcast %s: %w", id, err)
		}
		for _, c := range chunks {
			people, err := c.people()
			if err != nil {
				return nil, err
			}
			for _, p := range people {
				if _, is := sought[keyOf(p)]; is {
					found[keyOf(p)] = member{p, c.ID}
				}
			}
			after = c.Seq
		}
		if len(chunks) < pastChunks {
			break
		}
	}
	return found, nil
}

const (
	// readWhole is how many chunks are read to draw from; an audience that has fewer is there whole then.
	readWhole = 5
	// maxDraws bounds how often a place is drawn of which nobody can know whether somebody stands there.
	maxDraws = 1000
)

// sample draws some of an audience, nobody twice, all of one that has no more. An audience of ten millions costs no
// more than one of thousands: it draws a place in a chunk until somebody stands there, so each person is as likely as
// another. Where chunks are nearly empty, that may take too long; then it makes do with people of the first.
func (d *Desk) sample(ctx context.Context, b Broadcast, n int, dice *rand.Rand) ([]member, error) {
	first, err := d.uploads.PastChunks(ctx, b.ID, nil, 0, readWhole)
	if err != nil || len(first) == 0 {
		return nil, err
	}
	chunks := map[int][]member{}
	var beginning, drawn []member
	for _, c := range first {
		if chunks[c.Seq], err = c.members(); err != nil {
			return nil, err
		}
		beginning = append(beginning, chunks[c.Seq]...)
	}
	there := crowd{}
	draw := func(m member) {
		if _, twice := there[keyOf(m.person)]; !twice && len(drawn) < n {
			there[keyOf(m.person)] = struct{}{}
			drawn = append(drawn, m)
		}
	}
	for tries := 0; len(first) == readWhole && tries < maxDraws && len(drawn) < n; tries++ {
		seq, place := first[0].Seq+dice.IntN(max(b.Chunks, readWhole)), dice.IntN(MaxPeople)
		people, known := chunks[seq]
		if !known {
			if people, err = d.membersAt(ctx, b.ID, seq); err != nil {
				return nil, fmt.Errorf("draw somebody of broadcast %s: %w", b.ID, err)
			}
			chunks[seq] = people
		}
		if place < len(people) {
			draw(people[place])
		}
	}
	for _, place := range dice.Perm(len(beginning)) {
		draw(beginning[place])
	}
	return drawn, nil
}

// membersAt reads the people of one chunk of an audience, nobody where it has no such chunk.
func (d *Desk) membersAt(ctx context.Context, id ID, seq int) ([]member, error) {
	at, err := d.uploads.PastChunks(ctx, id, nil, seq-1, 1)
	if err != nil || len(at) == 0 || at[0].Seq != seq {
		return nil, err
	}
	return at[0].members()
}

// members returns the people of a chunk, each with where he stands.
func (c PastChunk) members() ([]member, error) {
	people, err := c.people()
	all := make([]member, len(people))
	for i, p := range people {
		all[i] = member{p, c.ID}
	}
	return all, err
}

// people reads the people of a chunk.
func (c PastChunk) people() (people []Recipient, err error) {
	if err := json.Unmarshal(c.Recipients, &people); err != nil {
		return nil, fmt.Errorf("read the people of chunk %s: %w", c.ID, err)
	}
	return people, nil
}
