package app

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/holiday"
)

// Holidays returns the calendar that comes with the program, with the years that a file names in
// place of its own; an empty path is no file. The error is every problem of the file, joined, each of
// them a [*fault.Error] of MALGIL_HOLIDAYS.
func Holidays(path string) (holiday.Calendar, error) {
	if path == "" {
		return holiday.Default(), nil
	}
	file, err := os.Open(path)
	if err != nil {
		return holiday.Calendar{}, errors.Join(fault.Field("MALGIL_HOLIDAYS", "cannot be opened: %v", errors.Unwrap(err)))
	}
	defer file.Close()
	own, err := holiday.Load(file)
	if err != nil {
		var wrong []error
		for line := range strings.Lines(err.Error()) {
			wrong = append(wrong, fault.Field("MALGIL_HOLIDAYS", "%s", strings.TrimSpace(line)))
		}
		return holiday.Calendar{}, errors.Join(wrong...)
	}
	return holiday.Default().With(own), nil
}

// warnHolidays tells whoever starts a process of years whose holidays are missing.
func warnHolidays(c holiday.Calendar, now time.Time, log *slog.Logger) {
	for _, year := range c.Missing(now) {
		log.Warn("the holidays of a year are missing", "year", year,
			"next", fmt.Sprintf("name a file with the holidays of %d in MALGIL_HOLIDAYS; until then its weekends alone are closed", year))
	}
}
