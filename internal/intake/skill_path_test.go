package intake_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/scenario"
	"github.com/malgil/malgil/tasks"
)

func TestSkill_direct(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{workers: true})
	answer, _ := h.ask(h.payload("영업시간\n", "", nil))
	h.wantText("direct", answer, "매일 10시부터 21시까지 열어요.")
	u := h.wantRecord(scenario.Direct, "hours")
	if u.BudgetLeft <= 0 || u.BudgetLeft > 4*time.Second || u.Asked != "영업시간" || u.BotID != "b1" || len(u.UserHash) != 32 {
		t.Errorf("recorded = %+v, want what was asked with some of 4 s left", u)
	}
	answer, _ = h.ask(h.payload("ㅁㄴㅇㄹ", "/callback/t0", nil))
	h.wantText("in time with a callback", answer, "다시 말씀해 주세요.")
	h.wantRecord(scenario.Direct, "fallback")
	answer, _ = h.ask(h.payload("고장", "", nil))
	h.wantText("an answer that is not valid", answer, scenario.FailedText)
	h.wantRecord(scenario.Refused, "broken")
	if len(h.callbacks) != 0 {
		t.Error("a callback was posted for an answer that came in time")
	}
}

// The block that the skill URL stands for wins over what was said.
func TestSkill_forcedBlock(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{workers: true})
	h.url += "?block=hours"
	answer, _ := h.ask(h.payload("ㅁㄴㅇㄹ", "", nil))
	h.wantText("forced block", answer, "매일 10시부터 21시까지 열어요.")
}

func TestSkill_callback(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{workers: true})
	start := time.Now()
	answer, took := h.ask(h.payload("배송 조회", "/callback/t1", nil))
	if !answer.UseCallback || took < 1500*time.Millisecond || took > 2500*time.Millisecond {
		t.Errorf("answer = %+v after %v, want useCallback after about 1.5 s", answer, took)
	}
	got := within(t, "the callback comes", h.callbacks)
	h.wantText("callback", got.answer, "대전 물류센터를 출발했어요.")
	if late := got.at.Sub(start); got.path != "/callback/t1" || late < 2*time.Second {
		t.Errorf("callback to %s after %v, want /callback/t1 once, at least 500 ms after the promise", got.path, late)
	}
	u := h.wantRecord(scenario.Callback, "slow")
	if u.BudgetLeft >= 0 {
		t.Errorf("recorded with %v left, want less than none", u.BudgetLeft)
	}
	// The same call posted again meets the same key.
	again, _ := h.ask(h.payload("배송 조회", "/callback/t1", nil))
	if !again.UseCallback {
		t.Errorf("the call posted again = %+v, want the same promise", again)
	}
	if n := h.metrics.count("promised"); n != 1 {
		t.Errorf("%d promises are counted, want 1 for a call that was posted twice", n)
	}
	if h.metrics.count("callback:delivered") != 1 || len(h.callbacks) != 0 {
		t.Errorf("%d callbacks are counted and %d more posted, want 1 and 0", h.metrics.count("callback:delivered"), len(h.callbacks))
	}
}

// A callback address that may not be called is as none: nobody is promised what nobody could keep.
func TestSkill_callbackRefused(t *testing.T) {
	for name, workers := range map[string]bool{"by a worker": true, "inline": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, setup{workers: workers, reply: 3 * time.Second, callback: 200 * time.Millisecond})
			if !workers {
				h.redis.Freeze()
			}
			for range 2 {
				body := bytes.ReplaceAll(h.payload("배송 조회", "/callback/t1", nil), []byte(h.kakao.URL), []byte("https://elsewhere.example"))
				answer, _ := h.ask(body)
				h.wantText(name, answer, "대전 물류센터를 출발했어요.")
				if answer.UseCallback {
					t.Errorf("answer = %+v, want no promise", answer)
				}
			}
			if refused, promised := h.metrics.count("callback refused"), h.metrics.count("promised"); refused != 2 || promised != 0 || len(h.callbacks) != 0 {
				t.Errorf("%d refused, %d promised, %d posted, want 2 refused alone", refused, promised, len(h.callbacks))
			}
		})
	}
}

// The mark in the URL asks for the development channel, whoever answers.
func TestSkill_developmentByURL(t *testing.T) {
	for name, workers := range map[string]bool{"by a worker": true, "inline": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, setup{workers: workers})
			if !workers {
				h.redis.Freeze()
			}
			h.url = strings.Replace(h.url, "/skill/b1/", "/skill/b1!/", 1)
			answer, _ := h.ask(h.payload("영업시간", "", nil))
			h.wantText(name, answer, "매일 10시부터 21시까지 열어요.")
			if u := within(t, "it is recorded", h.desk.recorded); u.Side != scenario.Development {
				t.Errorf("recorded as of the %s side, want development", u.Side)
			}
			h.desk.mu.Lock()
			defer h.desk.mu.Unlock()
			if side := h.desk.sides[len(h.desk.sides)-1]; side != scenario.Development {
				t.Errorf("the %s side answered, want development", side)
			}
		})
	}
}

