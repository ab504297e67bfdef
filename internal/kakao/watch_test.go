package kakao_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/kakao"
)

// A request is told of once, with what is known of it.
func TestPeer_Watch(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/busy":
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/cut":
			panic(http.ErrAbortHandler)
		case "/half":
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "half")
		}
	}))
	defer server.Close()
	type told struct {
		status int
		sent   bool
	}
	tests := map[string]struct {
		address, path string
		want          told
	}{
		"an answer":           {server.URL, "/", told{200, true}},
		"a refusal":           {server.URL, "/busy", told{503, true}},
		"no answer":           {server.URL, "/cut", told{0, true}},
		"half an answer":      {server.URL, "/half", told{0, true}},
		"nobody there":        {"http://127.0.0.1:1", "/", told{0, false}},
		"a path that is none": {server.URL, "/%zz", told{0, false}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			peer, err := kakao.NewPeer(tt.address, 5*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			defer peer.Close()
			var got []told
			peer.Watch(func(status int, sent bool, took time.Duration) {
				if took < 0 || took > time.Minute {
					t.Errorf("the request took %v", took)
				}
				got = append(got, told{status, sent})
			})
			_, _ = peer.Do(t.Context(), http.MethodPost, tt.path, http.Header{}, []byte("{}"))
			if len(got) != 1 || got[0] != tt.want {
				t.Errorf("Do() told %+v, want %+v once", got, tt.want)
			}
		})
	}
}
