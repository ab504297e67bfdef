package app

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/malgil/malgil/internal/metrics"
)

func TestVersionFailures(t *testing.T) {
	var log bytes.Buffer
	reg := prometheus.NewRegistry()
	tell := versionFailures(metrics.New(reg), slog.New(slog.NewTextHandler(&log, nil)))
	tell("66a1", 5, errors.New("torn"), false)
	tell("66a1", 5, errors.New("torn"), true)
	if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "bot_id=66a1 version=5 err=torn") {
		t.Errorf("the log says\n%s\nwant the version, once", got)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counted := -1.0
	for _, f := range families {
		if f.GetName() == "malgil_bot_version_failures_total" {
			counted = f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	if counted != 2 {
		t.Errorf("malgil_bot_version_failures_total = %v, want both tries", counted)
	}
}
