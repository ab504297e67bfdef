package intake

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/store"
	"github.com/malgil/malgil/internal/wallet"
)

// watcher reads a stream of events.
type watcher struct {
	t     *testing.T
	lines *bufio.Scanner
	body  io.Closer
}

// watching opens a stream over HTTP.
func watching(t *testing.T, h *house, address, id string, header ...string) *watcher {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+"/api/v1/broadcasts/"+id+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+h.token("read"))
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "text/event-stream" {
		text, _ := io.ReadAll(answer.Body)
		t.Fatalf("GET events = %d %s %s, want a stream", answer.StatusCode, answer.Header.Get("Content-Type"), text)
	}
	return &watcher{t: t, lines: bufio.NewScanner(answer.Body), body: answer.Body}
}

// next reads the next event, or the next comment as one of the name ":"; an empty name is the end.
func (w *watcher) next() (name string, data map[string]any) {
	w.t.Helper()
	for w.lines.Scan() {
		switch field, value, _ := strings.Cut(w.lines.Text(), ":"); field {
		case "event":
			name = strings.TrimSpace(value)
		case "data":
			if err := json.Unmarshal([]byte(value), &data); err != nil {
				w.t.Fatalf("an event holds %q: %v", value, err)
			}
			return name, data
		case "":
			if value != "" {
				return ":", nil
			}
		}
	}
	return "", nil
}

// want reads on to an event for which a value holds.
func (w *watcher) want(name string, values map[string]any) map[string]any {
	w.t.Helper()
	for {
		got, data := w.next()
		if got == "" {
			w.t.Fatalf("the stream ended, want the event %s with %v", name, values)
		}
		fits := got == name
		for path, value := range values {
			if n, is := value.(int); is {
				value = float64(n)
			}
			fits = fits && at(data, path) == value
		}
		if fits {
			return data
		}
	}
}

func TestEvents(t *testing.T) {
	h, address, _ := serving(t)
	h.server.feeds.every = time.Millisecond
	_, _, botID := h.seed(3000)
	id := h.do(call{method: "POST", path: "/api/v1/broadcasts", key: "k1", body: order(botID, map[string]any{"recipients": people(3)})}).want(202)["id"].(string)

	w := watching(t, h, address, id, "Last-Event-ID", "anything at all")
	first := w.want("progress", map[string]any{"broadcast": id, "state": "running", "counts.audience": 3, "progress": 0, "cost.captured_krw": 0, "cost.vat_krw": 0, "cost.held_krw": 0})
	if first["at"] == nil || first["finished_at"] != nil {
		t.Errorf("the first event is %v, want a time and no end", first)
	}
	must(t, dispatchOnce(h))
	w.want("progress", map[string]any{"cost.held_krw": 45})
	h.do(call{method: "POST", path: "/api/v1/broadcasts/" + id + "/pause"}).want(200)
	w.want("progress", map[string]any{"state": "paused", "wait.reason": "paused", "cost.held_krw": 0})
	h.do(call{method: "POST", path: "/api/v1/broadcasts/" + id + "/cancel"}).want(200)
	w.want("progress", map[string]any{"state": "cancelled", "counts.skipped": 3, "progress": 1})
	w.want("end", nil)
	if name, _ := w.next(); name != "" {
		t.Errorf("after the end comes %q, want nothing", name)
	}
	late := watching(t, h, address, id)
	late.want("progress", map[string]any{"state": "cancelled"})
	late.want("end", nil)

	h.do(call{method: "GET", path: "/api/v1/broadcasts/brd_9/events"}).wantProblem(404, "NOT_FOUND", "")
}

func dispatchOnce(h *house) error {
	_, err := h.store.Dispatch(context.Background(), broadcast.DefaultPace, broadcast.Turn{}, noon)
	return err
}

// countingReader counts the looks at broadcasts, and fails them while it is down.
type countingReader struct {
	*store.Store
	looks atomic.Int64
	down  atomic.Bool
}

func (r *countingReader) HeldBy(ctx context.Context, id broadcast.ID) (held wallet.KRW, err error) {
	r.looks.Add(1)
	if r.down.Load() {
		return 0, errors.New("no route to host")
	}
	return r.Store.HeldBy(ctx, id)
}

// However many watch a broadcast, it is looked at for all of them at once, and not any more when the last has
// left.
func TestEvents_oneLookForAll(t *testing.T) {
	reader := &countingReader{}
	h, address, _ := serving(t, func(s *Services) {
		reader.Store = s.Read.(*store.Store)
		s.Read = reader
	})
	h.server.feeds.every = time.Hour // one look, and no second
	h.server.heartbeat = time.Millisecond
	_, _, botID := h.seed(0)
	id := h.do(call{method: "POST", path: "/api/v1/broadcasts", key: "k1", body: order(botID, nil)}).want(202)["id"].(string)
	var all []*watcher
	for range 20 {
		w := watching(t, h, address, id)
		w.want("progress", map[string]any{"state": "uploading"})
		all = append(all, w)
	}
	if n := reader.looks.Load(); n != 1 {
		t.Errorf("20 watchers made %d looks, want 1", n)
	}
	all[0].want(":", nil) // still here
	h.server.feeds.mu.Lock()
	one := h.server.feeds.byID[broadcast.ID(id)]
	h.server.feeds.mu.Unlock()
	for _, w := range all {
		w.body.Close()
	}
	waitFor(t, "the last watcher to be gone", func() bool {
		h.server.feeds.mu.Lock()
		defer h.server.feeds.mu.Unlock()
		return one.watchers == 0 && len(h.server.feeds.byID) == 0 && h.server.feeds.watchers == 0
	})
}

