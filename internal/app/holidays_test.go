package app

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/holiday"
)

// A file of holidays stops the start with every problem in it, by its line, beside what else is wrong.
func TestConfig_Check_holidays(t *testing.T) {
	tests := map[string]struct {
		text string // of the file; empty for none
		want []string
	}{
		"no file": {"", []string{"MALGIL_HOLIDAYS cannot be opened: no such file or directory"}},
		"two lines": {"date,name,kind\n2026-13-01,x,public\n2026-01-02,,public\n", []string{
			`MALGIL_HOLIDAYS line 2: "2026-13-01" is no date such as 2026-01-01`,
			"MALGIL_HOLIDAYS line 3: 2026-01-02 has no name",
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "holidays.csv")
			config := Config{Rules: Rules{Holidays: path}}
			if tt.text != "" {
				if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var got []string
			for _, err := range config.Check(Roles{Intake: true}).(interface{ Unwrap() []error }).Unwrap() {
				if e := err.(*fault.Error); e.Field == "MALGIL_HOLIDAYS" {
					got = append(got, e.Field+" "+e.Message)
				}
			}
			if strings.Join(got, "\n") != strings.Join(tt.want, "\n") {
				t.Errorf("Check() says %q of the file, want %q", got, tt.want)
			}
		})
	}
}

func TestHolidays(t *testing.T) {
	var year bytes.Buffer
	if err := holiday.Default().Write(&year); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "holidays.csv")
	if err := os.WriteFile(path, append(year.Bytes(), "2026-11-25,임시공휴일,temporary\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	declared := time.Date(2026, 11, 25, 12, 0, 0, 0, clock.Seoul)
	for from, want := range map[string]bool{"": true, path: false} {
		c, err := Holidays(from)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.IsBusinessDay(declared); got != want {
			t.Errorf("Holidays(%q).IsBusinessDay(25 November 2026) = %v, want %v", from, got, want)
		}
	}
}

func TestWarnHolidays(t *testing.T) {
	for day, want := range map[string]string{"2028-10-31": "", "2028-11-01": `"year":2029`} {
		at, err := time.ParseInLocation(time.DateOnly, day, clock.Seoul)
		if err != nil {
			t.Fatal(err)
		}
		var said bytes.Buffer
		warnHolidays(holiday.Default(), at, slog.New(slog.NewJSONHandler(&said, nil)))
		if got := said.String(); (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("on %s it is said %q, want %q", day, got, want)
		}
	}
}
