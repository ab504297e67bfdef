package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/hibiken/asynq"
	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"github.com/malgil/malgil/internal/apiclient"
	"github.com/malgil/malgil/internal/app"
	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/doctor"
	"github.com/malgil/malgil/internal/queue"
	"github.com/malgil/malgil/internal/sandbox"
	"github.com/malgil/malgil/internal/seal"
	"github.com/malgil/malgil/internal/testserver"
	"github.com/malgil/malgil/tasks"
)

func TestMain(m *testing.M) { testserver.Main(m) }

// Secrets of the installation that is looked at. None of them is ever to be printed.
const (
	postPassword  = "planted-post-password"
	paySecret     = "planted-pay-secret"
	bankSecret    = "planted-bank-secret"
	taxSecret     = "planted-tax-secret"
	redisPassword = "planted-redis-password"
	botKey        = "planted-rest-key"
	dbPassword    = "planted-db-password"
)

// patient is an installation on real parts, to be broken.
type patient struct {
	t     *testing.T
	redis *testserver.RedisServer
	db    string
	keys  app.Keys
}

// newPatient is an installation that nothing is wrong with, in the environment of the test.
func newPatient(t *testing.T) *patient {
	t.Helper()
	for _, s := range (app.Config{}).Settings() {
		t.Setenv(s.Name, "")
		if err := os.Unsetenv(s.Name); err != nil { // t.Setenv brings it back
			t.Fatal(err)
		}
	}
	p := &patient{t: t, redis: testserver.Redis(t)}
	p.db = testserver.PostgresCopy(t, func(dsn string) error {
		_, err := app.Migrate(context.Background(), dsn)
		return err
	})
	s, err := sandbox.Start(t.Context(), sandbox.Options{Clock: &clock.Clock{}, KakaoPaySecret: paySecret, BankSecret: bankSecret, TaxSecret: taxSecret})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	if p.keys, err = app.NewKeys(); err != nil {
		t.Fatal(err)
	}
	p.set("MALGIL_DB", p.db, "MALGIL_REDIS", p.redis.URL(), "MALGIL_SEAL_KEYS", p.keys.Seal, "MALGIL_HASH_KEY", p.keys.Hash,
		"MALGIL_KAKAO_URL", s.URL(), "MALGIL_KAKAOPAY_URL", s.URL(), "MALGIL_KAKAOPAY_SECRET", paySecret,
		"MALGIL_BANK_URL", s.URL(), "MALGIL_BANK_SECRET", bankSecret, "MALGIL_TAX_URL", s.URL(), "MALGIL_TAX_SECRET", taxSecret,
		"MALGIL_SUPPLIER_NUMBER", "120-81-47521", "MALGIL_SUPPLIER_NAME", "말길", "MALGIL_SUPPLIER_REPRESENTATIVE", "김말길",
		"MALGIL_SUPPLIER_ADDRESS", "서울특별시 중구 세종대로 110", "MALGIL_SUPPLIER_TYPE", "서비스", "MALGIL_SUPPLIER_ITEM", "챗봇",
		"MALGIL_SUPPLIER_EMAIL", "books@malgil.example", "MALGIL_SMTP", p.post("smtp://malgil:"+postPassword+"@{address}?tls=none&from=no-reply@malgil.example"))
	p.beats("0", "0")
	return p
}

// set sets settings, given as name and value.
func (p *patient) set(namesAndValues ...string) {
	for i := 0; i < len(namesAndValues); i += 2 {
		p.t.Setenv(namesAndValues[i], namesAndValues[i+1])
	}
}

// post starts a mail server that takes the one password and no mail, and writes its address into one
// of MALGIL_SMTP.
func (p *patient) post(address string) string {
	p.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.t.Fatal(err)
	}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return post{p.t}, nil }))
	server.Domain, server.AllowInsecureAuth, server.ErrorLog = "mx.example.com", true, log.New(io.Discard, "", 0)
	go func() { _ = server.Serve(listener) }()
	p.t.Cleanup(func() { _ = server.Close(); _ = listener.Close() })
	return strings.ReplaceAll(address, "{address}", listener.Addr().String())
}

