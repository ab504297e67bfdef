package metrics_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/malgil/malgil/internal/metrics"
)

func TestServeOn(t *testing.T) {
	reg := prometheus.NewRegistry()
	metrics.New(reg).Messages("delivered", 12)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- metrics.ServeOn(ctx, listener, reg) }()

	base := "http://" + listener.Addr().String()
	if status, body := get(t, base+"/metrics"); status != 200 || !strings.Contains(body, `malgil_messages_total{outcome="delivered"} 12`) {
		t.Errorf("GET /metrics = %d, %d bytes without the count, want 200 with it", status, len(body))
	}
	if status, body := get(t, base+"/healthz"); status != 200 || body != "ok\n" {
		t.Errorf("GET /healthz = %d %q, want 200 ok", status, body)
	}
	if status, _ := get(t, base+"/debug/pprof/"); status != 404 {
		t.Errorf("GET /debug/pprof/ = %d, want 404", status)
	}

	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("ServeOn() after its context ended = %v, want nil", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("ServeOn() did not return after its context ended")
	}
}

func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	content, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(content)
}
