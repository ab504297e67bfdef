package internal_test

import (
	"bytes"
	"context"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/malgil/malgil/internal/app"
	"github.com/malgil/malgil/internal/testserver"
)

// composeService is a service as docker-compose understands it.
type composeService struct {
	Image         string
	User          string
	NetworkMode   string   `yaml:"network_mode"`
	ContainerName string   `yaml:"container_name"`
	ReadOnly      bool     `yaml:"read_only"`
	CapDrop       []string `yaml:"cap_drop"`
	Command       []string
	Environment   map[string]string
	Profiles      []string
	DependsOn     map[string]any `yaml:"depends_on"`
	Ports         []string
	Volumes       []string
	Healthcheck   struct{ Test []string } // [NONE] is none
}

// compose runs docker-compose over our file with profiles, or none, and returns what it read of the
// services that they start.
func compose(t *testing.T, profiles ...string) map[string]composeService {
	t.Helper()
	path, err := exec.LookPath("docker-compose")
	if err != nil {
		testserver.Missing(t, "docker-compose is not installed", "install Debian's package docker-compose")
	}
	empty := filepath.Join(t.TempDir(), "env") // not the .env that somebody may have
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"--file", "docker-compose.yml", "--env-file", empty}
	for _, profile := range profiles {
		args = append(args, "--profile", profile)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, append(args, "config")...)
	cmd.Dir = ".."
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	text, err := cmd.Output()
	if err != nil || complaints.Len() > 0 {
		t.Fatalf("docker-compose config with the profiles %q: %v, %s; want no word", profiles, err, complaints.String())
	}
	var read struct{ Services map[string]composeService }
	if err := yaml.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	maps.DeleteFunc(read.Services, func(_ string, s composeService) bool { // config prints all
		return len(s.Profiles) > 0 && !slices.ContainsFunc(s.Profiles, func(p string) bool { return slices.Contains(profiles, p) })
	})
	return read.Services
}

func TestCompose(t *testing.T) {
	tests := map[string]struct {
		profiles []string
		services string
	}{
		"as it is":           {nil, "intake migrate postgres redis scheduler worker"},
		"with observability": {[]string{"observability"}, "alertmanager grafana intake migrate postgres prometheus redis scheduler worker"},
		"with an inbox":      {[]string{"mail"}, "intake mail-worker mailpit migrate postgres redis scheduler worker"},
		"with demo":          {[]string{"demo"}, "demo intake migrate postgres redis scheduler worker"},
		"with all": {[]string{"observability", "mail", "demo"},
			"alertmanager demo grafana intake mail-worker mailpit migrate postgres prometheus redis scheduler worker"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			services := compose(t, tt.profiles...)
			if got := strings.Join(slices.Sorted(maps.Keys(services)), " "); got != tt.services {
				t.Errorf("the profiles %q have %s, want %s", tt.profiles, got, tt.services)
			}
			for name, service := range services {
				checkService(t, name, service)
				for needed := range service.DependsOn {
					if _, there := services[needed]; !there {
						t.Errorf("%s depends on %s, which the profiles %q do not start", name, needed, tt.profiles)
					}
				}
			}
		})
	}
}

// What Prometheus scrapes and tells alerts to are services beside it, and what is scaled can be: it has
// neither a port of this machine nor a name of its own.
func TestCompose_watches(t *testing.T) {
	text, err := os.ReadFile("../dashboards/prometheus/prometheus.yml")
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Alerting struct {
			Alertmanagers []struct {
				Static []struct{ Targets []string } `yaml:"static_configs"`
			}
		}
		Scrapes []struct {
			DNS []struct {
				Names []string
				Port  string
			} `yaml:"dns_sd_configs"`
			Relabel []struct {
				Regex, Replacement string
				To                 string `yaml:"target_label"`
			} `yaml:"relabel_configs"`
		} `yaml:"scrape_configs"`
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	services := compose(t, "observability", "mail")
	var told, scraped []string
	for _, manager := range config.Alerting.Alertmanagers {
		for _, static := range manager.Static {
			told = append(told, static.Targets...)
		}
	}
	if !slices.Equal(told, []string{"alertmanager:9093"}) || services["alertmanager"].User == "" {
		t.Errorf("alerts are told to %q, want to the service alertmanager", told)
	}
	for _, scrape := range config.Scrapes {
		for _, dns := range scrape.DNS {
			for _, name := range dns.Names {
				role, service := name, services[name]
				for _, relabel := range scrape.Relabel {
					if relabel.To == "role" && relabel.Regex == name {
						role = relabel.Replacement
					}
				}
				for _, s := range services { // whoever stands in its network
					if s.NetworkMode == "service:"+name {
						service = s
					}
				}
				scraped = append(scraped, name+" as "+role)
				if listen := service.Environment["MALGIL_METRICS_LISTEN"]; listen != "0.0.0.0:"+dns.Port || service.Command[0] != role {
					t.Errorf("%s is scraped at port %s as %s, runs %q and listens at %q", name, dns.Port, role, service.Command, listen)
				}
			}
		}
	}
	if slices.Sort(scraped); !slices.Equal(scraped, []string{"intake as intake", "mailpit as worker", "scheduler as scheduler", "worker as worker"}) {
		t.Errorf("Prometheus scrapes %q, want every role", scraped)
	}
	if worker := services["worker"]; len(worker.Ports) > 0 || worker.ContainerName != "" {
		t.Errorf("worker has the ports %q and the name %q, so that only one can run", worker.Ports, worker.ContainerName)
	}
}

