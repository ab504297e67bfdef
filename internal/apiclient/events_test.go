package apiclient

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestEvents(t *testing.T) {
	enough := errors.New("enough")
	tests := map[string]struct {
		answer  http.HandlerFunc
		silence time.Duration
		stop    string // the data at which the reader has enough
		want    []string
		wantErr string
	}{
		"until the server ends them": {
			answer: events("retry: 2000\n\n: still here\n\nid: 1\nevent: progress\ndata: {\"n\": 1}\n\nevent: end\ndata: {}\n\n"),
			want:   []string{`progress {"n": 1}`, "end {}"},
		},
		"an event that is not whole does not count": {answer: events("event: progress\ndata: 1\n\nevent: progress\ndata: 2"), want: []string{"progress 1"}},
		"until the reader has enough":               {answer: events("event: a\ndata: 1\n\nevent: a\ndata: 2\n\n"), stop: "1", want: []string{"a 1"}, wantErr: "enough"},
		"a server that says nothing": {
			answer: func(w http.ResponseWriter, r *http.Request) {
				events("event: a\ndata: 1\n\n")(w, r)
				<-r.Context().Done()
			},
			silence: 50 * time.Millisecond, want: []string{"a 1"}, wantErr: ErrSilent.Error(),
		},
		"a server that does not even answer": {
			answer:  func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
			silence: 50 * time.Millisecond, wantErr: ErrSilent.Error(),
		},
		"a refusal": {answer: func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusTooManyRequests)
			fmt.Fprint(w, `{"detail":"come back later"}`)
		}, wantErr: "come back later"},
		"a page": {answer: func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }, wantErr: "not with events"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(tt.answer)
			defer server.Close()
			if tt.silence == 0 {
				tt.silence = time.Minute
			}
			var got []string
			err := New(server.URL, "mlg_x").Events(t.Context(), "/events", tt.silence, func(name string, data []byte) error {
				got = append(got, name+" "+string(data))
				if string(data) == tt.stop {
					return enough
				}
				return nil
			})
			if !slices.Equal(got, tt.want) {
				t.Errorf("Events() told %q, want %q", got, tt.want)
			}
			if (err == nil) != (tt.wantErr == "") || err != nil && !strings.Contains(err.Error(), tt.wantErr) {
				t.Errorf("Events() error = %v, want %q", err, tt.wantErr)
			}
			if tt.wantErr == ErrSilent.Error() && !errors.Is(err, ErrSilent) {
				t.Errorf("Events() error = %v, want ErrSilent", err)
			}
		})
	}
}

// events answers with a text, at once.
func events(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer mlg_x" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		fmt.Fprint(w, text)
		_ = http.NewResponseController(w).Flush()
	}
}
