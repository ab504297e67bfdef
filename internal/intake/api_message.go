package intake

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/store"
)

// messageView is a broadcast that has somebody in its audience, with what became of him.
type messageView struct {
	Broadcast broadcast.ID      `json:"broadcast"`
	Name      string            `json:"name"`
	Event     string            `json:"event"`
	Channel   broadcast.Side    `json:"channel"`
	Purpose   broadcast.Purpose `json:"purpose"`
	OrderedAt time.Time         `json:"ordered_at"`
	SentAt    time.Time         `json:"sent_at,omitzero" doc:"When Kakao took it"`
	personView
}

type messagesInput struct {
	ByID
	Person string    `query:"person" required:"true" minLength:"1" maxLength:"200" doc:"His id"`
	Type   string    `query:"type" maxLength:"32" doc:"Only ids of this type"`
	Since  time.Time `query:"since" doc:"Only broadcasts that were ordered at or after this time"`
	Paged
}

func (s *Server) addMessages() {
	add(s, operation{route: "GET /api/v1/bots/{id}/messages", id: "list-messages", group: "Broadcasts",
		summary: "List what a bot has sent to a person, or means to, and what became of it, newest broadcast first", errors: []int{http.StatusNotFound}}, s.listMessages)
}

// listMessages lists what somebody gets of a bot. A page ends where a step of the search does: it may be empty
// and not be the last.
func (s *Server) listMessages(ctx context.Context, in *messagesInput) (*body[page[messageView]], error) {
	var from store.MessageMark
	if err := in.after(&from); err != nil {
		return nil, err
	}
	found, next, err := s.services.Explain.Messages(ctx, in.ID, in.Person, in.Since, from, in.Limit)
	if err != nil {
		return nil, err
	}
	list := page[messageView]{Items: []messageView{}}
	for _, c := range found {
		people, err := peopleOf(c.ChunkPeople)
		if err != nil {
			return nil, fmt.Errorf("read the people of chunk %s: %w", c.Chunk.ID, err)
		}
		for _, p := range people {
			if p.ID == in.Person && (in.Type == "" || p.Type == in.Type) {
				list.Items = append(list.Items, messageView{Broadcast: c.BroadcastID, Name: c.Name, Event: c.Event, Channel: c.Side,
					Purpose: c.Purpose, OrderedAt: c.OrderedAt, SentAt: c.Chunk.SentAt, personView: p})
			}
		}
	}
	if next != nil {
		if list.Next, err = cursorOf(next); err != nil {
			return nil, err
		}
	}
	return reply(list), nil
}
