package acceptance_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

const root = "../.." // of the repository

// readmeCommands returns the commands of the README's sh blocks, block by block.
func readmeCommands(t *testing.T) [][]string {
	t.Helper()
	text, err := os.ReadFile(root + "/README.md")
	if err != nil {
		t.Fatal(err)
	}
	var blocks [][]string
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		joined := regexp.MustCompile(`\\\n\s*|\n\s+`).ReplaceAllString(block[1], " ")
		var commands []string
		for _, line := range strings.Split(joined, "\n") {
			if line, _, _ = strings.Cut(line, "  #"); strings.TrimSpace(line) != "" {
				commands = append(commands, strings.TrimSpace(line))
			}
		}
		blocks = append(blocks, commands)
	}
	return blocks
}

// shell returns a command of the README as a stranger's shell would run it.
func shell(t *testing.T, command, folder string, env ...string) *exec.Cmd {
	t.Helper()
	c := exec.CommandContext(t.Context(), "bash", "-c", command)
	c.Dir = folder
	c.Env = append(os.Environ(), env...)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	return c
}

// TestReadme_firstScreen follows the README's first screen: the demo, then the curl.
func TestReadme_firstScreen(t *testing.T) {
	blocks := readmeCommands(t)
	if len(blocks) < 5 || len(blocks[0]) != 1 || !strings.HasPrefix(blocks[1][0], "curl") {
		t.Fatalf("the README's blocks are %q; this test follows a demo, then a curl", blocks)
	}
	demo := shell(t, blocks[0][0], root)
	out, err := demo.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	demo.Stderr = &stderr
	if err := demo.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-demo.Process.Pid, syscall.SIGTERM) // go run and the program below it
		_ = demo.Wait()
	})
	exported := regexp.MustCompile(`export (MALGIL_URL=\S+) (MALGIL_TOKEN=\S+)`)
	var env []string
	serving := false
	lines := bufio.NewScanner(out)
	for !serving && lines.Scan() {
		if found := exported.FindStringSubmatch(lines.Text()); found != nil {
			env = found[1:]
		}
		if strings.HasPrefix(lines.Text(), "FAILED") {
			t.Errorf("the tour says %s", lines.Text())
		}
		serving = strings.HasPrefix(lines.Text(), "serving")
	}
	if !serving || env == nil {
		t.Fatalf("the demo ended without serving: %s", stderr.String())
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()

	answer, err := shell(t, blocks[1][0], root, env...).Output()
	if err != nil {
		t.Fatalf("%s: %v", blocks[1][0], err)
	}
	var order struct{ ID string }
	if err := json.Unmarshal(answer, &order); err != nil || order.ID == "" {
		t.Fatalf("the curl is answered %s, want a broadcast with its id", answer)
	}
	base, token := strings.TrimPrefix(env[0], "MALGIL_URL="), strings.TrimPrefix(env[1], "MALGIL_TOKEN=")
	var b struct {
		State  string
		Counts struct{ Delivered, Failed int }
	}
	for deadline := time.Now().Add(30 * time.Second); b.State != "finished"; {
		if time.Now().After(deadline) {
			t.Fatalf("the broadcast of the curl is %q after 30 s, want finished", b.State)
		}
		ask(t, base+"/api/v1/broadcasts/"+order.ID, token, &b)
	}
	if b.Counts.Delivered != 1 || b.Counts.Failed != 1 {
		t.Errorf("the curl's broadcast delivered %d and failed %d, want 1 and 1", b.Counts.Delivered, b.Counts.Failed)
	}
}

func ask(t *testing.T, address, token string, into any) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(answer.Body).Decode(into); err != nil {
		t.Fatalf("GET %s: %v", address, err)
	}
}

// TestReadme_besideTheSandbox starts malgil all beside malgil sandbox as the README says, on ports
// that are free.
func TestReadme_besideTheSandbox(t *testing.T) {
	work := t.TempDir()
	build := shell(t, "go build -o "+work+"/bin/malgil ./cmd/malgil", root)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	start := func(command string, env ...string) *bufio.Reader {
		c := shell(t, command, work, env...)
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		c.Stderr = c.Stdout
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = syscall.Kill(-c.Process.Pid, syscall.SIGTERM)
			_ = c.Wait()
		})
		return bufio.NewReader(out)
	}
	var stands struct{ Sandbox, SMTP string }
	line, err := start("bin/malgil sandbox", "MALGIL_SANDBOX_LISTEN=127.0.0.1:0", "MALGIL_SANDBOX_SMTP_LISTEN=127.0.0.1:0").ReadString('\n')
	if err != nil || json.Unmarshal([]byte(line), &stands) != nil {
		t.Fatalf("bin/malgil sandbox says %q, %v, want its addresses", line, err)
	}
	commands := strings.Join(readmeCommands(t)[2], "\n")
	commands = strings.NewReplacer("http://127.0.0.1:8081", stands.Sandbox, "127.0.0.1:8025", stands.SMTP).Replace(commands)
	all := start(commands, "MALGIL_LISTEN=127.0.0.1:0", "MALGIL_METRICS_LISTEN=127.0.0.1:0")
	for {
		line, err := all.ReadString('\n')
		if err != nil {
			t.Fatalf("%s ended with %q, %v, want it to serve", commands, line, err)
		}
		if strings.Contains(line, "malgil is up") {
			return
		}
	}
}

// TestReadme_commands runs the other commands of the README. make check, make test and make bench
// are what runs this test, or .ci/run's.
func TestReadme_commands(t *testing.T) {
	blocks := readmeCommands(t)
	work := t.TempDir()
	ran := 0
	for _, command := range slices.Concat(blocks[3], blocks[4], []string{"go run ./cmd/malgil demo --once"}) {
		folder, wantExit := root, 0
		if program, isBinary := strings.CutPrefix(command, "bin/malgil "); isBinary {
			here, err := os.Getwd()
			if err != nil {
				t.Fatal(err)
			}
			folder, command = work, here+"/"+root+"/bin/malgil "+program // its database is made where it runs
			switch program {
			case "config":
				wantExit = 2 // nothing is set yet, and it says so
			case "doctor":
				wantExit = 1 // for the same reason
			}
		}
		c := shell(t, command, folder)
		out, err := c.CombinedOutput()
		if err != nil && c.ProcessState == nil {
			t.Fatalf("%s: %v", command, err)
		}
		if got := c.ProcessState.ExitCode(); got != wantExit {
			t.Errorf("%s exits %d, want %d:\n%s", command, got, wantExit, out)
		}
		ran++
	}
	if ran < 5 {
		t.Errorf("ran %d commands of the README, want at least 5", ran)
	}
	ci, err := os.ReadFile(root + "/.ci/run")
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range blocks[5] {
		if !strings.Contains(string(ci), command) {
			t.Errorf("the README says %q, which .ci/run does not run", command)
		}
	}
}
