package main

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/malgil/malgil/internal/apiclient"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
)

type broadcastDecide struct {
	remote
	once
	Broadcast string   `arg:"" help:"Broadcast."`
	Chunks    []string `arg:"" optional:"" help:"Chunks; all that are in doubt when left out, and with --not-sent those that are parked. One that stays unconfirmed is named, with --sent or --release."`
	NotSent   bool     `help:"They did not go out: they are sent once more. Who got them after all gets them twice." xor:"finding"`
	Sent      bool     `help:"They went out: everybody in them counts as delivered and is paid for." xor:"finding"`
	Release   bool     `help:"Nobody can tell: nobody pays for them, and nobody is sent to again." xor:"finding"`
	Confirm   int64    `placeholder:"PEOPLE" help:"With --not-sent: how many people are sent to again; asked for above a size, on a terminal when left out."`
	Note      string   `required:"" help:"How it was found out, one line; it stands in the audit log."`
}

// doubtful counts chunks that would be sent again, and the people in them.
type doubtful struct{ chunks, people, parked int64 }

// again counts what --not-sent is about: the chunks that are named, or the first of all that are in doubt or parked.
func (c broadcastDecide) again(e *env) (found doubtful, err error) {
	client, err := c.client()
	if err != nil {
		return found, err
	}
	type chunk struct {
		ID     string `json:"id"`
		People int64  `json:"people"`
		parked bool
	}
	var all []chunk
	for _, state := range []string{"in_doubt", "parked"} {
		some, _, err := pages[chunk](e, client, 0, broadcastPath(c.Broadcast)+"/chunks", url.Values{"state": {state}})
		if err != nil {
			return found, err
		}
		for _, one := range some {
			if one.parked = state == "parked"; len(c.Chunks) == 0 || slices.Contains(c.Chunks, one.ID) {
				all = append(all, one)
			}
		}
	}
	slices.SortFunc(all, func(a, b chunk) int { return strings.Compare(a.ID, b.ID) })
	for _, one := range all[:min(len(all), broadcast.MaxDecided)] {
		found.chunks, found.people = found.chunks+1, found.people+one.People
		if one.parked {
			found.parked += one.People
		}
	}
	return found, nil
}

func (d doubtful) String() string {
	return fmt.Sprintf("%s chunks of %s people, %s of them parked", won(d.chunks), won(d.people), won(d.parked))
}

// askAgain has somebody type how many people are sent to again.
func askAgain(in io.Reader, out io.Writer, d doubtful) (int64, error) {
	fmt.Fprintf(out, "Type the number of people, %s, to send to them again: ", won(d.people))
	said, err := typed(in)
	if err != nil || said != d.people {
		return 0, fault.New(fault.Conflict, "that is not %s; nothing was decided", won(d.people))
	}
	return said, nil
}

// decidedRow is what a decision came to.
type decidedRow struct {
	Chunks   int64    `json:"chunks"`
	People   int64    `json:"people"`
	Captured int64    `json:"captured_krw"`
	More     bool     `json:"more"`
	Proven   []string `json:"proven"`
}

// Run decides, or shows what there is to decide.
func (c broadcastDecide) Run(e *env) error {
	var finding, would string
	switch {
	case c.NotSent:
		finding, would = "not_sent", "send them once more; who got them after all gets them twice"
	case c.Sent:
		finding, would = "sent", "count everybody in them as delivered, and have them paid for"
	case c.Release:
		finding, would = "release", "end them unpaid; nobody in them is sent to again"
	default:
		return fault.New(fault.Invalid, "say --not-sent, --sent or --release")
	}
	path := broadcastPath(c.Broadcast)
	var found doubtful
	if c.NotSent {
		var err error
		if found, err = c.again(e); err != nil {
			return err
		}
	}
	if c.DryRun && c.NotSent {
		fmt.Fprintf(e.stdout, "%s: would %s; nothing was done\n", found, would)
		return nil
	}
	if c.DryRun {
		var b broadcastRow
		return c.call(e, "GET", path, nil, &b, func() {
			what := fmt.Sprintf("%d chunks", len(c.Chunks))
			if len(c.Chunks) == 0 {
				what = fmt.Sprintf("all chunks in doubt, of %s people", won(b.Counts.InDoubt))
			}
			fmt.Fprintf(e.stdout, "%s: would %s; nothing was done\n", what, would)
		})
	}
	body := map[string]any{"finding": finding, "note": c.Note}
	if len(c.Chunks) > 0 {
		body["chunks"] = c.Chunks
	}
	if c.NotSent {
		fmt.Fprintf(e.stderr, "%s are sent once more. Who got the message after all gets it twice.\n", found)
	}
	err := c.decide(e, path, body)
	var p *apiclient.Problem
	if !c.NotSent || c.Confirm != 0 || !errors.As(err, &p) || p.Code != "CONFIRMATION_NEEDED" {
		return err
	}
	if !terminal(os.Stdin) {
		return fmt.Errorf("%w\nask Kakao first, then add --confirm %d", err, found.people)
	}
	if c.Confirm, err = askAgain(os.Stdin, e.stderr, found); err != nil {
		return err
	}
	return c.decide(e, path, body)
}

func (c broadcastDecide) decide(e *env, path string, body map[string]any) error {
	if c.Confirm != 0 {
		body["confirm"] = c.Confirm
	}
	key, told := c.key()
	var done decidedRow
	return told(c.call(e, "POST", path+"/decide", body, &done, func() {
		facts(e.stdout, "chunks", won(done.Chunks), "people", won(done.People), "captured", won(done.Captured)+" KRW", "left as they are", strings.Join(done.Proven, " "))
		if done.More {
			fmt.Fprintln(e.stdout, "there are more: decide again")
		}
	}, apiclient.IdempotencyKey(key)))
}
