package load

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	wireTime = 10 * time.Second // one answer
	wireIdle = 20 * time.Second // less than after which a server closes a connection
)

// wires are connections to one server, over which whoever asks writes a request and reads its answer. [http.Client]
// has two goroutines for each, which hand them over: a third of what measuring took of the processors, beside who is measured.
type wires struct {
	host, head string

	mu   sync.Mutex
	idle []*wire // the last used last
}

type wire struct {
	net.Conn
	in   *bufio.Reader
	used time.Time // last
}

// newWires is for posts of JSON to a path, with its query, of a server.
func newWires(host, path string) *wires {
	return &wires{host: host, head: "POST " + path + " HTTP/1.1\r\nHost: " + host + "\r\nContent-Type: application/json\r\nContent-Length: "}
}

// post returns status and body of the answer.
func (ws *wires) post(ctx context.Context, body string) (status int, answer []byte, err error) {
	w, err := ws.take(ctx)
	if err != nil {
		return 0, nil, err
	}
	cut := context.AfterFunc(ctx, func() { _ = w.Close() })
	status, answer, again, err := w.post(fmt.Sprintf("%s%d\r\n\r\n%s", ws.head, len(body), body))
	if !cut() || err != nil || !again {
		_ = w.Close()
		return status, answer, err
	}
	ws.mu.Lock()
	defer ws.mu.Unlock()
	w.used = time.Now()
	ws.idle = append(ws.idle, w)
	return status, answer, nil
}

func (ws *wires) take(ctx context.Context) (*wire, error) {
	ws.mu.Lock()
	var w *wire
	for last := len(ws.idle) - 1; last >= 0 && w == nil; last-- {
		if time.Since(ws.idle[last].used) < wireIdle {
			w = ws.idle[last]
		} else {
			_ = ws.idle[last].Close()
		}
		ws.idle = ws.idle[:last]
	}
	ws.mu.Unlock()
	if w != nil {
		return w, nil
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", ws.host)
	if err != nil {
		return nil, err
	}
	return &wire{Conn: conn, in: bufio.NewReader(conn)}, nil
}

// close closes what nobody uses.
func (ws *wires) close() {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for _, w := range ws.idle {
		_ = w.Close()
	}
	ws.idle = nil
}

// post writes a request and reads its answer. Whether another may follow, the server says.
func (w *wire) post(request string) (status int, answer []byte, again bool, err error) {
	if err := w.SetDeadline(time.Now().Add(wireTime)); err != nil {
		return 0, nil, false, err
	}
	if _, err := io.WriteString(w.Conn, request); err != nil {
		return 0, nil, false, err
	}
	got, err := http.ReadResponse(w.in, nil)
	if err != nil {
		return 0, nil, false, err
	}
	defer got.Body.Close()
	answer, err = io.ReadAll(got.Body)
	return got.StatusCode, answer, !got.Close, err
}
