package doctor

import (
	"context"
	"fmt"
	"strings"

	"github.com/malgil/malgil/internal/disk"
)

// localChecks look at what is on this machine.
func (i Installation) localChecks() []check {
	checks := []check{
		{"supplier", func(context.Context) Result { return i.supplier() }},
		{"holidays", func(context.Context) Result { return i.holidays() }},
	}
	for _, f := range i.Folders {
		checks = append(checks, check{"disk (" + f.What + ")", func(context.Context) Result { return space(f) }})
	}
	return checks
}

// supplier tells whether everything is known about who stands on invoices.
func (i Installation) supplier() Result {
	switch {
	case len(i.NoSupplier) == 0:
		return ok("everything about it is set")
	case i.Tax != "":
		return skipped("something about it is wrong, see configuration")
	case len(i.Supplier) == 0:
		return ok("none, and none is needed without a carrier of tax invoices")
	}
	lacks := make([]string, len(i.NoSupplier))
	for n, err := range i.NoSupplier {
		lacks[n] = said(err)
	}
	return warning("Set the rest before MALGIL_TAX_URL: with a carrier malgil does not start without it.", "%s", strings.Join(lacks, "; "))
}

// holidays tells whether the business days that invoices need are known.
func (i Installation) holidays() Result {
	if i.wrong("MALGIL_HOLIDAYS") {
		return seeConfiguration("MALGIL_HOLIDAYS")
	}
	calendar, err := i.Holidays()
	if err != nil {
		return problem("Correct MALGIL_HOLIDAYS.", "%s", said(err))
	}
	years := calendar.Years()
	known := fmt.Sprintf("%d to %d", years[0], years[len(years)-1])
	if len(years) != years[len(years)-1]-years[0]+1 {
		known = strings.Trim(fmt.Sprint(years), "[]")
	}
	if missing := calendar.Missing(i.Now()); len(missing) > 0 {
		return warning("Bring malgil up to date, or name a file with that year in MALGIL_HOLIDAYS (docs/operations.md, MalgilHolidaysMissing).",
			"those of %s are missing; known are %s", strings.Trim(fmt.Sprint(missing), "[]"), known)
	}
	return ok("known for %s", known)
}

// space tells how much room a disk has for who is not root.
func space(f disk.Folder) Result {
	s, err := f.Space()
	if err != nil {
		return problem("See whether the folder is there and its disk mounted.", "%v", err)
	}
	return room(s)
}

// How much of a disk has to be free, in per cent.
const (
	diskWarning = 10
	diskProblem = 2
)

// room judges a disk.
func room(s disk.Space) Result {
	if s.All == 0 {
		return ok("%s has no size", s.Path)
	}
	share := float64(s.Free) * 100 / float64(s.All)
	found := fmt.Sprintf("%s free at %s, %d %%", bytes(s.Free), s.Path, int(share))
	switch {
	case share < diskProblem:
		return problem("Make room at once: nothing can be written on a full disk.", "%s", found)
	case share < diskWarning:
		return warning("Make room, or give it a larger disk.", "%s", found)
	}
	return ok("%s", found)
}
