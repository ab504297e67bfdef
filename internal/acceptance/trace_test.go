package acceptance_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/malgil/malgil/internal/app"
)

// What is done about one message is one trace, which ends in a file; a caller may have it be his.
func TestTrace(t *testing.T) {
	show(t, map[string]func(*testing.T){
		"from_order_to_charge": fromOrderToCharge,
		"of_the_caller":        traceOfTheCaller,
		"of_an_utterance":      traceOfAnUtterance,
	})
}

// span is one line of a file of traces.
type span struct {
	Name        string
	SpanContext struct{ TraceID, SpanID string }
	Parent      struct{ SpanID string }
	Status      struct{ Code string }
}

// openTraced opens a house whose traces go to a file. The file is whole once spans were asked for, which starts
// the house again.
func openTraced(t *testing.T) (h *house, spans func() []span) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "traces")
	h = open(t, plan{config: func(c *app.Config) { c.Trace = "file:" + path }})
	return h, func() (all []span) {
		t.Helper()
		h.restart()
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(text) {
			var s span
			if err := json.Unmarshal(line, &s); err != nil {
				t.Fatalf("line of the traces: %v: %s", err, line)
			}
			all = append(all, s)
		}
		return all
	}
}

// traceWith returns the trace that has a span of a name, in the order in which its spans ended.
func traceWith(t *testing.T, all []span, name string) (id string, names []string) {
	t.Helper()
	i := slices.IndexFunc(all, func(s span) bool { return s.Name == name })
	if i < 0 {
		t.Fatalf("no span is named %q: %+v", name, all)
	}
	known := map[string]bool{}
	for _, s := range all {
		known[s.SpanContext.SpanID] = true
	}
	id = all[i].SpanContext.TraceID
	for _, s := range all {
		if s.SpanContext.TraceID != id {
			continue
		}
		names = append(names, s.Name)
		if s.Status.Code == "Error" {
			t.Errorf("span %s went wrong: %+v", s.Name, s)
		}
		if s.Parent.SpanID != strings.Repeat("0", 16) && s.Parent.SpanID != callersSpan && !known[s.Parent.SpanID] {
			t.Errorf("span %s lies below one that there is not: %+v", s.Name, s)
		}
	}
	return id, names
}

const (
	callersTrace = "4bf92f3577b34da6a3ce929d0e0e4736"
	callersSpan  = "00f067aa0ba902b7"
)

// One message is ordered, sent, looked up, captured and charged to a card; a mail tells of it.
func fromOrderToCharge(t *testing.T) {
	h, spans := openTraced(t)
	s := h.openShop(1)
	s.deliver(1)
	h.midnight()
	s.charged(1, "paid")
	h.until("a mail tells of the charge", func() (bool, any) { l := h.arrived(); return len(l) > 0, l })
	_, names := traceWith(t, spans(), "dispatch")
	for _, step := range []string{
		"POST /api/v1/broadcasts", "dispatch", "broadcast:send_chunk", "POST 127.0.0.1", "broadcast:fetch_result", "GET 127.0.0.1", "capture",
		"billing:charge_wallet", "billing:charge_card", "mail:send",
	} {
		if !slices.Contains(names, step) {
			t.Errorf("the trace of the message has no %s, only %q", step, names)
		}
	}
}

// A program that calls the API says what its call belongs to.
func traceOfTheCaller(t *testing.T) {
	h, spans := openTraced(t)
	call := func(method, path, authorization string) {
		request, err := http.NewRequestWithContext(t.Context(), method, path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Traceparent", "00-"+callersTrace+"-"+callersSpan+"-01")
		request.Header.Set("Authorization", authorization)
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if _, err := io.Copy(io.Discard, answer.Body); err != nil {
			t.Fatal(err)
		}
	}
	call("GET", h.url+"/api/v1/prices", "Bearer "+h.token)
	call("GET", h.url+"/api/v1/accounts", "Bearer a-stranger's")
	call("POST", h.openShop(0).skillURL, "")
	all := spans()
	if id, names := traceWith(t, all, "GET /api/v1/prices"); id != callersTrace || len(names) != 1 {
		t.Errorf("the call has the trace %s with %q, want that of its caller, %s", id, names, callersTrace)
	}
	if id, _ := traceWith(t, all, "POST /skill/{bot}/{key}"); id == callersTrace {
		t.Error("whoever speaks to a bot says which trace that belongs to, want one of ours")
	}
}

// An utterance is one trace, from Kakao's call over the task to the answer.
func traceOfAnUtterance(t *testing.T) {
	h, spans := openTraced(t)
	s := h.openShop(0)
	u := h.say(s.skillURL, s.bot, "person-1", false)
	if u.Status != http.StatusOK {
		t.Fatalf("the utterance was answered %+v", u)
	}
	_, names := traceWith(t, spans(), "utterance:answer")
	slices.Sort(names)
	if want := []string{"POST /skill/{bot}/{key}", "utterance:answer"}; !slices.Equal(names, want) {
		t.Errorf("the trace of an utterance has %q, want %q", names, want)
	}
}
