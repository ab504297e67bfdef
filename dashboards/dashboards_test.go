package dashboards

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// each calls do with every panel of every board.
func each(do func(b board, p panel)) {
	for _, b := range boards {
		for _, r := range b.rows {
			for _, p := range r.panels {
				do(b, p)
			}
		}
	}
}

func TestPanels_showMetricsThatExist(t *testing.T) {
	known := knownMetrics(t)
	each(func(b board, p panel) {
		for _, q := range p.queries {
			for _, wrong := range unknown(q.expr, known) {
				t.Errorf("panel %s of %s: %s: %s", p.title, b.name, q.expr, wrong)
			}
		}
	})
}

var korean = regexp.MustCompile(`\p{Hangul}|^CPU$`)

func TestPanels_areExplained(t *testing.T) {
	titles := map[string]bool{}
	each(func(b board, p panel) {
		if title := b.name + ": " + p.title; titles[title] {
			t.Errorf("two panels are called %s", title)
		} else {
			titles[title] = true
		}
		if !korean.MatchString(p.title) || !korean.MatchString(p.help) || strings.Contains(p.help, "\n") || !strings.HasSuffix(p.help, ".") {
			t.Errorf("panel %s has the help %q, want a line in Korean", p.title, p.help)
		}
		if len(p.queries) == 0 || p.unit == "" {
			t.Errorf("panel %s has %d queries and the unit %q", p.title, len(p.queries), p.unit)
		}
		for _, q := range p.queries {
			if may := mayBeEmpty.MatchString(q.expr); may != (p.empty != "") {
				t.Errorf("panel %s of %s says %q of when it is empty; it may be: %v", p.title, b.name, p.empty, may)
			}
		}
	})
}

// mayBeEmpty tells expressions that may have no value: a quantile of nothing is no number; a comparison
// drops what does not hold; and these metrics are not told before there is something to tell.
var mayBeEmpty = regexp.MustCompile(`histogram_quantile|> 0\b|\bALERTS\b|\bmalgil:|\bmalgil_(loop|invoice_deadline|redis_setting|redis_memory|disk)_`)

// What is many stands in a table, and a number is not stacked: each setting of a panel is one that its
// form knows.
func TestPanels_areOfOneForm(t *testing.T) {
	each(func(b board, p panel) {
		if p.now && (p.stacked || p.many || len(p.queries) > 1) {
			t.Errorf("panel %s of %s is a number and says how a graph looks", p.title, b.name)
		}
		if !p.now && p.width > 0 {
			t.Errorf("panel %s of %s is a graph of %d columns, want it to share its line", p.title, b.name, p.width)
		}
	})
	for _, b := range boards {
		for _, r := range b.rows {
			for _, p := range r.panels {
				if p.now != r.panels[0].now {
					t.Errorf("row %s of %s has numbers and graphs", r.title, b.name)
				}
			}
		}
	}
}

var choice = regexp.MustCompile(`=~"\$([a-z]+)"`)

// A board offers the choices that its panels follow, and follows no other.
func TestVariables(t *testing.T) {
	known := knownMetrics(t)
	for _, b := range boards {
		offered, followed := map[string]bool{}, map[string]bool{}
		for _, v := range b.variables {
			offered[v.label] = true
			if !slices.Contains(known[v.metric], v.label) || !korean.MatchString(v.title) {
				t.Errorf("board %s offers %+v, want a label of its metric and a title in Korean", b.name, v)
			}
		}
		for _, r := range b.rows {
			for _, p := range r.panels {
				for _, q := range p.queries {
					for _, match := range choice.FindAllStringSubmatch(q.expr, -1) {
						followed[match[1]] = true
					}
				}
			}
		}
		if !maps.Equal(offered, followed) {
			t.Errorf("board %s offers %v and follows %v, want the same", b.name, offered, followed)
		}
	}
	if len(queues.variables) == 0 {
		t.Error("no board offers a choice")
	}
}

