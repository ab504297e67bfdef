package intake_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/id"
	"github.com/malgil/malgil/internal/intake"
	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/queue"
	"github.com/malgil/malgil/internal/scenario"
	"github.com/malgil/malgil/internal/testserver"
	"github.com/malgil/malgil/tasks"
	"github.com/malgil/malgil/workers"
)

const (
	skillKey  = "skill-key-of-b1"
	answerMax = 4500 * time.Millisecond // what we promise
)

func says(text string) *kakao.Template { return kakao.Text(text).Template }

// desk stands for the database of one bot.
type desk struct {
	mu       sync.Mutex
	bot      scenario.Bot
	sides    []string // that were asked for
	err      error
	evidence []scenario.Evidence
	recorded chan scenario.Utterance
}

func newDesk() *desk {
	hash := sha256.Sum256([]byte(skillKey))
	return &desk{recorded: make(chan scenario.Utterance, 100), bot: scenario.Bot{ID: "b1", SkillKeyHash: hash[:], Content: scenario.Content{Blocks: []scenario.Block{
		{ID: "fallback", Name: "폴백 블록", Kind: scenario.Fallback, Answer: says("다시 말씀해 주세요.")},
		{ID: "hours", Name: "영업시간", Kind: scenario.Normal, Answer: says("매일 10시부터 21시까지 열어요.")},
		{ID: "slow", Name: "배송 조회", Kind: scenario.Normal, Answer: says("대전 물류센터를 출발했어요."), Delay: 2 * time.Second, Callback: true},
		{ID: "stuck", Name: "재고", Kind: scenario.Normal, Answer: says("다섯 권 있어요."), Delay: 30 * time.Second},
		{ID: "agent", Name: "상담원", Kind: scenario.Normal, Answer: says("상담원을 불러 드릴게요."), Handoff: true},
		{ID: "broken", Name: "고장", Kind: scenario.Normal, Answer: says(strings.Repeat("가", 3000))},
	}}}}
}

func (d *desk) Head(ctx context.Context, id string) (scenario.Head, error) {
	bot, err := d.Bot(ctx, id, scenario.Live)
	return scenario.Head{ID: bot.ID, SkillKeyHash: bot.SkillKeyHash}, err
}

func (d *desk) Bot(_ context.Context, id, side string) (scenario.Bot, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sides = append(d.sides, side)
	switch {
	case d.err != nil:
		return scenario.Bot{}, d.err
	case id != d.bot.ID:
		return scenario.Bot{}, fault.New(fault.NotFound, "there is no bot %q", id)
	}
	return d.bot, nil
}

func (d *desk) Visit(context.Context, string, string, []byte, time.Time) (scenario.Visit, error) {
	return scenario.Visit{}, nil
}

func (d *desk) Keep(context.Context, string, string, []byte, scenario.State) error { return nil }

func (d *desk) RecordEvidence(_ context.Context, e scenario.Evidence) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.evidence = append(d.evidence, e)
	return nil
}

func (d *desk) record(u scenario.Utterance) { d.recorded <- u }

// metrics counts answers by outcome.
type metrics struct {
	mu       sync.Mutex
	outcomes map[string]int
}

func (m *metrics) Answered(outcome string, _ time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.outcomes[outcome]++
}

func (*metrics) TaskWaited(string, time.Duration) {}

func (m *metrics) CallbackRefused()           { m.Answered("callback refused", 0) }
func (m *metrics) CallbackPromised()          { m.Answered("promised", 0) }
func (m *metrics) HandoffOffered(spot string) { m.Answered("handoff:"+spot, 0) }

func (m *metrics) Callback(state, _ string) { m.Answered("callback:"+state, 0) }

func (m *metrics) count(outcome string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.outcomes[outcome]
}

// enqueuer lets a test act around an enqueue.
type enqueuer struct {
	inner  intake.Enqueuer
	after  func()
	mu     sync.Mutex
	queued int
}

