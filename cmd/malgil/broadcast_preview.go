package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/apiclient"
)

// namedPeople are people whom a command names.
type namedPeople struct {
	Type string            `enum:"botUserKey,plusfriendUserKey,appUserId,botGroupKey" default:"botUserKey" help:"Type of the ids: botUserKey, plusfriendUserKey, appUserId or botGroupKey."`
	With map[string]string `mapsep:"none" placeholder:"NAME=VALUE" help:"Properties of theirs, in place of those of the audience."`
}

// body is people as the API takes them.
func (n namedPeople) body(ids []string) []map[string]any {
	people := make([]map[string]any, len(ids))
	for i, id := range ids {
		people[i] = map[string]any{"type": n.Type, "id": id}
		if len(n.With) > 0 {
			people[i]["properties"] = n.With
		}
	}
	return people
}

type broadcastPreview struct {
	oneBroadcast
	namedPeople
	People []string `arg:"" optional:"" help:"Ids of people, at most 10; three of the audience by chance, when left out."`
	Seed   uint64   `help:"Show the people whom an earlier preview with this seed showed."`
}

// Run shows requests.
func (c broadcastPreview) Run(e *env) error {
	body := map[string]any{}
	if len(c.People) > 0 {
		body["recipients"] = c.namedPeople.body(c.People)
	}
	if c.Seed != 0 {
		body["seed"] = c.Seed
	}
	var shown struct {
		Seed     uint64 `json:"seed"`
		Requests []struct {
			Method string          `json:"method"`
			Path   string          `json:"path"`
			Body   json.RawMessage `json:"body"`
		} `json:"requests"`
	}
	return c.call(e, "POST", broadcastPath(c.Broadcast)+"/preview", body, &shown, func() {
		for _, r := range shown.Requests {
			text, err := json.MarshalIndent(r.Body, "", "  ")
			if err != nil {
				text = r.Body
			}
			fmt.Fprintf(e.stdout, "%s %s\n%s\n\n", r.Method, plain(r.Path), text)
		}
		if shown.Seed != 0 {
			fmt.Fprintf(e.stdout, "the same people again with --seed %d; nothing was sent\n", shown.Seed)
		} else {
			fmt.Fprintln(e.stdout, "nothing was sent")
		}
	})
}

type broadcastTest struct {
	oneBroadcast
	once
	namedPeople
	People []string      `arg:"" help:"Ids of those who get it, at most 10; the broadcast itself reaches them again."`
	Watch  bool          `help:"Wait until everyone has an outcome."`
	Every  time.Duration `default:"1s" help:"How often to look, with --watch."`
}

// Run sends a message to a few people, and says what it costs.
func (c broadcastTest) Run(e *env) error {
	if c.DryRun {
		return c.dryRun(e)
	}
	key, told := c.key()
	var b struct {
		broadcastRow
		Cost quoteRow `json:"cost"`
	}
	err := told(c.call(e, "POST", broadcastPath(c.Broadcast)+"/test", map[string]any{"recipients": c.namedPeople.body(c.People)}, &b, func() {
		b.print(e)
		fmt.Fprintln(e.stdout, "it is paid for: "+b.Cost.words())
	}, apiclient.IdempotencyKey(key)))
	if err != nil || !c.Watch {
		return err
	}
	return c.watch(e, b.ID, c.Every)
}

// dryRun says whom it would go to, and what that would cost.
func (c broadcastTest) dryRun(e *env) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	var b struct {
		Wallet string `json:"wallet"`
	}
	if err := client.Call(e.ctx, "GET", broadcastPath(c.Broadcast), nil, &b); err != nil {
		return err
	}
	var q quoteRow
	return c.call(e, "POST", "/api/v1/quote", quoteOf(len(c.People), b.Wallet, ""), &q, func() {
		fmt.Fprintf(e.stdout, "would send to %s, paid for: %s; nothing was sent\n", plain(strings.Join(c.People, ", ")), q.words())
	})
}

// words says what messages cost in a line.
func (q quoteRow) words() string {
	return fmt.Sprintf("%s × %s KRW = %s KRW and %s KRW of VAT, %s KRW together", won(int64(q.People)), won(q.Price), won(q.Supply), won(q.VAT), won(q.Total))
}

type broadcastQuote struct{ oneBroadcast }

// Run quotes a broadcast.
func (c broadcastQuote) Run(e *env) error {
	var q quoteRow
	return c.call(e, "GET", broadcastPath(c.Broadcast)+"/quote", nil, &q, func() { q.print(e) })
}
