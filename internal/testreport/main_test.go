package main

import (
	"encoding/json"
	"strings"
	"testing"
)

func stream(t *testing.T, events ...event) string {
	t.Helper()
	var b strings.Builder
	for _, e := range events {
		line, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(line, '\n'))
	}
	return b.String()
}

func TestRun(t *testing.T) {
	passing := []event{
		{Action: "output", Package: "p", Test: "TestA", Output: "noise\n"},
		{Action: "pass", Package: "p", Test: "TestA/inner", Elapsed: 9},
		{Action: "pass", Package: "p", Test: "TestA", Elapsed: 12.34},
		{Action: "pass", Package: "p", Test: "TestQuick", Elapsed: 0.9},
		{Action: "output", Package: "p", Output: "PASS\n"},
		{Action: "output", Package: "p", Output: "ok  \tp\t0.1s\n"},
		{Action: "pass", Package: "p"},
	}
	skipping := []event{
		{Action: "output", Package: "q", Test: "TestB", Output: "=== RUN   TestB\n"},
		{Action: "output", Package: "q", Test: "TestB", Output: "    b_test.go:3: no redis-server\n"},
		{Action: "output", Package: "q", Test: "TestB", Output: "--- SKIP: TestB (0.00s)\n"},
		{Action: "skip", Package: "q", Test: "TestB"},
		{Action: "pass", Package: "q"},
	}
	failing := []event{
		{Action: "output", Package: "r", Test: "TestC", Output: "    c_test.go:9: F(1) = 2, want 3\n"},
		{Action: "fail", Package: "r", Test: "TestC"},
		{Action: "output", Package: "r", Output: "FAIL\tr\t0.1s\n"},
		{Action: "fail", Package: "r"},
	}
	tests := map[string]struct {
		events []event
		raw    string // in front of the events
		strict bool
		want   int
		shows  []string
		hides  []string
	}{
		"all passed": {events: passing, want: 0,
			shows: []string{"ok  \tp\t0.1s", "  12.3 s  p TestA\n", "3 tests passed, 0 did not run, 0 failures in 1 packages"}, hides: []string{"noise", "PASS", "inner", "TestQuick"}},
		"one did not run": {events: append(passing, skipping...), want: 0,
			shows: []string{"did not run: q TestB: b_test.go:3: no redis-server"}},
		"one did not run where all must": {events: append(passing, skipping...), strict: true, want: 1,
			shows: []string{"did not run: q TestB", "FAIL: with CI=true"}},
		"all ran where all must": {events: passing, strict: true, want: 0},
		"one failed": {events: append(passing, failing...), want: 1,
			shows: []string{"F(1) = 2, want 3", "FAIL\tr", "failed: r TestC", "1 failures in 2 packages"}},
		"a package without tests is no test that did not run": {strict: true, want: 0,
			events: append(passing, event{Action: "output", Package: "s", Output: "?   \ts\t[no test files]\n"}, event{Action: "skip", Package: "s"})},
		"a panic in the middle of a test": {want: 1, shows: []string{"goroutine 7", "failed: p"},
			events: []event{{Action: "output", Package: "p", Test: "TestA", Output: "panic: x\ngoroutine 7\n"}, {Action: "fail", Package: "p"}}},
		"a package that does not build": {want: 1, shows: []string{"undefined: x", "failed: p"},
			events: []event{{Action: "build-output", Output: "p.go:1: undefined: x\n"}, {Action: "fail", Package: "p"}}},
		"broken off":                     {events: failing[:1], want: 1, shows: []string{"failed: r (broke off)"}},
		"nothing at all":                 {want: 1},
		"a line that is not test2json's": {raw: "go: a warning\n", events: passing, want: 0, shows: []string{"go: a warning"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			if got := run(strings.NewReader(tt.raw+stream(t, tt.events...)), &out, tt.strict); got != tt.want {
				t.Errorf("run() = %d, want %d\n%s", got, tt.want, out.String())
			}
			for _, want := range tt.shows {
				if !strings.Contains(out.String(), want) {
					t.Errorf("run() does not show %q:\n%s", want, out.String())
				}
			}
			for _, not := range tt.hides {
				if strings.Contains(out.String(), not) {
					t.Errorf("run() shows %q:\n%s", not, out.String())
				}
			}
		})
	}
}
