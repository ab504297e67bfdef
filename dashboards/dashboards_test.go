package dashboards

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

func panels() []panel {
	var all []panel
	for _, r := range overview {
		all = append(all, r.panels...)
	}
	return all
}

func TestPanels_showMetricsThatExist(t *testing.T) {
	known := knownMetrics(t)
	for _, p := range panels() {
		for _, q := range p.queries {
			for _, wrong := range unknown(q.expr, known) {
				t.Errorf("panel %s: %s: %s", p.title, q.expr, wrong)
			}
		}
	}
}

var korean = regexp.MustCompile(`\p{Hangul}|^CPU$`)

func TestPanels_areExplained(t *testing.T) {
	titles := map[string]bool{}
	for _, p := range panels() {
		if titles[p.title] {
			t.Errorf("two panels are called %s", p.title)
		}
		titles[p.title] = true
		if !korean.MatchString(p.title) || !korean.MatchString(p.help) || strings.Contains(p.help, "\n") || !strings.HasSuffix(p.help, ".") {
			t.Errorf("panel %s has the help %q, want a line in Korean", p.title, p.help)
		}
		if len(p.queries) == 0 || p.unit == "" {
			t.Errorf("panel %s has %d queries and the unit %q", p.title, len(p.queries), p.unit)
		}
		for _, q := range p.queries {
			// A quantile of nothing is no number; a comparison drops what does not hold; routes and
			// loops are told once they were used, a date while something is due.
			mayBeEmpty := strings.Contains(q.expr, "histogram_quantile") || strings.HasSuffix(q.expr, "> 0") ||
				strings.Contains(q.expr, "malgil_http_") || strings.Contains(q.expr, "malgil_loop_") ||
				strings.Contains(q.expr, "malgil_invoice_deadline_")
			if mayBeEmpty != (p.empty != "") {
				t.Errorf("panel %s says %q of when it is empty; it may be: %v", p.title, p.empty, mayBeEmpty)
			}
		}
	}
}

func TestJSON_isWritten(t *testing.T) {
	want, err := JSON()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(File)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is not what JSON() returns (error %v): run go generate in dashboards", File, err)
	}
}

// Panels stand beside each other and not over each other, each in its own place.
func TestJSON_layout(t *testing.T) {
	text, err := JSON()
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			ID      int
			Title   string
			GridPos struct{ X, Y, W, H int }
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	ids, taken := map[int]bool{}, map[[2]int]string{}
	for _, p := range board.Panels {
		if ids[p.ID] || p.ID == 0 {
			t.Errorf("%s has the id %d, want one of its own", p.Title, p.ID)
		}
		ids[p.ID] = true
		if at := p.GridPos; at.X+at.W > columns {
			t.Errorf("%s goes to column %d, want at most %d", p.Title, at.X+at.W, columns)
		}
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				place := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				if other, ok := taken[place]; ok {
					t.Fatalf("%s and %s are both at %v", other, p.Title, place)
				}
				taken[place] = p.Title
			}
		}
	}
	if want := len(panels()) + len(overview); len(board.Panels) != want {
		t.Errorf("the dashboard has %d panels, want %d", len(board.Panels), want)
	}
}

// Every panel's expression is taken as a rule, so that Prometheus parses it.
func TestPrometheus_takesThePanels(t *testing.T) {
	type rule struct {
		Record string `yaml:"record"`
		Expr   string `yaml:"expr"`
	}
	var all []rule
	for _, p := range panels() {
		for _, q := range p.queries {
			expr := strings.ReplaceAll(q.expr, "$__rate_interval", "1m")
			all = append(all, rule{Record: fmt.Sprintf("panel:%d", len(all)), Expr: expr})
		}
	}
	text, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "panels", "rules": all}}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "panels.yml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "check", "rules", file)
}
