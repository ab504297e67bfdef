package doctor

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/store"
)

// databaseChecks look at the database over one connection.
func (i Installation) databaseChecks(db *visit[*store.Store]) []check {
	on := func(look func(ctx context.Context, s *store.Store) Result) func(ctx context.Context) Result {
		return func(ctx context.Context) Result {
			if i.wrong("MALGIL_DB") {
				return seeConfiguration("MALGIL_DB")
			}
			s, err := db.get(ctx)
			if err != nil {
				return skipped("the database is not open, see database")
			}
			return look(ctx, s)
		}
	}
	migrated := func(look func(ctx context.Context, s *store.Store) Result) func(ctx context.Context) Result {
		return on(func(ctx context.Context, s *store.Store) Result {
			if schema, err := s.Schema(ctx); err != nil || schema.Pending > 0 {
				return skipped("migrations are to run first, see migrations")
			}
			return look(ctx, s)
		})
	}
	// The keys are given to the connection once, for all that need them.
	opened := &visit[*store.Store]{open: func(ctx context.Context) (*store.Store, error) {
		s, err := db.get(ctx)
		if err != nil {
			return nil, err
		}
		return s, i.Keys(ctx, s)
	}}
	checks := []check{
		{"database", func(ctx context.Context) Result { return i.database(ctx, db) }},
		{"migrations", on(migrations)},
		{"keys", migrated(func(ctx context.Context, _ *store.Store) Result { return i.keys(ctx, opened) })},
		{"keys of bots", migrated(func(ctx context.Context, _ *store.Store) Result { return i.keysOfBots(ctx, opened) })},
		{"scheduler", migrated(i.schedulerSeen)},
	}
	if !embedded(i.DB) {
		checks = append(checks, check{"clock of the database", on(func(ctx context.Context, s *store.Store) Result {
			return skew(ctx, "the database", s.Clock)
		})})
	}
	return checks
}

func embedded(address string) bool { return strings.HasPrefix(address, "sqlite:") }

func (i Installation) openDatabase(ctx context.Context) (*store.Store, error) {
	return store.OpenToLook(ctx, i.DB)
}

// database tells whether the database is there.
func (i Installation) database(ctx context.Context, db *visit[*store.Store]) Result {
	if i.wrong("MALGIL_DB") {
		return seeConfiguration("MALGIL_DB")
	}
	shown := i.Settings["MALGIL_DB"]
	s, err := db.get(ctx)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return warning("If this installation has run before, MALGIL_DB names the wrong file or its disk is not mounted; else malgil all makes it.",
			"there is no file at %s yet", shown)
	case errors.Is(err, fs.ErrPermission):
		return problem("Run malgil doctor as the user that malgil runs as, or give it the file.", "this user may not read %s", shown)
	case err != nil && embedded(i.DB):
		return problem("Restore the file from the backup if it is damaged (docs/operations.md, Backup and restore).", "%s cannot be read: %s", shown, said(err))
	case err != nil:
		return problem("See whether PostgreSQL runs, is reached from here, and takes the user, the password and the database of MALGIL_DB.",
			"no connection to %s: %s", shown, said(err))
	}
	schema, err := s.Schema(ctx)
	if err != nil {
		return problem("See the log of the database.", "%s is open and does not answer: %s", shown, said(err))
	}
	used, err := store.InUse(i.DB)
	switch {
	case err != nil:
		return warning("Run malgil doctor as the user that malgil runs as.", "%s at %s; whether a process uses it cannot be seen: %s", schema.Server, shown, said(err))
	case used:
		return ok("%s at %s, in use by a malgil that runs", schema.Server, shown)
	case embedded(i.DB):
		return ok("%s at %s, in use by nobody", schema.Server, shown)
	}
	return ok("%s at %s", schema.Server, shown)
}

func migrations(ctx context.Context, s *store.Store) Result {
	schema, err := s.Schema(ctx)
	all := schema.Applied + schema.Pending
	switch {
	case err != nil:
		return problem("Give the user of MALGIL_DB the right to read its own schema.", "they cannot be read: %s", said(err))
	case schema.Unknown > 0:
		return warning("Run the version of malgil that made them, or a newer one, and this one no more.",
			"%d have run that this version does not know: a newer malgil uses this database", schema.Unknown)
	case schema.Pending > 0 && s.Embedded():
		return warning("malgil all runs them when it starts; start it again, or run malgil migrate while it is stopped.", "%d of %d have not run", schema.Pending, all)
	case schema.Pending > 0:
		return problem("Run malgil migrate; no process starts before.", "%d of %d have not run", schema.Pending, all)
	}
	return ok("all %d have run", all)
}

