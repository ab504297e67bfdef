package acceptance_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/malgil/malgil/internal/apiclient"
	"github.com/malgil/malgil/internal/demo"
	"github.com/malgil/malgil/internal/testserver"
)

// unfilled are the panels for which the tour makes nothing to show, and why. Every other panel has data
// after it, whatever its description says of when it may have none.
var unfilled = map[string]string{
	"conversations: 스킬 서버 응답 시간": "its bot has no skill server",
	"overview: 울리는 경보":           "no alert rings",
}

// unfilledEmbedded are those for which embedded parts have nothing to show.
var unfilledEmbedded = map[string]string{
	"queues: 잘못된 Redis 설정": "there is no server whose settings one could get wrong",
	"queues: Redis 메모리":    "there is no server whose memory could be full",
}

// unsure are those that show something on some machines or days, and why not on most.
var unsure = map[string]string{
	"queues: 실패한 작업":            "no task fails, unless the machine is slow",
	"queues: 데이터베이스 연결을 기다린 시간": "there are enough connections, unless the machine is slow",
	"invoices: 법정 발행 기한까지":      dueOnlyAtAMonthsEnd,
	"overview: 법정 발행 기한까지":      dueOnlyAtAMonthsEnd,
}

const dueOnlyAtAMonthsEnd = "only where a month ends on its way a tax invoice is due, and it is issued at once"

// moved are panels that show more than 0 when what the tour does is counted.
var moved = []string{
	"overview: 발화", "overview: 살린 콜백", "overview: 상담 제안", "overview: 보낸 사람", "overview: 쓴 금액", "overview: 보낸 메일", "overview: 떠 있는 프로세스",
	"conversations: 발화 응답", "conversations: 남은 응답 시간", "conversations: 콜백", "conversations: 상담 제안",
	"broadcasts: 보내는 속도", "broadcasts: 이벤트 API 요청", "broadcasts: 결과가 온 메시지", "broadcasts: 전달된 비율", "broadcasts: 속도 제한", "broadcasts: 카카오의 응답",
	"money: 원장에 적힌 금액", "money: 자동결제", "money: 카드별 결제 시도", "money: 결제사의 응답", "invoices: 메일",
	"queues: 끝난 작업", "queues: 작업 시간", "queues: HTTP 요청", "queues: 메모리", "queues: 버전",
}

// A Prometheus that scrapes a demo while its tour plays has data for every panel, and judges every rule
// without an error and without an alarm. Panels and rules are read from the files that Grafana and
// Prometheus read.
func panelsHaveData(t *testing.T) {
	d := startDemo(t)
	rules := ruleFiles(t)
	// It is there before the tour: what was counted before the first look is no increase.
	server := prometheusServer{t: t, url: testserver.Prometheus(t, scraping(t, d.Ready.Metrics, rules))}
	begin := time.Now()
	server.looked(begin)
	playStory(t, d)
	server.looked(time.Now())
	end := time.Now().Add(time.Second) // a whole step, so that the last look is in it

	panels := readPanels(t)
	for _, p := range panels {
		name, filled := p.name(), true
		for _, expr := range p.exprs {
			filled = server.sees(expr, begin, end) && filled
		}
		why, excused := unfilled[name]
		if !realParts && !excused {
			why, excused = unfilledEmbedded[name]
		}
		_, may := unsure[name]
		switch {
		case filled && excused:
			t.Errorf("panel %s shows something, and is excused: %s", name, why)
		case !filled && !strings.Contains(p.description, "비어 있을 때"):
			t.Errorf("panel %s shows nothing after the tour, and does not say when that is so: %q", name, p.exprs)
		case !filled && !excused && !may:
			t.Errorf("panel %s shows nothing after the tour: %q", name, p.exprs)
		case slices.Contains(moved, name) && !server.sees("("+p.exprs[0]+") > 0", begin, end):
			t.Errorf("panel %s shows only 0 after the tour: %q", name, p.exprs)
		}
	}
	for _, name := range slices.Concat(moved, slices.Collect(maps.Keys(unfilled)), slices.Collect(maps.Keys(unfilledEmbedded)), slices.Collect(maps.Keys(unsure))) {
		if !slices.ContainsFunc(panels, func(p boardPanel) bool { return p.name() == name }) {
			t.Errorf("there is no panel %s", name)
		}
	}
	server.judgesAll(rules, begin, end)
	countsAsTheLedger(t, d)
}