// Of one call posted five times at once, all get the promise, and one callback is posted.
func TestSkill_callbackOnceForRepeats(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{workers: true, reply: 4 * time.Second, callback: 300 * time.Millisecond})
	h.desk.bot.Blocks[2].Delay = 600 * time.Millisecond
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() {
			if answer, _ := h.ask(h.payload("배송 조회", "/callback/t1", nil)); !answer.UseCallback {
				t.Errorf("answer = %+v, want the promise", answer)
			}
		})
	}
	all.Wait()
	within(t, "the callback comes", h.callbacks)
	h.wantRecord(scenario.Callback, "slow")
	// Every worker had its answer after 600 ms and its turn at 800 ms; give the others a second.
	select {
	case <-h.callbacks:
		t.Error("a second callback was posted")
	case u := <-h.desk.recorded:
		t.Errorf("recorded again: %+v", u)
	case <-time.After(time.Second):
	}
}

func TestSkill_late(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{workers: true, reply: 300 * time.Millisecond})
	answer, took := h.ask(h.payload("재고", "", nil))
	h.wantText("late", answer, scenario.LateText)
	if took < 300*time.Millisecond || took > 2*time.Second {
		t.Errorf("answered after %v, want about 300 ms", took)
	}
	h.wantRecord(scenario.Late, "")
	if len(h.desk.recorded) != 0 {
		t.Errorf("recorded again: %+v", <-h.desk.recorded)
	}
}

func TestSkill_withoutWorkers(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{reply: 300 * time.Millisecond})
	answer, _ := h.ask(h.payload("영업시간", "", nil))
	h.wantText("no workers", answer, scenario.LateText)
	h.wantRecord(scenario.Late, "")
}

// No hint ever comes: the key has the answer at the end of the budget.
func TestSkill_missedHint(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{workers: true, deaf: true, reply: 700 * time.Millisecond})
	answer, took := h.ask(h.payload("영업시간", "", nil))
	h.wantText("missed hint", answer, "매일 10시부터 21시까지 열어요.")
	if took < 700*time.Millisecond {
		t.Errorf("answered after %v, want the end of the budget", took)
	}
	h.wantRecord(scenario.Direct, "hours")
}

// What our own broadcasts cause goes to its own queue and leaves evidence.
func TestSkill_echo(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{workers: true, pools: []string{tasks.QueueEcho}})
	answer, _ := h.ask(h.payload("", "", map[string]string{"malgil_chunk": "brd_1-000001"}))
	h.wantText("echo", answer, "다시 말씀해 주세요.")
	h.wantRecord(scenario.Direct, "fallback")
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); ; <-tick.C {
		h.desk.mu.Lock()
		evidence := h.desk.evidence
		h.desk.mu.Unlock()
		if len(evidence) == 1 && evidence[0].ChunkID == "brd_1-000001" && evidence[0].BotID == "b1" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("evidence = %+v, want one for the chunk", evidence)
		}
	}
}

func TestSkill_redisStopped(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{})
	h.redis.Stop()
	answer, _ := h.ask(h.payload("영업시간", "", map[string]string{"malgil_chunk": "brd_1-000001"}))
	h.wantText("inline", answer, "매일 10시부터 21시까지 열어요.")
	h.wantRecord(scenario.Inline, "hours")
	answer, _ = h.ask(h.payload("배송 조회", "/callback/t1", nil))
	h.wantText("inline, slow, with a callback", answer, "대전 물류센터를 출발했어요.")
	h.wantRecord(scenario.Inline, "slow")
	answer, _ = h.ask(h.payload("재고", "/callback/t2", nil))
	h.wantText("inline, too slow", answer, scenario.LateText)
	h.wantRecord(scenario.Late, "")
	answer, _ = h.ask(h.payload("고장", "", nil))
	h.wantText("inline, not valid", answer, scenario.FailedText)
	h.wantRecord(scenario.Refused, "broken")
	h.ask(h.payload("상담원", "", nil))
	h.wantRecord(scenario.Inline, "agent")
	if n := h.metrics.count("handoff:normal"); n != 1 {
		t.Errorf("counted %d offers of a person, want 1", n)
	}
	if err := h.skill.Wait(t.Context()); err != nil {
		t.Errorf("Wait = %v, want nil", err)
	}
	if len(h.desk.evidence) != 1 {
		t.Errorf("evidence = %+v, want one", h.desk.evidence)
	}
}

