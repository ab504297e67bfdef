package acceptance_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/webhook"
)

// received is one request that a program of the operator got.
type received struct {
	id, event, body string
	data            struct {
		Broadcast string
		State     string
		Reason    string
		Counts    struct{ Audience, Delivered, Failed int }
		Cost      struct {
			Captured int64 `json:"captured_krw"`
			VAT      int64 `json:"vat_krw"`
		}
	}
}

// receiver is a program that is told of broadcasts; it checks every signature.
type receiver struct {
	t      *testing.T
	secret string

	mu      sync.Mutex
	refuses int // so many more, after it has read them
	all     []received
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		r.t.Errorf("read a delivery: %v", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	one := received{id: q.Header.Get(webhook.HeaderID), event: q.Header.Get(webhook.HeaderEvent), body: string(body)}
	stamp := q.Header.Get(webhook.HeaderTimestamp)
	seconds, _ := strconv.ParseInt(stamp, 10, 64)
	if err := webhook.Verify(r.secret, stamp, q.Header.Get(webhook.HeaderSignature), body, time.Unix(seconds, 0)); err != nil {
		r.t.Errorf("a delivery of %s is not signed: %v", one.event, err)
	}
	if err := json.Unmarshal(body, &struct{ Data any }{&one.data}); err != nil {
		r.t.Errorf("a delivery says %s: %v", body, err)
	}
	r.all = append(r.all, one)
	if r.refuses > 0 {
		r.refuses--
		w.WriteHeader(http.StatusInternalServerError)
	}
}

// got is what it got so far.
func (r *receiver) got() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]received(nil), r.all...)
}

// told waits until a receiver has got so many deliveries.
func (h *house) told(r *receiver, n int) []received {
	h.t.Helper()
	h.until(fmt.Sprintf("the program is told %d times", n), func() (bool, any) {
		all := r.got()
		var events []string
		for _, one := range all {
			events = append(events, one.event)
		}
		return len(all) >= n, events
	})
	return r.got()
}

// hook has a receiver told of a shop's broadcasts, and returns the address of the webhook.
func (s *shop) hook(r *receiver, url string) string {
	s.house.t.Helper()
	var made struct{ ID, Secret string }
	s.house.do("POST", "/api/v1/webhooks", map[string]any{"bot": s.bot, "url": url}, &made)
	r.mu.Lock()
	r.secret = made.Secret
	r.mu.Unlock()
	return "/api/v1/webhooks/" + made.ID
}

// A program is told of a broadcast that starts, pauses itself and ends, although it fails at first and another
// program never answers; what it is told holds nobody's key.
func webhooks(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(0)
	s.topUp(100_000)
	program := &receiver{t: t, refuses: 1}
	server := httptest.NewServer(program)
	defer server.Close()
	path := s.hook(program, server.URL+"/hook")
	over := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-over }))
	defer silent.Close()
	defer close(over)
	s.hook(&receiver{}, silent.URL)

	h.do("POST", path+"/ping", nil, nil)
	if first := h.told(program, 1); first[0].event != "ping" {
		t.Errorf("the program is told of %q first, want the ping", first[0].event)
	}
	h.advance(time.Minute) // it refused the ping
	if again := h.told(program, 2); again[1].id != again[0].id || again[1].body != again[0].body {
		t.Errorf("the ping comes again as %+v, want %+v", again[1], again[0])
	}

	b := s.finish(s.order(append(s.friends(120), "stranger-1")...))
	all := h.told(program, 4)[2:]
	if all[0].event != "broadcast.started" || all[0].data.Broadcast != b.ID || all[0].data.Counts.Audience != 121 {
		t.Errorf("as it starts the program is told %s", all[0].body)
	}
	end := all[1]
	if end.event != "broadcast.finished" || end.data.State != "finished" || end.data.Counts.Delivered != 120 || end.data.Counts.Failed != 1 ||
		end.data.Cost.Captured != 1800 || end.data.Cost.VAT != 180 {
		t.Errorf("at its end the program is told %s, want 120 delivered for 1,800 + 180 KRW", end.body)
	}

	bad := s.waits(s.orderWith(map[string]any{"canary": map[string]any{"people": 2, "max_missed_percent": 0}}, append([]string{"stranger-1", "stranger-2"}, s.friends(10)...)...), "paused")
	all = h.told(program, 6)[4:]
	if all[1].event != "broadcast.paused" || all[1].data.Broadcast != bad.ID || !strings.HasPrefix(all[1].data.Reason, "canary: 2 of the first 2 people were missed") {
		t.Errorf("as it pauses itself the program is told %s, want why", all[1].body)
	}
	for _, one := range program.got() {
		if strings.Contains(one.body, "reader-") || strings.Contains(one.body, "stranger-") {
			t.Errorf("a program is told %s, want nobody's key", one.body)
		}
	}

	var list struct {
		Items []struct {
			ID, State, Event string
			Attempts         int
		}
	}
	h.until("the last delivery is recorded", func() (bool, any) {
		h.get(path+"/deliveries", &list)
		return len(list.Items) == 5 && list.Items[0].State == "delivered", list
	})
	if ping := list.Items[4]; ping.Event != "ping" || ping.State != "delivered" || ping.Attempts != 2 {
		t.Errorf("the ping is kept as %+v, want delivered at the second try", ping)
	}
	h.do("POST", path+"/deliveries/"+end.id+"/replay", nil, nil)
	if replayed := h.told(program, 7)[6]; replayed.id != end.id || replayed.body != end.body {
		t.Errorf("the replay says %+v, want %+v", replayed, end)
	}
	h.do("DELETE", path, nil, nil)
}
