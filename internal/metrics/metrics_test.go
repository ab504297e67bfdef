package metrics_test

import (
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/metrics"
	"github.com/malgil/malgil/internal/notice"
	"github.com/malgil/malgil/internal/queue"
	"github.com/malgil/malgil/internal/scheduler"
	"github.com/malgil/malgil/tasks"
	"github.com/malgil/malgil/workers"
)

// The edges fill metrics in through interfaces of their own.
var (
	_ broadcast.SendMeter      = (*metrics.Metrics)(nil)
	_ broadcast.ResultMeter    = (*metrics.Metrics)(nil)
	_ scheduler.Meter          = (*metrics.Metrics)(nil)
	_ workers.TaskMeter        = (*metrics.Metrics)(nil)
	_ workers.BillingMeter     = (*metrics.Metrics)(nil)
	_ workers.UtteranceMetrics = (*metrics.Metrics)(nil)
)

// gathered are the families of a registry by name.
func gathered(t *testing.T, reg prometheus.Gatherer) map[string]*dto.MetricFamily {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]*dto.MetricFamily{}
	for _, family := range families {
		byName[family.GetName()] = family
	}
	return byName
}

// series tells a family's series as "value,value" in the order of label names, with a counter's
// or gauge's value, or how many a histogram has seen.
func series(family *dto.MetricFamily) map[string]float64 {
	all := map[string]float64{}
	for _, m := range family.GetMetric() {
		var values []string
		for _, pair := range m.GetLabel() {
			values = append(values, pair.GetValue())
		}
		value := m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		all[strings.Join(values, ",")] = value
	}
	return all
}

