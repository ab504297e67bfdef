package holiday_test

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/holiday"
)

// The days that follow the moon are worked out from the moon and the sun, and the substitutes by the rule,
// so that the file is read by something other than its author.

func sin(degrees float64) float64 { return math.Sin(degrees * math.Pi / 180) }

// newMoon returns the k-th new moon after that of 6 January 2000, to about a minute (Meeus,
// Astronomical Algorithms, chapter 49).
func newMoon(k float64) time.Time {
	t := k / 1236.85
	e := 1 - 0.002516*t
	sun, moon, node := 2.5534+29.10535670*k, 201.5643+385.81693528*k, 160.7108+390.67050284*k
	day := 2451550.09766 + 29.530588861*k + 0.00015437*t*t +
		-0.40720*sin(moon) + 0.17241*e*sin(sun) + 0.01608*sin(2*moon) + 0.01039*sin(2*node) +
		0.00739*e*sin(moon-sun) - 0.00514*e*sin(moon+sun) + 0.00208*e*e*sin(2*sun) - 0.00111*sin(moon-2*node) -
		0.00057*sin(moon+2*node) + 0.00056*e*sin(2*moon+sun) - 0.00042*sin(3*moon) + 0.00042*e*sin(sun+2*node) +
		0.00038*e*sin(sun-2*node) - 0.00024*e*sin(2*moon-sun) - 0.00017*sin(124.7746-1.56375588*k)
	const earthSlower = 69 * time.Second // of these years
	return fromJulian(day).Add(-earthSlower)
}

// sector returns which twelfth of the ecliptic the sun stands in, 9 from the winter solstice on, to
// about a quarter of an hour (Meeus, chapter 25).
func sector(at time.Time) int {
	t := (julian(at) - 2451545) / 36525
	m := 357.52911 + 35999.05029*t
	longitude := 280.46646 + 36000.76983*t + 0.0003032*t*t +
		(1.914602-0.004817*t)*sin(m) + 0.019993*sin(2*m) + 0.000289*sin(3*m) -
		0.00569 - 0.00478*sin(125.04-1934.136*t)
	return int(math.Mod(longitude, 360) / 30)
}

const unixEpoch = 2440587.5 // as a Julian day

func fromJulian(day float64) time.Time {
	return time.Unix(0, 0).Add(time.Duration((day - unixEpoch) * 24 * float64(time.Hour))).UTC()
}

func julian(at time.Time) float64 { return unixEpoch + float64(at.Unix())/86400 }

// lunarMonths returns the first days of the months 11 and 12 before a year and 1 to 10 in it; a leap month, which
// has no change of sector, is left out.
func lunarMonths(year int) map[int]time.Time {
	first := math.Floor((float64(year-1) + 0.7 - 2000) * 12.3685)
	var starts []time.Time
	for k := range 18 {
		starts = append(starts, clock.Midnight(newMoon(first+float64(k))))
	}
	turns := func(i int) bool { return sector(starts[i]) != sector(starts[i+1]) }
	isEleventh := func(i int) bool { return turns(i) && sector(starts[i+1]) == 9 }
	begin := slices.IndexFunc(starts, func(s time.Time) bool { i := slices.Index(starts, s); return i+1 < len(starts) && isEleventh(i) })
	end := begin + 1
	for !isEleventh(end) {
		end++
	}
	months, leapDone := map[int]time.Time{}, end-begin == 12
	number := 10
	for i := begin; i < end; i++ {
		if !leapDone && !turns(i) {
			leapDone = true
			continue
		}
		number++
		months[(number-1)%12+1] = starts[i]
	}
	return months
}

