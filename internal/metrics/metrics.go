// Package metrics holds every metric: what they are called, what their labels may be, and the
// small methods through which the edges fill them in. Labels are small closed sets; wallets, bots,
// users and chunks are found in logs.
package metrics

import (
	"runtime/debug"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/notice"
	"github.com/malgil/malgil/internal/queue"
	"github.com/malgil/malgil/internal/scenario"
	"github.com/malgil/malgil/internal/skillserver"
	"github.com/malgil/malgil/internal/wallet"
	"github.com/malgil/malgil/internal/webhook"
	"github.com/malgil/malgil/tasks"
)

// The values that labels may have. Any other value is counted as [other], so that a mistake of a
// caller is seen and never makes series without end.
var (
	httpStatuses = []string{"2xx", "3xx", "4xx", "5xx"}
	taskVerdicts = []string{"done", "retry", "archived", "panic"}
	requests     = words(broadcast.Accepted, broadcast.NotSent, broadcast.Refused, broadcast.BadConfig,
		broadcast.ProviderEmpty, broadcast.OutcomeInDoubt, broadcast.Stale, broadcast.GivenBack)
	people       = []string{"delivered", "failed", "unknown"}
	postingKinds = words(wallet.PostingKinds...)
	billingTypes = []string{tasks.TypeChargeWallet, tasks.TypeChargeCard, tasks.TypeIssueInvoice, tasks.TypeResolveAttempt}
	billingRuns  = words(billing.Outcomes...)
	cardSlots    = []string{"1", "2", "3", "none"}
	mailCases    = words(notice.Cases()...)
	mailOutcomes = words(notice.Sent, notice.Waiting, notice.Bounced, notice.Failed)
	hookEvents   = words(webhook.Known...)
	hookOutcomes = words(webhook.Delivered, webhook.Waiting, webhook.Failed)
	scheduleRuns = words(broadcast.RunStarted, broadcast.RunSkipped, broadcast.RunMissed, broadcast.RunFailed)
	answers      = words(scenario.Outcomes...)
	handoffSpots = words(scenario.Spots...)
	rateOutcomes = words(queue.RateOutcomes...)
	peers        = []string{"kakao", "kakaopay", "bank", "tax", "webhook"}
	peerOutcomes = []string{"2xx", "3xx", "4xx", "5xx", "no_answer", "unsent"}
	serverCalls  = words(skillserver.Outcomes...)
	callbacks    = words(kakao.CallbackDelivered, kakao.CallbackFailed, kakao.CallbackUnknown)
	reasons      = []string{kakao.ReasonRefused, kakao.ReasonUnreachable, kakao.ReasonTestToken, kakao.ReasonToken,
		kakao.ReasonUseCallback, kakao.ReasonBotID, kakao.ReasonBody, kakao.ReasonRejected, kakao.ReasonInternal,
		kakao.ReasonNoAnswer, kakao.ReasonUnreadable, kakao.ReasonQueue}
)

// Buckets in seconds. Kakao gives up on a skill after 5 seconds and ours answers within 4.5; a
// task may run for a minute, and a mail for a quarter of an hour. Each costs a series for every
// combination of labels, so they are few.
var (
	httpBuckets   = []float64{.01, .05, .25, 1, 2.5, 4.5, 10}
	taskBuckets   = []float64{.01, .05, .25, 1, 5, 30, 300}
	waitBuckets   = []float64{.05, .5, 5, 60, 600}
	loopBuckets   = []float64{.005, .025, .1, .5, 2.5, 30}
	serverBuckets = []float64{.05, .25, .5, 1, 2.5, 4, 10, 50}
	peerBuckets   = []float64{.1, .25, .5, 1, 5, 15}
	budgetBuckets = []float64{0, .1, .25, .5, .75, 1, 1.5, 2, 2.5, 3, 3.5, 4}
)

// Metrics are the metrics that the edges of one process fill in. All methods are safe for
// concurrent use and never block.
type Metrics struct {
	http, task   *histograms
	queueWait    *histograms
	httpRequests *counters

	requests, recipients *counters
	messages, posted     *counters
	billing, attempts    *counters
	mails, webhooks      *counters
	webhooksDropped      *counters
	purged               *counters
	versionFailures      *counters
	scheduleRuns         *counters
	rateWaits            *counters
	peerRequests         *histograms

	answers, callbacks, callbackFailures *counters
	handoffs                             *counters
	budgetLeft                           prometheus.Histogram
	unrecorded, promised                 prometheus.Counter

	serverCalls    *histograms
	serverUnderWay prometheus.Gauge
	serverBreakers *prometheus.GaugeVec

	loopDuration *histograms
	loopFailures *counters
	loopSuccess  *prometheus.GaugeVec
}

