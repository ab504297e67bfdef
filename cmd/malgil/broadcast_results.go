package main

import (
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/malgil/malgil/internal/fault"
)

// export is what a command has that writes people to a file.
type export struct {
	Out   string `required:"" help:"File to write: .csv or .ndjson; - for CSV on standard output."`
	NoBOM bool   `name:"no-bom" help:"Leave out the byte order mark by which Excel knows UTF-8."`
	Force bool   `help:"Overwrite a file that is there."`
}

// write writes what an address gives, and prints the name of the file.
func (x export) write(e *env, r remote, path string, query url.Values) error {
	format := strings.TrimPrefix(filepath.Ext(x.Out), ".")
	if x.Out == "-" {
		format = "csv"
	}
	if format != "csv" && format != "ndjson" {
		return fault.Field("--out", "must end in .csv or .ndjson")
	}
	query.Set("format", format)
	if format == "csv" && !x.NoBOM {
		query.Set("bom", "true")
	}
	client, err := r.client()
	if err != nil {
		return err
	}
	download := func(to io.Writer) error {
		return client.Call(e.ctx, "GET", path+"?"+query.Encode(), nil, to)
	}
	if x.Out == "-" {
		return download(e.stdout)
	}
	if err := writeFile(x.Out, x.Force, download); err != nil {
		return err
	}
	fmt.Fprintln(e.stdout, x.Out)
	return nil
}

type broadcastResults struct {
	oneBroadcast
	export
	Outcome string `enum:",delivered,failed,undetermined,in_doubt,skipped,waiting" default:"" help:"Only people with this outcome: delivered, failed, undetermined, in_doubt, skipped or waiting."`
}

// Run writes everybody of a broadcast with what became of him.
func (c broadcastResults) Run(e *env) error {
	query := url.Values{}
	if c.Outcome != "" {
		query.Set("outcome", c.Outcome)
	}
	return c.write(e, c.remote, broadcastPath(c.Broadcast)+"/results", query)
}
