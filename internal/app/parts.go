package app

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/redis/go-redis/v9"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/bank"
	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/bot"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/holiday"
	"github.com/malgil/malgil/internal/id"
	"github.com/malgil/malgil/internal/invoice"
	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/kakaopay"
	"github.com/malgil/malgil/internal/metrics"
	"github.com/malgil/malgil/internal/notice"
	"github.com/malgil/malgil/internal/queue"
	"github.com/malgil/malgil/internal/reconcile"
	"github.com/malgil/malgil/internal/retention"
	"github.com/malgil/malgil/internal/scenario"
	"github.com/malgil/malgil/internal/scheduler"
	"github.com/malgil/malgil/internal/seal"
	"github.com/malgil/malgil/internal/skillserver"
	"github.com/malgil/malgil/internal/store"
	"github.com/malgil/malgil/internal/tax"
	"github.com/malgil/malgil/internal/trace"
	"github.com/malgil/malgil/internal/wallet"
	"github.com/malgil/malgil/internal/webhook"
	"github.com/malgil/malgil/tasks"
)

// parts are the services of a process, whichever roles it plays.
type parts struct {
	clock    *clock.Clock
	ids      *id.Source
	log      *slog.Logger
	tracer   *trace.Tracer // nil for no traces
	store    *store.Store
	registry *prometheus.Registry
	metrics  *metrics.Metrics

	queue     *queue.Client
	inspector *queue.Inspector
	redis     redis.UniversalClient // obeys deadlines, for what somebody waits for

	gate     *access.Gate
	accounts *access.Accounts
	wallets  *access.Wallets
	giver    *wallet.Giver
	prices   *wallet.PriceSetter
	bots     *bot.Admin
	rules    scenario.Rules
	desk     *broadcast.Desk
	times    *broadcast.Timetable
	events   *kakao.EventClient
	billing  *billing.Service
	books    *reconcile.Service
	answers  *scenario.Service
	known    *scenario.Cache
	warm     chan struct{} // closed when the bots that are spoken to have been loaded
	recorder *scenario.Recorder
	mutes    notice.MuteLinks
	hooks    *webhook.Admin
	guard    kakao.Guard // for the addresses of webhooks
	keys     *seal.Box
	sweep    *scheduler.Sweep
	pauses   *scheduler.Pauses
	purger   *retention.Purger
	calendar func(context.Context) error // starts what schedules order
	copies   func(context.Context) error // gives it its people
	supplier invoice.Party               // of tax invoices
	spread   time.Duration               // of a settlement
	holidays holiday.Calendar
}

// botTTL is how long a bot's blocks are served before they are looked at again.
const botTTL = 2 * time.Second

// skillServers calls those of the businesses.
func (p *parts) skillServers(a *App, config Config) *skillserver.Client {
	guard := p.guard
	guard.Private = config.SkillPrivateHosts
	client := skillserver.New(skillserver.Options{
		Guard: guard, Secrets: p.store, Opener: p.keys, Meter: p.metrics, Now: p.clock.Now, Log: p.log, Version: Version,
		Timeout: config.SkillServerTime, MaxCalls: config.SkillServerCalls, GiveBack: queue.GiveBack,
	})
	a.onClose("bots under way, and connections to skill servers", shortLimit, func(ctx context.Context) error {
		client.Close()
		return p.known.Close(ctx)
	})
	return client
}

