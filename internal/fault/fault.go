// Package fault is the one list of error kinds. The intake maps kinds to HTTP statuses,
// the workers map them to queue verdicts; nothing else looks at kinds or error text.
package fault

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Kind says what a caller can do about an error.
type Kind int

const (
	// Internal is the default: our own mistake or a broken dependency of ours.
	Internal Kind = iota
	// Invalid means the input breaks a rule; the message names the field and the remedy.
	Invalid
	// NotFound means the thing does not exist, or the caller may not know that it does.
	NotFound
	// Conflict means the thing is in a state that does not allow this.
	Conflict
	// Refused means the rules of the business say no: no funds, a full list, an unpaid wallet.
	Refused
	// Unauthenticated means no credential, or one that is not valid (any more).
	Unauthenticated
	// Forbidden means the credential is good but lacks the right.
	Forbidden
	// Throttled promises that the peer did not act and will take the same call later.
	Throttled
	// Unavailable promises that the peer did not act: it could not be reached.
	Unavailable
	// InDoubt means the peer may have acted; repeating is not safe.
	InDoubt
)

var kindNames = [...]string{"internal", "invalid", "not_found", "conflict", "refused", "unauthenticated",
	"forbidden", "throttled", "unavailable", "in_doubt"}

// String returns the stable snake_case name used in logs and metrics.
func (k Kind) String() string {
	if k < 0 || int(k) >= len(kindNames) {
		return "internal"
	}
	return kindNames[k]
}

// Error is an error with a kind. Message is for the caller and says what to do next; it carries
// no SQL, no keys and no user keys. Err is the cause, for the log only.
type Error struct {
	Kind       Kind
	Message    string
	Field      string        // the input at fault as a path ("recipients[3].id"), or empty
	Code       string        // a stable word for programs ("INSUFFICIENT_BALANCE"), or empty
	RetryAfter time.Duration // for Throttled and Unavailable, when the peer said it; else 0
	Parts      []Part        // everything that is in the way, where one error names it all at once
	Err        error
}

// Part is one of several things that are wrong.
type Part struct{ Field, Message string }

func (e *Error) Error() string {
	switch {
	case len(e.Parts) > 0:
		return e.Message + ": " + e.listed()
	case e.Err == nil:
		return e.Message
	case e.Message == "":
		return e.Err.Error()
	}
	return e.Message + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// listed names the parts on one line.
func (e *Error) listed() string {
	words := make([]string, len(e.Parts))
	for i, part := range e.Parts {
		words[i] = part.Field + " " + part.Message
	}
	return strings.Join(words, "; ")
}

// New returns an error of a kind with a formatted message for the caller.
func New(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// Wrap gives a cause a kind. The message says what was being done; the cause goes to the log.
func Wrap(kind Kind, err error, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...), Err: err}
}

// Field returns an Invalid error about one input field, given as a path.
func Field(field, format string, args ...any) *Error {
	return &Error{Kind: Invalid, Field: field, Message: fmt.Sprintf(format, args...)}
}

// Coded returns an error of a kind with a stable code for programs.
func Coded(kind Kind, code, format string, args ...any) *Error {
	return &Error{Kind: kind, Code: code, Message: fmt.Sprintf(format, args...)}
}

// KindOf returns the kind of the first [Error] in the chain, Internal when there is none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// RetryAfter returns how long the peer asked to wait, 0 when it did not say.
func RetryAfter(err error) time.Duration {
	var e *Error
	if errors.As(err, &e) {
		return e.RetryAfter
	}
	return 0
}

// CodeOf returns the stable code of the first [Error] in the chain, or "".
func CodeOf(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// MessageOf returns the message of the first [Error] in the chain with its parts, which is fit for
// callers and operators. Any other error gives "internal error": its text may hold anything.
func MessageOf(err error) string {
	var e *Error
	if errors.As(err, &e) && e.Message != "" {
		if len(e.Parts) > 0 {
			return e.Message + ": " + e.listed()
		}
		return e.Message
	}
	return "internal error"
}
