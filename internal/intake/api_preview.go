package intake

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/malgil/malgil/internal/broadcast"
)

type previewBroadcastInput struct {
	ByID
	Body struct {
		Seed       uint64          `json:"seed,omitempty" maximum:"9007199254740991" doc:"Shows the people whom an earlier preview with this seed showed; others each time, when left out"`
		Recipients []recipientView `json:"recipients,omitempty" maxItems:"10" nullable:"false" doc:"Who is shown; without properties, with those of the audience. Three people of the audience by chance, when left out"`
	}
}

type previewView struct {
	Seed     uint64        `json:"seed,omitempty"`
	Requests []requestView `json:"requests" nullable:"false"`
}

// requestView is a request to Kakao of one person; others of his chunk share it.
type requestView struct {
	Method string          `json:"method"`
	Path   string          `json:"path"`
	Body   json.RawMessage `json:"body" doc:"As Kakao gets it"`
}

// previewBroadcast shows requests as they will be, but for the people who share them and the bot's key.
func (s *Server) previewBroadcast(ctx context.Context, in *previewBroadcastInput) (*body[previewView], error) {
	view := previewView{Seed: in.Body.Seed, Requests: []requestView{}}
	if view.Seed == 0 && len(in.Body.Recipients) == 0 {
		view.Seed = uint64(s.config.Now().UnixMilli())
	}
	previews, err := s.services.Broadcasts.Preview(ctx, broadcast.ID(in.ID), recipientsOf(in.Body.Recipients), view.Seed)
	if err != nil {
		return nil, err
	}
	for _, p := range previews {
		path, text, err := p.Request.Written()
		if err != nil {
			return nil, err
		}
		view.Requests = append(view.Requests, requestView{Method: http.MethodPost, Path: path, Body: text})
	}
	return reply(view), nil
}

func recipientsOf(views []recipientView) []broadcast.Recipient {
	people := make([]broadcast.Recipient, len(views))
	for i, p := range views {
		people[i] = broadcast.Recipient(p)
	}
	return people
}

type testInput struct {
	ByID
	Keyed
	RawBody []byte
	Body    struct {
		Recipients []recipientView `json:"recipients" minItems:"1" maxItems:"10" nullable:"false" doc:"Who gets it; without properties, with those of the audience"`
	}
}

type testView struct {
	broadcastView
	Cost quoteView `json:"cost" doc:"What it costs when everybody gets it"`
}

func (s *Server) testBroadcast(ctx context.Context, in *testInput) (*created[testView], error) {
	r, err := in.request(ctx, "test "+in.ID, in.RawBody)
	if err != nil {
		return nil, err
	}
	b, err := s.services.Broadcasts.Test(ctx, broadcast.TestOrder{Of: broadcast.ID(in.ID), People: recipientsOf(in.Body.Recipients), By: actorOf(ctx)}, r)
	if err != nil {
		return nil, err
	}
	return &created[testView]{Location: "/api/v1/broadcasts/" + string(b.ID), Body: testView{viewBroadcast(b), quoteAt(b.Counts.Audience, b.Price)}}, nil
}
