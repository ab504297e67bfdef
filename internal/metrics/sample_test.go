package metrics_test

import (
	"context"
	"errors"
	"maps"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/metrics"
	"github.com/malgil/malgil/internal/queue"
	"github.com/malgil/malgil/internal/store"
	"github.com/malgil/malgil/internal/wallet"
	"github.com/malgil/malgil/tasks"
)

var (
	_ metrics.QueueSampler = (*queue.Inspector)(nil)
	_ metrics.StoreSampler = (*store.Store)(nil)
)

type steadyQueues struct{}

func (steadyQueues) Loads(_ context.Context, names []string) (map[string]queue.Load, error) {
	loads := map[string]queue.Load{}
	for _, name := range names {
		loads[name] = queue.Load{}
	}
	loads[tasks.QueueMail] = queue.Load{Depth: queue.Depth{Pending: 3, Active: 2, Scheduled: 1, Retry: 4, Archived: 5, Completed: 6}, Oldest: 90 * time.Second}
	return loads, nil
}

func (steadyQueues) Paused(_ context.Context, names []string) (map[string]bool, error) {
	paused := map[string]bool{}
	for _, name := range names {
		paused[name] = name == tasks.QueueMail
	}
	return paused, nil
}

func (steadyQueues) Settings(context.Context) (queue.Settings, error) {
	return queue.Settings{Wrong: map[queue.Setting]bool{queue.SettingEviction: false, queue.SettingPersistence: true}, MemoryUsed: .25}, nil
}

type steadyRows struct{}

func (steadyRows) Sample(context.Context, time.Time) (store.Sample, error) {
	return store.Sample{
		Planned: 10, Queued: 20, Sending: 3, Sent: 4, InDoubt: 2, Parked: 1,
		DoubtHeld: wallet.KRW(3000), Wallets: map[string]int64{"ACTIVE": 7, "UNPAID": 1, "AWAITING_RECONNECT": 0}, InReview: 1,
		Differences:     map[string]wallet.KRW{"balance": 77, "messages": 0},
		InvoicesWaiting: 12, InvoicesFailed: 3, InvoicesLate: 1, MonthsUnclosed: 5, RefusedAddresses: 6, TimesMissed: 7, TimesFailed: 2, WebhooksWaiting: 8,
		Waits: map[broadcast.Wait]int64{broadcast.WaitFunds: 3}, BotsStanding: 2, BotsConfig: 1, BotsProvider: 4,
		Unpaid: map[store.UnpaidAge]int64{"over_5d": 1}, Runways: map[store.Runway]int64{"under_3": 6},
		Cards: map[billing.CardState]int64{"usable": 9, "dormant": 2, "dead": 1}, MailsWaiting: 11,
		DeadTasks: map[string]int64{tasks.TypeSendMail: 3, "later:thing": 2, "even:later": 3},
	}, nil
}

// rows is a database that a test can slow down and break.
type rows struct {
	looks  atomic.Int64
	sample func(ctx context.Context, look int) (store.Sample, error)
}

func (r *rows) Sample(ctx context.Context, _ time.Time) (store.Sample, error) {
	return r.sample(ctx, int(r.looks.Add(1)))
}

func newRegistry(rows metrics.StoreSampler, now func() time.Time) *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(metrics.NewSampler(steadyQueues{}, rows, now))
	return reg
}

