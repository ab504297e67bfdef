package app

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/hibiken/asynq"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/courier"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/intake"
	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/mail"
	"github.com/malgil/malgil/internal/metrics"
	"github.com/malgil/malgil/internal/notice"
	"github.com/malgil/malgil/internal/queue"
	"github.com/malgil/malgil/internal/scheduler"
	"github.com/malgil/malgil/internal/webhook"
	"github.com/malgil/malgil/tasks"
	"github.com/malgil/malgil/templates"
	"github.com/malgil/malgil/workers"
)

// check finds pools that there are not.
func (r Roles) check() error {
	_, err := queue.SelectPools(r.Pools)
	return err
}

// startWorkers serves the named queues.
func (a *App) startWorkers(config Config, address queue.Address, names []string) error {
	pools, err := queue.SelectPools(names)
	if err != nil {
		return err
	}
	for i := range pools {
		if pools[i].Queue == tasks.QueueBroadcast {
			pools[i].Concurrency = config.SendConcurrency
		}
	}
	handlers, err := a.handlers(config)
	if err != nil {
		return err
	}
	serving, err := queue.NewPools(address, pools, queue.PoolOptions{
		Handlers: handlers,
		Middleware: []asynq.MiddlewareFunc{
			workers.Traced(a.parts.tracer),
			workers.Mirror(a.parts.store, a.parts.ids.Next, time.Now, a.parts.log), // as asynq stamps its archive
			workers.Observe(a.parts.metrics, a.parts.log),
		},
		Logger: a.parts.log,
	})
	if err != nil {
		return err
	}
	a.parts.registry.MustRegister(metrics.NewRedisClient("serve", serving.Connections))
	a.onClose("worker pools", serving.Grace(), serving.Shutdown)
	return serving.Start()
}

// handlers returns what each queue's tasks do.
func (a *App) handlers(config Config) (map[string]asynq.Handler, error) {
	p := a.parts
	letters, err := mail.ParseConfig(config.SMTP)
	if err != nil {
		return nil, err
	}
	postman := mail.New(letters)
	a.onClose("mail connections", shortLimit, func(context.Context) error {
		postman.Close()
		return nil
	})

	answer := workers.AnswerUtterance(workers.AnswerUtteranceOptions{
		Answers: p.answers, Exchange: queue.NewExchange(p.redis),
		Callbacks: kakao.NewCallbackClient(config.callbackGuard()),
		Record:    p.recorder.Record, Metrics: p.metrics, NewID: p.ids.Next, Now: p.clock.Now, Log: p.log,
	})
	limiter := queue.NewLimiter(p.redis, p.ids.Next, p.metrics)
	sender := broadcast.NewSender(p.store, p.events, limiter, p.metrics, config.SendLease, p.clock.Now)
	results := broadcast.NewResults(p.store, p.events, p.metrics, p.clock.Now)
	charges := workers.Billing{Queue: p.queue, Meter: p.metrics, Log: p.log}

	posts := courier.New(p.guard, Version)
	posts.Watch(p.asked("webhook"))

	types := map[string]asynq.Handler{
		tasks.TypeAnswerUtterance: answer,
		tasks.TypeSendChunk:       workers.SendChunk(sender),
		tasks.TypeFetchResult:     workers.FetchResult(results),
		tasks.TypeChargeWallet:    charges.ChargeWallet(p.billing),
		tasks.TypeChargeCard:      charges.ChargeCard(p.billing),
		tasks.TypeIssueInvoice:    charges.IssueInvoice(p.billing),
		tasks.TypeResolveAttempt:  charges.ResolveAttempt(p.billing),
		tasks.TypeDeliverWebhook:  workers.DeliverWebhook(webhook.NewDeliverer(p.store, posts, p.keys, p.clock.Now), p.queue, p.metrics, p.log),
		tasks.TypeSendMail:        workers.SendMail(notice.New(p.store, postman, p.render, p.mutes, p.clock.Now), p.metrics, p.log),
	}
	byQueue := make(map[string]asynq.Handler)
	for taskType, queues := range tasks.Types {
		for _, name := range queues {
			mux, _ := byQueue[name].(*asynq.ServeMux)
			if mux == nil {
				mux = asynq.NewServeMux()
				byQueue[name] = mux
			}
			mux.Handle(taskType, types[taskType])
		}
	}
	return byQueue, nil
}

