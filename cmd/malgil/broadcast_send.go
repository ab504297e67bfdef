package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/apiclient"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
)

type broadcastSend struct {
	remote
	once
	recipientFile
	confirmation
	Recipients string `arg:"" optional:"" type:"existingfile" help:"${fileHelp}"`
	Audience   string `help:"Named audience, in place of a file."`
	message
	StartAt    time.Time     `help:"Start, such as 2026-11-24T19:00:00+09:00; at once, when left out."`
	ExpiresAt  time.Time     `help:"Who was not sent to by then is skipped."`
	Ad         bool          `help:"Advertising: labelled, not at night, not to who has refused it."`
	Canary     int           `help:"How many people go first, the others when that went well."`
	CanaryWait time.Duration `help:"How long after the outcomes of the first the others go by themselves; they wait for malgil broadcast resume, when left out."`
	CanaryMax  int           `default:"10" help:"Percent of the first that may be missed; more pause the broadcast."`
	StopAbove  int           `default:"50" help:"Percent of the latest people that may be missed; more pause the broadcast. 100 never does."`
	Watch      bool          `help:"Wait until everyone has an outcome."`
}

// Run orders a broadcast, uploads its people, seals it, and perhaps watches it. The file is read
// before anything is ordered: a bad one leaves nothing behind. Cut short, it is repeated with its
// key: what was done is not done again.
func (c broadcastSend) Run(e *env) error {
	if err := oneSource(c.Recipients, c.Audience); err != nil {
		return err
	}
	var found uploadReport
	if c.Audience == "" {
		var err error
		if found, err = c.readPeople(c.Recipients, &broadcast.Personal{Variables: c.Variables, Properties: c.Properties}); err != nil {
			return err
		}
	}
	if c.DryRun {
		return c.dryRun(e, found)
	}
	order, err := c.order()
	if err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	key, told := c.key()
	var b broadcastRow
	if err := client.Call(e.ctx, "POST", "/api/v1/broadcasts", order, &b, apiclient.IdempotencyKey(key)); err != nil {
		return told(lines(err))
	}
	if b.State == "uploading" {
		if err := c.fill(e, client, b.ID); err != nil {
			return told(fmt.Errorf("%w\nbroadcast %s waits for its recipients: malgil broadcast upload %[2]s FILE, then seal %[2]s; or cancel %[2]s", lines(err), b.ID))
		}
		if err := c.seal(e, client, b.ID); err != nil {
			return told(err)
		}
	}
	if c.Watch {
		return c.watch(e, b.ID, time.Second)
	}
	return c.call(e, "GET", broadcastPath(b.ID), nil, &b, func() { b.print(e) })
}

// fill gives a broadcast its people.
func (c broadcastSend) fill(e *env, client *apiclient.Client, id string) (err error) {
	if c.Audience != "" {
		_, err = c.fromAudience(e, client, id, c.Audience, false)
	} else {
		_, err = c.upload(e, client, broadcastPath(id), c.Recipients, false)
	}
	return err
}

// message is what a broadcast says, and who says it.
type message struct {
	Bot        string            `required:"" help:"Bot that speaks."`
	Event      string            `required:"" help:"Event name set on the block."`
	Channel    string            `enum:"live,development" default:"live" help:"live or development."`
	Name       string            `help:"Name for people."`
	Data       map[string]string `help:"Event data, key=value."`
	Params     string            `help:"Params for the block's skill, a JSON object."`
	Variables  map[string]string `mapsep:"none" placeholder:"NAME=TEXT" help:"Words for everybody: #{NAME} in data, params and properties."`
	Properties map[string]string `mapsep:"none" placeholder:"NAME=TEXT" help:"What each person is sent as his properties, with #{name} or #{name|default} filled in from his columns, then from the variables."`
}

// body is a message as the API takes it.
func (m message) body() (map[string]any, error) {
	body, err := m.text()
	if err != nil {
		return nil, err
	}
	body["bot"], body["channel"] = m.Bot, m.Channel
	if m.Name != "" {
		body["name"] = m.Name
	}
	return body, nil
}

// text is what is sent, as the API takes it.
func (m message) text() (map[string]any, error) {
	body := map[string]any{"event": map[string]any{"name": m.Event}}
	if len(m.Data) > 0 {
		body["event"] = map[string]any{"name": m.Event, "data": m.Data}
	}
	if m.Params != "" {
		if !json.Valid([]byte(m.Params)) {
			return nil, fault.Field("--params", "is not JSON")
		}
		body["params"] = json.RawMessage(m.Params)
	}
	if len(m.Variables) > 0 {
		body["variables"] = m.Variables
	}
	if len(m.Properties) > 0 {
		body["properties"] = m.Properties
	}
	return body, nil
}

// order is the body of the order.
func (c broadcastSend) order() (map[string]any, error) {
	body, err := c.body()
	if err != nil {
		return nil, err
	}
	if !c.StartAt.IsZero() {
		body["start_at"] = c.StartAt
	}
	if !c.ExpiresAt.IsZero() {
		body["expires_at"] = c.ExpiresAt
	}
	if c.Ad {
		body["purpose"] = "ad"
	}
	body["stop_above_percent"] = c.StopAbove
	switch {
	case c.Canary != 0:
		body["canary"] = map[string]any{"people": c.Canary, "wait_seconds": int(c.CanaryWait.Seconds()), "max_missed_percent": c.CanaryMax}
	case c.CanaryWait != 0:
		return nil, fault.Field("--canary-wait", "needs --canary: how many go first")
	}
	return body, nil
}

// dryRun says how many people there are and asks what they would cost; nothing is ordered. Who would be
// excluded is counted by an upload only.
func (c broadcastSend) dryRun(e *env, found uploadReport) error {
	var b botRow
	client, err := c.client()
	if err != nil {
		return err
	}
	if c.Audience != "" {
		var a audienceRow
		if err := client.Call(e.ctx, "GET", audiencePath(c.Audience), nil, &a); err != nil {
			return err
		}
		found.Audience = a.People
	}
	if err := client.Call(e.ctx, "GET", botPath(c.Bot), nil, &b); err != nil {
		return err
	}
	var q quoteRow
	return c.call(e, "POST", "/api/v1/quote", quoteOf(int(found.Audience), b.Wallet, c.Bot), &q, func() {
		found.print(e)
		q.print(e)
		if c.Exclude != "" {
			fmt.Fprintln(e.stdout, "those of them whom "+plain(c.Exclude)+" reached will be left out")
		}
		fmt.Fprintln(e.stdout, "nothing was sent")
	})
}
