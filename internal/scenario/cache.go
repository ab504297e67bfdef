package scenario

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/malgil/malgil/internal/fault"
)

const (
	headTime    = 2 * time.Second        // one look at what may change
	contentTime = 20 * time.Second       // reading a version and compiling it
	staleWait   = 250 * time.Millisecond // how long a caller waits for news of a bot that it knows
	keepFor     = time.Hour              // after the last question
)

// Head is what may change of a bot at any time.
type Head struct {
	ID, Name     string
	SkillKeyHash []byte // SHA-256 of the key in the bot's skill URLs
	Settings     Settings
	Newest       int64 // version that the development channel runs; 0 for none
	Deployed     int64 // version that the live channel runs; 0 for none
}

// version is the one that a side runs.
func (h Head) version(side string) int64 {
	if side == Development {
		return h.Newest
	}
	return h.Deployed
}

// Source is where bots are kept. Both are NotFound for what is not there.
type Source interface {
	BotHead(ctx context.Context, id string) (Head, error)
	// BotContent reads what a version holds. It never changes.
	BotContent(ctx context.Context, id string, version int64) (Content, error)
}

// Cache keeps bots: what may change for a short time, and versions while they are in use; both for
// as long as the database is away. It is safe for concurrent use: one look at the database serves
// all who ask.
type Cache struct {
	source Source
	ttl    time.Duration
	failed func(botID string, version int64, err error, again bool) // nil for nobody
	life   context.Context                                          // ends with Close
	end    context.CancelFunc
	loads  sync.WaitGroup

	mu    sync.Mutex
	bots  map[string]*cached
	swept time.Time // when what nobody asks for was looked for
}

// cached is a bot as far as it is known.
type cached struct {
	look[Head]
	asked   time.Time
	scripts map[int64]*look[*Script] // by version
	speaks  map[string]*Script       // by side: the last one that it answered with
}

// look is something that is looked at from time to time.
type look[T any] struct {
	value  T
	loaded bool          // a look succeeded
	err    error         // of the last look
	tried  time.Time     // end of the last look
	news   chan struct{} // closed when the look under way has ended; nil when none is
	began  time.Time     // of that look
	failed bool          // a look did not succeed
}

// NewCache returns a cache before a source. A change of a bot is seen after ttl at most, and a new
// version once it was read, which is begun with the first question after that.
func NewCache(source Source, ttl time.Duration) *Cache {
	c := &Cache{source: source, ttl: ttl, bots: map[string]*cached{}}
	c.life, c.end = context.WithCancel(context.Background())
	return c
}

// Close ends the loads under way, which go on without whoever began them, and waits for their end or that of ctx. Nobody
// asks the cache from then on.
func (c *Cache) Close(ctx context.Context) error {
	c.end()
	ended := make(chan struct{})
	go func() { c.loads.Wait(); close(ended) }()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// load looks at the source apart from who asks, until Close.
func (c *Cache) load(ctx context.Context, look func(ctx context.Context)) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	forget := context.AfterFunc(c.life, cancel)
	c.loads.Go(func() {
		defer cancel()
		defer forget()
		look(ctx)
	})
}

// TellFailures has failed called for each try at a version that could not be read or compiled, from any goroutine;
// again is false for the first of a version. Until it can be, the version before it answers. Call it before the first use.
func (c *Cache) TellFailures(failed func(botID string, version int64, err error, again bool)) {
	c.failed = failed
}

// Head returns what may change of a bot. An older state is served when the source fails or takes
// long; only a bot that was never loaded brings the source's error.
func (c *Cache) Head(ctx context.Context, id string) (Head, error) {
	head, _, err := c.head(ctx, id)
	return head, err
}

// Bot returns a side of a bot. While a new version is read for longer than a moment, or cannot be,
// the side has the one that it had before; only a side that never had one brings the source's error.
func (c *Cache) Bot(ctx context.Context, id, side string) (Bot, error) {
	head, entry, err := c.head(ctx, id)
	if err != nil {
		return Bot{}, err
	}
	version := head.version(side)
	if version == 0 {
		return botOf(head, &Script{}), nil
	}
	c.mu.Lock()
	script := entry.scripts[version]
	if script == nil {
		script = &look[*Script]{}
		entry.scripts[version] = script
	}
	if script.loaded {
		defer c.mu.Unlock()
		entry.speaks[side] = script.value
		entry.forgetVersions()
		return botOf(head, script.value), nil
	}
	if script.news == nil && (script.tried.IsZero() || time.Since(script.tried) >= c.ttl) {
		script.begin()
		c.load(ctx, func(ctx context.Context) { c.loadScript(ctx, id, version, script) })
	}
	before, news := entry.speaks[side], script.news
	if before != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, script.began.Add(staleWait))
		defer cancel()
	}
	c.mu.Unlock()

	if news != nil {
		select {
		case <-news:
		case <-ctx.Done():
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case script.loaded:
		entry.speaks[side] = script.value
		entry.forgetVersions()
		return botOf(head, script.value), nil
	case before != nil:
		bot := botOf(head, before)
		if script.err != nil {
			bot.Failing = version
		}
		return bot, nil
	case script.err != nil:
		return Bot{}, fmt.Errorf("load version %d: %w", version, script.err)
	}
	return Bot{}, fault.Wrap(fault.Unavailable, ctx.Err(), "load version %d", version)
}