// countsAsTheLedger compares what the metrics of a demo say was posted with the postings of its wallets.
func countsAsTheLedger(t *testing.T, d *demo.Demo) {
	t.Helper()
	ledger := map[string]int64{}
	ask := apiclient.New(d.Ready.Intake, d.Ready.APIToken)
	for _, shop := range []demo.Shop{d.Books, d.Stationery} {
		for cursor := ""; ; {
			var page struct {
				Items []struct {
					Kind    string `json:"kind"`
					Paid    int64  `json:"paid_krw"`
					Accrual int64  `json:"accrual_krw"`
					Used    int64  `json:"revenue_krw"`
				} `json:"items"`
				Next string `json:"next_cursor"`
			}
			if err := ask.Call(t.Context(), http.MethodGet, "/api/v1/wallets/"+shop.Wallet+"/postings?cursor="+cursor, nil, &page); err != nil {
				t.Fatal(err)
			}
			for _, p := range page.Items {
				switch p.Kind {
				case "topup":
					ledger[p.Kind] += p.Paid + p.Accrual
				case "capture":
					ledger[p.Kind] += p.Used
				}
			}
			if cursor = page.Next; cursor == "" {
				break
			}
		}
	}
	h := &house{t: t, metricsURL: d.Ready.Metrics}
	for _, kind := range []string{"topup", "capture"} {
		if ledger[kind] == 0 {
			t.Errorf("the tour posted no %s", kind)
		}
		h.counted(float64(ledger[kind]), "malgil_posted_krw_total", `kind="`+kind+`"`)
	}
}

// boardPanel is a panel as Grafana reads it.
type boardPanel struct {
	board, title, description string
	exprs                     []string // as a Prometheus takes them
}

func (p boardPanel) name() string { return p.board + ": " + p.title }

// asked is what Grafana puts in the place of its variables when nothing is chosen.
var asked = strings.NewReplacer("$__rate_interval", "1m", "$queue", ".*", "$type", ".*")

func readPanels(t *testing.T) []boardPanel {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "dashboards", "grafana", "*.json"))
	if err != nil || len(files) != 6 {
		t.Fatalf("there are the dashboards %q, %v, want six", files, err)
	}
	var all []boardPanel
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var board struct {
			Panels []struct {
				Type, Title, Description string
				Targets                  []struct{ Expr string }
			}
		}
		if err := json.Unmarshal(text, &board); err != nil {
			t.Fatalf("read %s: %v", file, err)
		}
		for _, p := range board.Panels {
			s := boardPanel{board: strings.TrimSuffix(filepath.Base(file), ".json"), title: p.Title, description: p.Description}
			for _, target := range p.Targets {
				s.exprs = append(s.exprs, asked.Replace(target.Expr))
			}
			if p.Type != "row" {
				all = append(all, s)
			}
		}
	}
	return all
}

