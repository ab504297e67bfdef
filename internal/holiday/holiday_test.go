package holiday_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/holiday"
)

// day returns noon in Korea of a date.
func day(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.ParseInLocation(time.DateOnly, text, clock.Seoul)
	if err != nil {
		t.Fatal(err)
	}
	return at.Add(12 * time.Hour)
}

func TestCalendar_IsBusinessDay(t *testing.T) {
	c := holiday.Default()
	tests := map[string]struct {
		closed, open string // dates
	}{
		"Seollal 2025, with a day declared before": {"2025-01-25 2025-01-26 2025-01-27 2025-01-28 2025-01-29 2025-01-30", "2025-01-24 2025-01-31"},
		"Seollal 2026":                     {"2026-02-14 2026-02-15 2026-02-16 2026-02-17 2026-02-18", "2026-02-13 2026-02-19"},
		"Seollal 2027 on a Sunday":         {"2027-02-06 2027-02-07 2027-02-08 2027-02-09", "2027-02-05 2027-02-10"},
		"Seollal 2028":                     {"2028-01-26 2028-01-27 2028-01-28", "2028-01-25 2028-01-31"},
		"Chuseok 2025 from a Sunday":       {"2025-10-03 2025-10-04 2025-10-05 2025-10-06 2025-10-07 2025-10-08 2025-10-09", "2025-10-02 2025-10-10"},
		"Chuseok 2026 until a Saturday":    {"2026-09-24 2026-09-25 2026-09-26", "2026-09-23 2026-09-28"},
		"Chuseok 2027":                     {"2027-09-14 2027-09-15 2027-09-16", "2027-09-13 2027-09-17"},
		"Chuseok 2028 meets 3 October":     {"2028-10-02 2028-10-03 2028-10-04 2028-10-05", "2028-09-29 2028-10-06"},
		"Children's Day meets the Buddha":  {"2025-05-05 2025-05-06", "2025-05-02 2025-05-07"},
		"the Buddha on a Sunday":           {"2026-05-24 2026-05-25", "2026-05-22 2026-05-26"},
		"elections":                        {"2025-06-03 2026-06-03 2028-04-12", "2025-06-02 2026-06-04 2028-04-11"},
		"1 May since 2026":                 {"2026-05-01 2027-05-01 2027-05-03 2028-05-01", "2025-05-01 2026-05-04"},
		"17 July since 2026":               {"2026-07-17 2027-07-17 2027-07-19 2028-07-17", "2025-07-17"},
		"3 October on a Saturday":          {"2026-10-03 2026-10-04 2026-10-05", "2026-10-02 2026-10-06"},
		"Christmas on a Saturday":          {"2027-12-25 2027-12-27", "2027-12-24 2027-12-28"},
		"Memorial Day has no substitute":   {"2026-06-06 2027-06-06", "2026-06-08 2027-06-07"},
		"New Year's Day has no substitute": {"2028-01-01", "2028-01-03"},
		"year ends":                        {"2026-01-01 2027-01-01", "2025-12-31 2026-01-02 2026-12-31 2027-12-31 2028-12-29"},
		"a year that is not known":         {"2029-01-06 2029-01-07", "2029-01-01 2029-01-08"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for _, date := range strings.Fields(tt.closed) {
				if c.IsBusinessDay(day(t, date)) {
					t.Errorf("IsBusinessDay(%s) = true, want false", date)
				}
			}
			for _, date := range strings.Fields(tt.open) {
				if !c.IsBusinessDay(day(t, date)) {
					t.Errorf("IsBusinessDay(%s) = false, want true: %q", date, c.Names(day(t, date)))
				}
			}
		})
	}
}

// A moment stands for its day in Korea, which begins at 15:00 UTC.
func TestCalendar_IsBusinessDay_inKorea(t *testing.T) {
	c := holiday.Default()
	eve := time.Date(2026, 12, 24, 14, 59, 59, 0, time.UTC)
	if !c.IsBusinessDay(eve) || c.IsBusinessDay(eve.Add(time.Second)) {
		t.Errorf("IsBusinessDay around %s = %v, %v, want true, false", eve, c.IsBusinessDay(eve), c.IsBusinessDay(eve.Add(time.Second)))
	}
	if got, want := c.OnOrAfter(eve), time.Date(2026, 12, 23, 15, 0, 0, 0, time.UTC); !got.Equal(want) {
		t.Errorf("OnOrAfter(%s) = %s, want its own first moment %s", eve, got, want)
	}
}

