package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/malgil/malgil/internal/botfile"
	"github.com/malgil/malgil/internal/fault"
)

// botExport is the way from a version back to a folder.
type botExport struct {
	remote
	Bot     string `arg:"" help:"Bot."`
	Folder  string `arg:"" help:"New or empty folder."`
	Version int64  `arg:"" optional:"" help:"Version; the newest, when left out."`
}

// Run writes the folder.
func (c botExport) Run(e *env) error {
	if err := isFree(c.Folder); err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	if c.Version == 0 {
		if c.Version, err = c.newest(e, c.Bot); err != nil {
			return err
		}
	}
	var archive bytes.Buffer
	if err := client.Call(e.ctx, "GET", versionPath(c.Bot, c.Version)+"/content", nil, &archive); err != nil {
		return err
	}
	files, err := botfile.Unzip(archive.Bytes())
	if err != nil {
		return fmt.Errorf("read version %d of bot %s: %w", c.Version, c.Bot, err)
	}
	if err := os.CopyFS(c.Folder, files); err != nil {
		return fmt.Errorf("write version %d of bot %s: %w", c.Version, c.Bot, err)
	}
	fmt.Fprintf(e.stdout, "%s is version %d of bot %s\n", c.Folder, c.Version, c.Bot)
	return nil
}

// isFree refuses a folder in which something lies.
func isFree(folder string) error {
	entries, err := os.ReadDir(folder)
	switch {
	case err == nil && len(entries) > 0:
		return fault.Field("folder", "%s is not empty, and nothing is written over; name a new one", folder)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fault.Field("folder", "cannot be used: %v", err)
	}
	return nil
}
