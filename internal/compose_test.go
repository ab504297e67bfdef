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
	User        string
	ReadOnly    bool     `yaml:"read_only"`
	CapDrop     []string `yaml:"cap_drop"`
	Command     []string
	Environment map[string]string
	Profiles    []string
	DependsOn   map[string]any `yaml:"depends_on"`
	Ports       []string
	Volumes     []string
	Healthcheck struct{ Test []string } // [NONE] is none
}

// compose runs docker-compose over our file with a profile, or none, and returns what it read.
func compose(t *testing.T, profile string) map[string]composeService {
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
	if profile != "" {
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
		t.Fatalf("docker-compose config with profile %q: %v, %s; want no word", profile, err, complaints.String())
	}
	var read struct{ Services map[string]composeService }
	if err := yaml.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	return read.Services
}

func TestCompose(t *testing.T) {
	tests := map[string]struct{ profile, services string }{
		"as it is":           {"", "intake migrate postgres redis scheduler worker"},
		"with observability": {"observability", "grafana intake migrate postgres prometheus redis scheduler worker"},
		"with an inbox":      {"mail", "intake mail-worker mailpit migrate postgres redis scheduler worker"},
		"with demo":          {"demo", "demo intake migrate postgres redis scheduler worker"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			services := compose(t, tt.profile)
			maps.DeleteFunc(services, func(_ string, s composeService) bool { // config prints all
				return len(s.Profiles) > 0 && !slices.Contains(s.Profiles, tt.profile)
			})
			if got := strings.Join(slices.Sorted(maps.Keys(services)), " "); got != tt.services {
				t.Errorf("profile %q has %s, want %s", tt.profile, got, tt.services)
			}
			for name, service := range services {
				checkService(t, name, service)
				for needed := range service.DependsOn {
					if _, there := services[needed]; !there {
						t.Errorf("%s depends on %s, which profile %q does not start", name, needed, tt.profile)
					}
				}
			}
		})
	}
}

// withoutHealth are services that end by themselves or that a person looks at.
var withoutHealth = []string{"migrate", "demo"}

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