// Warm loads what the live channels of bots run, one after the other until ctx ends, so that no question has to wait
// for it. What cannot be loaded is left to its first question.
func (c *Cache) Warm(ctx context.Context, ids []string) {
	for _, id := range ids {
		if ctx.Err() != nil {
			return
		}
		_, _ = c.Bot(ctx, id, Live)
	}
}

func botOf(head Head, script *Script) Bot {
	return Bot{ID: head.ID, Name: head.Name, SkillKeyHash: head.SkillKeyHash, Settings: head.Settings,
		Version: script.Version, Content: script.Content, Script: script}
}

// forgetVersions drops those that no side runs or answers with.
func (e *cached) forgetVersions() {
	for version, script := range e.scripts {
		inUse := version == e.value.Newest || version == e.value.Deployed || script.news != nil
		for _, spoken := range e.speaks {
			inUse = inUse || spoken.Version == version
		}
		if !inUse {
			delete(e.scripts, version)
		}
	}
}

func (c *Cache) head(ctx context.Context, id string) (Head, *cached, error) {
	c.mu.Lock()
	entry := c.bots[id]
	if entry == nil {
		entry = &cached{scripts: map[int64]*look[*Script]{}, speaks: map[string]*Script{}}
		c.bots[id] = entry
	}
	entry.asked = time.Now()
	known := entry.loaded
	if known && time.Since(entry.tried) < c.ttl {
		defer c.mu.Unlock()
		return entry.value, entry, nil
	}
	if entry.news == nil {
		entry.begin()
		c.load(ctx, func(ctx context.Context) { c.loadHead(ctx, id, entry) })
	}
	news := entry.news
	c.mu.Unlock()

	if known {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, staleWait)
		defer cancel()
	}
	select {
	case <-news:
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case entry.loaded:
		return entry.value, entry, nil
	case entry.err != nil:
		return Head{}, nil, entry.err
	}
	return Head{}, nil, fault.Wrap(fault.Unavailable, ctx.Err(), "load bot")
}

// loadHead looks at the source once. A bot that is gone is forgotten; of a source that fails only
// the time is noted, so that it is asked again after ttl.
func (c *Cache) loadHead(ctx context.Context, id string, entry *cached) {
	ctx, cancel := context.WithTimeout(ctx, headTime)
	defer cancel()
	head, err := c.source.BotHead(ctx, id)
	c.mu.Lock()
	defer c.mu.Unlock()
	entry.done(head, err)
	if !entry.loaded { // strangers may ask for any id: nothing is kept for what is not there
		delete(c.bots, id)
	}
	if err == nil {
		c.forgetIdle()
	}
}

func (c *Cache) loadScript(ctx context.Context, id string, version int64, script *look[*Script]) {
	ctx, cancel := context.WithTimeout(ctx, contentTime)
	defer cancel()
	compiled, err := func() (s *Script, err error) {
		defer func() { // a version that cannot be compiled must not end the process
			if p := recover(); p != nil {
				err = fault.New(fault.Internal, "compiling panicked: %v\n%s", p, debug.Stack())
			}
		}()
		content, err := c.source.BotContent(ctx, id, version)
		if err != nil {
			return nil, err
		}
		return Compile(version, content), nil
	}()
	c.mu.Lock()
	again := script.failed
	script.done(compiled, err)
	c.mu.Unlock()
	if err != nil && c.failed != nil && c.life.Err() == nil {
		c.failed(id, version, err, again)
	}
}

func (l *look[T]) begin() { l.news, l.began = make(chan struct{}), time.Now() }

// done ends a look.
func (l *look[T]) done(value T, err error) {
	l.tried, l.err = time.Now(), err
	l.failed = l.failed || err != nil
	switch {
	case err == nil:
		l.value, l.loaded = value, true
	case fault.KindOf(err) == fault.NotFound:
		l.loaded = false
	}
	close(l.news)
	l.news = nil
}

// forgetIdle drops bots that nobody has asked for in a long time. It is done while the source answers:
// when it is away, what is forgotten could not be loaded again.
func (c *Cache) forgetIdle() {
	if now := time.Now(); now.Sub(c.swept) >= c.ttl {
		c.swept = now
		for id, entry := range c.bots {
			if now.Sub(entry.asked) >= keepFor && entry.news == nil {
				delete(c.bots, id)
			}
		}
	}
}
