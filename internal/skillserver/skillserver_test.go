package skillserver_test

import (
	"context"
	"errors"
	"io"
	"log"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/bot"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/scenario"
	"github.com/malgil/malgil/internal/skillserver"
	"github.com/malgil/malgil/internal/webhook"
)

var noon = time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)

const asked = `{"bot":{"id":"b1"},"userRequest":{"callbackUrl":"https://bot-api.kakao.com/secret","utterance":"배송 <조회>"},"new":[1.0]}`

// business is one with a bot, a server that answers as a test says, and what malgil notes of its calls.
type business struct {
	t      *testing.T
	server *httptest.Server
	answer http.HandlerFunc
	client *skillserver.Client

	mu        sync.Mutex
	bodies    []string
	headers   []http.Header
	outcomes  map[string]int
	underWay  int
	breakers  map[string]int
	givenBack int
	secret    bot.WebhookSecret
	secretErr error
	lookedAt  []int // so many slots were given back when the secrets were looked at
	now       time.Time
}

func (b *business) WebhookSecret(context.Context, string) (bot.WebhookSecret, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lookedAt = append(b.lookedAt, b.givenBack)
	return b.secret, b.secretErr
}

// Open opens what is sealed as "<table> <id> <secret>".
func (b *business) Open(sealed []byte, table, id string) ([]byte, error) {
	secret, ours := strings.CutPrefix(string(sealed), table+" "+id+" ")
	if !ours {
		return nil, errors.New("it does not open")
	}
	return []byte(secret), nil
}

func (b *business) SkillServerCalled(outcome string, _ time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.outcomes[outcome]++
}

func (b *business) SkillServerCalls(more int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.underWay += more
}

func (b *business) SkillServerBreaker(from, to string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.breakers[from]--
	b.breakers[to]++
}

func says(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
}

const fine = `{"version":"2.0","template":{"outputs":[{"simpleText":{"text":"출발했어요."}}]},"context":{"values":[{"name":"order","lifeSpan":3,"params":{"n":7}}]},"data":{"no":12345678901234567890}}`

func newBusiness(t *testing.T, change ...func(*skillserver.Options)) *business {
	t.Helper()
	b := &business{t: t, answer: says(fine), outcomes: map[string]int{}, breakers: map[string]int{}, now: noon}
	b.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		b.mu.Lock()
		b.bodies, b.headers = append(b.bodies, r.Method+" "+r.URL.String()+" "+string(body)), append(b.headers, r.Header)
		answer := b.answer
		b.mu.Unlock()
		answer(w, r)
	}))
	b.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	options := skillserver.Options{
		Guard: kakao.Guard{AnyHost: true, Loopback: true}, Secrets: b, Opener: b, Meter: b, Log: slog.New(slog.DiscardHandler), Version: "test",
		Timeout: skillserver.Longest, MaxCalls: 1000,
		Now:      func() time.Time { b.mu.Lock(); defer b.mu.Unlock(); return b.now },
		GiveBack: func(context.Context) { b.mu.Lock(); defer b.mu.Unlock(); b.givenBack++ },
	}
	for _, f := range change {
		f(&options)
	}
	b.client = skillserver.New(options)
	t.Cleanup(func() {
		b.client.Close()
		b.server.CloseClientConnections()
		b.server.Close()
	})
	return b
}

func (b *business) backendCall() scenario.BackendCall {
	return scenario.BackendCall{
		BotID: "b1", UtteranceID: "utt_1", Request: []byte(asked), AtOnce: 4,
		Server: scenario.Server{Name: "shop", URL: b.server.URL + "/skill?key=1", Headers: map[string]string{"X-Key": "k", "malgil-signature": "forged"}},
	}
}

func (b *business) call(ctx context.Context) (kakao.SkillResponse, error) {
	return b.client.Call(ctx, b.backendCall())
}

