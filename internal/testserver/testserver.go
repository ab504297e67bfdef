// Package testserver runs real servers for tests: a redis-server or Prometheus per test and one PostgreSQL
// per test process, each on a free loopback port with its data in a temporary folder, and malgil
// itself, built once per test process.
//
// Only tests import it. Servers are known by process id and die with the test process, however
// that ends. Where a server is not installed the test is skipped and says what to install;
// with CI=true it fails instead, so that a green run means that everything ran.
package testserver

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

const (
	startTimeout = 60 * time.Second // a loaded machine may take long to start a server
	stopTimeout  = 15 * time.Second // then the server is killed
)

// Main runs the tests of a package and stops what they share. A package that calls [Postgres] or
// [StartProgram] has it as its TestMain, so that their folders are removed:
//
//	func TestMain(m *testing.M) { testserver.Main(m) }
//
// Without it the server still dies with the process, and the next test process that starts a
// PostgreSQL removes the folder.
func Main(m *testing.M) {
	code := m.Run()
	shared.stop()
	program.remove()
	os.Exit(code)
}

// Missing ends a test that cannot have a server or tool: it says what is missing and how to install it.
func Missing(t testing.TB, what, install string) {
	t.Helper()
	message := fmt.Sprintf("%s: run internal/testserver/install.sh as root, or %s", what, install)
	if os.Getenv("CI") == "true" {
		t.Fatal(message)
	}
	t.Skip(message)
}

// freePort returns a loopback port that nobody listened on a moment ago. Another process may
// take it before the server does, so the caller tries again with another one.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// portTaken reports whether a server ended because its port was in use.
func portTaken(err error) bool {
	return err != nil && strings.Contains(strings.ToLower(err.Error()), "address already in use")
}
