package dashboards

import (
	"bytes"
	"context"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/malgil/malgil/internal/testserver"
)

// rule is a rule of Prometheus, which has either an alert or a record.
type rule struct {
	Alert, Record, Expr string
	Labels, Annotations map[string]string
}

// readRules returns the rules of a file.
func readRules(t *testing.T, file string) []rule {
	t.Helper()
	var read struct{ Groups []struct{ Rules []rule } }
	readYAML(t, file, &read)
	var all []rule
	for _, group := range read.Groups {
		all = append(all, group.Rules...)
	}
	return all
}

func readYAML(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("read %s: %v", file, err)
	}
}

const (
	alertsFile  = "prometheus/alerts.yml"
	recordsFile = "prometheus/records.yml"
	casesFile   = "prometheus/alerts_test.yml"
)

var recordName = regexp.MustCompile(`^malgil:[a-z_]+:[a-z0-9_]+$`)

// addRecords adds the names that Prometheus itself makes of known ones.
func addRecords(t *testing.T, known map[string][]string) {
	t.Helper()
	for _, r := range readRules(t, recordsFile) {
		known[r.Record] = readPromQL(r.Expr).labels
	}
}

func TestRecords(t *testing.T) {
	known, seen := knownMetrics(t), map[string]bool{}
	for _, r := range readRules(t, recordsFile) {
		if !recordName.MatchString(r.Record) || seen[r.Record] {
			t.Errorf("a rule records %q, want malgil:<thing>:<operation>, once", r.Record)
		}
		seen[r.Record] = true
		for _, wrong := range unknown(r.Expr, known) {
			t.Errorf("record %s: %s", r.Record, wrong)
		}
	}
	if len(seen) == 0 {
		t.Error("there are no records")
	}
}

// fedBy are the metrics that an expression takes in the end, whatever is recorded in between.
func fedBy(expr string, records []rule) []string {
	var fed []string
	for _, name := range readPromQL(expr).metrics {
		i := slices.IndexFunc(records, func(r rule) bool { return r.Record == name })
		if i < 0 {
			fed = append(fed, name)
			continue
		}
		fed = append(fed, fedBy(records[i].Expr, records[:i])...) // only what stands before: no circle
	}
	return fed
}

func TestAlerts(t *testing.T) {
	known := knownMetrics(t)
	sections := sections(t)
	tested := readCases(t)
	records, alerts := readRules(t, recordsFile), readRules(t, alertsFile)
	if len(alerts) == 0 {
		t.Error("there are no alerts")
	}
	for _, rule := range alerts {
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
		if got := tested.of(rule.Alert, fedBy(rule.Expr, records)); !got.fires || !got.silent {
			t.Errorf("alert %s fires in alerts_test.yml: %v, and stays silent over its own metrics: %v; want both", rule.Alert, got.fires, got.silent)
		}
	}
}

// cases is what alerts_test.yml expects.
type cases struct {
	Tests []struct {
		Series []struct{ Series string } `yaml:"input_series"`
		Alerts []struct {
			Name  string `yaml:"alertname"`
			Fires []any  `yaml:"exp_alerts"`
		} `yaml:"alert_rule_test"`
	}
}

func readCases(t *testing.T) cases {
	t.Helper()
	var c cases
	readYAML(t, casesFile, &c)
	return c
}

type seen struct{ fires, silent bool }

// of says what is expected of an alert over these metrics. Silence where none of them is told proves
// nothing, so it does not count.
func (c cases) of(alert string, metrics []string) seen {
	var s seen
	for _, test := range c.Tests {
		told := slices.ContainsFunc(test.Series, func(in struct{ Series string }) bool {
			name, _, _ := strings.Cut(in.Series, "{")
			return slices.Contains(metrics, name)
		})
		for _, a := range test.Alerts {
			if a.Name == alert {
				s.fires = s.fires || len(a.Fires) > 0
				s.silent = s.silent || len(a.Fires) == 0 && told
			}
		}
	}
	return s
}

func TestCases(t *testing.T) {
	const text = `
tests:
  - input_series: [{series: 'a{x="1"}', values: "1x5"}, {series: b, values: "0"}]
    alert_rule_test:
      - {alertname: Both, eval_time: 1m, exp_alerts: []}
      - {alertname: Both, eval_time: 2m, exp_alerts: [{exp_labels: {x: "1"}}]}
      - {alertname: Silent, eval_time: 1m, exp_alerts: []}
  - input_series: [{series: other, values: "0"}]
    alert_rule_test:
      - {alertname: Empty, eval_time: 1m, exp_alerts: []}
      - {alertname: Empty, eval_time: 2m, exp_alerts: [{}]}
`
	var c cases
	if err := yaml.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	tests := map[string]seen{
		"Both":   {fires: true, silent: true},
		"Silent": {silent: true},
		"Empty":  {fires: true},
		"None":   {},
	}
	for alert, want := range tests {
		if got := c.of(alert, []string{"a", "c"}); got != want {
			t.Errorf("of(%s) = %+v, want %+v", alert, got, want)
		}
	}
}

var scaledBy = regexp.MustCompile(`(?m)^ +query: (.+)$`)

// What docs/operations.md scales workers by is told by malgil.
func TestScaling(t *testing.T) {
	text, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	queries, known := scaledBy.FindAllSubmatch(text, -1), knownMetrics(t)
	if len(queries) == 0 {
		t.Error("docs/operations.md scales nothing")
	}
	for _, query := range queries {
		for _, wrong := range unknown(string(query[1]), known) {
			t.Errorf("%s: %s", query[1], wrong)
		}
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
func promtool(t *testing.T, args ...string) { judge(t, "promtool", "prometheus", args...) }

// amtool runs Alertmanager's own judge, and returns what it says.
func amtool(t *testing.T, args ...string) string {
	return judge(t, "amtool", "prometheus-alertmanager", args...)
}

// judge runs a program of a package of Debian's, which must find nothing wrong, and returns its output.
func judge(t *testing.T, program, debian string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		testserver.Missing(t, program+" is not installed", "install Debian's package "+debian)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var complaints bytes.Buffer
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stderr = &complaints
	output, err := cmd.Output()
	if err != nil {
		t.Errorf("%s %s: %v\n%s%s", program, strings.Join(args, " "), err, output, complaints.Bytes())
	}
	return string(output)
}

func TestPrometheus_takesTheConfiguration(t *testing.T) {
	promtool(t, "check", "config", "prometheus/prometheus.yml")
}

func TestPrometheus_alertsFireWhenTheyShould(t *testing.T) {
	promtool(t, "test", "rules", casesFile)
}

const alertmanager = "prometheus/alertmanager.yml"

func TestAlertmanager_takesTheConfiguration(t *testing.T) {
	amtool(t, "check-config", alertmanager)
}

// An alert reaches the receiver that is called as its severity, and one without reaches somebody.
func TestAlertmanager_tellsSomebodyOfEach(t *testing.T) {
	receivers := map[string]string{"none": "ticket"}
	for _, rule := range readRules(t, alertsFile) {
		receivers[rule.Labels["severity"]] = rule.Labels["severity"]
	}
	if len(receivers) != 3 {
		t.Errorf("alerts have the severities %v, want page and ticket", slices.Sorted(maps.Keys(receivers)))
	}
	for severity, want := range receivers {
		if got := strings.TrimSpace(amtool(t, "config", "routes", "test", "--config.file="+alertmanager, "severity="+severity)); got != want {
			t.Errorf("an alert of the severity %s goes to %q, want %s", severity, got, want)
		}
	}
}