func TestSkill_redisFrozenBeforeEnqueue(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{})
	h.redis.Freeze()
	for _, path := range []string{"", "/callback/t1"} {
		answer, took := h.ask(h.payload("영업시간", path, nil))
		h.wantText("inline", answer, "매일 10시부터 21시까지 열어요.")
		h.wantRecord(scenario.Inline, "hours")
		if took > 2500*time.Millisecond {
			t.Errorf("answered after %v, want about half a second", took)
		}
	}
}

func TestSkill_redisFrozenAfterEnqueue(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		path, words, want string
		outcome           scenario.Outcome
		block             string
	}{
		"without callback":       {"", "영업시간", scenario.LateText, scenario.Late, ""},
		"with callback":          {"/callback/t1", "영업시간", "매일 10시부터 21시까지 열어요.", scenario.Inline, "hours"},
		"slow, with a callback":  {"/callback/t1", "배송 조회", "대전 물류센터를 출발했어요.", scenario.Inline, "slow"},
		"stuck, with a callback": {"/callback/t1", "재고", scenario.LateText, scenario.Late, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, setup{}) // no worker, which could be faster than the freeze
			h.queue.after = h.redis.Freeze
			answer, _ := h.ask(h.payload(tt.words, tt.path, nil))
			h.wantText(name, answer, tt.want)
			h.wantRecord(tt.outcome, tt.block)
			if h.queue.queued != 1 {
				t.Errorf("%d tasks were queued, want 1", h.queue.queued)
			}
		})
	}
}

// A worker that wakes up after the outage finds that nobody waits.
func TestSkill_redisThawsAfterTheAnswer(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{workers: true, reply: 4 * time.Second, callback: 300 * time.Millisecond})
	h.redis.Freeze()
	answer, _ := h.ask(h.payload("영업시간", "/callback/t1", nil))
	h.wantText("inline", answer, "매일 10시부터 21시까지 열어요.")
	h.wantRecord(scenario.Inline, "hours")
	h.redis.Thaw()
	answer, _ = h.ask(h.payload("ㅁㄴㅇㄹ", "/callback/t2", nil))
	h.wantText("after the thaw", answer, "다시 말씀해 주세요.")
	if len(h.callbacks) != 0 {
		t.Error("a callback was posted that nobody was told to wait for")
	}
}

func TestSkill_strangers(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{workers: true})
	base := strings.TrimSuffix(h.url, "/skill/b1/"+skillKey)
	post := func(path string, body []byte) (int, string) {
		res, err := http.Post(base+path, "application/json", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		raw, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, res.Header.Get("Content-Type") + "\n" + string(raw)
	}
	status, unknown := post("/nothing/here", nil)
	if status != http.StatusNotFound {
		t.Fatalf("an unknown route = %d, want 404", status)
	}
	big := h.payload(strings.Repeat("가", 100_000), "", nil)
	for name, tt := range map[string]struct {
		path string
		body []byte
	}{
		"another key":        {"/skill/b1/guess", h.payload("x", "", nil)},
		"no key":             {"/skill/b1/", h.payload("x", "", nil)},
		"an unknown bot":     {"/skill/b2/" + skillKey, h.payload("x", "", nil)},
		"no bot id":          {"/skill/b%001/" + skillKey, h.payload("x", "", nil)},
		"a body that is big": {"/skill/b1/guess", big},
	} {
		if status, got := post(tt.path, tt.body); status != http.StatusNotFound || got != unknown {
			t.Errorf("%s: %d %q, want what an unknown route answers, 404 %q", name, status, got, unknown)
		}
	}
	if status, _ := post("/skill/b1/"+skillKey, big); status != http.StatusRequestEntityTooLarge {
		t.Errorf("300 KB with the right key = %d, want 413", status)
	}
	if status, _ := post("/skill/b1!/"+skillKey, h.payload("영업시간", "", nil)); status != http.StatusOK {
		t.Errorf("the development side = %d, want 200", status)
	}
}

