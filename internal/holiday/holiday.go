// Package holiday knows Korea's business days (영업일). Lunar dates, elections and laws that change make
// a formula unsafe, so the days come from a file that names them.
package holiday

import (
	"bytes"
	_ "embed"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/clock"
)

//go:embed korea.csv
var korea []byte

// Calendar is the holidays of some years. A time given to a method stands for the day in Korea that it
// falls in; a day returned is its first moment. In a year that it does not know only Saturdays and
// Sundays are closed; see [Calendar.Missing]. It does not change and is safe for concurrent use.
type Calendar struct {
	days  map[string][]Day // by date as in the file
	years map[int]bool
}

// Day is one holiday.
type Day struct {
	Date string // 2026-01-01
	Name string
	Kind Kind
}

// Kind is why a day is a holiday. The words are those of the file.
type Kind string

// The kinds of holidays.
const (
	Public     Kind = "public"     // 공휴일
	Substitute Kind = "substitute" // 대체공휴일
	Election   Kind = "election"   // 선거일
	Temporary  Kind = "temporary"  // 임시공휴일
)

// Kinds are all kinds.
var Kinds = []Kind{Public, Substitute, Election, Temporary}

// Default returns the calendar that comes with the program, of 2025 to 2028.
func Default() Calendar {
	c, err := Load(bytes.NewReader(korea))
	if err != nil {
		panic(err) // a test reads the file
	}
	return c
}

// With returns the calendar with the years of another in place of its own.
func (c Calendar) With(other Calendar) Calendar {
	both := Calendar{days: maps.Clone(other.days), years: maps.Clone(other.years)}
	for date, days := range c.days {
		if !other.years[yearOf(date)] {
			both.days[date] = days
		}
	}
	for year := range c.years {
		both.years[year] = true
	}
	return both
}

// Years returns the years that are known, in order.
func (c Calendar) Years() []int { return slices.Sorted(maps.Keys(c.years)) }

// Missing returns the years that ought to be known and are not: the current one, and from 1 November
// on the coming one.
func (c Calendar) Missing(now time.Time) []int {
	local := now.In(clock.Seoul)
	due := []int{local.Year()}
	if local.Month() >= time.November {
		due = append(due, local.Year()+1)
	}
	return slices.DeleteFunc(due, func(year int) bool { return c.years[year] })
}

// Names returns what a day is called, each holiday that falls on it, or nothing.
func (c Calendar) Names(day time.Time) []string {
	var names []string
	for _, d := range c.days[dateOf(day)] {
		names = append(names, d.Name)
	}
	return names
}

// IsBusinessDay reports whether offices work on a day: it is no Saturday, Sunday or holiday.
func (c Calendar) IsBusinessDay(day time.Time) bool {
	switch day.In(clock.Seoul).Weekday() {
	case time.Saturday, time.Sunday:
		return false
	}
	return len(c.days[dateOf(day)]) == 0
}

// OnOrAfter returns a day when it is a business day, and the next one otherwise.
func (c Calendar) OnOrAfter(day time.Time) time.Time {
	day = clock.Midnight(day)
	for !c.IsBusinessDay(day) {
		day = clock.NextMidnight(day)
	}
	return day
}

// NthBusinessDay returns the n-th business day, from 1, of the month that a time falls in; where the
// month has fewer it counts on into the next.
func (c Calendar) NthBusinessDay(month time.Time, n int) time.Time {
	day := c.OnOrAfter(clock.MonthStart(month))
	for ; n > 1; n-- {
		day = c.OnOrAfter(clock.NextMidnight(day))
	}
	return day
}

// Write writes the calendar as a file that [Load] reads.
func (c Calendar) Write(w io.Writer) error {
	var text strings.Builder
	text.WriteString(header + "\n")
	for _, date := range slices.Sorted(maps.Keys(c.days)) {
		for _, d := range c.days[date] {
			text.WriteString(d.Date + "," + d.Name + "," + string(d.Kind) + "\n")
		}
	}
	_, err := io.WriteString(w, text.String())
	return err
}

func dateOf(day time.Time) string { return day.In(clock.Seoul).Format(time.DateOnly) }
