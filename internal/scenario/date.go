package scenario

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/clock"
)

// calendar reads days as they are said on one day. A day without a year is the next one, or with past the
// last one, this day being both.
type calendar struct {
	today time.Time
	past  bool
}

// noDay are numbers that are no days: nights and days, how long something takes, two or three days, and the
// hours or the people from one to another.
var noDay = regexp.MustCompile(`\d+\s*박(?:\s*\d+\s*일)?` +
	`|\d+\s*일\s*(?:동안|간|치|차|째|권|안에|이내|내에|내로)` +
	`|(?:한두|두세|서너|일이|이삼|삼사|사오|\d+\s*[-~]\s*\d+)\s*(?:일|주일?|달|개월|년)\s*(?:뒤|후|전|동안|간)` +
	`|\d+\s*시?\s*[-~]\s*\d+\s*(?:시|분|명|인|개|박|살|층|번|권|원|만)` +
	`|(?:^|\s)낼\s*(?:[게께래테]|거[예에야]|건데|수\s)`) // 낼게요, that somebody pays

// dayForms are the ways to say a day, each with what it reads of its groups; of a text, the first that is there.
var dayForms = []struct {
	form *regexp.Regexp
	read func(c calendar, found []string) (time.Time, bool)
}{
	{regexp.MustCompile(`\b(\d{4})\s*(?:[-./]|년)\s*(\d{1,2})\s*(?:[-./]|월)\s*(\d{1,2})\b`), calendar.full},
	{regexp.MustCompile(`\b(\d{4})(\d{2})(\d{2})\b`), calendar.full},
	{regexp.MustCompile(`\b(\d{2})\s*(?:[-./]|년)\s*(\d{1,2})\s*(?:[-./]|월)\s*(\d{1,2})\b`), calendar.full},
	{regexp.MustCompile(`(?:(재작년|작년|지난해|올해|내년|내후년|후년)[^\d]*)?\b(\d{1,2})\s*([-./]|월)\s*(\d{1,2})\b(\s*일)?`), calendar.ofYear},
	{regexp.MustCompile(`(다다음|다음|담|이번|이|지지난|저저번|지난|저번)\s*달\s*(\d{1,2})\s*일`), calendar.ofMonth},
	{regexp.MustCompile(`(\d{1,3}|` + oneOf(smallNumbers) + `)\s*(일|주일|주|달|개월|년)\s*` + direction + weekdayForm), calendar.away},
	{regexp.MustCompile(`(` + oneOf(dayCounts) + `)(\s*)` + direction + weekdayForm), calendar.away},
	{regexp.MustCompile(`([-~]\s*)?\b(\d{1,2})\s*일\s*(뒤|후|전|있다|이따|지나)?`), calendar.ofThisMonth},
	{regexp.MustCompile(`(달|째\s*주?|마지막\s*주?)?\s*(?:(다다음|다음|담|이번|금|지지난|저저번|지난|저번)\s*(주)?)?\s*([월화수목금토일])(?:요일|욜)`), calendar.ofWeek},
	{regexp.MustCompile(`(크리스마스\s*이브|크리스마스|성탄절)`), calendar.holiday},
}

const (
	// How a day lies from this one; 전 and 후 begin other words, and what is 전까지 is no day.
	direction   = `(뒤|후|전|있다가?|이따가?|지나서)(?:[에이로]?(?:요|쯤|예요|에요|이요|입니다|부터|인데요?|\s)|[에로]|[^가-힣]|$)`
	weekdayForm = `(?:\s*([월화수목금토일])(?:요일|욜))?`
)

// dayCounts are words for so many days.
var dayCounts = map[string]int{"하루": 1, "이틀": 2, "사흘": 3, "나흘": 4, "닷새": 5, "엿새": 6, "이레": 7, "여드레": 8, "아흐레": 9, "열흘": 10, "보름": 15}

