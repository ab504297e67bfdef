package kakao_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/kakao"
)

const restKey = "rest-key-of-the-bot"

func newEventClient(t *testing.T, address string, timeout time.Duration) *kakao.EventClient {
	t.Helper()
	c, err := kakao.NewEventClient(address, timeout)
	if err != nil {
		t.Fatalf("NewEventClient(%q) = %v", address, err)
	}
	t.Cleanup(c.Close)
	return c
}

func hello() kakao.SendRequest {
	return kakao.SendRequest{
		BotID: "66a1f0c2d4b7e83f5a9c1d20", RestKey: restKey, Event: kakao.Event{Name: "hello"},
		Users: []kakao.EventUser{{Type: "botUserKey", ID: "u1"}},
	}
}

func TestEventClient_Send_onTheWire(t *testing.T) {
	rich := hello()
	rich.Development = true
	rich.Event = kakao.Event{Name: "restock_alert", Data: map[string]string{"title": "겨울 바다 <초판>", "price": "14,200원"}}
	rich.Users = []kakao.EventUser{
		{Type: "botUserKey", ID: "7c1e5d90aa43be8812f0"},
		{Type: "appUserId", ID: "2918004417", Properties: map[string]string{"grade": "gold"}},
		{Type: "plusfriendUserKey", ID: "Zk3-aQ91LmPd"},
	}
	rich.Params = map[string]any{"malgil_chunk": "brd_01-000001"}
	rooms := hello()
	rooms.Users, rooms.Rooms = nil, []kakao.EventRoom{{Type: "botGroupKey", ID: "g-31"}, {Type: "botGroupKey", ID: "g-32"}}
	rooms.Option = map[string]any{"quiet": true}
	marked := hello()
	marked.BotID, marked.Development = "66a1f0c2d4b7e83f5a9c1d20!", true

	tests := map[string]struct {
		request            kakao.SendRequest
		wantTarget, golden string
	}{
		"live channel":        {hello(), "/v2/bots/66a1f0c2d4b7e83f5a9c1d20/talk", "testdata/event_send_least.json"},
		"development channel": {rich, "/v2/bots/66a1f0c2d4b7e83f5a9c1d20!/talk", "testdata/event_send.json"},
		"group rooms":         {rooms, "/v2/bots/66a1f0c2d4b7e83f5a9c1d20/group", "testdata/event_send_rooms.json"},
		"an id that came with its mark": {marked, "/v2/bots/66a1f0c2d4b7e83f5a9c1d20!/talk",
			"testdata/event_send_least.json"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var target, key, kind string
			var body []byte
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				target, key, kind = r.Method+" "+r.RequestURI, r.Header.Get("Authorization"), r.Header.Get("Content-Type")
				body, _ = io.ReadAll(r.Body)
				_, _ = io.WriteString(w, `{"taskId":"t-1","status":"SUCCESS","timestamp":1795490000123}`)
			}))
			t.Cleanup(server.Close)
			receipt, err := newEventClient(t, server.URL+"/", 0).Send(t.Context(), tt.request)
			if err != nil || receipt.TaskID != "t-1" || !strings.Contains(string(receipt.Raw), "1795490000123") {
				t.Fatalf("Send() = %+v, %v, want task t-1 with Kakao's answer", receipt, err)
			}
			if target != "POST "+tt.wantTarget {
				t.Errorf("Send() called %q, want POST %s", target, tt.wantTarget)
			}
			if key != "KakaoAK "+restKey || kind != "application/json" {
				t.Errorf("Send() sent Authorization %q and Content-Type %q", key, kind)
			}
			want, err := os.ReadFile(tt.golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(body, bytes.TrimSpace(want)) {
				t.Errorf("Send() body =\n%s\nwant\n%s", body, want)
			}
		})
	}
}