// callbackGuard says which callback addresses may be called.
func (c Config) callbackGuard() kakao.Guard {
	return kakao.Guard{Hosts: c.CallbackHosts, Loopback: c.Sandboxed || c.kakaoIsSandbox()}
}

// render writes a mail, with its document where it has one. Why a broadcast missed people is read only now: it
// takes too long for the transaction in which the broadcast finished.
func (p *parts) render(ctx context.Context, d notice.Data, mute string) (notice.Mail, error) {
	const pages = "" // nothing serves the pages that mails could lead to
	if report, is := d.(notice.BroadcastReport); is {
		reasons, err := p.store.Reasons(ctx, broadcast.ID(report.BroadcastID))
		if err != nil {
			return notice.Mail{}, err
		}
		d = report.Explained(reasons)
	}
	m, err := templates.Render(d, pages, mute)
	issued, is := d.(notice.InvoiceIssued)
	if err != nil || !is {
		return m, err
	}
	i, err := p.store.InvoiceByID(ctx, issued.InvoiceID)
	if err != nil {
		return m, err
	}
	document, err := templates.InvoicePDF(i)
	if err != nil {
		return m, err
	}
	m.Files = []notice.File{{Name: templates.InvoiceFileName(i), Type: "application/pdf", Body: document}}
	return m, nil
}

// Periods of the loops of the scheduler, and the deadlines of one run.
const (
	dispatchEvery, dispatchWithin = 200 * time.Millisecond, 30 * time.Second
	sweepEvery, sweepWithin       = time.Second, time.Minute
	calendarEvery, calendarWithin = time.Second, time.Minute
	copyEvery, copyWithin         = time.Second, 10 * time.Minute // a million people take seconds
	tidyEvery, tidyWithin         = time.Minute, time.Minute
	booksEvery, booksWithin       = time.Minute, time.Minute // each wallet once an hour
	purgeEvery, purgeWithin       = time.Minute, time.Minute // once a day for each bot
)

// startScheduler runs the loops.
func (a *App) startScheduler(config Config) {
	p := a.parts
	pace := broadcast.DefaultPace
	pace.MaxQueued = config.QueuedChunks
	var beats *scheduler.Beats
	loops := []scheduler.Loop{
		{Name: "dispatch", Every: dispatchEvery, Within: dispatchWithin, Run: p.dispatch(pace)},
		{Name: "sweep", Every: sweepEvery, Within: sweepWithin, Run: func(ctx context.Context) error { return errors.Join(beats.Keep(ctx), p.lookAfter(ctx)) }},
		{Name: "calendar", Every: calendarEvery, Within: calendarWithin, Run: p.calendar},
		{Name: "copy", Every: copyEvery, Within: copyWithin, Run: p.copies},
		{Name: "tidy", Every: tidyEvery, Within: tidyWithin, Run: p.tidy},
		{Name: "books", Every: booksEvery, Within: booksWithin, Run: p.books.Check},
		{Name: "purge", Every: purgeEvery, Within: purgeWithin, Run: p.purger.Run},
	}
	beats = scheduler.NewBeats(p.store, loops, p.metrics, time.Now)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		scheduler.Run(ctx, loops, beats, p.log)
	}()
	a.onClose("scheduler", schedulerLimit, func(context.Context) error {
		stop()
		<-done
		return nil
	})
}

// dispatch returns one run of the dispatch loop. While nothing is taken off the queue of broadcasts nothing is put
// on it: chunks would hold money, and be recalled and queued again every ten minutes.
func (p *parts) dispatch(pace broadcast.Pace) func(context.Context) error {
	run := scheduler.Dispatch(broadcast.NewDispatcher(p.store, pace, p.clock.Now), p.queue, p.tracer)
	return func(ctx context.Context) error {
		if p.pauses.Paused(tasks.QueueBroadcast) {
			return nil
		}
		return run(ctx)
	}
}

// lookAfter makes queues stand that are paused, and sweeps.
func (p *parts) lookAfter(ctx context.Context) error {
	return errors.Join(p.pauses.Run(ctx), p.sweep.Run(ctx))
}

