package kakao_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/kakao"
)

const token = "s3cret-callback-token"

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestCallbackClient_Post_answers(t *testing.T) {
	fail := func(message string) string { return `{"taskId":"t1","status":"FAIL","message":"` + message + `"}` }
	tests := map[string]struct {
		status int
		body   string
		state  kakao.CallbackState
		reason string
		kind   fault.Kind
	}{
		"success":            {200, `{"taskId":"t1","status":"SUCCESS","message":"SUCCESS","timestamp":1795490000123}`, kakao.CallbackDelivered, "", 0},
		"test token":         {400, fail("Invalid callback token for testing purposes."), kakao.CallbackFailed, kakao.ReasonTestToken, fault.Refused},
		"used token":         {400, fail("Invalid callback token. Check your callback token."), kakao.CallbackFailed, kakao.ReasonToken, fault.Refused},
		"not promised":       {200, fail("The skill server settings are incorrect. Use callback true setting required."), kakao.CallbackFailed, kakao.ReasonUseCallback, fault.Refused},
		"bot id":             {200, fail("Invalid bot ID. Check your Bot ID."), kakao.CallbackFailed, kakao.ReasonBotID, fault.Refused},
		"bad body":           {200, fail("Invalid json response from bot-skill."), kakao.CallbackFailed, kakao.ReasonBody, fault.Refused},
		"advertising body":   {200, fail("Invalid skill-json format. This talk bubble is not suitable for advertising."), kakao.CallbackFailed, kakao.ReasonBody, fault.Refused},
		"Kakao's own error":  {500, `{"status":"ERROR","message":"Internal server error occured. Please contact technical support. 504"}`, kakao.CallbackUnknown, kakao.ReasonInternal, fault.InDoubt},
		"an unknown refusal": {200, fail("No."), kakao.CallbackFailed, kakao.ReasonRejected, fault.Refused},
		"a bare 404":         {404, `not found`, kakao.CallbackFailed, kakao.ReasonRejected, fault.Refused},
		"a bare 502":         {502, `<html>`, kakao.CallbackUnknown, kakao.ReasonUnreadable, fault.InDoubt},
		"garbage":            {200, `{{{`, kakao.CallbackUnknown, kakao.ReasonUnreadable, fault.InDoubt},
		"nothing":            {200, ``, kakao.CallbackUnknown, kakao.ReasonUnreadable, fault.InDoubt},
		"success of a 500":   {500, `{"status":"SUCCESS"}`, kakao.CallbackUnknown, kakao.ReasonUnreadable, fault.InDoubt},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var calls atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				calls.Add(1)
				var got kakao.SkillResponse
				if err := json.NewDecoder(r.Body).Decode(&got); err != nil || r.Method != http.MethodPost || got.Version != "2.0" {
					t.Errorf("the callback was %s with version %q, %v, want POST and 2.0", r.Method, got.Version, err)
				}
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			}))
			defer server.Close()
			client := kakao.NewCallbackClient(kakao.Guard{Loopback: true})
			got, err := client.Post(within(t, 5*time.Second), server.URL+"/callback/"+token, kakao.Text("네"))
			if got.State != tt.state || got.Reason != tt.reason {
				t.Errorf("Post(%s) = %s %s, want %s %s", name, got.State, got.Reason, tt.state, tt.reason)
			}
			if (err != nil) != (tt.reason != "") || (err != nil && fault.KindOf(err) != tt.kind) {
				t.Errorf("Post(%s) error = %v, want kind %v", name, err, tt.kind)
			}
			if n := calls.Load(); n != 1 {
				t.Errorf("Post(%s) called %d times, want 1", name, n)
			}
		})
	}
}

func TestCallbackClient_Post_followsNoRedirect(t *testing.T) {
	var elsewhere atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	server := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer server.Close()
	got, err := kakao.NewCallbackClient(kakao.Guard{Loopback: true}).Post(within(t, 5*time.Second), server.URL, kakao.Text("네"))
	if got.State != kakao.CallbackUnknown || err == nil || elsewhere.Load() != 0 {
		t.Errorf("Post(redirect) = %s, %v, followed %d times, want unknown, an error, 0", got.State, err, elsewhere.Load())
	}
}

