package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/malgil/malgil/internal/fault"
)

const (
	recordGrace   = 5 * time.Second  // for a task that was cut to record what it did
	shutdownGrace = 30 * time.Second // for asynq to let go of Redis, which took 29 s of a frozen one
)

// PoolOptions say what the pools do with tasks.
type PoolOptions struct {
	Handlers   map[string]asynq.Handler                               // by queue; every pool needs one
	Middleware []asynq.MiddlewareFunc                                 // around every handler, the first outermost
	OnError    func(ctx context.Context, task *asynq.Task, err error) // told of each failed run; may be nil
	Logger     *slog.Logger                                           // asynq's own words; nil means slog.Default
}

// Pools serve queues until they are shut down. They are started and shut down once.
type Pools struct {
	redis    redis.UniversalClient
	waits    redis.UniversalClient // of bells; nil for none
	pools    []*pool
	shutdown sync.Once
	finished chan struct{} // closed when every server has ended and the connection is closed
	closeErr error         // read after finished
}

// pool is a Pool that runs.
type pool struct {
	Pool
	servers []*asynq.Server
	handler asynq.Handler
	log     *slog.Logger
	loose   sync.WaitGroup // handlers whose slots were given back

	stop    context.Context // ends when the process stops
	stopNow context.CancelFunc
	cut     context.Context // ends when running tasks have to
	cutNow  context.CancelFunc
	ended   chan struct{} // closed when all servers have ended
}

// NewPools makes servers for the pools, all over one connection. The error is Invalid and names
// the pool that cannot be.
func NewPools(address Address, pools []Pool, opts PoolOptions) (*Pools, error) {
	ps := &Pools{finished: make(chan struct{})}
	seen := map[string]bool{}
	for _, p := range pools {
		if err := p.validate(); err != nil {
			return nil, err
		}
		if seen[p.Queue] {
			return nil, fault.Field("pools", "queue %s has two pools", p.Queue)
		}
		seen[p.Queue] = true
		handler := opts.Handlers[p.Queue]
		if handler == nil {
			return nil, fault.Field("pools", "pool %s has no handler", p.Queue)
		}
		for i := len(opts.Middleware) - 1; i >= 0; i-- {
			handler = opts.Middleware[i](handler)
		}
		running := &pool{Pool: p, handler: handler, log: opts.Logger, ended: make(chan struct{})}
		if running.log == nil {
			running.log = slog.Default()
		}
		running.stop, running.stopNow = context.WithCancel(context.Background())
		running.cut, running.cutNow = context.WithCancel(context.Background())
		ps.pools = append(ps.pools, running)
	}
	ps.redis = address.ServerClient()
	ps.waits = ringBells(address, ps.redis, ps.pools)
	for _, p := range ps.pools {
		for n := range p.Servers {
			p.servers = append(p.servers, asynq.NewServerFromRedisClient(ps.redis, p.config(n, opts)))
		}
	}
	return ps, nil
}

// config is the configuration of the n-th server of a pool.
func (p *pool) config(n int, opts PoolOptions) asynq.Config {
	concurrency := p.Concurrency / p.Servers
	if n < p.Concurrency%p.Servers {
		concurrency++
	}
	cfg := asynq.Config{
		Concurrency:       concurrency,
		Queues:            map[string]int{p.Queue: 1},
		TaskCheckInterval: p.CheckInterval,
		ShutdownTimeout:   p.Drain + recordGrace,
		IsFailure:         func(err error) bool { return err != nil && !p.wasCut(err) },
		RetryDelayFunc:    p.retryDelay,
		Logger:            asynqLog{p.log.With("pool", p.Queue)},
	}
	if opts.OnError != nil {
		cfg.ErrorHandler = asynq.ErrorHandlerFunc(opts.OnError)
	}
	return cfg
}

// stopKey is where the context of a task keeps the one that ends when the process stops.
type stopKey struct{}

