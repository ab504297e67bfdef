package broadcast

import (
	"slices"

	"github.com/malgil/malgil/internal/kakao"
)

// PastChunk is a chunk with its people and what became of it.
type PastChunk struct {
	ID         ChunkID
	Seq        int
	State      ChunkState
	Recipients []byte // JSON array of [Recipient]
	Result     []byte // Kakao's answer, raw JSON, or empty
	Failed     int    // people who count as failed
	Evident    int    // people whose skill calls say that Kakao took their message
}

// Named tells whom of a chunk's people Kakao names as failed, by their places, with the first thing that it says of
// each. A name is somebody's by its type and id. It is nobody's who is not in the chunk; nor, without a type, that of
// two people with one id.
func Named(failures []kakao.SendFailure, people []Recipient) map[int]kakao.SendFailure {
	if len(failures) == 0 {
		return nil
	}
	places := make(map[string][]int, len(people))
	for i, p := range people {
		places[p.ID] = append(places[p.ID], i)
	}
	named := make(map[int]kakao.SendFailure, len(failures))
	for _, f := range failures {
		his := places[f.UserID]
		if slices.Contains(recipientTypes, f.UserType) {
			his = slices.DeleteFunc(slices.Clone(his), func(i int) bool { return people[i].Type != f.UserType })
		}
		if len(his) != 1 {
			continue
		}
		if _, again := named[his[0]]; !again {
			named[his[0]] = f
		}
	}
	return named
}

// FailedIn tells for certain who failed in a chunk that is settled with so many people failed, as [Named] does. Where
// Kakao's answer names more or fewer, since a person or a correction has said otherwise, nobody can tell, and certain is
// false.
func FailedIn(result []byte, failed int, people []Recipient) (named map[int]kakao.SendFailure, certain bool) {
	named = Named(kakao.Failures(result), people)
	if len(named) != failed {
		return nil, false
	}
	return named, true
}

// missed tells who of a chunk's people certainly has not got the message, by their places: whom Kakao names, with what
// it says of them, and everybody in a chunk that was refused or never sent. Kakao's word that somebody failed stands
// against a skill call of his when that call is what failed; where there are more skill calls than that explains, it is
// nobody.
func (c PastChunk) missed(people []Recipient) map[int]kakao.SendFailure {
	switch c.State {
	case Settled:
		named, _ := FailedIn(c.Result, c.Failed, people)
		unasked := 0
		for _, f := range named {
			if f.ErrorType != kakao.SkillFailed {
				unasked++
			}
		}
		if c.Evident > len(people)-unasked {
			return nil
		}
		return named
	case Rejected, Expired, ChunkCancelled:
		if c.Evident > 0 {
			return nil
		}
		all := make(map[int]kakao.SendFailure, len(people))
		for i := range people {
			all[i] = kakao.SendFailure{}
		}
		return all
	case Planned, Queued, Sending, Sent, InDoubt, Parked:
	}
	return nil
}

// reached returns the people of a chunk who have the message, or may have it: all who were sent to but those who
// certainly did not get it.
func (c PastChunk) reached() ([]Recipient, error) {
	if c.State == Planned || c.State == Queued || c.State == Parked {
		return nil, nil
	}
	people, err := c.people()
	if err != nil {
		return nil, err
	}
	missed := c.missed(people)
	kept := people[:0]
	for i, p := range people {
		if _, is := missed[i]; !is {
			kept = append(kept, p)
		}
	}
	return kept, nil
}
