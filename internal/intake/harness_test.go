package intake

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/bot"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/id"
	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/notice"
	"github.com/malgil/malgil/internal/queue"
	"github.com/malgil/malgil/internal/reconcile"
	"github.com/malgil/malgil/internal/scenario"
	"github.com/malgil/malgil/internal/seal"
	"github.com/malgil/malgil/internal/store"
	"github.com/malgil/malgil/internal/testserver"
	"github.com/malgil/malgil/internal/wallet"
	"github.com/malgil/malgil/internal/webhook"
)

// noon in Korea, so that no midnight is near.
var noon = time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)

func atNoon() time.Time { return noon }

// house is a server over a real store, with a gateway and a skill of the test's own.
type house struct {
	t       *testing.T
	server  *Server
	store   *store.Store
	gate    *access.Gate
	gateway *gateway
	log     *lockedBuffer
	tokens  map[string]string // scopes → secret
	seen    *seen
}

// lockedBuffer is a log that several requests write.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// seen remembers which requests were observed, as "GET /healthz 200".
type seen struct {
	mu  sync.Mutex
	all []string
}

func (s *seen) observe(route, method string, status int, elapsed time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if elapsed < 0 {
		status = -1
	}
	s.all = append(s.all, fmt.Sprintf("%s %s %d", method, route, status))
}

func (s *seen) last() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.all) == 0 {
		return ""
	}
	return s.all[len(s.all)-1]
}

// migrate brings an empty database to the newest schema; every house begins with a copy of it.
func migrate(address string) error {
	db, err := store.Open(context.Background(), store.Config{Address: address})
	if err != nil {
		return err
	}
	_, err = db.Migrate(context.Background())
	return errors.Join(err, db.Close())
}

// change lets a test replace services before the server is made.
func newHouse(t *testing.T, change ...func(*Services)) *house {
	t.Helper()
	box, err := seal.New(base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32)), rand.NewChaCha8([32]byte{}))
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), store.Config{
		Address: testserver.SQLiteCopy(t, migrate), Limits: wallet.Limits{AccrualCap: 10_000_000},
		Settlement: wallet.Settlement{Threshold: 500_000}, Keys: box,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("Close() error = %v", err)
		}
	})
	if err := db.FirstPrice(t.Context(), 15); err != nil {
		t.Fatal(err)
	}
	ids := id.New(atNoon, rand.NewChaCha8([32]byte{1}))
	h := &house{
		t: t, store: db, gateway: &gateway{}, log: &lockedBuffer{}, tokens: map[string]string{}, seen: &seen{},
		gate: access.NewGate(db, atNoon, ids.Next, rand.NewChaCha8([32]byte{2})),
	}
	settings := billing.DefaultSettings
	settings.PublicURL = "https://malgil.example"
	services := Services{
		Gate:       h.gate,
		Accounts:   access.NewAccounts(db, atNoon, ids.Next),
		Wallets:    access.NewWallets(db, atNoon, ids.Next),
		Giver:      wallet.NewGiver(db, atNoon, ids.Next),
		Prices:     wallet.NewPriceSetter(db, atNoon),
		Bots:       bot.NewAdmin(db, box, scenario.Rules{}, atNoon, rand.NewChaCha8([32]byte{3})),
		Broadcasts: broadcast.NewDesk(db, db, db, db, atNoon, ids.Next), Schedules: broadcast.NewTimetable(broadcast.NewDesk(db, db, db, db, atNoon, ids.Next), db),
		Billing:   billing.New(db, h.gateway, box, ids, rand.NewChaCha8([32]byte{4}), atNoon, settings),
		Books:     reconcile.New(db, h.gateway, nil, nil, atNoon),
		Explain:   db,
		Words:     scenario.NewService(scenario.NewCache(db, time.Second), db, nil),
		Lists:     db,
		Mails:     db,
		Queues:    &idleQueues{stands: map[string]bool{}},
		Backlog:   db,
		Webhooks:  webhook.NewAdmin(db, box, kakao.Guard{AnyHost: true}.Check, atNoon, ids.Next, rand.NewChaCha8([32]byte{5})),
		MuteLinks: notice.NewMuteLinks("https://malgil.example", []byte("secret")),
		Read:      db,
		Skill:     http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { notFound(w) }),
		Checks:    []Check{{Name: "database", Ask: db.Ping}},
		Observe:   h.seen.observe,
	}
	for _, f := range change {
		f(&services)
	}
	h.server = New(Config{
		PublicURL: "https://malgil.example/", Version: "test",
		Log: slog.New(slog.NewJSONHandler(h.log, nil)), Now: atNoon,
	}, services)
	return h
}

// idleQueues is a Redis whose queues never change but for being stopped.
type idleQueues struct {
	broken error
	frozen bool // it takes what it is told and never answers
	stands map[string]bool
	buried []string
}