// smallNumbers count weeks, months and years.
var smallNumbers = map[string]int{"한": 1, "두": 2, "세": 3, "네": 4, "다섯": 5, "여섯": 6, "일": 1, "이": 2, "삼": 3, "사": 4, "오": 5, "육": 6}

// daysAhead are words that a day's word begins with, longer ones before those that they hold.
var daysAhead = []struct {
	word string
	days int
}{{"내일모레", 2}, {"내일모래", 2}, {"낼모레", 2}, {"낼모래", 2}, {"엊그제", -2}, {"그저께", -2}, {"그제", -2}, {"어제", -1}, {"금일", 0}, {"오늘", 0},
	{"명일", 1}, {"내일", 1}, {"낼", 1}, {"모레", 2}, {"모래", 2}, {"글피", 3}}

var (
	tomorrowNext = regexp.MustCompile(`(내일|낼)\s+모([레래])`)
	rangeMark    = regexp.MustCompile(`부터|에서|까지|~`)
)

// dateIn finds the day that a text names. Several that are no range are none.
func dateIn(said string, now time.Time, past bool) (string, bool) {
	year, month, date := now.In(clock.Seoul).Date()
	c := calendar{time.Date(year, month, date, 0, 0, 0, 0, time.UTC), past}
	said = narrow(said)
	if _, instead, corrects := strings.Cut(said, "말고"); corrects {
		said = instead
	}
	said = noDay.ReplaceAllString(tomorrowNext.ReplaceAllString(said, "${1}모${2}"), " ")
	var days []time.Time
	for _, way := range dayForms {
		for _, found := range way.form.FindAllStringSubmatch(said, -1) {
			day, ok := way.read(c, found)
			if !ok {
				return "", false
			}
			days = append(days, day)
		}
		if len(days) > 0 {
			break
		}
	}
	if len(days) == 0 {
		days = c.named(said)
	}
	if days = slices.Compact(days); len(days) == 0 || len(days) > 1 && !rangeMark.MatchString(said) {
		return "", false
	}
	return days[0].Format(time.DateOnly), true
}

// named returns the days that words of a text begin with the name of.
func (c calendar) named(said string) (days []time.Time) {
	for _, field := range strings.Fields(said) {
		for _, d := range daysAhead {
			if strings.HasPrefix(field, d.word) {
				days = append(days, c.today.AddDate(0, 0, d.days))
				break
			}
		}
	}
	return days
}

// dayOf returns a day; ok is false for one that no calendar has.
func dayOf(year, month, date int) (day time.Time, ok bool) {
	day = time.Date(year, time.Month(month), date, 0, 0, 0, 0, time.UTC)
	return day, day.Year() == year && day.Month() == time.Month(month) && day.Day() == date
}

// number reads digits, or a word for a small number; 0 is none.
func number(said string) int {
	if n := smallNumbers[said] + dayCounts[said]; n > 0 {
		return n
	}
	n, _ := strconv.Atoi(said)
	return n
}

// full is a day with its year, of which there may be the last two digits alone.
func (c calendar) full(found []string) (time.Time, bool) {
	year := number(found[1])
	if year < 100 {
		year += 2000
		if year > c.today.Year()+10 { // 90년 is no year to come
			year -= 100
		}
	}
	return dayOf(year, number(found[2]), number(found[3]))
}

// yearsAhead are words for years.
var yearsAhead = map[string]int{"재작년": -2, "작년": -1, "지난해": -1, "올해": 0, "내년": 1, "내후년": 2, "후년": 2}

// ofYear is a month and a day, of a year that is named or of none.
func (c calendar) ofYear(found []string) (time.Time, bool) {
	if found[3] == "-" && found[5] != "" { // 2-3일 is two or three days, or two days
		return time.Time{}, false
	}
	month, date := number(found[2]), number(found[4])
	if ahead, named := yearsAhead[found[1]]; named {
		return dayOf(c.today.Year()+ahead, month, date)
	}
	for years := range 9 { // 29 February comes within eight years
		if day, ok := dayOf(c.today.Year()+c.ahead(years), month, date); ok && c.fits(day) {
			return day, true
		}
	}
	return time.Time{}, false
}

