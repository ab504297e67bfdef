package wallet

import (
	"hash/fnv"
	"time"

	"github.com/malgil/malgil/internal/clock"
)

// Policy says when what was accrued below the threshold is charged. The words are a setting
// (settlement.policy).
type Policy string

// The policies of settlement.
const (
	ThresholdOrDaily    Policy = "threshold_or_daily"     // at every 00:00 in Korea
	ThresholdOrMonthEnd Policy = "threshold_or_month_end" // at 00:00 of the first day of a month
)

// Policies returns the last settlement moment (일 반제 시점) at or before a time, by policy.
var Policies = map[Policy]func(time.Time) time.Time{
	ThresholdOrDaily:    clock.Midnight,
	ThresholdOrMonthEnd: clock.MonthStart,
}

// Settlement is the setting of when cards are charged for what wallets owe.
type Settlement struct {
	Threshold KRW           // accrual that is charged at once (50만원); 0 for none
	Policy    Policy        // ThresholdOrDaily when empty
	Spread    time.Duration // over which the run of a settlement moment is spread; 0 for all at once
}

// Places is how many places a spread run has; see [Place].
const Places = 1 << 16

// Place returns where in a spread run a wallet stands, 0 to [Places]-1. It is the same for ever.
func Place(walletID string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(walletID)) // a hash takes everything
	return int(h.Sum32() >> 16)
}

// AtOnce returns the accrual from which on a wallet is charged without waiting for a moment.
func (s Settlement) AtOnce() KRW {
	if s.Threshold > 0 {
		return s.Threshold
	}
	return 1<<63 - 1
}

// Moment returns the last settlement moment at or before a time.
func (s Settlement) Moment(now time.Time) time.Time {
	if last, known := Policies[s.Policy]; known {
		return last(now)
	}
	return clock.Midnight(now)
}

// Reached returns how far the run of the last settlement moment has come: the turn of wallets
// whose place is below it.
func (s Settlement) Reached(now time.Time) int {
	since := now.Sub(s.Moment(now))
	if since >= s.Spread {
		return Places
	}
	return int(int64(Places) * int64(since) / int64(s.Spread))
}