func (q *idleQueues) Loads(_ context.Context, queues []string) (map[string]queue.Load, error) {
	loads := map[string]queue.Load{}
	for _, name := range queues {
		loads[name] = queue.Load{Depth: queue.Depth{Pending: 3, Archived: 1}, Oldest: 1500 * time.Millisecond}
	}
	return loads, q.broken
}

func (q *idleQueues) Paused(context.Context, []string) (map[string]bool, error) {
	return q.stands, q.broken
}

// answer waits as long as the caller does for a Redis that is frozen.
func (q *idleQueues) answer(ctx context.Context) error {
	if !q.frozen {
		return q.broken
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(10 * time.Second):
		return errors.New("a frozen Redis was waited for")
	}
}

func (q *idleQueues) SetPaused(ctx context.Context, name string, paused bool) error {
	if err := q.answer(ctx); err != nil {
		return err
	}
	q.stands[name] = paused
	return nil
}

func (q *idleQueues) Bury(ctx context.Context, name string, ids []string) (int, error) {
	for _, id := range ids {
		q.buried = append(q.buried, name+" "+id)
	}
	return len(ids), q.answer(ctx)
}

// on is the house in a subtest.
func (h *house) on(t *testing.T) *house {
	inside := *h
	inside.t = t
	return &inside
}

// token returns the secret of a token with scopes, such as "send read".
func (h *house) token(scopes string) string {
	h.t.Helper()
	if h.tokens[scopes] == "" {
		_, secret, err := h.gate.Issue(h.t.Context(), access.NewToken{Name: "test", Scopes: strings.Fields(scopes)})
		if err != nil {
			h.t.Fatal(err)
		}
		h.tokens[scopes] = secret
	}
	return h.tokens[scopes]
}

const allScopes = "send read billing admin"

// call is one request of the API and its answer.
type call struct {
	method, path string
	body         any // JSON, or a string or io.Reader as it is
	key          string
	token        string // every scope when empty, none when "-"
	header       map[string]string
}

type response struct {
	*httptest.ResponseRecorder
	t *testing.T
	c call
}

