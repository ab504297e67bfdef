package bot

import (
	"fmt"

	"github.com/malgil/malgil/internal/fault"
)

// ContentError tells everything that is wrong with the content of a version. It is Invalid about the
// first of it.
type ContentError struct{ Problems []fault.Part }

func (e *ContentError) Error() string {
	text := e.Problems[0].Field + " " + e.Problems[0].Message
	if more := len(e.Problems) - 1; more > 0 {
		text += fmt.Sprintf(", and %d more", more)
	}
	return text
}

// Unwrap makes the first problem the one that callers see.
func (e *ContentError) Unwrap() error {
	return fault.Field(e.Problems[0].Field, "%s", e.Problems[0].Message)
}
