package broadcast

import (
	"testing"

	"github.com/malgil/malgil/internal/fault"
)

func TestChecks_confirm(t *testing.T) {
	tests := map[string]struct {
		above, people, said int
		code                string
	}{
		"nobody is asked":                      {0, 1_000_000, 0, ""},
		"up to the size":                       {100, 100, 0, ""},
		"one above":                            {100, 101, 0, "CONFIRMATION_NEEDED"},
		"one above, said":                      {100, 101, 101, ""},
		"another number":                       {100, 101, 100, "CONFIRMATION_NEEDED"},
		"another number where none is asked":   {0, 101, 100, "CONFIRMATION_NEEDED"},
		"the right one where none is asked":    {0, 101, 101, ""},
		"less than nobody":                     {100, 1_000_000, -1, "CONFIRMATION_NEEDED"},
		"nobody in it, whatever is said of it": {100, 0, -1, codeNobody},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := Broadcast{ID: "brd", State: Uploading, Price: 15, Counts: Counts{Audience: tt.people}}
			got, err := Checks{ConfirmAbove: tt.above}.Sealed(b, 17, Sealing{tt.said, "acc"}, start)
			if fault.CodeOf(err) != tt.code || err != nil && fault.KindOf(err) != fault.Conflict {
				t.Fatalf("Sealed error = %v, want code %q", err, tt.code)
			}
			if code := fault.CodeOf(err); code == "CONFIRMATION_NEEDED" && fieldOf(err) != "confirm" {
				t.Errorf("Sealed error is about %q, want confirm", fieldOf(err))
			}
			if sealed := got.State == Running && got.Price == 17 && got.SealedAt.Equal(start) && got.SealedBy == "acc"; sealed != (err == nil) {
				t.Errorf("Sealed = %+v, %v", got, err)
			}
		})
	}
}
