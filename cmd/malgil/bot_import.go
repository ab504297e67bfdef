package main

import (
	"bytes"
	"fmt"
	"io"
	"net/url"
	"os"

	"github.com/malgil/malgil/internal/apiclient"
	"github.com/malgil/malgil/internal/botfile"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/scenario"
)

type botImport struct {
	remote
	Folder string `arg:"" help:"Folder of the bot, or a JSON file of its blocks, knowledge and servers."`
	Bot    string `help:"Bot; of a folder the one that its bot.yaml names, when left out."`
	Note   string `help:"What is new; one line."`
	Deploy bool   `help:"Make it live at once."`
	DryRun bool   `help:"Have it checked, and store nothing."`
}

// Run imports a version.
func (c botImport) Run(e *env) error {
	about, err := os.Stat(c.Folder)
	if err != nil {
		return fault.Field("folder", "cannot be opened: %v", err)
	}
	if about.IsDir() {
		return c.sendFolder(e)
	}
	if c.Bot == "" {
		return fault.Field("--bot", "is missing; a JSON file names no bot")
	}
	f, err := os.Open(c.Folder)
	if err != nil {
		return fault.Field("folder", "cannot be opened: %v", err)
	}
	defer f.Close()
	return c.send(e, f, "application/json")
}

// sendFolder sends a folder; the server checks it.
func (c botImport) sendFolder(e *env) error {
	folder, err := os.OpenRoot(c.Folder) // no link leads out of it
	if err != nil {
		return fault.Field("folder", "cannot be opened: %v", err)
	}
	defer folder.Close()
	archive, problems := botfile.Pack(folder.FS())
	if len(problems) > 0 {
		return fault.New(fault.Invalid, "%s", problems[0])
	}
	_, header, _ := botfile.Read(e.ctx, folder.FS(), scenario.Rules{HTTPLoopback: true})
	switch {
	case c.Bot == "" && header.ID == "":
		return fault.Field("--bot", "is missing, and bot.yaml names no bot; malgil bot check tells what is wrong with it")
	case c.Bot == "":
		c.Bot = header.ID
	case header.ID != "" && !header.Names(c.Bot):
		return fault.Field("--bot", "is %s, but the folder is of bot %s; leave --bot out, or write the other id into bot.yaml", c.Bot, header.ID)
	}
	return c.send(e, bytes.NewReader(archive), botfile.MediaType)
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
