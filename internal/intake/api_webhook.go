package intake

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/store"
	"github.com/malgil/malgil/internal/webhook"
)

type webhookView struct {
	ID        string          `json:"id"`
	Bot       string          `json:"bot"`
	URL       string          `json:"url" doc:"Whole for those who may change it; for others scheme, host and a short hash of the rest"`
	Events    []webhook.Event `json:"events"`
	MinPeople int             `json:"min_people" doc:"Broadcasts to fewer people are not told of"`
	CreatedAt time.Time       `json:"created_at"`
	Dropped   int             `json:"dropped" doc:"Deliveries that were given up because too many waited"`
	DroppedAt time.Time       `json:"dropped_at,omitzero" doc:"When that happened last"`
}

// viewWebhook shows a webhook to somebody who may change it, or who may not.
func viewWebhook(h webhook.Hook, keeps bool) webhookView {
	if !keeps {
		h.URL = h.Shown()
	}
	return webhookView{ID: h.ID, Bot: h.BotID, URL: h.URL, Events: h.Events, MinPeople: h.MinPeople, CreatedAt: h.CreatedAt,
		Dropped: h.Dropped, DroppedAt: h.DroppedAt}
}

// keepsBot reports whether the caller may change the webhooks of a bot.
func (s *Server) keepsBot(ctx context.Context, botID string) (bool, error) {
	if !principalOf(ctx).Can(access.Admin) {
		return false, nil
	}
	err := s.permit(ctx, access.KeepBot, access.OfBot, botID)
	switch fault.KindOf(err) {
	case fault.NotFound, fault.Forbidden:
		return false, nil
	}
	return err == nil, err
}

type madeWebhook struct {
	webhookView
	Secret string `json:"secret" doc:"Deliveries are signed with it; it is shown this once"`
}

type deliveryView struct {
	ID        string          `json:"id"`
	Event     webhook.Event   `json:"event"`
	State     webhook.State   `json:"state" doc:"waiting for its first or next try, sending, delivered, or failed: given up"`
	Attempts  int             `json:"attempts"`
	NextAt    time.Time       `json:"next_try_at,omitzero"`
	Status    int             `json:"status,omitempty" doc:"HTTP status of the last try; left out when there was no answer"`
	Error     string          `json:"error,omitempty"`
	Body      json.RawMessage `json:"body"`
	CreatedAt time.Time       `json:"created_at"`
	DoneAt    time.Time       `json:"done_at,omitzero"`
}

func viewDelivery(d webhook.Delivery) deliveryView {
	view := deliveryView{ID: d.ID, Event: d.Event, State: d.State, Attempts: d.Attempts, Status: d.Status, Error: d.Error,
		Body: d.Body, CreatedAt: d.CreatedAt, DoneAt: d.DoneAt}
	if d.State == webhook.Waiting {
		view.NextAt = d.NextAt
	}
	return view
}

func (s *Server) addWebhooks() {
	const group = "Webhooks"
	missing, conflict := []int{http.StatusNotFound}, []int{http.StatusNotFound, http.StatusConflict}
	add(s, operation{route: "POST /api/v1/webhooks", id: "create-webhook", group: group, summary: "Have a program told of the broadcasts of a bot", status: http.StatusCreated, errors: missing}, s.createWebhook)
	add(s, operation{route: "GET /api/v1/webhooks", id: "list-webhooks", group: group, summary: "List webhooks in the order in which they were made"}, s.listWebhooks)
	add(s, operation{route: "GET /api/v1/webhooks/{id}", id: "get-webhook", group: group, summary: "Show a webhook", errors: missing}, s.getWebhook)
	add(s, operation{route: "PATCH /api/v1/webhooks/{id}", id: "change-webhook", group: group, summary: "Change the address of a webhook, or what it is told of", errors: missing}, s.changeWebhook)
	add(s, operation{route: "DELETE /api/v1/webhooks/{id}", id: "delete-webhook", group: group, summary: "Take a webhook away; what was to be delivered is given up", status: http.StatusNoContent, errors: missing}, s.deleteWebhook)
	add(s, operation{route: "POST /api/v1/webhooks/{id}/ping", id: "ping-webhook", group: group, summary: "Have a webhook told of nothing, as a test", status: http.StatusAccepted, errors: missing}, s.pingWebhook)
	add(s, operation{route: "GET /api/v1/webhooks/{id}/deliveries", id: "list-deliveries", group: group, summary: "List what a webhook was told in the last 30 days, newest first", errors: missing}, s.listDeliveries)
	add(s, operation{route: "POST /api/v1/webhooks/{id}/deliveries/{delivery}/replay", id: "replay-delivery", group: group, summary: "Make a delivery once more", status: http.StatusAccepted, errors: conflict}, s.replayDelivery)
}

