package intake

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/fault"
)

func TestProblemOf(t *testing.T) {
	secret := errors.New(`pq: relation "card" near sid=S123`)
	tests := map[string]struct {
		err        error
		status     int
		code       string
		detail     string
		location   string
		retryAfter string
	}{
		"a field":                  {err: fault.Field("recipients[3].id", "is empty"), status: 422, code: "INVALID", detail: "recipients[3].id is empty", location: "body.recipients[3].id"},
		"a field of the query":     {err: fault.Field("query.cursor", "is bad"), status: 422, code: "INVALID", detail: "query.cursor is bad", location: "query.cursor"},
		"not found":                {err: fault.New(fault.NotFound, "there is no bot %q", "x"), status: 404, code: "NOT_FOUND", detail: `there is no bot "x"`},
		"a conflict with a code":   {err: fault.Coded(fault.Conflict, "SEALED", "it is sealed"), status: 409, code: "SEALED", detail: "it is sealed"},
		"refused, wrapped":         {err: fmt.Errorf("hold: %w", fault.Coded(fault.Refused, "INSUFFICIENT_BALANCE", "too low")), status: 422, code: "INSUFFICIENT_BALANCE", detail: "too low"},
		"unauthenticated":          {err: fault.New(fault.Unauthenticated, "send a token"), status: 401, code: "UNAUTHENTICATED", detail: "send a token"},
		"forbidden":                {err: fault.New(fault.Forbidden, "not yours"), status: 403, code: "FORBIDDEN", detail: "not yours"},
		"throttled":                {err: &fault.Error{Kind: fault.Throttled, Message: "slower", RetryAfter: 1500 * time.Millisecond}, status: 429, code: "THROTTLED", detail: "slower", retryAfter: "2"},
		"throttled, no time known": {err: fault.New(fault.Throttled, "slower"), status: 429, code: "THROTTLED", detail: "slower", retryAfter: "1"},
		"unavailable":              {err: fault.Wrap(fault.Unavailable, secret, "the gateway did not answer"), status: 503, code: "UNAVAILABLE", detail: "the gateway did not answer", retryAfter: "1"},
		"in doubt":                 {err: fault.Wrap(fault.InDoubt, secret, "record attempt att_1"), status: 500, code: "IN_DOUBT"},
		"internal":                 {err: fault.Wrap(fault.Internal, secret, "read card"), status: 500, code: "INTERNAL"},
		"any other error":          {err: secret, status: 500, code: "INTERNAL"},
		"a kind of the future":     {err: &fault.Error{Kind: 99, Message: "?"}, status: 500, code: "INTERNAL"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := problemOf(tt.err)
			if got.Status != tt.status || got.Code != tt.code || got.Detail != tt.detail || got.Title != http.StatusText(tt.status) {
				t.Errorf("problemOf(%v) = %+v, want %d %s %q", tt.err, got, tt.status, tt.code, tt.detail)
			}
			if where := append(got.Errors, ProblemField{})[0].Location; where != tt.location {
				t.Errorf("problemOf(%v) location = %q, want %q", tt.err, where, tt.location)
			}
			if got := got.GetHeaders().Get("Retry-After"); got != tt.retryAfter {
				t.Errorf("problemOf(%v) Retry-After = %q, want %q", tt.err, got, tt.retryAfter)
			}
		})
	}
}

