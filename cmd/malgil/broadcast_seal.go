package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/malgil/malgil/internal/apiclient"
	"github.com/malgil/malgil/internal/fault"
)

// confirmation is how many people somebody says that a broadcast has.
type confirmation struct {
	Confirm int64 `placeholder:"PEOPLE" help:"How many people it goes to; asked for above a size, on a terminal when left out."`
}

// seal lets a broadcast go. Where its people have to be said and were not, somebody at a terminal is asked.
func (c confirmation) seal(e *env, client *apiclient.Client, id string) error {
	err := c.post(e, client, id)
	var p *apiclient.Problem
	if c.Confirm != 0 || !errors.As(err, &p) || p.Code != "CONFIRMATION_NEEDED" {
		return err
	}
	var b broadcastRow
	if err := client.Call(e.ctx, "GET", broadcastPath(id), nil, &b); err != nil {
		return err
	}
	if !terminal(os.Stdin) {
		return fmt.Errorf("%w\nread malgil broadcast preview %s, then malgil broadcast seal %[2]s --confirm %d", err, id, b.Counts.Audience)
	}
	if c.Confirm, err = askPeople(os.Stdin, e.stderr, b); err != nil {
		return err
	}
	return c.post(e, client, id)
}

func (c confirmation) post(e *env, client *apiclient.Client, id string) error {
	body := map[string]any{}
	if c.Confirm != 0 {
		body["confirm"] = c.Confirm
	}
	return client.Call(e.ctx, "POST", broadcastPath(id)+"/seal", body, nil)
}

// askPeople has somebody type how many people a broadcast goes to.
func askPeople(in io.Reader, out io.Writer, b broadcastRow) (int64, error) {
	fmt.Fprintf(out, "%s (%s, event %s) goes to %s people. Type their number to let it go: ", b.ID, plain(b.Name), plain(b.Event.Name), won(b.Counts.Audience))
	said, err := typed(in)
	if err != nil || said != b.Counts.Audience {
		return 0, fault.New(fault.Conflict, "that is not %s; broadcast %s was not sealed", won(b.Counts.Audience), b.ID)
	}
	return said, nil
}

// typed reads a number that somebody types.
func typed(in io.Reader) (int64, error) {
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	return strconv.ParseInt(strings.ReplaceAll(strings.TrimSpace(line), ",", ""), 10, 64)
}

type broadcastSeal struct {
	oneBroadcast
	confirmation
}

// Run seals a broadcast.
func (c broadcastSeal) Run(e *env) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	if err := c.seal(e, client, c.Broadcast); err != nil {
		return err
	}
	return c.step(e, "GET", "")
}