func (e *enqueuer) Enqueue(ctx context.Context, task *asynq.Task) error {
	err := e.inner.Enqueue(ctx, task)
	e.mu.Lock()
	e.queued++
	e.mu.Unlock()
	if e.after != nil {
		e.after()
	}
	return err
}

// house is the way of an utterance: the route, a real Redis, workers, and Kakao's callback.
type house struct {
	t       *testing.T
	desk    *desk
	metrics *metrics
	queue   *enqueuer
	skill   *intake.Skill
	url     string
	redis   *testserver.RedisServer

	callbacks chan callback
	kakao     *httptest.Server
}

type callback struct {
	path   string
	answer kakao.SkillResponse
	at     time.Time
}

type setup struct {
	reply, callback time.Duration // budgets; 0 for the defaults
	workers         bool
	deaf            bool // the mailbox hears nothing
	pools           []string
	backend         scenario.Backend
}

func newHouse(t *testing.T, s setup) *house {
	t.Helper()
	h := &house{
		t: t, desk: newDesk(), metrics: &metrics{outcomes: map[string]int{}},
		redis: testserver.Redis(t), callbacks: make(chan callback, 10),
	}
	address := parse(t, h.redis.URL())
	exchangeConn, enqueueConn, workerConn := address.EnqueueClient(), address.EnqueueClient(), address.ServerClient()
	heard := exchangeConn
	if s.deaf {
		heard = parse(t, testserver.Redis(t).URL()).EnqueueClient()
	}
	mailbox := queue.OpenMailbox(heard, "malgil:intake:1")
	client := queue.NewClient(enqueueConn)
	h.queue = &enqueuer{inner: client}
	t.Cleanup(func() {
		mailbox.Close()
		for _, c := range []io.Closer{client, exchangeConn, workerConn, heard} {
			_ = c.Close()
		}
	})
	within(t, "the mailbox is ready", mailbox.Ready())

	var clk clock.Clock
	ids := id.New(clk.Now, rand.Reader)
	service := scenario.NewService(h.desk, h.desk, []byte("installation key")).WithBackend(s.backend)
	quiet := slog.New(slog.DiscardHandler)
	if s.reply == 0 {
		s.reply, s.callback = 4*time.Second, 1500*time.Millisecond
	}
	h.skill = intake.NewSkill(intake.SkillOptions{
		Bots: h.desk, Answers: service, Queue: h.queue, Exchange: queue.NewExchange(exchangeConn), Mailbox: mailbox,
		Record: h.desk.record, Metrics: h.metrics, NewID: ids.Next, Now: clk.Now, Log: quiet,
		MayCall:     kakao.Guard{Loopback: true}.Check,
		ReplyBudget: s.reply, CallbackBudget: s.callback,
	})
	whole := intake.New(intake.Config{PublicURL: "http://127.0.0.1", Log: quiet, Now: clk.Now}, intake.Services{
		Skill: h.skill, Broadcasts: struct{ intake.Broadcasts }{}, Schedules: struct{ intake.Schedules }{}, // none is called
	})
	server := httptest.NewServer(whole.Handler())
	t.Cleanup(server.Close)
	h.url = server.URL + "/skill/b1/" + skillKey

	h.kakao = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got := callback{path: r.URL.Path, at: time.Now()}
		if err := json.NewDecoder(r.Body).Decode(&got.answer); err != nil {
			t.Errorf("the callback's body: %v", err)
		}
		_, _ = io.WriteString(w, `{"taskId":"t1","status":"SUCCESS","message":"SUCCESS","timestamp":1795490000123}`)
		h.callbacks <- got
	}))
	t.Cleanup(h.kakao.Close)
	if s.workers {
		h.startWorkers(address, s.pools, workers.AnswerUtteranceOptions{
			Answers: service, Exchange: queue.NewExchange(workerConn), Record: h.desk.record, Metrics: h.metrics,
			Callbacks: kakao.NewCallbackClient(kakao.Guard{Loopback: true}), NewID: ids.Next, Now: clk.Now, Log: quiet,
		})
	}
	return h
}