// build makes the services over a database and a queue.
func (a *App) build(config Config, roles Roles, db *store.Store, keys *seal.Box, address queue.Address, clk *clock.Clock, tracer *trace.Tracer, log *slog.Logger) (*parts, error) {
	p := &parts{clock: clk, log: log, tracer: tracer, store: db, ids: id.New(clk.Now, rand.Reader), registry: prometheus.NewRegistry()}
	p.metrics = metrics.New(p.registry)
	db.CountPostings(p.metrics)

	p.redis = address.EnqueueClient()
	p.queue = queue.NewClient(address.EnqueueClient())
	p.inspector = queue.NewInspector(address.InspectClient())
	p.registry.MustRegister(
		metrics.NewRedisClient("wait", func() queue.Connections { return queue.ConnectionsOf(p.redis) }),
		metrics.NewRedisClient("enqueue", p.queue.Connections), metrics.NewRedisClient("inspect", p.inspector.Connections))
	p.registry.MustRegister(metrics.NewSkew("redis", func(ctx context.Context) (time.Time, error) { return p.redis.Time(ctx).Result() }))
	if !db.Embedded() {
		p.registry.MustRegister(metrics.NewSkew("database", db.Clock))
	}
	for name, db := range db.Pools() {
		p.registry.MustRegister(collectors.NewDBStatsCollector(db, name))
	}
	for _, folder := range config.folders() {
		p.registry.MustRegister(metrics.NewDisk(folder.What, folder.Free))
	}
	a.onClose("queue clients", shortLimit, func(context.Context) error {
		return errors.Join(p.queue.Close(), p.inspector.Close(), p.redis.Close())
	})
	var err error
	if p.holidays, err = Holidays(config.Holidays); err != nil {
		return nil, err
	}
	if roles.Scheduler {
		p.registry.MustRegister(metrics.NewSampler(p.inspector, db, clk.Now), metrics.NewHolidays(p.holidays, clk.Now))
		warnHolidays(p.holidays, clk.Now(), log)
	}

	hashKey, err := base64.StdEncoding.DecodeString(config.HashKey)
	if err != nil {
		return nil, fmt.Errorf("read MALGIL_HASH_KEY: %w", err)
	}
	if p.events, err = kakao.NewEventClient(config.KakaoURL, 0); err != nil {
		return nil, err
	}
	p.events.Watch(p.asked("kakao"))
	payments, err := kakaopay.New(config.KakaoPayURL, config.KakaoPaySecret, 0)
	if err != nil {
		return nil, err
	}
	payments.Watch(p.asked("kakaopay"))
	gateway := kakaopay.NewGateway(payments, kakaopay.Merchant{OneTimeCID: config.KakaoPayOnceCID, RecurringCID: config.KakaoPayRepeatCID})
	settings := billing.DefaultSettings
	settings.PublicURL, settings.Slice, settings.CardAmount = strings.TrimRight(config.PublicURL, "/"), config.ChargeSlice, config.CardAmount
	settings.Storm = billing.StormGuard{Attempts: config.StormAttempts, Declines: config.StormDeclines, Pause: config.StormPause}
	p.spread = config.SettlementSpread
	settings.Payee, settings.TransferTime = config.BankPayee, config.BankDeadline
	p.billing = billing.New(db, gateway, keys, p.ids, rand.Reader, clk.Now, settings)
	var lookups reconcile.Bank
	if config.BankURL != "" {
		teller, err := bank.New(config.BankURL, config.BankSecret, 0)
		if err != nil {
			return nil, err
		}
		teller.Watch(p.asked("bank"))
		p.billing.WithBank(teller)
		lookups = teller
	}
	if supplier, wrong := config.Supplier(); len(wrong) == 0 {
		p.supplier = supplier
	}
	var carrier billing.Carrier
	if config.TaxURL != "" {
		issuer, err := tax.New(config.TaxURL, config.TaxSecret, 0)
		if err != nil {
			return nil, err
		}
		issuer.Watch(p.asked("tax"))
		carrier = issuer
	}
	p.billing.WithInvoices(carrier, p.supplier)
	p.books = reconcile.New(db, gateway, lookups, p.events, clk.Now)

	p.mutes = notice.NewMuteLinks(config.PublicURL, hashKey)
	p.gate = access.NewGate(db, clk.Now, p.ids.Next, rand.Reader)
	p.accounts = access.NewAccounts(db, clk.Now, p.ids.Next)
	p.wallets = access.NewWallets(db, clk.Now, p.ids.Next)
	p.rules = scenario.Rules{HTTPLoopback: config.Sandboxed || config.kakaoIsSandbox(), HTTPHosts: config.SkillPrivateHosts}
	p.bots = bot.NewAdmin(db, keys, p.rules, clk.Now, rand.Reader)
	p.desk = broadcast.NewDesk(db, db, db, db, clk.Now, p.ids.Next)
	p.times = broadcast.NewTimetable(p.desk, db)
	p.keys, p.guard = keys, kakao.Guard{AnyHost: true, Loopback: config.Sandboxed || config.kakaoIsSandbox()}
	p.hooks = webhook.NewAdmin(db, keys, p.guard.Check, clk.Now, p.ids.Next, rand.Reader)
	p.giver = wallet.NewGiver(db, clk.Now, p.ids.Next)
	p.prices = wallet.NewPriceSetter(db, clk.Now)
	p.known, p.warm = scenario.NewCache(db, botTTL), make(chan struct{})
	p.known.TellFailures(versionFailures(p.metrics, log))
	p.answers = scenario.NewService(p.known, db, hashKey).WithBackend(p.skillServers(a, config))
	p.recorder = scenario.NewRecorder(db, func(n int, err error) {
		p.metrics.Unrecorded(n)
		log.Warn("utterances not recorded", "count", n, "err", err)
	})
	a.onClose("utterance recorder", recorderLimit, p.recorder.Close)
	db.UseHolidays(func(day time.Time) bool { return len(p.holidays.Names(day)) > 0 })
	db.UseClosing(store.Closing{NewID: p.ids.Next, Invoices: config.TaxURL != "",
		Dates: func(month time.Time) invoice.Dates { return invoice.DatesOf(month, p.holidays) }})
	p.calendar, p.copies = scheduler.Calendar(p.times.Turn, p.metrics, log), scheduler.Calendar(p.times.Copy, p.metrics, log)
	p.purger = retention.New(db, p.metrics, clk.Now)
	p.pauses = scheduler.NewPauses(db, p.inspector, tasks.Queues, clk.Now)
	p.sweep = scheduler.NewSweep(db, p.queue, p.inspector, config.SweepAge, clk.Now)
	return p, nil
}

// asked counts requests to a peer.
func (p *parts) asked(peer string) kakao.Asked {
	return func(status int, sent bool, took time.Duration) { p.metrics.PeerAsked(peer, status, sent, took) }
}

// versionFailures counts tries at a version of a bot that cannot be had, and logs the first.
func versionFailures(m *metrics.Metrics, log *slog.Logger) func(botID string, version int64, err error, again bool) {
	return func(botID string, version int64, err error, again bool) {
		m.VersionFailed()
		if !again {
			log.Error("version of a bot cannot be read or compiled; the one before it answers, if any", "bot_id", botID, "version", version, "err", err)
		}
	}
}