func TestEventClient_Send_answers(t *testing.T) {
	tests := map[string]struct {
		status int
		header map[string]string
		body   string

		want      fault.Kind
		wantCode  string
		wantAfter time.Duration
	}{
		"200 FAIL is refused":            {status: 200, body: `{"taskId":"t","status":"FAIL","message":"no such event"}`, want: fault.Refused, wantCode: "rejected"},
		"200 FAIL for want of balance":   {status: 200, body: `{"status":"FAIL","message":"월렛 잔액이 부족합니다"}`, want: fault.Refused, wantCode: "provider"},
		"200 ERROR is in doubt":          {status: 200, body: `{"taskId":"t","status":"ERROR"}`, want: fault.InDoubt},
		"200 without a task id":          {status: 200, body: `{"status":"SUCCESS"}`, want: fault.InDoubt},
		"200 with half a body":           {status: 200, body: `{"taskId":"t","status":"SUCC`, want: fault.InDoubt},
		"200 with a web page":            {status: 200, body: `<html>`, want: fault.InDoubt},
		"200 over the limit":             {status: 200, body: `{"taskId":"t","status":"SUCCESS","x":"` + strings.Repeat("x", 1<<20) + `"}`, want: fault.InDoubt},
		"400 is refused":                 {status: 400, body: `{"message":"bad body"}`, want: fault.Refused, wantCode: "rejected"},
		"404 is refused":                 {status: 404, want: fault.Refused, wantCode: "rejected"},
		"401 is the key":                 {status: 401, body: `{"msg":"wrong key"}`, want: fault.Refused, wantCode: "config"},
		"403 is the key":                 {status: 403, body: `{"message":"from the load balancer"}`, want: fault.Refused, wantCode: "config"},
		"403 for want of balance":        {status: 403, body: `{"message":"Insufficient Balance."}`, want: fault.Refused, wantCode: "provider"},
		"429 with seconds":               {status: 429, header: map[string]string{"Retry-After": "7"}, want: fault.Throttled, wantAfter: 7 * time.Second},
		"429 with a date":                {status: 429, header: map[string]string{"Date": "Tue, 24 Nov 2026 00:00:00 GMT", "Retry-After": "Tue, 24 Nov 2026 00:00:30 GMT"}, want: fault.Throttled, wantAfter: 30 * time.Second},
		"429 with nonsense":              {status: 429, header: map[string]string{"Retry-After": "-5"}, want: fault.Throttled},
		"500 is in doubt":                {status: 500, want: fault.InDoubt},
		"503 is in doubt":                {status: 503, header: map[string]string{"Retry-After": "5"}, want: fault.InDoubt},
		"a redirect is not followed":     {status: 302, header: map[string]string{"Location": "/elsewhere"}, want: fault.InDoubt},
		"a success that is not 200":      {status: 202, body: `{"taskId":"t","status":"SUCCESS"}`, want: fault.InDoubt},
		"an undocumented refusal is not": {status: 409, want: fault.InDoubt},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var calls atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				calls.Add(1)
				for key, value := range tt.header {
					w.Header().Set(key, value)
				}
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			}))
			t.Cleanup(server.Close)
			_, err := newEventClient(t, server.URL, 0).Send(t.Context(), hello())
			if got := fault.KindOf(err); got != tt.want || fault.CodeOf(err) != tt.wantCode || fault.RetryAfter(err) != tt.wantAfter {
				t.Errorf("Send() = %v (%v, code %q, after %v), want %v, code %q, after %v",
					err, got, fault.CodeOf(err), fault.RetryAfter(err), tt.want, tt.wantCode, tt.wantAfter)
			}
			if got := calls.Load(); got != 1 {
				t.Errorf("Send() made %d calls, want 1", got)
			}
		})
	}
}

// rawServer hands each connection to a function, which ends it by returning.
func rawServer(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				serve(conn)
			}()
		}
	}()
	return "http://" + listener.Addr().String()
}

// readRequest reads until the end of the small body of hello.
func readRequest(conn net.Conn) {
	var got []byte
	buffer := make([]byte, 4096)
	for !bytes.Contains(got, []byte(`"id":"u1"}]}`)) {
		n, err := conn.Read(buffer)
		if err != nil {
			return
		}
		got = append(got, buffer[:n]...)
	}
}