// New registers every metric that edges fill in, the build and what the Go runtime and the
// operating system say of the process. Known label values are there from the start, as 0. It
// panics when a registry already has them. What is counted at rest is a [Sampler]'s.
func New(reg prometheus.Registerer) *Metrics {
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), buildInfo())
	m := &Metrics{
		http: newHistograms(reg, "malgil_http_request_duration_seconds",
			"Time from the first byte of an HTTP request to the end of its answer, by what its route is about.",
			httpBuckets, closed("route", routeClasses())),
		httpRequests: newCounters(reg, "malgil_http_requests_total",
			"HTTP requests by what their route is about and the class of the answer's status; other is one that was never answered.",
			closed("route", routeClasses()), closed("status", httpStatuses)),
		task: newHistograms(reg, "malgil_task_duration_seconds",
			"Time that one run of a task took, by what became of it.",
			taskBuckets, closed("type", taskTypes()), closed("verdict", taskVerdicts)),
		queueWait: newHistograms(reg, "malgil_queue_wait_seconds",
			"Time from putting a task into its queue to its first run.",
			waitBuckets, closed("queue", tasks.Queues)),

		requests: newCounters(reg, "malgil_event_requests_total",
			"Runs of send tasks by outcome; each is one Event API request, except for not_taken and given_back, which make none.",
			closed("outcome", requests)),
		recipients: newCounters(reg, "malgil_event_recipients_total",
			"Recipients named in Event API requests, by the request's outcome.",
			closed("outcome", requests)),
		messages: newCounters(reg, "malgil_messages_total",
			"Messages whose result Kakao has told: delivered, failed with a name, or unknown because Kakao gave only a number.",
			closed("outcome", people)),
		posted: newCounters(reg, "malgil_posted_krw_total",
			"Money posted to wallets in KRW without VAT, by kind of posting, whoever posted it; of month_rounded it is VAT.",
			closed("kind", postingKinds)),
		billing: newCounters(reg, "malgil_billing_runs_total",
			"Runs of billing tasks by type and by what they did: a charge opened, paid, failed, halted and so on. What a payer who comes back or a person who decides does counts as billing:charge_card.",
			closed("type", billingTypes), closed("outcome", billingRuns)),
		attempts: newCounters(reg, "malgil_attempts_total",
			"Runs on charges and top-ups, by the card's slot on its wallet (none for a top-up, which has none) and outcome.",
			closed("slot", cardSlots), closed("outcome", billingRuns)),
		mails: newCounters(reg, "malgil_mails_total",
			"Tries to send a notification mail by case and outcome; waiting means that it is tried again.",
			closed("case", mailCases), closed("outcome", mailOutcomes)),
		webhooks: newCounters(reg, "malgil_webhooks_total",
			"Tries to deliver an event to a webhook by event and outcome; waiting means that it is tried again.",
			closed("event", hookEvents), closed("outcome", hookOutcomes)),
		webhooksDropped: newCounters(reg, "malgil_webhooks_dropped_total",
			"Deliveries to webhooks that were given up because too many of one webhook waited."),
		scheduleRuns: newCounters(reg, "malgil_schedule_runs_total",
			"Occurrences of recurring broadcasts by what became of them: started, skipped, missed because no scheduler looked in time, or failed.",
			closed("outcome", scheduleRuns)),
		rateWaits: newCounters(reg, "malgil_rate_waits_total",
			"Times that a worker asked whether a bot may send: taken when it might, full when too many of the bot's requests were in flight, later when its rate was used up, stands when Kakao asks to wait or does not answer, unavailable when Redis did not say.",
			closed("outcome", rateOutcomes)),
		peerRequests: newHistograms(reg, "malgil_peer_request_duration_seconds",
			"Time that one request to somebody else's server took, by what it answered; no_answer may have reached it, unsent has not.",
			peerBuckets, closed("peer", peers), closed("outcome", peerOutcomes)),

		answers: newCounters(reg, "malgil_answers_total",
			"Utterances by how they were answered.",
			closed("outcome", answers)),
		handoffs: newCounters(reg, "malgil_handoffs_offered_total",
			"Answers that offer the user a person to talk to, by where: in the welcome, the fallback or a normal block, or after several utterances in a row without an answer.",
			closed("spot", handoffSpots)),
		callbacks: newCounters(reg, "malgil_callbacks_total",
			"Callbacks posted to Kakao by outcome.",
			closed("outcome", callbacks)),
		callbackFailures: newCounters(reg, "malgil_callback_failures_total",
			"Callbacks that were not delivered, or perhaps not, by reason; address_refused counts also those that were not promised for it.",
			closed("reason", reasons)),
		budgetLeft: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "malgil_answer_budget_left_seconds",
			Help:    "Time left until the intake would have stopped waiting for an answer; late ones count as 0.",
			Buckets: budgetBuckets}),
		purged: newCounters(reg, "malgil_utterances_purged_total",
			"Utterances that were removed because their bot keeps them no longer."),
		unrecorded: prometheus.NewCounter(prometheus.CounterOpts{Name: "malgil_utterances_unrecorded_total",
			Help: "Utterances that were answered and could not be kept in the log of utterances."}),

		promised: prometheus.NewCounter(prometheus.CounterOpts{Name: "malgil_callbacks_promised_total",
			Help: "Calls of Kakao that were told to wait for a callback. Those that malgil_callbacks_total never counts were lost with their worker, or had none."}),
		versionFailures: newCounters(reg, "malgil_bot_version_failures_total",
			"Tries at a version of a bot that could not be read or compiled; until it can be, the version before it answers."),
		serverCalls: newHistograms(reg, "malgil_skill_server_call_duration_seconds",
			"Time from when a block asked for a call of a business's skill server until it had an answer or its failure, by outcome; those full, open and barred were not made.",
			serverBuckets, closed("outcome", serverCalls)),
		serverUnderWay: prometheus.NewGauge(prometheus.GaugeOpts{Name: "malgil_skill_server_calls",
			Help: "Calls of skill servers that are under way, or wait in line for those of the same bot."}),
		serverBreakers: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "malgil_skill_server_breakers",
			Help: "Skill servers that were called lately, by the state of their breaker; while it is open they are left alone."}, []string{"state"}),

		loopDuration: newHistograms(reg, "malgil_loop_duration_seconds",
			"Time that one run of a scheduler's loop took.",
			loopBuckets, open("loop")),
		loopFailures: newCounters(reg, "malgil_loop_failures_total",
			"Runs of a scheduler's loop that ended with an error.",
			open("loop")),
		loopSuccess: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "malgil_loop_last_success_timestamp_seconds",
			Help: "When a scheduler's loop last ran without an error, in Unix seconds."}, []string{"loop"}),
	}
	reg.MustRegister(m.budgetLeft, m.unrecorded, m.promised, m.loopSuccess, m.serverUnderWay, m.serverBreakers)
	for _, state := range skillserver.States {
		m.serverBreakers.WithLabelValues(state)
	}
	return m
}

