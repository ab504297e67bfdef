package invoice_test

import (
	"testing"
	"time"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/holiday"
	"github.com/malgil/malgil/internal/invoice"
)

// moment reads a time in Korea, such as "2026-12-02 10:00".
func moment(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.ParseInLocation("2006-01-02 15:04", text, clock.Seoul)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// By hand, from a calendar on the wall with the holidays of holiday/korea.csv: the days on which the
// invoice of a month is issued (2nd business day of the next month), handed over again (3rd) and given up
// (5th, or the last day of the law where that comes first), and the last day on which the law lets it be
// issued (the 10th, or the next business day).
var dates = []struct{ month, issue, again, giveUp, last string }{
	{"2026-01", "2026-02-03", "2026-02-04", "2026-02-06", "2026-02-10"}, // the 1st is a Sunday
	{"2026-02", "2026-03-04", "2026-03-05", "2026-03-09", "2026-03-10"}, // Monday, the 2nd, for 3·1절 on a Sunday
	{"2026-03", "2026-04-02", "2026-04-03", "2026-04-07", "2026-04-10"},
	{"2026-04", "2026-05-06", "2026-05-07", "2026-05-11", "2026-05-11"}, // 노동절 on Friday, 어린이날 on Tuesday; the 10th is a Sunday
	{"2026-05", "2026-06-02", "2026-06-04", "2026-06-08", "2026-06-10"}, // local elections on Wednesday, the 3rd
	{"2026-06", "2026-07-02", "2026-07-03", "2026-07-07", "2026-07-10"},
	{"2026-07", "2026-08-04", "2026-08-05", "2026-08-07", "2026-08-10"}, // the 1st is a Saturday
	{"2026-08", "2026-09-02", "2026-09-03", "2026-09-07", "2026-09-10"},
	{"2026-09", "2026-10-02", "2026-10-06", "2026-10-08", "2026-10-12"}, // Monday, the 5th, for 개천절; 한글날 on Friday; the 10th is a Saturday
	{"2026-10", "2026-11-03", "2026-11-04", "2026-11-06", "2026-11-10"},
	{"2026-11", "2026-12-02", "2026-12-03", "2026-12-07", "2026-12-10"},
	{"2026-12", "2027-01-05", "2027-01-06", "2027-01-08", "2027-01-11"},       // 1월 1일 is a Friday; the 10th is a Sunday
	{"2027-01", "2027-02-02", "2027-02-03", "2027-02-05", "2027-02-10"},       // 설날 begins on Saturday, the 6th, and ends with Tuesday, the 9th
	{"2027-02", "2027-03-03", "2027-03-04", "2027-03-08", "2027-03-10"},       // 3·1절 is a Monday
	{"2027-03", "2027-04-02", "2027-04-05", "2027-04-07", "2027-04-12"},       // the 10th is a Saturday
	{"2027-04", "2027-05-06", "2027-05-07", "2027-05-10 17:00", "2027-05-10"}, // Monday, the 3rd, for 노동절; 어린이날 on Wednesday: the 5th business day is the 11th
	{"2027-05", "2027-06-02", "2027-06-03", "2027-06-07", "2027-06-10"},       // 현충일 on a Sunday has no substitute
	{"2027-06", "2027-07-02", "2027-07-05", "2027-07-07", "2027-07-12"},       // the 10th is a Saturday
	{"2027-07", "2027-08-03", "2027-08-04", "2027-08-06", "2027-08-10"},
	{"2027-08", "2027-09-02", "2027-09-03", "2027-09-07", "2027-09-10"},
	{"2027-09", "2027-10-05", "2027-10-06", "2027-10-08", "2027-10-12"}, // Mondays, the 4th and the 11th, for 개천절 and 한글날; the 10th is a Sunday
	{"2027-10", "2027-11-02", "2027-11-03", "2027-11-05", "2027-11-10"},
	{"2027-11", "2027-12-02", "2027-12-03", "2027-12-07", "2027-12-10"},
	{"2027-12", "2028-01-04", "2028-01-05", "2028-01-07", "2028-01-10"}, // 1월 1일 is a Saturday
}

func TestDatesOf(t *testing.T) {
	calendar := holiday.Default()
	for n, tt := range dates {
		t.Run(tt.month, func(t *testing.T) {
			month := moment(t, tt.month+"-01 00:00")
			if want := time.Date(2026, time.Month(n+1), 1, 0, 0, 0, 0, clock.Seoul); !month.Equal(want) {
				t.Fatalf("row %d is of %s, want every month of two years in order", n+1, tt.month)
			}
			got := invoice.DatesOf(month.UTC(), calendar)
			for what, d := range map[string]struct{ got, want time.Time }{
				"Close":    {got.Close, time.Date(2026, time.Month(n+2), 1, 0, 10, 0, 0, clock.Seoul)},
				"Issue":    {got.Issue, moment(t, tt.issue+" 10:00")},
				"Again":    {got.Again, moment(t, tt.again+" 10:00")},
				"GiveUp":   {got.GiveUp, moment(t, (tt.giveUp + " 10:00")[:len("2006-01-02 15:04")])},
				"Deadline": {got.Deadline, moment(t, tt.last+" 00:00").Add(24 * time.Hour)},
			} {
				if !d.got.Equal(d.want) {
					t.Errorf("%s of %s = %s, want %s", what, tt.month, d.got.In(clock.Seoul), d.want)
				}
			}
			if !got.Close.Before(got.Issue) || !got.Issue.Before(got.Again) || !got.Again.Before(got.GiveUp) || !got.GiveUp.Before(got.Deadline) {
				t.Errorf("the dates of %s are out of order: %+v", tt.month, got)
			}
		})
	}
}

// However long the holidays are, an invoice is handed over again before it is given up, and both within the
// legal date: of September 2028 the second business day is the last that the law allows.
func TestDatesOf_inOrder(t *testing.T) {
	calendar := holiday.Default()
	for month := moment(t, "2025-01-01 00:00"); month.Year() < 2028 || month.Month() < time.December; month = month.AddDate(0, 1, 0) {
		d := invoice.DatesOf(month.UTC(), calendar)
		if !d.Close.Before(d.Issue) || !d.Issue.Before(d.Again) || !d.Again.Before(d.GiveUp) || !d.GiveUp.Before(d.Deadline) {
			t.Errorf("the dates of %s are out of order: %+v", month.Format("2006-01"), d)
		}
	}
	september := invoice.DatesOf(moment(t, "2028-09-01 00:00").UTC(), calendar)
	if want := moment(t, "2028-10-10 14:00"); !september.Again.Equal(want) {
		t.Errorf("September 2028 is handed over again at %s, want %s", september.Again, want)
	}
}

func TestOver(t *testing.T) {
	for at, want := range map[string]string{
		"2026-12-01 00:00": "2026-11-01 00:00",
		"2026-12-01 00:09": "2026-11-01 00:00",
		"2026-12-01 00:10": "2026-12-01 00:00",
		"2026-12-31 23:59": "2026-12-01 00:00",
		"2027-01-01 00:09": "2026-12-01 00:00",
		"2027-01-01 00:10": "2027-01-01 00:00",
		"2028-02-29 12:00": "2028-02-01 00:00",
	} {
		if got := invoice.Over(moment(t, at).UTC()); !got.Equal(moment(t, want)) {
			t.Errorf("Over(%s) = %s, want %s", at, got.In(clock.Seoul), want)
		}
	}
}

// The invoices of a quarter are amended for the last time on the 9th of the month after it.
func TestAmendUntil(t *testing.T) {
	for month, want := range map[string]string{
		"2026-01": "2026-04-10", "2026-02": "2026-04-10", "2026-03": "2026-04-10",
		"2026-04": "2026-07-10", "2026-05": "2026-07-10", "2026-06": "2026-07-10",
		"2026-07": "2026-10-10", "2026-08": "2026-10-10", "2026-09": "2026-10-10",
		"2026-10": "2027-01-10", "2026-11": "2027-01-10", "2026-12": "2027-01-10",
		"2027-01": "2027-04-10", "2027-12": "2028-01-10",
	} {
		got := invoice.AmendUntil(moment(t, month+"-01 00:00").UTC())
		if !got.Equal(moment(t, want+" 00:00")) {
			t.Errorf("AmendUntil(%s) = %s, want %s 00:00", month, got.In(clock.Seoul), want)
		}
		if late := moment(t, want[:8]+"09 23:59"); !late.Before(got) {
			t.Errorf("AmendUntil(%s) = %s, want the whole 9th within", month, got.In(clock.Seoul))
		}
	}
}
