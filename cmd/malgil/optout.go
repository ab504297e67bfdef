package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"github.com/malgil/malgil/internal/apiclient"
)

// optoutCommand keeps who refuses the messages of a bot.
type optoutCommand struct {
	Add    optoutAdd    `cmd:"" help:"Note that somebody refuses the messages of a bot."`
	Remove optoutRemove `cmd:"" help:"Take a refusal back that was noted by mistake."`
	List   optoutList   `cmd:"" help:"List who refuses the messages of a bot."`
	Import optoutImport `cmd:"" help:"Note everybody of a file."`
	Export optoutExport `cmd:"" help:"Write everybody who refuses to a file."`
}

// listOf is a command about a list of a bot.
type listOf struct {
	remote
	Bot string `arg:"" help:"Bot."`
}

// The lists, as addresses have them.
const (
	refusals = "suppressions"
	consents = "consents"
)

func (l listOf) path(list string) string { return botPath(l.Bot) + "/" + list }

// aPerson is a person of a bot.
type aPerson struct {
	ID   string `arg:"" help:"Id of the person."`
	Type string `default:"botUserKey" enum:"botUserKey,plusfriendUserKey,appUserId" help:"Type of the id: botUserKey, plusfriendUserKey or appUserId."`
}

// word is what is noted of a person.
type word struct {
	aPerson
	At     time.Time `help:"When he said so, such as 2026-11-24T12:00:00+09:00; now, when left out."`
	Source string    `help:"Where he said so: a form, an event, a call."`
}

// put notes what somebody said.
func (w word) put(e *env, l listOf, list string, body map[string]any) error {
	body["type"], body["id"] = w.Type, w.ID
	if !w.At.IsZero() {
		body["at"] = w.At
	}
	if w.Source != "" {
		body["source"] = w.Source
	}
	var answer struct{ Changed bool }
	return l.call(e, "PUT", l.path(list), body, &answer, func() {
		if answer.Changed {
			fmt.Fprintln(e.stdout, "noted")
		} else {
			fmt.Fprintln(e.stdout, "nothing changed: he has said something later, or just this")
		}
	})
}

// query names somebody in an address.
func (p aPerson) query() string { return url.Values{"type": {p.Type}, "id": {p.ID}}.Encode() }

// remove takes somebody off a list.
func (p aPerson) remove(e *env, l listOf, list string) error {
	return l.call(e, "DELETE", l.path(list)+"?"+p.query(), nil, nil, nil)
}

// listImport puts everybody of a file on a list.
type listImport struct {
	listOf
	People      string `arg:"" type:"existingfile" help:"File, .csv, .xlsx or .ndjson, with id and perhaps type, ${columns}, by these names or Korean ones."`
	Map         string `placeholder:"id:NAME,at:NAME" help:"Which columns of a .csv or .xlsx mean what; left out, they go by their names."`
	SkipBadRows bool   `help:"Leave bad rows out."`
	DryRun      bool   `help:"Say what would become of it, and store nothing."`
}

// importReport is what became of an import, or would.
type importReport struct {
	New        int64        `json:"new"`
	Changed    int64        `json:"changed"`
	Unchanged  int64        `json:"unchanged"`
	Duplicates int64        `json:"duplicates"`
	BadRows    int64        `json:"bad_rows"`
	Problems   []droppedRow `json:"problems"`
}

// take sends the file and shows what became of it.
func (c listImport) take(e *env, list string) error {
	query := url.Values{}
	for name, set := range map[string]bool{"skip_bad_rows": c.SkipBadRows, "dry_run": c.DryRun} {
		if set {
			query.Set(name, "true")
		}
	}
	if c.Map != "" {
		query.Set("map", c.Map)
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	answer, err := sendFile(e, client, "POST", c.path(list)+"/import", query, c.People, apiclient.Reason(c.Why))
	if err != nil {
		return lines(err)
	}
	var report importReport
	if err := json.Unmarshal(answer, &report); err != nil {
		return fmt.Errorf("read the answer of the import: %w", err)
	}
	if c.JSON {
		fmt.Fprintln(e.stdout, string(answer))
	} else {
		facts(e.stdout, "new", won(report.New), "changed", won(report.Changed), "unchanged", won(report.Unchanged),
			"said later in another row", won(report.Duplicates), "bad rows", won(report.BadRows))
		printRows(e, report.Problems)
	}
	return tried(e, c.remote, c.DryRun, report.BadRows, c.SkipBadRows)
}

// stanceRow is somebody on a list.
type stanceRow struct {
	Type    string    `json:"type"`
	ID      string    `json:"id"`
	Scope   string    `json:"scope"`
	At      time.Time `json:"at"`
	NightAt time.Time `json:"night_at"`
	Source  string    `json:"source"`
}

type optoutAdd struct {
	listOf
	word
	Scope string `enum:"ad,all" default:"ad" help:"What he refuses: ad, advertising; or all, everything that the bot sends."`
}

// Run notes a refusal.
func (c optoutAdd) Run(e *env) error {
	return c.put(e, c.listOf, refusals, map[string]any{"scope": c.Scope})
}

type optoutRemove struct {
	listOf
	aPerson
}

// Run takes a refusal back.
func (c optoutRemove) Run(e *env) error { return c.remove(e, c.listOf, refusals) }

type optoutList struct {
	listOf
	list
}

// Run lists refusals.
func (c optoutList) Run(e *env) error {
	return listAll(c.remote, e, c.list, c.path(refusals), []string{"TYPE", "ID", "REFUSES", "AT", "SOURCE"}, func(s stanceRow) []string {
		return []string{s.Type, s.ID, s.Scope, when(s.At), s.Source}
	})
}

type optoutImport struct {
	listImport `set:"columns=scope (ad or all), at and source"`
}

// Run imports refusals.
func (c optoutImport) Run(e *env) error { return c.take(e, refusals) }

type optoutExport struct {
	listOf
	export
}

// Run exports refusals.
func (c optoutExport) Run(e *env) error {
	return c.write(e, c.remote, c.path(refusals)+"/export", url.Values{})
}
