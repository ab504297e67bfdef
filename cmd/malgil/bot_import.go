package main

import (
	"fmt"
	"io"
	"net/url"
	"os"

	"github.com/malgil/malgil/internal/apiclient"
	"github.com/malgil/malgil/internal/fault"
)

type botImport struct {
	remote
	File   string `arg:"" help:"JSON file of blocks, knowledge and servers."`
	Bot    string `required:"" help:"Bot."`
	Note   string `help:"What is new; one line."`
	Deploy bool   `help:"Make it live at once."`
	DryRun bool   `help:"Have it checked, and store nothing."`
}

// Run imports a version.
func (c botImport) Run(e *env) error {
	f, err := os.Open(c.File)
	if err != nil {
		return fault.Field("file", "cannot be opened: %v", err)
	}
	defer f.Close()
	return c.send(e, f, "application/json")
}

// send sends what a bot can say and tells what became of it.
func (c botImport) send(e *env, content io.Reader, media string) error {
	query := url.Values{}
	if c.Note != "" {
		query.Set("note", c.Note)
	}
	if c.Deploy {
		query.Set("deploy", "true")
	}
	if c.DryRun {
		query.Set("dry_run", "true")
	}
	var made struct {
		versionRow
		Added bool `json:"added"`
	}
	return c.call(e, "POST", botPath(c.Bot)+"/versions?"+query.Encode(), content, &made, func() {
		what, would := fmt.Sprintf("version %d of bot %s: %d blocks, %d knowledge items", made.Version, c.Bot, made.Blocks, made.Items), ""
		if c.DryRun {
			would = "would be "
		}
		if !made.Added {
			would = "is already "
		}
		fmt.Fprintf(e.stdout, "%s%s\n", would, what)
		if made.Live {
			fmt.Fprintf(e.stdout, "%slive\n", would)
		}
	}, apiclient.ContentType(media))
}
