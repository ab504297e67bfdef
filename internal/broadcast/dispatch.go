package broadcast

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/malgil/malgil/internal/fault"
)

// Pace bounds what is queued at a time, so that a broadcast of ten million people never fills
// Redis and never starves another customer.
type Pace struct {
	// MaxQueued is how many send tasks there are at a time for everyone together, 500 by default: it is how
	// many a customer may find before his own.
	MaxQueued int
	Ahead     time.Duration // how much of a bot's rate is queued ahead; a second by default, which is what a worker waits for it
	SendBy    time.Duration // a queued chunk that was not sent by then is planned again; at most 10 minutes
}

// DefaultPace is the pace of a new installation.
var DefaultPace = Pace{MaxQueued: 500, Ahead: time.Second, SendBy: 10 * time.Minute}

// Candidate is a broadcast that has planned chunks and whose time has come.
type Candidate struct {
	Broadcast ID
	WalletID  string
	BotID     string
	Rate      int  // messages a second that the bot may send
	BotPaused Wait // config, provider or disconnected, or empty
	Waits     bool // for its hours or behind its canary: it is looked at, and takes nothing from others
	Planned   int  // chunks that wait to be queued
	StartAt   time.Time
}

// Share is how many chunks of a broadcast may be queued now.
type Share struct {
	Candidate
	Chunks int
}

// Shares deals the room in the queue out: round-robin between wallets, then between the
// broadcasts of a wallet in the order of their start, at most Ahead's worth for a bot. queued
// counts the chunks queued already, by bot. turn moves the wallet that is served first, so that
// scarce room goes around.
func (p Pace) Shares(candidates []Candidate, queued map[string]int, turn int) []Share {
	room := p.MaxQueued
	botRoom := make(map[string]int)
	for _, n := range queued {
		room -= n
	}
	byWallet := make(map[string][]*Share)
	var wallets []string
	for _, c := range candidates {
		if _, known := botRoom[c.BotID]; !known {
			botRoom[c.BotID] = p.botRoom(c.Rate) - queued[c.BotID]
		}
		if byWallet[c.WalletID] == nil {
			wallets = append(wallets, c.WalletID)
		}
		share := &Share{Candidate: c}
		if c.Waits && c.BotPaused == NotWaiting {
			share.Chunks = 1 // whether it may go is found out by trying
		}
		byWallet[c.WalletID] = append(byWallet[c.WalletID], share)
	}
	slices.Sort(wallets)
	for _, shares := range byWallet {
		slices.SortStableFunc(shares, func(a, b *Share) int {
			return cmp.Or(a.StartAt.Compare(b.StartAt), cmp.Compare(a.Broadcast, b.Broadcast))
		})
	}
	for given := true; given && room > 0; {
		given = false
		for i := range wallets {
			shares := byWallet[wallets[(i+turn)%len(wallets)]]
			// The least served broadcast that its bot still has room for gets the next chunk.
			var next *Share
			for _, s := range shares {
				if !s.Waits && s.Chunks < s.Planned && s.BotPaused == NotWaiting && botRoom[s.BotID] > 0 && (next == nil || s.Chunks < next.Chunks) {
					next = s
				}
			}
			if next == nil || room == 0 {
				continue
			}
			next.Chunks++
			botRoom[next.BotID]--
			room--
			given = true
		}
	}
	var all []Share
	for _, wallet := range wallets {
		for _, s := range byWallet[wallet] {
			all = append(all, *s)
		}
	}
	return all
}

// botRoom returns how many chunks of a bot may be queued: at least one, else a slow bot would
// never send a full one.
func (p Pace) botRoom(perSecond int) int {
	return max(1, int(p.Ahead.Seconds()*float64(perSecond))/MaxPeople)
}

// Turn says where a dispatch begins, so that over many of them everybody is served. The zero value
// is the first turn.
type Turn struct {
	N     int // moves the wallet that is served first
	After ID  // the last broadcast that was looked at because its turn had come
}

// Dispatched is what one dispatch did.
type Dispatched struct {
	Rows []Row // each needs a task
	Next Turn  // where the next one begins
	Busy bool  // another process is dispatching, and nothing was done
}

// Planner takes money aside and queues chunks, in one transaction; one process at a time does it.
type Planner interface {
	// Dispatch queues what may go now. An error may be about some broadcasts only: the rows that
	// it returns are committed all the same.
	Dispatch(ctx context.Context, p Pace, turn Turn, now time.Time) (Dispatched, error)
}

// Dispatcher decides when chunks go out: pause, time, rate, funds and fairness.
type Dispatcher struct {
	planner   Planner
	pace      Pace
	now       func() time.Time
	turn      Turn
	busySince time.Time // since when another process has been dispatching, at every try
}

// NewDispatcher returns a dispatcher.
func NewDispatcher(planner Planner, pace Pace, now func() time.Time) *Dispatcher {
	return &Dispatcher{planner: planner, pace: pace, now: now}
}

// maxBusy is how long another process may be dispatching at every try: a dispatch takes
// milliseconds, so one that lasts is one that hangs.
const maxBusy = time.Minute

// Dispatch queues what may go now and returns the rows that need a task, also beside an error. The
// rows are committed: one whose task is not enqueued is found by the sweep. It is Unavailable when
// there was something to queue for more than a minute and another process was dispatching at every
// try. Not safe for concurrent use.
func (d *Dispatcher) Dispatch(ctx context.Context) ([]Row, error) {
	done, err := d.planner.Dispatch(ctx, d.pace, d.turn, d.now())
	d.turn = done.Next
	switch now := d.now(); {
	case !done.Busy:
		d.busySince = time.Time{}
	case d.busySince.IsZero():
		d.busySince = now
	case now.Sub(d.busySince) > maxBusy && err == nil:
		err = fault.New(fault.Unavailable, "another process holds the dispatch lock since %s; find and stop the one that hangs",
			d.busySince.Format(time.RFC3339))
	}
	if err != nil {
		return done.Rows, fmt.Errorf("dispatch: %w", err)
	}
	return done.Rows, nil
}
