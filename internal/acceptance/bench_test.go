package acceptance_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/hibiken/asynq"

	"github.com/malgil/malgil/internal/app"
	"github.com/malgil/malgil/internal/queue"
	"github.com/malgil/malgil/tasks"
)

// BenchmarkIntake measures how many orders and utterances a house without workers takes in, beside
// a bare handler that reads the same body and enqueues one task into the same Redis through the
// same client. of_bare is the share of the bare handler's throughput.
//
// An order is committed to disk before it is answered, so on a slow disk it is the disk that is
// measured. An utterance is enqueued, waited for a tenth of a second, and answered by the intake
// itself: many wait at a time, as many as it takes to keep it busy. Those that the queue was too slow
// for were answered inline and not enqueued; inline/op is their share.
func BenchmarkIntake(b *testing.B) {
	var redis string
	h := open(b, plan{noPools: true, log: slog.DiscardHandler, config: func(c *app.Config) {
		if c.Redis == "" {
			mini := miniredis.RunT(b)
			c.Redis = "redis://" + mini.Addr()
		}
		redis = c.Redis
		c.ReplyBudget, c.CallbackBudget = 100*time.Millisecond, 100*time.Millisecond
	}})
	s := h.openShop(0)
	bare := bareHandler(b, redis)

	order := fmt.Sprintf(`{"bot":%q,"event":{"name":%q},"start_at":%q,"recipients":[{"type":"botUserKey","id":"reader-1"}]}`,
		s.bot, event, h.now().Add(30*24*time.Hour).Format(time.RFC3339))
	utterance := fmt.Sprintf(`{"bot":{"id":%q},"userRequest":{"utterance":%q,"user":{"id":"u-1"}}}`, s.bot, hoursName)
	for _, load := range []struct {
		name, address, bare, body string
		status, atATime           int
	}{
		{"order", h.url + "/api/v1/broadcasts", bare + "/broadcast", order, http.StatusAccepted, 16},
		{"utterance", s.skillURL, bare + "/reply", utterance, http.StatusOK, 250},
	} {
		b.Run(load.name, func(b *testing.B) {
			var bareTime, ours time.Duration
			b.Run("bare", func(b *testing.B) { bareTime = h.load(b, load.bare, load.body, http.StatusAccepted, 16) })
			b.Run("malgil", func(b *testing.B) {
				inline := h.metric("malgil_answers_total", `outcome="inline"`)
				ours = h.load(b, load.address, load.body, load.status, load.atATime)
				b.ReportMetric((h.metric("malgil_answers_total", `outcome="inline"`)-inline)/float64(b.N), "inline/op")
				if bareTime > 0 {
					b.ReportMetric(bareTime.Seconds()/ours.Seconds(), "of_bare")
				}
			})
		})
	}
}

// load posts b.N bodies, so many at a time for each processor, and returns the time of one.
func (h *house) load(b *testing.B, address, body string, status, atATime int) time.Duration {
	b.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 4096}
	defer transport.CloseIdleConnections()
	client := http.Client{Transport: transport, Timeout: time.Minute}
	var keys atomic.Int64
	run := time.Now().UnixNano()
	b.SetParallelism(atATime)
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
			if err != nil || answer.StatusCode != status {
				b.Errorf("answer %s %s (%v), want %d", answer.Status, text, err, status)
				return
			}
		}
	})
	return b.Elapsed() / time.Duration(b.N)
}

// bareHandler serves the least that an intake could do.
func bareHandler(b *testing.B, redis string) (address string) {
	b.Helper()
	where, err := queue.ParseAddress(redis)
	if err != nil {
		b.Fatal(err)
	}
	client := queue.NewClient(where.EnqueueClient())
	door, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	var made atomic.Int64
	mux := http.NewServeMux()
	serve := func(path string, newTask func(body []byte, n int64) *asynq.Task) {
		mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err == nil {
				err = client.Enqueue(r.Context(), newTask(body, made.Add(1)))
			}
			if err != nil {
				http.Error(w, err.Error(), http.StatusServiceUnavailable)
				return
			}
			w.WriteHeader(http.StatusAccepted)
		})
	}
	serve("/broadcast", func(_ []byte, n int64) *asynq.Task {
		return tasks.NewSendChunk(tasks.Row{ID: fmt.Sprintf("bare-%d", n), Epoch: 1})
	})
	serve("/reply", func(body []byte, n int64) *asynq.Task {
		return tasks.NewAnswerUtterance(tasks.AnswerUtterance{ID: fmt.Sprintf("bare-%d", n), Request: json.RawMessage(body)}, tasks.QueueReply)
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	ended := make(chan struct{})
	go func() { _ = server.Serve(door); close(ended) }()
	b.Cleanup(func() {
		_ = server.Close()
		<-ended
		_ = client.Close()
	})
	return "http://" + door.Addr().String()
}
