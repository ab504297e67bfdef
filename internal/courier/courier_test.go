package courier_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
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
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	defer secure.Close()
	noNames := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no server of names") }}
	tests := map[string]struct {
		guard  kakao.Guard
		url    string
		status int
		kind   fault.Kind
		says   string
		calls  int64
	}{
		"taken":                      {wide, receiver.URL + "/ok", 202, 0, "", 1},
		"a redirect is not followed": {wide, receiver.URL + "/redirect", 307, fault.Unavailable, "the receiver answers 307 Temporary Redirect", 1},
		"busy":                       {wide, receiver.URL + "/busy", 503, fault.Unavailable, "the receiver answers 503 Service Unavailable", 1},
		"cut off":                    {wide, receiver.URL + "/cut", 0, fault.Unavailable, "the receiver closed the connection without an answer", 1},
		"silent":                     {wide, receiver.URL + "/slow", 0, fault.Unavailable, "the receiver did not answer in time", 1},
		"nobody there":               {wide, "http://127.0.0.1:1/secret-path", 0, fault.Unavailable, "the receiver takes no connections", 0},
		"this machine, unless told":  {kakao.Guard{AnyHost: true}, receiver.URL + "/ok", 0, fault.Refused, "the address is not https", 0},
		"by its name":                {kakao.Guard{AnyHost: true}, strings.Replace(receiver.URL, "127.0.0.1", "localhost", 1), 0, fault.Refused, "the address is not https", 0},
		"https to this machine":      {kakao.Guard{AnyHost: true}, "https://localhost/secret-path", 0, fault.Refused, "the host resolves to an address that is not public", 0},
		"a private address":          {wide, "https://10.0.0.1/secret-path", 0, fault.Refused, "the address is not public", 0},
		"no URL":                     {wide, "://", 0, fault.Refused, "the address is not a URL", 0},
		"no TLS":                     {wide, strings.Replace(receiver.URL, "http:", "https:", 1) + "/secret-path", 0, fault.Unavailable, "the receiver did not agree on TLS", 0},
		"a certificate of its own":   {wide, secure.URL + "/secret-path", 0, fault.Unavailable, "the certificate of the receiver is not trusted", 0},
		"no answer in HTTP":          {wide, "http://" + babble(t, secret) + "/secret-path", 0, fault.Unavailable, "the receiver was not reached, or what it sent is no answer in HTTP", 0},
		"a name that nobody has":     {kakao.Guard{AnyHost: true, Resolver: noNames}, "https://secret-host.example/secret-path", 0, fault.Unavailable, "the name of the receiver could not be looked up", 0},
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
			if err != nil && (fault.MessageOf(err) != tt.says || err.Error() != tt.says) {
				t.Errorf("Post() error = %q, want %q and neither address nor answer", err, tt.says)
			}
			if name == "busy" && fault.RetryAfter(err) != 2*time.Minute {
				t.Errorf("Post() error asks to wait %s, want 2m", fault.RetryAfter(err))
			}
		})
	}
}

// babble listens for one that answers every request with a text that is not HTTP.
func babble(t *testing.T, text string) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 1024))
			_, _ = io.WriteString(c, text+"\r\n\r\n")
			_ = c.Close()
		}
	}()
	return l.Addr().String()
}

// What the guard stops is no request.
func TestCourier_Watch(t *testing.T) {
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/cut" {
			panic(http.ErrAbortHandler)
		}
	}))
	defer receiver.Close()
	type told struct {
		status int
		sent   bool
	}
	for name, tt := range map[string]struct {
		guard kakao.Guard
		url   string
		want  []told
	}{
		"taken":         {wide, receiver.URL, []told{{200, true}}},
		"cut off":       {wide, receiver.URL + "/cut", []told{{0, true}}},
		"nobody there":  {wide, "http://127.0.0.1:1", []told{{0, false}}},
		"not allowed":   {kakao.Guard{AnyHost: true}, receiver.URL, nil},
		"a private one": {kakao.Guard{AnyHost: true}, "https://localhost/", nil},
	} {
		t.Run(name, func(t *testing.T) {
			c := courier.New(tt.guard, "test")
			var got []told
			c.Watch(func(status int, sent bool, _ time.Duration) { got = append(got, told{status, sent}) })
			_, _ = c.Post(t.Context(), webhook.Post{URL: tt.url, Body: []byte("{}")})
			if !slices.Equal(got, tt.want) {
				t.Errorf("Post() told %+v, want %+v", got, tt.want)
			}
		})
	}
}