func TestMetrics_countWhatTheyAreTold(t *testing.T) {
	tests := map[string]struct {
		tell   func(m *metrics.Metrics)
		metric string
		labels string
		want   float64
	}{
		"a request is in the class of its route": {func(m *metrics.Metrics) {
			m.HTTPServed("/api/v1/bots/{id}/versions", "POST", 200, time.Millisecond)
		}, "malgil_http_request_duration_seconds", "api/bots", 1},
		"and of its status": {func(m *metrics.Metrics) {
			m.HTTPServed("/skill/{bot}/{key}", "POST", 204, time.Millisecond)
		}, "malgil_http_requests_total", "skill,2xx", 1},
		"no route": {func(m *metrics.Metrics) {
			m.HTTPServed("", "BREW", 404, time.Millisecond)
		}, "malgil_http_requests_total", "other,4xx", 1},
		"a status that is none": {func(m *metrics.Metrics) {
			m.HTTPServed("/healthz", "GET", 0, time.Millisecond)
		}, "malgil_http_requests_total", "health,other", 1},
		"a task": {func(m *metrics.Metrics) {
			m.TaskRan(tasks.TypeSendChunk, "retry", time.Second)
		}, "malgil_task_duration_seconds", "broadcast:send_chunk,retry", 1},
		"a task of a type that this program lacks": {func(m *metrics.Metrics) {
			m.TaskRan("later:thing", "archived", time.Second)
		}, "malgil_task_duration_seconds", "other,archived", 1},
		"a task that waited": {func(m *metrics.Metrics) { m.TaskWaited("mail", time.Second) }, "malgil_queue_wait_seconds", "mail", 1},
		"a request to Kakao": {func(m *metrics.Metrics) {
			m.ChunkSent("accepted", 100)
			m.ChunkSent("accepted", 7)
		}, "malgil_event_requests_total", "accepted", 2},
		"its recipients": {func(m *metrics.Metrics) {
			m.ChunkSent("accepted", 100)
			m.ChunkSent("accepted", 7)
		}, "malgil_event_recipients_total", "accepted", 107},
		"messages":                      {func(m *metrics.Metrics) { m.Messages("failed", 3) }, "malgil_messages_total", "failed", 3},
		"a posting":                     {func(m *metrics.Metrics) { m.Posted("capture", 1500) }, "malgil_posted_krw_total", "capture", 1500},
		"a posting of nothing":          {func(m *metrics.Metrics) { m.Posted("capture", 0) }, "malgil_posted_krw_total", "capture", 0},
		"a counter is never taken back": {func(m *metrics.Metrics) { m.Posted("topup", -5) }, "malgil_posted_krw_total", "topup", 0},
		"a run of billing": {func(m *metrics.Metrics) {
			m.BillingRan(tasks.TypeChargeCard, billing.Paid)
		}, "malgil_billing_runs_total", "paid,billing:charge_card", 1},
		"an attempt on the second card": {func(m *metrics.Metrics) { m.AttemptRan(2, billing.NextCard) }, "malgil_attempts_total", "next_card,2", 1},
		"an attempt without a card":     {func(m *metrics.Metrics) { m.AttemptRan(0, billing.Paid) }, "malgil_attempts_total", "paid,none", 1},
		"an attempt on a fourth card":   {func(m *metrics.Metrics) { m.AttemptRan(4, billing.Paid) }, "malgil_attempts_total", "paid,other", 1},
		"a mail":                        {func(m *metrics.Metrics) { m.Mailed("unpaid", "bounced") }, "malgil_mails_total", "unpaid,bounced", 1},
		"a mail of an invoice":          {func(m *metrics.Metrics) { m.Mailed("invoice_failed", "sent") }, "malgil_mails_total", "invoice_failed,sent", 1},
		"a webhook":                     {func(m *metrics.Metrics) { m.WebhookTried("broadcast.paused", "failed") }, "malgil_webhooks_total", "broadcast.paused,failed", 1},
		"webhooks without room":         {func(m *metrics.Metrics) { m.WebhooksDropped(12) }, "malgil_webhooks_dropped_total", "", 12},
		"a version that is not had":     {func(m *metrics.Metrics) { m.VersionFailed() }, "malgil_bot_version_failures_total", "", 1},
		"utterances that were too old":  {func(m *metrics.Metrics) { m.UtterancesPurged(12) }, "malgil_utterances_purged_total", "", 12},
		"an answer":                     {func(m *metrics.Metrics) { m.Answered("direct", time.Second) }, "malgil_answers_total", "direct", 1},
		"its budget":                    {func(m *metrics.Metrics) { m.Answered("direct", time.Second) }, "malgil_answer_budget_left_seconds", "", 1},
		"a promise":                     {func(m *metrics.Metrics) { m.CallbackPromised() }, "malgil_callbacks_promised_total", "", 1},
		"a person offered":              {func(m *metrics.Metrics) { m.HandoffOffered("after_fallbacks") }, "malgil_handoffs_offered_total", "after_fallbacks", 1},
		"a callback":                    {func(m *metrics.Metrics) { m.Callback("delivered", "") }, "malgil_callbacks_total", "delivered", 1},
		"a callback that failed":        {func(m *metrics.Metrics) { m.Callback("failed", "token") }, "malgil_callback_failures_total", "token", 1},
		"a lost record":                 {func(m *metrics.Metrics) { m.Unrecorded(12) }, "malgil_utterances_unrecorded_total", "", 12},
		"a bot that may send":           {func(m *metrics.Metrics) { m.RateAsked(queue.RateTaken) }, "malgil_rate_waits_total", "taken", 1},
		"a peer that answers":           {func(m *metrics.Metrics) { m.PeerAsked("kakaopay", 503, true, time.Second) }, "malgil_peer_request_duration_seconds", "5xx,kakaopay", 1},
		"a peer that does not":          {func(m *metrics.Metrics) { m.PeerAsked("bank", 0, true, time.Second) }, "malgil_peer_request_duration_seconds", "no_answer,bank", 1},
		"a peer that is not reached":    {func(m *metrics.Metrics) { m.PeerAsked("tax", 0, false, time.Second) }, "malgil_peer_request_duration_seconds", "unsent,tax", 1},
		"a peer that nobody knows":      {func(m *metrics.Metrics) { m.PeerAsked("x", 200, true, time.Second) }, "malgil_peer_request_duration_seconds", "2xx,other", 1},
		"a loop":                        {func(m *metrics.Metrics) { m.LoopRan("sweep", time.Second, nil) }, "malgil_loop_duration_seconds", "sweep", 1},
		"a loop that failed":            {func(m *metrics.Metrics) { m.LoopRan("sweep", time.Second, errors.New("x")) }, "malgil_loop_failures_total", "sweep", 1},
		"a loop that did not":           {func(m *metrics.Metrics) { m.LoopRan("sweep", time.Second, nil) }, "malgil_loop_failures_total", "sweep", 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			reg := prometheus.NewRegistry()
			tt.tell(metrics.New(reg))
			got, ok := series(gathered(t, reg)[tt.metric])[tt.labels]
			if !ok || got != tt.want {
				t.Errorf("%s{%s} = %v (there: %v), want %v", tt.metric, tt.labels, got, ok, tt.want)
			}
		})
	}
}

func TestMetrics_lateAnswersCountAsNothingLeft(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := metrics.New(reg)
	m.Answered("late", -3*time.Second)
	m.Answered("direct", 600*time.Millisecond)
	h := gathered(t, reg)["malgil_answer_budget_left_seconds"].GetMetric()[0].GetHistogram()
	if first := h.GetBucket()[0]; first.GetUpperBound() != 0 || first.GetCumulativeCount() != 1 || h.GetSampleSum() != 0.6 {
		t.Errorf("budget left: %d in bucket %v, sum %v, want 1 in bucket 0, sum 0.6", first.GetCumulativeCount(), first.GetUpperBound(), h.GetSampleSum())
	}
}

