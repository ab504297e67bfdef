package load

import (
	"syscall"
	"time"
)

// sleepUntil sleeps as exactly as the system does. A timer of Go in a process that has nothing else to do comes up
// to a millisecond late, which is no time of who is measured.
func sleepUntil(due time.Time) {
	for ahead := time.Until(due); ahead > 0; ahead = time.Until(due) {
		rest := syscall.NsecToTimespec(ahead.Nanoseconds())
		_ = syscall.Nanosleep(&rest, nil) // a signal ends it early
	}
}
