package scenario

import (
	"context"
	"sync"
	"time"

	"github.com/malgil/malgil/internal/fault"
)

const (
	loadTime  = 2 * time.Second        // one look at the database
	staleWait = 250 * time.Millisecond // how long a caller waits for news of a bot that it knows
)

// Cache keeps bots for a short time, and for as long as the database is away. It is safe for
// concurrent use: one look at the database serves all who ask for a bot.
type Cache struct {
	source Bots
	ttl    time.Duration

	mu   sync.Mutex
	bots map[string]*cached
}

type cached struct {
	bot    Bot
	err    error         // of the last look, when there is no bot to serve
	loaded time.Time     // zero until a look succeeded
	tried  time.Time     // end of the last look
	news   chan struct{} // closed when the look under way has ended; nil when none is
}

// NewCache returns a cache before a source. A change of a bot is seen after ttl at most.
func NewCache(source Bots, ttl time.Duration) *Cache {
	return &Cache{source: source, ttl: ttl, bots: map[string]*cached{}}
}

// Bot returns a bot. An older state is served when the source fails or takes long; only a bot
// that was never loaded brings the source's error.
func (c *Cache) Bot(ctx context.Context, id string) (Bot, error) {
	c.mu.Lock()
	entry := c.bots[id]
	if entry == nil {
		entry = &cached{}
		c.bots[id] = entry
	}
	known := !entry.loaded.IsZero()
	if known && time.Since(entry.tried) < c.ttl {
		defer c.mu.Unlock()
		return entry.bot, nil
	}
	if entry.news == nil {
		entry.news = make(chan struct{})
		go c.load(context.WithoutCancel(ctx), id, entry)
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
	case !entry.loaded.IsZero():
		return entry.bot, nil
	case entry.err != nil:
		return Bot{}, entry.err
	}
	return Bot{}, fault.Wrap(fault.Unavailable, ctx.Err(), "load bot")
}

// load looks at the source once. A bot that is gone is forgotten; of a source that fails only
// the time is noted, so that it is asked again after ttl.
func (c *Cache) load(ctx context.Context, id string, entry *cached) {
	ctx, cancel := context.WithTimeout(ctx, loadTime)
	defer cancel()
	bot, err := c.source.Bot(ctx, id)
	c.mu.Lock()
	defer c.mu.Unlock()
	entry.tried, entry.err = time.Now(), err
	switch {
	case err == nil:
		entry.bot, entry.loaded = bot, entry.tried
	case fault.KindOf(err) == fault.NotFound:
		entry.loaded = time.Time{}
	}
	if entry.loaded.IsZero() { // strangers may ask for any id: nothing is kept for what is not there
		delete(c.bots, id)
	}
	close(entry.news)
	entry.news = nil
}
