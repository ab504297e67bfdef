package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// The queues of a whole program are seen, paused and let go; the pause stands in Redis and in the audit log.
func TestQueue_pausedAndResumed(t *testing.T) {
	wholeProgram(t)
	line := func(queue string) string {
		t.Helper()
		for line := range strings.Lines(ok(t, "queue", "list")) {
			if strings.HasPrefix(line, queue+" ") {
				return line
			}
		}
		t.Fatalf("queue list has no %s", queue)
		return ""
	}
	if got := line("mail"); !strings.Contains(got, "works") {
		t.Errorf("queue list = %q, want it at work", got)
	}
	until := time.Now().Add(24 * time.Hour).Format("2006-01-02 15:04")
	for _, wrong := range []struct {
		args []string
		says string
		code int
	}{
		{[]string{"queue", "pause", "mail", "--until", until}, "--reason", exitUsage},
		{[]string{"queue", "pause", "mail", "--reason", "x"}, "--until", exitUsage},
		{[]string{"queue", "pause", "mail", "--until", "2020-01-01 00:00", "--reason", "x"}, "must be in the future", exitFailed},
		{[]string{"queue", "pause", "reply", "--until", until, "--reason", "x"}, "people wait", exitFailed},
		{[]string{"queue", "pause", "post", "--until", until, "--reason", "x"}, "there is no queue", exitFailed},
		{[]string{"queue", "resume", "mail"}, "--reason", exitUsage},
		{[]string{"queue", "resume", "mail", "--reason", "x"}, "is not paused", exitFailed},
		{[]string{"queue", "retry", "--reason", "x"}, "name dead tasks", exitUsage},
		{[]string{"queue", "retry", "--reason", "x", "--type", "mail:send"}, "name dead tasks", exitUsage},
		{[]string{"queue", "discard", "dead_1", "--type", "mail:send", "--cause", "panic", "--reason", "x"}, "name dead tasks", exitUsage},
		{[]string{"queue", "discard", "dead_1"}, "--reason", exitUsage},
		{[]string{"queue", "discard", "dead_1", "--reason", "x"}, `there is no dead task "dead_1"`, exitFailed},
		{[]string{"queue", "dead", "--cause", "panic"}, "--each", exitUsage},
	} {
		if got := malgil(t, wrong.args...); got.code != wrong.code || !strings.Contains(got.stderr, wrong.says) {
			t.Errorf("malgil %s = exit %d, %q, want %d and %q", strings.Join(wrong.args, " "), got.code, got.stderr, wrong.code, wrong.says)
		}
	}
	if got := ok(t, "queue", "pause", "mail", "--until", until, "--reason", "메일 서버 이전"); !strings.Contains(got, "mail is paused until "+until) {
		t.Errorf("queue pause = %q", got)
	}
	if got := line("mail"); !strings.Contains(got, " paused until "+until) || !strings.Contains(got, "메일 서버 이전") {
		t.Errorf("queue list = %q, want the pause and why", got)
	}
	if got := ok(t, "audit", "list", "--action", "pause-queue"); !strings.Contains(got, "메일 서버 이전") {
		t.Errorf("audit list = %q, want the reason", got)
	}
	if got := ok(t, "queue", "resume", "mail", "--reason", "이전 끝"); got != "mail works again\n" {
		t.Errorf("queue resume = %q", got)
	}
	if got := line("mail"); !strings.Contains(got, "works") {
		t.Errorf("queue list = %q, want it at work again", got)
	}
	if got := ok(t, "queue", "dead"); !strings.HasPrefix(got, "TASKS") || strings.Count(got, "\n") != 1 {
		t.Errorf("queue dead = %q, want a table of none", got)
	}
}

// A group is gone through until it ends, and what was done before an error is told.
func TestQueue_aGroupInPages(t *testing.T) {
	var bodies []string
	broken := false
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/dead-tasks/groups", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"items":[{"type":"mail:send","cause":"panic","tasks":1003,"error":"panic with a\u001b string"},{"type":"mail:send","cause":"timeout","tasks":1}]}`))
	})
	mux.HandleFunc("POST /api/v1/dead-tasks/discard", func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		_ = json.NewDecoder(r.Body).Decode(&body)
		bodies = append(bodies, fmt.Sprint(body["type"], " ", body["cause"], " ", body["after"], " ", r.Header.Get("Malgil-Reason")))
		if broken && body["after"] != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		next := `,"next":"dead_500"`
		if body["after"] != nil {
			next = ""
		}
		_, _ = w.Write([]byte(`{"items":[{"id":"dead_1"},{"id":"dead_2"}],"left":1` + next + `}`))
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	t.Setenv("MALGIL_URL", server.URL)
	t.Setenv("MALGIL_TOKEN", "mlg_x")

	if got := ok(t, "queue", "dead"); !strings.Contains(got, "1,003  mail:send  panic") || strings.Contains(got, "\x1b") {
		t.Errorf("queue dead = %q, want the group, and nothing that a terminal obeys", got)
	}
	group := []string{"queue", "discard", "--type", "mail:send", "--cause", "panic"}
	if got := ok(t, append(group, "--dry-run")...); !strings.Contains(got, "would discard at most 1,003 dead tasks") || len(bodies) > 0 {
		t.Errorf("a dry run = %q with %d calls, want what it would do, and nothing done", got, len(bodies))
	}
	got := ok(t, append(group, "--reason", "seen")...)
	if !strings.Contains(got, "4 dead tasks discarded") || !strings.Contains(got, "2 left as they are") {
		t.Errorf("queue discard = %q, want both pages told", got)
	}
	if want := "mail:send panic <nil> seen|mail:send panic dead_500 seen"; strings.Join(bodies, "|") != want {
		t.Errorf("it asked %q, want %q", strings.Join(bodies, "|"), want)
	}
	broken = true
	if cut := malgil(t, append(group, "--reason", "seen")...); cut.code != exitPartly || !strings.Contains(cut.stderr, "2 dead tasks discarded, and then: ") {
		t.Errorf("cut short = exit %d, %q, want 3 and what was done", cut.code, cut.stderr)
	}
}
