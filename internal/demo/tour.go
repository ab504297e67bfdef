package demo

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/apiclient"
)

// Step is what became of one step of the tour.
type Step struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	MS     int64  `json:"ms"`
	Shows  string `json:"shows,omitempty"` // what was seen, for people
	Reason string `json:"error,omitempty"`
}

// Progress is told how far a step is; done and all count people.
type Progress func(step string, done, all int)

// tour is a tour under way.
type tour struct {
	World
	books, stationery Shop
	progress          Progress
	step              string
	waiting           progressOf // ordered while the wallet is unpaid
}

// Tour plays the tour and returns its steps in order. A step that fails does not keep the later
// ones from being played. After each step the sandbox's truth is compared with the ledger. When ctx ends,
// the step under way is none that failed, and the rest is not played.
func (w World) Tour(ctx context.Context, books, stationery Shop, told func(Step), progress Progress) []Step {
	t := &tour{World: w, books: books, stationery: stationery, progress: progress}
	var steps []Step
	for _, p := range t.plays() {
		t.step = p.name
		start := time.Now()
		shows, err := p.play(ctx)
		if err == nil {
			err = t.booksBalance(ctx)
		}
		if ctx.Err() != nil {
			return steps
		}
		step := Step{Name: p.name, OK: err == nil, MS: time.Since(start).Milliseconds(), Shows: shows}
		if err != nil {
			step.Reason = err.Error()
		}
		steps = append(steps, step)
		told(step)
	}
	return steps
}

// play is one step: it returns what was seen, for people.
type play struct {
	name string
	play func(ctx context.Context) (shows string, err error)
}

// plays is the steps in order: a bot that answers, then the story of the bookshop's wallet.
func (t *tour) plays() []play {
	plays := []play{
		{"answer", t.answer},
		{"callback", t.callback},
		{"grant", t.grant},
		{"broadcast", t.broadcast},
		{"charge", t.charge},
		{"unpaid", t.unpaid},
		{"five_days", t.fiveDays},
		{"topup", t.topUp},
		{"reconnect", t.reconnect},
	}
	if t.FixedClock { // days do not pass in a tour
		plays = slices.DeleteFunc(plays, func(p play) bool { return p.name == "five_days" })
	}
	return plays
}

// said is what the sandbox tells of an utterance that it played.
type said struct {
	Status      int             `json:"status"`
	LatencyMS   float64         `json:"latency_ms"`
	Shown       bool            `json:"shown"`
	Problem     string          `json:"problem"`
	UseCallback bool            `json:"use_callback"`
	Answer      json.RawMessage `json:"answer"`
	Callback    struct {
		Token string `json:"token"`
	} `json:"callback"`
}

func (t *tour) say(ctx context.Context, skillURL, words string, callback bool) (s said, err error) {
	err = t.Sandbox.Call(ctx, "POST", "/sandbox/utterances", map[string]any{
		"skill_url": skillURL, "bot": t.books.Bot, "user": "visitor-" + rand.Text()[:8], "utterance": words, "callback": callback,
	}, &s)
	if err == nil && !s.Shown {
		err = fmt.Errorf("the answer would not be shown: %s", s.Problem)
	}
	return s, err
}

// answer: a first visitor is welcomed within Kakao's five seconds.
func (t *tour) answer(ctx context.Context) (string, error) {
	s, err := t.say(ctx, t.books.SkillURL, "안녕하세요", false)
	if err != nil {
		return "", err
	}
	if !strings.Contains(string(s.Answer), bookshop.greeting) {
		return "", fmt.Errorf("a first visitor is answered %s, want the welcome block", s.Answer)
	}
	return fmt.Sprintf("welcome block in %.0f ms", s.LatencyMS), nil
}

// callback: a block that takes two seconds is promised and delivered late, once.
func (t *tour) callback(ctx context.Context) (string, error) {
	s, err := t.say(ctx, t.books.SlowURL(), "제 책 어디쯤 왔나요?", true)
	if err != nil {
		return "", err
	}
	if !s.UseCallback {
		return "", fmt.Errorf("a block of two seconds is answered %s, want useCallback", s.Answer)
	}
	var truth struct {
		Shown    bool              `json:"shown"`
		Received []json.RawMessage `json:"received"`
	}
	err = poll(ctx, 20*time.Second, func() (bool, error) {
		err := t.Sandbox.Call(ctx, "GET", "/sandbox/truth/callbacks/"+s.Callback.Token, nil, &truth)
		return truth.Shown, err
	})
	if err != nil {
		return "", fmt.Errorf("wait for the callback: %w", err)
	}
	if len(truth.Received) != 1 {
		return "", fmt.Errorf("%d callbacks came, want 1", len(truth.Received))
	}
	return fmt.Sprintf("promised in %.0f ms, delivered by callback", s.LatencyMS), nil
}

// progressOf is the part of a broadcast that the tour looks at.
type progressOf struct {
	ID     string `json:"id"`
	State  string `json:"state"`
	Wait   waits  `json:"wait"`
	Counts struct {
		Audience  int `json:"audience"`
		Delivered int `json:"delivered"`
		Failed    int `json:"failed"`
		Unknown   int `json:"unknown"`
		Skipped   int `json:"skipped"`
		InDoubt   int `json:"in_doubt"`
	} `json:"counts"`
	Captured int64 `json:"captured_krw"`
}

type waits struct {
	Reason string `json:"reason"`
}

// order uploads an audience as CSV and lets a broadcast go.
func (t *tour) order(ctx context.Context, shop Shop, name string, people int, id func(i int) string) (b progressOf, err error) {
	err = t.API.Call(ctx, "POST", "/api/v1/broadcasts", map[string]any{
		"bot": shop.Bot, "name": name,
		"event": map[string]any{"name": event, "data": map[string]string{"title": "겨울 바다"}},
	}, &b, apiclient.IdempotencyKey(rand.Text()))
	if err != nil {
		return b, err
	}
	var file strings.Builder
	file.WriteString("type,id\n")
	for i := range people {
		file.WriteString("botUserKey," + id(i) + "\n")
	}
	if err := t.API.Call(ctx, "PUT", "/api/v1/broadcasts/"+b.ID+"/recipients", strings.NewReader(file.String()), nil); err != nil {
		return b, err
	}
	return b, t.API.Call(ctx, "POST", "/api/v1/broadcasts/"+b.ID+"/seal", map[string]any{"confirm": people}, &b)
}

// finish waits for the end of a broadcast.
func (t *tour) finish(ctx context.Context, b progressOf) (progressOf, error) {
	err := poll(ctx, 45*time.Second, func() (bool, error) {
		if err := t.API.Call(ctx, "GET", "/api/v1/broadcasts/"+b.ID, nil, &b); err != nil {
			return false, err
		}
		c := b.Counts
		t.progress(t.step, c.Delivered+c.Failed+c.Unknown+c.Skipped+c.InDoubt, c.Audience)
		return b.State == "finished", nil
	})
	if err != nil {
		return b, fmt.Errorf("wait for broadcast %s, which is %s (%s): %w", b.ID, b.State, b.Wait.Reason, err)
	}
	return b, nil
}
