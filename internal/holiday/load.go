package holiday

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/fault"
)

// header is the first line of a file that is no comment.
const header = "date,name,kind"

// maxBytes is the most that a file may hold; a year takes about one KiB.
const maxBytes = 1 << 20

// everyYear are the holidays that every year has on the same date.
var everyYear = []string{"01-01", "03-01", "05-05", "06-06", "08-15", "10-03", "10-09", "12-25"}

// Load reads a file of holidays: the line date,name,kind and one line for each day, such as
// "2026-01-01,1월 1일,public"; lines that are empty or begin with # are left out. Each year in it is
// whole. The error is Invalid and names everything that is wrong by its line.
func Load(r io.Reader) (Calendar, error) {
	c := Calendar{days: map[string][]Day{}, years: map[int]bool{}}
	var wrong []error
	bad := func(line int, format string, args ...any) {
		wrong = append(wrong, fault.New(fault.Invalid, "line %d: %s", line, fmt.Sprintf(format, args...)))
	}
	whole := io.LimitedReader{R: r, N: maxBytes}
	lines := bufio.NewScanner(&whole)
	headed := false
	number := 0
	for lines.Scan() {
		number++
		text := strings.TrimSpace(lines.Text())
		if number == 1 {
			text = strings.TrimPrefix(text, "\ufeff") // a spreadsheet's
		}
		switch {
		case text == "" || strings.HasPrefix(text, "#"):
		case !headed:
			if headed = true; text != header {
				bad(number, "must be %s", header)
			}
		default:
			d, err := parseDay(text)
			if err == nil && slices.ContainsFunc(c.days[d.Date], func(o Day) bool { return o.Name == d.Name }) {
				err = fault.New(fault.Invalid, "%s is there already as %s", d.Date, d.Name)
			}
			if err != nil {
				bad(number, "%v", err)
				continue
			}
			c.days[d.Date] = append(c.days[d.Date], d)
			c.years[yearOf(d.Date)] = true
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		bad(number+1, "is too long")
	case err != nil:
		return Calendar{}, fmt.Errorf("read holidays: %w", err)
	case whole.N == 0:
		bad(number, "a file of more than %d bytes is no file of holidays", maxBytes)
	case len(c.years) == 0 && len(wrong) == 0:
		bad(max(number, 1), "there is no holiday in the file")
	}
	wrong = append(wrong, c.incomplete()...)
	if len(wrong) > 0 {
		return Calendar{}, errors.Join(wrong...)
	}
	return c, nil
}

// parseDay reads one line.
func parseDay(text string) (Day, error) {
	fields := strings.Split(text, ",")
	if len(fields) != 3 {
		return Day{}, fault.New(fault.Invalid, "must be %s", header)
	}
	for i := range fields {
		fields[i] = strings.TrimSpace(fields[i])
	}
	d := Day{Date: fields[0], Name: fields[1], Kind: Kind(fields[2])}
	day, err := time.Parse(time.DateOnly, d.Date)
	weekend := day.Weekday() == time.Saturday || day.Weekday() == time.Sunday
	switch {
	case err != nil:
		return d, fault.New(fault.Invalid, "%.20q is no date such as 2026-01-01", d.Date)
	case d.Name == "":
		return d, fault.New(fault.Invalid, "%s has no name", d.Date)
	case !slices.Contains(Kinds, d.Kind):
		return d, fault.New(fault.Invalid, "the kind %.20q is none of %q", d.Kind, Kinds)
	case d.Kind == Substitute && weekend:
		return d, fault.New(fault.Invalid, "%s is a %s, which is no day for a substitute", d.Date, day.Weekday())
	}
	return d, nil
}

// incomplete finds years of which a file names only a part: taken for whole, the rest would be
// business days.
func (c Calendar) incomplete() []error {
	var wrong []error
	for _, year := range c.Years() {
		var lacks []string
		for _, date := range everyYear {
			if len(c.days[fmt.Sprintf("%04d-%s", year, date)]) == 0 {
				lacks = append(lacks, date)
			}
		}
		for _, name := range []string{"설날", "추석"} {
			if !c.names(year, name) {
				lacks = append(lacks, name)
			}
		}
		if len(lacks) > 0 {
			wrong = append(wrong, fault.New(fault.Invalid, "%d lacks %s; a file holds whole years", year, strings.Join(lacks, ", ")))
		}
	}
	return wrong
}

// names reports whether a year has a holiday of a name.
func (c Calendar) names(year int, name string) bool {
	for days := range maps.Values(c.days) {
		for _, d := range days {
			if d.Name == name && yearOf(d.Date) == year {
				return true
			}
		}
	}
	return false
}

func yearOf(date string) int {
	year, _ := strconv.Atoi(date[:4]) // it has been parsed
	return year
}