// ruleFiles are the rules that our Prometheus reads.
func ruleFiles(t *testing.T) []string {
	t.Helper()
	folder, err := filepath.Abs(filepath.Join(root, "dashboards", "prometheus"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(folder, "prometheus.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		RuleFiles []string `yaml:"rule_files"`
	}
	if err := yaml.Unmarshal(text, &config); err != nil || len(config.RuleFiles) == 0 {
		t.Fatalf("prometheus.yml names the rule files %q, %v, want some", config.RuleFiles, err)
	}
	for i, name := range config.RuleFiles {
		config.RuleFiles[i] = filepath.Join(folder, name)
	}
	return config.RuleFiles
}

// scraping is the configuration of a Prometheus that scrapes one process with every role.
func scraping(t *testing.T, metrics string, rules []string) string {
	t.Helper()
	target, err := url.Parse(metrics)
	if err != nil {
		t.Fatal(err)
	}
	text, err := yaml.Marshal(map[string]any{
		"global":     map[string]any{"scrape_interval": "500ms", "evaluation_interval": "500ms"},
		"rule_files": rules,
		"scrape_configs": []any{map[string]any{"job_name": "malgil", "static_configs": []any{
			map[string]any{"targets": []string{target.Host}, "labels": map[string]string{"role": "all"}},
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// prometheusServer is a Prometheus.
type prometheusServer struct {
	t   testing.TB
	url string
}

// ask reads an answer of its API.
func (w prometheusServer) ask(path string, values url.Values, data any) {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.url+path+"?"+values.Encode(), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	answer := struct {
		Status, Error string
		Data          any
	}{Data: data}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || answer.Status != "success" {
		w.t.Fatalf("Prometheus answers %s to %s of %v: %s (%v)", response.Status, path, values, answer.Error, err)
	}
}

// looked waits until the process has been scraped, and every rule judged, after a time.
func (w prometheusServer) looked(after time.Time) {
	w.t.Helper()
	limit, tick := time.After(time.Minute), time.NewTicker(100*time.Millisecond)
	defer tick.Stop()
	for {
		var targets struct {
			ActiveTargets []struct {
				Health     string
				LastScrape time.Time
			}
		}
		w.ask("/api/v1/targets", nil, &targets)
		done := len(targets.ActiveTargets) == 1
		for _, target := range targets.ActiveTargets {
			done = done && target.Health == "up" && target.LastScrape.After(after)
		}
		for _, r := range w.rules() {
			done = done && r.LastEvaluation.After(after)
		}
		if done {
			return
		}
		select {
		case <-tick.C:
		case <-limit:
			w.t.Fatalf("Prometheus has not looked within a minute: %+v", targets)
		}
	}
}

// series is what it has seen of an expression at each second from one time to another.
func (w prometheusServer) series(expr string, from, to time.Time) []series {
	w.t.Helper()
	unix := func(at time.Time) string { return strconv.FormatFloat(float64(at.UnixMilli())/1000, 'f', 3, 64) }
	var data struct{ Result []series }
	w.ask("/api/v1/query_range", url.Values{"query": {expr}, "start": {unix(from)}, "end": {unix(to)}, "step": {"1"}}, &data)
	return data.Result
}

type series struct {
	Metric map[string]string
	Values [][2]any // time and value as text
}

// sees reports whether an expression had a number at any time.
func (w prometheusServer) sees(expr string, from, to time.Time) bool {
	w.t.Helper()
	return slices.ContainsFunc(w.series(expr, from, to), func(s series) bool {
		return slices.ContainsFunc(s.Values, func(v [2]any) bool { return v[1] != "NaN" })
	})
}

// judged is a rule as it was judged last.
type judged struct {
	Type, Name, Health, LastError string
	LastEvaluation                time.Time
}

func (w prometheusServer) rules() []judged {
	w.t.Helper()
	var data struct{ Groups []struct{ Rules []judged } }
	w.ask("/api/v1/rules", nil, &data)
	var all []judged
	for _, g := range data.Groups {
		all = append(all, g.Rules...)
	}
	return all
}

// judgesAll checks that every rule of the files is judged without an error, that what is recorded has
// data, and that no alert has rung.
func (w prometheusServer) judgesAll(files []string, from, to time.Time) {
	w.t.Helper()
	want := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			w.t.Fatal(err)
		}
		var written struct{ Groups []struct{ Rules []any } }
		if err := yaml.Unmarshal(text, &written); err != nil {
			w.t.Fatalf("read %s: %v", file, err)
		}
		for _, g := range written.Groups {
			want += len(g.Rules)
		}
	}
	all := w.rules()
	if len(all) != want || want == 0 {
		w.t.Errorf("Prometheus judges %d rules, want %d", len(all), want)
	}
	for _, r := range all {
		if r.Health != "ok" {
			w.t.Errorf("rule %s is %s: %s", r.Name, r.Health, r.LastError)
		}
		if r.Type == "recording" && !w.sees(r.Name, from, to) {
			w.t.Errorf("nothing was recorded as %s", r.Name)
		}
	}
	for _, alert := range w.series(`ALERTS{alertstate="firing"}`, from, to) {
		w.t.Errorf("alert %s has rung: %s", alert.Metric["alertname"], fmt.Sprint(alert.Metric))
	}
}
