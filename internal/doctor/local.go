package doctor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// localChecks look at what is on this machine.
func (i Installation) localChecks() []check {
	checks := []check{
		{"supplier", func(context.Context) Result { return i.supplier() }},
		{"holidays", func(context.Context) Result { return i.holidays() }},
	}
	for _, f := range i.Folders {
		checks = append(checks, check{"disk (" + f.What + ")", func(context.Context) Result { return f.space() }})
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
func (f Folder) space() Result {
	path := existing(f.Path)
	var disk syscall.Statfs_t
	if err := syscall.Statfs(path, &disk); err != nil {
		return problem("See whether the folder is there and its disk mounted.", "%s cannot be looked at: %v", path, err)
	}
	size := uint64(disk.Bsize)
	free := uint64(disk.Bavail) * size
	return room(path, free, (uint64(disk.Blocks)-uint64(disk.Bfree))*size+free)
}

// existing returns a folder, or the nearest one above it that is there already.
func existing(path string) string {
	for {
		if _, err := os.Stat(path); err == nil || path == filepath.Dir(path) {
			return path
		}
		path = filepath.Dir(path)
	}
}

// How much of a disk has to be free, in per cent.
const (
	diskWarning = 10
	diskProblem = 2
)

// room judges a disk by its bytes, as df counts them.
func room(path string, free, all uint64) Result {
	if all == 0 {
		return ok("%s has no size", path)
	}
	share := float64(free) * 100 / float64(all)
	found := fmt.Sprintf("%s free at %s, %d %%", bytes(free), path, int(share))
	switch {
	case share < diskProblem:
		return problem("Make room at once: nothing can be written on a full disk.", "%s", found)
	case share < diskWarning:
		return warning("Make room, or give it a larger disk.", "%s", found)
	}
	return ok("%s", found)
}
