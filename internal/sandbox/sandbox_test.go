package sandbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/kakaopay"
	"github.com/malgil/malgil/internal/sandbox"
)

const (
	restKey = "rest-key"
	secret  = "secret-key"
	botID   = "66a1f0c2d4b7e83f5a9c1d20"
)

func TestMain(m *testing.M) {
	code := m.Run()
	http.DefaultClient.CloseIdleConnections()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// world is a sandbox on loopback with the program's own clients.
type world struct {
	*sandbox.Sandbox
	t      *testing.T
	clock  *clock.Clock
	events *kakao.EventClient
	pay    *kakaopay.Client
}

func newWorld(t *testing.T, change ...func(*sandbox.Options)) *world {
	t.Helper()
	w := &world{t: t, clock: &clock.Clock{}}
	options := sandbox.Options{Clock: w.clock, KakaoPaySecret: secret}
	for _, c := range change {
		c(&options)
	}
	var err error
	if w.Sandbox, err = sandbox.Start(context.Background(), options); err != nil {
		t.Fatalf("Start() = %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := w.Close(ctx); err != nil {
			t.Errorf("Close() = %v, want nil", err)
		}
	})
	if w.events, err = kakao.NewEventClient(w.URL(), 0); err != nil {
		t.Fatal(err)
	}
	if w.pay, err = kakaopay.New(w.URL(), secret, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.events.Close)
	t.Cleanup(w.pay.Close)
	return w
}

// impatient are clients that give up soon, for answers that never come.
func (w *world) impatient(timeout time.Duration) (*kakao.EventClient, *kakaopay.Client) {
	w.t.Helper()
	events, err := kakao.NewEventClient(w.URL(), timeout)
	if err != nil {
		w.t.Fatal(err)
	}
	pay, err := kakaopay.New(w.URL(), secret, timeout)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(events.Close)
	w.t.Cleanup(pay.Close)
	return events, pay
}