func TestSampler_tellsEverything(t *testing.T) {
	now := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	reg := newRegistry(&rows{sample: func(ctx context.Context, _ int) (store.Sample, error) {
		s, err := steadyRows{}.Sample(ctx, now)
		s.DoubtSince, s.Unknown, s.UnknownSince, s.HaltedUntil = now.Add(-time.Hour), 1, now.Add(-time.Minute), now.Add(time.Second)
		s.UnpaidSince, s.MailSince = now.Add(-26*time.Hour), now.Add(-5*time.Minute)
		s.CheckedSince, s.InvoiceDeadline = now.Add(-2*time.Hour), now.Add(-time.Minute)
		return s, err
	}}, func() time.Time { return now })
	families := gathered(t, reg)
	tests := map[string]map[string]float64{
		"malgil_chunks":                         {"planned": 10, "queued": 20, "sending": 3, "sent": 4, "in_doubt": 2, "parked": 1},
		"malgil_wallets":                        {"ACTIVE": 7, "UNPAID": 1, "AWAITING_RECONNECT": 0},
		"malgil_doubt_oldest_seconds":           {"": 3600},
		"malgil_doubt_held_krw":                 {"": 3000},
		"malgil_attempts_unknown":               {"": 1},
		"malgil_attempt_oldest_unknown_seconds": {"": 60},
		"malgil_charges_in_review":              {"": 1},
		"malgil_ledger_difference_krw":          {"balance": 77, "messages": 0},
		"malgil_ledger_oldest_check_seconds":    {"": 7200},
		"malgil_charging_halted":                {"": 1},
		"malgil_charging_storm":                 {"": 0},
		"malgil_invoices":                       {"waiting": 12, "failed": 3},
		"malgil_invoice_deadline_seconds":       {"": -60},
		"malgil_invoices_late":                  {"": 1},
		"malgil_months_unclosed":                {"": 5},
		"malgil_refused_addresses":              {"": 6},
		"malgil_schedule_times_lost":            {"missed": 7, "failed": 2},
		"malgil_webhooks_waiting":               {"": 8},
		"malgil_broadcasts_waiting":             {"funds": 3, "kakao": 0, "uploading": 0},
		"malgil_bots_standing":                  {"": 2},
		"malgil_bots_paused":                    {"config": 1, "provider": 4},
		"malgil_wallets_unpaid":                 {"under_1d": 0, "under_5d": 0, "over_5d": 1},
		"malgil_unpaid_oldest_seconds":          {"": 26 * 3600},
		"malgil_wallets_runway":                 {"under_1": 0, "under_3": 6, "under_7": 0, "over_7": 0},
		"malgil_cards":                          {"usable": 9, "dormant": 2, "dead": 1},
		"malgil_mails_waiting":                  {"": 11},
		"malgil_mail_oldest_waiting_seconds":    {"": 300},
		"malgil_dead_tasks":                     {tasks.TypeSendMail: 3, tasks.TypeSendChunk: 0, "other": 5},
		"malgil_redis_setting_wrong":            {"eviction": 0, "persistence": 1},
		"malgil_redis_memory_ratio":             {"": .25},
		"malgil_queue_tasks":                    {"mail,pending": 3, "mail,active": 2, "mail,scheduled": 1, "mail,retry": 4, "mail,archived": 5, "mail,completed": 6, "reply,pending": 0},
		"malgil_queue_paused":                   {"mail": 1, "reply": 0},
		"malgil_queue_oldest_waiting_seconds":   {"mail": 90, "reply": 0, "billing": 0},
	}
	for name, want := range tests {
		got := series(families[name])
		for labels, value := range want {
			if seen, ok := got[labels]; !ok || seen != value {
				t.Errorf("%s{%s} = %v (there: %v), want %v", name, labels, seen, ok, value)
			}
		}
	}
	for name, want := range map[string]int{"malgil_queue_tasks": 6 * len(tasks.Queues), "malgil_queue_paused": len(tasks.Queues), "malgil_broadcasts_waiting": 15, "malgil_dead_tasks": len(tasks.Types) + 1} {
		if got := len(series(families[name])); got != want {
			t.Errorf("%s has %d series, want %d", name, got, want)
		}
	}
}

// A halt that is over and the age of nothing are 0.
func TestSampler_zeroTimes(t *testing.T) {
	families := gathered(t, newRegistry(steadyRows{}, time.Now))
	for _, name := range []string{"malgil_doubt_oldest_seconds", "malgil_attempt_oldest_unknown_seconds", "malgil_unpaid_oldest_seconds", "malgil_mail_oldest_waiting_seconds", "malgil_charging_halted", "malgil_charging_storm"} {
		if got, ok := series(families[name])[""]; !ok || got != 0 {
			t.Errorf("%s = %v (there: %v), want 0", name, got, ok)
		}
	}
}

// Invoices are told of from the start, as 0; the date of none is absent, for 0 would be a date that is
// over this moment.
func TestSampler_noInvoices(t *testing.T) {
	families := gathered(t, newRegistry(&rows{sample: func(context.Context, int) (store.Sample, error) { return store.Sample{}, nil }}, time.Now))
	for _, name := range []string{"malgil_invoices_late", "malgil_months_unclosed", "malgil_refused_addresses"} {
		if got, ok := series(families[name])[""]; !ok || got != 0 {
			t.Errorf("%s = %v (there: %v), want 0", name, got, ok)
		}
	}
	if got, want := series(families["malgil_invoices"]), map[string]float64{"waiting": 0, "failed": 0}; !maps.Equal(got, want) {
		t.Errorf("malgil_invoices = %v, want %v", got, want)
	}
	if family := families["malgil_invoice_deadline_seconds"]; family != nil {
		t.Errorf("malgil_invoice_deadline_seconds = %v, want none", series(family))
	}
}

