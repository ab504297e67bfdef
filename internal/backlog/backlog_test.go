package backlog_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/malgil/malgil/internal/backlog"
	"github.com/malgil/malgil/internal/fault"
)

// The words are stored and are in metrics: by hand, so that none changes.
func TestCauses(t *testing.T) {
	const want = "panic timeout undecodable unknown_type lease_expired unrecorded " +
		"internal invalid not_found conflict refused unauthenticated forbidden throttled unavailable in_doubt"
	var got []string
	for _, c := range backlog.Causes {
		got = append(got, string(c))
	}
	if text := strings.Join(got, " "); text != want {
		t.Errorf("Causes = %s, want %s", text, want)
	}
	if got := backlog.CauseOf(fault.InDoubt); got != "in_doubt" {
		t.Errorf("CauseOf(InDoubt) = %s", got)
	}
}

func TestText(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"as it is":       {"claim chunk 42: busy", "claim chunk 42: busy"},
		"of two lines":   {" a\nb\x00\xffc ", "a b  c"},
		"the longest":    {strings.Repeat("x", 500), strings.Repeat("x", 500)},
		"longer":         {strings.Repeat("x", 501), strings.Repeat("x", 497) + "…"},
		"cut in Korean":  {strings.Repeat("가", 167), strings.Repeat("가", 165) + "…"},
		"turns the line": {"a\u202eb", "a b"},
	} {
		got := backlog.Text(tt.text)
		if got != tt.want || len(got) > backlog.MaxText || !utf8.ValidString(got) {
			t.Errorf("%s: Text(%.20q) = %q of %d bytes, want %q", name, tt.text, got, len(got), tt.want)
		}
	}
}

func TestDead_Work(t *testing.T) {
	for _, tt := range []struct {
		d    backlog.Dead
		want string
	}{
		{backlog.Dead{TaskID: "chunk:brd_1-000001:3", RowID: "brd_1-000001"}, "chunk"},
		{backlog.Dead{TaskID: "0b8d3c52-8f0e-4a8e-9c59-5c7b7a2d9f10"}, ""},
		{backlog.Dead{TaskID: "0b8d3c52", RowID: "x"}, ""},
	} {
		if got := tt.d.Work(); got != tt.want {
			t.Errorf("Work of %s = %q, want %q", tt.d.TaskID, got, tt.want)
		}
	}
}

func TestPick_Check(t *testing.T) {
	for name, tt := range map[string]struct {
		pick backlog.Pick
		good bool
	}{
		"nothing":           {},
		"ids":               {backlog.Pick{IDs: []string{"dead_1"}}, true},
		"too many":          {backlog.Pick{IDs: make([]string, backlog.MaxPick+1)}, false},
		"a group":           {backlog.Pick{Type: "mail:send", Cause: "panic"}, true},
		"half a group":      {backlog.Pick{Type: "mail:send"}, false},
		"ids and a group":   {backlog.Pick{IDs: []string{"dead_1"}, Type: "mail:send", Cause: "panic"}, false},
		"ids from an id on": {backlog.Pick{IDs: []string{"dead_1"}, After: "dead_0"}, false},
	} {
		if err := tt.pick.Check(); (err == nil) != tt.good {
			t.Errorf("%s: Check() error = %v, want none: %v", name, err, tt.good)
		}
	}
}

func TestPause_Check(t *testing.T) {
	now := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		pause backlog.Pause
		field string
	}{
		"a week":       {backlog.Pause{Until: now.Add(backlog.MaxPause)}, ""},
		"over already": {backlog.Pause{Until: now}, "until"},
		"without end":  {backlog.Pause{}, "until"},
		"too long":     {backlog.Pause{Until: now.Add(backlog.MaxPause + time.Second)}, "until"},
	} {
		tt.pause.Since = now
		err := tt.pause.Check()
		var e *fault.Error
		field := ""
		if err != nil {
			e, _ = err.(*fault.Error)
			field = e.Field
		}
		if field != tt.field {
			t.Errorf("%s: Check() = %v, want one about %q", name, err, tt.field)
		}
	}
}
