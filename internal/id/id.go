// Package id makes the identifiers of rows: a short prefix and a ULID, so that they sort by
// the time they were made and a log line tells what kind of thing it speaks of.
package id

import (
	"io"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
)

// Source makes identifiers. It is safe for concurrent use.
type Source struct {
	now     func() time.Time
	mu      sync.Mutex
	entropy *ulid.MonotonicEntropy
}

// New returns a source. Identifiers made within one millisecond still sort in order.
// Pass [crypto/rand.Reader] as random outside tests.
func New(now func() time.Time, random io.Reader) *Source {
	return &Source{now: now, entropy: ulid.Monotonic(random, 0)}
}

// Next returns a new identifier such as "brd_01JD9Z6Q3MV8C2W4XK5T7N9PAB".
func (s *Source) Next(prefix string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return prefix + "_" + ulid.MustNew(ulid.Timestamp(s.now()), s.entropy).String()
}
