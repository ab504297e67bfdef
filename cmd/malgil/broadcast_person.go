package main

import (
	"net/url"
	"time"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/fault"
)

type broadcastPerson struct {
	remote
	list
	Person string `arg:"" help:"Id of the person, as it stands in audiences."`
	Bot    string `required:"" help:"Bot that sends."`
	Type   string `help:"Only ids of this type, such as botUserKey."`
	Since  string `placeholder:"2026-11-01" help:"Only broadcasts that were ordered on this day in Korea or later."`
}

// Run shows what a bot has sent to somebody, and what became of it.
func (c broadcastPerson) Run(e *env) error {
	query := url.Values{"person": {c.Person}}
	if c.Type != "" {
		query.Set("type", c.Type)
	}
	if c.Since != "" {
		since, err := time.ParseInLocation(time.DateOnly, c.Since, clock.Seoul)
		if err != nil {
			return fault.Field("--since", "must be a day, such as 2026-11-01")
		}
		query.Set("since", since.UTC().Format(time.RFC3339))
	}
	type row struct {
		Broadcast string    `json:"broadcast"`
		Name      string    `json:"name"`
		Event     string    `json:"event"`
		OrderedAt time.Time `json:"ordered_at"`
		SentAt    time.Time `json:"sent_at"`
		Outcome   string    `json:"outcome"`
		Message   string    `json:"message"`
	}
	header := []string{"BROADCAST", "NAME", "EVENT", "ORDERED", "SENT", "OUTCOME", "WHY"}
	return listAll(c.remote, e, c.list, "/api/v1/bots/"+url.PathEscape(c.Bot)+"/messages?"+query.Encode(), header, func(m row) []string {
		return []string{m.Broadcast, m.Name, m.Event, when(m.OrderedAt), when(m.SentAt), m.Outcome, m.Message}
	})
}
