package wallet

import (
	"errors"
	"time"

	"github.com/malgil/malgil/internal/clock"
)

// Forecast is what a broadcast would do to a wallet if it went now and every message arrived.
type Forecast struct {
	People int       // who can be sent to now; chunks go whole
	Err    error     // why not everybody can; nil when all can
	Until  time.Time // 00:00 in Korea, when only the daily limit stops the rest; else zero
	After  Wallet    // the wallet when all that can go has arrived
}

// Forecast tells what a broadcast to so many people, in chunks of so many, does to the wallet.
func (w Wallet) Forecast(people, chunk int, price KRW, now time.Time) Forecast {
	if err := w.Check(); err != nil {
		return Forecast{Err: err, After: w}
	}
	f := Forecast{People: people}
	if _, f.Err = w.Hold(price*KRW(people), now); f.Err != nil {
		f.People = 0
		if price > 0 { // else even nothing cannot be held: more is held than there is
			f.People = int(max(w.Spendable(now), 0)/price) / chunk * chunk
		}
		if errors.Is(f.Err, ErrDailyLimit) {
			f.Until = clock.NextMidnight(now)
		}
	}
	f.After, _ = w.Capture(0, price*KRW(f.People), []Grant{{Remaining: w.Free}}, "", now)
	return f
}

// DailyLeft returns how much more may be owed today under the daily limit, 0 without one.
func (w Wallet) DailyLeft(now time.Time) KRW {
	return max(w.DailyLimit-w.accruedOn(now), 0)
}
