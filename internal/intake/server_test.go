package intake

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// serving is a house on a loopback port, and how to stop it.
func serving(t *testing.T, change ...func(*Services)) (h *house, address string, stop func() error) {
	t.Helper()
	h = newHouse(t, change...)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.server.Serve(ctx, l) }()
	stopped := false
	stop = func() error {
		cancel()
		if stopped {
			return nil
		}
		stopped = true
		return <-ended
	}
	t.Cleanup(func() { _ = stop() })
	return h, "http://" + l.Addr().String(), stop
}

func TestServe_refusesALongHeader(t *testing.T) {
	_, address, _ := serving(t)
	for size, want := range map[int]int{8 << 10: 200, 32 << 10: http.StatusRequestHeaderFieldsTooLarge} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+"/healthz", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Padding", strings.Repeat("a", size))
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("a header of %d bytes = %d, want %d", size, answer.StatusCode, want)
		}
	}
}

// A request that is under way when the server stops is answered; new ones find nobody.
func TestServe_finishesWhatIsUnderWay(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	_, address, stop := serving(t, func(s *Services) {
		s.Skill = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			close(entered)
			select {
			case <-leave:
			case <-r.Context().Done(): // must not be cut off by the stop
			}
			_, _ = io.WriteString(w, fmt.Sprint(r.Context().Err()))
		})
	})
	answered := make(chan string, 1)
	go func() {
		answer, err := http.Post(address+"/skill/b/k", "application/json", strings.NewReader("{}"))
		if err != nil {
			answered <- err.Error()
			return
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		answered <- fmt.Sprint(answer.StatusCode, " ", string(text), " ", err)
	}()
	<-entered
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	for { // until the listener is closed
		conn, err := net.DialTimeout("tcp", strings.TrimPrefix(address, "http://"), time.Second)
		if err != nil {
			break
		}
		conn.Close()
	}
	close(leave)
	if got := <-answered; got != "200 <nil> <nil>" {
		t.Errorf("the request under way was answered %q, want 200 and a context that lives", got)
	}
	if err := <-stopped; err != nil {
		t.Errorf("Serve() error = %v, want none", err)
	}
}

// A client that says nothing more is not kept.
func TestServe_dropsASilentClient(t *testing.T) {
	t.Parallel() // it waits for the server to lose patience
	_, address, _ := serving(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(address, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: a\r\nX-Slow: "); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	_, err = bufio.NewReader(conn).ReadByte()
	var late net.Error
	if errors.As(err, &late) && late.Timeout() {
		t.Error("after 20 s the server still waits for the rest of a header, want it to give up after 5 s")
	}
}

// An upload goes over a real connection with its deadlines.
func TestServe_upload(t *testing.T) {
	h, address, _ := serving(t)
	_, _, botID := h.seed(0)
	path := h.uploading(botID)
	put := func(body io.Reader) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, address+path+"/recipients", body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "text/csv")
		r.Header.Set("Authorization", "Bearer "+h.token("send"))
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(text)
	}
	if status, text := put(&rowSource{rows: 100_000}); status != 200 || !strings.Contains(text, `"audience":100000`) {
		t.Errorf("PUT recipients = %d %s, want 100,000 people", status, text)
	}
	// Refused while most of it is not sent yet: the answer arrives all the same.
	if status, text := put(strings.NewReader("name\n" + strings.Repeat("a,b\n", 100_000))); status != 422 || !strings.Contains(text, "no column id") {
		t.Errorf("PUT of a file without ids = %d %s, want 422", status, text)
	}
}
