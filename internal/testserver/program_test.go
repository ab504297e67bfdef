package testserver_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/testserver"
)

// sandbox is the smallest program that serves.
var sandbox = testserver.Command{
	Args: []string{"sandbox"}, Ready: `"sandbox":`,
	Env: []string{"MALGIL_SANDBOX_LISTEN={address}", "MALGIL_SANDBOX_SMTP_LISTEN=127.0.0.1:0"},
}

// answers reports whether a sandbox tells its time within a second.
func answers(address string) bool {
	client := http.Client{Timeout: time.Second}
	response, err := client.Get("http://" + address + "/sandbox/clock")
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

func TestProgram_restartKeepsItsAddress(t *testing.T) {
	tests := map[string]func(*testserver.Program){
		"killed first":  (*testserver.Program).Kill,
		"stopped first": (*testserver.Program).Stop,
		"running":       func(*testserver.Program) {},
	}
	for name, end := range tests {
		t.Run(name, func(t *testing.T) {
			p := testserver.StartProgram(t, sandbox)
			address := p.Address
			if !answers(address) || !strings.Contains(p.ReadyLine(), address) {
				t.Fatalf("%s does not answer, or is not in %q", address, p.ReadyLine())
			}
			end(p)
			p.Restart()
			if p.Address != address || !answers(address) {
				t.Errorf("after Restart %s answers: %v, want %s to", p.Address, answers(p.Address), address)
			}
		})
	}
}

func TestProgram_killedDoesNotAnswer(t *testing.T) {
	p := testserver.StartProgram(t, sandbox)
	p.Kill()
	if answers(p.Address) {
		t.Errorf("%s answers after Kill", p.Address)
	}
}

func TestProgram_frozenDoesNotAnswerAndThawedDoes(t *testing.T) {
	p := testserver.StartProgram(t, sandbox)
	p.Freeze()
	if answers(p.Address) {
		t.Error("a frozen program answers")
	}
	p.Thaw()
	if !answers(p.Address) {
		t.Error("a thawed program does not answer")
	}
}

func TestRunProgram(t *testing.T) {
	tests := map[string]struct {
		args []string
		exit int
	}{
		"that ends well": {[]string{"config", "keys"}, 0},
		"of no command":  {[]string{"no-such-command"}, 2},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			ended := testserver.RunProgram(t, testserver.Command{Args: tt.args})
			if ended.Exit != tt.exit || (tt.exit == 0) != strings.Contains(ended.Stdout, "MALGIL_SEAL_KEYS=") || (tt.exit == 0) == (ended.Stderr != "") {
				t.Errorf("RunProgram(%q) = %+v, want exit %d", tt.args, ended, tt.exit)
			}
		})
	}
}