// A loop that fails does not look alive.
func TestMetrics_loopsAreAliveWhenTheySucceed(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := metrics.New(reg)
	m.LoopRan("dispatch", time.Millisecond, errors.New("the database is away"))
	if got := gathered(t, reg)["malgil_loop_last_success_timestamp_seconds"]; got != nil {
		t.Errorf("a loop that never succeeded has %v, want no time", got)
	}
	before := float64(time.Now().Unix())
	m.LoopRan("dispatch", time.Millisecond, nil)
	if got := series(gathered(t, reg)["malgil_loop_last_success_timestamp_seconds"])["dispatch"]; got < before {
		t.Errorf("last success = %v, want %v or later", got, before)
	}
}

// Without a first 0 a counter's first event is no increase, and nobody sees it.
func TestMetrics_startAtZero(t *testing.T) {
	reg := prometheus.NewRegistry()
	metrics.New(reg)
	families := gathered(t, reg)
	want := map[string]int{
		"malgil_http_requests_total":     4 * 27,
		"malgil_task_duration_seconds":   len(tasks.Types) * 4,
		"malgil_event_requests_total":    8,
		"malgil_event_recipients_total":  8,
		"malgil_messages_total":          3,
		"malgil_posted_krw_total":        13,
		"malgil_billing_runs_total":      4 * len(billing.Outcomes),
		"malgil_attempts_total":          4 * len(billing.Outcomes),
		"malgil_mails_total":             4 * len(notice.Cases()),
		"malgil_webhooks_total":          4 * 3,
		"malgil_webhooks_dropped_total":  1,
		"malgil_callbacks_total":         3,
		"malgil_callback_failures_total": 12,
		"malgil_rate_waits_total":        5,

		"malgil_peer_request_duration_seconds": 5 * 6,
	}
	for name, n := range want {
		got := series(families[name])
		if len(got) != n {
			t.Errorf("%s starts with %d series, want %d", name, len(got), n)
		}
		for labels, value := range got {
			if value != 0 {
				t.Errorf("%s{%s} starts as %v, want 0", name, labels, value)
			}
		}
	}
}

var (
	nameForm = regexp.MustCompile(`^(malgil_[a-z_]+|go_.+|process_.+)$`)
	sentence = regexp.MustCompile(`^[A-Z0-9].*[^.]\.$`)
)

// The form of names, the sentences of help and the labels are promises to whoever builds on them.
func TestMetrics_followTheForm(t *testing.T) {
	reg := prometheus.NewRegistry()
	metrics.New(reg).LoopRan("sweep", time.Millisecond, nil) // loops are known once they were used
	reg.MustRegister(metrics.NewSampler(steadyQueues{}, steadyRows{}, time.Now),
		metrics.NewRedisClient("enqueue", func() queue.Connections { return queue.Connections{} }),
		metrics.NewDisk("temporary", func() (float64, error) { return 1, nil }))
	banned := []string{"wallet", "wallet_id", "bot", "bot_id", "user", "user_key", "chunk", "chunk_id", "broadcast_id", "account", "card"}
	for name, family := range gathered(t, reg) {
		if !nameForm.MatchString(name) {
			t.Errorf("%s is not of the form %s", name, nameForm)
		}
		if !strings.HasPrefix(name, "malgil_") {
			continue // the runtime's own
		}
		isCounter, endsTotal := family.GetType() == dto.MetricType_COUNTER, strings.HasSuffix(name, "_total")
		if isCounter != endsTotal {
			t.Errorf("%s is a %v: only counters end in _total, and all do", name, family.GetType())
		}
		if help := family.GetHelp(); !sentence.MatchString(help) {
			t.Errorf("%s has the help %q, want a sentence", name, help)
		}
		for _, m := range family.GetMetric() {
			for _, pair := range m.GetLabel() {
				if slices.Contains(banned, pair.GetName()) {
					t.Errorf("%s has the label %s, which has a value for each", name, pair.GetName())
				}
			}
		}
	}
}

func TestNew_twoPrograms(t *testing.T) {
	first, second := prometheus.NewRegistry(), prometheus.NewRegistry()
	metrics.New(first).Unrecorded(1)
	metrics.New(second)
	if got := series(gathered(t, second)["malgil_utterances_unrecorded_total"])[""]; got != 0 {
		t.Errorf("the second program counts %v, want 0: they share nothing", got)
	}
	names := slices.Sorted(maps.Keys(gathered(t, second)))
	if !slices.Contains(names, "malgil_build_info") || !slices.Contains(names, "go_goroutines") {
		t.Errorf("metrics are %v, want also the build and the runtime", names)
	}
}