// The dates of an invoice, by hand with the calendar of the year beside: it is issued on the second
// business day, tried again on the third, given up on the fifth, and lawful until the tenth, or the
// next business day (부가가치세법 제34조 제3항).
func TestCalendar_invoiceDates(t *testing.T) {
	c := holiday.Default()
	tests := []struct{ month, nth, tenth string }{
		{"2026-01", "05 06 08", "01-12"}, // the 1st is a Thursday and closed; the 10th a Saturday
		{"2026-02", "03 04 06", "02-10"}, // Sunday
		{"2026-03", "04 05 09", "03-10"}, // Sunday and 3·1절, whose substitute is the 2nd
		{"2026-04", "02 03 07", "04-10"}, // Wednesday
		{"2026-05", "06 07 11", "05-11"}, // Friday, 노동절; the 5th is closed; the 10th a Sunday
		{"2026-06", "02 04 08", "06-10"}, // Monday; elections on the 3rd
		{"2026-07", "02 03 07", "07-10"}, // Wednesday
		{"2026-08", "04 05 07", "08-10"}, // Saturday
		{"2026-09", "02 03 07", "09-10"}, // Tuesday
		{"2026-10", "02 06 08", "10-12"}, // Thursday; the 5th is closed; the 10th a Saturday
		{"2026-11", "03 04 06", "11-10"}, // Sunday
		{"2026-12", "02 03 07", "12-10"}, // Tuesday
		{"2027-01", "05 06 08", "01-11"}, // Friday and closed; the 10th a Sunday
		{"2027-02", "02 03 05", "02-10"}, // Monday; Seollal until the 9th
		{"2027-03", "03 04 08", "03-10"}, // Monday, 3·1절
		{"2027-04", "02 05 07", "04-12"}, // Thursday; the 10th a Saturday
		{"2027-05", "06 07 11", "05-10"}, // Saturday, 노동절; the 3rd and the 5th are closed
		{"2027-06", "02 03 07", "06-10"}, // Tuesday
		{"2027-07", "02 05 07", "07-12"}, // Thursday; the 10th a Saturday
		{"2027-08", "03 04 06", "08-10"}, // Sunday
		{"2027-09", "02 03 07", "09-10"}, // Wednesday
		{"2027-10", "05 06 08", "10-12"}, // Friday; the 4th is closed; the 10th a Sunday, the 11th closed
		{"2027-11", "02 03 05", "11-10"}, // Monday
		{"2027-12", "02 03 07", "12-10"}, // Wednesday
	}
	for _, tt := range tests {
		var nth []string
		for _, n := range []int{2, 3, 5} {
			at := c.NthBusinessDay(day(t, tt.month+"-17"), n)
			if at.Format("15:04:05") != "15:00:00" {
				t.Errorf("NthBusinessDay(%s, %d) = %s, want midnight in Korea", tt.month, n, at)
			}
			nth = append(nth, at.In(clock.Seoul).Format("02"))
		}
		if got := strings.Join(nth, " "); got != tt.nth {
			t.Errorf("NthBusinessDay(%s, 2, 3, 5) = %s, want %s", tt.month, got, tt.nth)
		}
		if got := c.OnOrAfter(day(t, tt.month+"-10")).In(clock.Seoul).Format("01-02"); got != tt.tenth {
			t.Errorf("OnOrAfter(%s-10) = %s, want %s", tt.month, got, tt.tenth)
		}
	}
}

func TestCalendar_Missing(t *testing.T) {
	tests := map[string][]int{
		"2024-06-01": {2024}, "2025-01-01": nil, "2026-10-31": nil, "2027-11-01": nil, "2028-10-31": nil,
		"2028-11-01": {2029}, "2028-12-31": {2029}, "2029-01-01": {2029}, "2029-11-01": {2029, 2030},
	}
	for now, want := range tests {
		if got := holiday.Default().Missing(day(t, now).Add(-12 * time.Hour)); !slices.Equal(got, want) {
			t.Errorf("Missing(%s) = %v, want %v", now, got, want)
		}
	}
}