type createWebhookInput struct {
	Body struct {
		Bot       string   `json:"bot"`
		URL       string   `json:"url" doc:"https, at a public address"`
		Events    []string `json:"events,omitempty" doc:"broadcast.started, broadcast.paused, broadcast.finished; all, when left out"`
		MinPeople *int     `json:"min_people,omitempty" doc:"Broadcasts to fewer people are not told of; 2 when left out, so that single messages are not"`
	}
}

// eventsOf are the events that a call names.
func eventsOf(names []string) []webhook.Event {
	events := make([]webhook.Event, len(names))
	for i, name := range names {
		events[i] = webhook.Event(name)
	}
	return events
}

func (s *Server) createWebhook(ctx context.Context, in *createWebhookInput) (*created[madeWebhook], error) {
	h, secret, err := s.services.Webhooks.Create(ctx, webhook.New{BotID: in.Body.Bot, URL: in.Body.URL, Events: eventsOf(in.Body.Events), MinPeople: in.Body.MinPeople})
	if err != nil {
		return nil, err
	}
	return &created[madeWebhook]{Location: "/api/v1/webhooks/" + h.ID, Body: madeWebhook{viewWebhook(h, true), secret}}, nil
}

type listWebhooksInput struct {
	Paged
	Bot string `query:"bot" maxLength:"64"`
}

func (s *Server) listWebhooks(ctx context.Context, in *listWebhooksInput) (*body[page[webhookView]], error) {
	var after string
	if err := in.after(&after); err != nil {
		return nil, err
	}
	found, err := s.services.Read.Hooks(ctx, store.HookFilter{Sight: principalOf(ctx).Sight(), BotID: in.Bot}, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	keeps := map[string]bool{}
	for _, h := range found {
		if _, known := keeps[h.BotID]; !known {
			if keeps[h.BotID], err = s.keepsBot(ctx, h.BotID); err != nil {
				return nil, err
			}
		}
	}
	return pageOf(in.Paged, found, func(h webhook.Hook) any { return h.ID }, func(h webhook.Hook) webhookView { return viewWebhook(h, keeps[h.BotID]) })
}

func (s *Server) getWebhook(ctx context.Context, in *ByID) (*body[webhookView], error) {
	h, err := s.services.Read.Hook(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	keeps, err := s.keepsBot(ctx, h.BotID)
	if err != nil {
		return nil, err
	}
	return reply(viewWebhook(h, keeps)), nil
}

type changeWebhookInput struct {
	ByID
	Body struct {
		URL       *string   `json:"url,omitempty"`
		Events    *[]string `json:"events,omitempty" doc:"The whole list"`
		MinPeople *int      `json:"min_people,omitempty"`
	}
}

func (s *Server) changeWebhook(ctx context.Context, in *changeWebhookInput) (*body[webhookView], error) {
	c := webhook.Change{URL: in.Body.URL, MinPeople: in.Body.MinPeople}
	if in.Body.Events != nil {
		events := eventsOf(*in.Body.Events)
		c.Events = &events
	}
	h, err := s.services.Webhooks.Change(ctx, in.ID, c)
	if err != nil {
		return nil, err
	}
	return reply(viewWebhook(h, true)), nil
}

func (s *Server) deleteWebhook(ctx context.Context, in *ByID) (*none, error) {
	return &none{}, s.services.Webhooks.Delete(ctx, in.ID)
}

func (s *Server) pingWebhook(ctx context.Context, in *ByID) (*body[deliveryView], error) {
	d, err := s.services.Webhooks.Ping(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return reply(viewDelivery(d)), nil
}

type listDeliveriesInput struct {
	PageByID
	State string `query:"state" enum:"waiting,sending,delivered,failed"`
}

func (s *Server) listDeliveries(ctx context.Context, in *listDeliveriesInput) (*body[page[deliveryView]], error) {
	var before string
	if err := in.after(&before); err != nil {
		return nil, err
	}
	found, err := s.services.Read.Deliveries(ctx, in.ID, webhook.State(in.State), before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return pageOf(in.Paged, found, func(d webhook.Delivery) any { return d.ID }, viewDelivery)
}

type replayInput struct {
	ByID
	Delivery string `path:"delivery" maxLength:"64"`
}

func (s *Server) replayDelivery(ctx context.Context, in *replayInput) (*body[deliveryView], error) {
	d, err := s.services.Webhooks.Replay(ctx, in.ID, in.Delivery)
	if err != nil {
		return nil, err
	}
	return reply(viewDelivery(d)), nil
}
