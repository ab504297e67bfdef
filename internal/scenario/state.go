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
	By        string  `json:"by,omitempty"`        // id of the utterance that it is the state after
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

// Equal reports whether two states are the same to keep, whatever utterance they are from.
func (s State) Equal(other State) bool {
	a, b := s.Asking, other.Asking
	if s.Fallbacks != other.Fallbacks || (a == nil) != (b == nil) {
		return false
	}
	return a == nil || a.BlockID == b.BlockID && a.Param == b.Param && a.Tries == b.Tries && a.Until.Equal(b.Until) && maps.Equal(a.Values, b.Values)
}

// Until is when the state holds nothing of what the user said any more; zero when it holds none.
func (s State) Until() time.Time {
	if s.Asking == nil {
		return time.Time{}
	}
	return s.Asking.Until
}
