package main

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/malgil/malgil/internal/metrics"
)

func TestHealth(t *testing.T) {
	healthy := httptest.NewServer(metrics.Handler(prometheus.NewRegistry()))
	defer healthy.Close()
	broken := httptest.NewServer(http.NotFoundHandler())
	defer broken.Close()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()

	address := func(s *httptest.Server) string { return s.Listener.Addr().String() }
	_, port, err := net.SplitHostPort(address(healthy))
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		listen string
		code   int
		says   string
	}{
		"it answers":                      {address(healthy), exitOK, "ok"},
		"it listens on every address":     {"0.0.0.0:" + port, exitOK, "ok"},
		"it listens on every address, v6": {"[::]:" + port, exitOK, "ok"},
		"something else answers":          {address(broken), exitFailed, "404"},
		"nothing answers":                 {address(gone), exitFailed, "nothing answers"},
		"the setting is no address":       {"metrics", exitUsage, "MALGIL_METRICS_LISTEN"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Setenv("MALGIL_METRICS_LISTEN", tt.listen)
			var stdout, stderr bytes.Buffer
			code := run(context.Background(), []string{"health"}, &stdout, &stderr)
			if said := stdout.String() + stderr.String(); code != tt.code || !strings.Contains(said, tt.says) {
				t.Errorf("health at %s = exit %d, %q, want %d and %q", tt.listen, code, said, tt.code, tt.says)
			}
		})
	}
}