// A file of one's own stands in place of the years that it names.
func TestCalendar_With(t *testing.T) {
	var text bytes.Buffer
	if err := holiday.Default().Write(&text); err != nil {
		t.Fatal(err)
	}
	var year []string
	for line := range strings.Lines(text.String()) {
		if strings.HasPrefix(line, "2026") || strings.HasPrefix(line, "date") {
			year = append(year, line)
		}
	}
	own, err := holiday.Load(strings.NewReader("\ufeff" + strings.Join(year, "") + "\r\n2026-08-14, 임시공휴일 , temporary\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	c := holiday.Default().With(own)
	if got := c.Years(); !slices.Equal(got, []int{2025, 2026, 2027, 2028}) {
		t.Errorf("Years() = %v, want 2025 to 2028", got)
	}
	for date, want := range map[string]bool{"2026-08-14": false, "2026-08-17": false, "2027-08-16": false, "2026-08-13": true} {
		if got := c.IsBusinessDay(day(t, date)); got != want {
			t.Errorf("IsBusinessDay(%s) = %v, want %v", date, got, want)
		}
	}
	if got := c.Names(day(t, "2026-08-14")); !slices.Equal(got, []string{"임시공휴일"}) {
		t.Errorf("Names(2026-08-14) = %q, want 임시공휴일", got)
	}
	if !holiday.Default().IsBusinessDay(day(t, "2026-08-14")) {
		t.Error("With changed the calendar that it was called on")
	}
}

func TestLoad_refuses(t *testing.T) {
	tests := map[string]struct {
		file string
		want []string
	}{
		"nothing":      {"", []string{"line 1: there is no holiday in the file"}},
		"only remarks": {"# 2026\n", []string{"line 1: there is no holiday in the file"}},
		"no header":    {"2026-01-01,1월 1일,public\n", []string{"line 1: must be date,name,kind"}},
		"everything at once": {"# x\ndate,name,kind\n2026-02-30,설날,public\n2026-01-01,,public\n2026-01-02,쉬는 날,bank\n2026-01-03\n\n2026-01-04,대체,substitute\n",
			[]string{
				`line 3: "2026-02-30" is no date such as 2026-01-01`,
				"line 4: 2026-01-01 has no name",
				`line 5: the kind "bank" is none of ["public" "substitute" "election" "temporary"]`,
				"line 6: must be date,name,kind",
				"line 8: 2026-01-04 is a Sunday, which is no day for a substitute",
			}},
		"a year in part": {"date,name,kind\n2029-01-01,1월 1일,public\n2029-01-01,1월 1일,public\n", []string{
			"line 3: 2029-01-01 is there already as 1월 1일",
			"2029 lacks 03-01, 05-05, 06-06, 08-15, 10-03, 10-09, 12-25, 설날, 추석; a file holds whole years",
		}},
		"a line without end": {"date,name,kind\n" + strings.Repeat("x", 70_000), []string{"line 2: is too long"}},
		"a file without end": {"date,name,kind\n" + strings.Repeat("#\n", 1<<19), []string{"line 524282: a file of more than 1048576 bytes is no file of holidays"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := holiday.Load(strings.NewReader(tt.file))
			if err == nil {
				t.Fatal("Load = nil, want an error")
			}
			if diff := cmp.Diff(tt.want, strings.Split(err.Error(), "\n")); diff != "" {
				t.Errorf("Load (-want +got):\n%s", diff)
			}
			var e *fault.Error
			if !errors.As(err, &e) || e.Kind != fault.Invalid {
				t.Errorf("Load = %v, want Invalid", err)
			}
		})
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("the disk is gone") }

func TestLoad_unreadable(t *testing.T) {
	if _, err := holiday.Load(broken{}); err == nil || fault.KindOf(err) != fault.Internal {
		t.Errorf("Load of a broken disk = %v, want its error", err)
	}
}

// What is written is read back the same.
func TestCalendar_Write(t *testing.T) {
	var text bytes.Buffer
	if err := holiday.Default().Write(&text); err != nil {
		t.Fatal(err)
	}
	back, err := holiday.Load(bytes.NewReader(text.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	var again bytes.Buffer
	if err := back.Write(&again); err != nil {
		t.Fatal(err)
	}
	if text.String() != again.String() || strings.Count(text.String(), "\n") != 86 {
		t.Errorf("Write wrote %d lines, and then %d, want 86 twice", strings.Count(text.String(), "\n"), strings.Count(again.String(), "\n"))
	}
}