// HTTPServed notes one answered HTTP request. The route is the router's pattern, without method,
// and never a path; it counts in its class.
func (m *Metrics) HTTPServed(route, _ string, status int, took time.Duration) {
	class := RouteClass(route)
	m.http.observe(took, class)
	m.httpRequests.add(1, class, strconv.Itoa(status/100)+"xx")
}

// TaskWaited notes how long a task had waited in a queue when it began for the first time.
func (m *Metrics) TaskWaited(queue string, waited time.Duration) { m.queueWait.observe(waited, queue) }

// TaskRan notes one run of a task. Verdicts are done, retry, archived and panic.
func (m *Metrics) TaskRan(taskType, verdict string, took time.Duration) {
	m.task.observe(took, taskType, verdict)
}

// ChunkSent notes the outcome of one run of a send task, and how many people its request named.
func (m *Metrics) ChunkSent(outcome string, people int) {
	m.requests.add(1, outcome)
	m.recipients.add(float64(people), outcome)
}

// Messages notes messages to so many people whose result is known.
func (m *Metrics) Messages(outcome string, people int) { m.messages.add(float64(people), outcome) }

// Posted notes a posting of an amount in KRW without VAT. What is not above 0 is left out.
func (m *Metrics) Posted(kind string, krw int64) {
	if krw > 0 {
		m.posted.add(float64(krw), kind)
	}
}

// BillingRan notes what one run of a billing task did.
func (m *Metrics) BillingRan(taskType string, o billing.Outcome) {
	m.billing.add(1, taskType, string(o))
}

// AttemptRan notes a run on an attempt; slot is the card's place on its wallet, 0 without a card.
func (m *Metrics) AttemptRan(slot int, o billing.Outcome) {
	place := "none"
	if slot > 0 {
		place = strconv.Itoa(slot)
	}
	m.attempts.add(1, place, string(o))
}

