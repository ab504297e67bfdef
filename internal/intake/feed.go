package intake

import (
	"context"
	"log/slog"
	"reflect"
	"sync"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
)

// feeds look at broadcasts for those who watch them: one look for all who watch the same one, however many
// they are. Safe for concurrent use.
type feeds struct {
	look  func(ctx context.Context, id broadcast.ID, p *broadcast.Pulse) (progressView, error)
	every time.Duration // between two looks
	most  int           // watchers at a time
	each  int           // and of one person, or of a token that stands for nobody
	log   *slog.Logger
	ended chan struct{} // closed when the server stops
	end   func()        // closes it, once

	mu       sync.Mutex
	watchers int
	byWho    map[string]int // watchers; nobody with none
	byID     map[broadcast.ID]*feed
}

// feed is what is known of one broadcast that is watched.
type feed struct {
	watchers int
	latest   *progressView // nil before the first look
	changed  chan struct{} // closed when there is a newer one
	stop     context.CancelFunc
}

func newFeeds(log *slog.Logger, look func(context.Context, broadcast.ID, *broadcast.Pulse) (progressView, error)) *feeds {
	f := &feeds{look: look, every: time.Second, most: streamsAtOnce, each: streamsEach, log: log, ended: make(chan struct{}), byWho: map[string]int{}, byID: map[broadcast.ID]*feed{}}
	f.end = sync.OnceFunc(func() { close(f.ended) })
	return f
}

// join has somebody begin to watch a broadcast; leave ends it and is called once. It is Throttled when he watches
// too many already, or all do together.
func (f *feeds) join(id broadcast.ID, who string) (one *feed, leave func(), err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.byWho[who] >= f.each {
		return nil, nil, fault.New(fault.Throttled, "you have %d streams open here already, as many as one may; end one, or ask for the broadcast itself", f.each)
	}
	if f.watchers >= f.most {
		return nil, nil, fault.New(fault.Throttled, "%d streams are open here already, as many as may be; ask for the broadcast itself, or come back later", f.most)
	}
	one = f.byID[id]
	if one == nil {
		ctx, stop := context.WithCancel(context.Background())
		one = &feed{changed: make(chan struct{}), stop: stop}
		f.byID[id] = one
		go f.run(ctx, id, one)
	}
	f.watchers++
	f.byWho[who]++
	one.watchers++
	return one, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.watchers--
		if f.byWho[who]--; f.byWho[who] == 0 {
			delete(f.byWho, who)
		}
		if one.watchers--; one.watchers == 0 {
			one.stop()
			delete(f.byID, id)
		}
	}, nil
}

// lookTime bounds one look.
const lookTime = 10 * time.Second

// run looks until the last watcher has left. A look that takes long is taken seldom: looking takes a tenth of
// the time at most.
func (f *feeds) run(ctx context.Context, id broadcast.ID, one *feed) {
	var pulse broadcast.Pulse
	failing := false
	for {
		begun := time.Now()
		within, cancel := context.WithTimeout(ctx, lookTime)
		view, err := f.look(within, id, &pulse)
		cancel()
		switch {
		case err == nil:
			f.publish(one, view)
		case ctx.Err() == nil && !failing: // once, until it works again
			f.log.LogAttrs(ctx, slog.LevelWarn, "broadcast not looked at", slog.String("broadcast_id", string(id)), slog.Any("err", err))
		}
		failing = err != nil
		select {
		case <-time.After(max(f.every, 10*time.Since(begun))):
		case <-ctx.Done():
			return
		}
	}
}

// publish tells the watchers of a view, if it tells more than the last one.
func (f *feeds) publish(one *feed, view progressView) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if one.latest != nil {
		same := view
		same.At = one.latest.At
		if reflect.DeepEqual(same, *one.latest) {
			return
		}
	}
	one.latest = &view
	close(one.changed)
	one.changed = make(chan struct{})
}

// read returns what is known, and what is closed when there is more.
func (f *feeds) read(one *feed) (latest *progressView, changed <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return one.latest, one.changed
}
