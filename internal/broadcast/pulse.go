package broadcast

import (
	"math"
	"time"
)

// pulseWindow is the time over which a rate is reckoned.
const pulseWindow = 30 * time.Second

// Pulse tells how fast a broadcast goes, from looks at it. The zero value has seen nothing. Not safe for
// concurrent use.
type Pulse struct{ looks []look }

type look struct {
	at   time.Time
	done int
}

// Look takes a look, and returns how many people a second got an outcome in the last half minute, and when
// all will have one at that rate: zero when nothing moves, or nothing is left. People whose outcome is open
// again begin a new count.
func (p *Pulse) Look(b Broadcast, now time.Time) (perSecond float64, over time.Time) {
	done := b.Counts.Done()
	if n := len(p.looks); n > 0 && done < p.looks[n-1].done {
		p.looks = nil
	}
	p.looks = append(p.looks, look{now, done})
	for len(p.looks) > 2 && now.Sub(p.looks[1].at) >= pulseWindow {
		p.looks = p.looks[1:]
	}
	first := p.looks[0]
	if now.After(first.at) {
		perSecond = math.Round(float64(done-first.done)/now.Sub(first.at).Seconds()*10) / 10
	}
	if left := b.Counts.Audience - done; b.State == Running && left > 0 && perSecond > 0 {
		over = now.Add(time.Duration(float64(left) / perSecond * float64(time.Second))).Round(time.Second)
	}
	return perSecond, over
}
