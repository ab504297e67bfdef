package acceptance_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/malgil/malgil/internal/app"
	"github.com/malgil/malgil/internal/testserver"
)

// TestRoles_refuseEmbeddedParts starts roles that would each have a database or a queue of their
// own, which the others do not see.
func TestRoles_refuseEmbeddedParts(t *testing.T) {
	keys, err := app.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	enough := []string{
		"MALGIL_DB=postgres://nobody@127.0.0.1:1/none", "MALGIL_REDIS=redis://127.0.0.1:1", "MALGIL_KAKAOPAY_SECRET=secret",
		"MALGIL_SMTP=smtp://127.0.0.1:1?tls=none&from=no-reply@malgil.example", "MALGIL_SEAL_KEYS=" + keys.Seal, "MALGIL_HASH_KEY=" + keys.Hash,
	}
	tests := map[string]struct {
		settings []string // beside enough; the later one counts
		want     []string // one line each, in order
	}{
		"SQLite": {
			[]string{"MALGIL_DB=sqlite:malgil.db"},
			[]string{"MALGIL_DB SQLite serves one process; use PostgreSQL for separate roles, or run malgil all"},
		},
		"the embedded queue": {
			[]string{"MALGIL_REDIS="},
			[]string{"MALGIL_REDIS is missing; the embedded queue serves one process, separate roles need Redis"},
		},
		"both": {
			[]string{"MALGIL_DB=sqlite:malgil.db", "MALGIL_REDIS="},
			[]string{"MALGIL_DB SQLite serves one process", "MALGIL_REDIS is missing"},
		},
		"nothing": {
			[]string{"MALGIL_DB=", "MALGIL_REDIS="},
			[]string{"MALGIL_DB is missing; use sqlite:<path> or postgres://", "MALGIL_REDIS is missing"},
		},
	}
	for _, role := range []string{"intake", "worker", "scheduler"} {
		for name, tt := range tests {
			t.Run(role+" with "+name, func(t *testing.T) {
				ended := testserver.RunProgram(t, testserver.Command{Args: []string{role}, Env: append(enough, tt.settings...)})
				lines := strings.Split(strings.TrimSpace(ended.Stderr), "\n")
				if ended.Exit != 2 || ended.Stdout != "" || len(lines) != len(tt.want) {
					t.Fatalf("malgil %s exits %d and says %q, %q; want 2 and %d lines", role, ended.Exit, ended.Stdout, ended.Stderr, len(tt.want))
				}
				for i, want := range tt.want {
					if !strings.HasPrefix(lines[i], "malgil: "+want) {
						t.Errorf("malgil %s says %q, want it to begin with %q", role, lines[i], "malgil: "+want)
					}
				}
			})
		}
	}
}

// TestAll_refusesAFileInUse starts malgil on the SQLite file of another one, which goes on.
func TestAll_refusesAFileInUse(t *testing.T) {
	file := filepath.Join(t.TempDir(), "malgil.db")
	env := []string{
		"MALGIL_DB=sqlite:" + file, "MALGIL_METRICS_LISTEN=127.0.0.1:0", "MALGIL_KAKAOPAY_SECRET=secret",
		"MALGIL_SMTP=smtp://127.0.0.1:1?tls=none&from=no-reply@malgil.example",
	}
	first := testserver.StartProgram(t, testserver.Command{
		Args: []string{"all"}, Ready: `"malgil is up"`, Env: append([]string{"MALGIL_LISTEN={address}"}, env...),
	})
	tests := map[string][]string{
		"all":             {"all"},
		"migrate":         {"migrate"},
		"the first token": {"token", "create", "--first", "second"},
	}
	for name, args := range tests {
		t.Run(name, func(t *testing.T) {
			ended := testserver.RunProgram(t, testserver.Command{Args: args, Env: append([]string{"MALGIL_LISTEN=127.0.0.1:0"}, env...)})
			want := "malgil: another malgil process uses " + file + "; stop it, or use PostgreSQL to run several\n"
			if ended.Exit != 1 || ended.Stderr != want || ended.Stdout != "" {
				t.Errorf("malgil %s exits %d and says %q, %q; want 1 and %q", name, ended.Exit, ended.Stdout, ended.Stderr, want)
			}
		})
	}
	var health struct {
		Status string `json:"status"`
	}
	ask(t, "http://"+first.Address+"/healthz", "", &health)
	if health.Status != "ok" {
		t.Errorf("the first malgil is %q, want ok", health.Status)
	}
	first.Kill()
	if ended := testserver.RunProgram(t, testserver.Command{Args: tests["the first token"], Env: env}); ended.Exit != 0 {
		t.Errorf("after the first has died, malgil token exits %d: %s", ended.Exit, ended.Stderr)
	}
}