// Mailed notes one try to send a mail.
func (m *Metrics) Mailed(mailCase, outcome string) { m.mails.add(1, mailCase, outcome) }

// WebhookTried notes one try to deliver an event to a webhook.
func (m *Metrics) WebhookTried(event, outcome string) { m.webhooks.add(1, event, outcome) }

// UtterancesPurged notes so many utterances that were too old to be kept.
func (m *Metrics) UtterancesPurged(n int) { m.purged.add(float64(n)) }

// WebhooksDropped notes so many deliveries for which a webhook had no room.
func (m *Metrics) WebhooksDropped(n int) { m.webhooksDropped.add(float64(n)) }

// ScheduleRan notes so many occurrences of a schedule that came to the same.
func (m *Metrics) ScheduleRan(state broadcast.RunState, times int) {
	m.scheduleRuns.add(float64(times), string(state))
}

// RateAsked notes what a worker was told that asked whether a bot may send.
func (m *Metrics) RateAsked(outcome queue.RateOutcome) { m.rateWaits.add(1, string(outcome)) }

// PeerAsked notes one request to somebody else's server. A status of 0 stands for no answer, and sent
// says whether any of it may have arrived.
func (m *Metrics) PeerAsked(peer string, status int, sent bool, took time.Duration) {
	outcome := strconv.Itoa(status/100) + "xx"
	switch {
	case status == 0 && sent:
		outcome = "no_answer"
	case status == 0:
		outcome = "unsent"
	}
	m.peerRequests.observe(took, peer, outcome)
}

// Answered notes an utterance and the time that was left for its answer, negative when late.
func (m *Metrics) Answered(outcome string, budgetLeft time.Duration) {
	m.answers.add(1, outcome)
	m.budgetLeft.Observe(max(0, budgetLeft.Seconds()))
}

// HandoffOffered notes an answer that offers a person to talk to.
func (m *Metrics) HandoffOffered(spot string) { m.handoffs.add(1, spot) }

// Callback notes a callback. The reason is empty when it was delivered.
func (m *Metrics) Callback(outcome, reason string) {
	m.callbacks.add(1, outcome)
	if reason != "" {
		m.callbackFailures.add(1, reason)
	}
}

// CallbackRefused notes a call that asks for a callback to an address that may not be called.
func (m *Metrics) CallbackRefused() { m.callbackFailures.add(1, kakao.ReasonRefused) }

// CallbackPromised notes a call that was told to wait for a callback.
func (m *Metrics) CallbackPromised() { m.promised.Inc() }

// VersionFailed notes a try at a version of a bot that could not be read or compiled.
func (m *Metrics) VersionFailed() { m.versionFailures.add(1) }

// SkillServerCalled notes the end of a call of a skill server, with its time in line.
func (m *Metrics) SkillServerCalled(outcome string, took time.Duration) {
	m.serverCalls.observe(took, outcome)
}

// SkillServerCalls notes that so many calls of skill servers more, or fewer, are under way.
func (m *Metrics) SkillServerCalls(more int) { m.serverUnderWay.Add(float64(more)) }

// SkillServerBreaker notes that the breaker of a skill server went from one state to another; "" stands
// for before its first and after its last.
func (m *Metrics) SkillServerBreaker(from, to string) {
	for state, more := range map[string]float64{from: -1, to: 1} {
		if slices.Contains(skillserver.States, state) {
			m.serverBreakers.WithLabelValues(state).Add(more)
		}
	}
}

// Unrecorded notes answered utterances that are missing in the log.
func (m *Metrics) Unrecorded(n int) { m.unrecorded.Add(float64(n)) }

// LoopRan notes one run of a loop of the scheduler.
func (m *Metrics) LoopRan(name string, took time.Duration, err error) {
	m.loopDuration.observe(took, name)
	failed := 0.0
	if err != nil {
		failed = 1
	} else {
		m.loopSuccess.WithLabelValues(name).SetToCurrentTime()
	}
	m.loopFailures.add(failed, name)
}

func taskTypes() []string {
	var types []string
	for taskType := range tasks.Types {
		types = append(types, taskType)
	}
	return types
}

func buildInfo() prometheus.Collector {
	version, revision, goVersion := "unknown", "unknown", "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		version, goVersion = info.Main.Version, info.GoVersion
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" {
				revision = setting.Value
			}
		}
	}
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "malgil_build_info",
		Help:        "Always 1; the labels say which program this is.",
		ConstLabels: prometheus.Labels{"version": version, "revision": revision, "go_version": goVersion},
	}, func() float64 { return 1 })
}
