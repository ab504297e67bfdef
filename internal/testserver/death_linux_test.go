package testserver_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/malgil/malgil/internal/testserver"
)

// childEnv marks the test process that starts servers and waits to be killed.
const childEnv = "MALGIL_TESTSERVER_CHILD"

// TestChild is no test of its own: it is the process that [killedChild] kills.
func TestChild(t *testing.T) {
	if os.Getenv(childEnv) == "" {
		return
	}
	redis := connect(t, testserver.Redis(t))
	info, err := redis.InfoMap(t.Context(), "server").Result()
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), testserver.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	var backend string
	if err := conn.QueryRow(t.Context(), "SELECT pg_backend_pid()::text").Scan(&backend); err != nil {
		t.Fatal(err)
	}
	fmt.Printf("servers %s %s\n", info["Server"]["process_id"], backend)
	<-t.Context().Done()
}

// A test process that is killed takes its servers along.
func TestServers_dieWithTheirProcess(t *testing.T) {
	for name, pid := range killedChild(t) {
		waitGone(t, name, pid)
	}
}

// killedChild starts a test process with servers, kills it and returns the servers' process ids.
func killedChild(t *testing.T) map[string]int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestChild$", "-test.v")
	cmd.Env = append(os.Environ(), childEnv+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var output []string
	pids := map[string]int{}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		output = append(output, lines.Text())
		words := strings.Fields(lines.Text())
		if len(words) != 3 || words[0] != "servers" {
			continue
		}
		for i, name := range []string{"redis-server", "postgres"} {
			if pids[name], err = strconv.Atoi(words[i+1]); err != nil {
				t.Fatal(err)
			}
		}
		break
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait() // the error is the kill
	if len(pids) != 2 {
		if os.Getenv("CI") != "true" && strings.Contains(strings.Join(output, "\n"), "--- SKIP") {
			t.Skip("no servers on this machine")
		}
		t.Fatalf("the child did not start its servers:\n%s", strings.Join(output, "\n"))
	}
	return pids
}

// waitGone fails the test when a process is still there after a while.
func waitGone(t *testing.T, name string, pid int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for alive(pid) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s (process %d) outlives its test process", name, pid)
		}
	}
}

// alive reports whether a process runs; one that only waits to be reaped does not.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ") // the name in brackets may hold anything
	return !strings.HasPrefix(rest, "Z")
}
