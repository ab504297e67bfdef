package main

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/malgil/malgil/internal/apiclient"
	"github.com/malgil/malgil/internal/fault"
)

type broadcastDecide struct {
	remote
	once
	Broadcast string   `arg:"" help:"Broadcast."`
	Chunks    []string `arg:"" optional:"" help:"Chunks; all that are in doubt when left out, and with --not-sent those that are parked."`
	NotSent   bool     `help:"They did not go out: they are sent once more. Who got them after all gets them twice." xor:"finding"`
	Sent      bool     `help:"They went out: everybody in them counts as delivered and is paid for." xor:"finding"`
	Release   bool     `help:"Nobody can tell: nobody pays for them, and nobody is sent to again." xor:"finding"`
	Note      string   `required:"" help:"How it was found out, one line; it stands in the audit log."`
}

// decidedRow is what a decision came to.
type decidedRow struct {
	Chunks   int64    `json:"chunks"`
	People   int64    `json:"people"`
	Captured int64    `json:"captured_krw"`
	More     bool     `json:"more"`
	Proven   []string `json:"proven"`
}

// Run decides, or shows what there is to decide.
func (c broadcastDecide) Run(e *env) error {
	var finding, would string
	switch {
	case c.NotSent:
		finding, would = "not_sent", "send them once more; who got them after all gets them twice"
	case c.Sent:
		finding, would = "sent", "count everybody in them as delivered, and have them paid for"
	case c.Release:
		finding, would = "release", "end them unpaid; nobody in them is sent to again"
	default:
		return fault.New(fault.Invalid, "say --not-sent, --sent or --release")
	}
	path := "/api/v1/broadcasts/" + url.PathEscape(c.Broadcast)
	if c.DryRun {
		var b broadcastRow
		return c.call(e, "GET", path, nil, &b, func() {
			what := fmt.Sprintf("%d chunks", len(c.Chunks))
			if len(c.Chunks) == 0 {
				what = fmt.Sprintf("all chunks in doubt, of %s people", won(b.Counts.InDoubt))
			}
			fmt.Fprintf(e.stdout, "%s: would %s; nothing was done\n", what, would)
		})
	}
	body := map[string]any{"finding": finding, "note": c.Note}
	if len(c.Chunks) > 0 {
		body["chunks"] = c.Chunks
	}
	key, told := c.key()
	var done decidedRow
	return told(c.call(e, "POST", path+"/decide", body, &done, func() {
		facts(e.stdout, "chunks", won(done.Chunks), "people", won(done.People), "captured", won(done.Captured)+" KRW", "left as they are", strings.Join(done.Proven, " "))
		if done.More {
			fmt.Fprintln(e.stdout, "there are more: decide again")
		}
	}, apiclient.IdempotencyKey(key)))
}