func TestBoards_areWritten(t *testing.T) {
	all, err := Boards()
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, b := range all {
		want = append(want, b.File)
		if got, err := os.ReadFile(filepath.Join(Folder, b.File)); err != nil || !bytes.Equal(got, b.JSON) {
			t.Errorf("%s is not what Boards() returns (error %v): run go generate in dashboards", b.File, err)
		}
	}
	entries, err := filepath.Glob(filepath.Join(Folder, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, entry := range entries {
		got = append(got, filepath.Base(entry))
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s holds %q, want %q: run go generate in dashboards", Folder, got, want)
	}
}

// written is what the tests read of a dashboard.
type written struct {
	UID, Title string
	Tags       []string
	Links      []struct {
		Type, Placement string
		Tags            []string
		KeepTime        bool
	}
	Panels []struct {
		ID          int
		Title, Type string
		GridPos     struct{ X, Y, W, H int }
		Links       []struct{ Title, URL string }
	}
}

func writtenBoards(t *testing.T) []written {
	t.Helper()
	all, err := Boards()
	if err != nil {
		t.Fatal(err)
	}
	boards := make([]written, len(all))
	for i, b := range all {
		if err := json.Unmarshal(b.JSON, &boards[i]); err != nil {
			t.Fatal(err)
		}
	}
	return boards
}

// Panels stand beside each other and not over each other, each in its own place, and leave no gap.
func TestBoards_layout(t *testing.T) {
	for i, b := range writtenBoards(t) {
		ids, taken, bottom := map[int]bool{}, map[[2]int]string{}, 0
		for _, p := range b.Panels {
			if ids[p.ID] || p.ID == 0 {
				t.Errorf("%s: %s has the id %d, want one of its own", b.UID, p.Title, p.ID)
			}
			ids[p.ID] = true
			if at := p.GridPos; at.X+at.W > columns {
				t.Errorf("%s: %s goes to column %d, want at most %d", b.UID, p.Title, at.X+at.W, columns)
			}
			for x := range p.GridPos.W {
				for y := range p.GridPos.H {
					place := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
					if other, ok := taken[place]; ok {
						t.Fatalf("%s: %s and %s are both at %v", b.UID, other, p.Title, place)
					}
					taken[place] = p.Title
				}
			}
			bottom = max(bottom, p.GridPos.Y+p.GridPos.H)
		}
		if len(taken) != columns*bottom {
			t.Errorf("%s fills %d places of %d, want no gap", b.UID, len(taken), columns*bottom)
		}
		want := 0
		for _, r := range boards[i].rows {
			want += 1 + len(r.panels)
		}
		if len(b.Panels) != want {
			t.Errorf("%s has %d panels, want %d", b.UID, len(b.Panels), want)
		}
	}
}

// Every board leads to all others at the same times, and each line of the overview to the board of its subject.
func TestBoards_areLinked(t *testing.T) {
	all := writtenBoards(t)
	names := map[string]string{}
	for _, b := range all {
		names[b.UID] = b.Title
		if !slices.Equal(b.Tags, []string{"malgil"}) || len(b.Links) != 1 || b.Links[0].Type != "dashboards" || b.Links[0].Placement != "" ||
			!slices.Equal(b.Links[0].Tags, b.Tags) || !b.Links[0].KeepTime {
			t.Errorf("%s has the tags %q and the links %+v, want one to all boards of its tag", b.UID, b.Tags, b.Links)
		}
	}
	if len(names) != 6 {
		t.Errorf("the boards are %v, want six", names)
	}
	led := map[string]bool{}
	for _, p := range all[0].Panels {
		if p.Type == "row" {
			continue
		}
		if len(p.Links) != 1 {
			t.Errorf("%s of the overview has the links %+v, want one", p.Title, p.Links)
			continue
		}
		name, ok := strings.CutSuffix(strings.TrimPrefix(p.Links[0].URL, "/d/"), "?${__url_time_range}")
		if !ok || names[name] == "" || names[name] != p.Links[0].Title {
			t.Errorf("%s of the overview leads to %+v, want a board by its title", p.Title, p.Links[0])
		}
		led[name] = true
	}
	if len(led) != len(all)-1 {
		t.Errorf("the overview leads to %v, want every other board", led)
	}
	if first := all[0].Panels[1].Title; first != "기다리는 대화" {
		t.Errorf("the overview begins with %s, want what waits longest", first)
	}
}

// Grafana of docker-compose.yml finds every board in the folder that it looks into, and opens the overview.
func TestGrafana_findsTheBoards(t *testing.T) {
	const places = "/var/lib/grafana/dashboards"
	for file, want := range map[string]string{
		"../docker-compose.yml":                      "- ./dashboards/" + Folder + ":" + places + ":ro",
		"grafana/provisioning/dashboards/malgil.yml": "path: " + places + "\n",
	} {
		if text, err := os.ReadFile(file); err != nil || !bytes.Contains(text, []byte(want)) {
			t.Errorf("%s does not say %q (error %v)", file, want, err)
		}
	}
	compose, err := os.ReadFile("../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	if home := "_HOME_DASHBOARD_PATH: " + places + "/" + overview.name + ".json\n"; !bytes.Contains(compose, []byte(home)) {
		t.Errorf("docker-compose.yml does not say %q", home)
	}
	source, err := os.ReadFile("grafana/provisioning/datasources/malgil.yml")
	if err != nil || !bytes.Contains(source, []byte("uid: malgil-prometheus ")) {
		t.Errorf("no data source has the uid that the boards name (error %v)", err)
	}
}

func TestLimits(t *testing.T) {
	tests := map[string]struct {
		limits limits
		want   string
	}{
		"none":          {limits{}, "text"},
		"ought to be 0": {ought0, "green 1:red"},
		"more is worse": {limits{60, 300}, "green 60:yellow 300:red"},
		"less is worse": {limits{1, 0.25}, "red 0.25:yellow 1:green"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			built, err := tt.limits.steps().Build()
			if err != nil {
				t.Fatal(err)
			}
			var steps []string
			for _, s := range built.Steps {
				if s.Value != nil {
					s.Color = fmt.Sprintf("%v:%s", *s.Value, s.Color)
				}
				steps = append(steps, s.Color)
			}
			if got := strings.Join(steps, " "); got != tt.want {
				t.Errorf("steps() of %v = %s, want %s", tt.limits, got, tt.want)
			}
		})
	}
}

// Every panel's expression is taken as a rule, so that Prometheus parses it.
func TestPrometheus_takesThePanels(t *testing.T) {
	type rule struct {
		Record string `yaml:"record"`
		Expr   string `yaml:"expr"`
	}
	var all []rule
	each(func(_ board, p panel) {
		for _, q := range p.queries {
			expr := strings.ReplaceAll(q.expr, "$__rate_interval", "1m")
			all = append(all, rule{Record: fmt.Sprintf("panel:%d", len(all)), Expr: expr})
		}
	})
	text, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "panels", "rules": all}}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "panels.yml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "check", "rules", file)
}