// keys tells whether the keys of the installation open what its database holds.
func (i Installation) keys(ctx context.Context, opened *visit[*store.Store]) Result {
	for _, setting := range []string{"MALGIL_SEAL_KEYS", "MALGIL_HASH_KEY"} {
		if i.wrong(setting) {
			return seeConfiguration(setting)
		}
	}
	_, err := opened.get(ctx)
	wrong := each(err)
	if len(wrong) == 0 {
		return ok("they open what the database holds")
	}
	var found []string
	kind := fault.Internal
	for _, err := range wrong {
		found, kind = append(found, said(err)), fault.KindOf(err)
	}
	if kind != fault.Invalid {
		return warning("Run malgil doctor as the user that malgil runs as.", "they cannot be tried: %s", strings.Join(found, "; "))
	}
	return problem("Bring the keys back from the backup that the database is of (docs/operations.md, Backup and restore).", "%s", strings.Join(found, "; "))
}

// overdue is how long after it is due a comparison that nobody makes means that no scheduler runs:
// its loop looks once a minute.
const overdue = 10 * time.Minute

// schedulerSeen tells whether a scheduler runs, by the signs of life of its loops; of an older one by the comparison
// of wallets that it makes.
func (i Installation) schedulerSeen(ctx context.Context, s *store.Store) Result {
	now, err := s.Clock(ctx)
	if err != nil {
		return problem("See the log of the database.", "the database does not tell the time: %s", said(err))
	}
	beats, err := s.Beats(ctx)
	if err != nil {
		return problem("See the log of the database.", "its traces cannot be read: %s", said(err))
	}
	if len(beats) > 0 {
		return alive(beats, now)
	}
	last, due, err := s.Compared(ctx)
	switch {
	case err != nil:
		return problem("See the log of the database.", "its traces cannot be read: %s", said(err))
	case last.IsZero() && embedded(i.DB):
		return skipped("none has run on this database yet; malgil all has one in it")
	case last.IsZero():
		return problem("Start malgil scheduler: without one no broadcast, charge or mail goes.", "none has run on this database yet")
	case now.Sub(due) > overdue:
		return problem("Start malgil scheduler; if one runs, its log says why the loop books fails (docs/operations.md, MalgilNoScheduler).",
			"none seems to run: a wallet waits for its hourly comparison since %s", stamp(due))
	}
	return ok("one runs: it compared a wallet at %s, and none is overdue", stamp(last))
}

// alive judges the signs of life of loops.
func alive(beats []store.Beat, now time.Time) Result {
	var silent []string
	var latest time.Time
	for _, b := range beats {
		if b.At.After(latest) {
			latest = b.At
		}
		heard := b.At
		if b.Since.After(heard) {
			heard = b.Since
		}
		switch {
		case now.Sub(heard) <= b.Silent:
		case b.At.IsZero():
			silent = append(silent, b.Loop+" (never)")
		default:
			silent = append(silent, b.Loop+" ("+stamp(b.At)+")")
		}
	}
	switch {
	case len(silent) == len(beats):
		return problem("Start malgil scheduler; if one runs, its log says why its loops fail (docs/operations.md, MalgilNoScheduler).",
			"none seems to run: the last of its loops ended without an error at %s", stamp(latest))
	case len(silent) > 0:
		return problem("See why in the log of the scheduler, at \"loop failed\" (docs/operations.md, MalgilLoopSilent).",
			"one runs, and some of its loops have not ended without an error for too long: %s", strings.Join(silent, ", "))
	case latest.IsZero():
		return ok("one has just started")
	}
	return ok("one runs: all %d loops go on, the latest ended at %s", len(beats), stamp(latest))
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// How far clocks may be apart: docs/operations.md asks for a second, and asynq's leases last thirty.
const (
	skewWarning = time.Second
	skewProblem = 15 * time.Second
)

// skew compares the clock of this machine with another's. What the answer's way may have taken is
// in nobody's disfavour.
func skew(ctx context.Context, whose string, ask func(ctx context.Context) (time.Time, error)) Result {
	if _, err := ask(ctx); err != nil { // opens a connection, so that the next one takes its way only
		return problem("See whether it answers other questions.", "%s does not tell the time: %s", whose, said(err))
	}
	before := time.Now()
	there, err := ask(ctx)
	way := time.Since(before)
	if err != nil {
		return problem("See whether it answers other questions.", "%s does not tell the time: %s", whose, said(err))
	}
	return skewed(whose, there.Sub(before.Add(way/2)), way/2)
}

// skewed judges a difference that is known give or take.
func skewed(whose string, apart, give time.Duration) Result {
	const do = "Keep all clocks within a second with chrony or another NTP client (docs/operations.md, Roles)."
	direction := "ahead of"
	if apart < 0 {
		direction = "behind"
	}
	apart = apart.Abs()
	found := whose + " is " + apart.Round(time.Millisecond).String() + " " + direction + " this machine"
	switch sure := apart - give; {
	case sure > skewProblem:
		return problem(do, "%s", found)
	case sure > skewWarning:
		return warning(do, "%s", found)
	}
	return ok("%s", found)
}