func TestEventClient_Send_withoutAnswer(t *testing.T) {
	var requests atomic.Int32
	cut := rawServer(t, func(conn net.Conn) { readRequest(conn); requests.Add(1) })
	half := rawServer(t, func(conn net.Conn) {
		readRequest(conn)
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{\"taskId\":")
	})
	silent := rawServer(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	strange := httptest.NewUnstartedServer(http.NotFoundHandler())
	strange.Config.ErrorLog = log.New(io.Discard, "", 0) // it tells of the handshake
	strange.StartTLS()
	t.Cleanup(strange.Close)
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)

	tests := map[string]struct {
		address string
		timeout time.Duration
		want    fault.Kind
	}{
		"nobody listens":                     {"http://" + closed.Addr().String(), 0, fault.Unavailable},
		"a name that does not resolve":       {"http://bot-api.invalid", 0, fault.Unavailable},
		"a certificate of nobody":            {strange.URL, 0, fault.Unavailable},
		"TLS is answered in the clear":       {strings.Replace(plain.URL, "http://", "https://", 1), 0, fault.Unavailable},
		"cut after the request":              {cut, 0, fault.InDoubt},
		"cut within the answer":              {half, 0, fault.InDoubt},
		"no answer in time":                  {silent, 50 * time.Millisecond, fault.InDoubt},
		"the time is over before it started": {silent, time.Nanosecond, fault.Unavailable},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := newEventClient(t, tt.address, tt.timeout).Send(t.Context(), hello())
			if got := fault.KindOf(err); got != tt.want {
				t.Errorf("Send() = %v (%v), want %v", err, got, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), restKey) {
				t.Errorf("Send() error tells the key: %v", err)
			}
		})
	}
	if got := requests.Load(); got != 1 {
		t.Errorf("a connection cut after the request saw %d requests, want 1", got)
	}
}

func TestEventClient_Send_cancelled(t *testing.T) {
	arrived := make(chan struct{})
	address := rawServer(t, func(conn net.Conn) {
		readRequest(conn)
		close(arrived)
		_, _ = io.Copy(io.Discard, conn)
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	_, err := newEventClient(t, address, 0).Send(ctx, hello())
	if fault.KindOf(err) != fault.InDoubt || !errors.Is(err, context.Canceled) {
		t.Errorf("Send() cancelled after the write = %v (%v), want in doubt", err, fault.KindOf(err))
	}
}

func TestEventClient_Send_withoutKey(t *testing.T) {
	c := newEventClient(t, rawServer(t, func(net.Conn) { t.Error("a request without a key was sent") }), 0)
	for name, key := range map[string]string{"none": "", "with a newline": "abc\r\nX: y", "with a space": "a b"} {
		r := hello()
		r.RestKey = key
		if _, err := c.Send(t.Context(), r); fault.CodeOf(err) != "config" {
			t.Errorf("Send(key %s) = %v, want code config", name, err)
		}
	}
}

func TestEventClient_Send_refusalTellsNobody(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(400)
		_, _ = io.WriteString(w, `{"message":"user person-7 is wrong for key `+restKey+` `+strings.Repeat("가", 300)+`"}`)
	}))
	t.Cleanup(server.Close)
	r := hello()
	r.Users = []kakao.EventUser{{Type: "botUserKey", ID: "person-7"}}
	_, err := newEventClient(t, server.URL, 0).Send(t.Context(), r)
	got := fault.MessageOf(err)
	if strings.Contains(got, "person-7") || strings.Contains(got, restKey) || !strings.Contains(got, "user *** is wrong") || !strings.HasSuffix(got, "…") {
		t.Errorf("message of a refusal = %q, want it cut, without key and user", got)
	}
}

func TestNewEventClient_address(t *testing.T) {
	for _, address := range []string{"", "bot-api.kakao.com", "ftp://x", "https://", "https://a:b@x", "https://x?y=z"} {
		if _, err := kakao.NewEventClient(address, 0); err == nil {
			t.Errorf("NewEventClient(%q) = nil, want an error", address)
		}
	}
}
