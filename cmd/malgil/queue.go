package main

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/fault"
)

// queueCommand is about queues and the tasks that died in them.
type queueCommand struct {
	List    queueListing `cmd:"" help:"How each queue stands."`
	Pause   queuePause   `cmd:"" help:"Have nothing taken from a queue until a time; what runs goes on."`
	Resume  queueResume  `cmd:"" help:"Have tasks taken from a queue again, before the time of its pause."`
	Dead    queueDead    `cmd:"" help:"Tasks that were given up, counted by cause; one by one with --each."`
	Retry   queueRetry   `cmd:"" help:"Give the rows of dead tasks another task."`
	Discard queueDiscard `cmd:"" help:"Note that dead tasks were seen."`
}

// why refuses a command of which nobody could tell later why it was given.
func (r remote) why() error {
	if strings.TrimSpace(r.Why) == "" {
		return fault.Field("--reason", "is missing; say why, for whoever finds it so: it stands in the audit log")
	}
	return nil
}

type queueRow struct {
	Queue     string    `json:"queue"`
	Pending   int64     `json:"pending"`
	Active    int64     `json:"active"`
	Scheduled int64     `json:"scheduled"`
	Retry     int64     `json:"retry"`
	Archived  int64     `json:"archived"`
	Oldest    float64   `json:"oldest_waiting_seconds"`
	Dead      int64     `json:"dead"`
	Stands    bool      `json:"stands"`
	Pause     *pauseRow `json:"pause"`
}

type pauseRow struct {
	Queue  string    `json:"queue"`
	Until  time.Time `json:"until"`
	Since  time.Time `json:"since"`
	Reason string    `json:"reason"`
	By     string    `json:"by"`
}

// state says in words whether anything is taken from a queue.
func (r queueRow) state() string {
	switch {
	case r.Pause != nil && r.Stands:
		return "paused until " + when(r.Pause.Until) + ": " + r.Pause.Reason
	case r.Pause != nil:
		return "is to be paused until " + when(r.Pause.Until) + ": " + r.Pause.Reason
	case r.Stands:
		return "paused in Redis, by nobody that we know; the scheduler lets it go"
	}
	return "works"
}

type queueListing struct{ remote }

// Run lists queues.
func (c queueListing) Run(e *env) error {
	var answer struct {
		Items []queueRow `json:"items"`
	}
	return c.call(e, "GET", "/api/v1/queues", nil, &answer, func() {
		rows := [][]string{{"QUEUE", "PENDING", "ACTIVE", "SCHEDULED", "RETRY", "OLDEST", "DEAD", "ARCHIVED", "STATE"}}
		for _, r := range answer.Items {
			oldest := ""
			if r.Pending > 0 {
				oldest = (time.Duration(r.Oldest*1000) * time.Millisecond).String()
			}
			rows = append(rows, []string{r.Queue, won(r.Pending), won(r.Active), won(r.Scheduled), won(r.Retry), oldest, won(r.Dead), won(r.Archived), r.state()})
		}
		_ = columns(e.stdout, rows) // as any print to a terminal
	})
}

func pausePath(queue string) string { return "/api/v1/queues/" + url.PathEscape(queue) + "/pause" }

type queuePause struct {
	remote
	Queue string    `arg:"" help:"Queue, as in: malgil queue list."`
	Until time.Time `required:"" help:"When it goes on by itself, such as \"2026-11-24 18:00\" as it is in Korea; within 7 days, or 10 minutes for reply and echo."`
	Force bool      `help:"Also reply and echo, at which people wait for answers."`
}

// Run pauses a queue.
func (c queuePause) Run(e *env) error {
	if err := c.why(); err != nil {
		return err
	}
	var p pauseRow
	return c.call(e, "PUT", pausePath(c.Queue), map[string]any{"until": c.Until, "force": c.Force}, &p, func() {
		fmt.Fprintf(e.stdout, "%s is paused until %s; end it with: malgil queue resume %s --reason …\n", p.Queue, when(p.Until), p.Queue)
	})
}

type queueResume struct {
	remote
	Queue string `arg:"" help:"Queue."`
}

// Run ends a pause.
func (c queueResume) Run(e *env) error {
	if err := c.why(); err != nil {
		return err
	}
	return c.call(e, "DELETE", pausePath(c.Queue), nil, nil, func() { fmt.Fprintln(e.stdout, c.Queue, "works again") })
}

type deadRow struct {
	ID     string    `json:"id"`
	Type   string    `json:"type"`
	Row    string    `json:"row"`
	Cause  string    `json:"cause"`
	Error  string    `json:"error"`
	DiedAt time.Time `json:"died_at"`
	State  string    `json:"state"`
}

type deadGroupRow struct {
	Type   string    `json:"type"`
	Cause  string    `json:"cause"`
	Tasks  int64     `json:"tasks"`
	First  time.Time `json:"first_at"`
	Latest time.Time `json:"latest_at"`
	Error  string    `json:"error"`
}

type deadGroups struct {
	Items []deadGroupRow `json:"items"`
}

