package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/malgil/malgil/internal/apiclient"
)

type broadcastWatch struct {
	oneBroadcast
	Every time.Duration `default:"1s" help:"How often to look while the server sends no events."`
}

// Run waits until a broadcast is over: 0 when everyone got it, 3 when some did not, 1 when it was cancelled.
func (c broadcastWatch) Run(e *env) error { return c.watch(e, c.Broadcast, c.Every) }

// silence is how long a server says nothing before it, or something on the way, is taken for stuck. It says
// something every 15 seconds.
const silence = 40 * time.Second

var errOver = errors.New("the broadcast is over")

// maxLost is how long a server may be away while somebody watches: it may be started again.
const maxLost = time.Minute

// watch shows how a broadcast goes until it is over. Whenever the server's events break off it asks for the
// broadcast itself, and tries them again after a time.
func (r remote) watch(e *env, id string, every time.Duration) error {
	client, err := r.client()
	if err != nil {
		return err
	}
	d := newDisplay(e.stderr)
	defer d.close()
	var b broadcastRow
	seen, events := time.Time{}, true
	for {
		if events {
			err := client.Events(e.ctx, broadcastPath(id)+"/events", silence, func(name string, data []byte) error {
				var next broadcastRow
				if err := json.Unmarshal(data, &next); name != "progress" || err != nil {
					return err
				}
				b, seen = next, time.Now()
				d.show(b)
				if !b.FinishedAt.IsZero() {
					return errOver
				}
				return nil
			})
			events = !errors.Is(err, apiclient.ErrSilent) // a proxy that gathers events up goes on doing so
		}
		var now broadcastRow
		err := client.Call(e.ctx, "GET", broadcastPath(id), nil, &now)
		var p *apiclient.Problem
		switch {
		case err == nil:
			b, seen = now, time.Now()
			d.show(b)
			if !b.FinishedAt.IsZero() {
				d.close()
				return r.over(e, b)
			}
		case e.ctx.Err() == nil && (errors.As(err, &p) && p.Status < 500 || time.Since(seen) > maxLost):
			return err
		}
		select {
		case <-time.After(max(every, 100*time.Millisecond)):
		case <-e.ctx.Done():
			return fmt.Errorf("the broadcast is %s, and goes on: %w", b.standing(), e.ctx.Err())
		}
	}
}

// over shows a broadcast that is over, and says whether everyone got it.
func (r remote) over(e *env, b broadcastRow) error {
	if err := r.call(e, "GET", broadcastPath(b.ID), nil, &b, func() { b.print(e) }); err != nil {
		return err
	}
	n := b.Counts
	if b.State == "cancelled" {
		return fmt.Errorf("it was cancelled; %s of %s people got it", won(n.Delivered), won(n.Audience))
	}
	if missed := n.Audience - n.Delivered; missed > 0 {
		return partlyDone{fmt.Errorf("%s of %s people did not get it, or it is not known", won(missed), won(n.Audience))}
	}
	return nil
}

// display shows progress: with a bar where somebody watches, else a line now and then.
type display struct {
	to   io.Writer
	bar  *progressbar.ProgressBar // nil before the first look, and where nobody watches
	wide bool

	now    func() time.Time
	told   string    // where it stood at the last line
	toldAt time.Time // and when that was
}

// lineEvery is how often a line is printed while nothing else changes.
const lineEvery = 10 * time.Second

func newDisplay(to io.Writer) *display { return &display{to: to, wide: terminal(to), now: time.Now} }

func (d *display) show(b broadcastRow) {
	if !d.wide {
		if now := d.now(); d.told != b.standing() || now.Sub(d.toldAt) >= lineEvery {
			d.told, d.toldAt = b.standing(), now
			fmt.Fprintln(d.to, plain(b.progress()))
		}
		return
	}
	if d.bar == nil {
		d.bar = progressbar.NewOptions64(max(b.Counts.Audience, 1), progressbar.OptionSetWriter(d.to), progressbar.OptionShowCount(),
			progressbar.OptionSetPredictTime(false), progressbar.OptionSetElapsedTime(false), progressbar.OptionClearOnFinish())
	}
	d.bar.ChangeMax64(max(b.Counts.Audience, 1))
	d.bar.Describe(plain(b.progress()))
	_ = d.bar.Set64(b.done()) // a terminal that is gone shows nothing
}

// close takes the bar away.
func (d *display) close() {
	if d.bar != nil {
		_ = d.bar.Clear() // as above
		d.bar = nil
	}
}

// progress says in a line how a broadcast goes.
func (b broadcastRow) progress() string {
	words := []string{b.standing(), fmt.Sprintf("%s of %s", won(b.done()), won(b.Counts.Audience))}
	if b.Rate > 0 {
		words = append(words, won(int64(b.Rate))+"/s")
	}
	if !b.Over.IsZero() {
		words = append(words, "over at "+when(b.Over))
	}
	if b.Cost.Captured > 0 {
		words = append(words, fmt.Sprintf("%s + %s KRW", won(b.Cost.Captured), won(b.Cost.VAT)))
	}
	if b.Cost.Held > 0 {
		words = append(words, won(b.Cost.Held)+" KRW held")
	}
	return strings.Join(words, ", ")
}