type post struct{ t *testing.T }

func (post) AuthMechanisms() []string { return []string{sasl.Plain} }
func (post) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "malgil" || password != postPassword {
			return smtp.ErrAuthFailed
		}
		return nil
	}), nil
}
func (p post) Mail(from string, _ *smtp.MailOptions) error {
	p.t.Errorf("the doctor began a mail from %s", from)
	return nil
}
func (post) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (post) Data(io.Reader) error                 { return nil }
func (post) Reset()                               {}
func (post) Logout() error                        { return nil }

// work has every queue but some served.
func (p *patient) work(idle ...string) {
	p.t.Helper()
	address, err := queue.ParseAddress(p.redis.URL())
	if err != nil {
		p.t.Fatal(err)
	}
	var names []string
	handlers := map[string]asynq.Handler{}
	for _, name := range tasks.Queues {
		if !strings.Contains(strings.Join(idle, ","), name) {
			names = append(names, name)
			handlers[name] = asynq.NewServeMux()
		}
	}
	pools, err := queue.SelectPools(names)
	if err != nil {
		p.t.Fatal(err)
	}
	serving, err := queue.NewPools(address, pools, queue.PoolOptions{Handlers: handlers, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		p.t.Fatal(err)
	}
	if err := serving.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = serving.Shutdown(context.Background()) })
	client := p.client()
	for seen := 0; seen < len(names); { // each tells of itself when it starts
		servers, err := asynq.NewInspectorFromRedisClient(client).Servers()
		if err != nil || p.t.Context().Err() != nil {
			p.t.Fatal(err)
		}
		served := map[string]bool{}
		for _, s := range servers {
			for name := range s.Queues {
				served[name] = true
			}
		}
		seen = len(served)
	}
}

func (p *patient) client() *redis.Client {
	client := redis.NewClient(&redis.Options{Addr: p.redis.Addr()})
	p.t.Cleanup(func() { _ = client.Close() })
	return client
}

// tell gives Redis a command.
func (p *patient) tell(command ...any) {
	p.t.Helper()
	if err := p.client().Do(p.t.Context(), command...).Err(); err != nil {
		p.t.Fatalf("redis %v: %v", command, err)
	}
}

// snapshotFails has a Redis that makes snapshots fail to put one at its place, as on a full disk.
func (p *patient) snapshotFails() {
	p.t.Helper()
	client := p.client()
	set, err := client.ConfigGet(p.t.Context(), "d*").Result()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(set["dir"], set["dbfilename"]), 0o700); err != nil {
		p.t.Fatal(err)
	}
	p.tell("CONFIG", "SET", "save", "3600 1")
	p.tell("BGSAVE")
	for {
		info, err := client.Info(p.t.Context(), "persistence").Result()
		if err != nil {
			p.t.Fatal(err)
		}
		if strings.Contains(info, "rdb_last_bgsave_status:err") {
			return
		}
	}
}

