package acceptance_test

import (
	"encoding/json"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/demo"
	"github.com/malgil/malgil/internal/sandbox"
	"github.com/malgil/malgil/internal/testserver"
)

// ownerRows are rows of the owner's card that need no second worker.
var ownerRows = map[string]func(*testing.T){
	"44_intake_without_workers": intakeWithoutWorkers,
	"45_every_kind_of_task":     everyKindOfTask,
	"47_panels_have_data":       panelsHaveData,
	"50_built_from":             builtFrom,
}

// taskTypes is every kind of task, as the owner reads it on a dashboard.
var taskTypes = []string{
	"utterance:answer", "broadcast:send_chunk", "broadcast:fetch_result",
	"billing:charge_wallet", "billing:charge_card", "billing:issue_invoice", "billing:resolve_attempt", "mail:send",
}

// monthly is the kind of task that the tour runs only where a month ends on its way.
const monthly = "billing:issue_invoice"

// Without workers the intake takes orders and answers users; what it took is done when workers
// come, once. On real parts they come beside it, on embedded ones in its place.
func intakeWithoutWorkers(t *testing.T) {
	outside, err := sandbox.Start(t.Context(), sandbox.Options{Clock: &clock.Clock{}, KakaoPaySecret: paySecret})
	if err != nil {
		t.Fatal(err)
	}
	closing(t, "sandbox", outside.Close)
	config := defaults(t)
	place(t, &config)
	env := []string{
		"MALGIL_DB=" + config.DB, "MALGIL_REDIS=" + config.Redis, "MALGIL_SEAL_KEYS=" + config.SealKeys, "MALGIL_HASH_KEY=" + config.HashKey,
		"MALGIL_KAKAO_URL=" + outside.URL(), "MALGIL_KAKAOPAY_URL=" + outside.URL(), "MALGIL_KAKAOPAY_SECRET=" + paySecret,
		"MALGIL_SMTP=smtp://" + outside.SMTPAddress() + "?tls=none&from=no-reply@malgil.example",
		"MALGIL_METRICS_LISTEN=127.0.0.1:0", "MALGIL_REPLY_BUDGET=500ms", "MALGIL_CALLBACK_BUDGET=200ms",
	}
	token := command(t, env, "token", "create", "--first", "acceptance")
	all := func(args ...string) (*house, *testserver.Program) {
		p := testserver.StartProgram(t, testserver.Command{Args: append([]string{"all"}, args...), Ready: `"malgil is up"`,
			Env: append([]string{"MALGIL_LISTEN={address}", "MALGIL_PUBLIC_URL=http://{address}"}, env...)})
		return enter(t, "http://"+p.Address, outside.URL(), "", token), p
	}

	h, program := all() // with workers, to open a shop and pay
	s := h.openShop(0)
	s.topUp(10_000)
	h.mails(s.master, "캐시 충전", 1)
	program.Stop()

	idle, program := all("--pools=")
	s.house, idle.shops = idle, []*shop{s}
	people := s.friends(150)
	b := s.order(people...)
	idle.until("both chunks are queued", func() (bool, any) {
		b = s.look(b)
		return b.Chunks.ByState["queued"] == 2, b
	})
	if w := s.see().Balance; w.Held != 2_250 {
		t.Errorf("for 150 people that wait %d KRW are held, want 2250", w.Held)
	}
	s.skillURL = idle.url + s.skillURL[strings.Index(s.skillURL, "/skill/"):]
	var said struct {
		Status  int             `json:"status"`
		Shown   bool            `json:"shown"`
		Answer  json.RawMessage `json:"answer"`
		Latency float64         `json:"latency_ms"`
	}
	idle.tell("POST", "/sandbox/utterances", map[string]any{"skill_url": s.skillURL, "bot": s.bot, "utterance": "안녕"}, &said)
	if _, err := bubble(said.Answer); err != nil || said.Status != 200 || !said.Shown || said.Latency > 4_500 {
		t.Errorf("without workers a user is answered %d %s in %v ms (%v), want 200 and a bubble in time", said.Status, said.Answer, said.Latency, err)
	}
	if n := idle.truth().Kakao.Sends.Requests; n != 0 {
		t.Fatalf("%d send calls without workers, want none", n)
	}
	if b = s.look(b); b.State != "running" || b.Chunks.ByState["queued"] != 2 {
		t.Errorf("the broadcast is %+v, want running with both chunks queued", b)
	}

	if realParts {
		testserver.StartProgram(t, testserver.Command{Args: []string{"worker"}, Ready: `"malgil is up"`, Env: env})
	} else {
		program.Stop()
		s.house, _ = all()
	}
	h = s.house
	h.shops = []*shop{s}
	if b = s.finish(b); b.Counts.Delivered != 150 {
		t.Errorf("with workers %d of 150 arrived", b.Counts.Delivered)
	}
	if k := h.truth().Kakao; k.People.Reached != 150 || k.Sends.Requests != 2 {
		t.Errorf("Kakao reached %d people in %d calls, want 150 in 2", k.People.Reached, k.Sends.Requests)
	}
	h.balance()
}