type queueDead struct {
	remote
	list
	Each  bool   `help:"One by one, the latest first, not counted by cause."`
	State string `enum:",dead,retried,discarded" default:"dead" help:"With --each: only those in a state: dead (nothing is decided), retried or discarded; empty for all."`
	Queue string `help:"With --each: only those of a queue."`
	Type  string `help:"With --each: only those of a type, such as mail:send."`
	Cause string `help:"With --each: only those of a cause, such as panic."`
}

// Run shows what died.
func (c queueDead) Run(e *env) error {
	if c.Each {
		narrow := url.Values{}
		for name, value := range map[string]string{"state": c.State, "queue": c.Queue, "type": c.Type, "cause": c.Cause} {
			if value != "" {
				narrow.Set(name, value)
			}
		}
		return listAll(c.remote, e, c.list, "/api/v1/dead-tasks?"+narrow.Encode(), []string{"DIED", "ID", "TYPE", "CAUSE", "ROW", "STATE", "ERROR"}, func(d deadRow) []string {
			return []string{when(d.DiedAt), d.ID, d.Type, d.Cause, d.Row, d.State, d.Error}
		})
	}
	if c.Queue != "" || c.Type != "" || c.Cause != "" {
		return fault.Field("--each", "is missing: what is counted by cause is not narrowed")
	}
	var groups deadGroups
	return c.call(e, "GET", "/api/v1/dead-tasks/groups", nil, &groups, func() {
		rows := [][]string{{"TASKS", "TYPE", "CAUSE", "FIRST", "LATEST", "ERROR OF THE LATEST"}}
		for _, g := range groups.Items {
			rows = append(rows, []string{won(g.Tasks), g.Type, g.Cause, when(g.First), when(g.Latest), g.Error})
		}
		_ = columns(e.stdout, rows) // as any print to a terminal
	})
}

// deadPick is what a command has that decides about dead tasks.
type deadPick struct {
	remote
	IDs    []string `arg:"" optional:"" help:"Dead tasks, as in: malgil queue dead --each. All of them are decided about, or none."`
	Type   string   `help:"In place of ids, with --cause: all of a type that can be decided about."`
	Cause  string   `help:"With --type: all of a cause, such as panic."`
	DryRun bool     `help:"Say what would happen, and do nothing."`
}

type decidedDead struct {
	Items []deadRow `json:"items"`
	Left  int64     `json:"left"`
	Next  string    `json:"next"`
}

// decide has something decided about dead tasks: those that are named, or group by group of as many as go at once.
func (c deadPick) decide(e *env, what, done, left string) error {
	if (len(c.IDs) == 0) == (c.Type == "" || c.Cause == "") || (c.Type == "") != (c.Cause == "") {
		return fault.New(fault.Invalid, "name dead tasks, or a group with --type and --cause; malgil queue dead shows which there are")
	}
	if c.DryRun {
		return c.would(e, what)
	}
	if err := c.why(); err != nil {
		return err
	}
	body := map[string]any{}
	if len(c.IDs) > 0 {
		body["ids"] = c.IDs
	} else {
		body["type"], body["cause"] = c.Type, c.Cause
	}
	var all decidedDead
	for {
		var some decidedDead
		if err := c.call(e, "POST", "/api/v1/dead-tasks/"+what, body, &some, nil); err != nil {
			if len(all.Items) > 0 {
				return partlyDone{fmt.Errorf("%s dead tasks %s, and then: %w", won(int64(len(all.Items))), done, err)}
			}
			return err
		}
		if c.JSON {
			return nil // as the server answered; next says how the group goes on
		}
		all.Items, all.Left = append(all.Items, some.Items...), all.Left+some.Left
		if some.Next == "" {
			break
		}
		body["after"] = some.Next
	}
	fmt.Fprintf(e.stdout, "%s dead tasks %s\n", won(int64(len(all.Items))), done)
	if all.Left > 0 {
		fmt.Fprintf(e.stdout, "%s left as they are: %s\n", won(all.Left), left)
	}
	return nil
}

// would says what a decision would be about.
func (c deadPick) would(e *env, what string) error {
	tasks := int64(len(c.IDs))
	if tasks == 0 {
		var groups deadGroups
		if err := c.call(e, "GET", "/api/v1/dead-tasks/groups", nil, &groups, nil); err != nil || c.JSON {
			return err
		}
		for _, g := range groups.Items {
			if g.Type == c.Type && g.Cause == c.Cause {
				tasks += g.Tasks
			}
		}
	}
	fmt.Fprintf(e.stdout, "would %s at most %s dead tasks; nothing was done\n", what, won(tasks))
	return nil
}

type queueRetry struct{ deadPick }

// Run retries.
func (c queueRetry) Run(e *env) error {
	return c.decide(e, "retry", "retried: their rows get another one within seconds", "their rows got another task by themselves, or are done; discard them")
}

type queueDiscard struct{ deadPick }

// Run discards.
func (c queueDiscard) Run(e *env) error {
	return c.decide(e, "discard", "discarded", "their rows still wait for the sweep to find them dead; retry them, or discard them in a minute or two")
}