// sql runs statements in the database.
func (p *patient) sql(statements ...string) {
	p.t.Helper()
	conn, err := pgx.Connect(p.t.Context(), p.db)
	if err != nil {
		p.t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for _, statement := range statements {
		if _, err := conn.Exec(p.t.Context(), statement); err != nil {
			p.t.Fatalf("%s: %v", statement, err)
		}
	}
}

// wallet is a wallet whose hourly comparison is due, seconds from now.
func (p *patient) wallet(due string) {
	p.sql(`INSERT INTO wallet (id, name, kind, business_number, invoice_email, status, payment_state, unpaid_since, free_krw, paid_krw, accrual_krw,
			charging_krw, held_krw, daily_limit_krw, accrual_day, accrual_old_krw, accrued_krw, next_charge_at, charge_epoch, charge_enqueued_at, created_at)
			VALUES ('wal_1', 'a', 'personal', '', '', 'in_use', 'ACTIVE', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)`,
		`INSERT INTO ledger_check (wallet_id, next_at, checked_at, base_at, base_free, base_paid, base_refunding, base_accrual, base_charging,
			balance_krw, held_krw, free_krw, messages_krw, payments_krw)
			SELECT 'wal_1', at + 1000 * (`+due+`), at + 1000 * (`+due+` - 3600), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
			FROM (SELECT CAST(extract(epoch FROM now()) * 1000 AS BIGINT) AS at) AS this`)
}

// bot is a bot with a key, which the sandbox knows with the right one.
func (p *patient) bot(key string) {
	p.t.Helper()
	box, err := seal.New(p.keys.Seal, rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	sealed, err := box.Seal([]byte(key), "bot", "bot_1")
	if err != nil {
		p.t.Fatal(err)
	}
	p.sql(fmt.Sprintf(`INSERT INTO bot (id, name, wallet_id, skill_key_hash, rest_key_sealed, rate_per_second, in_flight,
		paused_reason, paused_at, version, created_at) VALUES ('bot_1', 'a', NULL, '\x01', '\x%x', 500, 8, '', 0, 1, 0)`, sealed))
	if err := apiclient.New(os.Getenv("MALGIL_KAKAO_URL"), "").Call(p.t.Context(), "PUT", "/sandbox/bots/bot_1", map[string]any{"rest_api_key": botKey}, nil); err != nil {
		p.t.Fatal(err)
	}
}

// beats are when the loops sweep and tidy last ended, seconds from now.
func (p *patient) beats(sweep, tidy string) {
	p.sql(`DELETE FROM loop_beat`, `INSERT INTO loop_beat (loop, at, since, silent_ms)
		SELECT loop, at + 1000 * ago, 0, 180000 FROM (SELECT CAST(extract(epoch FROM now()) * 1000 AS BIGINT) AS at) AS this,
			(VALUES ('sweep', `+sweep+`), ('tidy', `+tidy+`)) AS loops (loop, ago)`)
}

// nowhere is an address that nobody listens at.
func nowhere(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// look runs the doctor and returns what it found, by check; configuration may have several lines.
func look(t *testing.T, args ...string) (map[string]doctor.Result, doctor.Report, said) {
	t.Helper()
	began := time.Now()
	got := malgil(t, append([]string{"doctor", "--json"}, args...)...)
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("malgil doctor took %v", took)
	}
	var report doctor.Report
	if err := json.Unmarshal([]byte(got.stdout), &report); err != nil {
		t.Fatalf("malgil doctor --json = %s%s: %v", got.stdout, got.stderr, err)
	}
	want, problems, warnings := exitOK, 0, 0
	found := map[string]doctor.Result{}
	for _, r := range report.Checks {
		switch r.State {
		case doctor.Problem:
			want, problems = exitFailed, problems+1
		case doctor.Warning:
			warnings++
		}
		if needs := r.State == doctor.Problem || r.State == doctor.Warning; needs != (r.Do != "") {
			t.Errorf("%s is %s, and what to do is %q", r.Check, r.State, r.Do)
		}
		if before, is := found[r.Check]; is {
			r.Found = before.Found + "\n" + r.Found
		}
		found[r.Check] = r
	}
	if got.code != want || report.OK != (want == exitOK) || report.Problems != problems || report.Warnings != warnings {
		t.Errorf("malgil doctor = exit %d, ok %v, %d problems, %d warnings; want %d, %d, %d: %s",
			got.code, report.OK, report.Problems, report.Warnings, want, problems, warnings, got.stdout)
	}
	lines := malgil(t, append([]string{"doctor"}, args...)...)
	for _, out := range []string{got.stdout, got.stderr, lines.stdout, lines.stderr} {
		if strings.Contains(out, "planted") {
			t.Errorf("malgil doctor tells a secret: %s", out)
		}
	}
	return found, report, lines
}

func TestDoctor_healthy(t *testing.T) {
	p := newPatient(t)
	p.work()
	p.wallet("1800")
	p.bot(botKey)
	found, report, lines := look(t)
	warned := 0 // of disks that are nearly full: that of whoever runs this may be
	for name, r := range found {
		switch {
		case r.State == doctor.Warning && strings.HasPrefix(name, "disk ("):
			warned++
		case r.State != doctor.OK:
			t.Errorf("%s is %s: %s", name, r.State, r.Found)
		}
	}
	for _, name := range []string{"configuration", "database", "migrations", "keys", "keys of bots", "scheduler", "clock of the database", "redis", "redis persistence",
		"redis eviction", "redis memory", "clock of redis", "workers", "kakao", "kakaopay", "bank", "tax carrier", "smtp", "supplier", "holidays", "disk (temporary)"} {
		if _, is := found[name]; !is {
			t.Errorf("nothing is said about %s", name)
		}
	}
	if lines.code != exitOK || lines.stderr != "" || strings.Count(lines.stdout, "\n") != len(report.Checks)+1+warned || !strings.HasSuffix(lines.stdout, fmt.Sprintf("problems: 0, warnings: %d\n", warned)) {
		t.Errorf("malgil doctor = exit %d, %s%s, want a line for each of %d checks", lines.code, lines.stdout, lines.stderr, len(report.Checks))
	}
}

// Each set-up is broken in one place, and that one is named.
func TestDoctor_broken(t *testing.T) {
	tests := map[string]struct {
		hurt  func(p *patient)
		check string
		state doctor.State
		says  string
	}{
		"Redis evicts": {func(p *patient) { p.tell("CONFIG", "SET", "maxmemory-policy", "allkeys-lru") },
			"redis eviction", doctor.Problem, "maxmemory-policy is allkeys-lru"},
		"Redis keeps nothing": {func(p *patient) { p.tell("CONFIG", "SET", "appendonly", "no") },
			"redis persistence", doctor.Problem, "appendonly is no"},
		"Redis takes no writes": {func(p *patient) {
			p.snapshotFails()
		}, "redis persistence", doctor.Problem, "takes no writes"},
		"Redis syncs when the system likes": {func(p *patient) { p.tell("CONFIG", "SET", "appendfsync", "no") },
			"redis persistence", doctor.Warning, "appendfsync no"},
		"CONFIG is forbidden": {func(p *patient) {
			p.tell("ACL", "SETUSER", "malgil", "on", ">"+redisPassword, "~*", "&*", "+@all", "-config")
			p.set("MALGIL_REDIS", "redis://malgil:"+redisPassword+"@"+p.redis.Addr())
		}, "redis persistence", doctor.Warning, "appendonly is yes; appendfsync could not be checked: CONFIG is forbidden"},
		"CONFIG and INFO are forbidden": {func(p *patient) {
			p.tell("ACL", "SETUSER", "malgil", "on", ">"+redisPassword, "~*", "&*", "+@all", "-config", "-info")
			p.set("MALGIL_REDIS", "redis://malgil:"+redisPassword+"@"+p.redis.Addr())
		}, "redis eviction", doctor.Warning, "could not be checked: CONFIG and INFO are forbidden"},
		"Redis asks for another password": {func(p *patient) { p.set("MALGIL_REDIS", "redis://malgil:"+redisPassword+"@"+p.redis.Addr()) },
			"redis", doctor.Problem, "WRONGPASS"},
		"Redis is away":   {func(p *patient) { p.redis.Stop() }, "redis", doctor.Problem, "connection refused"},
		"Redis is frozen": {func(p *patient) { p.redis.Freeze() }, "redis", doctor.Problem, "no answer in time"},
		"Redis is full":   {func(p *patient) { p.tell("CONFIG", "SET", "maxmemory", "600kb") }, "redis memory", doctor.Problem, "% of maxmemory"},
		"Redis is a replica": {func(p *patient) { p.tell("REPLICAOF", "127.0.0.1", "1") },
			"redis", doctor.Problem, "a replica"},
		"nobody works":         {func(p *patient) {}, "workers", doctor.Problem, "no worker runs"},
		"nobody answers":       {func(p *patient) { p.work("reply", "mail") }, "workers", doctor.Problem, "nobody serves reply, mail, so that no bot answers anybody"},
		"nobody charges cards": {func(p *patient) { p.work("billing") }, "workers", doctor.Warning, "nobody serves billing"},
		"nobody sends mails that wait": {func(p *patient) {
			p.work("mail")
			client := asynq.NewClientFromRedisClient(p.client())
			if _, err := client.EnqueueContext(p.t.Context(), asynq.NewTask("mail:send", nil), asynq.Queue("mail")); err != nil {
				p.t.Fatal(err)
			}
		}, "workers", doctor.Problem, "nobody serves mail (1 tasks wait)"},
		"no scheduler":                    {func(p *patient) { p.beats("-3600", "-3600") }, "scheduler", doctor.Problem, "none seems to run"},
		"no scheduler of an older malgil": {func(p *patient) { p.sql(`DELETE FROM loop_beat`); p.wallet("-3600") }, "scheduler", doctor.Problem, "none seems to run: a wallet waits"},
		"no scheduler has run":            {func(p *patient) { p.sql(`DELETE FROM loop_beat`, `DELETE FROM ledger_check`) }, "scheduler", doctor.Problem, "none has run"},
		"a loop that fails":               {func(p *patient) { p.beats("0", "-3600") }, "scheduler", doctor.Problem, "for too long: tidy ("},

		"PostgreSQL without migrations": {func(p *patient) { p.set("MALGIL_DB", testserver.Postgres(p.t)) },
			"migrations", doctor.Problem, "have not run"},
		"PostgreSQL of a newer malgil": {func(p *patient) {
			p.sql(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, true)`)
		}, "migrations", doctor.Warning, "1 have run that this version does not know"},
		"PostgreSQL is away": {func(p *patient) { p.set("MALGIL_DB", "postgres://malgil:"+dbPassword+"@"+nowhere(p.t)+"/malgil") },
			"database", doctor.Problem, "connection refused"},
		"PostgreSQL without the database": {func(p *patient) { p.set("MALGIL_DB", strings.Replace(p.db, "/test_", "/gone_", 1)) },
			"database", doctor.Problem, "does not exist"},
		"a file that is no database": {func(p *patient) {
			p.set("MALGIL_DB", "sqlite:"+file(p.t, "malgil.db", strings.Repeat("no database", 100)))
		}, "database", doctor.Problem, "cannot be read"},
		"no file yet": {func(p *patient) { p.set("MALGIL_DB", "sqlite:"+filepath.Join(p.t.TempDir(), "malgil.db")) },
			"database", doctor.Warning, "there is no file"},

		"the post refuses the password": {func(p *patient) {
			p.set("MALGIL_SMTP", p.post("smtp://malgil:planted-wrong@{address}?tls=none&from=no-reply@malgil.example"))
		}, "smtp", doctor.Problem, "did not let us in: 535"},
		"the post has no TLS": {func(p *patient) {
			p.set("MALGIL_SMTP", p.post("smtp://malgil:"+postPassword+"@{address}?tls=starttls&from=no-reply@malgil.example"))
		}, "smtp", doctor.Problem, "STARTTLS"},
		"the post is away": {func(p *patient) {
			p.set("MALGIL_SMTP", "smtp://"+nowhere(p.t)+"?tls=none&from=no-reply@malgil.example")
		},
			"smtp", doctor.Problem, "could not be reached"},
		"Kakao is away": {func(p *patient) { p.set("MALGIL_KAKAO_URL", "http://"+nowhere(p.t)) },
			"kakao", doctor.Problem, "connection refused"},
		"something else is Kakao": {func(p *patient) {
			page := httptest.NewServer(http.NotFoundHandler())
			p.t.Cleanup(page.Close)
			p.set("MALGIL_KAKAO_URL", page.URL)
		}, "kakao", doctor.Problem, "something else seems to be at"},
		"Kakao has refused the key of a bot": {func(p *patient) { p.bot("planted-wrong"); p.sql(`UPDATE bot SET paused_reason = 'config'`) },
			"keys of bots", doctor.Problem, "Kakao does not take those of bot_1"},
		"Kakao refuses the key of a bot": {func(p *patient) { p.bot("planted-wrong") },
			"keys of bots", doctor.Problem, "Kakao does not take those of bot_1"},
		"a key of a bot does not open": {func(p *patient) {
			p.bot(botKey)
			p.sql(`INSERT INTO bot (id, name, wallet_id, skill_key_hash, rest_key_sealed, rate_per_second, in_flight, paused_reason, paused_at, version, created_at)
				SELECT 'bot_0', name, wallet_id, '\x02', rest_key_sealed, rate_per_second, in_flight, paused_reason, paused_at, version, created_at FROM bot`)
		}, "keys of bots", doctor.Problem, "MALGIL_SEAL_KEYS does not open those of bot_0"},
		"KakaoPay refuses the key": {func(p *patient) { p.set("MALGIL_KAKAOPAY_SECRET", "planted-wrong") },
			"kakaopay", doctor.Problem, "refuses our key"},
		"KakaoPay is away": {func(p *patient) { p.set("MALGIL_KAKAOPAY_URL", "http://"+nowhere(p.t)) },
			"kakaopay", doctor.Problem, "connection refused"},
		"the bank refuses the secret": {func(p *patient) { p.set("MALGIL_BANK_SECRET", "planted-wrong") },
			"bank", doctor.Problem, "refuses our key"},
		"the carrier is away": {func(p *patient) { p.set("MALGIL_TAX_URL", "http://"+nowhere(p.t)) },
			"tax carrier", doctor.Problem, "connection refused"},
		"something else is the carrier": {func(p *patient) { p.set("MALGIL_TAX_URL", os.Getenv("MALGIL_TAX_URL")+"/elsewhere") },
			"tax carrier", doctor.Problem, "something else"},
		"half a supplier": {func(p *patient) {
			p.set("MALGIL_TAX_URL", "", "MALGIL_TAX_SECRET", "", "MALGIL_SUPPLIER_NAME", "")
		}, "supplier", doctor.Warning, "MALGIL_SUPPLIER_NAME is missing"},

		"settings that are wrong": {func(p *patient) {
			p.set("MALGIL_DB", "mysql://x", "MALGIL_SMTP", "mail.example.com", "MALGIL_SUPPLIER_ITEM", "")
		}, "configuration", doctor.Problem, "MALGIL_DB must be"},
		"a setting that cannot be read": {func(p *patient) { p.set("MALGIL_PRICE_KRW", "fifteen", "MALGIL_ACCRUAL_CAP_KRW", "1") },
			"configuration", doctor.Problem, "MALGIL_PRICE_KRW must be a whole number"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := newPatient(t)
			tt.hurt(p)
			found, _, lines := look(t)
			if got := found[tt.check]; got.State != tt.state || !strings.Contains(got.Found, tt.says) {
				t.Errorf("%s is %s: %s; want %s: %s", tt.check, got.State, got.Found, tt.state, tt.says)
			}
			for other, r := range found {
				if other == "workers" && tt.check != "workers" { // nobody works here but where a case says so
					continue
				}
				if r.State == doctor.Problem && (other != tt.check || tt.state != doctor.Problem) {
					t.Errorf("%s is a problem too: %s", other, r.Found)
				}
			}
			if !strings.Contains(lines.stdout, string(tt.state)) || !strings.Contains(lines.stdout, "→ ") {
				t.Errorf("malgil doctor says %s, want a %s and what to do", lines.stdout, tt.state)
			}
		})
	}
}

// What cannot be looked at is said to be skipped, and all the rest is looked at.
func TestDoctor_skips(t *testing.T) {
	p := newPatient(t)
	p.set("MALGIL_REDIS", "rediss://a b", "MALGIL_SMTP", "mail.example.com", "MALGIL_PRICE_KRW", "fifteen", "MALGIL_HOLIDAYS", "no-such-file")
	found, _, _ := look(t)
	for _, word := range []string{"MALGIL_REDIS", "MALGIL_SMTP", "MALGIL_PRICE_KRW", "MALGIL_HOLIDAYS"} {
		if !strings.Contains(found["configuration"].Found, word) {
			t.Errorf("configuration says %s, want %s named", found["configuration"].Found, word)
		}
	}
	for name, want := range map[string]doctor.State{
		"redis": doctor.Skipped, "redis persistence": doctor.Skipped, "workers": doctor.Skipped, "smtp": doctor.Skipped, "holidays": doctor.Skipped,
		"database": doctor.OK, "kakaopay": doctor.OK, "bank": doctor.OK,
	} {
		if r := found[name]; r.State != want || want == doctor.Skipped && !strings.Contains(r.Found, "see configuration") {
			t.Errorf("%s is %s: %s, want %s", name, r.State, r.Found, want)
		}
	}
}

// A running malgil all keeps its file to itself; that is as it should be.
func TestDoctor_besideMalgilAll(t *testing.T) {
	p := newPatient(t)
	path := filepath.Join(t.TempDir(), "malgil.db")
	p.set("MALGIL_DB", "sqlite:"+path, "MALGIL_REDIS", "", "MALGIL_SEAL_KEYS", "", "MALGIL_HASH_KEY", "", "MALGIL_LISTEN", "127.0.0.1:0", "MALGIL_METRICS_LISTEN", "")
	ctx, stop := context.WithCancel(t.Context())
	ready, ended := make(chan struct{}), make(chan int)
	go func() {
		ended <- run(ctx, []string{"all", "--pools="}, io.Discard, &watch{text: "malgil is up", seen: ready})
	}()
	select {
	case <-ready:
	case code := <-ended:
		t.Fatalf("malgil all ended with %d", code)
	}
	found, _, _ := look(t)
	stop()
	if code := <-ended; code != exitOK {
		t.Errorf("malgil all = exit %d beside the doctor", code)
	}
	if r := found["database"]; r.State != doctor.OK || !strings.Contains(r.Found, "in use by a malgil that runs") {
		t.Errorf("database is %s: %s", r.State, r.Found)
	}
	for name, r := range found {
		if r.State != doctor.OK && (name != "scheduler" || r.State != doctor.Skipped) && (r.State != doctor.Warning || !strings.HasPrefix(name, "disk (")) {
			t.Errorf("%s is %s: %s", name, r.State, r.Found)
		}
	}
	found, _, _ = look(t)
	if r := found["database"]; r.State != doctor.OK || !strings.Contains(r.Found, "in use by nobody") {
		t.Errorf("database of a malgil that has ended is %s: %s", r.State, r.Found)
	}
}

// watch tells when a text was written.
type watch struct {
	text string
	seen chan struct{}
}

func (w *watch) Write(line []byte) (int, error) {
	if w.text != "" && strings.Contains(string(line), w.text) {
		w.text = ""
		close(w.seen)
	}
	return len(line), nil
}

// A role is asked for what it needs.
func TestDoctor_as(t *testing.T) {
	p := newPatient(t)
	p.set("MALGIL_SMTP", "", "MALGIL_KAKAOPAY_SECRET", "")
	if found, _, _ := look(t, "--as=scheduler"); found["configuration"].State != doctor.OK || found["smtp"].State != doctor.Skipped || found["kakaopay"].State != doctor.Skipped {
		t.Errorf("as a scheduler: %v, %v, %v; want that it needs neither", found["configuration"], found["smtp"], found["kakaopay"])
	}
	if found, _, _ := look(t, "--as=worker"); !strings.Contains(found["configuration"].Found, "MALGIL_SMTP is missing") {
		t.Errorf("as a worker: %v, want MALGIL_SMTP", found["configuration"])
	}
}
