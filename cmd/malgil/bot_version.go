package main

import (
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/fault"
)

type versionRow struct {
	Version int64     `json:"version"`
	MadeAt  time.Time `json:"made_at"`
	MadeBy  string    `json:"made_by"`
	Note    string    `json:"note"`
	Blocks  int       `json:"blocks"`
	Items   int       `json:"items"`
	Newest  bool      `json:"newest"`
	Live    bool      `json:"live"`
}

// runs names the channels that run the version.
func (v versionRow) runs() string {
	var channels []string
	if v.Newest {
		channels = append(channels, "development")
	}
	if v.Live {
		channels = append(channels, "live")
	}
	return strings.Join(channels, ", ")
}

type deployRow struct {
	Number     int64     `json:"number"`
	Version    int64     `json:"version"`
	At         time.Time `json:"at"`
	By         string    `json:"by"`
	Reason     string    `json:"reason"`
	RolledBack bool      `json:"rolled_back"`
}

func versionPath(bot string, version int64) string {
	return fmt.Sprintf("%s/versions/%d", botPath(bot), version)
}

type botVersions struct {
	remote
	list
	Bot string `arg:"" help:"Bot."`
}

// Run lists versions.
func (c botVersions) Run(e *env) error {
	return listAll(c.remote, e, c.list, botPath(c.Bot)+"/versions", []string{"VERSION", "MADE", "BY", "BLOCKS", "ITEMS", "RUNS ON", "NOTE"}, func(v versionRow) []string {
		return []string{fmt.Sprint(v.Version), when(v.MadeAt), v.MadeBy, fmt.Sprint(v.Blocks), fmt.Sprint(v.Items), v.runs(), v.Note}
	})
}

type botDeploys struct {
	remote
	list
	Bot string `arg:"" help:"Bot."`
}

// Run lists deploys.
func (c botDeploys) Run(e *env) error {
	return listAll(c.remote, e, c.list, botPath(c.Bot)+"/deploys", []string{"DEPLOY", "VERSION", "AT", "BY", "REASON"}, func(d deployRow) []string {
		reason := d.Reason
		if d.RolledBack {
			reason = strings.TrimSuffix("rolled back: "+reason, ": ")
		}
		return []string{fmt.Sprint(d.Number), fmt.Sprint(d.Version), when(d.At), d.By, reason}
	})
}

// newest asks for the newest version of a bot.
func (r remote) newest(e *env, bot string) (int64, error) {
	client, err := r.client()
	if err != nil {
		return 0, err
	}
	var b botRow
	if err := client.Call(e.ctx, "GET", botPath(bot), nil, &b); err != nil {
		return 0, err
	}
	if b.Version == 0 {
		return 0, fault.New(fault.NotFound, "bot %s has no version; import one", bot)
	}
	return b.Version, nil
}

type botDeploy struct {
	remote
	Bot     string `arg:"" help:"Bot."`
	Version int64  `arg:"" optional:"" help:"Version; the newest, when left out."`
	DryRun  bool   `help:"Show what would change for users, and do nothing."`
}

// Run makes a version live.
func (c botDeploy) Run(e *env) error {
	if c.Version == 0 {
		var err error
		if c.Version, err = c.newest(e, c.Bot); err != nil {
			return err
		}
	}
	if c.DryRun {
		return botDiff{remote: c.remote, Bot: c.Bot, Version: c.Version, From: -1}.Run(e)
	}
	var d deployRow
	return c.call(e, "POST", versionPath(c.Bot, c.Version)+"/deploy", nil, &d, func() {
		fmt.Fprintf(e.stdout, "version %d is live since %s\n", d.Version, when(d.At))
	})
}

type botRollback struct {
	remote
	Bot  string `arg:"" help:"Bot."`
	From int64  `help:"The version that is live; where another is, nothing is done."`
}

// Run makes live what was live before.
func (c botRollback) Run(e *env) error {
	body := map[string]any{}
	if c.From != 0 {
		body["from"] = c.From
	}
	var d deployRow
	return c.call(e, "POST", botPath(c.Bot)+"/rollback", body, &d, func() {
		fmt.Fprintf(e.stdout, "version %d is live again\n", d.Version)
	})
}