func TestCall(t *testing.T) {
	b := newBusiness(t)
	call := b.backendCall()
	call.Webhook.Path = "orders"
	got, err := b.client.Call(t.Context(), call)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := got.JSON()
	if want := `{"version":"2.0","template":{"outputs":[{"simpleText":{"text":"출발했어요."}}]},"context":{"values":[{"name":"order","lifeSpan":3,"params":{"n":"7"}}]},"data":{"no":12345678901234567890}}`; string(body) != want {
		t.Errorf("Call() = %s, want context and data too: %s", body, want)
	}
	if want := `POST /skill/orders?key=1 {"bot":{"id":"b1"},"userRequest":{"utterance":"배송 <조회>"},"new":[1.0]}`; b.bodies[0] != want {
		t.Errorf("the server got %s, want %s", b.bodies[0], want)
	}
	h := b.headers[0]
	if h.Get("X-Key") != "k" || h.Get("Content-Type") != "application/json;charset=UTF-8" || h.Get("User-Agent") != "Malgil/test" || h.Get("Malgil-Utterance") != "utt_1" {
		t.Errorf("the server got the headers %v", h)
	}
	if h.Get("Malgil-Signature") != "" || h.Get("Malgil-Timestamp") != "" {
		t.Errorf("a bot without a secret signs: %v", h)
	}
	if b.givenBack != 1 || b.underWay != 0 || !maps.Equal(b.outcomes, map[string]int{"answered": 1}) {
		t.Errorf("noted %v, %d under way, gave back %d times", b.outcomes, b.underWay, b.givenBack)
	}
}

