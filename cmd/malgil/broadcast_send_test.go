package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// orders is a server that takes every order and refuses every upload; it tells what was asked.
func orders(t *testing.T) (asked func() []string) {
	t.Helper()
	calls := make(chan string, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls <- r.Method + " " + r.URL.Path
		w.Header().Set("Content-Type", "application/json")
		if r.Method == "PUT" {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			_, _ = io.WriteString(w, `{"status":413,"detail":"the file is larger than 512 MiB"}`)
			return
		}
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, `{"id":"brd_1","state":"uploading"}`)
	}))
	t.Cleanup(server.Close)
	t.Setenv("MALGIL_URL", server.URL)
	t.Setenv("MALGIL_TOKEN", "mlg_x")
	return func() (all []string) {
		for len(calls) > 0 {
			all = append(all, <-calls)
		}
		return all
	}
}

// A file that cannot be sent is found out before a broadcast is made that nobody asked for.
func TestBroadcastSend_badFile(t *testing.T) {
	var many strings.Builder
	many.WriteString("id\n")
	for range 123 {
		many.WriteString("\"\"\n")
	}
	tests := map[string]struct {
		text string
		args []string
		says []string
		code int
	}{
		"bad rows":              {"type,id\nbotUserKey,\nbotUserKey,u1\nphone,1\n", nil, []string{"--skip-bad-rows", "line 2, id: is empty", "line 4, type: must be"}, exitFailed},
		"of a dry run":          {"type,id\nbotUserKey,\nbotUserKey,u1\nphone,1\n", []string{"--dry-run"}, []string{"--skip-bad-rows", "line 2, id: is empty", "line 4, type: must be"}, exitFailed},
		"more than can be told": {many.String(), nil, []string{"line 101, id", "and 23 more"}, exitFailed},
		"no column of ids":      {"name\n한빛\n", nil, []string{"has no column id"}, exitUsage},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			asked := orders(t)
			got := malgil(t, append([]string{"broadcast", "send", file(t, "people.csv", tt.text), "--bot", "b", "--event", "e"}, tt.args...)...)
			if got.code != tt.code {
				t.Errorf("broadcast send = exit %d, want %d", got.code, tt.code)
			}
			for _, want := range tt.says {
				if !strings.Contains(got.stderr, want) {
					t.Errorf("broadcast send does not say %q:\n%s", want, got.stderr)
				}
			}
			if strings.Contains(got.stderr, "skip_bad_rows") || strings.Contains(got.stderr, "line 102") {
				t.Errorf("broadcast send says too much:\n%s", got.stderr)
			}
			if calls := asked(); len(calls) > 0 {
				t.Errorf("the server was asked %v, want nothing", calls)
			}
			upload := malgil(t, "broadcast", "upload", "brd_1", file(t, "people.csv", tt.text))
			if upload.code != tt.code || !strings.Contains(upload.stderr, tt.says[0]) || len(asked()) > 0 {
				t.Errorf("broadcast upload = exit %d, %q, want %d before anything is sent", upload.code, upload.stderr, tt.code)
			}
		})
	}
}

// When the server refuses the upload all the same, the broadcast that waits is named.
func TestBroadcastSend_refusedUpload(t *testing.T) {
	asked := orders(t)
	got := malgil(t, "broadcast", "send", file(t, "people.csv", "id\nu1\n"), "--bot", "b", "--event", "e")
	if got.code != exitFailed || !strings.Contains(got.stderr, "larger than 512 MiB") || !strings.Contains(got.stderr, "cancel brd_1") {
		t.Errorf("broadcast send = exit %d, %q, want 1, why, and what to do with brd_1", got.code, got.stderr)
	}
	if calls := fmt.Sprint(asked()); calls != "[POST /api/v1/broadcasts PUT /api/v1/broadcasts/brd_1/recipients]" {
		t.Errorf("the server was asked %s", calls)
	}
}
