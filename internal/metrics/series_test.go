package metrics_test

import (
	"context"
	"database/sql"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	dto "github.com/prometheus/client_model/go"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/holiday"
	"github.com/malgil/malgil/internal/metrics"
	"github.com/malgil/malgil/internal/queue"
	"github.com/malgil/malgil/internal/reconcile"
	"github.com/malgil/malgil/internal/store"
	"github.com/malgil/malgil/internal/wallet"
	"github.com/malgil/malgil/tasks"
)

// maxSeries is what a process may tell, whatever happens to it (docs/operations.md).
const maxSeries = 2000

// A process in every role, after everything happened to it that can, tells no more series than are promised.
// What a label does not know is counted too; of words that only this program uses one such is enough.
func TestSeries(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := metrics.New(reg)
	reg.MustRegister(metrics.NewSampler(steadyQueues{}, &rows{sample: everyRow}, time.Now), metrics.NewHolidays(holiday.Default(), time.Now))
	for _, client := range []string{"wait", "enqueue", "inspect", "serve"} {
		reg.MustRegister(metrics.NewRedisClient(client, func() queue.Connections { return queue.Connections{} }))
	}
	for _, peer := range []string{"database", "redis"} {
		reg.MustRegister(metrics.NewSkew(peer, func(context.Context) (time.Time, error) { return time.Now(), nil }))
	}
	for _, name := range []string{"read", "write"} {
		reg.MustRegister(collectors.NewDBStatsCollector(&sql.DB{}, name))
	}
	for _, folder := range []string{"database", "temporary"} {
		reg.MustRegister(metrics.NewDisk(folder, func() (float64, error) { return 1, nil }))
	}
	for _, loop := range []string{"dispatch", "sweep", "calendar", "copy", "tidy", "books", "purge"} {
		m.LoopRan(loop, time.Second, nil)
	}
	before := count(t, reg)

	m.HTTPServed("/nothing", "GET", 200, 0)
	m.HTTPServed("/nothing", "GET", 0, 0)
	for _, status := range []int{200, 300, 400, 500, 0} {
		m.HTTPServed("/nothing", "GET", status, 0)
		for _, peer := range []string{"kakao", "nobody"} {
			m.PeerAsked(peer, status, true, 0)
			m.PeerAsked(peer, 100, true, 0)
		}
	}
	m.TaskRan(tasks.TypeSendMail, "unheard", 0)
	m.TaskWaited("later", 0)
	m.BillingRan(tasks.TypeChargeCard, "unheard")
	for _, verdict := range []string{"done", "retry", "archived", "panic", "unheard"} {
		m.TaskRan("later:thing", verdict, 0)
	}
	for _, outcome := range append(billing.Outcomes, "unheard") {
		m.BillingRan("later:thing", outcome)
		m.AttemptRan(4, outcome)
	}
	m.ChunkSent("unheard", 1)
	m.Messages("unheard", 1)
	m.Posted("unheard", 1)
	m.Mailed("unheard", "unheard")
	m.WebhookTried("unheard", "unheard")
	m.RateAsked("unheard")
	m.Answered("unheard", 0)
	m.HandoffOffered("unheard")
	m.Callback("unheard", "unheard")
	m.SkillServerCalled("unheard", 0)

	after := count(t, reg)
	t.Logf("%d series at the start, %d at most", before, after)
	if after > maxSeries {
		t.Errorf("a process can tell %d series, want at most %d; the largest:\n%s", after, maxSeries, largest(t, reg))
	}
}

// everyRow is what every kind of row has.
func everyRow(ctx context.Context, _ int) (store.Sample, error) {
	s, err := steadyRows{}.Sample(ctx, time.Now())
	s.InvoiceDeadline = time.Now()
	s.Differences = map[string]wallet.KRW{}
	for _, kind := range []reconcile.Kind{reconcile.Balance, reconcile.Held, reconcile.Free, reconcile.Messages, reconcile.Payments} {
		s.Differences[string(kind)] = 1
	}
	return s, err
}

// lines counts the series of a family as Prometheus does.
func lines(family *dto.MetricFamily) (n int) {
	for _, m := range family.GetMetric() {
		switch {
		case m.GetHistogram() != nil:
			n += len(m.GetHistogram().GetBucket()) + 3 // and +Inf, sum, count
		case m.GetSummary() != nil:
			n += len(m.GetSummary().GetQuantile()) + 2
		default:
			n++
		}
	}
	return n
}

func count(t *testing.T, reg prometheus.Gatherer) (n int) {
	t.Helper()
	for _, family := range gathered(t, reg) {
		n += lines(family)
	}
	return n
}

// largest lists the families that have many.
func largest(t *testing.T, reg prometheus.Gatherer) (text string) {
	t.Helper()
	for name, family := range gathered(t, reg) {
		if n := lines(family); n >= 40 {
			text += strconv.Itoa(n) + " " + name + "\n"
		}
	}
	return text
}
