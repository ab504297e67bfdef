package main

import (
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/malgil/malgil/internal/fault"
)

type broadcastResults struct {
	oneBroadcast
	Out     string `required:"" help:"File to write: .csv or .ndjson; - for CSV on standard output."`
	Outcome string `enum:",delivered,failed,undetermined,in_doubt,skipped,waiting" default:"" help:"Only people with this outcome: delivered, failed, undetermined, in_doubt, skipped or waiting."`
	NoBOM   bool   `name:"no-bom" help:"Leave out the byte order mark by which Excel knows UTF-8."`
	Force   bool   `help:"Overwrite a file that is there."`
}

// Run writes everybody of a broadcast with what became of him.
func (c broadcastResults) Run(e *env) error {
	format := strings.TrimPrefix(filepath.Ext(c.Out), ".")
	if c.Out == "-" {
		format = "csv"
	}
	if format != "csv" && format != "ndjson" {
		return fault.Field("--out", "must end in .csv or .ndjson")
	}
	query := url.Values{"format": {format}}
	if c.Outcome != "" {
		query.Set("outcome", c.Outcome)
	}
	if format == "csv" && !c.NoBOM {
		query.Set("bom", "true")
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	download := func(to io.Writer) error {
		return client.Call(e.ctx, "GET", broadcastPath(c.Broadcast)+"/results?"+query.Encode(), nil, to)
	}
	if c.Out == "-" {
		return download(e.stdout)
	}
	if err := writeFile(c.Out, c.Force, download); err != nil {
		return err
	}
	fmt.Fprintln(e.stdout, c.Out)
	return nil
}
