// Package app is the wiring: it makes the parts that a process plays, starts them in order and
// stops them in order. A test boots the whole program with it, as cmd/malgil does.
package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/knowledge"
	"github.com/malgil/malgil/internal/metrics"
	"github.com/malgil/malgil/internal/queue"
	"github.com/malgil/malgil/internal/scheduler"
	"github.com/malgil/malgil/internal/seal"
	"github.com/malgil/malgil/internal/store"
	"github.com/malgil/malgil/internal/trace"
	"github.com/malgil/malgil/internal/wallet"
	"github.com/malgil/malgil/tasks"
)

// App is a running process: some roles over one database and one queue.
type App struct {
	IntakeURL  string // where the intake listens, empty without the role
	MetricsURL string // where /metrics is, empty for none

	parts       *parts
	stopWarming func()   // begins to load no further bot ahead; nil where none is
	closers     []closer // in the order of starting; closed the other way around
	failed      chan error
}

// closer ends one started part, within a limit of its own.
type closer struct {
	name  string
	limit time.Duration
	end   func(ctx context.Context) error
}

// How long parts may take to end, at most. docs/operations.md promises more than their sum to
// whoever stops a process: 120 s for a role, 180 s for all of them.
const (
	serverLimit    = 32 * time.Second // the intake lets calls end for 30 s
	answersLimit   = 10 * time.Second // evidence of answers that have left
	schedulerLimit = 10 * time.Second // one transaction
	metricsLimit   = 3 * time.Second
	tracesLimit    = 5 * time.Second  // what was not sent yet
	recorderLimit  = 11 * time.Second // it gives up after 10 s
	databaseLimit  = 5 * time.Second
	shortLimit     = 2 * time.Second        // connections, and what is in memory
	closeSlack     = 500 * time.Millisecond // for a part to notice that its time is over
)

// close ends the part. One that goes on beyond its limit is left behind: the process ends.
func (c closer) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- c.end(ctx) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	slack := time.NewTimer(closeSlack)
	defer slack.Stop()
	select {
	case err := <-ended:
		return err
	case <-slack.C:
		return fmt.Errorf("it goes on: %w", ctx.Err())
	}
}

// Run starts a process and serves until ctx ends or a part fails, then stops in order.
func Run(ctx context.Context, config Config, roles Roles, log *slog.Logger) error {
	a, err := Start(ctx, config, roles, &clock.Clock{}, log)
	if err != nil {
		return err
	}
	log.Info("malgil is up", "intake", a.IntakeURL, "metrics", a.MetricsURL)
	a.greet(ctx, config, log)
	select {
	case <-ctx.Done():
	case err = <-a.failed:
		log.Error("a part failed", "err", err)
	}
	log.Info("stopping", "within", a.Grace().String())
	// Whatever is under way gets its time; the watchdog is that Close ends by itself.
	err = errors.Join(err, a.Close(context.WithoutCancel(ctx)))
	log.Info("stopped")
	return err
}

// Grace returns the longest that [App.Close] takes. Whoever stops the process from outside waits
// longer than this before killing it.
func (a *App) Grace() time.Duration {
	var all time.Duration
	for _, c := range a.closers {
		all += c.limit + closeSlack
	}
	return all
}

// Start starts the parts of a process. On an error nothing is left running. ctx bounds the start
// only; the clock is the one of the whole process.
func Start(ctx context.Context, config Config, roles Roles, clk *clock.Clock, log *slog.Logger) (_ *App, err error) {
	if err := errors.Join(config.Check(roles), roles.check()); err != nil {
		return nil, err
	}
	a := &App{failed: make(chan error, 4)}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close(context.WithoutCancel(ctx)))
		}
	}()
	tracer, end, err := config.traces(log).Open(ctx)
	if err != nil {
		return nil, err
	}
	if tracer != nil {
		log = trace.Logged(log)
		a.onClose("traces", tracesLimit, end)
	}
	var door net.Listener
	if roles.Intake {
		if door, err = listen("MALGIL_LISTEN", config.Listen); err != nil {
			return nil, err
		}
		// A second close, after the server's, only says so.
		a.onClose("listener", shortLimit, func(context.Context) error { _ = door.Close(); return nil })
		if a.IntakeURL = "http://" + door.Addr().String(); config.PublicURL == "" {
			config.PublicURL = a.IntakeURL
		}
	}
	queue.LogRedis(log)
	db, err := a.openStore(ctx, config)
	if err != nil {
		return nil, err
	}
	if config, err = config.withKeys(ctx, db); err != nil {
		return nil, err
	}
	keys, err := seal.New(config.SealKeys, rand.Reader)
	if err != nil {
		return nil, err
	}
	if err := db.UseKeys(ctx, keys); err != nil {
		return nil, err
	}
	address, err := a.openQueue(config)
	if err != nil {
		return nil, err
	}
	if a.parts, err = a.build(config, roles, db, keys, address, clk, tracer, log); err != nil {
		return nil, err
	}
	if err := a.serveMetrics(config); err != nil {
		return nil, err
	}
	answers := slices.Contains(roles.Pools, tasks.QueueReply)
	if answers {
		knowledge.Load() // an intake answers where no worker does, and stays small until it has to
	}
	if roles.Intake || answers {
		a.warm()
	}
	if len(roles.Pools) > 0 {
		if err := a.startWorkers(config, address, roles.Pools); err != nil {
			return nil, err
		}
	}
	if roles.Scheduler {
		first := a.parts.sweep
		if config.Redis == "" {
			// An embedded queue starts empty: no task of an earlier run can be there still, so every
			// row that waits is found before anybody is served.
			first = scheduler.NewSweep(db, a.parts.queue, a.parts.inspector, 0, clk.Now)
		}
		if err := first.Run(ctx); err != nil {
			return nil, fmt.Errorf("sweep before serving: %w", err)
		}
		a.startScheduler(config)
	}
	if roles.Intake {
		a.startIntake(config, door)
	}
	return a, nil
}

