package dashboards

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/malgil/malgil/internal/holiday"
	"github.com/malgil/malgil/internal/metrics"
	"github.com/malgil/malgil/internal/queue"
	"github.com/malgil/malgil/internal/store"
	"github.com/malgil/malgil/internal/testserver"
	"github.com/malgil/malgil/internal/wallet"
)

type noQueues struct{}

func (noQueues) Depth(context.Context, string) (queue.Depth, error)           { return queue.Depth{}, nil }
func (noQueues) OldestWaiting(context.Context, string) (time.Duration, error) { return 0, nil }

type noRows struct{}

func (noRows) Sample(_ context.Context, now time.Time) (store.Sample, error) {
	return store.Sample{Wallets: map[string]int64{"ACTIVE": 0}, Differences: map[string]wallet.KRW{"balance": 0}, InvoiceDeadline: now}, nil
}

// knownMetrics are the names that a process of malgil tells, each with its labels. A histogram
// has three names.
func knownMetrics(t *testing.T) map[string][]string {
	t.Helper()
	reg := prometheus.NewRegistry()
	m := metrics.New(reg)
	reg.MustRegister(metrics.NewSampler(noQueues{}, noRows{}, time.Now), metrics.NewHolidays(holiday.Default(), time.Now))
	m.HTTPServed("/healthz", "GET", 200, time.Millisecond) // routes and loops are known once they were used
	m.LoopRan("sweep", time.Millisecond, nil)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	known := map[string][]string{"up": nil}
	for _, family := range families {
		var labels []string
		for _, pair := range family.GetMetric()[0].GetLabel() {
			labels = append(labels, pair.GetName())
		}
		name := family.GetName()
		if family.GetType() != dto.MetricType_HISTOGRAM {
			known[name] = labels
			continue
		}
		known[name+"_bucket"] = append(slices.Clone(labels), "le")
		known[name+"_sum"], known[name+"_count"] = labels, labels
	}
	return known
}

// targetLabels are what Prometheus adds to every series (prometheus/prometheus.yml).
var targetLabels = []string{"job", "instance", "role"}

// unknown says what of an expression no process of malgil tells.
func unknown(expr string, known map[string][]string) []string {
	var wrong []string
	used := readPromQL(expr)
	if len(used.metrics) == 0 {
		wrong = append(wrong, "it takes no metric")
	}
	labels := slices.Clone(targetLabels)
	for _, name := range used.metrics {
		has, ok := known[name]
		if !ok {
			wrong = append(wrong, "there is no metric "+name)
		}
		labels = append(labels, has...)
	}
	for _, label := range used.labels {
		if !slices.Contains(labels, label) {
			wrong = append(wrong, "none of its metrics has the label "+label)
		}
	}
	return wrong
}

func TestUnknown(t *testing.T) {
	known := knownMetrics(t)
	tests := map[string]struct {
		expr  string
		wrong int
	}{
		"all there":              {`sum by (outcome) (rate(malgil_answers_total[5m]))`, 0},
		"a metric that is not":   {`rate(malgil_answer_total[5m])`, 1},
		"a histogram as a whole": {`rate(malgil_task_duration_seconds[5m])`, 1},
		"a label that is not":    {`malgil_chunks{status="sent"}`, 1},
		"a group that is not":    {`max by (state, broadcast_id) (malgil_chunks)`, 1},
		"no metric":              {`vector(1)`, 1},
		"a target's label":       {`sum by (role) (go_goroutines{job="malgil"})`, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := unknown(tt.expr, known); len(got) != tt.wrong {
				t.Errorf("unknown(%s) = %q, want %d", tt.expr, got, tt.wrong)
			}
		})
	}
}

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

// rules is a file of alert rules.
type rules struct {
	Groups []struct {
		Rules []struct {
			Alert, Expr         string
			Labels, Annotations map[string]string
		}
	}
}

func readRules(t *testing.T) rules {
	t.Helper()
	text, err := os.ReadFile("prometheus/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	var r rules
	if err := yaml.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAlerts(t *testing.T) {
	known := knownMetrics(t)
	sections := sections(t)
	tested, err := os.ReadFile("prometheus/alerts_test.yml")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, group := range readRules(t).Groups {
		for _, rule := range group.Rules {
			n++
			for _, wrong := range unknown(rule.Expr, known) {
				t.Errorf("alert %s: %s", rule.Alert, wrong)
			}
			file, anchor, _ := strings.Cut(rule.Annotations["runbook"], "#")
			if file != "docs/operations.md" || anchor != strings.ToLower(rule.Alert) || !slices.Contains(sections, anchor) {
				t.Errorf("alert %s links %q, want a section of docs/operations.md of its own", rule.Alert, rule.Annotations["runbook"])
			}
			if severity := rule.Labels["severity"]; severity != "page" && severity != "ticket" {
				t.Errorf("alert %s has the severity %q, want page or ticket", rule.Alert, severity)
			}
			if !korean.MatchString(rule.Annotations["summary"]) {
				t.Errorf("alert %s has the summary %q, want one in Korean", rule.Alert, rule.Annotations["summary"])
			}
			if !bytes.Contains(tested, []byte("alertname: "+rule.Alert)) {
				t.Errorf("alert %s is not in alerts_test.yml", rule.Alert)
			}
		}
	}
	if n == 0 {
		t.Error("there are no alerts")
	}
}

var heading = regexp.MustCompile(`(?m)^#+ +(.+)$`)

// sections are the anchors of the headings of docs/operations.md.
func sections(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	var anchors []string
	for _, match := range heading.FindAllSubmatch(text, -1) {
		anchors = append(anchors, strings.ReplaceAll(strings.ToLower(string(match[1])), " ", "-"))
	}
	return anchors
}

// promtool runs Prometheus' own judge.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		testserver.Missing(t, "promtool is not installed", "install Debian's package prometheus")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, output)
	}
}

func TestPrometheus_takesTheConfiguration(t *testing.T) {
	promtool(t, "check", "config", "prometheus/prometheus.yml")
}

func TestPrometheus_alertsFireWhenTheyShould(t *testing.T) {
	promtool(t, "test", "rules", "prometheus/alerts_test.yml")
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
