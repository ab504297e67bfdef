package intake

import (
	"context"
	"encoding/json"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/store"
	"github.com/malgil/malgil/internal/wallet"
)

// personView is one person of a broadcast.
type personView struct {
	Type    string            `json:"type"`
	ID      string            `json:"id"`
	Chunk   broadcast.ChunkID `json:"chunk"`
	Outcome string            `json:"outcome" doc:"delivered, failed, undetermined (some in the chunk failed, and Kakao does not say, or not for certain, who), in_doubt, skipped, or waiting"`
	Error   int               `json:"error_type,omitempty" doc:"Kakao's number"`
	Message string            `json:"message,omitempty" doc:"Why it failed, in Kakao's words or ours"`
	Price   wallet.KRW        `json:"captured_krw,omitempty" doc:"What was captured for a delivered message"`
	Posting string            `json:"posting,omitempty" doc:"The capture, as kind/ref"`
}

type peopleInput struct {
	PageByID
	Chunk  string `query:"chunk" maxLength:"64" doc:"Only the people of this chunk"`
	Type   string `query:"type" maxLength:"32" doc:"Only ids of this type, with person"`
	Person string `query:"person" maxLength:"200" doc:"Only this id"`
}

// peopleChunks is how many chunks are looked at in one call that looks for one person: of those that
// hold a like text, nearly always one.
const peopleChunks = 20

// listPeople lists people chunk by chunk: a page ends with a chunk.
func (s *Server) listPeople(ctx context.Context, in *peopleInput) (*body[page[personView]], error) {
	var after int
	if err := in.after(&after); err != nil {
		return nil, err
	}
	limit := max(in.Limit/broadcast.MaxPeople, 1)
	if in.Person != "" {
		limit = peopleChunks
	}
	chunks, err := s.services.Explain.People(ctx, broadcast.ID(in.ID), store.PeopleFilter{After: after, Chunk: in.Chunk, Person: in.Person}, limit+1)
	if err != nil {
		return nil, err
	}
	list := page[personView]{Items: []personView{}}
	for i, c := range chunks {
		if i == limit {
			if list.Next, err = cursorOf(chunks[i-1].Chunk.Seq); err != nil {
				return nil, err
			}
			break
		}
		people, err := peopleOf(c)
		if err != nil {
			return nil, err
		}
		for _, p := range people {
			if in.Person == "" || p.ID == in.Person && (in.Type == "" || p.Type == in.Type) {
				list.Items = append(list.Items, p)
			}
		}
	}
	return reply(list), nil
}

// peopleOf tells what became of everybody in a chunk.
func peopleOf(c store.ChunkPeople) ([]personView, error) {
	var recipients []broadcast.Recipient
	if err := json.Unmarshal(c.Recipients, &recipients); err != nil {
		return nil, err
	}
	outcome, message := outcomeOf(c.Chunk)
	var named map[int]kakao.SendFailure
	if certain := true; c.Chunk.State == broadcast.Settled {
		if named, certain = broadcast.FailedIn(c.Result, c.Chunk.Failed, recipients); !certain {
			outcome = undetermined
		}
	}
	people := make([]personView, len(recipients))
	for i, r := range recipients {
		p := personView{Type: r.Type, ID: r.ID, Chunk: c.Chunk.ID, Outcome: outcome, Message: message}
		if f, failed := named[i]; failed {
			p.Outcome, p.Error, p.Message = "failed", f.ErrorType, f.Message
		}
		if p.Outcome == "delivered" && c.Captured {
			p.Price, p.Posting = c.Price, string(wallet.Capture)+"/"+string(c.Chunk.ID)
		}
		people[i] = p
	}
	return people, nil
}

// undetermined is the outcome of people of a chunk some of whom failed, and nobody knows who.
const undetermined = "undetermined"

// outcomeOf returns what became of those people of a chunk whom Kakao does not name.
func outcomeOf(c store.ChunkView) (outcome, message string) {
	switch c.State {
	case broadcast.Settled:
		if c.Unknown > 0 {
			return undetermined, ""
		}
		return "delivered", ""
	case broadcast.Rejected, broadcast.Parked:
		return "failed", c.Error
	case broadcast.InDoubt:
		return "in_doubt", c.Error
	case broadcast.Expired, broadcast.ChunkCancelled:
		if c.LeftOut != "" {
			return "skipped", string(c.LeftOut)
		}
		return "skipped", string(c.State)
	case broadcast.Planned, broadcast.Queued, broadcast.Sending, broadcast.Sent:
	}
	return "waiting", string(c.State)
}