// After one run of the demo's tour, /metrics shows that every kind of task has run, but for the monthly
// one, and that none was given up.
func everyKindOfTask(t *testing.T) {
	d := startDemo(t)
	playStory(t, d)
	h := enter(t, d.Ready.Intake, d.Ready.Sandbox, d.Ready.Metrics, d.Ready.APIToken)
	for _, taskType := range taskTypes {
		ofType := `type="` + taskType + `"`
		if n := h.metric("malgil_task_duration_seconds_count", ofType, `verdict="done"`); n == 0 && taskType != monthly {
			t.Errorf("no task of type %s has run", taskType)
		}
		for _, bad := range []string{"archived", "panic"} {
			if n := h.metric("malgil_task_duration_seconds_count", ofType, `verdict="`+bad+`"`); n != 0 {
				t.Errorf("%v tasks of type %s ended as %s, want none", n, taskType, bad)
			}
		}
	}
	// What else has to have happened for that, each told by the part that did it.
	for _, fed := range [][]string{
		{"malgil_http_requests_total", `route="api/broadcasts"`, `status="2xx"`}, {"malgil_http_requests_total", `route="skill"`, `status="2xx"`},
		{"malgil_peer_request_duration_seconds_count", `peer="kakao"`, `outcome="2xx"`}, {"malgil_peer_request_duration_seconds_count", `peer="kakaopay"`, `outcome="2xx"`},
		{"malgil_rate_waits_total", `outcome="taken"`}, {"malgil_redis_connections", `client="serve"`}, {"malgil_redis_connections", `client="enqueue"`},
		{"malgil_redis_connections", `client="wait"`}, {"malgil_redis_connections", `client="inspect"`}, {"go_sql_open_connections"},
		{"malgil_disk_free_ratio", `folder="temporary"`}, {"malgil_cards", `state="usable"`},
		{"malgil_queue_wait_seconds_count", `queue="reply"`}, {"malgil_queue_wait_seconds_count", `queue="broadcast"`},
	} {
		if n := h.metric(fed[0], fed[1:]...); n <= 0 {
			t.Errorf("%s is %v, want more than 0", fed, n)
		}
	}
	for line := range strings.Lines(h.metrics()) {
		if _, rest, ok := strings.Cut(line, `malgil_task_duration_seconds_count{type="`); ok {
			taskType, _, _ := strings.Cut(rest, `"`)
			if !slices.Contains(taskTypes, taskType) && !strings.HasSuffix(line, " 0\n") {
				t.Errorf("metrics show a type that this test does not know: %s", line)
			}
		}
	}
}

// startDemo starts a demo that ends with the test.
func startDemo(t *testing.T) *demo.Demo {
	t.Helper()
	config := defaults(t)
	config.Listen = demo.Anywhere
	if realParts {
		config.DB, config.Redis = testserver.Postgres(t), testserver.Redis(t).URL()
	}
	d, err := demo.Start(t.Context(), config, slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError})))
	if err != nil {
		t.Fatal(err)
	}
	closing(t, "demo", d.Close)
	return d
}

// playStory plays a demo's tour, of which every step is right.
func playStory(t *testing.T, d *demo.Demo) {
	t.Helper()
	for _, step := range d.Tour(t.Context(), d.Books, d.Stationery, func(demo.Step) {}, func(string, int, int) {}) {
		if !step.OK {
			t.Errorf("step %s of the tour: %s", step.Name, step.Reason)
		}
	}
}

// The program is linked from what the owner named, and the root is the table of contents.
func builtFrom(t *testing.T) {
	for _, entry := range []string{"cmd", "workers", "tasks", "templates", "dashboards", "go.mod", "docker-compose.yml", "README.md"} {
		if _, err := os.Stat(filepath.Join(root, entry)); err != nil {
			t.Errorf("the root has no %s: %v", entry, err)
		}
	}
	text, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", "./cmd/malgil")
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		t.Fatalf("list what the program is linked from: %v", err)
	}
	linked := strings.Fields(string(out))
	for _, module := range []string{"github.com/hibiken/asynq", "github.com/redis/go-redis/v9", "github.com/wneessen/go-mail", "github.com/prometheus/client_golang"} {
		if !strings.Contains(string(text), "\t"+module+" v") {
			t.Errorf("go.mod does not require %s", module)
		}
		if !slices.Contains(linked, module) {
			t.Errorf("the program does not hold %s", module)
		}
	}
}
