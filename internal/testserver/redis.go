package testserver

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// RedisServer is a redis-server of one test, set as Malgil asks for in production: append-only
// file synced every second, nothing ever evicted. Its methods end the test when they fail, so
// they are called from the test's goroutine only.
type RedisServer struct {
	t       testing.TB
	binary  string
	dir     string
	port    int
	process *process
}

// Redis starts a redis-server that is stopped at the end of the test.
func Redis(t testing.TB) *RedisServer {
	t.Helper()
	binary, err := findBinary("redis-server", "/usr/bin/redis-server", "/usr/local/bin/redis-server")
	if err != nil {
		Missing(t, "no redis-server on this machine", "apt-get install redis-server")
	}
	s := &RedisServer{t: t, binary: binary, dir: t.TempDir()}
	for range 5 {
		if s.port, err = freePort(); err != nil {
			break
		}
		if err = s.start(); !portTaken(err) {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.process.kill() })
	return s
}

// Addr returns host:port. It stays the same over [RedisServer.Restart].
func (s *RedisServer) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// URL returns the address as MALGIL_REDIS takes it.
func (s *RedisServer) URL() string { return "redis://" + s.Addr() + "/0" }

// Stop ends the server in good order: what was written is on disk.
func (s *RedisServer) Stop() { s.process.stop(syscall.SIGTERM) }

// Kill ends the server as a crash of its process would.
func (s *RedisServer) Kill() { s.process.kill() }

// Restart starts the server on the data that its last run left, after stopping it when it runs.
func (s *RedisServer) Restart() {
	s.t.Helper()
	s.Stop()
	if err := s.start(); err != nil {
		s.t.Fatal(err)
	}
}

// Freeze stops the server from answering while its connections stay open, as a machine that
// hangs does. It returns when the server has stopped.
func (s *RedisServer) Freeze() {
	s.t.Helper()
	if err := s.process.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		s.t.Fatalf("freeze redis-server: %v", err)
	}
	if err := waitStopped(s.process.cmd.Process.Pid); err != nil {
		s.t.Fatal(err)
	}
}

// Thaw lets a frozen server go on; it then answers what it was asked meanwhile.
func (s *RedisServer) Thaw() {
	s.t.Helper()
	if err := s.process.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		s.t.Fatalf("thaw redis-server: %v", err)
	}
}

// FlushAll empties the server.
func (s *RedisServer) FlushAll() {
	s.t.Helper()
	if answer, err := s.command("FLUSHALL"); err != nil || answer != "+OK" {
		s.t.Fatalf("FLUSHALL = %q, %v, want +OK", answer, err)
	}
}

// command sends one inline command and returns the first line of its answer.
func (s *RedisServer) command(line string) (string, error) {
	conn, err := net.DialTimeout("tcp", s.Addr(), 5*time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return "", err
	}
	if _, err := fmt.Fprintf(conn, "%s\r\n", line); err != nil {
		return "", err
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimRight(answer, "\r\n"), err
}

func (s *RedisServer) start() error {
	cmd := exec.Command(s.binary,
		"--port", strconv.Itoa(s.port), "--bind", "127.0.0.1", "--protected-mode", "no",
		"--dir", s.dir, "--save", "", "--appendonly", "yes", "--appendfsync", "everysec",
		"--maxmemory-policy", "noeviction", "--daemonize", "no", "--supervised", "no", "--logfile", "")
	cmd.Dir = s.dir
	p, err := start("redis-server", cmd, "Ready to accept connections", syscall.SIGKILL)
	if err != nil {
		return err
	}
	s.process = p
	return nil
}

// findBinary looks for a program in PATH and then at fixed places.
func findBinary(name string, places ...string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, place := range places {
		if path, err := exec.LookPath(place); err == nil {
			return path, nil
		}
	}
	return "", errors.New("no " + name)
}