// waitFor looks until something is so; it is for what another goroutine does on its own time.
func waitFor(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !so(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited 10 s for %s", what)
		}
	}
}

func TestEvents_tooMany(t *testing.T) {
	h, address, _ := serving(t)
	h.server.feeds.most, h.server.heartbeat = 1, time.Millisecond
	_, _, botID := h.seed(0)
	id := h.do(call{method: "POST", path: "/api/v1/broadcasts", key: "k1", body: order(botID, nil)}).want(202)["id"].(string)
	w := watching(t, h, address, id)
	w.want("progress", nil)
	refused := h.do(call{method: "GET", path: "/api/v1/broadcasts/" + id + "/events"})
	if p := refused.wantProblem(429, "THROTTLED", ""); refused.Header().Get("Retry-After") == "" || !strings.Contains(p.Detail, "streams are open") {
		t.Errorf("one stream too many = %q, Retry-After %q, want why, and when to come back", p.Detail, refused.Header().Get("Retry-After"))
	}
	w.body.Close()
	waitFor(t, "the place to be free", func() bool {
		h.server.feeds.mu.Lock()
		defer h.server.feeds.mu.Unlock()
		return h.server.feeds.watchers == 0
	})
	watching(t, h, address, id).want("progress", nil)
}

// One who takes all that he may leaves the others theirs, and has his own again when he leaves one.
func TestEvents_tooManyOfOne(t *testing.T) {
	h, address, _ := serving(t)
	h.server.feeds.each, h.server.heartbeat = 2, time.Millisecond
	own := newTown(h, "own")
	path := "/api/v1/broadcasts/" + own.broadcast + "/events"
	master, operator := own.people['M'], own.people['O']
	_, another, err := h.gate.Issue(t.Context(), access.NewToken{Name: "another", AccountID: master.account, Scopes: []string{"read"}})
	must(t, err)
	one := watching(t, h, address, own.broadcast, "Authorization", "Bearer "+master.token)
	watching(t, h, address, own.broadcast, "Authorization", "Bearer "+master.token).want("progress", nil)
	for name, token := range map[string]string{"his token": master.token, "another of his tokens": another} {
		refused := h.do(call{method: "GET", path: path, token: token})
		if p := refused.wantProblem(429, "THROTTLED", ""); refused.Header().Get("Retry-After") == "" || !strings.Contains(p.Detail, "you have 2 streams open") {
			t.Errorf("one stream too many by %s = %q, Retry-After %q, want why, and when to come back", name, p.Detail, refused.Header().Get("Retry-After"))
		}
	}
	watching(t, h, address, own.broadcast, "Authorization", "Bearer "+operator.token).want("progress", nil)
	one.body.Close()
	waitFor(t, "the place to be free", func() bool {
		h.server.feeds.mu.Lock()
		defer h.server.feeds.mu.Unlock()
		return h.server.feeds.byWho[master.account] == 1
	})
	watching(t, h, address, own.broadcast, "Authorization", "Bearer "+master.token).want("progress", nil)
}

// A database that is away ends no stream: it goes on when it is back, and is told of once.
func TestEvents_databaseAway(t *testing.T) {
	reader := &countingReader{}
	h, address, _ := serving(t, func(s *Services) {
		reader.Store = s.Read.(*store.Store)
		s.Read = reader
	})
	h.server.feeds.every = time.Millisecond
	_, _, botID := h.seed(0)
	id := h.do(call{method: "POST", path: "/api/v1/broadcasts", key: "k1", body: order(botID, nil)}).want(202)["id"].(string)
	reader.down.Store(true)
	w := watching(t, h, address, id)
	waitFor(t, "some looks to fail", func() bool { return reader.looks.Load() > 3 })
	reader.down.Store(false)
	w.want("progress", map[string]any{"state": "uploading"})
	if n := strings.Count(h.log.String(), "broadcast not looked at"); n != 1 {
		t.Errorf("the log tells of it %d times, want once:\n%s", n, h.log)
	}
}

// A server that stops does not wait for watchers.
func TestEvents_serverStops(t *testing.T) {
	h, address, stop := serving(t)
	_, _, botID := h.seed(0)
	id := h.do(call{method: "POST", path: "/api/v1/broadcasts", key: "k1", body: order(botID, nil)}).want(202)["id"].(string)
	w := watching(t, h, address, id)
	w.want("progress", nil)
	begun := time.Now()
	if err := stop(); err != nil {
		t.Errorf("Serve() error = %v", err)
	}
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("the server took %s to stop, want no wait for a watcher", took)
	}
	for name := "x"; name != ""; {
		name, _ = w.next()
	}
	if got := h.seen.last(); got != "GET /api/v1/broadcasts/{id}/events 200" {
		t.Errorf("observed last %q, want the stream", got)
	}
}
