package fault_test

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/fault"
)

func TestKindOf(t *testing.T) {
	throttled := &fault.Error{Kind: fault.Throttled, Message: "slow down", RetryAfter: 3 * time.Second}
	tests := map[string]struct {
		err   error
		want  fault.Kind
		after time.Duration
	}{
		"a plain error is internal": {err: io.EOF, want: fault.Internal},
		"nil is internal":           {err: nil, want: fault.Internal},
		"wrapped twice":             {err: fmt.Errorf("a: %w", fmt.Errorf("b: %w", throttled)), want: fault.Throttled, after: 3 * time.Second},
		"the outermost kind wins":   {err: fault.Wrap(fault.InDoubt, throttled, "send"), want: fault.InDoubt},
		"a field is invalid":        {err: fault.Field("people[2].id", "is empty"), want: fault.Invalid},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := fault.KindOf(tt.err); got != tt.want {
				t.Errorf("KindOf(%v) = %v, want %v", tt.err, got, tt.want)
			}
			if got := fault.RetryAfter(tt.err); got != tt.after {
				t.Errorf("RetryAfter(%v) = %v, want %v", tt.err, got, tt.after)
			}
		})
	}
}

func TestWrap_keepsTheCause(t *testing.T) {
	err := fault.Wrap(fault.Unavailable, io.ErrUnexpectedEOF, "read answer")
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("errors.Is lost the cause of %v", err)
	}
	if got, want := err.Error(), "read answer: unexpected EOF"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
}

func TestError_namesEveryPart(t *testing.T) {
	err := fmt.Errorf("delete: %w", &fault.Error{Kind: fault.Conflict, Message: "it cannot go", Parts: []fault.Part{
		{Field: "a", Message: "is in the way"}, {Field: "b", Message: "too"},
	}})
	if got, want := fault.MessageOf(err), "it cannot go: a is in the way; b too"; got != want {
		t.Errorf("MessageOf = %q, want %q", got, want)
	}
	if got, want := err.Error(), "delete: it cannot go: a is in the way; b too"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
}
