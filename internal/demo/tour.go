package demo

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/apiclient"
	"github.com/malgil/malgil/internal/clock"
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
}

// Tour plays the tour and returns its steps in order. A step that fails does not keep the later
// ones from being played. After each step the sandbox's truth is compared with the ledger.
func (w World) Tour(ctx context.Context, books, stationery Shop, told func(Step), progress Progress) []Step {
	t := &tour{World: w, books: books, stationery: stationery, progress: progress}
	plays := []struct {
		name string
		play func(ctx context.Context) (shows string, err error)
	}{
		{"answer", t.answer},
		{"callback", t.callback},
		{"broadcast", t.broadcast},
		{"charge", t.charge},
		{"unpaid", t.unpaid},
	}
	var steps []Step
	for _, p := range plays {
		t.step = p.name
		start := time.Now()
		shows, err := p.play(ctx)
		if err == nil {
			err = t.booksBalance(ctx)
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
	return b, t.API.Call(ctx, "POST", "/api/v1/broadcasts/"+b.ID+"/seal", nil, &b)
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

// broadcast: 1,000 people, 30 of whom are not friends of the channel; only the others cost.
func (t *tour) broadcast(ctx context.Context) (string, error) {
	if err := t.TopUp(ctx, t.books.Wallet, 3_000); err != nil {
		return "", err
	}
	b, err := t.order(ctx, t.books, "재입고 알림", 1_000, func(i int) string {
		if i%33 == 0 && i < 990 {
			return fmt.Sprintf("stranger-%d", i)
		}
		return fmt.Sprintf("reader-%d", i)
	})
	if err != nil {
		return "", err
	}
	if b, err = t.finish(ctx, b); err != nil {
		return "", err
	}
	if b.Counts.Delivered != 970 || b.Counts.Failed != 30 || b.Captured != 970*15 {
		return "", fmt.Errorf("%d delivered, %d failed, %d KRW; want 970, 30 and 14550", b.Counts.Delivered, b.Counts.Failed, b.Captured)
	}
	w, err := t.wallet(ctx, t.books)
	if err != nil {
		return "", err
	}
	if w.Balance.Paid != 0 || w.Balance.Accrual != 14_550-3_000 {
		return "", fmt.Errorf("paid %d and accrual %d, want 0 and 11550: paid cash goes first", w.Balance.Paid, w.Balance.Accrual)
	}
	return "970 delivered, 30 not friends, 14,550원 captured", nil
}

// charge: usage passes 500,000 KRW; the payment card is declined, and the first backup pays while
// its answer is lost. No other card is asked until a look-up has found that out.
func (t *tour) charge(ctx context.Context) (string, error) {
	for i, is := range []string{"declined", "unknown_paid"} {
		if err := t.personality(ctx, t.books.Plastic[i], is); err != nil {
			return "", err
		}
	}
	b, err := t.order(ctx, t.books, "겨울 세일", 33_000, func(i int) string { return fmt.Sprintf("customer-%d", i) })
	if err != nil {
		return "", err
	}
	if _, err := t.finish(ctx, b); err != nil {
		return "", err
	}
	var paid charge
	err = poll(ctx, 20*time.Second, func() (bool, error) {
		charges, err := t.charges(ctx, t.books)
		if len(charges) > 0 {
			paid = charges[0]
		}
		return paid.State == "paid", err
	})
	if err != nil {
		return "", fmt.Errorf("wait for the charge, which is %q: %w", paid.State, err)
	}
	if len(paid.Attempts) != 2 || paid.Attempts[0].Outcome != "declined" || paid.Attempts[1].Outcome != "done" || paid.Total != 550_000 {
		return "", fmt.Errorf("charge %+v, want 550000 KRW declined by card 1 and paid by card 2", paid)
	}
	if err := t.personality(ctx, t.books.Plastic[1], "ok"); err != nil {
		return "", err
	}
	if err := t.mailed(ctx, bookshop.people[0].email, "자동결제"); err != nil {
		return "", err
	}
	return "550,000원: card 1 declined, card 2 paid as a look-up found out, mail delivered", nil
}

// unpaid: every card of the stationer fails; sends then wait, and people are told.
func (t *tour) unpaid(ctx context.Context) (string, error) {
	if err := t.personality(ctx, t.stationery.Plastic[0], "declined"); err != nil {
		return "", err
	}
	if err := t.makeDue(ctx); err != nil {
		return "", err
	}
	var w walletOf
	err := poll(ctx, 20*time.Second, func() (_ bool, err error) {
		w, err = t.wallet(ctx, t.stationery)
		return w.PaymentState == "UNPAID", err
	})
	if err != nil {
		return "", fmt.Errorf("wait for UNPAID, wallet is %s: %w", w.PaymentState, err)
	}
	next, err := t.order(ctx, t.stationery, "신학기 2", 10, pupil)
	if err != nil {
		return "", err
	}
	err = poll(ctx, 10*time.Second, func() (bool, error) {
		err := t.API.Call(ctx, "GET", "/api/v1/broadcasts/"+next.ID, nil, &next)
		return next.Wait.Reason == "unpaid", err
	})
	if err != nil {
		return "", fmt.Errorf("wait for the reason of waiting, which is %q: %w", next.Wait.Reason, err)
	}
	if err := t.mailed(ctx, stationer.people[0].email, "미납"); err != nil {
		return "", err
	}
	return "every card failed: wallet UNPAID, sends wait, mail delivered", nil
}

// makeDue makes the stationer owe what is to be charged now: what was used before 00:00, or, where
// the clock cannot be moved, more than 500,000 KRW.
func (t *tour) makeDue(ctx context.Context) error {
	people := 100
	if t.FixedClock {
		people = 33_400
	}
	b, err := t.order(ctx, t.stationery, "신학기", people, pupil)
	if err != nil {
		return err
	}
	if _, err := t.finish(ctx, b); err != nil || t.FixedClock {
		return err
	}
	midnight := clock.NextMidnight(time.Now())
	var told struct {
		Now time.Time `json:"now"`
	}
	if err := t.Sandbox.Call(ctx, "GET", "/sandbox/clock", nil, &told); err == nil {
		midnight = clock.NextMidnight(told.Now)
	}
	if err := t.Sandbox.Call(ctx, "PUT", "/sandbox/clock", map[string]any{"now": midnight.Add(time.Second)}, nil); err != nil {
		return fmt.Errorf("move the clock past 00:00: %w", err)
	}
	return nil
}

func pupil(i int) string { return fmt.Sprintf("pupil-%d", i) }
