package dashboards

import (
	"bytes"
	"context"
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
