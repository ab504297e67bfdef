package testserver_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/apiclient"
	"github.com/malgil/malgil/internal/testserver"
)

// A Prometheus scrapes what its configuration names, answers questions about it, and is gone with its test.
func TestPrometheus(t *testing.T) {
	scraped := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "words_said_total 42")
	}))
	t.Cleanup(scraped.Close)
	var url string
	t.Run("while its test runs", func(t *testing.T) {
		url = testserver.Prometheus(t, `
global: {scrape_interval: 100ms}
scrape_configs:
  - job_name: words
    static_configs:
      - targets: ["`+scraped.Listener.Addr().String()+`"]
`)
		server := apiclient.New(url, "")
		var answer struct {
			Data struct {
				Result []struct {
					Metric map[string]string
					Value  [2]any
				}
			}
		}
		limit, tick := time.After(time.Minute), time.NewTicker(50*time.Millisecond)
		defer tick.Stop()
		for {
			if err := server.Call(t.Context(), "GET", "/api/v1/query?query=words_said_total", nil, &answer); err != nil {
				t.Fatal(err)
			}
			if r := answer.Data.Result; len(r) == 1 {
				if r[0].Metric["job"] != "words" || r[0].Value[1] != "42" {
					t.Errorf("words_said_total is %+v, want 42 of the job words", r)
				}
				return
			}
			select {
			case <-tick.C:
			case <-limit:
				t.Fatal("nothing was scraped within a minute")
			}
		}
	})
	if conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://")); err == nil {
		_ = conn.Close()
		t.Errorf("%s still answers after its test", url)
	}
}