func (h *house) do(c call) response {
	h.t.Helper()
	var reader io.Reader
	switch b := c.body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	case io.Reader:
		reader = b
	default:
		text, err := json.Marshal(b)
		if err != nil {
			h.t.Fatal(err)
		}
		reader = bytes.NewReader(text)
	}
	r := httptest.NewRequestWithContext(h.t.Context(), c.method, c.path, reader)
	if reader != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	switch c.token {
	case "":
		r.Header.Set("Authorization", "Bearer "+h.token(allScopes))
	case "-":
	default:
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	if c.key != "" {
		r.Header.Set("Idempotency-Key", c.key)
	}
	for name, value := range c.header {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.server.Handler().ServeHTTP(w, r)
	return response{ResponseRecorder: w, t: h.t, c: c}
}

// want checks the status and reads the body.
func (a response) want(status int) map[string]any {
	a.t.Helper()
	if a.Code != status {
		a.t.Fatalf("%s %s = %d %s, want %d", a.c.method, a.c.path, a.Code, a.Body, status)
	}
	if a.Body.Len() == 0 {
		return nil
	}
	var v map[string]any
	if err := json.Unmarshal(a.Body.Bytes(), &v); err != nil {
		a.t.Fatalf("%s %s answers %q, want JSON: %v", a.c.method, a.c.path, a.Body, err)
	}
	return v
}

// wantProblem checks an error and where it is; "" for nowhere.
func (a response) wantProblem(status int, code, location string) Problem {
	a.t.Helper()
	var p Problem
	err := json.Unmarshal(a.Body.Bytes(), &p)
	if err != nil || a.Code != status || p.Status != status || p.Code != code || p.Title == "" || a.Header().Get("Content-Type") != "application/problem+json" {
		a.t.Fatalf("%s %s = %d %s %s, want %d %s as application/problem+json", a.c.method, a.c.path, a.Code, a.Header().Get("Content-Type"), a.Body, status, code)
	}
	switch {
	case location == "" && len(p.Errors) > 0:
		a.t.Errorf("%s %s errors = %+v, want none", a.c.method, a.c.path, p.Errors)
	case location != "" && (len(p.Errors) == 0 || p.Errors[0].Location != location):
		a.t.Errorf("%s %s errors = %+v, want %s first", a.c.method, a.c.path, p.Errors, location)
	}
	return p
}

// at reads a path such as "balance.paid_krw" or "items.0.id".
func at(v any, path string) any {
	for _, part := range strings.Split(path, ".") {
		switch node := v.(type) {
		case map[string]any:
			v = node[part]
		case []any:
			var i int
			if _, err := fmt.Sscan(part, &i); err != nil || i >= len(node) {
				return nil
			}
			v = node[i]
		default:
			return nil
		}
	}
	return v
}

// wantAt checks values of a body by their paths.
func wantAt(t *testing.T, what string, body any, want map[string]any) {
	t.Helper()
	for path, value := range want {
		if n, ok := value.(int); ok {
			value = float64(n)
		}
		if got := at(body, path); got != value {
			t.Errorf("%s: %s = %v, want %v", what, path, got, value)
		}
	}
}

// seed makes an account, a wallet with paid cash and a bot with a block, and returns their ids.
func (h *house) seed(paid int) (account, walletID, botID string) {
	h.t.Helper()
	account = h.do(call{method: "POST", path: "/api/v1/accounts", body: map[string]any{"name": "김하늘", "email": "haneul@hanbit.example"}}).want(201)["id"].(string)
	walletID = h.do(call{method: "POST", path: "/api/v1/wallets", body: map[string]any{
		"name": "한빛서점", "kind": "business", "business_number": "999-81-00015", "invoice_email": "tax@hanbit.example", "master": account,
		"daily_limit_krw": 100_000_000,
	}}).want(201)["id"].(string)
	if paid > 0 {
		checkout := h.do(call{method: "POST", path: "/api/v1/wallets/" + walletID + "/topups", key: "seed", body: map[string]any{"amount_krw": paid}}).want(202)
		h.pay(checkout)
	}
	botID = "66a1f0c2d4b7e83f5a9c1d20"
	h.do(call{method: "POST", path: "/api/v1/bots", body: map[string]any{
		"id": botID, "name": "한빛서점 도우미", "rest_api_key": "4f1c9a7e5b3d2f60", "wallet": walletID,
	}}).want(201)
	return account, walletID, botID
}

// pay is the payer who agrees at the gateway and comes back.
func (h *house) pay(checkout map[string]any) response {
	h.t.Helper()
	return h.do(call{method: "GET", path: h.gateway.wayBack(checkout["id"].(string), "approve") + "?pg_token=pg", token: "-"})
}

// gateway is a card gateway that approves everything.
type gateway struct {
	mu       sync.Mutex
	requests []billing.ReadyRequest
	down     bool
	decline  bool
	dormant  map[string]bool // by sid
}

func (g *gateway) CardStatus(_ context.Context, sid string) (billing.CardStatus, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return billing.CardStatus{Active: true, Available: !g.dormant[sid]}, nil
}

func (g *gateway) Charge(context.Context, billing.ChargeRequest) (billing.Payment, error) {
	return billing.Payment{}, &billing.GatewayError{Class: billing.CardDeclined}
}

func (g *gateway) Ready(_ context.Context, r billing.ReadyRequest) (billing.Ready, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.down {
		return billing.Ready{}, &billing.GatewayError{Class: billing.NotSent, Message: "connection refused"}
	}
	g.requests = append(g.requests, r)
	return billing.Ready{TID: fmt.Sprintf("T%019d", len(g.requests)), Redirect: billing.Redirect{PC: "https://pay.example/pc", Mobile: "https://pay.example/m", App: "https://pay.example/app"}}, nil
}

func (g *gateway) Approve(_ context.Context, r billing.ApproveRequest) (billing.Payment, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.decline {
		return billing.Payment{}, &billing.GatewayError{Class: billing.CardDeclined, Message: "한도초과"}
	}
	p := billing.Payment{TID: r.TID, OrderID: r.OrderID, PayerID: r.PayerID, Total: r.Total, ApprovedAt: noon, BIN: "944601", Issuer: "한빛카드"}
	if r.Purpose == billing.Recurring {
		p.SID = "S" + r.TID[1:]
	}
	return p, nil
}

func (g *gateway) Order(context.Context, billing.Purpose, string) (billing.Order, error) {
	return billing.Order{Status: billing.OrderOpen}, nil
}

func (g *gateway) Cancel(_ context.Context, r billing.CancelRequest) (wallet.KRW, error) {
	return r.Amount, nil
}

func (g *gateway) Deactivate(context.Context, string) error { return nil }

// wayBack returns the path where the payer of a checkout comes back.
func (g *gateway) wayBack(checkout, how string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, r := range g.requests {
		if strings.Contains(r.ApproveURL, checkout) {
			address := map[string]string{"approve": r.ApproveURL, "cancel": r.CancelURL, "fail": r.FailURL}[how]
			return strings.TrimPrefix(address, "https://malgil.example")
		}
	}
	return "/pay/" + checkout + "/unknown-key/" + how
}

// readyCount is how many checkouts were begun at the gateway.
func (g *gateway) readyCount() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.requests)
}
