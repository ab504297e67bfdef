package acceptance_test

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/apiclient"
	"github.com/malgil/malgil/internal/testserver"
)

// Bad input of every kind, and money that is short.
func TestBadInput(t *testing.T) {
	show(t, map[string]func(*testing.T){
		"skill_bodies":  badSkillBodies,
		"skill_urls":    unknownSkillURLs,
		"api_problems":  apiProblems,
		"csv_lines":     csvLines,
		"configuration": wrongConfiguration,
		"funds_short":   fundsShort,
	})
}

// Every no of the API is a problem (RFC 9457) that names the field.
func apiProblems(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(0)
	order := `{"bot":"` + s.bot + `","event":{"name":"restock_alert"},"recipients":[{"type":"botUserKey","id":"a"}]}`
	with := func(old, new string) string { return strings.Replace(order, old, new, 1) }
	var reader struct {
		Secret string `json:"secret"`
	}
	h.do("POST", "/api/v1/tokens", map[string]any{"name": "reader", "scopes": []string{"read"}}, &reader)

	used := rand.Text()
	h.do("POST", "/api/v1/broadcasts", json.RawMessage(order), nil, apiclient.IdempotencyKey(used))

	for name, tt := range map[string]struct {
		method, path, body string
		token, key         string // those of the house and a fresh one unless said otherwise; "-" for none
		status             int
		code, location     string
	}{
		"no token":           {path: "/api/v1/broadcasts", body: order, token: "-", status: 401, code: "UNAUTHENTICATED"},
		"a token of nobody":  {path: "/api/v1/broadcasts", body: order, token: "mlg_nobody", status: 401, code: "UNAUTHENTICATED"},
		"without the scope":  {path: "/api/v1/broadcasts", body: order, token: reader.Secret, status: 403, code: "FORBIDDEN"},
		"no such route":      {path: "/api/v1/broadcast", body: order, status: 404, code: "NOT_FOUND"},
		"no such broadcast":  {method: "GET", path: "/api/v1/broadcasts/brd_none", status: 404, code: "NOT_FOUND"},
		"another method":     {method: "PUT", path: "/api/v1/broadcasts", body: order, status: 405, code: "METHOD_NOT_ALLOWED"},
		"no JSON":            {path: "/api/v1/broadcasts", body: `{"bot":`, status: 400, code: "MALFORMED", location: "body"},
		"nested too deep":    {path: "/api/v1/broadcasts", body: with(`{"name"`, `{"data":`+strings.Repeat(`[`, 40)+strings.Repeat(`]`, 40)+`,"name"`), status: 400, code: "MALFORMED", location: "body"},
		"over 256 KiB":       {path: "/api/v1/broadcasts", body: with(`"a"`, `"`+strings.Repeat("a", 256<<10)+`"`), status: 413, code: "TOO_LARGE"},
		"no idempotency key": {path: "/api/v1/broadcasts", body: order, key: "-", status: 422, code: "IDEMPOTENCY_KEY_MISSING", location: "header.Idempotency-Key"},
		"a key used before":  {path: "/api/v1/broadcasts", body: with("restock_alert", "other_event"), key: used, status: 422, code: "IDEMPOTENCY_KEY_REUSED", location: "header.Idempotency-Key"},
		"a field too many":   {path: "/api/v1/broadcasts", body: with(`{"bot"`, `{"colour":"red","bot"`), status: 422, code: "INVALID", location: "body.colour"},
		"a bot too few":      {path: "/api/v1/broadcasts", body: `{"event":{"name":"restock_alert"}}`, status: 422, code: "INVALID", location: "body.bot"},
		"an empty id":        {path: "/api/v1/broadcasts", body: with(`"id":"a"`, `"id":""`), status: 422, code: "INVALID", location: "body.recipients[0].id"},
		"a strange id type":  {path: "/api/v1/broadcasts", body: with("botUserKey", "appUserKey"), status: 422, code: "INVALID", location: "body.recipients[0].type"},
		"money of no won":    {path: "/api/v1/wallets/" + s.wallet + "/topups", body: `{"amount_krw":-1}`, status: 422, code: "INVALID", location: "body.amount_krw"},
		"money as a text":    {path: "/api/v1/wallets/" + s.wallet + "/topups", body: `{"amount_krw":"1000"}`, status: 422, code: "INVALID", location: "body.amount_krw"},
		"a wrong number":     {path: "/api/v1/wallets", body: `{"name":"x","kind":"business","business_number":"999-81-00016","invoice_email":"a@b.example","master":"` + s.master.id + `"}`, status: 422, code: "INVALID", location: "body.business_number"},
		"no mail address":    {path: "/api/v1/accounts", body: `{"name":"x","email":"nobody"}`, status: 422, code: "INVALID", location: "body.email"},
		"an address again":   {path: "/api/v1/accounts", body: `{"name":"x","email":"` + strings.ToUpper(s.master.email) + `"}`, status: 409, code: "EMAIL_TAKEN", location: "body.email"},
		"a page of nothing":  {method: "GET", path: "/api/v1/broadcasts?limit=0", status: 422, code: "INVALID", location: "query.limit"},
	} {
		t.Run(name, func(t *testing.T) {
			method := tt.method
			if method == "" {
				method = "POST"
			}
			request, err := http.NewRequestWithContext(t.Context(), method, h.url+tt.path, strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Content-Type", "application/json")
			if tt.token == "" {
				tt.token = h.token
			}
			if tt.token != "-" {
				request.Header.Set("Authorization", "Bearer "+tt.token)
			}
			if tt.key == "" {
				tt.key = rand.Text()
			}
			if tt.key != "-" {
				request.Header.Set("Idempotency-Key", tt.key)
			}
			got := h.send(request)
			var p apiclient.Problem
			if err := json.Unmarshal([]byte(got.body), &p); err != nil || got.contentType != "application/problem+json" {
				t.Fatalf("answer is %s %s (%v), want a problem", got.contentType, got.body, err)
			}
			if got.status != tt.status || p.Status != tt.status || p.Code != tt.code || p.Title == "" || p.Detail == "" {
				t.Errorf("answer is %d %s, want %d %s with title and detail", got.status, got.body, tt.status, tt.code)
			}
			named := ""
			if len(p.Errors) > 0 {
				named = p.Errors[0].Location
			}
			if named != tt.location {
				t.Errorf("answer names field %q, want %q: %s", named, tt.location, got.body)
			}
		})
	}
	if n := len(s.postings()); n != 0 {
		t.Errorf("%d postings after input that was refused, want none", n)
	}
}

// A line that breaks a rule refuses the file and is named; nothing of the file is taken over,
// unless its sender says that bad lines may be left out.
func csvLines(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(1)
	var b broadcast
	h.do("POST", "/api/v1/broadcasts", map[string]any{"bot": s.bot, "event": map[string]any{"name": event}}, &b, apiclient.IdempotencyKey(rand.Text()))
	upload := "/api/v1/broadcasts/" + b.ID + "/recipients"
	file := []string{"type,id,grade", "botUserKey,reader-1,gold", "botUserKey,,gold", "chatUserKey,reader-2,", "botUserKey,reader-3", "botUserKey,reader-4,silver"}

	p := h.refused("PUT", upload, csv(file...))
	if p == nil || p.Status != 422 || len(p.Errors) != 3 {
		t.Fatalf("a file with three bad lines is answered %+v, want 422 and three errors", p)
	}
	type place struct {
		Line   int
		Column string
	}
	var got []place
	for _, e := range p.Errors {
		got = append(got, place{e.Line, e.Column})
	}
	if diff := cmp.Diff([]place{{3, "id"}, {4, "type"}, {5, ""}}, got); diff != "" {
		t.Errorf("lines that are named differ (-want +got):\n%s", diff)
	}
	for name, file := range map[string]string{"no header": "reader-1,reader-2\n", "no file": "", "an open quote": "id\n\"reader-1\n"} {
		if p := h.refused("PUT", upload, strings.NewReader(file)); p == nil || p.Status != 422 {
			t.Errorf("%s is answered %+v, want 422", name, p)
		}
	}
	if p := h.refused("POST", "/api/v1/broadcasts/"+b.ID+"/seal", nil); p == nil || p.Code != "NO_RECIPIENTS" {
		t.Errorf("sealing after refused files is answered %+v, want NO_RECIPIENTS", p)
	}

	var report struct {
		Audience   int `json:"audience"`
		Duplicates int `json:"duplicates"`
		BadRows    int `json:"bad_rows"`
	}
	h.do("PUT", upload+"?skip_bad_rows=true", csv(append(file, "botUserKey,reader-1,gold")...), &report)
	if report.Audience != 2 || report.BadRows != 3 || report.Duplicates != 1 {
		t.Errorf("with bad lines left out the upload tells %+v, want 2 people, 3 bad rows and a duplicate", report)
	}
	h.do("POST", "/api/v1/broadcasts/"+b.ID+"/seal", nil, &b)
	if b = s.finish(b); b.Counts.Delivered != 2 || h.truth().Kakao.People.Reached != 2 {
		t.Errorf("the broadcast delivered %d, want reader-1 and reader-4", b.Counts.Delivered)
	}
	h.balance()
}

// refused calls the API and returns how it says no; nil when it says yes.
func (h *house) refused(method, path string, in any, options ...apiclient.Option) *apiclient.Problem {
	h.t.Helper()
	err := h.api.Call(h.t.Context(), method, path, in, nil, options...)
	var p *apiclient.Problem
	if err != nil && !errors.As(err, &p) {
		h.t.Fatalf("%s %s: %v", method, path, err)
	}
	return p
}

// Everything that is wrong with a configuration is told at once, and nothing is started.
func wrongConfiguration(t *testing.T) {
	folder := t.TempDir()
	taken, err := net.Listen("tcp", "127.0.0.1:0") // were it to listen, it would say that this is taken
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	ended := testserver.RunProgram(t, testserver.Command{Args: []string{"all"}, Env: []string{
		"MALGIL_DB=sqlite:" + filepath.Join(folder, "malgil.db"), "MALGIL_LISTEN=" + taken.Addr().String(), "MALGIL_METRICS_LISTEN=nowhere",
		"MALGIL_REDIS=http://127.0.0.1:1", "MALGIL_KAKAO_URL=ftp://kakao.example", "MALGIL_KAKAOPAY_URL=http://pay.example",
		"MALGIL_SMTP=mail.example", "MALGIL_PRICE_KRW=-1", "MALGIL_SEND_LEASE=1s", "MALGIL_SEAL_KEYS=planted-secret", "MALGIL_HASH_KEY=short",
	}})
	if ended.Exit != 2 {
		t.Errorf("malgil all with a wrong configuration exits %d, want 2", ended.Exit)
	}
	for _, setting := range []string{"MALGIL_METRICS_LISTEN", "MALGIL_REDIS", "MALGIL_KAKAO_URL", "MALGIL_KAKAOPAY_URL", "MALGIL_KAKAOPAY_SECRET",
		"MALGIL_SMTP", "MALGIL_PRICE_KRW", "MALGIL_SEND_LEASE", "MALGIL_SEAL_KEYS", "MALGIL_HASH_KEY"} {
		if !strings.Contains(ended.Stderr, "malgil: "+setting+" ") {
			t.Errorf("nothing is said of %s:\n%s", setting, ended.Stderr)
		}
	}
	for _, never := range []string{"planted-secret", "in use", "malgil is up", "panic"} {
		if strings.Contains(ended.Stderr+ended.Stdout, never) {
			t.Errorf("%q is said:\n%s", never, ended.Stderr)
		}
	}
	left, err := os.ReadDir(folder)
	if err != nil || len(left) != 0 {
		t.Errorf("a configuration that is refused leaves %v (%v), want nothing", left, err)
	}
	for name, args := range map[string][]string{"an unknown flag": {"all", "--colour"}, "an unknown command": {"sing"}, "nothing": {}} {
		if ended := testserver.RunProgram(t, testserver.Command{Args: args}); ended.Exit != 2 || ended.Stderr == "" {
			t.Errorf("%s exits %d and says %q, want 2 and why", name, ended.Exit, ended.Stderr)
		}
	}
}

// A broadcast that the wallet cannot pay is not refused: it waits, says why, and goes on when
// there is enough.
func fundsShort(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(0)
	b := s.waits(s.order(s.friends(100)...), "funds")
	s.topUp(1_000) // a chunk is 1,500
	h.advance(time.Second)
	if b = s.look(b); b.Wait.Reason != "funds" || b.Chunks.ByState["planned"] != 1 {
		t.Errorf("with 1000 of 1500 KRW the broadcast is %+v, want waiting for funds", b)
	}
	if n := h.truth().Kakao.Sends.Requests; n != 0 {
		t.Errorf("%d send calls without funds, want none", n)
	}
	s.topUp(1_000)
	if b = s.finish(b); b.Counts.Delivered != 100 {
		t.Errorf("after the top-up %d of 100 arrived", b.Counts.Delivered)
	}
	if w := s.see().Balance; w.Paid != 500 || w.Accrual != 0 {
		t.Errorf("the wallet has %d KRW and owes %d, want 500 and 0", w.Paid, w.Accrual)
	}
	h.balance()
}
