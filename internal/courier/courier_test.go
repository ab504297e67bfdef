package courier_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/courier"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/webhook"
)

// wide lets tests call this machine.
var wide = kakao.Guard{AnyHost: true, Loopback: true}

func TestPost(t *testing.T) {
	secret := "the-receiver-says-this"
	var called atomic.Int64
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		called.Add(1)
		body, _ := io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/ok":
			if r.Method != http.MethodPost || string(body) != `{"id":"whd_1"}` || r.Header.Get("Malgil-Delivery") != "whd_1" || r.Header.Get("User-Agent") != "Malgil/test" {
				t.Errorf("the receiver got %s %q %v", r.Method, body, r.Header)
			}
			w.WriteHeader(http.StatusAccepted)
		case "/redirect":
			http.Redirect(w, r, "/ok", http.StatusTemporaryRedirect)
		case "/busy":
			w.Header().Set("Retry-After", "120")
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, secret)
		case "/cut":
			panic(http.ErrAbortHandler)
		case "/slow":
			<-r.Context().Done()
		}
	}))
	defer receiver.Close()
	tests := map[string]struct {
		guard  kakao.Guard
		url    string
		status int
		kind   fault.Kind
		calls  int64
	}{
		"taken":                      {wide, receiver.URL + "/ok", 202, 0, 1},
		"a redirect is not followed": {wide, receiver.URL + "/redirect", 307, fault.Unavailable, 1},
		"busy":                       {wide, receiver.URL + "/busy", 503, fault.Unavailable, 1},
		"cut off":                    {wide, receiver.URL + "/cut", 0, fault.Unavailable, 1},
		"silent":                     {wide, receiver.URL + "/slow", 0, fault.Unavailable, 1},
		"nobody there":               {wide, "http://127.0.0.1:1/secret-path", 0, fault.Unavailable, 0},
		"this machine, unless told":  {kakao.Guard{AnyHost: true}, receiver.URL + "/ok", 0, fault.Refused, 0},
		"by its name":                {kakao.Guard{AnyHost: true}, strings.Replace(receiver.URL, "127.0.0.1", "localhost", 1), 0, fault.Refused, 0},
		"https to this machine":      {kakao.Guard{AnyHost: true}, "https://localhost/secret-path", 0, fault.Refused, 0},
		"a private address":          {wide, "https://10.0.0.1/secret-path", 0, fault.Refused, 0},
		"no URL":                     {wide, "://", 0, fault.Refused, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			called.Store(0)
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			if name == "silent" {
				ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
			}
			defer cancel()
			status, err := courier.New(tt.guard, "test").Post(ctx, webhook.Post{URL: tt.url, Body: []byte(`{"id":"whd_1"}`), Header: map[string]string{"Malgil-Delivery": "whd_1"}})
			if status != tt.status || (err == nil) != (tt.kind == 0) || err != nil && fault.KindOf(err) != tt.kind || called.Load() != tt.calls {
				t.Errorf("Post() = %d, %v (%s) after %d calls, want %d, %s after %d", status, err, fault.KindOf(err), called.Load(), tt.status, tt.kind, tt.calls)
			}
			if err != nil && (strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "secret-path")) {
				t.Errorf("Post() error = %v, want neither address nor answer", err)
			}
			if name == "busy" && fault.RetryAfter(err) != 2*time.Minute {
				t.Errorf("Post() error asks to wait %s, want 2m", fault.RetryAfter(err))
			}
		})
	}
}