func TestCall_signs(t *testing.T) {
	seal := func(secret string) []byte { return []byte(bot.WebhookSecretTable + " b1 " + secret) }
	tests := map[string]struct {
		secret bot.WebhookSecret
		want   []string // secrets that verify, in this order
	}{
		"with the first secret":        {bot.WebhookSecret{Current: seal("one"), MadeAt: noon}, []string{"one"}},
		"with both after a change":     {bot.WebhookSecret{Current: seal("two"), Former: seal("one"), MadeAt: noon.Add(-24*time.Hour + time.Second)}, []string{"two", "one"}},
		"with the new one after a day": {bot.WebhookSecret{Current: seal("two"), Former: seal("one"), MadeAt: noon.Add(-24 * time.Hour)}, []string{"two"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBusiness(t)
			b.secret = tt.secret
			if _, err := b.call(t.Context()); err != nil {
				t.Fatal(err)
			}
			_, body, _ := strings.Cut(b.bodies[0], "?key=1 ")
			signatures := strings.Split(b.headers[0].Get(webhook.HeaderSignature), ",")
			if len(signatures) != len(tt.want) {
				t.Fatalf("signed %q, want %d signatures", signatures, len(tt.want))
			}
			for i, secret := range tt.want {
				if err := webhook.Verify(secret, b.headers[0].Get(webhook.HeaderTimestamp), signatures[i], []byte(body), noon.Add(time.Minute)); err != nil {
					t.Errorf("signature %d does not verify: %v", i+1, err)
				}
			}
		})
	}
	t.Run("not at all when the secret does not open", func(t *testing.T) {
		b := newBusiness(t)
		b.secret = bot.WebhookSecret{Current: []byte("of another installation")}
		if _, err := b.call(t.Context()); err == nil || !strings.Contains(err.Error(), "malgil doctor") || len(b.bodies) > 0 || b.outcomes["barred"] != 1 {
			t.Errorf("Call() error = %v after %d calls, want none and where to look", err, len(b.bodies))
		}
	})
	t.Run("as before while the database is away", func(t *testing.T) {
		b := newBusiness(t)
		b.secretErr = errors.New("connection refused to secret-host")
		if _, err := b.call(t.Context()); err == nil || strings.Contains(err.Error(), "secret-host") || b.outcomes["barred"] != 1 {
			t.Errorf("Call() error = %v, want that the secret cannot be read", err)
		}
		b.secretErr = nil
		if _, err := b.call(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.secretErr = errors.New("connection refused")
		if _, err := b.call(t.Context()); err != nil {
			t.Errorf("Call() of a bot that is known error = %v", err)
		}
	})
}

// The database may be slow: who waits for it holds nothing that others need.
func TestCall_givesBackBeforeItLooks(t *testing.T) {
	b := newBusiness(t)
	if _, err := b.call(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(b.lookedAt, []int{1}) {
		t.Errorf("slots given back at each look = %v, want one before the one look", b.lookedAt)
	}
}

func TestCall_failures(t *testing.T) {
	text := func(text string) string {
		return `{"version":"2.0","template":{"outputs":[{"simpleText":{"text":"` + text + `"}}]}}`
	}
	tests := map[string]struct {
		answer  http.HandlerFunc
		change  func(*scenario.BackendCall)
		outcome string
		says    string
		shown   bool // an answer comes back, for whoever called to refuse
		calls   int
	}{
		"a redirect":        {answer: func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/secret", http.StatusFound) }, outcome: "status", says: `server "shop" answers 302, which leads elsewhere and is not followed`, calls: 1},
		"not found":         {answer: http.NotFound, outcome: "status", says: "answers 404 Not Found", calls: 1},
		"broken":            {answer: func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "secret", 500) }, outcome: "status", says: "answers 500 Internal Server Error", calls: 1},
		"created, and fine": {answer: func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(201); says(fine)(w, r) }, outcome: "answered", shown: true, calls: 1},
		"nothing":           {answer: func(http.ResponseWriter, *http.Request) {}, outcome: "invalid", says: "it is empty", calls: 1},
		"a page":            {answer: says("<html>점검 중 secret</html>"), outcome: "invalid", says: "it is not a JSON object", calls: 1},
		"no version":        {answer: says(`{"template":{"outputs":[{"simpleText":{"text":"네"}}]}}`), outcome: "invalid", shown: true, calls: 1},
		"no template":       {answer: says(`{"version":"2.0"}`), outcome: "invalid", shown: true, calls: 1},
		"too long a text":   {answer: says(text(strings.Repeat("가", 1001))), outcome: "invalid", shown: true, calls: 1},
		"over 30 KB":        {answer: says(`{"version":"2.0","template":{"outputs":[{"textCard":{"title":"a","buttons":[{"action":"block","label":"a","blockId":"b","extra":{"a":"` + strings.Repeat("a", 31_000) + `"}}]}}]}}`), outcome: "invalid", shown: true, calls: 1},
		"over all limits":   {answer: says(text(strings.Repeat("a", 300_000))), outcome: "invalid", says: "more than 262144 bytes", calls: 1},
		"data alone":        {answer: says(`{"version":"2.0","data":{"stock":"5"}}`), outcome: "answered", shown: true, calls: 1},
		"a discount misspelt": {answer: says(`{"version":"2.0","template":{"outputs":[{"commerceCard":{"title":"책","price":10000,"discount":1000,"dicountedPrice":9000,"thumbnails":[{"imageUrl":"https://a.example/b.png"}],"buttons":[{"action":"webLink","label":"보기","webLinkUrl":"https://a.example"}]}}]}}`),
			outcome: "answered", shown: true, calls: 1},
		"a callback of its own": {answer: says(`{"version":"2.0","useCallback":true}`), outcome: "invalid", says: "Malgil calls back itself", calls: 1},
		"cut off":               {answer: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, outcome: "unreachable", says: "the skill server closed the connection without an answer", calls: 1},
		"cut off in the middle": {answer: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, "secret")
			panic(http.ErrAbortHandler)
		}, outcome: "unreachable", says: "closed the connection", calls: 1},
		"silent":                    {answer: func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, outcome: "late", says: "the skill server did not answer in time", calls: 1},
		"nobody there":              {change: func(c *scenario.BackendCall) { c.Server.URL = "http://127.0.0.1:1/secret" }, outcome: "unreachable", says: "the skill server takes no connections"},
		"a private address":         {change: func(c *scenario.BackendCall) { c.Server.URL = "https://10.0.0.1/secret" }, outcome: "barred", says: "the address is not public"},
		"plain http":                {change: func(c *scenario.BackendCall) { c.Server.URL = "http://shop.example/secret" }, outcome: "barred", says: "the address is not https"},
		"no URL":                    {change: func(c *scenario.BackendCall) { c.Server.URL = "secret" }, outcome: "barred", says: "not a URL"},
		"a header of two":           {change: func(c *scenario.BackendCall) { c.Server.Headers = map[string]string{"X": "a\r\nsecret: b"} }, outcome: "barred", says: `its header "X" is none of HTTP`},
		"a request that is no JSON": {change: func(c *scenario.BackendCall) { c.Request = []byte("secret") }, outcome: "barred", says: "not a JSON object"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBusiness(t)
			if tt.answer != nil {
				b.answer = tt.answer
			}
			call := b.backendCall()
			if tt.change != nil {
				tt.change(&call)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			if tt.outcome == "late" {
				ctx, cancel = context.WithTimeout(t.Context(), 200*time.Millisecond)
			}
			defer cancel()
			_, err := b.client.Call(ctx, call)
			if !maps.Equal(b.outcomes, map[string]int{tt.outcome: 1}) || len(b.bodies) != tt.calls {
				t.Errorf("Call() is noted as %v after %d calls, want %s after %d", b.outcomes, len(b.bodies), tt.outcome, tt.calls)
			}
			if (err == nil) != tt.shown || err != nil && (!strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "secret")) {
				t.Errorf("Call() error = %v, want %q and nothing of what was sent", err, tt.says)
			}
			if b.underWay != 0 {
				t.Errorf("%d calls are under way after the end", b.underWay)
			}
		})
	}
}

