package metrics

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/invoice"
	"github.com/malgil/malgil/internal/queue"
	"github.com/malgil/malgil/internal/store"
	"github.com/malgil/malgil/tasks"
)

// QueueSampler looks into queues, by their names and without walking over keys.
type QueueSampler interface {
	Loads(ctx context.Context, queues []string) (map[string]queue.Load, error)
	Paused(ctx context.Context, queues []string) (map[string]bool, error)
	Settings(ctx context.Context) (queue.Settings, error)
}

// StoreSampler counts what stands in the database at a time.
type StoreSampler interface {
	Sample(ctx context.Context, now time.Time) (store.Sample, error)
}

const (
	sampleWait  = time.Second      // the longest that a scrape waits for a look
	sampleFresh = 5 * time.Second  // a look younger than this serves the next scrape too
	sampleStale = time.Minute      // and one older than this is not shown any more
	sampleLimit = 10 * time.Second // the longest that a look may take
)

// Sampler exports what is counted at rest: tasks in the queues, rows in the database. It looks
// when it is scraped; a look that takes longer than a second goes on behind, and the scrape gets
// the one before. What was not seen for a minute is left out, and
// malgil_sample_timestamp_seconds tells since when.
//
// The numbers are of the whole installation, whichever process tells them: register it in one
// role, the scheduler, and take the maximum over processes. Its looks end by themselves.
type Sampler struct {
	now    func() time.Time
	queues *look[map[string]queue.Load]
	paused *look[map[string]bool]
	redis  *look[queue.Settings]
	store  *look[store.Sample]
}