// A peer that takes the request and cuts the connection may have acted on it: nothing is sent
// again.
func TestCallbackClient_Post_cutAfterTheRequest(t *testing.T) {
	var calls atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		panic(http.ErrAbortHandler)
	}))
	defer server.Close()
	got, err := kakao.NewCallbackClient(kakao.Guard{Loopback: true}).
		Post(within(t, 5*time.Second), server.URL+"/"+token, kakao.Text("네"))
	if got.State != kakao.CallbackUnknown || got.Reason != kakao.ReasonNoAnswer || fault.KindOf(err) != fault.InDoubt {
		t.Errorf("Post(cut) = %s %s, %v, want unknown no_answer, in doubt", got.State, got.Reason, err)
	}
	if calls.Load() != 1 {
		t.Errorf("Post(cut) called %d times, want 1", calls.Load())
	}
	if strings.Contains(err.Error(), token) {
		t.Errorf("Post(cut) error %q quotes the callback token", err)
	}
}

func TestCallbackClient_Post_silentPeer(t *testing.T) {
	asked := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		close(asked)
		<-r.Context().Done()
	}))
	defer server.Close()
	ctx, cancel := context.WithCancel(within(t, 30*time.Second))
	go func() { <-asked; cancel() }()
	got, err := kakao.NewCallbackClient(kakao.Guard{Loopback: true}).Post(ctx, server.URL, kakao.Text("네"))
	if got.State != kakao.CallbackUnknown || fault.KindOf(err) != fault.InDoubt {
		t.Errorf("Post(silent) = %s, %v, want unknown, in doubt", got.State, err)
	}
}

// While nothing listens the post is tried again, and goes out once when somebody does.
func TestCallbackClient_Post_triesUntilItConnects(t *testing.T) {
	reserved, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := reserved.Addr().String()
	_ = reserved.Close()

	type result struct {
		outcome kakao.CallbackOutcome
		err     error
	}
	done := make(chan result, 1)
	ctx := within(t, 20*time.Second)
	go func() {
		outcome, err := kakao.NewCallbackClient(kakao.Guard{Loopback: true}).Post(ctx, "http://"+address, kakao.Text("네"))
		done <- result{outcome, err}
	}()
	// The first try finds the port closed: it is refused within microseconds, the next comes
	// after 200 ms.
	timer := time.NewTimer(100 * time.Millisecond)
	<-timer.C
	var calls atomic.Int64
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Skipf("the port was taken meanwhile: %v", err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		_, _ = io.WriteString(w, `{"status":"SUCCESS"}`)
	})}
	go func() { _ = server.Serve(listener) }()
	defer server.Close()
	got := <-done
	if got.outcome.State != kakao.CallbackDelivered || got.err != nil || calls.Load() != 1 {
		t.Errorf("Post = %s, %v after %d calls, want delivered after 1", got.outcome.State, got.err, calls.Load())
	}
}

func TestCallbackClient_Post_neverConnects(t *testing.T) {
	reserved, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := reserved.Addr().String()
	_ = reserved.Close()
	got, err := kakao.NewCallbackClient(kakao.Guard{Loopback: true}).
		Post(within(t, 300*time.Millisecond), "http://"+address+"/"+token, kakao.Text("네"))
	if got.State != kakao.CallbackFailed || got.Reason != kakao.ReasonUnreachable || fault.KindOf(err) != fault.Unavailable {
		t.Errorf("Post(closed port) = %s %s, %v, want failed unreachable, unavailable", got.State, got.Reason, err)
	}
	if err != nil && strings.Contains(err.Error(), token) {
		t.Errorf("Post(closed port) error %q quotes the callback token", err)
	}
}

func TestCallbackClient_Post_refusesStrangers(t *testing.T) {
	for _, address := range []string{"https://evil.example/x", "http://127.0.0.1:1/x", "::"} {
		got, err := kakao.NewCallbackClient(kakao.Guard{}).Post(within(t, 5*time.Second), address, kakao.Text("네"))
		if got.State != kakao.CallbackFailed || got.Reason != kakao.ReasonRefused || fault.KindOf(err) != fault.Refused {
			t.Errorf("Post(%q) = %s %s, %v, want failed address_refused, refused", address, got.State, got.Reason, err)
		}
		if errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Post(%q) waited for its deadline, want an answer at once", address)
		}
	}
}