// Begin returns a context of ctx in which a task may begin what it must not leave unfinished: it
// ends as soon as the process stops, while ctx goes on for the pool's Drain. The caller cancels it.
func Begin(ctx context.Context) (begin context.Context, cancel context.CancelFunc) {
	begin, cancelBegin := context.WithCancel(ctx)
	stop, ok := ctx.Value(stopKey{}).(context.Context)
	if !ok { // no task of a pool
		return begin, cancelBegin
	}
	if stop.Err() != nil {
		cancelBegin()
	}
	forget := context.AfterFunc(stop, cancelBegin)
	return begin, func() { forget(); cancelBegin() }
}

// wasCut reports whether a task failed only because the process stops. That is no failure of the
// task: it keeps its retries, and another process takes it up at once.
func (p *pool) wasCut(err error) bool { return p.stop.Err() != nil && errors.Is(err, context.Canceled) }

// retryDelay doubles from a second to a minute: eight retries take three minutes, and what fails
// longer than that is the sweep's. A peer that said when to come back is obeyed up to ten minutes.
func (p *pool) retryDelay(retried int, err error, _ *asynq.Task) time.Duration {
	if p.wasCut(err) {
		return 0
	}
	backoff := min(time.Second<<min(retried, 6), time.Minute)
	return max(backoff, min(fault.RetryAfter(err), 10*time.Minute))
}

// Start begins to work. It does not wait for Redis: servers keep trying until it is there.
func (ps *Pools) Start() error {
	for _, p := range ps.pools {
		for _, server := range p.servers {
			if err := server.Start(p); err != nil {
				return fmt.Errorf("start pool %s: %w", p.Queue, err)
			}
		}
	}
	return nil
}

// Grace returns the longest that [Pools.Shutdown] takes. Whoever stops the process from outside
// waits longer than this before killing it.
func (ps *Pools) Grace() time.Duration {
	var drain time.Duration
	for _, p := range ps.pools {
		drain = max(drain, p.Drain)
	}
	return drain + recordGrace + shutdownGrace
}

// Shutdown takes no new tasks, lets running ones go on for their pool's Drain, then ends their
// contexts, gives what still runs back to the queue, and closes the connection.
//
// It returns after [Pools.Grace] or when ctx ends, if it is not done by then; the error names the
// pools that are not, and the process is to exit with a failure, since a stuck Redis may hold
// servers for longer than anyone waits. Another call waits for the same shutdown.
func (ps *Pools) Shutdown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, ps.Grace())
	defer cancel()
	ps.shutdown.Do(func() { go ps.end() })
	select {
	case <-ps.finished:
		return ps.closeErr
	case <-ctx.Done():
		for _, p := range ps.pools {
			p.cutNow()
		}
		return fmt.Errorf("shut down pools %s: %w", strings.Join(ps.unfinished(), ", "), context.Cause(ctx))
	}
}

// end stops all servers before it waits for any, so that none takes what another gave back.
func (ps *Pools) end() {
	defer close(ps.finished)
	var stopped, ended sync.WaitGroup
	for _, p := range ps.pools {
		p.stopNow()
		time.AfterFunc(p.Drain, p.cutNow)
		stopped.Go(func() { p.each((*asynq.Server).Stop) })
	}
	if ps.waits != nil {
		_ = ps.waits.Close() // ends the waits for tasks, also at a Redis that does not answer
	}
	stopped.Wait()
	for _, p := range ps.pools {
		ended.Go(func() {
			p.each((*asynq.Server).Shutdown)
			p.loose.Wait()
			p.cutNow() // also for a task that was given back and still runs
			close(p.ended)
		})
	}
	ended.Wait()
	// Last: a server whose connection is closed under it panics.
	if err := ps.redis.Close(); err != nil {
		ps.closeErr = fmt.Errorf("close the connection of the pools: %w", err)
	}
}

// each does something with all servers of a pool at once and waits for it.
func (p *pool) each(do func(*asynq.Server)) {
	var all sync.WaitGroup
	for _, server := range p.servers {
		all.Go(func() { do(server) })
	}
	all.Wait()
}

func (ps *Pools) unfinished() []string {
	var names []string
	for _, p := range ps.pools {
		select {
		case <-p.ended:
		default:
			names = append(names, p.Queue)
		}
	}
	return names
}