// ahead turns a number of years or months to the past where days lie there.
func (c calendar) ahead(n int) int {
	if c.past {
		return -n
	}
	return n
}

// fits reports whether a day lies where days without a year do.
func (c calendar) fits(day time.Time) bool {
	return day.Equal(c.today) || day.After(c.today) != c.past
}

// stepsAhead are words for months and weeks.
var stepsAhead = map[string]int{"지지난": -2, "저저번": -2, "지난": -1, "저번": -1, "이": 0, "이번": 0, "금": 0, "다음": 1, "담": 1, "다다음": 2}

func (c calendar) ofMonth(found []string) (time.Time, bool) {
	return c.inMonth(stepsAhead[found[1]], number(found[2]))
}

// inMonth is a day of a month that is so many months ahead.
func (c calendar) inMonth(ahead, date int) (time.Time, bool) {
	first := time.Date(c.today.Year(), c.today.Month(), 1, 0, 0, 0, 0, time.UTC).AddDate(0, ahead, 0)
	return dayOf(first.Year(), int(first.Month()), date)
}

// away is a day that lies so many days, weeks, months or years from this one, or the day of that week.
func (c calendar) away(found []string) (time.Time, bool) {
	n := number(found[1])
	if strings.HasPrefix(found[3], "전") {
		n = -n
	}
	var day time.Time
	switch strings.TrimSpace(found[2]) {
	case "달", "개월":
		day = c.today.AddDate(0, n, 0)
	case "년":
		day = c.today.AddDate(n, 0, 0)
	case "주", "주일":
		day = c.today.AddDate(0, 0, 7*n)
	default:
		day = c.today.AddDate(0, 0, n)
	}
	if found[4] != "" {
		day = weekdayFrom(day, found[4])
	}
	return day, n != 0
}

// ofThisMonth is a day of no month in particular.
func (c calendar) ofThisMonth(found []string) (time.Time, bool) {
	if found[1] != "" || found[3] != "" { // days from one to another, or 3일 전까지
		return time.Time{}, false
	}
	for months := range 3 { // every day of a month comes within two
		if day, ok := c.inMonth(c.ahead(months), number(found[2])); ok && c.fits(day) {
			return day, true
		}
	}
	return time.Time{}, false
}

// ofWeek is a day of a week, of none in particular, or the last one (지난 금요일).
func (c calendar) ofWeek(found []string) (time.Time, bool) {
	of, step := found[2], stepsAhead[found[2]]
	day := weekdayFrom(c.today, found[4])
	switch {
	case found[1] != "": // of a week of some month
		return time.Time{}, false
	case found[3] != "":
		return day.AddDate(0, 0, 7*step), true
	case step < 0:
		for !day.Before(c.today) {
			day = day.AddDate(0, 0, -7)
		}
	case !c.fits(day):
		day = day.AddDate(0, 0, 7*c.ahead(1))
	}
	return day, of != "다다음"
}

// weekdayFrom returns the day of the week that a day lies in, which begins on Monday.
func weekdayFrom(day time.Time, name string) time.Time {
	at, is := (int(day.Weekday())+6)%7, slices.Index([]string{"월", "화", "수", "목", "금", "토", "일"}, name)
	return day.AddDate(0, 0, is-at)
}

func (c calendar) holiday(found []string) (time.Time, bool) {
	date := "25"
	if strings.HasSuffix(found[1], "이브") {
		date = "24"
	}
	return c.ofYear([]string{"", "", "12", "월", date, ""})
}

// oneOf is a pattern of words, longer ones before those that they begin with.
func oneOf(words map[string]int) string {
	all := slices.SortedFunc(maps.Keys(words), func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	return strings.Join(all, "|")
}
