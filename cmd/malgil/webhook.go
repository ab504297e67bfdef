package main

import (
	"fmt"
	"net/url"
	"strings"
	"time"
)

// webhookCommand has programs told of broadcasts.
type webhookCommand struct {
	Create     webhookCreate     `cmd:"" help:"Have a program told of the broadcasts of a bot; prints the secret that deliveries are signed with, this once."`
	List       webhookList       `cmd:"" help:"List webhooks."`
	Change     webhookChange     `cmd:"" help:"Change the address of a webhook, or what it is told of."`
	Delete     webhookDelete     `cmd:"" help:"Take a webhook away; what was to be delivered is given up."`
	Ping       webhookPing       `cmd:"" help:"Have a webhook told of nothing, as a test."`
	Deliveries webhookDeliveries `cmd:"" help:"What a webhook was told in the last 30 days, newest first."`
	Replay     webhookReplay     `cmd:"" help:"Make a delivery once more."`
}

type webhookRow struct {
	ID        string    `json:"id"`
	Bot       string    `json:"bot"`
	URL       string    `json:"url"`
	Events    []string  `json:"events"`
	MinPeople int64     `json:"min_people"`
	CreatedAt time.Time `json:"created_at"`
	Dropped   int64     `json:"dropped"`
	DroppedAt time.Time `json:"dropped_at"`
	Secret    string    `json:"secret"`
}

func (w webhookRow) print(e *env) {
	least := ""
	if w.MinPeople > 0 {
		least = won(w.MinPeople) + " people"
	}
	dropped := ""
	if w.Dropped > 0 {
		dropped = won(w.Dropped) + " deliveries, the last " + when(w.DroppedAt)
	}
	facts(e.stdout, "webhook", w.ID, "bot", w.Bot, "address", w.URL, "events", strings.Join(w.Events, " "), "at least", least, "made", when(w.CreatedAt), "dropped", dropped, "secret", w.Secret)
}

func webhookPath(id string) string { return "/api/v1/webhooks/" + url.PathEscape(id) }

type webhookCreate struct {
	remote
	Address   string   `arg:"" name:"url" help:"Where to post to: https at a public address."`
	Bot       string   `required:"" help:"Bot whose broadcasts it is told of."`
	Event     []string `help:"broadcast.started, broadcast.paused, broadcast.finished; all, when left out."`
	MinPeople int      `default:"2" help:"Leave out broadcasts to fewer people; 1 for single messages too."`
}

// Run makes a webhook.
func (c webhookCreate) Run(e *env) error {
	body := map[string]any{"bot": c.Bot, "url": c.Address, "min_people": c.MinPeople}
	if len(c.Event) > 0 {
		body["events"] = c.Event
	}
	var w webhookRow
	return c.call(e, "POST", "/api/v1/webhooks", body, &w, func() { w.print(e) })
}

type webhookList struct {
	remote
	list
	Bot string `help:"Of this bot alone."`
}

// Run lists webhooks.
func (c webhookList) Run(e *env) error {
	query := url.Values{}
	if c.Bot != "" {
		query.Set("bot", c.Bot)
	}
	return listAll(c.remote, e, c.list, "/api/v1/webhooks?"+query.Encode(), []string{"ID", "BOT", "ADDRESS", "EVENTS", "DROPPED"}, func(w webhookRow) []string {
		return []string{w.ID, w.Bot, w.URL, strings.Join(w.Events, " "), won(w.Dropped)}
	})
}

// oneWebhook is a command about one webhook.
type oneWebhook struct {
	remote
	Webhook string `arg:"" help:"Webhook."`
}

type webhookChange struct {
	oneWebhook
	Address   *string  `help:"Where to post to from now on."`
	Event     []string `help:"What it is told of, the whole list."`
	MinPeople *int     `help:"Leave out broadcasts to fewer people."`
}

// Run changes a webhook.
func (c webhookChange) Run(e *env) error {
	body := map[string]any{}
	if c.Address != nil {
		body["url"] = *c.Address
	}
	if len(c.Event) > 0 {
		body["events"] = c.Event
	}
	if c.MinPeople != nil {
		body["min_people"] = *c.MinPeople
	}
	var w webhookRow
	return c.call(e, "PATCH", webhookPath(c.Webhook), body, &w, func() { w.print(e) })
}

type webhookDelete struct{ oneWebhook }

// Run takes a webhook away.
func (c webhookDelete) Run(e *env) error {
	return c.call(e, "DELETE", webhookPath(c.Webhook), nil, nil, nil)
}

type deliveryRow struct {
	ID        string    `json:"id"`
	Event     string    `json:"event"`
	State     string    `json:"state"`
	Attempts  int       `json:"attempts"`
	NextAt    time.Time `json:"next_try_at"`
	Status    int       `json:"status"`
	Error     string    `json:"error"`
	CreatedAt time.Time `json:"created_at"`
}

func (d deliveryRow) print(e *env) {
	facts(e.stdout, "delivery", d.ID, "event", d.Event, "state", d.State, "next try", when(d.NextAt))
}

type webhookPing struct{ oneWebhook }

// Run tests a webhook.
func (c webhookPing) Run(e *env) error {
	var d deliveryRow
	return c.call(e, "POST", webhookPath(c.Webhook)+"/ping", nil, &d, func() { d.print(e) })
}

type webhookDeliveries struct {
	oneWebhook
	list
	State string `enum:",waiting,sending,delivered,failed" default:"" help:"In this state alone: waiting, sending, delivered or failed."`
}

// Run lists what a webhook was told.
func (c webhookDeliveries) Run(e *env) error {
	query := url.Values{}
	if c.State != "" {
		query.Set("state", c.State)
	}
	header := []string{"ID", "EVENT", "STATE", "TRIES", "AT", "NEXT TRY", "ERROR"}
	return listAll(c.remote, e, c.list, webhookPath(c.Webhook)+"/deliveries?"+query.Encode(), header, func(d deliveryRow) []string {
		return []string{d.ID, d.Event, d.State, fmt.Sprint(d.Attempts), when(d.CreatedAt), when(d.NextAt), d.Error}
	})
}

type webhookReplay struct {
	oneWebhook
	Delivery string `arg:"" help:"Delivery that was made or given up."`
}

// Run makes a delivery once more.
func (c webhookReplay) Run(e *env) error {
	var d deliveryRow
	path := webhookPath(c.Webhook) + "/deliveries/" + url.PathEscape(c.Delivery) + "/replay"
	return c.call(e, "POST", path, nil, &d, func() { d.print(e) })
}
