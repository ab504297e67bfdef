// Package shop stands in for the skill server of a business, as one that was written for Kakao. It keeps what
// it was asked, and takes its time on request.
package shop

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/sandbox/answer"
	"github.com/malgil/malgil/internal/sandbox/trouble"
)

// target is what faults of the server are asked for.
const target = "shop.skill"

// Faults are the faults of this package.
var Faults = map[string][]trouble.Kind{target: trouble.Common}

// longest is how long an answer takes at most, in seconds.
const longest = 120

// keptCalls is how many calls are remembered, the last ones.
const keptCalls = 1000

// Shop is the stand-in. It is safe for concurrent use.
type Shop struct {
	clock  *clock.Clock
	faults *trouble.Book

	mu    sync.Mutex
	calls []Call
}

// Call is one call of the server.
type Call struct {
	At        time.Time         `json:"at"`
	Bot       string            `json:"bot"`
	Utterance string            `json:"utterance"`
	Callback  bool              `json:"callback"` // a callbackUrl came with it
	Headers   map[string]string `json:"headers"`  // those that begin with Malgil-
	Body      json.RawMessage   `json:"body"`
}

// New returns a stand-in that was never called.
func New(clock *clock.Clock, faults *trouble.Book) *Shop { return &Shop{clock: clock, faults: faults} }

// Routes adds the server's address and that of its truth to a mux.
func (s *Shop) Routes(mux *http.ServeMux) {
	mux.HandleFunc("POST /shop/skill", s.serve)
	mux.HandleFunc("GET /sandbox/truth/shop", s.list)
}

// serve is POST /shop/skill?seconds=: it says what it was asked, so many seconds later.
func (s *Shop) serve(w http.ResponseWriter, r *http.Request) {
	seconds := 0.0
	if text := r.URL.Query().Get("seconds"); text != "" {
		var err error
		if seconds, err = strconv.ParseFloat(text, 64); err != nil || !(seconds >= 0 && seconds <= longest) {
			answer.Problem(w, fault.Field("seconds", "seconds is 0 to %d", longest))
			return
		}
	}
	var asked struct {
		Bot         struct{ ID string }
		UserRequest struct{ Utterance, CallbackURL string }
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err == nil {
		err = json.Unmarshal(body, &asked)
	}
	if err != nil {
		answer.Problem(w, fault.Field("body", "the body is no skill payload"))
		return
	}
	call := Call{At: s.clock.Now(), Bot: asked.Bot.ID, Utterance: asked.UserRequest.Utterance, Callback: asked.UserRequest.CallbackURL != "",
		Headers: map[string]string{}, Body: body}
	for _, name := range []string{"Malgil-Utterance", "Malgil-Timestamp", "Malgil-Signature"} {
		if value := r.Header.Get(name); value != "" {
			call.Headers[name] = value
		}
	}
	f := s.faults.Take(target, trouble.Subject{Bot: asked.Bot.ID})
	f.Before(r)
	switch f.Kind {
	case trouble.Refuse:
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	case trouble.Throttle:
		w.Header().Set("Retry-After", f.RetryAfter())
		http.Error(w, "too many requests", http.StatusTooManyRequests)
		return
	case trouble.Unauthorized:
		http.Error(w, "unauthorized", http.StatusUnauthorized)
		return
	case trouble.ErrorBefore:
		http.Error(w, "internal server error", http.StatusInternalServerError)
		return
	}
	s.mu.Lock()
	s.calls = append(s.calls, call)
	if len(s.calls) > keptCalls {
		s.calls = s.calls[len(s.calls)-keptCalls:]
	}
	s.mu.Unlock()
	if seconds > 0 {
		timer := time.NewTimer(time.Duration(seconds * float64(time.Second)))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done(): // given up
			return
		}
	}
	if f.After(w, r) {
		return
	}
	text := "주문하신 책은 내일 도착해요."
	if call.Utterance != "" {
		text = "“" + cut(call.Utterance) + "” 물으셨죠? " + text
	}
	answer.JSON(w, http.StatusOK, map[string]any{
		"version":  "2.0",
		"template": map[string]any{"outputs": []any{map[string]any{"simpleText": map[string]any{"text": text}}}},
		"context":  map[string]any{"values": []any{map[string]any{"name": "last_order", "lifeSpan": 5, "params": map[string]any{"order_no": "HB-1"}}}},
	})
}

// cut bounds what is said again.
func cut(utterance string) string {
	const most = 100
	if letters := []rune(utterance); len(letters) > most {
		return string(letters[:most]) + "…"
	}
	return utterance
}

// list is GET /sandbox/truth/shop.
func (s *Shop) list(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	calls := append([]Call{}, s.calls...)
	s.mu.Unlock()
	answer.JSON(w, http.StatusOK, map[string]any{"items": calls})
}