// A database counts by the clock by which its rows are stamped.
func TestSampler_asksByItsClock(t *testing.T) {
	now := time.Date(2027, 1, 11, 15, 0, 0, 0, time.UTC)
	var asked asksAt
	gathered(t, newRegistry(&asked, func() time.Time { return now }))
	if !asked.at.Equal(now) {
		t.Errorf("the database was asked at %v, want %v", asked.at, now)
	}
}

// asksAt is a database that keeps when it was asked.
type asksAt struct{ at time.Time }

func (a *asksAt) Sample(_ context.Context, now time.Time) (store.Sample, error) {
	a.at = now
	return store.Sample{}, nil
}

func TestSampler_looksOnceForScrapesInARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &rows{sample: func(_ context.Context, look int) (store.Sample, error) { return store.Sample{Queued: int64(look)}, nil }}
		reg := newRegistry(r, time.Now)
		for range 3 {
			gathered(t, reg)
		}
		if looks := r.looks.Load(); looks != 1 {
			t.Errorf("three scrapes at once took %d looks, want 1", looks)
		}
		time.Sleep(5 * time.Second)
		if got := series(gathered(t, reg)["malgil_chunks"])["queued"]; got != 2 {
			t.Errorf("queued = %v after 5 s, want what the second look saw", got)
		}
	})
}

// A scrape never waits longer than a second, and then tells what was seen before.
func TestSampler_slowStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &rows{sample: func(ctx context.Context, look int) (store.Sample, error) {
			if look > 1 {
				<-ctx.Done()
				return store.Sample{}, ctx.Err()
			}
			return store.Sample{Queued: 41}, nil
		}}
		reg := newRegistry(r, time.Now)
		gathered(t, reg)
		time.Sleep(6 * time.Second)

		begun := time.Now()
		families := gathered(t, reg)
		if took := time.Since(begun); took != time.Second {
			t.Errorf("a scrape of a stalled database took %v, want 1s", took)
		}
		if got := series(families["malgil_chunks"])["queued"]; got != 41 {
			t.Errorf("queued = %v, want 41 from the look before", got)
		}
		begun = time.Now()
		gathered(t, reg)
		if took, looks := time.Since(begun), r.looks.Load(); took != time.Second || looks != 2 {
			t.Errorf("the next scrape took %v and made it %d looks, want 1s and 2: the second runs still", took, looks)
		}
		if got := series(families["malgil_queue_tasks"])["mail,pending"]; got != 3 {
			t.Errorf("queue of mails = %v, want 3: queues are seen while the database stalls", got)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
	})
}

// What was not seen for a minute is not told as if it were so; the time of the last look tells why.
func TestSampler_brokenStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := time.Now()
		r := &rows{sample: func(_ context.Context, look int) (store.Sample, error) {
			if look > 1 {
				return store.Sample{}, errors.New("no connection")
			}
			return store.Sample{Queued: 41}, nil
		}}
		reg := newRegistry(r, time.Now)
		gathered(t, reg)
		for _, tt := range []struct {
			after time.Duration
			shown bool
		}{{10 * time.Second, true}, {49 * time.Second, true}, {2 * time.Second, false}} {
			time.Sleep(tt.after)
			families := gathered(t, reg)
			if _, shown := series(families["malgil_chunks"])["queued"]; shown != tt.shown {
				t.Errorf("%v after the last look chunks are shown: %v, want %v", time.Since(first), shown, tt.shown)
			}
			if got := series(families["malgil_sample_timestamp_seconds"])["store"]; got != float64(first.UnixMilli())/1000 {
				t.Errorf("last look at the store = %v, want %v", got, first.Unix())
			}
		}
		if got := series(gathered(t, reg)["malgil_sample_timestamp_seconds"])["queue"]; got <= float64(first.Unix()) {
			t.Errorf("last look at the queues = %v, want one of just now", got)
		}
	})
}

func TestSampler_neverSeen(t *testing.T) {
	reg := newRegistry(&rows{sample: func(context.Context, int) (store.Sample, error) {
		return store.Sample{}, errors.New("no connection")
	}}, time.Now)
	families := gathered(t, reg)
	if got, ok := series(families["malgil_sample_timestamp_seconds"])["store"]; !ok || got != 0 {
		t.Errorf("last look at the store = %v (there: %v), want 0", got, ok)
	}
	if families["malgil_chunks"] != nil || families["malgil_wallets"] != nil {
		t.Error("chunks and wallets are told, want nothing of what was never seen")
	}
}
