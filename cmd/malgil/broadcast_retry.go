package main

import (
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/apiclient"
)

type broadcastRetry struct {
	oneBroadcast
	once
	Failed  bool          `negatable:"" default:"true" help:"People who failed; --no-failed with --skipped for the skipped alone."`
	Error   []int         `help:"Of those who failed only people with one of Kakao's numbers, 0 for those who have none; all, when left out."`
	Skipped bool          `help:"People too who were not sent to, because it expired or was cancelled."`
	Confirm int64         `placeholder:"PEOPLE" help:"How many people it goes to; asked for above a size."`
	Name    string        `help:"Name; that of the other, when left out."`
	Watch   bool          `help:"Wait until everyone has an outcome."`
	Every   time.Duration `default:"1s" help:"How often to look, with --watch."`
}

// Run makes a broadcast for those whom another did not reach.
func (c broadcastRetry) Run(e *env) error {
	if c.DryRun {
		var b broadcastRow
		return c.call(e, "GET", broadcastPath(c.Broadcast), nil, &b, func() {
			fmt.Fprintf(e.stdout, "%s failed and %s were skipped; would send to those of them who were asked for; nothing was done\n", won(b.Counts.Failed), won(b.Counts.Skipped))
		})
	}
	body := map[string]any{"failed": c.Failed, "skipped": c.Skipped}
	if c.Confirm != 0 {
		body["confirm"] = c.Confirm
	}
	if len(c.Error) > 0 {
		body["error_types"] = c.Error
	}
	if c.Name != "" {
		body["name"] = c.Name
	}
	key, told := c.key()
	var b broadcastRow
	err := told(c.call(e, "POST", broadcastPath(c.Broadcast)+"/retry", body, &b, func() { b.print(e) }, apiclient.IdempotencyKey(key)))
	if err != nil || !c.Watch {
		return err
	}
	return c.watch(e, b.ID, c.Every)
}