// do calls the admin and returns its status and answer.
func (w *world) do(method, path, body string) (int, map[string]any) {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.t.Context(), method, w.URL()+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		w.t.Fatalf("%s %s = %v", method, path, err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	var answer map[string]any
	if len(content) > 0 && bytes.HasPrefix(content, []byte("{")) {
		if err := json.Unmarshal(content, &answer); err != nil {
			w.t.Fatalf("%s %s answered %s", method, path, content)
		}
	}
	return response.StatusCode, answer
}

// must calls the admin and requires success.
func (w *world) must(method, path, body string) map[string]any {
	w.t.Helper()
	status, answer := w.do(method, path, body)
	if status >= 300 {
		w.t.Fatalf("%s %s = %d %v, want success", method, path, status, answer)
	}
	return answer
}

func (w *world) items(path string) []any {
	w.t.Helper()
	items, ok := w.must("GET", path, "")["items"].([]any)
	if !ok {
		w.t.Fatalf("GET %s has no items", path)
	}
	return items
}

// send makes one call for people of type botUserKey.
func send(people ...string) kakao.SendRequest {
	r := kakao.SendRequest{BotID: botID, RestKey: restKey, Event: kakao.Event{Name: "hello"}}
	for _, id := range people {
		r.Users = append(r.Users, kakao.EventUser{Type: "botUserKey", ID: id})
	}
	return r
}

func TestStart_listensOnLoopbackOnly(t *testing.T) {
	for name, o := range map[string]sandbox.Options{
		"HTTP on every address": {HTTPAddress: ":0"},
		"HTTP on 0.0.0.0":       {HTTPAddress: "0.0.0.0:0"},
		"SMTP on 0.0.0.0":       {SMTPAddress: "0.0.0.0:0"},
		"no port":               {HTTPAddress: "127.0.0.1"},
	} {
		o.Clock = &clock.Clock{}
		if s, err := sandbox.Start(t.Context(), o); err == nil {
			t.Errorf("Start(%s) = nil, want an error", name)
			_ = s.Close(t.Context())
		}
	}
	s, err := sandbox.Start(t.Context(), sandbox.Options{Clock: &clock.Clock{}, HTTPAddress: "0.0.0.0:0", AllowRemote: true})
	if err != nil {
		t.Fatalf("Start(remote allowed) = %v, want nil", err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Errorf("Close() = %v, want nil", err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Errorf("second Close() = %v, want nil", err)
	}
}

func TestAdmin_refusesWhatItDoesNotKnow(t *testing.T) {
	w := newWorld(t)
	tests := map[string]struct {
		method, path, body string
		status             int
		field              string
	}{
		"unknown field of a fault":   {"POST", "/sandbox/faults", `{"target":"kakao.send","fault":"refuse","cuont":3}`, 400, "cuont"},
		"unknown target":             {"POST", "/sandbox/faults", `{"target":"kakao.sned","fault":"refuse"}`, 400, "target"},
		"fault of another target":    {"POST", "/sandbox/faults", `{"target":"smtp","fault":"no_balance"}`, 400, "fault"},
		"count below -1":             {"POST", "/sandbox/faults", `{"target":"smtp","fault":"refuse","count":-2}`, 400, "count"},
		"count of another type":      {"POST", "/sandbox/faults", `{"target":"smtp","fault":"refuse","count":"one"}`, 400, "count"},
		"two values":                 {"POST", "/sandbox/faults", `{"target":"smtp","fault":"refuse"}{}`, 400, ""},
		"no JSON":                    {"POST", "/sandbox/faults", `target=smtp`, 400, ""},
		"unknown field of the clock": {"PUT", "/sandbox/clock", `{"to":"2030-01-01T00:00:00Z"}`, 400, "to"},
		"no time":                    {"PUT", "/sandbox/clock", `{}`, 400, "now"},
		"an odd duration":            {"PUT", "/sandbox/clock", `{"advance":"tomorrow"}`, 400, "advance"},
		"the past":                   {"PUT", "/sandbox/clock", `{"now":"2001-01-01T00:00:00Z"}`, 409, ""},
		"backward":                   {"PUT", "/sandbox/clock", `{"advance":"-1h"}`, 409, ""},
		"people without friend":      {"POST", "/sandbox/people", `{"ids":["a"]}`, 400, "friend"},
		"nobody":                     {"POST", "/sandbox/people", `{"friend":false}`, 400, "ids"},
		"a skill far away":           {"PUT", "/sandbox/bots/b", `{"skill_url":"https://skill.example/x"}`, 400, "skill_url"},
		"an utterance far away":      {"POST", "/sandbox/utterances", `{"skill_url":"https://skill.example/x"}`, 400, "skill_url"},
		"an utterance to nowhere":    {"POST", "/sandbox/utterances", `{}`, 400, "skill_url"},
		"a callback of no bot":       {"POST", "/sandbox/callbacks", `{}`, 400, "bot"},
		"an unknown callback":        {"GET", "/sandbox/truth/callbacks/x", ``, 404, ""},
		"an unknown card":            {"POST", "/sandbox/cards/x/dormant", ``, 404, ""},
		"a personality of no card":   {"PUT", "/sandbox/cards/x", `{"personality":"nice"}`, 400, "personality"},
		"a card renamed":             {"PUT", "/sandbox/cards/x", `{"name":"y"}`, 400, "name"},
		"a payment that is not":      {"POST", "/sandbox/pay/T1", `{"card":"x"}`, 404, ""},
		"a page that is too long":    {"GET", "/sandbox/truth/payments?limit=1001", ``, 400, "limit"},
		"an odd cursor":              {"GET", "/sandbox/truth/people?cursor=x", ``, 400, "cursor"},
		"a wait that is too long":    {"GET", "/sandbox/mails?wait_seconds=61", ``, 400, "wait_seconds"},
		"a person of no bot":         {"GET", "/sandbox/truth/people?id=u", ``, 400, "bot"},
		"no such address":            {"GET", "/sandbox/nothing", ``, 404, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			status, answer := w.do(tt.method, tt.path, tt.body)
			field, _ := answer["field"].(string)
			if status != tt.status || field != tt.field {
				t.Errorf("%s %s = %d, field %q (%v), want %d, field %q", tt.method, tt.path, status, field, answer["detail"], tt.status, tt.field)
			}
		})
	}
}

func TestClock(t *testing.T) {
	var own clock.Clock
	var moved []time.Time
	w := newWorld(t, func(o *sandbox.Options) {
		o.Clock = &own
		o.MoveClock = func(_ context.Context, to time.Time) error {
			moved = append(moved, to)
			return own.MoveTo(to)
		}
	})
	target := own.Now().Add(48 * time.Hour)
	answer := w.must("PUT", "/sandbox/clock", `{"now":"`+target.Format(time.RFC3339Nano)+`"}`)
	at, err := time.Parse(time.RFC3339Nano, answer["now"].(string))
	if err != nil || at.Before(target) || len(moved) != 1 || !moved[0].Equal(target) {
		t.Errorf("PUT clock = %v, moved %v, want it at %v", answer, moved, target)
	}
	w.must("PUT", "/sandbox/clock", `{"advance":"24h"}`)
	if got, want := own.Now(), target.Add(24*time.Hour); got.Before(want) {
		t.Errorf("the clock stands at %v, want %v or later", got, want)
	}
	if _, ok := w.must("GET", "/sandbox/clock", "")["now"].(string); !ok {
		t.Error("GET clock tells no time")
	}
}

func TestClock_notYet(t *testing.T) {
	w := newWorld(t, func(o *sandbox.Options) {
		o.MoveClock = func(context.Context, time.Time) error {
			return fault.New(fault.Unavailable, "the program is still starting")
		}
	})
	if status, answer := w.do("PUT", "/sandbox/clock", `{"advance":"1h"}`); status != http.StatusServiceUnavailable {
		t.Errorf("PUT clock = %d %v, want 503", status, answer)
	}
}

func TestTruth_startsEmpty(t *testing.T) {
	w := newWorld(t)
	answer := w.must("GET", "/sandbox/truth", "")
	people := answer["kakao"].(map[string]any)["people"].(map[string]any)
	if people["reached"] != 0.0 || answer["mails"] != 0.0 {
		t.Errorf("GET truth = %v, want nothing to have happened", answer)
	}
}

func kindOf(t *testing.T, err error, want fault.Kind, code string) {
	t.Helper()
	if fault.KindOf(err) != want || fault.CodeOf(err) != code {
		t.Errorf("got %v (%v, code %q), want %v, code %q", err, fault.KindOf(err), fault.CodeOf(err), want, code)
	}
}
