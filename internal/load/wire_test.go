package load

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Connections are used again as long as the server lets them, and one that is cut off or given up is not.
func TestWires(t *testing.T) {
	var opened atomic.Int64
	held := make(chan struct{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch string(body) {
		case "close":
			w.Header().Set("Connection", "close")
		case "cut":
			panic(http.ErrAbortHandler)
		case "hold":
			<-held
		}
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, r.URL.RequestURI()+" "+r.Header.Get("Content-Type")+" "+string(body))
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	defer close(held)
	ws := newWires(strings.TrimPrefix(server.URL, "http://"), "/there?block=slow")
	defer ws.close()
	says := func(body string, connections int64) {
		t.Helper()
		status, answer, err := ws.post(t.Context(), body)
		if err != nil || status != http.StatusAccepted || string(answer) != "/there?block=slow application/json "+body {
			t.Errorf("%s = %d %q, %v, want it back", body, status, answer, err)
		}
		if n := opened.Load(); n != connections {
			t.Errorf("%d connections after %s, want %d", n, body, connections)
		}
	}
	says("안녕", 1)
	says(strings.Repeat("long ", 10_000), 1)
	says("close", 1)
	says("another", 2)
	if _, _, err := ws.post(t.Context(), "cut"); err == nil {
		t.Error("a cut answer is no error")
	}
	says("after it", 3)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, _, err := ws.post(ctx, "hold"); err == nil || ctx.Err() == nil {
		t.Errorf("an answer that does not come ended with %v before the context", err)
	}
	says("after that", 4)
	ws.idle[0].used = time.Now().Add(-wireIdle)
	says("after a while", 5)
}