// NewSampler returns a sampler. now is the clock by which rows are stamped.
func NewSampler(queues QueueSampler, rows StoreSampler, now func() time.Time) *Sampler {
	return &Sampler{now: now,
		queues: &look[map[string]queue.Load]{take: func(ctx context.Context) (map[string]queue.Load, error) { return queues.Loads(ctx, tasks.Queues) }},
		paused: &look[map[string]bool]{take: func(ctx context.Context) (map[string]bool, error) { return queues.Paused(ctx, tasks.Queues) }},
		redis:  &look[queue.Settings]{take: queues.Settings},
		store:  &look[store.Sample]{take: func(ctx context.Context) (store.Sample, error) { return rows.Sample(ctx, now()) }},
	}
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

var (
	sampleTimestamp = describe("malgil_sample_timestamp_seconds",
		"When the queue, the settings of Redis and the store were last looked at with success, in Unix seconds; 0 for never.", "source")
	queueTasks = describe("malgil_queue_tasks",
		"Tasks of a queue by asynq's state.", "queue", "state")
	queueOldest = describe("malgil_queue_oldest_waiting_seconds",
		"How long the next task of a queue has been waiting; 0 when none waits.", "queue")
	queuePaused = describe("malgil_queue_paused",
		"1 while nothing is taken from a queue because somebody paused it, else 0.", "queue")
	chunks = describe("malgil_chunks",
		"Chunks of broadcasts that have not ended, by state.", "state")
	doubtOldest = describe("malgil_doubt_oldest_seconds",
		"Age of the oldest doubt that still holds money; 0 when none does.")
	doubtHeld = describe("malgil_doubt_held_krw",
		"Money held for chunks in doubt, in KRW.")
	wallets = describe("malgil_wallets",
		"Wallets by payment state.", "payment_state")
	attemptsUnknown = describe("malgil_attempts_unknown",
		"Attempts to move money outside whose outcome is not known yet.")
	attemptOldest = describe("malgil_attempt_oldest_unknown_seconds",
		"Age of the oldest attempt whose outcome is not known yet; 0 when none is.")
	chargesInReview = describe("malgil_charges_in_review",
		"Charges, refunds and checkouts that wait for a person.")
	chargingHalted = describe("malgil_charging_halted",
		"1 while nobody is charged because the card gateway does not accept our access, else 0.")
	ledgerDifference = describe("malgil_ledger_difference_krw",
		"By how much the books differ, in KRW: sums of differences without their signs, as the hourly comparison of each wallet found them.", "kind")
	ledgerOldest = describe("malgil_ledger_oldest_check_seconds",
		"How long the wallet waits for its hourly comparison that waits longest; 0 when there is none.")
	chargingStorm = describe("malgil_charging_storm",
		"1 while nobody is charged because one card after another was declined, else 0.")
	invoices = describe("malgil_invoices",
		"Tax invoices that are not issued, by state; none in whose place an amended one stands, and no negative one after its legal date.", "state")
	invoiceDeadline = describe("malgil_invoice_deadline_seconds",
		"Time until the legal date of the tax invoice that is due first among those that the tax office does not have; below 0 when it is over, absent when there is none.")
	invoicesLate = describe("malgil_invoices_late",
		"Tax invoices that the tax office does not have though their legal date is over.")
	monthsUnclosed = describe("malgil_months_unclosed",
		"Business wallets with a month that could have been closed for an hour and is not.")
	webhooksWaiting = describe("malgil_webhooks_waiting",
		"Deliveries to webhooks that are not made yet, those that are tried again among them.")
	refusedAddresses = describe("malgil_refused_addresses",
		"Addresses of mail whose server said that nobody is there.")
	broadcastsWaiting = describe("malgil_broadcasts_waiting",
		"Broadcasts with chunks that are not sent yet and wait, by the reason.", "reason")
	botsStanding = describe("malgil_bots_standing",
		"Bots whose broadcasts wait because Kakao asked for a pause or does not answer.")
	botsPaused = describe("malgil_bots_paused",
		"Bots that send nothing until a person resumes them, by the reason: Kakao does not accept the key (config), or its own balance is empty (provider).", "reason")
	walletsUnpaid = describe("malgil_wallets_unpaid",
		"Unpaid wallets by how long they have been.", "age")
	unpaidOldest = describe("malgil_unpaid_oldest_seconds",
		"For how long the wallet has been unpaid that was not paid for longest; 0 when none is unpaid.")
	walletsRunway = describe("malgil_wallets_runway",
		"Wallets without a card that have used cash in the last seven days, by for how many days what they have is enough at that pace, as the hourly comparison found.", "days")
	cards = describe("malgil_cards",
		"Cards that their owners have not removed, by state.", "state")
	mailsWaiting = describe("malgil_mails_waiting",
		"Mails that are not sent yet, those that are tried again among them.")
	mailOldest = describe("malgil_mail_oldest_waiting_seconds",
		"Age of the oldest mail that is not sent yet; 0 when none waits.")
	deadTasks = describe("malgil_dead_tasks",
		"Tasks that were given up and wait for a person, by type.", "type")
	redisWrong = describe("malgil_redis_setting_wrong",
		"1 while a server of the queue's Redis is not set as a queue needs it, else 0; absent where Redis does not tell.", "setting")
	redisMemory = describe("malgil_redis_memory_ratio",
		"Part of its memory that the fullest server of the queue's Redis uses; where it has no maxmemory, of its machine's. Absent where Redis does not tell.")
	timesLost = describe("malgil_schedule_times_lost",
		"Times of schedules at which nothing was sent, as found in the last 24 hours: missed because no scheduler looked in time, or failed.", "outcome")
)

// Describe implements [prometheus.Collector].
func (s *Sampler) Describe(descs chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{sampleTimestamp, queueTasks, queueOldest, queuePaused, chunks, doubtOldest, doubtHeld,
		wallets, attemptsUnknown, attemptOldest, chargesInReview, chargingHalted, chargingStorm,
		ledgerDifference, ledgerOldest, invoices, invoiceDeadline, invoicesLate, monthsUnclosed, refusedAddresses, timesLost, webhooksWaiting,
		broadcastsWaiting, botsStanding, botsPaused, walletsUnpaid, unpaidOldest, walletsRunway, cards, mailsWaiting, mailOldest,
		deadTasks, redisWrong, redisMemory} {
		descs <- desc
	}
}

// Collect implements [prometheus.Collector]. It returns within about a second.
func (s *Sampler) Collect(metrics chan<- prometheus.Metric) {
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	ctx, cancel := context.WithTimeout(context.Background(), sampleWait)
	defer cancel()
	s.queues.begin() // all at once, so that together they take no longer than one
	s.paused.begin()
	s.redis.begin()
	s.store.begin()

	queues, seen := s.queues.get(ctx)
	gauge(sampleTimestamp, unix(seen), "queue")
	for name, q := range queues {
		for state, n := range map[string]int64{"pending": q.Pending, "active": q.Active, "scheduled": q.Scheduled,
			"retry": q.Retry, "archived": q.Archived, "completed": q.Completed} {
			gauge(queueTasks, float64(n), name, state)
		}
		gauge(queueOldest, q.Oldest.Seconds(), name)
	}
	paused, _ := s.paused.get(ctx)
	for name, is := range paused {
		gauge(queuePaused, flag(is), name)
	}

	settings, seen := s.redis.get(ctx)
	gauge(sampleTimestamp, unix(seen), "redis")
	for setting, wrong := range settings.Wrong {
		gauge(redisWrong, flag(wrong), string(setting))
	}
	if settings.MemoryUsed > 0 {
		gauge(redisMemory, settings.MemoryUsed)
	}

	rows, seen := s.store.get(ctx)
	gauge(sampleTimestamp, unix(seen), "store")
	if time.Since(seen) > sampleStale {
		return
	}
	now := s.now()
	for state, n := range map[broadcast.ChunkState]int64{broadcast.Planned: rows.Planned, broadcast.Queued: rows.Queued,
		broadcast.Sending: rows.Sending, broadcast.Sent: rows.Sent, broadcast.InDoubt: rows.InDoubt, broadcast.Parked: rows.Parked} {
		gauge(chunks, float64(n), string(state))
	}
	gauge(doubtOldest, age(now, rows.DoubtSince))
	gauge(doubtHeld, float64(rows.DoubtHeld))
	for state, n := range rows.Wallets {
		gauge(wallets, float64(n), state)
	}
	gauge(attemptsUnknown, float64(rows.Unknown))
	gauge(attemptOldest, age(now, rows.UnknownSince))
	gauge(chargesInReview, float64(rows.InReview))
	for kind, krw := range rows.Differences {
		gauge(ledgerDifference, float64(krw), kind)
	}
	gauge(ledgerOldest, age(now, rows.CheckedSince))
	gauge(chargingHalted, ahead(now, rows.HaltedUntil))
	gauge(chargingStorm, ahead(now, rows.StormUntil))
	gauge(invoices, float64(rows.InvoicesWaiting), string(invoice.Waiting))
	gauge(invoices, float64(rows.InvoicesFailed), string(invoice.Failed))
	if !rows.InvoiceDeadline.IsZero() {
		gauge(invoiceDeadline, rows.InvoiceDeadline.Sub(now).Seconds())
	}
	gauge(invoicesLate, float64(rows.InvoicesLate))
	gauge(monthsUnclosed, float64(rows.MonthsUnclosed))
	gauge(refusedAddresses, float64(rows.RefusedAddresses))
	gauge(timesLost, float64(rows.TimesMissed), string(broadcast.RunMissed))
	gauge(timesLost, float64(rows.TimesFailed), string(broadcast.RunFailed))
	gauge(webhooksWaiting, float64(rows.WebhooksWaiting))
	for _, reason := range broadcast.Waits {
		gauge(broadcastsWaiting, float64(rows.Waits[reason]), string(reason))
	}
	gauge(botsStanding, float64(rows.BotsStanding))
	gauge(botsPaused, float64(rows.BotsConfig), string(broadcast.WaitConfig))
	gauge(botsPaused, float64(rows.BotsProvider), string(broadcast.WaitProvider))
	for _, age := range store.UnpaidAges {
		gauge(walletsUnpaid, float64(rows.Unpaid[age]), string(age))
	}
	gauge(unpaidOldest, age(now, rows.UnpaidSince))
	for _, days := range store.Runways {
		gauge(walletsRunway, float64(rows.Runways[days]), string(days))
	}
	for _, state := range []billing.CardState{billing.CardUsable, billing.CardDormant, billing.CardDead} {
		gauge(cards, float64(rows.Cards[state]), string(state))
	}
	gauge(mailsWaiting, float64(rows.MailsWaiting))
	gauge(mailOldest, age(now, rows.MailSince))
	strange := int64(0) // of a type that this program lacks
	for taskType, n := range rows.DeadTasks {
		if tasks.Types[taskType] == nil {
			strange += n
		}
	}
	gauge(deadTasks, float64(strange), other)
	for taskType := range tasks.Types {
		gauge(deadTasks, float64(rows.DeadTasks[taskType]), taskType)
	}
}

// ahead returns 1 for a time that is still to come, else 0.
func ahead(now, t time.Time) float64 { return flag(t.After(now)) }

// flag returns 1 for true, 0 for false.
func flag(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// age returns how long ago something was in seconds, 0 for the zero time.
func age(now, since time.Time) float64 {
	if since.IsZero() {
		return 0
	}
	return max(0, now.Sub(since).Seconds())
}

func unix(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

// look keeps what a look at something slow has shown. One look runs at a time.
type look[T any] struct {
	take func(context.Context) (T, error)

	mu    sync.Mutex
	value T
	seen  time.Time     // when value was had; zero for never
	ended chan struct{} // closed when the look that runs now ends; nil when none does
}

// begin starts a look, unless one runs or the last is fresh.
func (l *look[T]) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended == nil && time.Since(l.seen) >= sampleFresh {
		l.ended = make(chan struct{})
		go l.run(l.ended)
	}
}

func (l *look[T]) run(ended chan struct{}) {
	ctx, cancel := context.WithTimeout(context.Background(), sampleLimit)
	defer cancel()
	value, err := l.take(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil { // a failure is seen by the time that stands still
		l.value, l.seen = value, time.Now()
	}
	l.ended = nil
	close(ended)
}

// get waits for the look that runs, at most until ctx ends, and returns what was seen last and
// when. What is stale is the zero value.
func (l *look[T]) get(ctx context.Context) (value T, seen time.Time) {
	l.mu.Lock()
	ended := l.ended
	l.mu.Unlock()
	if ended != nil {
		select {
		case <-ended:
		case <-ctx.Done():
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.seen) <= sampleStale {
		value = l.value
	}
	return value, l.seen
}
