package kakao

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/malgil/malgil/internal/trace"
)

// maxAnswerBytes is the longest answer that is read from a peer.
const maxAnswerBytes = 1 << 20

// Peer is a server that is asked over HTTP. It gets each POST at most once, and of each request
// it is known whether it may have left this machine. No redirect is followed, and nothing is
// repeated but a GET whose kept connection breaks. It is spoken to in HTTP/1.1, where a request
// has a connection to itself, so that what was written of it is known. It is safe for concurrent
// use.
type Peer struct {
	base      string
	name      string // host, for traces
	transport *http.Transport
	timeout   time.Duration
	asked     Asked // nil when nobody wants to know
}

// Asked is told of a request when it is over: the status of the answer, 0 for none; whether any of the
// request may have arrived; and how long it took.
type Asked func(status int, sent bool, took time.Duration)

// Answer is a whole answer of a peer, whatever its status.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// NoAnswer is a request without a whole answer.
type NoAnswer struct {
	// Sent reports that bytes of the request may have reached the peer, which may have acted.
	// False promises that not a byte of it was written: no name, no connection, no TLS, or a
	// connection that had gone before.
	Sent bool
	Err  error
}

func (e *NoAnswer) Error() string {
	if e.Sent {
		return "no answer to the request: " + e.Err.Error()
	}
	return "the request did not leave: " + e.Err.Error()
}

func (e *NoAnswer) Unwrap() error { return e.Err }

// NewPeer returns the server at an address such as "https://bot-api.kakao.com", whose answers are
// waited for so long. Up to 64 connections stay open between requests; call [Peer.Close] when done.
func NewPeer(address string, timeout time.Duration) (*Peer, error) {
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, errors.New("the address of a peer is http or https, a host and at most a path")
	}
	dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}
	return &Peer{
		base:    strings.TrimRight(address, "/"),
		name:    u.Hostname(),
		timeout: timeout,
		transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment,
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := dialer.DialContext(ctx, network, address)
				if err != nil {
					return nil, err
				}
				return &watchedConn{Conn: conn}, nil
			},
			TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout: 5 * time.Second,
			MaxIdleConns:        256,
			MaxIdleConnsPerHost: 64,
			// Shorter than servers keep them, so that a request seldom meets a closing connection.
			IdleConnTimeout:        30 * time.Second,
			DisableCompression:     true,
			MaxResponseHeaderBytes: 64 << 10,
		},
	}, nil
}

// Close closes the connections that are open between requests.
func (p *Peer) Close() { p.transport.CloseIdleConnections() }

// Watch has each request told of. It is called before the first.
func (p *Peer) Watch(asked Asked) { p.asked = asked }

// Do sends one request to a path, escaped as it is to appear on the wire, and reads the whole
// answer, at most 1 MiB. Every error is a [*NoAnswer]; it quotes neither header nor body. A nil
// body is none.
func (p *Peer) Do(ctx context.Context, method, path string, header http.Header, body []byte) (Answer, error) {
	ctx, end := trace.Step(ctx, trace.Called, method+" "+p.name)
	begun := time.Now()
	answer, err := p.do(ctx, method, path, header, body)
	if p.asked != nil {
		var none *NoAnswer
		p.asked(answer.Status, !errors.As(err, &none) || none.Sent, time.Since(begun))
	}
	trace.Note(ctx, slog.Int("http.response.status_code", answer.Status))
	if failed := err; failed == nil && answer.Status >= http.StatusBadRequest {
		end(errors.New(http.StatusText(answer.Status)))
	} else {
		end(failed)
	}
	return answer, err
}

func (p *Peer) do(ctx context.Context, method, path string, header http.Header, body []byte) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	var used conns
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { used.add(info.Conn) },
	})
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(traced, method, p.base+path, reader)
	if err != nil {
		return Answer{}, &NoAnswer{Err: errors.New("the path is not valid")}
	}
	req.GetBody = nil // without it, and without an idempotency header, the transport repeats no POST
	req.Header = header.Clone()
	res, err := p.transport.RoundTrip(req)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return Answer{}, &NoAnswer{Sent: used.wrote(), Err: err}
	}
	defer res.Body.Close()
	content, err := io.ReadAll(io.LimitReader(res.Body, maxAnswerBytes+1))
	switch {
	case err != nil:
		return Answer{}, &NoAnswer{Sent: true, Err: fmt.Errorf("read the answer: %w", err)}
	case len(content) > maxAnswerBytes:
		return Answer{}, &NoAnswer{Sent: true, Err: fmt.Errorf("the answer is longer than %d bytes", maxAnswerBytes)}
	}
	return Answer{Status: res.StatusCode, Header: res.Header, Body: content}, nil
}

// conns are the connections that one request was given, and what each had written before.
type conns struct {
	mu   sync.Mutex
	used []usedConn
}

type usedConn struct {
	conn   *watchedConn
	before int
}

func (c *conns) add(conn net.Conn) {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	watched, ok := conn.(*watchedConn)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !ok { // nothing is known about it: it counts as written
		c.used = append(c.used, usedConn{})
		return
	}
	c.used = append(c.used, usedConn{conn: watched, before: watched.writes()})
}

// wrote reports whether a connection was written to since the request got it, and makes sure
// that none will be.
func (c *conns) wrote() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	wrote := false
	for _, used := range c.used {
		if used.conn == nil || used.conn.seal() != used.before {
			wrote = true
		}
	}
	return wrote
}

// watchedConn counts writes. Once sealed it writes no more, so that an answer to "was anything
// written" stays true while the transport's goroutines wind down.
type watchedConn struct {
	net.Conn
	mu     sync.Mutex
	count  int
	sealed bool
}

func (c *watchedConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	if c.sealed {
		c.mu.Unlock()
		return 0, net.ErrClosed
	}
	c.count++ // before the write: a write that fails may still have let bytes out
	c.mu.Unlock()
	return c.Conn.Write(b)
}

func (c *watchedConn) writes() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count
}

func (c *watchedConn) seal() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sealed = true
	return c.count
}
