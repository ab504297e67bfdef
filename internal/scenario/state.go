package scenario

import (
	"maps"
	"time"
)

// State is what is remembered of a user on one side of a bot from one utterance to the next. It is kept
// as JSON.
type State struct {
	Asking    *Asking `json:"asking,omitempty"`    // nil for nothing
	Fallbacks int     `json:"fallbacks,omitempty"` // answers in a row that were the fallback
	Ended     *Ended  `json:"ended,omitempty"`     // nil for none; never beside Asking
	By        string  `json:"by,omitempty"`        // id of the utterance that it is the state after
}

// Ended is what a talk came to with the utterance that ended it, for another run of that utterance.
type Ended struct {
	BlockID string            `json:"block,omitempty"`    // whose parameters all have values; "" where the question was left
	Values  map[string]string `json:"values,omitempty"`   // of its parameters
	GivenUp bool              `json:"given_up,omitempty"` // no answer fitted
	Until   time.Time         `json:"until"`              // then it is forgotten
}

// Asking is a parameter that the user was asked for.
type Asking struct {
	BlockID string            `json:"block"`
	Param   string            `json:"param"`
	Tries   int               `json:"tries"`            // questions for it so far
	Values  map[string]string `json:"values,omitempty"` // of the parameters that are known
	Until   time.Time         `json:"until"`            // then it is forgotten
}

// askingTime is how long an answer to a question is waited for.
const askingTime = 10 * time.Minute

// endedTime is how long another run of an utterance may be late: as long as a callback URL lives.
const endedTime = time.Minute

// Equal reports whether two states are the same to keep, whatever utterance they are from.
func (s State) Equal(other State) bool {
	a, b := s.Asking, other.Asking
	if s.Fallbacks != other.Fallbacks || (a == nil) != (b == nil) || (s.Ended == nil) != (other.Ended == nil) {
		return false
	}
	return a == nil || a.BlockID == b.BlockID && a.Param == b.Param && a.Tries == b.Tries && a.Until.Equal(b.Until) && maps.Equal(a.Values, b.Values)
}

// Until is when the state holds nothing of what the user said any more; zero when it holds none.
func (s State) Until() time.Time {
	switch {
	case s.Asking != nil:
		return s.Asking.Until
	case s.Ended != nil:
		return s.Ended.Until
	}
	return time.Time{}
}
