package acceptance_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"go.uber.org/goleak"

	"github.com/malgil/malgil/internal/apiclient"
	"github.com/malgil/malgil/internal/app"
	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/demo"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/sandbox"
	"github.com/malgil/malgil/internal/testserver"
)

// realParts says that a house runs on a redis-server and a PostgreSQL of its own; otherwise its
// parts are embedded.
var realParts = os.Getenv("MALGIL_TEST_PARTS") == "real"

// seoul is where days begin: UTC+9 all year.
var seoul = time.FixedZone("KST", 9*60*60)

// everyPool is every queue that workers serve.
var everyPool = []string{"reply", "echo", "broadcast", "result", "billing", "mail", "webhook"}

const (
	paySecret  = "acceptance-kakaopay-secret"
	bankSecret = "acceptance-bank-secret"
	taxSecret  = "acceptance-tax-secret"
)

// house is a whole malgil in this process with the sandbox around it. It is ten in the morning
// in Korea when it opens, or when its plan says. Its methods end the test when they fail, unless they return an error.
type house struct {
	t       testing.TB
	api     *apiclient.Client // with a token of every scope
	sandbox *apiclient.Client
	world   demo.World // the same two, for paying as the payer

	url, sandboxURL, metricsURL string
	token                       string
	shops                       []*shop
	restart                     func() // stops malgil and starts it again on the same parts, at another address
}

// plan is what of a house is not as usual.
type plan struct {
	config  func(*app.Config) // the addresses of the sandbox are set before it is called
	at      time.Time         // when the house opens; tomorrow morning, when zero
	noPools bool
	twice   bool // a second process beside it, with its scheduler and workers; real parts only
	log     slog.Handler
}

// show shows rows side by side, each in a house of its own, and then looks for what their houses
// have left behind.
func show(t *testing.T, rows map[string]func(*testing.T)) {
	t.Helper()
	if realParts {
		testserver.Postgres(t) // it stays for the tests that follow
	}
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() {
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
		if err := goleak.Find(before); err != nil {
			t.Errorf("every house is closed, and there is still: %v", err)
		}
	})
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rows[name](t)
		})
	}
}

// open starts a house that closes at the end of the test.
func open(t testing.TB, p plan) *house {
	t.Helper()
	config := defaults(t)
	place(t, &config)
	if p.at.IsZero() {
		p.at = clock.NextMidnight(time.Now()).Add(10 * time.Hour)
	}
	clk := clock.StartingAt(p.at)
	var running *app.App
	outside, err := sandbox.Start(context.WithoutCancel(t.Context()), sandbox.Options{
		Clock: clk, KakaoPaySecret: paySecret, BankSecret: bankSecret, TaxSecret: taxSecret,
		MoveClock: func(ctx context.Context, to time.Time) error {
			if running == nil {
				return fault.New(fault.Unavailable, "the house is not open yet")
			}
			return running.MoveClock(ctx, to)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	closing(t, "sandbox", outside.Close)
	config.KakaoURL, config.KakaoPayURL, config.KakaoPaySecret = outside.URL(), outside.URL(), paySecret
	config.BankURL, config.BankSecret = outside.URL(), bankSecret
	config.Invoicing = demo.Supplier
	config.TaxURL, config.TaxSecret = outside.URL(), taxSecret
	config.SMTP = "smtp://" + outside.SMTPAddress() + "?tls=none&from=no-reply@malgil.example"
	if p.config != nil {
		p.config(&config)
	}
	if p.log == nil {
		p.log = slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError})
	}
	var log record
	p.log = slog.NewMultiHandler(p.log, slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	roles := app.Roles{Intake: true, Scheduler: true, Pools: everyPool}
	if p.noPools {
		roles.Pools = nil
	}
	running, err = app.Start(context.WithoutCancel(t.Context()), config, roles, clk, slog.New(p.log))
	if err != nil {
		t.Fatal(err)
	}
	closing(t, "malgil", func(ctx context.Context) error { return running.Close(ctx) }) // the one that runs by then
	if p.twice {
		beside, err := app.Start(context.WithoutCancel(t.Context()), config, app.Roles{Scheduler: true, Pools: everyPool}, clk, slog.New(p.log))
		if err != nil {
			t.Fatal(err)
		}
		closing(t, "second malgil", beside.Close)
	}
	_, token, err := running.IssueToken(t.Context(), "acceptance", []string{"read", "send", "billing", "admin"})
	if err != nil {
		t.Fatal(err)
	}
	h := enter(t, running.IntakeURL, outside.URL(), running.MetricsURL, token)
	h.keepsSecrets(t, log.String, config.Redis)
	h.restart = func() {
		t.Helper()
		if err := running.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Fatal(err)
		}
		if running, err = app.Start(context.WithoutCancel(t.Context()), config, roles, clk, slog.New(p.log)); err != nil {
			t.Fatal(err)
		}
		h.url, h.metricsURL = running.IntakeURL, running.MetricsURL
		h.api = apiclient.New(h.url, token)
		h.world.API = h.api
	}
	return h
}

// enter returns a house that runs already.
func enter(t testing.TB, url, sandboxURL, metricsURL, token string) *house {
	h := &house{t: t, api: apiclient.New(url, token), sandbox: apiclient.New(sandboxURL, ""),
		url: url, sandboxURL: sandboxURL, metricsURL: metricsURL, token: token}
	h.world = demo.World{API: h.api, Sandbox: h.sandbox}
	return h
}

// closing closes something at the end of the test.
func closing(t testing.TB, name string, close func(context.Context) error) {
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := close(ctx); err != nil {
			t.Errorf("close the %s: %v", name, err)
		}
	})
}

