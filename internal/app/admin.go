package app

import (
	"context"
	"crypto/rand"
	"errors"
	"runtime/debug"
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/id"
	"github.com/malgil/malgil/internal/scheduler"
	"github.com/malgil/malgil/internal/store"
)

// Version is the version of the program: that of its module, or "devel".
var Version = version()

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return info.Main.Version
}

// FirstToken makes an API token in a database that no server need be running on; a SQLite file
// must not be in use.
func FirstToken(ctx context.Context, address, name string, scopes []string) (t access.Token, secret string, err error) {
	db, err := store.Open(ctx, store.Config{Address: address})
	if err != nil {
		return t, "", err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if db.Embedded() {
		if _, err := db.Migrate(ctx); err != nil {
			return t, "", err
		}
	}
	var clk clock.Clock
	gate := access.NewGate(db, clk.Now, id.New(clk.Now, rand.Reader).Next, rand.Reader)
	ctx = terminalDeed(ctx, clk.Now())
	return gate.Issue(ctx, access.NewToken{Name: name, Scopes: scopes})
}

// terminalDeed is a token that is made by whoever has the machine, for the audit log.
func terminalDeed(ctx context.Context, now time.Time) context.Context {
	return access.WithDeed(ctx, access.Deed{Action: "create-token", Reason: "at the terminal", At: now}, access.Object{Kind: access.OfToken})
}

// IssueToken makes an API token in this process's own database.
func (a *App) IssueToken(ctx context.Context, name string, scopes []string) (t access.Token, secret string, err error) {
	return a.parts.gate.Issue(terminalDeed(ctx, a.parts.clock.Now()), access.NewToken{Name: name, Scopes: scopes})
}

// MoveClock moves the clock of this process forward and returns when what falls due is done;
// see [scheduler.Mover].
func (a *App) MoveClock(ctx context.Context, to time.Time) error {
	mover := scheduler.Mover{Clock: a.parts.clock, Sweep: a.parts.fallDue, Busy: a.parts.store.Busy, Spread: a.parts.spread, Moments: a.parts.invoiceMoments}
	return mover.MoveTo(ctx, to)
}

// fallDue finds what has fallen due: what schedules order, everything that waits for a task, and what is not to be kept.
func (p *parts) fallDue(ctx context.Context) error {
	return errors.Join(p.calendar(ctx), p.copies(ctx), p.sweep.Run(ctx), p.purger.Run(ctx))
}
