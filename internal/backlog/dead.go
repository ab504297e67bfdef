// Package backlog is what is kept of queues where Redis cannot lose it: the tasks that died, and the
// queues that are paused. It holds plain types and what may be asked for; the rows are the store's.
package backlog

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/malgil/malgil/internal/fault"
)

// Cause says in one word why a task died, for grouping. The words are stored. Most are those of
// [fault.Kind]; the others are below.
type Cause string

// What kills a task beside the kinds of errors.
const (
	Panic       Cause = "panic"         // its handler panicked at the last try
	Timeout     Cause = "timeout"       // it took longer than it may
	Undecodable Cause = "undecodable"   // its payload cannot be read: of another version, or not ours
	UnknownType Cause = "unknown_type"  // nothing here handles its type: a worker older than what enqueued it
	LeaseOver   Cause = "lease_expired" // its worker died, or could not reach Redis
	Unrecorded  Cause = "unrecorded"    // its worker could not write down why
)

// Causes lists every cause.
var Causes = func() []Cause {
	all := []Cause{Panic, Timeout, Undecodable, UnknownType, LeaseOver, Unrecorded}
	for kind := fault.Internal; kind <= fault.InDoubt; kind++ {
		all = append(all, CauseOf(kind))
	}
	return all
}()

// CauseOf returns the cause that a kind of error is.
func CauseOf(kind fault.Kind) Cause { return Cause(kind.String()) }

// State is what was decided about a dead task.
type State string

// The states of dead tasks.
const (
	Open      State = "dead"      // nothing yet
	Retried   State = "retried"   // its row was given another task
	Discarded State = "discarded" // somebody has seen it
)

// UnreadableType stands for the type of a task that cannot be read at all.
const UnreadableType = "unreadable"

// Dead is a task that was given up.
type Dead struct {
	ID      string // of ours
	Queue   string
	Type    string // or [UnreadableType]
	TaskID  string
	RowID   string // the row that it pointed at, empty for an utterance
	Epoch   int    // of the row
	Cause   Cause
	Error   string // of its last run, fit for operators; empty for an utterance
	Retried int
	DiedAt  time.Time

	State     State
	DecidedAt time.Time
	DecidedBy string // account, or token of the platform's own, or [ByItsRow]
}

// Work returns the word for the kind of rows that the task belongs to: what its id begins with. It is
// empty for a task without a row.
func (d Dead) Work() string {
	work, _, has := strings.Cut(d.TaskID, ":")
	if !has || d.RowID == "" {
		return ""
	}
	return work
}

// ByItsRow stands for whoever decided where nobody had to: the row of the task was done, or got another task.
const ByItsRow = "its row"

// MaxText is how many bytes of a text are kept.
const MaxText = 500

// Text makes any text one that every database keeps: one line of at most [MaxText] bytes. What is such a line stays as it
// is, as do the ids and types of our own tasks; those of others may be anything.
func Text(text string) string {
	text = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !fault.OneLine(string(r)) {
			return ' '
		}
		return r
	}, text)
	text = strings.TrimSpace(text)
	if len(text) <= MaxText {
		return text
	}
	cut := MaxText - len("…")
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}

// Filter narrows a list of dead tasks; an empty field does not.
type Filter struct {
	State State
	Queue string
	Type  string
	Cause Cause
}

// Group is how many open dead tasks have a type and a cause.
type Group struct {
	Queue, Type string
	Cause       Cause
	Tasks       int
	First, Last time.Time // when the first and the last died
	Error       string    // of the last
}

// Pick names dead tasks that something is decided about: some by their ids, or those of a type and a
// cause, from an id on.
type Pick struct {
	IDs   []string
	Type  string
	Cause Cause
	After string
}

// MaxPick bounds how many dead tasks are decided about at once.
const MaxPick = 500

// Check finds a pick that names nothing, or two things.
func (p Pick) Check() error {
	switch {
	case len(p.IDs) > 0 && (p.Type != "" || p.Cause != "" || p.After != ""):
		return fault.Field("ids", "or a type with a cause, not both")
	case len(p.IDs) > MaxPick:
		return fault.Field("ids", "must be at most %d", MaxPick)
	case len(p.IDs) == 0 && (p.Type == "" || p.Cause == ""):
		return fault.Field("ids", "is missing; name dead tasks, or a group by its type and cause")
	}
	return nil
}

// Decision is who decides something about dead tasks, and when.
type Decision struct {
	By string
	At time.Time
}

// Outcome is what became of a pick.
type Outcome struct {
	Done []Dead // in the order of their ids
	Left int    // open still: their rows wait no more, or wait for what is coming
	Next string // the id after which the group goes on; empty at its end
}
