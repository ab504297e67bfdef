package broadcast

import (
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/fault"
)

func TestParseCron_refuses(t *testing.T) {
	for name, tt := range map[string]struct{ cron, zone, field string }{
		"nothing":          {"", "Asia/Seoul", "cron"},
		"four fields":      {"0 9 * *", "Asia/Seoul", "cron"},
		"seconds":          {"0 0 9 * * *", "Asia/Seoul", "cron"},
		"an hour too late": {"0 24 * * *", "Asia/Seoul", "cron"},
		"a step of 0":      {"*/0 * * * *", "Asia/Seoul", "cron"},
		"every":            {"@every 1h", "Asia/Seoul", "cron"},
		"no such word":     {"@fortnightly", "Asia/Seoul", "cron"},
		"at the start":     {"@reboot", "Asia/Seoul", "cron"},
		"a zone in front":  {"CRON_TZ=UTC 0 9 * * *", "Asia/Seoul", "cron"},
		"a zone alone":     {"TZ=UTC", "Asia/Seoul", "cron"},
		"too long":         {"0 9 * * " + strings.Repeat("1,", 60) + "1", "Asia/Seoul", "cron"},
		"no such zone":     {"0 9 * * *", "Asia/Busan", "zone"},
		"no zone":          {"0 9 * * *", "", "zone"},
		"the machine's":    {"0 9 * * *", "Local", "zone"},
		"a path":           {"0 9 * * *", "../../etc/passwd", "zone"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseCron(tt.cron, tt.zone)
			if fault.KindOf(err) != fault.Invalid || fieldOf(err) != tt.field {
				t.Errorf("ParseCron(%q, %q) error = %v, want Invalid about %s", tt.cron, tt.zone, err, tt.field)
			}
		})
	}
}

func TestCron_Next(t *testing.T) {
	for name, tt := range map[string]struct {
		cron, zone, after string
		want              []string // in UTC, in order; "" for none
	}{
		"Mondays at nine in Korea":  {"0 9 * * 1", "Asia/Seoul", "2026-11-24T00:00:00Z", []string{"2026-11-30T00:00:00Z", "2026-12-07T00:00:00Z"}},
		"a name of a day":           {"0 9 * * MON", "Asia/Seoul", "2026-11-24T00:00:00Z", []string{"2026-11-30T00:00:00Z"}},
		"never the moment itself":   {"0 9 * * *", "Asia/Seoul", "2026-11-24T00:00:00Z", []string{"2026-11-25T00:00:00Z"}},
		"but what is a blink later": {"0 9 * * *", "Asia/Seoul", "2026-11-23T23:59:59.999Z", []string{"2026-11-24T00:00:00Z"}},
		"midnight in Korea":         {"@daily", "Asia/Seoul", "2026-11-24T00:00:00Z", []string{"2026-11-24T15:00:00Z", "2026-11-25T15:00:00Z"}},
		"the 31st, of months that have one": {"30 10 31 * *", "Asia/Seoul", "2027-01-01T00:00:00Z",
			[]string{"2027-01-31T01:30:00Z", "2027-03-31T01:30:00Z", "2027-05-31T01:30:00Z"}},
		"the 1st in Korea is the day before in UTC": {"0 8 1 * *", "Asia/Seoul", "2026-11-24T00:00:00Z", []string{"2026-11-30T23:00:00Z"}},
		"a leap day":             {"0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", []string{"2028-02-29T00:00:00Z"}},
		"a day of no month":      {"0 0 31 2 *", "Asia/Seoul", "2026-01-01T00:00:00Z", []string{""}},
		"either of the two days": {"0 0 13 * 5", "UTC", "2026-11-10T00:00:00Z", []string{"2026-11-13T00:00:00Z", "2026-11-20T00:00:00Z"}},

		// New York puts its clocks forward on 2027-03-14, from 02:00 EST (07:00 UTC) to 03:00 EDT.
		"a time that is jumped over": {"30 2 * * *", "America/New_York", "2027-03-13T12:00:00Z", []string{"2027-03-14T07:00:00Z", "2027-03-15T06:30:00Z"}},
		"several of them":            {"0,20,40 2 * * *", "America/New_York", "2027-03-14T06:00:00Z", []string{"2027-03-14T07:00:00Z", "2027-03-15T06:00:00Z"}},
		"and the time of the jump":   {"0 2,3 * * *", "America/New_York", "2027-03-14T06:00:00Z", []string{"2027-03-14T07:00:00Z", "2027-03-15T06:00:00Z"}},
		"hours over the jump":        {"30 * * * *", "America/New_York", "2027-03-14T06:00:00Z", []string{"2027-03-14T06:30:00Z", "2027-03-14T07:00:00Z", "2027-03-14T07:30:00Z"}},
		// And back on 2027-11-07, from 02:00 EDT (06:00 UTC) to 01:00 EST.
		"a time that comes twice":  {"30 1 * * *", "America/New_York", "2027-11-06T12:00:00Z", []string{"2027-11-07T05:30:00Z", "2027-11-08T06:30:00Z"}},
		"asked between the two":    {"30 1 * * *", "America/New_York", "2027-11-07T06:10:00Z", []string{"2027-11-08T06:30:00Z"}},
		"each time once":           {"*/30 * * * *", "America/New_York", "2027-11-07T05:00:00Z", []string{"2027-11-07T05:30:00Z", "2027-11-07T07:00:00Z"}},
		"the hour after it":        {"0 2 * * *", "America/New_York", "2027-11-07T05:00:00Z", []string{"2027-11-07T07:00:00Z"}},
		"a clock moved by half":    {"15 2 * * *", "Australia/Lord_Howe", "2026-10-02T16:00:00Z", []string{"2026-10-03T15:30:00Z"}},
		"a midnight that is not":   {"@daily", "America/Santiago", "2026-09-05T12:00:00Z", []string{"2026-09-06T04:00:00Z", "2026-09-07T03:00:00Z"}},
		"a day that is not at all": {"0 9 30 12 *", "Pacific/Apia", "2011-12-29T12:00:00Z", []string{"2011-12-30T10:00:00Z"}},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := ParseCron(tt.cron, tt.zone)
			if err != nil {
				t.Fatal(err)
			}
			at, err := time.Parse(time.RFC3339, tt.after)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range tt.want {
				next, ok := c.Next(at)
				got := ""
				if ok {
					got = next.Format(time.RFC3339)
				}
				if got != want {
					t.Fatalf("Next(%s) = %q, want %q", at, got, want)
				}
				at = next
			}
		})
	}
}

// Whatever the zone does, moments come in order and each is found from right before it.
func TestCron_Next_isInOrder(t *testing.T) {
	for _, zone := range []string{"Asia/Seoul", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "UTC"} {
		for _, text := range []string{"*/7 * * * *", "0,30 1-3 * * *", "17 0 * * *"} {
			c, err := ParseCron(text, zone)
			if err != nil {
				t.Fatal(err)
			}
			at := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
			for end := at.AddDate(1, 0, 0); at.Before(end); {
				next, ok := c.Next(at)
				if again, _ := c.Next(next.Add(-time.Nanosecond)); !ok || !next.After(at) || !again.Equal(next) {
					t.Fatalf("%s in %s: Next(%s) = %s, %v, and from right before %s", text, zone, at, next, ok, again)
				}
				at = next
			}
		}
	}
}