// Redis is never killed for its memory, and never makes room: it has a limit, at which it takes no more. No snapshot
// that fails stops it, and its file is seldom written anew.
func TestCompose_redisIsBounded(t *testing.T) {
	command := compose(t)["redis"].Command
	for option, want := range map[string]string{"--maxmemory": "1gb", "--maxmemory-policy": "noeviction", "--appendonly": "yes", "--save": "", "--auto-aof-rewrite-min-size": "512mb"} {
		i := slices.Index(command, option)
		if i < 0 || i+1 == len(command) || command[i+1] != want {
			t.Errorf("redis starts as %q, want %s %s", command, option, want)
		}
	}
}

// TestDockerfile looks at what the image ends as; internal/acceptance runs what it holds.
func TestDockerfile(t *testing.T) {
	text, err := os.ReadFile("../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	_, last, many := strings.Cut(string(text), "\nFROM scratch\n")
	if !many || strings.Contains(last, "\nFROM ") {
		t.Fatal("the Dockerfile does not end with an image from scratch, after one that builds")
	}
	var user string
	for line := range strings.Lines(last) {
		if name, is := strings.CutPrefix(line, "USER "); is {
			user = strings.TrimSpace(name)
		}
	}
	if user != "65532:65532" {
		t.Errorf("the image runs as %q, want 65532:65532", user)
	}
	for name, service := range compose(t, "mail", "demo") {
		if strings.HasPrefix(service.Image, "malgil:") && service.User != user {
			t.Errorf("%s runs as %s, the image as %s", name, service.User, user)
		}
	}
}

// withoutHealth are services that end by themselves.
var withoutHealth = []string{"migrate"}

func checkService(t *testing.T, name string, s composeService) {
	t.Helper()
	if user, _, _ := strings.Cut(s.User, ":"); user == "" || user == "0" || user == "root" {
		t.Errorf("%s runs as user %q, want one that is not root", name, s.User)
	}
	if !s.ReadOnly || !slices.Contains(s.CapDrop, "ALL") {
		t.Errorf("%s has a writable root: %v, drops %v, want a read-only root without capabilities", name, !s.ReadOnly, s.CapDrop)
	}
	test := s.Healthcheck.Test
	if healthy := len(test) > 0 && test[0] != "NONE"; healthy == slices.Contains(withoutHealth, name) {
		t.Errorf("%s has a health check: %v", name, healthy)
	}
	for _, port := range s.Ports {
		if !strings.HasPrefix(port, "127.0.0.1:") {
			t.Errorf("%s is open at %s, want loopback: what faces the world stands behind a proxy", name, port)
		}
	}
	settings := map[string]bool{}
	for _, setting := range (app.Config{}).Settings() {
		settings[setting.Name] = true
	}
	for variable := range s.Environment {
		if strings.HasPrefix(variable, "MALGIL_") && !settings[variable] {
			t.Errorf("%s sets %s, which malgil does not know", name, variable)
		}
	}
	for _, volume := range s.Volumes {
		if from, _, _ := strings.Cut(volume, ":"); filepath.IsAbs(from) {
			if _, err := os.Stat(from); err != nil {
				t.Errorf("%s mounts %v", name, err)
			}
		}
	}
}
