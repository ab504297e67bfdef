package metrics_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/malgil/malgil/internal/metrics"
	"github.com/malgil/malgil/internal/queue"
	"github.com/malgil/malgil/internal/store"
	"github.com/malgil/malgil/internal/testserver"
	"github.com/malgil/malgil/tasks"
)

// waitingTasks is how many tasks wait while it is measured what a scrape costs.
const waitingTasks = 100_000

// BenchmarkScrape scrapes a process over HTTP while 100,000 tasks wait in a Redis of its own, and tells beside
// the time of the scrape how long Redis was busy for it by its own count (redis-ms/op) and with how many
// commands. Each scrape looks anew: what was seen five seconds ago would be told again.
func BenchmarkScrape(b *testing.B) {
	server := testserver.Redis(b)
	address, err := queue.ParseAddress(server.URL())
	if err != nil {
		b.Fatal(err)
	}
	conn := address.ServerClient()
	defer conn.Close()
	fill(b, conn, waitingTasks)
	inspector := queue.NewInspector(address.InspectClient())
	defer inspector.Close()
	if depth, err := inspector.Depth(b.Context(), tasks.QueueBroadcast); err != nil || depth.Pending != waitingTasks {
		b.Fatalf("Depth = %+v, %v, want %d tasks that wait", depth, err, waitingTasks)
	}
	noRows := &rows{sample: func(context.Context, int) (store.Sample, error) { return store.Sample{}, nil }}
	scrape := func() {
		reg := prometheus.NewRegistry()
		metrics.New(reg)
		reg.MustRegister(metrics.NewSampler(inspector, noRows, time.Now))
		answer := httptest.NewRecorder()
		metrics.Handler(reg).ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody))
		if answer.Code != http.StatusOK {
			b.Fatalf("GET /metrics = %d", answer.Code)
		}
	}
	scrape() // connections and scripts are there from now on
	busy, calls := commandStats(b, conn)
	for b.Loop() {
		scrape()
	}
	b.StopTimer()
	busyAfter, callsAfter := commandStats(b, conn)
	perScrape := (busyAfter - busy).Seconds() * 1000 / float64(b.N)
	b.ReportMetric(perScrape, "redis-ms/op")
	b.ReportMetric(float64(callsAfter-calls)/float64(b.N), "commands/op")
	if perScrape > 20 {
		b.Errorf("a scrape keeps Redis busy for %.1f ms, want less than 20", perScrape)
	}
}

// fill puts tasks into the queue of broadcasts as asynq keeps those that wait.
func fill(b *testing.B, conn redis.UniversalClient, n int) {
	b.Helper()
	const batch = 10_000
	for from := 0; from < n; from += batch {
		_, err := conn.Pipelined(b.Context(), func(pipe redis.Pipeliner) error {
			for i := from; i < from+batch; i++ {
				id := fmt.Sprintf("chunk:brd_1-%06d:1", i)
				pipe.HSet(b.Context(), "asynq:{broadcast}:t:"+id, "msg", "x", "state", "pending", "pending_since", time.Now().UnixNano())
				pipe.LPush(b.Context(), "asynq:{broadcast}:pending", id)
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

var commandLine = regexp.MustCompile(`cmdstat_([a-z|_-]+):calls=(\d+),usec=(\d+),`)

// commandStats tells how long a Redis has worked on commands so far, and on how many.
func commandStats(b *testing.B, conn redis.UniversalClient) (busy time.Duration, calls int64) {
	b.Helper()
	text, err := conn.Info(b.Context(), "commandstats").Result()
	if err != nil {
		b.Fatal(err)
	}
	for _, line := range commandLine.FindAllStringSubmatch(text, -1) {
		n, _ := strconv.ParseInt(line[2], 10, 64)
		micros, _ := strconv.ParseInt(line[3], 10, 64)
		busy, calls = busy+time.Duration(micros)*time.Microsecond, calls+n
	}
	if calls == 0 {
		b.Fatalf("INFO commandstats tells nothing: %q", text)
	}
	return busy, calls
}
