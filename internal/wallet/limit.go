package wallet

import "github.com/malgil/malgil/internal/fault"

// The daily spending limit (일 지출한도) in KRW: its least value, its greatest, and its steps
// (Kakao Moment help).
const (
	minDailyLimit  KRW = 1_000
	maxDailyLimit  KRW = 100_000_000
	dailyLimitStep KRW = 1_000
)

// ErrNoDailyLimit is that of a wallet that is to get its first card.
var ErrNoDailyLimit = &fault.Error{Kind: fault.Invalid, Field: "daily_limit_krw", Code: "DAILY_LIMIT_MISSING",
	Message: "is not set on the wallet; set how much its cards may owe per day before it gets one"}

// CheckDailyLimit tells whether an amount may be a daily limit.
func CheckDailyLimit(limit KRW) error {
	if limit < minDailyLimit || limit > maxDailyLimit || limit%dailyLimitStep != 0 {
		return fault.Field("daily_limit_krw", "must be %d to %d in steps of %d", minDailyLimit, maxDailyLimit, dailyLimitStep)
	}
	return nil
}