// Time without the callback's 50 s is what ctx says.
func TestCall_ownTimeout(t *testing.T) {
	b := newBusiness(t, func(o *skillserver.Options) { o.Timeout = 100 * time.Millisecond })
	b.answer = func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	begun := time.Now()
	if _, err := b.call(t.Context()); err == nil || b.outcomes["late"] != 1 || time.Since(begun) > 5*time.Second {
		t.Errorf("Call() error = %v after %v, want late after the setting", err, time.Since(begun))
	}
}

// A bot has so many calls at a time and a line behind them; nobody else is in its way.
func TestCall_places(t *testing.T) {
	b := newBusiness(t)
	arrived, release := make(chan struct{}, 100), make(chan struct{})
	b.answer = func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-release
		says(fine)(w, r)
	}
	const places, line = 4, 16
	results := make(chan error, places+line)
	for range places + line {
		go func() { _, err := b.call(t.Context()); results <- err }()
	}
	b.eventually("all are under way or in line", func() bool { return b.underWay == places+line })
	for range places {
		<-arrived
	}
	if len(b.bodies) != places {
		t.Errorf("the server is called %d times at once, want %d", len(b.bodies), places)
	}
	if _, err := b.call(t.Context()); fault.KindOf(err) != fault.Throttled || b.outcomes["full"] != 1 {
		t.Errorf("one more than the line holds: %v, want that it is full, at once", err)
	}
	others := map[string]func(*scenario.BackendCall){
		"another bot":    func(c *scenario.BackendCall) { c.BotID = "b2" },
		"the other side": func(c *scenario.BackendCall) { c.Side = scenario.Development },
		"a call of a broadcast": func(c *scenario.BackendCall) {
			c.Request = []byte(`{"userRequest":{"params":{"malgil_chunk":"brd_1-000001"}}}`)
		},
	}
	for name, change := range others {
		call := b.backendCall()
		change(&call)
		go func() { _, err := b.client.Call(t.Context(), call); results <- err }()
		select {
		case <-arrived:
		case <-time.After(10 * time.Second):
			t.Errorf("%s waits for the first bot", name)
		}
	}
	close(release)
	for range places + line + len(others) {
		if err := <-results; err != nil {
			t.Errorf("a call that had its place, or waited for it: %v", err)
		}
	}
	if b.underWay != 0 {
		t.Errorf("%d calls are under way after the end", b.underWay)
	}
}

