package acceptance_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/malgil/malgil/internal/testserver"
)

// TestStop_signals stops malgil. A first signal ends it in good order, and it says how long that
// may take; a second one ends it at once, whatever it waits for.
func TestStop_signals(t *testing.T) {
	start := func(t *testing.T, redis string) *testserver.Program {
		return testserver.StartProgram(t, testserver.Command{Args: []string{"all"}, Ready: `"malgil is up"`, Env: []string{
			"MALGIL_DB=sqlite:" + filepath.Join(t.TempDir(), "malgil.db"), "MALGIL_REDIS=" + redis, "MALGIL_LISTEN={address}",
			"MALGIL_METRICS_LISTEN=127.0.0.1:0", "MALGIL_KAKAOPAY_SECRET=secret",
			"MALGIL_SMTP=smtp://127.0.0.1:1?tls=none&from=no-reply@malgil.example",
		}})
	}
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Run("once", func(t *testing.T) {
				p := start(t, "")
				p.Signal(signal)
				if line := p.Says(`"msg":"stopping"`); !strings.Contains(line, `"within":"2m`) {
					t.Errorf("it says %s, want how long it may take: two minutes and some", line)
				}
				if ended := p.Wait(); ended.ExitCode() != 0 {
					t.Errorf("it ends with %v, want exit 0", ended)
				}
				p.Says(`"msg":"stopped"`)
			})
			t.Run("twice", func(t *testing.T) {
				redis := testserver.Redis(t)
				p := start(t, redis.URL())
				redis.Freeze() // which holds its workers
				p.Signal(signal)
				p.Says(`"msg":"stopping"`)
				p.Signal(signal)
				status, ok := p.Wait().Sys().(syscall.WaitStatus)
				if !ok || !status.Signaled() || status.Signal() != signal {
					t.Errorf("it ends with %v, want to be ended by the second signal", p.Wait())
				}
			})
		})
	}
}
