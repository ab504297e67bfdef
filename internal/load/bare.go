package load

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/malgil/malgil/internal/queue"
)

// bareQueue carries what the bare handler enqueues; nothing listens on it.
const bareQueue = "load_bare"

// bareAnswer is what the bare handler always says.
const bareAnswer = `{"version":"2.0","template":{"outputs":[{"simpleText":{"text":"ok"}}]}}`

// ServeBare serves the least that an intake could be until ctx ends, to compare with: it reads what
// is posted, enqueues one task with it and answers. It tells what the process uses under /metrics.
func ServeBare(ctx context.Context, redis, listen string) error {
	address, err := queue.ParseAddress(redis)
	if err != nil {
		return err
	}
	conn := address.EnqueueClient() // of the kind that the intake has
	defer conn.Close()
	client := asynq.NewClientFromRedisClient(conn)
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	var made atomic.Int64
	run := strconv.FormatInt(time.Now().UnixNano(), 36) + "-"
	mux.HandleFunc("POST /", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			task := asynq.NewTask("load:bare", body, asynq.TaskID(run+strconv.FormatInt(made.Add(1), 10)),
				asynq.Queue(bareQueue), asynq.MaxRetry(0), asynq.Timeout(time.Minute))
			_, err = client.EnqueueContext(r.Context(), task)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		_, _ = io.WriteString(w, bareAnswer)
	})
	door, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.Serve(door); ctx.Err() == nil {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}
