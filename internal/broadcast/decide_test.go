package broadcast

import (
	"errors"
	"strings"
	"testing"

	"github.com/malgil/malgil/internal/fault"
)

func TestDesk_Decide(t *testing.T) {
	tests := map[string]struct {
		decision Decision
		field    string // refused
	}{
		"all of them":       {Decision{Finding: FoundSent, Note: "Kakao's list"}, ""},
		"the most at once":  {Decision{Finding: FoundNotSent, Note: "x", Chunks: make([]ChunkID, MaxDecided)}, ""},
		"one too many":      {Decision{Finding: FoundNotSent, Note: "x", Chunks: make([]ChunkID, MaxDecided+1)}, "chunks"},
		"another word":      {Decision{Finding: "maybe", Note: "x"}, "finding"},
		"no word":           {Decision{Note: "x"}, "finding"},
		"no note":           {Decision{Finding: FoundNothing, Note: "  "}, "note"},
		"a note of 2 lines": {Decision{Finding: FoundNothing, Note: "a\nb"}, "note"},
		"a long note":       {Decision{Finding: FoundNothing, Note: strings.Repeat("x", maxNote+1)}, "note"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := &memory{}
			_, err := newDesk(m).Decide(t.Context(), tt.decision)
			var f *fault.Error
			switch {
			case tt.field == "" && (err != nil || len(m.decided) != 1 || !m.decided[0].At.Equal(start)):
				t.Errorf("Decide = %v, decided %+v; want it decided at %s", err, m.decided, start)
			case tt.field != "" && (!errors.As(err, &f) || f.Field != tt.field || len(m.decided) > 0):
				t.Errorf("Decide error = %v, want one about %s and nothing decided", err, tt.field)
			}
		})
	}
}