func (h *house) startWorkers(address queue.Address, names []string, options workers.AnswerUtteranceOptions) {
	h.t.Helper()
	if names == nil {
		names = []string{tasks.QueueReply}
	}
	var pools []queue.Pool
	handlers := map[string]asynq.Handler{}
	for _, name := range names {
		pools = append(pools, queue.Pool{Queue: name, Servers: 1, Concurrency: 32, CheckInterval: 5 * time.Millisecond})
		mux := asynq.NewServeMux()
		mux.Handle(tasks.TypeAnswerUtterance, workers.AnswerUtterance(options))
		handlers[name] = mux
	}
	running, err := queue.NewPools(address, pools, queue.PoolOptions{Handlers: handlers, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		h.t.Fatal(err)
	}
	if err := running.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = running.Shutdown(ctx) // a frozen Redis holds it up; the process ends anyway
	})
}

// payload is Kakao's call with these words, and a callback URL unless the path is empty.
func (h *house) payload(words, callbackPath string, params map[string]string) []byte {
	said := map[string]any{"utterance": words, "user": map[string]any{"id": "u1", "type": "botUserKey"}, "params": params}
	if callbackPath != "" {
		said["callbackUrl"] = h.kakao.URL + callbackPath
	}
	body, err := json.Marshal(map[string]any{"bot": map[string]any{"id": "b1"}, "userRequest": said})
	if err != nil {
		h.t.Fatal(err)
	}
	return body
}

// ask posts a body as Kakao does. Every answer is 200, valid and in time.
func (h *house) ask(body []byte) (answer kakao.SkillResponse, took time.Duration) {
	h.t.Helper()
	start := time.Now()
	res, err := http.Post(h.url, "application/json", bytes.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	took = time.Since(start)
	if err != nil || res.StatusCode != http.StatusOK || took >= answerMax {
		h.t.Errorf("the answer is %d after %v, %v, want 200 within %v", res.StatusCode, took, err, answerMax)
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		h.t.Errorf("the answer %q is no JSON: %v", raw, err)
	}
	if problems := kakao.Lint(answer); len(problems) > 0 {
		h.t.Errorf("the answer %s is not valid: %v", raw, problems)
	}
	return answer, took
}

func (h *house) wantText(what string, answer kakao.SkillResponse, want string) {
	h.t.Helper()
	if answer.Template == nil || answer.UseCallback || answer.Template.Outputs[0].SimpleText == nil ||
		answer.Template.Outputs[0].SimpleText.Text != want {
		h.t.Errorf("%s: answer = %+v, want the text %q", what, answer.Template, want)
	}
}

// wantRecord waits for the next utterance of the log.
func (h *house) wantRecord(outcome scenario.Outcome, block string) scenario.Utterance {
	h.t.Helper()
	u := within(h.t, "an utterance is recorded", h.desk.recorded)
	if u.Outcome != outcome || u.BlockID != block {
		h.t.Errorf("recorded = %s by block %q, want %s by %q", u.Outcome, u.BlockID, outcome, block)
	}
	if n := h.metrics.count(string(u.Outcome)); n == 0 {
		eventuallyCounted(h.t, h.metrics, string(u.Outcome))
	}
	return u
}

// eventuallyCounted waits for a count that follows a record within microseconds.
func eventuallyCounted(t *testing.T, m *metrics, outcome string) {
	t.Helper()
	deadline := time.NewTimer(5 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for m.count(outcome) == 0 {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("outcome %s is not counted", outcome)
		}
	}
}

func parse(t *testing.T, value string) queue.Address {
	t.Helper()
	address, err := queue.ParseAddress(value)
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// within waits for a channel and fails the test when that takes too long.
func within[T any](t *testing.T, what string, c <-chan T) (value T) {
	t.Helper()
	timeout := time.NewTimer(20 * time.Second)
	defer timeout.Stop()
	select {
	case value = <-c:
	case <-timeout.C:
		t.Fatalf("%s: nothing happened in 20 s", what)
	}
	return value
}