// defaults returns the configuration of an installation that sets nothing, on loopback.
func defaults(t testing.TB) (config app.Config) {
	t.Helper()
	parser, err := kong.New(&config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(nil); err != nil {
		t.Fatal(err)
	}
	config.Listen, config.MetricsListen, config.PublicURL = "127.0.0.1:0", "127.0.0.1:0", ""
	config.Sandboxed = true
	config.SettlementSpread = 0 // the clock stops at midnight, not after it
	return config
}

// place gives a configuration its database and its queue.
func place(t testing.TB, config *app.Config) {
	t.Helper()
	if !realParts {
		config.DB = "sqlite:" + filepath.Join(t.TempDir(), "malgil.db")
		return
	}
	config.DB, config.Redis = testserver.Postgres(t), testserver.Redis(t).URL()
	if _, err := app.Migrate(t.Context(), config.DB); err != nil {
		t.Fatal(err)
	}
	keys, err := app.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	config.SealKeys, config.HashKey = keys.Seal, keys.Hash
}

// get reads from the API.
func (h *house) get(path string, out any) {
	h.t.Helper()
	if err := h.api.Call(h.t.Context(), "GET", path, nil, out); err != nil {
		h.t.Fatalf("GET %s: %v", path, err)
	}
}

// do changes something by the API.
func (h *house) do(method, path string, in, out any, options ...apiclient.Option) {
	h.t.Helper()
	if err := h.api.Call(h.t.Context(), method, path, in, out, options...); err != nil {
		h.t.Fatalf("%s %s: %v", method, path, err)
	}
}

// ask reads from the sandbox.
func (h *house) ask(path string, out any) {
	h.t.Helper()
	if err := h.sandbox.Call(h.t.Context(), "GET", path, nil, out); err != nil {
		h.t.Fatalf("sandbox: GET %s: %v", path, err)
	}
}

// tell changes something in the sandbox.
func (h *house) tell(method, path string, in, out any) {
	h.t.Helper()
	if err := h.sandbox.Call(h.t.Context(), method, path, in, out); err != nil {
		h.t.Fatalf("sandbox: %s %s: %v", method, path, err)
	}
}

// fault makes the sandbox misbehave; see docs/api.md for what there is.
func (h *house) fault(target, kind string, more map[string]any) {
	h.t.Helper()
	body := map[string]any{"target": target, "fault": kind}
	for name, value := range more {
		body[name] = value
	}
	h.tell("POST", "/sandbox/faults", body, nil)
}

// advance moves the clock and returns when everything that fell due has been found.
func (h *house) advance(d time.Duration) {
	h.t.Helper()
	h.tell("PUT", "/sandbox/clock", map[string]any{"advance": d.String()}, nil)
}

// midnight moves the clock just past 00:00 in Korea, the settlement, and returns that moment.
func (h *house) midnight() time.Time {
	h.t.Helper()
	next := nextMidnight(h.now())
	h.tell("PUT", "/sandbox/clock", map[string]any{"now": next.Add(time.Second)}, nil)
	return next
}

func (h *house) now() time.Time {
	h.t.Helper()
	var told struct {
		Now time.Time `json:"now"`
	}
	h.ask("/sandbox/clock", &told)
	return told.Now
}

func nextMidnight(t time.Time) time.Time {
	y, m, d := t.In(seoul).Date()
	return time.Date(y, m, d+1, 0, 0, 0, 0, seoul)
}

// until asks again and again until something is so; it gives up after 20 s and tells what it
// saw last.
func (h *house) until(what string, is func() (ok bool, seen any)) {
	h.t.Helper()
	h.within(20*time.Second, what, is)
}

// within is until for what may take longer.
func (h *house) within(most time.Duration, what string, is func() (ok bool, seen any)) {
	h.t.Helper()
	limit := time.NewTimer(most)
	defer limit.Stop()
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, seen := is()
		if ok {
			return
		}
		select {
		case <-tick.C:
		case <-limit.C:
			text, _ := json.Marshal(seen) // what cannot be shown is not shown
			h.t.Fatalf("within %v it is not so that %s; seen last: %s", most, what, text)
		}
	}
}
