package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// watched serves one broadcast: what each opening of its events, and each look, is answered. The last of each
// is repeated.
type watched struct {
	mu     sync.Mutex
	events []http.HandlerFunc
	looks  []string // bodies, or statuses
	calls  []string
}

func next[T any](list *[]T) T {
	one := (*list)[0]
	if len(*list) > 1 {
		*list = (*list)[1:]
	}
	return one
}

func (s *watched) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	stream := strings.HasSuffix(r.URL.Path, "/events")
	s.calls = append(s.calls, map[bool]string{true: "events", false: "look"}[stream])
	if stream {
		handle := next(&s.events)
		s.mu.Unlock()
		handle(w, r)
		return
	}
	body := next(&s.looks)
	s.mu.Unlock()
	if status, err := strconv.Atoi(body); err == nil {
		w.WriteHeader(status)
		body = `{"detail":"no"}`
	}
	fmt.Fprint(w, body)
}

func serveWatched(t *testing.T, s *watched) *watched {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	t.Setenv("MALGIL_URL", server.URL)
	t.Setenv("MALGIL_TOKEN", "mlg_x")
	return s
}

const (
	half      = `{"id":"brd_1","broadcast":"brd_1","state":"running","counts":{"audience":1000,"delivered":500},"people_per_second":50,"over_at":"2026-11-24T03:00:10Z","cost":{"captured_krw":7500,"vat_krw":750,"held_krw":1500}}`
	done      = `{"id":"brd_1","broadcast":"brd_1","state":"finished","counts":{"audience":1000,"delivered":1000},"finished_at":"2026-11-24T03:00:10Z"}`
	doneMost  = `{"id":"brd_1","broadcast":"brd_1","state":"finished","counts":{"audience":1000,"delivered":990,"failed":10},"finished_at":"2026-11-24T03:00:10Z"}`
	cancelled = `{"id":"brd_1","broadcast":"brd_1","state":"cancelled","counts":{"audience":1000,"delivered":500,"skipped":500},"finished_at":"2026-11-24T03:00:10Z"}`
)

// tells answers with events, and ends them.
func tells(events ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "retry: 2000\n\n: still here\n\n")
		for i, data := range events {
			fmt.Fprintf(w, "id: %d\nevent: progress\ndata: %s\n\n", i, data)
		}
	}
}

func refuses(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, `{"detail":"200 streams are open here already"}`)
	}
}

func breaks(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func TestWatch(t *testing.T) {
	tests := map[string]struct {
		server   *watched
		code     int
		says     string // on stdout or stderr
		progress bool   // the half is told of
		calls    string // as they begin
	}{
		"everyone got it":    {&watched{events: []http.HandlerFunc{tells(half, done)}, looks: []string{done}}, exitOK, "finished", true, "events look look"},
		"some did not":       {&watched{events: []http.HandlerFunc{tells(half, doneMost)}, looks: []string{doneMost}}, exitPartly, "10 of 1,000 people did not get it", true, "events look look"},
		"it was cancelled":   {&watched{events: []http.HandlerFunc{tells(half, cancelled)}, looks: []string{cancelled}}, exitFailed, "it was cancelled; 500 of 1,000 people got it", true, "events look look"},
		"events break off":   {&watched{events: []http.HandlerFunc{breaks, tells(done)}, looks: []string{half, done}}, exitOK, "finished", true, "events look events look look"},
		"too many watch":     {&watched{events: []http.HandlerFunc{refuses(429)}, looks: []string{half, done}}, exitOK, "finished", true, "events look events look look"},
		"a server without":   {&watched{events: []http.HandlerFunc{refuses(404)}, looks: []string{half, done}}, exitOK, "finished", true, "events look events look look"},
		"a server restarts":  {&watched{events: []http.HandlerFunc{tells(half), tells()}, looks: []string{"503", done}}, exitOK, "finished", true, "events look events look look"},
		"it may not be read": {&watched{events: []http.HandlerFunc{refuses(403)}, looks: []string{"403"}}, exitFailed, "no", false, "events look"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := serveWatched(t, tt.server)
			got := malgil(t, "broadcast", "watch", "brd_1", "--every", "100ms")
			if got.code != tt.code || !strings.Contains(got.stdout+got.stderr, tt.says) {
				t.Errorf("broadcast watch = exit %d, %s%s, want %d and %q", got.code, got.stdout, got.stderr, tt.code, tt.says)
			}
			if told := strings.Contains(got.stderr, "running, 500 of 1,000"); told != tt.progress {
				t.Errorf("broadcast watch says %q, want its progress: %v", got.stderr, tt.progress)
			}
			if calls := strings.Join(s.calls, " "); calls != tt.calls {
				t.Errorf("broadcast watch called %s, want %s", calls, tt.calls)
			}
		})
	}
}

// Where nobody watches, a line is printed when something changes and now and then, not for every event.
func TestDisplay_lines(t *testing.T) {
	var out bytes.Buffer
	now := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	d := &display{to: &out, now: func() time.Time { return now }}
	var b broadcastRow
	b.State, b.Counts.Audience, b.Counts.Delivered, b.Rate = "running", 1_000_000, 1200, 480.4
	b.Cost.Captured, b.Cost.VAT, b.Cost.Held = 18_000, 1800, 1500
	b.Over = now.Add(time.Hour)
	for range 3 {
		d.show(b)
		now = now.Add(time.Second)
	}
	now = now.Add(lineEvery)
	b.Rate, b.Over = 0, time.Time{}
	d.show(b)
	b.State = "paused"
	d.show(b)
	want := "running, 1,200 of 1,000,000, 480/s, over at 2026-11-24 13:00:00 KST, 18,000 + 1,800 KRW, 1,500 KRW held\n" +
		"running, 1,200 of 1,000,000, 18,000 + 1,800 KRW, 1,500 KRW held\n" +
		"paused, 1,200 of 1,000,000, 18,000 + 1,800 KRW, 1,500 KRW held\n"
	if out.String() != want {
		t.Errorf("the lines are\n%swant\n%s", out.String(), want)
	}
}

// On a terminal there is one bar, which goes when all is over.
func TestDisplay_bar(t *testing.T) {
	var out bytes.Buffer
	d := &display{to: &out, wide: true, now: time.Now}
	var b broadcastRow
	b.State, b.Counts.Audience, b.Counts.Delivered = "running", 1000, 500
	d.show(b)
	if text := out.String(); !strings.Contains(text, "running, 500 of 1,000") || !strings.Contains(text, "50%") || !strings.Contains(text, "█") {
		t.Errorf("the bar is %q, want half of it full", text)
	}
	d.close()
	if text := out.String(); strings.HasSuffix(strings.TrimRight(text, " "), "█") || d.bar != nil {
		t.Errorf("after its end stands %q, want nothing", text)
	}
}
