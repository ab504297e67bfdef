package fault_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/malgil/malgil/internal/fault"
)

func TestLine(t *testing.T) {
	for name, tt := range map[string]struct {
		text, want string
		wrong      bool
	}{
		"nothing":           {"", "", false},
		"spaces":            {" \t\n", "", false},
		"spaces around it":  {" 상호 \n", "상호", false},
		"the most bytes":    {strings.Repeat("가", 4), "가가가가", false},
		"a byte more":       {strings.Repeat("가", 4) + "a", "", true},
		"two lines":         {"a\nb", "", true},
		"a line separator":  {"a\u2028b", "", true},
		"a turn of reading": {"a\u202eb", "", true},
		"a NUL":             {"a\x00b", "", true},
		"no UTF-8":          {"a\xffb", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := fault.Line("note", tt.text, 12)
			var f *fault.Error
			if wrong := errors.As(err, &f) && f.Kind == fault.Invalid && f.Field == "note"; got != tt.want || wrong != tt.wrong || !wrong && err != nil {
				t.Errorf("Line(%q) = %q, %v, want %q, wrong %t", tt.text, got, err, tt.want, tt.wrong)
			}
		})
	}
}
