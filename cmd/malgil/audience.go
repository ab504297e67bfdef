package main

import (
	"net/url"
	"time"
)

// audienceCommand keeps lists of people that many broadcasts use.
type audienceCommand struct {
	Create audienceCreate `cmd:"" help:"Make a named audience of a bot."`
	List   audienceList   `cmd:"" help:"List named audiences."`
	Show   audienceShow   `cmd:"" help:"How many people an audience has."`
	Upload audienceUpload `cmd:"" help:"Replace the people of an audience."`
	Delete audienceDelete `cmd:"" help:"Take an audience away; broadcasts that used it keep their people."`
}

type audienceRow struct {
	ID         string    `json:"id"`
	Bot        string    `json:"bot"`
	Name       string    `json:"name"`
	People     int64     `json:"people"`
	CreatedAt  time.Time `json:"created_at"`
	UploadedAt time.Time `json:"uploaded_at"`
}

func (a audienceRow) print(e *env) {
	facts(e.stdout, "audience", a.ID, "name", a.Name, "bot", a.Bot, "people", won(a.People), "made", when(a.CreatedAt), "uploaded", when(a.UploadedAt))
}

func audiencePath(id string) string { return "/api/v1/audiences/" + url.PathEscape(id) }

type audienceCreate struct {
	remote
	Name string `arg:"" help:"Name, which no other audience of the bot has."`
	Bot  string `required:"" help:"Bot whose broadcasts use it."`
}

// Run makes an audience.
func (c audienceCreate) Run(e *env) error {
	var a audienceRow
	return c.call(e, "POST", "/api/v1/audiences", map[string]any{"bot": c.Bot, "name": c.Name}, &a, func() { a.print(e) })
}

type audienceList struct {
	remote
	list
	Bot string `help:"Of this bot alone."`
}

// Run lists audiences.
func (c audienceList) Run(e *env) error {
	query := url.Values{}
	if c.Bot != "" {
		query.Set("bot", c.Bot)
	}
	return listAll(c.remote, e, c.list, "/api/v1/audiences?"+query.Encode(), []string{"ID", "NAME", "BOT", "PEOPLE", "UPLOADED"}, func(a audienceRow) []string {
		return []string{a.ID, a.Name, a.Bot, won(a.People), when(a.UploadedAt)}
	})
}

// oneAudience is a command about one audience.
type oneAudience struct {
	remote
	Audience string `arg:"" help:"Audience."`
}

type audienceShow struct{ oneAudience }

// Run shows an audience.
func (c audienceShow) Run(e *env) error {
	var a audienceRow
	return c.call(e, "GET", audiencePath(c.Audience), nil, &a, func() { a.print(e) })
}

type audienceUpload struct {
	oneAudience
	recipientFile
	Recipients string `arg:"" type:"existingfile" help:"${fileHelp}"`
	DryRun     bool   `help:"Say what would become of it, and store nothing."`
}

// Run uploads people.
func (c audienceUpload) Run(e *env) error {
	return c.put(e, c.remote, audiencePath(c.Audience), c.Recipients, c.DryRun)
}

type audienceDelete struct{ oneAudience }

// Run takes an audience away.
func (c audienceDelete) Run(e *env) error {
	return c.call(e, "DELETE", audiencePath(c.Audience), nil, nil, nil)
}
