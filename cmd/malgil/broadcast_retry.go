package main

import (
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/apiclient"
)

type broadcastRetry struct {
	oneBroadcast
	once
	Error   []int         `help:"Only people who failed with one of Kakao's numbers; everybody who failed, when left out."`
	Skipped bool          `help:"People too who were not sent to, because it expired or was cancelled."`
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
	body := map[string]any{"skipped": c.Skipped}
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
