package intake

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/wallet"
)

const eventsRoute = "GET /api/v1/broadcasts/{id}/events"

const (
	streamsAtOnce  = 200              // of one process
	streamsEach    = 20               // of them for one person, or one token that stands for nobody
	streamTime     = 15 * time.Minute // then a watcher comes again, and whether he may is asked again
	streamPatience = 10 * time.Second // for a watcher to take what is written
	heartbeat      = 15 * time.Second
)

// progressView is how a broadcast goes.
type progressView struct {
	Broadcast  broadcast.ID    `json:"broadcast"`
	At         time.Time       `json:"at"`
	State      broadcast.State `json:"state"`
	Wait       *waitView       `json:"wait,omitempty"`
	Note       string          `json:"note,omitempty"`
	Counts     countsView      `json:"counts"`
	Progress   float64         `json:"progress" doc:"Share of the audience that has an outcome, 0 to 1"`
	Rate       float64         `json:"people_per_second" doc:"Outcomes a second, over the last half minute"`
	Over       time.Time       `json:"over_at,omitzero" doc:"When everybody has an outcome at that rate; left out while nothing moves"`
	Cost       costSoFar       `json:"cost"`
	FinishedAt time.Time       `json:"finished_at,omitzero"`
}

type costSoFar struct {
	Captured wallet.KRW `json:"captured_krw" doc:"Supply value of what was delivered"`
	VAT      wallet.KRW `json:"vat_krw" doc:"On it, if it were paid for alone"`
	Held     wallet.KRW `json:"held_krw" doc:"For messages whose outcome is open"`
}

func (s *Server) addEvents() {
	add(s, operation{route: eventsRoute, id: "watch-broadcast", group: "Broadcasts", summary: "How a broadcast goes, as server-sent events until it is over",
		errors: []int{http.StatusNotFound, http.StatusTooManyRequests}}, s.watchBroadcast)
	_, path, _ := strings.Cut(eventsRoute, " ")
	api := s.api.OpenAPI()
	api.Paths[path].Get.Responses["200"].Content = map[string]*huma.MediaType{
		eventStream: {Schema: api.Components.Schemas.Schema(reflect.TypeFor[progressView](), true, "")},
	}
}

const eventStream = "text/event-stream"

// stream is an answer that goes on.
type stream struct{ Body func(huma.Context) }

type watchInput struct {
	ByID
	Last string `header:"Last-Event-ID" maxLength:"64" doc:"Changes nothing: every event tells all"`
}

func (s *Server) watchBroadcast(ctx context.Context, in *watchInput) (*stream, error) {
	id := broadcast.ID(in.ID)
	if _, err := s.services.Read.Broadcast(ctx, id); err != nil {
		return nil, err
	}
	one, leave, err := s.feeds.join(id, actorOf(ctx))
	if err != nil {
		return nil, err
	}
	return &stream{Body: func(c huma.Context) {
		defer leave()
		c.SetHeader("Content-Type", eventStream)
		c.SetHeader("X-Accel-Buffering", "no") // a proxy that gathers answers would keep the events back
		out := eventWriter{c.BodyWriter().(http.ResponseWriter)}
		s.tell(c.Context(), one, out)
	}}, nil
}

// tell writes what there is to tell of a broadcast until it is over, the watcher is gone, his time is, or the
// server stops.
func (s *Server) tell(ctx context.Context, one *feed, out eventWriter) {
	if out.write("retry: 2000\n\n") != nil {
		return
	}
	beat := time.NewTicker(s.heartbeat)
	defer beat.Stop()
	var told *progressView
	for {
		latest, changed := s.feeds.read(one)
		if latest != told {
			told = latest
			if out.event("progress", told.At, told) != nil {
				return
			}
			if !told.FinishedAt.IsZero() {
				_ = out.event("end", told.At, struct{}{}) // nobody to tell when it fails
				return
			}
		}
		select {
		case <-changed:
		case <-beat.C:
			if out.write(": still here\n\n") != nil {
				return
			}
		case <-ctx.Done():
			return
		case <-s.feeds.ended:
			return
		}
	}
}

// progressOf looks at a broadcast.
func (s *Server) progressOf(ctx context.Context, id broadcast.ID, p *broadcast.Pulse) (progressView, error) {
	b, err := s.readBroadcast(ctx, id)
	if err != nil {
		return progressView{}, err
	}
	held, err := s.services.Read.HeldBy(ctx, id)
	if err != nil {
		return progressView{}, err
	}
	full, now := viewBroadcast(b), s.config.Now()
	view := progressView{
		Broadcast: id, At: now, State: b.State, Wait: full.Wait, Note: b.Note, Counts: full.Counts, Progress: full.Progress,
		Cost: costSoFar{Captured: b.Captured, VAT: wallet.VAT(b.Captured), Held: held}, FinishedAt: b.FinishedAt,
	}
	view.Rate, view.Over = p.Look(b, now)
	return view, nil
}

// eventWriter writes server-sent events, each at once. A watcher who does not take them is dropped.
type eventWriter struct{ to http.ResponseWriter }

func (w eventWriter) event(name string, at time.Time, data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("encode an event: %w", err)
	}
	return w.write(fmt.Sprintf("id: %d\nevent: %s\ndata: %s\n\n", at.UnixMilli(), name, text))
}

func (w eventWriter) write(text string) error {
	beSlow(w.to, streamPatience)
	if _, err := w.to.Write([]byte(text)); err != nil {
		return err
	}
	return http.NewResponseController(w.to).Flush()
}
