package internal_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/malgil/malgil/internal/app"
	"github.com/malgil/malgil/tasks"
)

var yamlBlock = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")

// manifest is what matters here of an object of Kubernetes.
type manifest struct {
	Kind     string
	Metadata struct{ Name string }
	Spec     struct {
		Target   struct{ Name string } `yaml:"scaleTargetRef"`
		Template struct {
			Spec struct {
				Grace    int `yaml:"terminationGracePeriodSeconds"`
				Security struct {
					User int `yaml:"runAsUser"`
				} `yaml:"securityContext"`
				Containers []struct {
					Args  []string
					Env   []struct{ Name, Value string }
					Ports []struct {
						Name string
						Port string `yaml:"containerPort"`
					}
					Security struct {
						ReadOnly bool `yaml:"readOnlyRootFilesystem"`
					} `yaml:"securityContext"`
					Mounts []struct {
						Path string `yaml:"mountPath"`
					} `yaml:"volumeMounts"`
				}
			}
		}
	}
}

// What docs/operations.md shows for Kubernetes fits the program and the image.
func TestKubernetes(t *testing.T) {
	text, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, block := range yamlBlock.FindAllSubmatch(text, -1) {
		for document := range strings.SplitSeq(string(block[1]), "---\n") {
			var m manifest
			if err := yaml.Unmarshal([]byte(document), &m); err != nil {
				t.Fatalf("%v in\n%s", err, document)
			}
			names = append(names, m.Kind+" "+m.Metadata.Name)
			switch m.Kind {
			case "Deployment":
				checkDeployment(t, m)
			case "ScaledObject":
				if want := "Deployment " + m.Spec.Target.Name; !slices.Contains(names, want) {
					t.Errorf("%s scales %s, which is not there", m.Metadata.Name, want)
				}
			}
		}
	}
	if got := strings.Join(names, ", "); got != "Deployment malgil-worker-people, ScaledObject malgil-worker-people" {
		t.Errorf("docs/operations.md shows %s", got)
	}
}

func checkDeployment(t *testing.T, m manifest) {
	t.Helper()
	pod := m.Spec.Template.Spec
	if pod.Grace != 120 || pod.Security.User != 65532 || len(pod.Containers) != 1 {
		t.Fatalf("%s has %d s of grace, user %d, %d containers; want 120 s, 65532, 1", m.Metadata.Name, pod.Grace, pod.Security.User, len(pod.Containers))
	}
	container := pod.Containers[0]
	if mounts := container.Mounts; !container.Security.ReadOnly || len(mounts) != 1 || mounts[0].Path != "/tmp" {
		t.Errorf("%s has a read-only root: %v, mounts %v; want one, with /tmp", m.Metadata.Name, container.Security.ReadOnly, mounts)
	}
	pools, isPools := strings.CutPrefix(strings.Join(container.Args, " "), "worker --pools=")
	for pool := range strings.SplitSeq(pools, ",") {
		if !isPools || !slices.Contains(tasks.Queues, pool) {
			t.Errorf("%s runs %q, want a worker of pools that there are", m.Metadata.Name, container.Args)
		}
	}
	settings := map[string]bool{}
	for _, setting := range (app.Config{}).Settings() {
		settings[setting.Name] = true
	}
	for _, variable := range container.Env {
		if !settings[variable.Name] {
			t.Errorf("%s sets %s, which malgil does not know", m.Metadata.Name, variable.Name)
		}
		if variable.Name == "MALGIL_METRICS_LISTEN" && (len(container.Ports) != 1 || variable.Value != "0.0.0.0:"+container.Ports[0].Port) {
			t.Errorf("%s tells of itself at %s and opens %v", m.Metadata.Name, variable.Value, container.Ports)
		}
	}
}