func TestRequests_refusedBeforeTheyReachARule(t *testing.T) {
	h := newHouse(t)
	const accounts = "/api/v1/accounts"
	deep := `{"name":"a","email":"a@b.example","x":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `}`
	deepest := `{"bot":"b","event":{"name":"e"},"params":{"x":` + strings.Repeat("[", 30) + strings.Repeat("]", 30) + `}}` // 32 levels
	tests := map[string]struct {
		call     call
		status   int
		code     string
		location string
	}{
		"not JSON":              {call{method: "POST", path: accounts, body: `{"name":`}, 400, "MALFORMED", "body"},
		"nested too deep":       {call{method: "POST", path: accounts, body: deep}, 400, "MALFORMED", "body"},
		"nested as deep as may": {call{method: "POST", path: "/api/v1/broadcasts", body: deepest}, 422, "IDEMPOTENCY_KEY_MISSING", "header.Idempotency-Key"},
		"no body":               {call{method: "POST", path: accounts}, 400, "MALFORMED", ""},
		"an unknown field":      {call{method: "POST", path: accounts, body: `{"name":"a","email":"a@b.example","phone":"1"}`}, 422, "INVALID", "body.phone"},
		"an unknown field inside": {call{method: "POST", path: "/api/v1/broadcasts", key: "k", body: `{"bot":"b","event":{"name":"e","dat":{}}}`},
			422, "INVALID", "body.event.dat"},
		"a missing field": {call{method: "POST", path: accounts, body: `{"name":"a"}`}, 422, "INVALID", "body.email"},
		"a missing field inside": {call{method: "POST", path: "/api/v1/broadcasts", key: "k", body: `{"bot":"b","event":{}}`},
			422, "INVALID", "body.event.name"},
		"a wrong type":         {call{method: "POST", path: accounts, body: `{"name":1,"email":"a@b.example"}`}, 422, "INVALID", "body.name"},
		"an unknown query":     {call{method: "GET", path: accounts + "?limt=3"}, 422, "INVALID", "query.limt"},
		"a limit too high":     {call{method: "GET", path: accounts + "?limit=201"}, 422, "INVALID", "query.limit"},
		"a cursor of no list":  {call{method: "GET", path: accounts + "?cursor=%21"}, 422, "INVALID", "query.cursor"},
		"another media type":   {call{method: "POST", path: accounts, body: "a", header: map[string]string{"Content-Type": "text/xml"}}, 415, "UNSUPPORTED_MEDIA_TYPE", "body"},
		"a body over 256 KiB":  {call{method: "POST", path: accounts, body: `"` + strings.Repeat("a", 256<<10) + `"`}, 413, "TOO_LARGE", ""},
		"a method of no route": {call{method: "DELETE", path: accounts}, 405, "METHOD_NOT_ALLOWED", ""},
		"no such route":        {call{method: "GET", path: "/api/v1/nothing"}, 404, "NOT_FOUND", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := h.on(t)
			h.do(tt.call).wantProblem(tt.status, tt.code, tt.location)
		})
	}
	if got := h.do(call{method: "DELETE", path: accounts}).Header().Get("Allow"); got != "GET, HEAD, POST" {
		t.Errorf("Allow = %q, want GET, HEAD, POST", got)
	}
	exact := `{"name":"a","email":"a@b.example"}`
	exact += strings.Repeat(" ", 256<<10-len(exact))
	h.do(call{method: "POST", path: accounts, body: exact}).want(201)
}

// What a request holds is never sent back: it may be a secret.
func TestRequests_valuesAreNotEchoed(t *testing.T) {
	h := newHouse(t)
	const secret = "4f1c9a7e5b3d2f60"
	for name, body := range map[string]string{
		"an unknown field": `{"id":"a","name":"a","rest_api_key":"` + secret + `","extra":"` + secret + `"}`,
		"a missing field":  `{"id":"a","rest_api_key":"` + secret + `"}`,
		"a wrong type":     `{"id":"a","name":"a","rest_api_key":["` + secret + `"]}`,
		"a broken rule":    `{"id":"a","name":"a","rest_api_key":"` + secret + ` "}`,
	} {
		got := h.do(call{method: "POST", path: "/api/v1/bots", body: body})
		if got.Code != 422 || strings.Contains(got.Body.String(), secret) {
			t.Errorf("%s: answer %d %s, want 422 without the key", name, got.Code, got.Body)
		}
	}
	if strings.Contains(h.log.String(), secret) {
		t.Error("the log holds the key")
	}
}

func TestRoutes_unknownOnesLookLikeAnUnknownSkill(t *testing.T) {
	h := newHouse(t)
	skill := h.do(call{method: "POST", path: "/skill/none/none", token: "-", body: "{}"})
	for _, c := range []call{
		{method: "GET", path: "/nothing", token: "-"}, {method: "GET", path: "/skill/none/none", token: "-"},
		{method: "POST", path: "/skill/none", token: "-"}, {method: "POST", path: "/healthz", token: "-"},
	} {
		got := h.do(c)
		if got.Code != 404 || got.Body.String() != skill.Body.String() || got.Header().Get("Content-Type") != skill.Header().Get("Content-Type") || got.Header().Get("Allow") != "" {
			t.Errorf("%s %s = %d %s, want as an unknown skill: %d %s", c.method, c.path, got.Code, got.Body, skill.Code, skill.Body)
		}
	}
}

// brokenGate fails in a way that is no caller's fault.
type brokenGate struct{ Gate }

func (brokenGate) Authenticate(_ context.Context, secret string) (access.Principal, error) {
	if strings.HasSuffix(secret, "panic") {
		panic("out of order")
	}
	return access.Principal{}, errors.New(`connect to db with password "hunter2"`)
}

func TestMistakes_areLoggedOnceAndNotTold(t *testing.T) {
	h := newHouse(t, func(s *Services) { s.Gate = brokenGate{} })
	for name, token := range map[string]string{"an error": "mlg_error", "a panic": "mlg_panic"} {
		before := strings.Count(h.log.String(), "\n")
		got := h.do(call{method: "GET", path: "/api/v1/me", token: token})
		got.wantProblem(500, "INTERNAL", "")
		if strings.Contains(got.Body.String(), "hunter2") || strings.Contains(got.Body.String(), "out of order") {
			t.Errorf("%s: the answer %s tells the cause", name, got.Body)
		}
		if lines := strings.Count(h.log.String(), "\n") - before; lines != 1 {
			t.Errorf("%s: %d lines were logged, want 1", name, lines)
		}
		if got := h.seen.last(); got != "GET /api/v1/me 500" {
			t.Errorf("%s: observed %q, want GET /api/v1/me 500", name, got)
		}
	}
	if !strings.Contains(h.log.String(), "hunter2") || !strings.Contains(h.log.String(), "out of order") {
		t.Errorf("the log %s lacks the causes", h.log)
	}
}

func TestObserve_routesNotPaths(t *testing.T) {
	h := newHouse(t)
	for path, want := range map[string]string{
		"/api/v1/wallets/wal_9": "GET /api/v1/wallets/{id} 404",
		"/healthz":              "GET /healthz 200",
		"/nothing":              "GET  404",
	} {
		h.do(call{method: "GET", path: path})
		if got := h.seen.last(); got != want {
			t.Errorf("GET %s was observed as %q, want %q", path, got, want)
		}
	}
}

func TestHealth(t *testing.T) {
	broken := false
	h := newHouse(t, func(s *Services) {
		s.Checks = append(s.Checks, Check{Name: "queue", Ask: func(ctx context.Context) error {
			if _, bounded := ctx.Deadline(); !bounded {
				t.Error("a check runs without a deadline")
			}
			if broken {
				return errors.New("dial redis://:hunter2@host")
			}
			return nil
		}})
	})
	wantAt(t, "GET /readyz", h.do(call{method: "GET", path: "/readyz", token: "-"}).want(200), map[string]any{"status": "ok"})
	broken = true
	got := h.do(call{method: "GET", path: "/readyz", token: "-"})
	wantAt(t, "GET /readyz", got.want(503), map[string]any{"status": "unavailable", "failing.0": "queue", "failing.1": nil})
	if strings.Contains(got.Body.String(), "hunter2") {
		t.Error("/readyz tells the cause")
	}
	wantAt(t, "GET /healthz", h.do(call{method: "GET", path: "/healthz", token: "-"}).want(200), map[string]any{"status": "ok"})
}

func TestDescription(t *testing.T) {
	h := newHouse(t)
	api := h.do(call{method: "GET", path: "/api/openapi.json", token: "-"}).want(200)
	if got := at(api, "openapi"); got != "3.1.0" {
		t.Errorf("openapi = %v, want 3.1.0", got)
	}
	page := h.do(call{method: "GET", path: "/api/docs", token: "-"})
	if page.Code != 200 || strings.Contains(page.Body.String(), "http://") || strings.Contains(page.Body.String(), "https://") || strings.Contains(page.Body.String(), "<script") {
		t.Errorf("GET /api/docs = %d, want a page that loads nothing from elsewhere", page.Code)
	}
	for pattern := range expectedScopes() {
		method, path, _ := strings.Cut(pattern, " ")
		op, ok := at(api, "paths").(map[string]any)[path].(map[string]any)[strings.ToLower(method)].(map[string]any)
		security := "security.0.token"
		if isKakaos(path) {
			security = "security.0.kakao"
		}
		if !ok || at(op, security) == nil || at(op, "summary") == "" {
			t.Errorf("%s is not described with its security", pattern)
			continue
		}
		if !strings.Contains(page.Body.String(), `id="`+op["operationId"].(string)+`"`) {
			t.Errorf("GET /api/docs does not show %s", pattern)
		}
	}
}

func TestCanonical(t *testing.T) {
	tests := map[string]struct {
		a, b string
		same bool
	}{
		"white space":     {`{"a":1,"b":[1,2]}`, "{ \"a\" : 1,\n\"b\" : [1, 2] }", true},
		"order of fields": {`{"a":1,"b":{"c":1,"d":2}}`, `{"b":{"d":2,"c":1},"a":1}`, true},
		"order of a list": {`[1,2]`, `[2,1]`, false},
		"another value":   {`{"a":1}`, `{"a":2}`, false},
		"large numbers":   {`{"a":9007199254740993}`, `{"a":9007199254740992}`, false},
		"no JSON":         {`a`, `b`, false},
	}
	for name, tt := range tests {
		if same := string(canonical([]byte(tt.a))) == string(canonical([]byte(tt.b))); same != tt.same {
			t.Errorf("%s: canonical(%s) == canonical(%s) is %v, want %v", name, tt.a, tt.b, same, tt.same)
		}
	}
}

func TestDepth(t *testing.T) {
	tests := map[string]int{
		``: 0, `1`: 0, `{}`: 1, `[[]]`: 2, `{"a":[{}]}`: 3, `["[[["]`: 1, `["\"[[["]`: 1, `["\\",[[]]]`: 3, `[][][]`: 1, `]][[`: 0,
	}
	for text, want := range tests {
		if got := depth([]byte(text)); got != want {
			t.Errorf("depth(%s) = %d, want %d", text, got, want)
		}
	}
}
