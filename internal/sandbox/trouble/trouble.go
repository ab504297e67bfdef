// Package trouble keeps the faults that the sandbox was asked for, and plays those that are the
// same on every wire: a cut connection, a stall, an answer that makes no sense.
package trouble

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/malgil/malgil/internal/fault"
)

// Kind is what goes wrong. "Before" is before the peer acts: its truth stays empty. "After" is
// after it acted: its truth has the effect, and only the answer is lost.
type Kind string

// The kinds of faults that every HTTP call has.
const (
	Refuse       Kind = "refuse"       // refused as a bad request
	Throttle     Kind = "throttle"     // too many requests; seconds is what Retry-After says
	Unauthorized Kind = "unauthorized" // the key is not accepted
	ErrorBefore  Kind = "error_before" // status 500, nothing done
	ErrorAfter   Kind = "error_after"  // status 500, all done
	CutBefore    Kind = "cut_before"   // connection closed, nothing done
	CutAfter     Kind = "cut_after"    // connection closed, all done
	StallBefore  Kind = "stall_before" // nothing done, no answer until the client leaves or seconds are over
	Stall        Kind = "stall"        // all done, no answer until the client leaves or seconds are over
	Garbage      Kind = "garbage"      // all done, status 200 and a body that makes no sense
	Slow         Kind = "slow"         // all done, the right answer seconds late
)

// Common are the kinds that every HTTP call has.
var Common = []Kind{Refuse, Throttle, Unauthorized, ErrorBefore, ErrorAfter, CutBefore, CutAfter, StallBefore, Stall, Garbage, Slow}

// longest is how long a stall without seconds lasts.
const longest = 5 * time.Minute

// Fault is a fault that was asked for.
type Fault struct {
	ID               string  `json:"id"`
	Target           string  `json:"target"`
	Kind             Kind    `json:"fault"`
	Count            int     `json:"count"`                        // calls that it hits; -1 is until it is deleted
	Every            int     `json:"every,omitempty"`              // hits each n-th call only
	Seconds          float64 `json:"seconds,omitempty"`            // of real time
	Bot              string  `json:"bot,omitempty"`                // only calls for this bot
	Card             string  `json:"card,omitempty"`               // only calls for this card
	To               string  `json:"to,omitempty"`                 // only mail for this address
	Code             int     `json:"code,omitempty"`               // error_code of decline
	MethodResultCode string  `json:"method_result_code,omitempty"` // issuer's code of decline
	Hits             int     `json:"hits"`                         // calls hit so far

	seen int
}

// Subject is what a call is about; empty where the wire has no such thing.
type Subject struct{ Bot, Card, To string }

// Book keeps faults. It is safe for concurrent use.
type Book struct {
	allowed map[string][]Kind

	mu     sync.Mutex
	last   int
	faults []*Fault
}

// NewBook returns a book that takes the given kinds for each target.
func NewBook(allowed map[string][]Kind) *Book { return &Book{allowed: allowed} }

// Targets lists what faults can be asked for.
func (b *Book) Targets() map[string][]Kind { return b.allowed }

// Add asks for a fault. A count of 0 is 1. It is Invalid when the target has no such fault.
func (b *Book) Add(f Fault) (Fault, error) {
	kinds, ok := b.allowed[f.Target]
	switch {
	case !ok:
		targets := make([]string, 0, len(b.allowed))
		for target := range b.allowed {
			targets = append(targets, target)
		}
		slices.Sort(targets)
		return Fault{}, fault.Field("target", "target is one of: %s", strings.Join(targets, " "))
	case !slices.Contains(kinds, f.Kind):
		words := make([]string, len(kinds))
		for i, kind := range kinds {
			words[i] = string(kind)
		}
		return Fault{}, fault.Field("fault", "fault of %s is one of: %s", f.Target, strings.Join(words, " "))
	case f.Count < -1:
		return Fault{}, fault.Field("count", "count is a number of calls, or -1 until it is deleted")
	case f.Every < 0:
		return Fault{}, fault.Field("every", "every is 1 or more")
	case f.Seconds < 0:
		return Fault{}, fault.Field("seconds", "seconds is 0 or more")
	}
	f.Count = cmp.Or(f.Count, 1)
	f.Every = cmp.Or(f.Every, 1)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last++
	f.ID, f.Hits, f.seen = strconv.Itoa(b.last), 0, 0
	b.faults = append(b.faults, &f)
	return f, nil
}

// List returns every fault that was asked for and not deleted, those used up too.
func (b *Book) List() []Fault {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := make([]Fault, len(b.faults))
	for i, f := range b.faults {
		all[i] = *f
	}
	return all
}

// Clear deletes the faults of a target, or all for "".
func (b *Book) Clear(target string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = slices.DeleteFunc(b.faults, func(f *Fault) bool { return target == "" || f.Target == target })
}

// Take returns the fault that hits a call and counts it; the zero Fault hits nothing. The oldest
// that fits wins. kinds narrows what may hit now; none is all.
func (b *Book) Take(target string, s Subject, kinds ...Kind) Fault {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range b.faults {
		if f.Target != target || !f.fits(s) || (len(kinds) > 0 && !slices.Contains(kinds, f.Kind)) || (f.Count >= 0 && f.Hits >= f.Count) {
			continue
		}
		if f.seen++; f.seen%f.Every != 0 {
			continue
		}
		f.Hits++
		return *f
	}
	return Fault{}
}

func (f *Fault) fits(s Subject) bool {
	return (f.Bot == "" || f.Bot == s.Bot) && (f.Card == "" || f.Card == s.Card) && (f.To == "" || strings.EqualFold(f.To, s.To))
}

// Wait passes the fault's seconds, or limit when it has none. It returns false when the context
// ended first.
func (f Fault) Wait(ctx context.Context, limit time.Duration) bool {
	if f.Seconds > 0 {
		limit = time.Duration(f.Seconds * float64(time.Second))
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Before plays what goes wrong before the peer acts, as far as it is the same on every wire. It
// does not return when the connection is to be cut.
func (f Fault) Before(r *http.Request) {
	switch f.Kind {
	case CutBefore:
		panic(http.ErrAbortHandler) // closes the connection
	case StallBefore:
		f.Wait(r.Context(), longest)
		panic(http.ErrAbortHandler)
	}
}

// After plays what goes wrong after the peer acted, and reports whether it has answered. It does
// not return when the connection is to be cut.
func (f Fault) After(w http.ResponseWriter, r *http.Request) bool {
	switch f.Kind {
	case CutAfter:
		panic(http.ErrAbortHandler)
	case Stall:
		f.Wait(r.Context(), longest)
		panic(http.ErrAbortHandler)
	case Slow:
		if !f.Wait(r.Context(), time.Second) {
			panic(http.ErrAbortHandler)
		}
	case Garbage:
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<html><body>점검 중입니다</body></html>")
		return true
	case ErrorAfter:
		http.Error(w, "internal server error", http.StatusInternalServerError)
		return true
	}
	return false
}

// RetryAfter is what a throttled answer says, at least a second.
func (f Fault) RetryAfter() string { return strconv.Itoa(max(int(f.Seconds), 1)) }