// Close stops what runs, the last started first, and returns what went wrong. It ends within
// [App.Grace], since every part has a limit of its own.
func (a *App) Close(ctx context.Context) error {
	if a.stopWarming != nil {
		a.stopWarming()
	}
	var errs []error
	for len(a.closers) > 0 {
		last := a.closers[len(a.closers)-1]
		a.closers = a.closers[:len(a.closers)-1]
		if err := last.close(ctx); err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", last.name, err))
		}
	}
	return errors.Join(errs...)
}

// onClose has a part ended by [App.Close]; ctx of end ends with the limit.
func (a *App) onClose(name string, limit time.Duration, end func(ctx context.Context) error) {
	a.closers = append(a.closers, closer{name, limit, end})
}

// fail ends Run because a part cannot go on.
func (a *App) fail(err error) {
	select {
	case a.failed <- err:
	default: // it is failing already
	}
}

// openStore opens the database. One process alone migrates it by itself; several are told to.
func (a *App) openStore(ctx context.Context, config Config) (*store.Store, error) {
	db, err := store.Open(ctx, store.Config{
		Address: config.DB,
		Limits:  wallet.Limits{AccrualCap: config.AccrualCap},
		Settlement: wallet.Settlement{
			Threshold: config.ChargeThreshold, Policy: config.SettlementPolicy, Spread: config.SettlementSpread,
		},
		LongUnpaid: config.LongUnpaid,
		Checks:     broadcast.Checks{ConfirmAbove: config.ConfirmAbove, ApproveAbove: config.ApproveAbove},

		ReportAbove: config.ReportAbove,
	})
	if err != nil {
		return nil, err
	}
	a.onClose("database", databaseLimit, func(context.Context) error { return db.Close() })
	if err := current(ctx, db); err != nil {
		return db, err
	}
	return db, db.FirstPrice(ctx, config.Price)
}

// current makes sure that a schema is up to date: that of one process alone is brought up to date.
func current(ctx context.Context, db *store.Store) error {
	if db.Embedded() {
		_, err := db.Migrate(ctx)
		return err
	}
	pending, err := db.Pending(ctx)
	if err == nil && pending > 0 {
		err = fault.Field("MALGIL_DB", "lacks %d migrations; run malgil migrate", pending)
	}
	return err
}

// Migrate brings the schema of a database up to date and returns how many migrations it ran.
func Migrate(ctx context.Context, address string) (ran int, err error) {
	db, err := store.Open(ctx, store.Config{Address: address})
	if err != nil {
		return 0, err
	}
	ran, err = db.Migrate(ctx)
	return ran, errors.Join(err, db.Close())
}

// MigrateEmpty is [Migrate] for a database that nobody lives in, and a queue that holds nothing
// where its address is given. Anything else is a Conflict: a demo beside the pretended Kakao would
// send what real people wait for.
func MigrateEmpty(ctx context.Context, config Config) error {
	db, err := store.Open(ctx, store.Config{Address: config.DB})
	if err != nil {
		return err
	}
	defer db.Close()
	switch used, err := db.Used(ctx); {
	case err != nil:
		return err
	case used:
		return fault.New(fault.Conflict, "MALGIL_DB holds an installation already; the demo takes an empty database only")
	}
	if config.Redis != "" {
		address, err := queue.ParseAddress(config.Redis)
		if err != nil {
			return err
		}
		inspector := queue.NewInspector(address.InspectClient())
		defer inspector.Close()
		switch used, err := inspector.Used(ctx); {
		case err != nil:
			return err
		case used:
			return fault.New(fault.Conflict, "MALGIL_REDIS serves an installation already; the demo takes an empty Redis or database number only")
		}
	}
	_, err = db.Migrate(ctx)
	return err
}

// openQueue returns where Redis is, starting one inside the process when none is named.
func (a *App) openQueue(config Config) (queue.Address, error) {
	if config.Redis != "" {
		return queue.ParseAddress(config.Redis)
	}
	embedded, err := queue.StartEmbedded(rand.Reader)
	if err != nil {
		return queue.Address{}, err
	}
	a.onClose("embedded queue", shortLimit, func(context.Context) error {
		embedded.Close()
		return nil
	})
	return embedded.Address(), nil
}

// listen takes an address before anything is built, so that a wrong one stops the start early.
func listen(setting, address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fault.Field(setting, "cannot be listened on: %v", err)
	}
	return listener, nil
}

// serve runs a server on a listener until the process stops; one that ends by itself is a failure.
func (a *App) serve(name string, limit time.Duration, listener net.Listener, run func(ctx context.Context, l net.Listener) error) {
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, listener)
		if ctx.Err() == nil {
			a.fail(fmt.Errorf("serve %s: it ended by itself: %w", name, err))
		}
		ended <- err
	}()
	a.onClose(name, limit, func(context.Context) error {
		stop()
		return <-ended
	})
}

// serveMetrics serves /metrics on its own port.
func (a *App) serveMetrics(config Config) error {
	if config.MetricsListen == "" {
		return nil
	}
	listener, err := listen("MALGIL_METRICS_LISTEN", config.MetricsListen)
	if err != nil {
		return err
	}
	a.MetricsURL = "http://" + listener.Addr().String() + "/metrics"
	a.serve("metrics", metricsLimit, listener, func(ctx context.Context, l net.Listener) error {
		return metrics.ServeOn(ctx, l, a.parts.registry)
	})
	return nil
}