// tidy keeps Redis small and its list of queues whole, and forgets old keys of repeatable calls. Dead tasks go by the
// machine's clock, as asynq does: by another they would be forgotten and found in the archive again, over and over.
// What fails keeps nothing else from being done.
func (p *parts) tidy(ctx context.Context) error {
	_, keys := p.store.ForgetKeys(ctx, time.Now())
	_, contacts := p.store.ForgetContacts(ctx, p.clock.Now())
	_, deliveries := p.store.ForgetDeliveries(ctx, p.clock.Now())
	_, over := p.store.CloseDead(ctx, tasks.TypeAnswerUtterance, time.Now())
	_, dead := p.store.ForgetDead(ctx, time.Now())
	lines := p.shorten(ctx)
	_, relist := p.inspector.Relist(ctx, tasks.Queues)
	archives := scheduler.MirrorAll(ctx, p.store, p.inspector, tasks.Queues, p.ids.Next)
	_, utterances := p.inspector.TrimUtterances(ctx) // written down or not: what a person said goes
	return errors.Join(keys, contacts, deliveries, over, dead, lines, relist, archives, utterances)
}

// shorten gives up what the lines of webhooks have no room for, and says how much that was.
func (p *parts) shorten(ctx context.Context) error {
	dropped, err := p.store.DropDeliveries(ctx, webhook.MaxOpen, p.clock.Now())
	for hookID, n := range dropped {
		p.metrics.WebhooksDropped(n)
		p.log.WarnContext(ctx, "webhook deliveries dropped", "webhook_id", hookID, "deliveries", n)
	}
	return err
}

// warm loads the bots that are spoken to, most of which took a moment to compile at their first question and a large one
// seconds, of which a question has five.
func (a *App) warm() {
	const (
		limit = 20 * time.Second // who waits for a start waits no longer; the rest is loaded as it is asked for
		most  = 200
	)
	p := a.parts
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	go func() {
		defer close(p.warm)
		ids, err := p.store.SpokenTo(ctx, p.clock.Now().Add(-24*time.Hour), most)
		if err != nil {
			p.log.WarnContext(ctx, "bots are loaded at their first question", "err", err)
			return
		}
		p.known.Warm(ctx, ids)
	}()
	a.stopWarming = func() {
		cancel() // it waits for nothing then
		<-p.warm
	}
}

// warmed is Unavailable while bots are loaded after a start.
func (p *parts) warmed(context.Context) error {
	select {
	case <-p.warm:
		return nil
	default:
		return fault.New(fault.Unavailable, "bots are being loaded; their first questions would wait")
	}
}

// startIntake serves HTTP.
func (a *App) startIntake(config Config, door net.Listener) {
	p := a.parts
	mailbox := queue.OpenMailbox(p.redis, p.ids.Next("malgil:intake"))
	a.onClose("mailbox", shortLimit, func(context.Context) error {
		mailbox.Close()
		return nil
	})
	skill := intake.NewSkill(intake.SkillOptions{
		Bots: p.known, Answers: p.answers, Queue: p.queue, Exchange: queue.NewExchange(p.redis), Mailbox: mailbox,
		MayCall: config.callbackGuard().Check, Record: p.recorder.Record, Metrics: p.metrics, NewID: p.ids.Next, Now: p.clock.Now, Log: p.log,
		ReplyBudget: config.ReplyBudget, CallbackBudget: config.CallbackBudget,
	})
	a.onClose("answers under way", answersLimit, skill.Wait)
	charges := workers.Billing{Queue: p.queue, Meter: p.metrics, Log: p.log}
	server := intake.New(intake.Config{
		PublicURL: config.PublicURL, Supplier: p.supplier, Version: Version, Content: p.rules, Tracer: p.tracer, Log: p.log, Now: p.clock.Now,
	}, intake.Services{
		Gate: p.gate, Accounts: p.accounts, Wallets: p.wallets, Giver: p.giver, Prices: p.prices, Bots: p.bots, Broadcasts: p.desk, Schedules: p.times, Billing: p.billing, Books: p.books, Explain: p.store, Words: p.answers, Lists: p.store, Mails: p.store, Webhooks: p.hooks, Queues: p.inspector, Backlog: p.store, MuteLinks: p.mutes, Read: p.store,
		Follow: charges.Follow, Ran: func(ctx context.Context, id string, r billing.Result) { charges.Ran(ctx, tasks.TypeChargeCard, id, r) }, Skill: skill, Observe: p.metrics.HTTPServed,
		Checks: []intake.Check{
			{Name: "database", Ask: p.store.Ping},
			{Name: "queue", Ask: func(ctx context.Context) error { return p.redis.Ping(ctx).Err() }},
			{Name: "bots", Ask: p.warmed},
		},
	})
	a.serve("intake", serverLimit, door, server.Serve)
}