func TestKorea_lunarDays(t *testing.T) {
	c := holiday.Default()
	for _, year := range c.Years() {
		months := lunarMonths(year)
		seollal, chuseok := months[1], months[8].AddDate(0, 0, 14)
		for name, want := range map[string]time.Time{
			"설날 전날": seollal.AddDate(0, 0, -1), "설날": seollal, "설날 다음 날": seollal.AddDate(0, 0, 1),
			"부처님 오신 날": months[4].AddDate(0, 0, 7),
			"추석 전날":    chuseok.AddDate(0, 0, -1), "추석": chuseok, "추석 다음 날": chuseok.AddDate(0, 0, 1),
		} {
			if !slices.Contains(c.Names(want), name) {
				t.Errorf("Names(%s) = %q, want %s of %d there", date(want), c.Names(want), name, year)
			}
		}
	}
}

// substituted says on which days beside holidays a holiday is moved: Sundays for Seollal and Chuseok,
// Saturdays too for the rest. New Year's Day and Memorial Day are not moved (관공서의 공휴일에 관한 규정, 제3조).
var substituted = map[string][]time.Weekday{
	"설날 전날": {time.Sunday}, "설날": {time.Sunday}, "설날 다음 날": {time.Sunday},
	"추석 전날": {time.Sunday}, "추석": {time.Sunday}, "추석 다음 날": {time.Sunday},
	"3·1절": weekend, "노동절": weekend, "어린이날": weekend, "부처님 오신 날": weekend, "제헌절": weekend,
	"광복절": weekend, "개천절": weekend, "한글날": weekend, "성탄절": weekend,
}

var weekend = []time.Weekday{time.Saturday, time.Sunday}

// Each pair of days that meet, and each day on a weekend, has its substitute, and no other day is one.
func TestKorea_substitutes(t *testing.T) {
	c := holiday.Default()
	for _, year := range c.Years() {
		first := time.Date(year, 1, 1, 0, 0, 0, 0, clock.Seoul)
		var want, got []string
		closed := map[string]bool{}
		for day := first; day.Year() == year; day = day.AddDate(0, 0, 1) {
			names := c.Names(day)
			closed[date(day)] = slices.Contains(weekend, day.Weekday()) || slices.ContainsFunc(names, func(n string) bool { return !isSubstitute(n) })
			if slices.ContainsFunc(names, isSubstitute) {
				got = append(got, date(day))
			}
		}
		for day := first; day.Year() == year; day = day.AddDate(0, 0, 1) {
			var moved int
			names := slices.DeleteFunc(c.Names(day), isSubstitute)
			for _, name := range names {
				if slices.Contains(substituted[name], day.Weekday()) {
					moved++
				}
			}
			if moved == 0 && len(names) > 1 {
				moved = len(names) - 1
			}
			for next := day; moved > 0; moved-- {
				for closed[date(next)] {
					next = next.AddDate(0, 0, 1)
				}
				closed[date(next)] = true
				want = append(want, date(next))
			}
		}
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%d has the substitutes %s, want by the rule %s", year, got, want)
		}
	}
}

func isSubstitute(name string) bool {
	return len(name) > 15 && name[len(name)-15:] == "대체공휴일"
}

func date(day time.Time) string { return day.In(clock.Seoul).Format(time.DateOnly) }

// Days on which the moon turned are known to the minute from almanacs.
func TestNewMoon(t *testing.T) {
	for k, want := range map[float64]string{
		0:   "2000-01-06 18:14",
		310: "2025-01-29 12:36",
		323: "2026-02-17 12:01",
		336: "2027-03-08 09:29",
	} {
		at, _ := time.Parse("2006-01-02 15:04", want)
		if off := newMoon(k).Sub(at); off.Abs() > 5*time.Minute {
			t.Errorf("newMoon(%v) = %s, want %s", k, newMoon(k).Format("2006-01-02 15:04"), want)
		}
	}
	if got := fmt.Sprint(lunarMonths(2025)[8].In(clock.Seoul).Format(time.DateOnly)); got != "2025-09-22" { // after the leap month 6
		t.Errorf("the eighth month of 2025 begins on %s, want 2025-09-22", got)
	}
}
