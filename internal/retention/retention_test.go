package retention_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/retention"
)

func korea(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.ParseInLocation("2006-01-02 15:04:05.000", text, clock.Seoul)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestLevel_Before(t *testing.T) {
	tests := map[string]struct {
		level  retention.Level
		moment string
		want   string
	}{
		"three days":                      {1, "2026-11-24 04:00:00.000", "2026-11-21 00:00:00.000"},
		"three days, over a month":        {1, "2027-03-02 04:00:00.000", "2027-02-27 00:00:00.000"},
		"thirty days":                     {2, "2026-11-24 04:00:00.000", "2026-10-25 00:00:00.000"},
		"180 days":                        {3, "2026-11-24 04:00:00.000", "2026-05-28 00:00:00.000"},
		"three years":                     {4, "2026-11-24 04:00:00.000", "2023-11-24 00:00:00.000"},
		"three years, from a leap day":    {4, "2028-02-29 04:00:00.000", "2025-03-01 00:00:00.000"},
		"a level that is none":            {0, "2026-11-24 04:00:00.000", "2023-11-24 00:00:00.000"},
		"another level that is none":      {9, "2026-11-24 04:00:00.000", "2023-11-24 00:00:00.000"},
		"the day in Korea, not elsewhere": {1, "2026-11-24 00:00:00.000", "2026-11-21 00:00:00.000"},
	}
	for name, tt := range tests {
		if got := tt.level.Before(korea(t, tt.moment).UTC()); !got.Equal(korea(t, tt.want)) {
			t.Errorf("%s: Level(%d).Before(%s) = %v, want %s", name, tt.level, tt.moment, got.In(clock.Seoul), tt.want)
		}
	}
}

func TestMoment(t *testing.T) {
	for now, want := range map[string]string{
		"2026-11-24 03:59:59.999": "2026-11-23 04:00:00.000",
		"2026-11-24 04:00:00.000": "2026-11-24 04:00:00.000",
		"2026-11-24 23:59:59.999": "2026-11-24 04:00:00.000",
		"2026-11-25 00:00:00.000": "2026-11-24 04:00:00.000",
		"2027-01-01 03:00:00.000": "2026-12-31 04:00:00.000",
	} {
		got := retention.Moment(korea(t, now).UTC())
		if !got.Equal(korea(t, want)) || retention.Day(got) != want[:10] {
			t.Errorf("Moment(%s) = %v of %s, want %s", now, got.In(clock.Seoul), retention.Day(got), want)
		}
	}
}

// log is a store of so many old utterances by bot.
type log struct {
	bots    []retention.Bot
	old     map[string]int
	fail    string // the bot that cannot be purged
	batches []retention.Batch
	talks   []time.Time // moments at which talks were forgotten
	away    error       // why they cannot be
	then    func()      // after each batch
}

func (l *log) PurgesDue(context.Context, time.Time) ([]retention.Bot, error) {
	return slices.DeleteFunc(slices.Clone(l.bots), func(b retention.Bot) bool { return l.old[b.ID] < 0 }), nil
}

func (l *log) ForgetTalks(_ context.Context, now time.Time) error {
	l.talks = append(l.talks, now)
	return l.away
}

func (l *log) PurgeUtterances(_ context.Context, b retention.Batch) (int, bool, error) {
	if b.ID == l.fail {
		return 0, false, errors.New("locked")
	}
	l.batches = append(l.batches, b)
	n := min(b.Limit, l.old[b.ID])
	if l.old[b.ID] -= n; n < b.Limit {
		l.old[b.ID] = -1 // its purge has ended
	}
	if l.then != nil {
		l.then()
	}
	return n, n < b.Limit, nil
}

// meter adds up.
type meter int

func (m *meter) UtterancesPurged(n int) { *m += meter(n) }

func TestPurger_Run(t *testing.T) {
	at := func() time.Time { return korea(t, "2026-11-24 05:00:00.000") }
	many := &log{bots: []retention.Bot{{ID: "a", Level: 1}, {ID: "b", Level: 2}, {ID: "c", Level: 4}}, old: map[string]int{"a": 2500, "b": 0, "c": 1000}, fail: "b"}
	var counted meter
	err := retention.New(many, &counted, at).Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "bot b") || counted != 3500 || len(many.batches) != 5 {
		t.Errorf("Run() = %v after %d utterances in %d batches, want that b failed after 3500 in 5", err, counted, len(many.batches))
	}
	if b := many.batches[0]; b.Day != "2026-11-24" || b.Limit != 1000 || !b.Before.Equal(korea(t, "2026-11-21 00:00:00.000")) || !b.Now.Equal(at()) {
		t.Errorf("the first batch is %+v, want that of level 1 on the day", b)
	}

	if len(many.talks) != 1 || !many.talks[0].Equal(at()) {
		t.Errorf("talks were forgotten at %v, want once, now", many.talks)
	}
	busy := &log{bots: []retention.Bot{{ID: "a", Level: 1}}, old: map[string]int{"a": 5}, away: errors.New("locked")}
	if err := retention.New(busy, &counted, at).Run(t.Context()); err == nil || len(busy.batches) != 1 {
		t.Errorf("Run() = %v after %d batches, want that talks failed, and the utterances gone", err, len(busy.batches))
	}

	full := &log{bots: []retention.Bot{{ID: "a", Level: 1}}, old: map[string]int{"a": 600_000}}
	counted = 0
	purger := retention.New(full, &counted, at)
	for run, want := range []meter{500_000, 600_000, 600_000} {
		if err := purger.Run(t.Context()); err != nil || counted != want {
			t.Errorf("run %d = %v with %d utterances gone, want %d", run+1, err, counted, want)
		}
	}

	ctx, stop := context.WithCancel(t.Context())
	stopped := &log{bots: []retention.Bot{{ID: "a", Level: 1}}, old: map[string]int{"a": 5000}, then: stop}
	if err := retention.New(stopped, &counted, at).Run(ctx); err != nil || len(stopped.batches) != 1 {
		t.Errorf("Run() of an ended context = %v after %d batches, want nil after the one under way", err, len(stopped.batches))
	}
}