// A body is read whole, whether or not it says how long it is, up to 256 KiB.
func TestSkill_bodies(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{workers: true})
	const most = 256 << 10
	for _, size := range []int{4<<10 - 1, 4 << 10, 4<<10 + 1, 20_000, most, most + 1} {
		body := h.payload("영업시간", "", nil)
		body = append(body, bytes.Repeat([]byte(" "), size-len(body))...)
		for name, of := range map[string]io.Reader{"with its length": bytes.NewReader(body), "in chunks": io.MultiReader(bytes.NewReader(body))} {
			res, err := http.Post(h.url, "application/json", of)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := io.ReadAll(res.Body)
			_ = res.Body.Close()
			switch {
			case err != nil:
				t.Errorf("%d bytes %s: %v", size, name, err)
			case size > most:
				if res.StatusCode != http.StatusRequestEntityTooLarge {
					t.Errorf("%d bytes %s = %d, want 413", size, name, res.StatusCode)
				}
			case res.StatusCode != http.StatusOK || bytes.Contains(answer, []byte(scenario.FailedText)):
				t.Errorf("%d bytes %s = %d %s, want an answer", size, name, res.StatusCode, answer)
			}
		}
	}
}

func TestSkill_malformed(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{workers: true})
	bodies := []string{"", "null", "[]", `{"userRequest":`, "안녕", "\xff\xfe", strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40)}
	for _, body := range bodies {
		answer, _ := h.ask([]byte(body))
		h.wantText(body, answer, scenario.FailedText)
	}
	if n := h.metrics.count(string(scenario.Unreadable)); n != len(bodies) {
		t.Errorf("%d calls are counted as unreadable, want %d", n, len(bodies))
	}
	for _, body := range []string{`{}`, "\ufeff{}", `{"userRequest":null}`, `{"userRequest":{"utterance":"\u0000","user":{"id":"u"}}}`} {
		answer, _ := h.ask([]byte(body))
		h.wantText(body, answer, "다시 말씀해 주세요.")
	}
}

func TestSkill_databaseAway(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{})
	h.desk.err = errors.New("connection refused")
	answer, _ := h.ask(h.payload("영업시간", "", nil))
	h.wantText("database away", answer, scenario.FailedText)
	if n := h.metrics.count(string(scenario.Failed)); n != 1 {
		t.Errorf("%d answers are counted as failed, want 1", n)
	}
}

// A body that trickles in does not use up the time for the answer.
func TestSkill_slowBody(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{})
	read, write := io.Pipe()
	go func() { _, _ = io.WriteString(write, `{"userRequest":`) }() // and never the rest
	defer write.Close()
	start := time.Now()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.url, read)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if took := time.Since(start); res.StatusCode != http.StatusOK || took > answerMax {
		t.Errorf("a body that never ends = %d after %v, want 200 within %v", res.StatusCode, took, answerMax)
	}
}

// Whatever is posted, memory stays flat: it grows neither with the length of a body nor with the number of calls.
func TestSkill_memory(t *testing.T) { // not in parallel: it measures the process
	h := newHouse(t, setup{workers: true})
	const (
		calls   = 90      // what is to be recorded waits, as it does for its batch
		mostHas = 4 << 20 // bytes that are held on to after all calls
		mostUse = 8 << 20 // bytes that one call allocates, here and in its client
		endless = 64 << 20
	)
	for name, body := range map[string]func() io.Reader{
		"a long utterance": func() io.Reader { return bytes.NewReader(h.payload(strings.Repeat("가", 80_000), "", nil)) },
		"brackets":         func() io.Reader { return strings.NewReader(strings.Repeat("[", 250<<10)) },
		"fields":           func() io.Reader { return strings.NewReader("{" + strings.Repeat(`"a":{},`, 10_000) + `"b":1}`) },
		"no end":           func() io.Reader { return io.LimitReader(zeros{}, endless) },
	} {
		post := func() {
			res, err := http.Post(h.url, "application/json", body())
			if err != nil {
				if name != "no end" { // the intake hangs up while it is written
					t.Fatal(name, err)
				}
				return
			}
			defer res.Body.Close()
			if want := map[bool]int{true: http.StatusRequestEntityTooLarge, false: http.StatusOK}[name == "no end"]; res.StatusCode != want {
				t.Fatalf("%s = %d, want %d", name, res.StatusCode, want)
			}
		}
		measure := func() (m runtime.MemStats) {
			runtime.GC()
			runtime.ReadMemStats(&m)
			return m
		}
		post()
		before := measure()
		for range calls {
			post()
		}
		after := measure()
		if has := int64(after.HeapAlloc) - int64(before.HeapAlloc); has > mostHas {
			t.Errorf("%s: %d bytes more are held after %d calls, want at most %d", name, has, calls, mostHas)
		}
		if use := (after.TotalAlloc - before.TotalAlloc) / calls; use > mostUse {
			t.Errorf("%s: a call allocates %d bytes, want at most %d", name, use, mostUse)
		} else {
			t.Logf("%s: a call allocates %d KiB", name, use>>10)
		}
		for len(h.desk.recorded) > 0 {
			<-h.desk.recorded
		}
	}
}

// zeros is a body that never ends.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
