// Command testreport reads what "go test -json" writes and prints what a reader of a log wants:
// a line per package, the output of what failed, and at the end the slowest tests and every one that
// did not run.
// It exits 1 when something failed and, with CI=true, when something did not run.
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

func main() { os.Exit(run(os.Stdin, os.Stdout, os.Getenv("CI") == "true")) }

// event is one line of test2json (go doc cmd/test2json).
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
	Elapsed float64 // seconds
}

// slowest bounds how many tests are named as the slowest.
const slowest = 12

// timed is a test of the top level and how long it took.
type timed struct {
	name    string
	seconds float64
}

// report gathers events. Output is held back until it is known whether it matters.
type report struct {
	out      io.Writer
	output   map[string]map[string][]string // package → test (or "" for the package itself) → lines
	packages int
	passed   int
	failed   []string
	skipped  []string
	times    []timed
}

// run prints the report of one or more runs of go test and returns the exit status.
// strict makes tests that did not run a failure.
func run(in io.Reader, out io.Writer, strict bool) int {
	r := &report{out: out, output: map[string]map[string][]string{}}
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			r.add(line)
		}
		if err != nil {
			break // the end, or a pipe that broke: the other side then reports its own failure
		}
	}
	r.close()
	switch {
	case len(r.failed) > 0, r.packages == 0:
		return 1
	case strict && len(r.skipped) > 0:
		fmt.Fprintln(out, "FAIL: with CI=true every test has to run")
		return 1
	}
	return 0
}

func (r *report) add(line string) {
	var e event
	if json.Unmarshal([]byte(line), &e) != nil {
		fmt.Fprint(r.out, line) // not from test2json; a reader may want it
		return
	}
	switch e.Action {
	case "output":
		if r.output[e.Package] == nil {
			r.output[e.Package] = map[string][]string{}
		}
		r.output[e.Package][e.Test] = append(r.output[e.Package][e.Test], e.Output)
	case "build-output":
		fmt.Fprint(r.out, e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			r.endPackage(e)
		} else {
			r.endTest(e)
		}
	}
}

func (r *report) endTest(e event) {
	name := e.Package + " " + e.Test
	lines := r.output[e.Package][e.Test]
	delete(r.output[e.Package], e.Test)
	if !strings.Contains(e.Test, "/") {
		r.times = append(r.times, timed{name, e.Elapsed})
	}
	switch e.Action {
	case "pass":
		r.passed++
	case "skip":
		r.skipped = append(r.skipped, name+": "+reason(lines))
	case "fail":
		r.failed = append(r.failed, name)
		fmt.Fprint(r.out, strings.Join(lines, ""))
	}
}

// endPackage prints the lines of a package, and for one that failed those of the tests that it
// was in the middle of.
func (r *report) endPackage(e event) {
	r.packages++
	output := r.output[e.Package]
	delete(r.output, e.Package)
	own := output[""]
	delete(output, "")
	if e.Action == "fail" {
		ofItsTests := func(name string) bool { return strings.HasPrefix(name, e.Package+" ") }
		if !slices.ContainsFunc(r.failed, ofItsTests) { // it did not build, or died outside a test's end
			r.failed = append(r.failed, e.Package)
		}
		for _, test := range sortedKeys(output) {
			fmt.Fprint(r.out, strings.Join(output[test], ""))
		}
	}
	for _, line := range own {
		if line != "PASS\n" && !strings.HasSuffix(line, "[no test files]\n") {
			fmt.Fprint(r.out, line)
		}
	}
}

// close prints the summary, and what a run that broke off left open.
func (r *report) close() {
	for _, pkg := range sortedKeys(r.output) {
		r.failed = append(r.failed, pkg+" (broke off)")
		for _, test := range sortedKeys(r.output[pkg]) {
			fmt.Fprint(r.out, strings.Join(r.output[pkg][test], ""))
		}
	}
	slices.SortStableFunc(r.times, func(a, b timed) int { return cmp.Compare(b.seconds, a.seconds) })
	for _, one := range r.times[:min(slowest, len(r.times))] {
		if one.seconds >= 1 {
			fmt.Fprintf(r.out, "%6.1f s  %s\n", one.seconds, one.name)
		}
	}
	fmt.Fprintf(r.out, "\n%d tests passed, %d did not run, %d failures in %d packages\n",
		r.passed, len(r.skipped), len(r.failed), r.packages)
	for _, name := range r.skipped {
		fmt.Fprintln(r.out, "did not run:", name)
	}
	for _, name := range r.failed {
		fmt.Fprintln(r.out, "failed:", name)
	}
}

// reason returns what a test said before it was skipped.
func reason(lines []string) string {
	var said []string
	for _, line := range lines {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "=== ") && !strings.HasPrefix(line, "--- ") {
			said = append(said, line)
		}
	}
	if len(said) == 0 {
		return "no reason given"
	}
	return strings.Join(said, " ")
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