// Who waits for half of its time gives up, so that the rest is enough for the server of those behind.
func TestCall_waitsForHalfOfItsTime(t *testing.T) {
	b := newBusiness(t)
	release := make(chan struct{})
	b.answer = func(w http.ResponseWriter, r *http.Request) { <-release; says(fine)(w, r) }
	call := b.backendCall()
	call.AtOnce = 1
	first := make(chan error, 1)
	go func() { _, err := b.client.Call(t.Context(), call); first <- err }()
	b.eventually("the first is under way", func() bool { return len(b.bodies) == 1 })
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	begun := time.Now()
	_, err := b.client.Call(ctx, call)
	if took := time.Since(begun); err == nil || b.outcomes["full"] != 1 || took < 400*time.Millisecond || ctx.Err() != nil {
		t.Errorf("Call() = %v after %v, want full after half a second", err, took)
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, err := b.client.Call(gone, call); err == nil || b.outcomes["stopped"] != 1 {
		t.Errorf("Call() that nobody waits for = %v, %v, want stopped", err, b.outcomes)
	}
	close(release)
	if err := <-first; err != nil {
		t.Error(err)
	}
}

// A server that fails again and again is not called any more, and its users hear so at once.
func TestCall_leavesAFailingServerAlone(t *testing.T) {
	b := newBusiness(t)
	b.answer = func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "", http.StatusBadGateway) }
	for range 8 {
		if _, err := b.call(t.Context()); err == nil {
			t.Fatal("Call() of a broken server = nil error")
		}
	}
	if !maps.Equal(b.outcomes, map[string]int{"status": 5, "open": 3}) || len(b.bodies) != 5 {
		t.Errorf("outcomes = %v after %d calls of the server, want 5 of 8 made", b.outcomes, len(b.bodies))
	}
	if b.breakers["open"] != 1 || b.breakers["closed"] != 0 {
		t.Errorf("breakers = %v, want one open", b.breakers)
	}
}

// A server that is asked when there is hardly any time left is not held to be slow.
func TestCall_askedLate(t *testing.T) {
	b := newBusiness(t)
	b.answer = func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for range 8 {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err := b.call(ctx)
		cancel()
		if err == nil {
			t.Fatal("Call() of a silent server = nil error")
		}
	}
	if !maps.Equal(b.outcomes, map[string]int{"late": 8}) || b.breakers["open"] != 0 {
		t.Errorf("outcomes = %v, breakers %v, want late and none open", b.outcomes, b.breakers)
	}
}

func TestCall_allBotsTogether(t *testing.T) {
	b := newBusiness(t, func(o *skillserver.Options) { o.MaxCalls = 2 })
	release := make(chan struct{})
	b.answer = func(w http.ResponseWriter, r *http.Request) { <-release; says(fine)(w, r) }
	results := make(chan error, 2)
	for range 2 {
		go func() { _, err := b.call(t.Context()); results <- err }()
	}
	b.eventually("two are under way", func() bool { return b.underWay == 2 })
	call := b.backendCall()
	call.BotID = "b2"
	if _, err := b.client.Call(t.Context(), call); fault.KindOf(err) != fault.Throttled || !strings.Contains(err.Error(), "MALGIL_SKILL_SERVER_CALLS") {
		t.Errorf("the third of two = %v, want full and which setting", err)
	}
	close(release)
	for range 2 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if _, err := b.client.Call(t.Context(), call); err != nil {
		t.Errorf("when the others are done: %v", err)
	}
}

func (b *business) eventually(what string, is func() bool) {
	b.t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		b.mu.Lock()
		ok := is()
		b.mu.Unlock()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("%s: not within 10 s", what)
		}
		time.Sleep(time.Millisecond)
	}
}
