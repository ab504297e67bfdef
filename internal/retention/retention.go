// Package retention says how long utterances (발화) are kept, and has older ones removed.
package retention

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/clock"
)

// Level is the security level (보안등급) of a bot, 1 to 4: how long its utterances are kept.
type Level int

// kept is how long each level keeps utterances, in years, months and days (help centre: "보안레벨이 무엇인가요?").
var kept = map[Level][3]int{1: {0, 0, 3}, 2: {0, 0, 30}, 3: {0, 0, 180}, 4: {3, 0, 0}}

// longest is the level of whatever is none: nothing is removed too early.
const longest Level = 4

// Before returns the time before which utterances are removed at a moment: the beginning of the day in Korea
// that lies as far back as the level says. What was said on a day is kept whole until that day is past.
func (l Level) Before(moment time.Time) time.Time {
	back, known := kept[l]
	if !known {
		back = kept[longest]
	}
	y, m, d := moment.In(clock.Seoul).Date()
	return time.Date(y-back[0], m-time.Month(back[1]), d-back[2], 0, 0, 0, 0, clock.Seoul).UTC()
}

// hour is when utterances are removed each day, in Korea: few people talk then.
const hour = 4 * time.Hour

// Moment returns the last moment until now at which utterances were to be removed. One that passed while nobody
// looked is made up for.
func Moment(now time.Time) time.Time {
	moment := clock.Midnight(now).Add(hour)
	if moment.After(now) {
		moment = moment.Add(-24 * time.Hour)
	}
	return moment
}

// Day names a moment by its day in Korea: 2026-11-24.
func Day(moment time.Time) string { return moment.In(clock.Seoul).Format(time.DateOnly) }

// Bot is a bot whose old utterances are to be removed.
type Bot struct {
	ID    string
	Level Level
}

// Batch is what is removed of a bot in one transaction.
type Batch struct {
	Bot
	Day    string    // of the moment
	Before time.Time // what is older goes
	Limit  int       // utterances
	Now    time.Time
}

// Receipt says what was removed of a bot on a day.
type Receipt struct {
	Day            string
	Level          Level
	Before         time.Time
	Removed        int
	Oldest, Newest time.Time // of what was removed; zero for nothing
	BeganAt        time.Time
	EndedAt        time.Time // zero while some is left
}

// Store keeps utterances and the receipts of their removal.
type Store interface {
	// PurgesDue lists bots that there were at a moment and whose purge of it has not ended, by id.
	PurgesDue(ctx context.Context, moment time.Time) ([]Bot, error)
	// PurgeUtterances removes a batch, the oldest first, and notes it on the receipt in the same transaction. It
	// returns how many it removed, and done when none are left. Of two at once for a bot, one waits.
	PurgeUtterances(ctx context.Context, b Batch) (removed int, done bool, err error)
	// ForgetTalks removes what users said in talks whose time was over at a moment.
	ForgetTalks(ctx context.Context, now time.Time) error
}

// Meter counts what is removed.
type Meter interface {
	UtterancesPurged(n int)
}

const (
	// batchSize bounds a transaction: one takes some milliseconds, and whoever records waits no longer.
	batchSize = 1000
	// runBatches bounds a run: what is left goes in the next, so that a bot with much does not keep a run
	// from ending.
	runBatches = 500
)

// Purger removes utterances that are older than their bot keeps them. People whom a bot has seen are remembered apart
// and stay.
type Purger struct {
	store Store
	meter Meter
	now   func() time.Time
}

// New returns a purger.
func New(store Store, meter Meter, now func() time.Time) *Purger {
	return &Purger{store: store, meter: meter, now: now}
}

// Run removes what users said in talks that they left, and what else is due, in batches, until nothing is left, ctx ends or the run is full; the next one goes on.
// Any number may run at once. A bot that fails keeps no other from its turn.
func (p *Purger) Run(ctx context.Context) error {
	now := p.now()
	moment := Moment(now)
	var errs []error
	if err := p.store.ForgetTalks(ctx, now); err != nil {
		errs = append(errs, fmt.Errorf("forget talks: %w", err))
	}
	due, err := p.store.PurgesDue(ctx, moment)
	if err != nil {
		return errors.Join(append(errs, fmt.Errorf("list whose utterances are to be removed: %w", err))...)
	}
	left := runBatches
	for _, bot := range due {
		b := Batch{Bot: bot, Day: Day(moment), Before: bot.Level.Before(moment), Limit: batchSize, Now: now}
		for done := false; !done; left-- {
			if left == 0 || ctx.Err() != nil {
				return errors.Join(errs...)
			}
			var removed int
			if removed, done, err = p.store.PurgeUtterances(ctx, b); err != nil {
				errs = append(errs, fmt.Errorf("remove utterances of bot %s: %w", bot.ID, err))
				break
			}
			p.meter.UtterancesPurged(removed)
		}
	}
	return errors.Join(errs...)
}
