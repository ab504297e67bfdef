package acceptance_test

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/malgil/malgil/internal/app"
	"github.com/malgil/malgil/internal/queue"
	"github.com/malgil/malgil/internal/store"
	"github.com/malgil/malgil/tasks"
)

// BenchmarkIntake measures how many orders a house without workers takes in, beside a bare handler
// that reads the same body, commits one row to a database of the same kind and enqueues one task into
// the same Redis, each through the same client. of_bare is the share of the bare handler's throughput.
// What the intake takes in of utterances, malgil load --utterances measures.
func BenchmarkIntake(b *testing.B) {
	var redis, db string
	h := open(b, plan{noPools: true, log: slog.DiscardHandler, config: func(c *app.Config) {
		if c.Redis == "" {
			mini := miniredis.RunT(b)
			c.Redis = "redis://" + mini.Addr()
		}
		redis, db = c.Redis, c.DB
	}})
	if !strings.HasPrefix(db, "postgres") { // a SQLite file has one process's store
		db = "sqlite:" + filepath.Join(b.TempDir(), "bare.db")
	}
	s := h.openShop(0)
	bare := bareHandler(b, db, redis)

	order := fmt.Sprintf(`{"bot":%q,"event":{"name":%q},"start_at":%q,"recipients":[{"type":"botUserKey","id":"reader-1"}]}`,
		s.bot, event, h.now().Add(30*24*time.Hour).Format(time.RFC3339))
	var bareTime time.Duration
	b.Run("bare", func(b *testing.B) { bareTime = h.load(b, bare, order) })
	b.Run("malgil", func(b *testing.B) {
		if ours := h.load(b, h.url+"/api/v1/broadcasts", order); bareTime > 0 {
			b.ReportMetric(bareTime.Seconds()/ours.Seconds(), "of_bare")
		}
	})
}

// load posts b.N bodies, some at a time for each processor, and returns the time of one.
func (h *house) load(b *testing.B, address, body string) time.Duration {
	b.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 4096}
	defer transport.CloseIdleConnections()
	client := http.Client{Transport: transport, Timeout: time.Minute}
	var keys atomic.Int64
	run := time.Now().UnixNano()
	b.SetParallelism(16)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			request, err := http.NewRequestWithContext(b.Context(), http.MethodPost, address, strings.NewReader(body))
			if err != nil {
				b.Error(err)
				return
			}
			request.Header.Set("Content-Type", "application/json")
			request.Header.Set("Authorization", "Bearer "+h.token)
			request.Header.Set("Idempotency-Key", fmt.Sprintf("%d-%d", run, keys.Add(1)))
			answer, err := client.Do(request)
			if err != nil {
				b.Error(err)
				return
			}
			text, err := io.ReadAll(answer.Body)
			_ = answer.Body.Close()
			if err != nil || answer.StatusCode != http.StatusAccepted {
				b.Errorf("answer %s %s (%v), want %d", answer.Status, text, err, http.StatusAccepted)
				return
			}
		}
	})
	return b.Elapsed() / time.Duration(b.N)
}

// bareHandler serves the least that an intake of orders could do.
func bareHandler(b *testing.B, db, redis string) (address string) {
	b.Helper()
	where, err := queue.ParseAddress(redis)
	if err != nil {
		b.Fatal(err)
	}
	client := queue.NewClient(where.EnqueueClient())
	rows, err := store.OpenBare(b.Context(), db)
	if err != nil {
		b.Fatal(err)
	}
	door, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	var made atomic.Int64
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := fmt.Sprintf("bare-%d", made.Add(1))
		_, err := io.ReadAll(r.Body)
		if err == nil {
			err = rows.Add(r.Context(), []string{id})
		}
		if err == nil {
			err = client.Enqueue(r.Context(), tasks.NewSendChunk(tasks.Row{ID: id, Epoch: 1}))
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	})}
	ended := make(chan struct{})
	go func() { _ = server.Serve(door); close(ended) }()
	b.Cleanup(func() {
		_ = server.Close()
		<-ended
		_, _ = client.Close(), rows.Close()
	})
	return "http://" + door.Addr().String()
}
