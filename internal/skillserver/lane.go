package skillserver

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/scenario"
)

// linePerPlace is how many calls may wait in line for each place of a bot.
const linePerPlace = 4

// laneKey is whose places they are. Each side of a bot has its own, so that a block that is tried takes none from
// those who talk to it. Calls that a broadcast causes have their own, too: thousands come at a time, and people do
// not wait behind them.
type laneKey struct {
	bot, side string
	echo      bool
}

func laneOf(call scenario.BackendCall) laneKey {
	request, err := kakao.ParseSkillRequest(call.Request)
	return laneKey{call.BotID, call.Side, err == nil && request.Params[broadcast.ChunkParam] != ""}
}

// lanes are the places of all bots. They are safe for concurrent use.
type lanes struct {
	most int // calls with a place or in line

	mu  sync.Mutex
	in  int
	all map[laneKey]*lane
}

type lane struct {
	places, taken int
	line          []chan struct{} // first come, first served; closed when there is a place
}

// place is one that a call has or waits for.
type place struct {
	lanes *lanes
	key   laneKey
	ready chan struct{} // closed when the call has it
}

// join takes a place, or one in line. ok is false when there is neither. Who has joined leaves.
func (l *lanes) join(key laneKey, places int) (p *place, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	of := l.all[key]
	if of == nil {
		of = &lane{}
	}
	of.places = places // as it is set now
	if l.in >= l.most || len(of.line) >= linePerPlace*of.places {
		return nil, false
	}
	l.all[key] = of
	l.in++
	p = &place{l, key, make(chan struct{})}
	of.line = append(of.line, p.ready)
	of.move()
	return p, true
}

// move gives free places to those who are first in line.
func (l *lane) move() {
	for l.taken < l.places && len(l.line) > 0 {
		close(l.line[0])
		l.line = slices.Delete(l.line, 0, 1)
		l.taken++
	}
}

// wait returns nil when the call has its place. It waits for half of the time of ctx.
func (p *place) wait(ctx context.Context) error {
	select {
	case <-p.ready:
		return nil
	default:
	}
	if until, ends := ctx.Deadline(); ends {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(until)/2)
		defer cancel()
	}
	select {
	case <-p.ready:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// leave gives the place, or that in line, to the next. It is called once.
func (p *place) leave() {
	p.lanes.mu.Lock()
	defer p.lanes.mu.Unlock()
	of := p.lanes.all[p.key]
	p.lanes.in--
	if i := slices.Index(of.line, p.ready); i >= 0 {
		of.line = slices.Delete(of.line, i, i+1)
	} else {
		of.taken--
	}
	of.move()
	if of.taken == 0 && len(of.line) == 0 {
		delete(p.lanes.all, p.key)
	}
}