type botDiff struct {
	remote
	Bot     string `arg:"" help:"Bot."`
	Version int64  `arg:"" optional:"" help:"Version; the newest, when left out."`
	From    int64  `default:"-1" help:"Version to compare with, 0 for none; the one that is live, when left out."`
}

type changes struct {
	Added     []changedRow `json:"added"`
	Removed   []changedRow `json:"removed"`
	Changed   []changedRow `json:"changed"`
	Reordered bool         `json:"reordered"`
}

type changedRow struct {
	ID     string   `json:"id"`
	Name   string   `json:"name"`
	Fields []string `json:"fields"`
}

// Run shows what a version changes.
func (c botDiff) Run(e *env) error {
	if c.Version == 0 {
		var err error
		if c.Version, err = c.newest(e, c.Bot); err != nil {
			return err
		}
	}
	var diff struct {
		From, To                   int64
		Blocks, Knowledge, Servers changes
	}
	return c.call(e, "GET", versionPath(c.Bot, c.Version)+"/diff?from="+fmt.Sprint(c.From), nil, &diff, func() {
		from := "nothing"
		if diff.From != 0 {
			from = fmt.Sprint("version ", diff.From)
		}
		fmt.Fprintf(e.stdout, "from %s to version %d\n", from, diff.To)
		colored := terminal(e.stdout)
		same := true
		for _, list := range []struct {
			what string
			changes
		}{{"block", diff.Blocks}, {"item", diff.Knowledge}, {"server", diff.Servers}} {
			same = list.print(e.stdout, list.what, colored) && same
		}
		if same {
			fmt.Fprintln(e.stdout, "nothing differs")
		}
	})
}

// print writes a line for each change, and reports whether there is none.
func (c changes) print(w io.Writer, what string, colored bool) (none bool) {
	line := func(color, sign string, r changedRow) {
		text := sign + " " + what + " " + plain(strings.TrimSpace(r.ID+" "+r.Name))
		if len(r.Fields) > 0 {
			text += ": " + strings.Join(r.Fields, ", ")
		}
		if colored && color != "" {
			text = "\x1b[" + color + "m" + text + "\x1b[0m"
		}
		fmt.Fprintln(w, text)
	}
	for _, r := range c.Removed {
		line("31", "-", r)
	}
	for _, r := range c.Added {
		line("32", "+", r)
	}
	for _, r := range c.Changed {
		line("", "~", r)
	}
	if c.Reordered {
		fmt.Fprintf(w, "~ the order of the %ss\n", what)
	}
	return len(c.Removed)+len(c.Added)+len(c.Changed) == 0 && !c.Reordered
}

type botBlocks struct {
	remote
	Bot  string `arg:"" help:"Bot."`
	Side string `enum:"live,development" default:"development" help:"live or development; development runs the newest version."`
}

// Run lists blocks.
func (c botBlocks) Run(e *env) error {
	var blocks struct {
		Items []struct {
			ID, Name, Kind, Server string
			Event                  string `json:"event_name"`
			Callback               bool   `json:"callback"`
			DelayMS                int64  `json:"delay_ms"`
		}
	}
	return c.call(e, "GET", botPath(c.Bot)+"/blocks?side="+url.QueryEscape(c.Side), nil, &blocks, func() {
		var rows [][]string
		for _, b := range blocks.Items {
			var how []string
			if b.Server != "" {
				how = append(how, "by "+b.Server)
			}
			if b.Callback {
				how = append(how, "callback")
			}
			if b.DelayMS > 0 {
				how = append(how, "after "+(time.Duration(b.DelayMS)*time.Millisecond).String())
			}
			rows = append(rows, []string{b.ID, b.Name, b.Kind, b.Event, strings.Join(how, " ")})
		}
		_ = table(e.stdout, []string{"ID", "NAME", "KIND", "EVENT", "ANSWERS"}, rows) // as any print to a terminal
	})
}
