package invoice

import (
	"time"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/holiday"
)

// closeAfter is how long after the end of a month it is closed: what was used in it has been settled
// by then.
const closeAfter = 10 * time.Minute

// Dates is when the invoice of a month is due.
type Dates struct {
	Close time.Time // 00:10 of the 1st of the next month
	Issue time.Time // 10:00 of its 2nd business day, or of the last day that the law allows where that comes first
	Again time.Time // 10:00 of its 3rd, or 14:00 of that last day, for one that was refused
	// GiveUp is for a carrier that cannot be reached: 10:00 of the 5th, or 17:00 of that last day, so that
	// its people can still do something.
	GiveUp time.Time
	// Deadline is the first moment that is too late by law: the end of the 10th of the next month, or
	// of the next business day (부가가치세법 제34조 제3항).
	Deadline time.Time
}

// DatesOf returns when the invoice of a month, given by its 1st, is due.
func DatesOf(month time.Time, c holiday.Calendar) Dates {
	next := clock.NextMonth(month)
	last := c.OnOrAfter(next.AddDate(0, 0, 9))
	at10 := func(nth int, hour time.Duration) time.Time { // or that hour of the last day, where it is earlier
		at, end := c.NthBusinessDay(next, nth).Add(10*time.Hour), last.Add(hour*time.Hour)
		if end.Before(at) {
			return end
		}
		return at
	}
	return Dates{Close: next.Add(closeAfter), Issue: at10(2, 10), Again: at10(3, 14), GiveUp: at10(5, 17), Deadline: clock.NextMidnight(last)}
}

// Over returns until when months can be closed: the first moment of the month that is not over yet.
func Over(now time.Time) time.Time { return clock.MonthStart(now.Add(-closeAfter)) }

// amendDays after the end of a quarter its invoices are amended for the last time: on the 9th of April,
// July, October and January (Kakao help centre, 세금계산서 수정발행).
const amendDays = 9

// AmendUntil returns the first moment at which the invoices of a month are not amended any more at the
// request of their recipient.
func AmendUntil(month time.Time) time.Time {
	first := month.In(clock.Seoul)
	quarterEnd := time.Date(first.Year(), (first.Month()-1)/3*3+4, 1, 0, 0, 0, 0, clock.Seoul)
	return quarterEnd.AddDate(0, 0, amendDays).UTC()
}
