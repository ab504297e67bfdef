package dashboards

import (
	"context"
	"database/sql"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	dto "github.com/prometheus/client_model/go"

	"github.com/malgil/malgil/internal/holiday"
	"github.com/malgil/malgil/internal/metrics"
	"github.com/malgil/malgil/internal/queue"
	"github.com/malgil/malgil/internal/store"
	"github.com/malgil/malgil/internal/wallet"
)

type noQueues struct{}

func (noQueues) Loads(context.Context, []string) (map[string]queue.Load, error) {
	return map[string]queue.Load{"mail": {}}, nil
}

func (noQueues) Paused(context.Context, []string) (map[string]bool, error) {
	return map[string]bool{"mail": false}, nil
}

func (noQueues) Settings(context.Context) (queue.Settings, error) {
	return queue.Settings{Wrong: map[queue.Setting]bool{queue.SettingEviction: false, queue.SettingPersistence: false}, MemoryUsed: .1}, nil
}

type noRows struct{}

func (noRows) Sample(_ context.Context, now time.Time) (store.Sample, error) {
	return store.Sample{Wallets: map[string]int64{"ACTIVE": 0}, Differences: map[string]wallet.KRW{"balance": 0}, InvoiceDeadline: now}, nil
}

// knownMetrics are the names that a process of malgil tells, each with its labels. A histogram
// has three names.
func knownMetrics(t *testing.T) map[string][]string {
	t.Helper()
	reg := prometheus.NewRegistry()
	m := metrics.New(reg)
	reg.MustRegister(metrics.NewSampler(noQueues{}, noRows{}, time.Now), metrics.NewHolidays(holiday.Default(), time.Now),
		metrics.NewRedisClient("enqueue", func() queue.Connections { return queue.Connections{} }),
		metrics.NewSkew("redis", func(context.Context) (time.Time, error) { return time.Now(), nil }),
		metrics.NewDisk("temporary", func() (float64, error) { return 1, nil }),
		collectors.NewDBStatsCollector(&sql.DB{}, "write"))
	m.LoopRan("sweep", time.Millisecond, nil) // loops are known once they were used
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	known := map[string][]string{"up": nil, "ALERTS": {"alertname", "alertstate", "severity"}} // Prometheus' own
	for _, family := range families {
		var labels []string
		for _, pair := range family.GetMetric()[0].GetLabel() {
			labels = append(labels, pair.GetName())
		}
		name := family.GetName()
		if family.GetType() != dto.MetricType_HISTOGRAM {
			known[name] = labels
			continue
		}
		known[name+"_bucket"] = append(slices.Clone(labels), "le")
		known[name+"_sum"], known[name+"_count"] = labels, labels
	}
	addRecords(t, known)
	return known
}

// targetLabels are what Prometheus adds to every series (prometheus/prometheus.yml).
var targetLabels = []string{"job", "instance", "role"}

// unknown says what of an expression no process of malgil tells.
func unknown(expr string, known map[string][]string) []string {
	var wrong []string
	used := readPromQL(expr)
	if len(used.metrics) == 0 {
		wrong = append(wrong, "it takes no metric")
	}
	labels := slices.Clone(targetLabels)
	for _, name := range used.metrics {
		has, ok := known[name]
		if !ok {
			wrong = append(wrong, "there is no metric "+name)
		}
		labels = append(labels, has...)
	}
	for _, label := range used.labels {
		if !slices.Contains(labels, label) {
			wrong = append(wrong, "none of its metrics has the label "+label)
		}
	}
	return wrong
}

func TestUnknown(t *testing.T) {
	known := knownMetrics(t)
	tests := map[string]struct {
		expr  string
		wrong int
	}{
		"all there":              {`sum by (outcome) (rate(malgil_answers_total[5m]))`, 0},
		"a metric that is not":   {`rate(malgil_answer_total[5m])`, 1},
		"a histogram as a whole": {`rate(malgil_task_duration_seconds[5m])`, 1},
		"a label that is not":    {`malgil_chunks{status="sent"}`, 1},
		"a group that is not":    {`max by (state, broadcast_id) (malgil_chunks)`, 1},
		"no metric":              {`vector(1)`, 1},
		"a target's label":       {`sum by (role) (go_goroutines{job="malgil"})`, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := unknown(tt.expr, known); len(got) != tt.wrong {
				t.Errorf("unknown(%s) = %q, want %d", tt.expr, got, tt.wrong)
			}
		})
	}
}
